"""A disk that is full for a while, and whatever else can go wrong at a coordinator: runs go on after it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exchange.aggregation.opening import Opening
from exchange.counting.world import Contributed
from exchange.errors import ConfigError, CosightError, SessionRefused
from exchange.rpc.counting import Call, Counting
from exchange.rpc.server import Server
from exchange.store.aggregations import Folder
from exchange.store.spool import Spool
from exchange.v1.frame_pb2 import Contribution, Frame, Head, Rows
from exchange.v1.secagg_masking_pb2 import Masking
from tests.exchange.counting.runs import alliance, at, together, total

MOMENTS = [*((Spool, "seal", n) for n in (1, 12, 30)), *((Folder, "close", n) for n in range(1, 7))]


@pytest.mark.parametrize("often", [1, 3])
@pytest.mark.parametrize(("owner", "name", "number"), MOMENTS, ids=lambda v: getattr(v, "__name__", v))
async def test_a_disk_that_is_full_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, number: int, often: int
) -> None:
    run, inner = alliance(tmp_path), getattr(owner, name)
    full = [at(number + n, no_space) for n in range(often)]

    def write(self: Any, *arguments: Any) -> Any:
        for check in full:
            check("")
        return inner(self, *arguments)

    monkeypatch.setattr(owner, name, write)
    everybody = await asyncio.wait_for(together(run), 200)  # a step lasts 300 s: it is not waited out
    for aggregate in everybody:
        assert (aggregate.vector == total(run)).all()
    assert run.book.said == [("counted",)]


def no_space() -> None:
    raise ConfigError("cannot write: no space left on device")


async def test_a_member_is_told_to_try_again_where_its_rows_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = alliance(tmp_path)
    for name in run.opening.members:
        await run.taking_part(name).join()
    contributed = Contributed(run.opening.context, 2, "Dealing", bytes(32))
    head = Masking.Dealing(rows=Rows(count=5, width=144), signature=bytes(64)).SerializeToString()
    frames = [
        Frame(
            contribution=Contribution(session=run.opening.context, step=2, name="Dealing", digest=bytes(32))
        ),
        Frame(head=Head(name="Dealing", body=head)),
    ]
    sent = [frame.SerializeToString() for frame in frames]

    async def read() -> bytes | None:
        return sent.pop(0) if sent else None

    async def write(_reply: bytes) -> None:
        pass

    monkeypatch.setattr(Spool, "allocate", lambda *_: no_space())
    call = Call("bob", read, write, request=None, guard=lambda: None)  # type: ignore[arg-type]
    with pytest.raises(SessionRefused) as refused:
        await Counting(run.coordinating, idle_s=5).contribute(call)
    assert refused.value.code == "not-ready"
    assert await run.coordinating.expect("bob", contributed) is not None


async def test_a_run_that_cannot_be_read_keeps_no_other_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = alliance(tmp_path, step_s=1)
    broken = run.opening
    run.convene(replace(broken, session=b"t" * 32))
    run.restart()
    setup = run.coordinating._setup

    def fails(opening: Opening) -> Any:
        if opening == broken:
            raise ZeroDivisionError("unforeseen")
        return setup(opening)

    run.coordinating._setup = fails
    while not run.book.said:
        await run.tick()
        await asyncio.sleep(0.1)
    assert run.book.said == [("broken", "too-few", ())]
    said = [record.getMessage() for record in caplog.records if "ZeroDivisionError" in record.getMessage()]
    assert len(said) == 1, "once"
    assert "ZeroDivisionError at test_full_disk.py:" in said[0]
    assert "unforeseen" not in caplog.text, "its own words may hold what nobody is to read"


@pytest.mark.parametrize("error", [ZeroDivisionError("unforeseen"), CosightError("foreseen")])
async def test_nothing_ends_the_task_that_closes_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run = alliance(tmp_path)
    ticked, inner, again = 0, run.coordinating.tick, asyncio.Event()

    async def tick() -> None:
        nonlocal ticked
        ticked += 1
        if ticked == 1:
            raise error
        await inner()
        again.set()

    monkeypatch.setattr(run.coordinating, "tick", tick)
    monkeypatch.setattr("exchange.rpc.server.TICK_S", 0.01)
    closing = asyncio.create_task(Server(None, None, run.coordinating, idle_s=5)._close_steps())  # type: ignore[arg-type]
    await asyncio.wait_for(again.wait(), 60)
    assert not closing.done()
    closing.cancel()
