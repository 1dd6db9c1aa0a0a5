"""A caller that hangs up while its message is taken: memory and disk say the same all the same."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from crypto.secagg.coordinator import Coordinator
from exchange.counting.run import Run
from exchange.errors import PeerUnavailable
from exchange.store.aggregations import Folder
from exchange.store.spool import Spool
from tests.exchange.counting.runs import Alliance, alliance, together, total

MOMENTS = [
    *((Coordinator, "accept", number) for number in (1, 8, 13, 15)),
    *((Spool, "seal", number) for number in (1, 13, 15)),
    *((Folder, "close", number) for number in (1, 3, 5)),
    *((Coordinator, "close", number) for number in (1, 3, 6)),
    (Run, "tell", 3),
]


class Held:
    """What a thread does the given time, and then waits until it is let go."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.lock = threading.Lock()
        self.reached, self.go = threading.Event(), threading.Event()

    def pass_by(self) -> None:
        with self.lock:
            self.left -= 1
            held = self.left == 0
        if held:
            self.reached.set()
            assert self.go.wait(20)


@pytest.mark.parametrize(("owner", "name", "number"), MOMENTS, ids=lambda v: getattr(v, "__name__", v))
async def test_a_caller_that_hangs_up_while_its_message_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, number: int
) -> None:
    run, held, inner = alliance(tmp_path), Held(number), getattr(owner, name)

    def slow(self: Any, *arguments: Any) -> Any:
        result = inner(self, *arguments)
        held.pass_by()
        return result

    monkeypatch.setattr(owner, name, slow)
    taking: set[asyncio.Task[None]] = set()
    apart(run, monkeypatch, taking)

    async def hang_up() -> None:
        await asyncio.to_thread(held.reached.wait, 100)
        for call in taking:
            call.cancel()
        await asyncio.sleep(0.05)
        held.go.set()

    everybody, _ = await asyncio.wait_for(asyncio.gather(together(run), hang_up()), 200)
    for aggregate in everybody:
        assert (aggregate.vector == total(run)).all()
    assert run.book.said == [("counted",)]


def apart(run: Alliance, monkeypatch: pytest.MonkeyPatch, taking: set[asyncio.Task[None]]) -> None:
    """Have every message taken in a task of its own, as gRPC does; a cancelled one is a lost line."""
    whole = run.coordinating.take

    async def take(*arguments: Any) -> None:
        call = asyncio.ensure_future(whole(*arguments))
        taking.add(call)
        try:
            await asyncio.wait([call])
        finally:
            taking.discard(call)
        if call.cancelled():
            raise PeerUnavailable("the line is gone", code="peer-closed")
        call.result()

    monkeypatch.setattr(run.coordinating, "take", take)
