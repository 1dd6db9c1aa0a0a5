"""What a coordinator holds in memory, however many runs there were and however often its members call."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.secagg.base import Step
from crypto.session import Message
from exchange import wire
from exchange.counting import coordinating
from exchange.counting.world import PROTOCOL, Contributed
from exchange.errors import PeerRefused, PeerUnavailable, SessionRefused
from exchange.rpc.counting import Call, Counting, contribution_to_wire
from exchange.store.spool import ARRIVING, SMALL_BYTES
from tests.exchange.counting.runs import Alliance, Line, alliance, together, total

LARGE = SMALL_BYTES // 8 + 1
"""Entries of a vector that goes to the disk as it comes."""


def open_files(run: Alliance) -> list[str]:
    """Files of the coordinator that this process holds open."""
    folder, found = str(run.folder / "coordinator" / "aggregations"), []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of this very listing is gone by now
            found.append(str(entry.readlink()))
    return [path for path in found if path.startswith(folder)]


async def ended_runs(run: Alliance, count: int) -> list[bytes]:
    """So many runs that came to their end, and as many that were broken off."""
    counted = []
    for number in range(count):
        if number:
            run.convene(replace(run.opening, session=bytes([number]) * 32))
        await together(run)
        counted.append(run.opening.context)
        run.convene(replace(run.opening, session=bytes([100 + number]) * 32))
        with pytest.raises(PeerRefused):
            await run.taking_part("erin", sign=run.keys["bob"].sign).join()
        assert run.files().ended() is not None
    return counted


async def test_runs_that_are_over_are_read_on_demand_and_few_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinating, "MAX_OVER", 2)
    run = alliance(tmp_path)
    counted = await ended_runs(run, 4)
    await run.tick()
    assert len(run.coordinating._runs) <= 2, "what came to its end in this process"
    run.restart()
    await run.tick()
    listed = await run.coordinating.convened("bob")
    for context in counted:
        await run.coordinating.find("bob", context)
    assert len(listed) == 8
    assert run.coordinating._runs == {}, "neither a start nor a list reads what is over"
    for context in [*counted, *counted]:
        progress, told = await run.coordinating.collect("bob", context, Step.DONE, 0)
        assert (progress.step, len(told)) == (Step.DONE, 2)
        assert (await run.coordinating.replay("bob", context, 0)).rows.shape[0] == 5
        assert len(run.coordinating._runs) <= 2
    assert list(run.coordinating._runs) == counted[-2:], "those that were asked for last"
    assert open_files(run) == []


async def test_nothing_is_read_of_a_run_that_was_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = alliance(tmp_path)
    await ended_runs(run, 1)
    run.restart()
    monkeypatch.setattr("exchange.counting.steps.again", pytest.fail)
    progress, told = await run.coordinating.collect("bob", run.opening.context, Step.DEALING, 0)
    assert (progress.broken, progress.culprits, told) == ("bad-signature", ("erin",), ())


async def test_a_run_that_goes_on_holds_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, held = alliance(tmp_path, entries=LARGE), []

    async def contribute(line: Line, contributed: Contributed, message: Message) -> None:
        await call(run, line.name, sent(contributed, message))
        if contributed.name != "Masked":  # then others are just coming
            held.append(open_files(run))

    monkeypatch.setattr(Line, "_contribute", contribute)
    await together(run)
    assert len(held) == 5 * 5
    assert not any(held)


def sent(contributed: Contributed, message: Message) -> list[bytes]:
    frames = [contribution_to_wire(contributed), *wire.to_frames(PROTOCOL, message)]
    return [frame.SerializeToString() for frame in frames]


async def call(run: Alliance, name: str, left: list[bytes], *, dead: bool = False) -> None:
    """Say a message through the coordinator's calls; on a dead line neither more nor an end comes."""

    async def read() -> bytes | None:
        if dead and not left:
            await asyncio.sleep(3600)
        return left.pop(0) if left else None

    async def write(_reply: bytes) -> None:
        pass

    asked = Call(name, read, write, request=None, guard=lambda: None)  # type: ignore[arg-type]
    await Counting(run.coordinating, idle_s=3600).contribute(asked)


def arriving(run: Alliance) -> int:
    """How many messages have room on the coordinator's disk and are not whole."""
    return len(list(run.files().path.glob(f"{ARRIVING}*")))


async def until_arriving(run: Alliance, calls: "list[asyncio.Task[None]]") -> None:
    """Wait until the last call has its room, and those before it are ended."""
    while arriving(run) != 1 or [one.done() for one in calls].count(False) != 1:  # noqa: ASYNC110  # a file
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("often", [1, 6])
async def test_a_member_whose_line_is_dead_comes_back_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, often: int
) -> None:
    """And has room for one message, however many lines it leaves."""
    run, dead = alliance(tmp_path, entries=LARGE, step_s=3600), list[asyncio.Task[None]]()

    async def contribute(line: Line, contributed: Contributed, message: Message) -> None:
        frames = sent(contributed, message)
        if line.name == "carol" and contributed.name == "Masked" and len(dead) < often:
            dead.append(asyncio.ensure_future(call(run, line.name, frames[:2], dead=True)))
            await asyncio.wait_for(until_arriving(run, dead), 20)
            raise PeerUnavailable("the line is dead", code="peer-stalled")
        await call(run, line.name, frames)

    monkeypatch.setattr(Line, "_contribute", contribute)
    for aggregate in await asyncio.wait_for(together(run), 60):  # nobody waits for the end of a step
        assert (aggregate.vector == total(run)).all()
    ended = await asyncio.gather(*dead, return_exceptions=True)
    assert [type(error) for error in ended] == [SessionRefused] * often
    assert {error.code for error in ended if isinstance(error, SessionRefused)} == {"busy"}
    assert arriving(run) == 0


async def test_a_message_that_is_being_taken_is_not_given_up_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, codes = alliance(tmp_path), []
    whole = run.coordinating._take

    async def take(*arguments: object) -> None:
        if not codes:
            codes.append("")
            again = list(said)
            with pytest.raises(SessionRefused) as refused:
                await call(run, "bob", again)
            codes.append(refused.value.code)
            assert again == said[1:], "nothing of it is read"
        await whole(*arguments)  # type: ignore[arg-type]

    async def contribute(_line: Line, contributed: Contributed, message: Message) -> None:
        said.extend(sent(contributed, message))
        await call(run, "bob", list(said))

    said: list[bytes] = []
    monkeypatch.setattr(run.coordinating, "_take", take)
    monkeypatch.setattr(Line, "_contribute", contribute)
    await run.taking_part("bob").join()
    assert codes == ["", "busy"]
    await call(run, "bob", said[:1])  # known by now: nothing of it is wanted
