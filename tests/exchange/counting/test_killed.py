"""Coordinator, members and connections that are cut off at any moment: the sum is exact all the same."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.secagg.base import Aggregate, Step
from exchange.counting import taking_part
from exchange.counting.broken import Broken
from exchange.counting.world import Counted, Fault
from exchange.errors import CosightError
from exchange.store.aggregations import Folder
from exchange.store.contributions import Contribution, Contributions
from exchange.store.journal import Journal
from exchange.store.spool import Spool
from tests.exchange.counting.runs import Book, Cut, alliance, at, killed, lost, together, total


@pytest.mark.parametrize("number", range(1, 27))
async def test_a_member_that_is_killed_at_any_moment_goes_on(tmp_path: Path, number: int) -> None:
    run = alliance(tmp_path)

    async def victim() -> Aggregate:
        with suppress(Cut):
            await run.taking_part("bob", at(number, killed)).run()
        return await run.taking_part("bob").run()

    others, bob = await asyncio.gather(together(run, "alice", "carol", "dave", "erin"), victim())
    for aggregate in [*others, bob]:
        assert (aggregate.vector == total(run)).all()
    assert run.books["bob"].said == [("joined",), ("masked",), ("shared", 5), ("counted",)]


@pytest.mark.parametrize("number", range(1, 27))
async def test_a_connection_that_drops_at_any_moment_is_made_again(tmp_path: Path, number: int) -> None:
    run = alliance(tmp_path)
    for aggregate in await together(run, moment={"carol": at(number, lost)}):
        assert (aggregate.vector == total(run)).all()


@pytest.mark.parametrize("number", range(1, 40))
async def test_a_coordinator_that_is_killed_at_any_moment_goes_on(tmp_path: Path, number: int) -> None:
    run = alliance(tmp_path)

    def restart() -> None:
        if not run.taking:  # a message that is just being taken would be taken by a process that is gone
            run.restart()
        lost()

    for aggregate in await together(run, moment={"dave": at(number, restart)}):
        assert (aggregate.vector == total(run)).all()


WRITES = [
    *((Spool, "seal", number) for number in (3, 12, 23)),
    *((Folder, "close", number) for number in range(1, 7)),
    (Folder, "finish", 1),
    (Folder, "end", 1),
    (Book, "counted", 1),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name", "number"), WRITES, ids=lambda value: getattr(value, "__name__", value)
)
async def test_a_coordinator_that_is_killed_around_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, number: int, *, after: bool
) -> None:
    run = alliance(tmp_path)
    inner, cut = getattr(owner, name), at(number, run.die)

    def write(self, *arguments):
        if owner is Book and self is not run.book:
            return inner(self, *arguments)
        if not after:
            cut("")
        result = inner(self, *arguments)
        if after:
            cut("")
        return result

    monkeypatch.setattr(owner, name, write)
    for aggregate in await together(run):
        assert (aggregate.vector == total(run)).all()
    assert run.book.said == [("counted",)]


SAID = [
    *((Journal, "speak", number) for number in (1, 3, 5, 6)),
    (Contribution, "put_vector", 1),
    (Contribution, "finish", 1),
    (Contribution, "end", 1),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name", "number"), SAID, ids=lambda v: getattr(v, "__name__", v))
async def test_a_member_that_is_killed_around_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, number: int, *, after: bool
) -> None:
    run = alliance(tmp_path)
    cut, whose = at(number, killed), []

    class Dying(owner):
        pass

    def write(self, *arguments, **named):
        if not after:
            cut("")
        getattr(owner, name)(self, *arguments, **named)
        if after:
            cut("")
        return True

    setattr(Dying, name, write)

    async def bob() -> Counted | None:
        part = run.part("bob")
        if owner is Journal:
            dying = replace(part, journal=Dying.open(Contributions(run.home("bob")).journal_file))
        else:
            dying = replace(part, kept=Dying(part.kept.path, part.kept.key))
        with suppress(Cut):
            await taking_part.TakingPart(dying, run.taking_part("bob")._connect).run()
            whose.append("not killed")
        if part.kept.ended is None:
            await run.taking_part("bob").run()
        return part.kept.counted()

    others, counted = await asyncio.gather(together(run, "alice", "carol", "dave", "erin"), bob())
    assert whose == []
    assert all((one.vector == total(run)).all() for one in [*others, counted])
    assert run.books["bob"].said == [("joined",), ("masked",), ("shared", 5), ("counted",)]


@pytest.mark.parametrize("step", [Step.JOINING, Step.MASKING, Step.AGREEING, Step.UNMASKING, Step.SIGNING])
async def test_who_lied_stays_out_when_the_coordinator_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    """Killed when the lie is on the disk and nothing else of it: honest afterwards, it is not heard."""
    run, blame, said, down = alliance(tmp_path), Folder.blame, 0, []
    cut = at(1, run.die)

    def written(self: Folder, fault: Fault) -> None:
        blame(self, fault)
        down.append(fault)
        cut("")

    def both(_what: str) -> None:
        if down:
            raise Cut

    def sign(statement: bytes) -> bytes:
        nonlocal said
        said += 1
        return run.keys["alice" if said == step else "erin"].sign(statement)

    async def erin() -> None:
        with suppress(Cut):
            await run.taking_part("erin", both, sign=sign).run()
        Contributions(run.home("erin")).journal_file.unlink()
        with suppress(CosightError):  # by now it signs with its own key
            await run.taking_part("erin").run()

    monkeypatch.setattr(Folder, "blame", written)
    others = together(run, "alice", "bob", "carol", "dave")
    ended, _ = await asyncio.wait_for(asyncio.gather(others, erin(), return_exceptions=True), 25)
    assert [fault.culprits for fault in run.files().faults()] == [(4,)]
    assert not (run.files().path / f"{int(step)}-004").exists()
    if step < Step.AGREEING:
        assert isinstance(ended, Broken)
        assert run.book.said == [("broken", "bad-signature", ("erin",))]
    else:
        assert not isinstance(ended, BaseException)
        for aggregate in ended:
            assert (aggregate.vector == total(run)).all()
            assert len(aggregate.signatures) == 4
        assert run.book.said == [("counted", ("erin",))]
