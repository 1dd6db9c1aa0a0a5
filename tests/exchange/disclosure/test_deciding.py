"""Two sessions that are decided at the same moment do not pass a limit together."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from exchange.disclosure import match
from exchange.disclosure.responder import Responder
from exchange.errors import PolicyRefusal, SessionRefused
from tests.exchange.disclosure.desks import WISH, Side, Wire, pair
from tests.exchange.disclosure.test_disclosure import proposal

ONCE = ("sessions_per_day = 1000", "sessions_per_day = 1")


def together(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the history of a peer waits for another one that does, unless that one waits for it."""
    side.policy_text = side.policy_text.replace(*ONCE)
    assert ONCE[1] in side.policy_text
    read: Callable[..., Any] = side.books.history
    both = threading.Barrier(2)

    def history(*arguments: Any) -> Any:
        found = read(*arguments)
        with suppress(threading.BrokenBarrierError):
            both.wait(1)
        return found

    monkeypatch.setattr(side.books, "history", history)


async def test_two_that_we_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob, wire = pair()
    together(alice, monkeypatch)
    lines = (wire, Wire(alice, bob, Responder(bob.desk)))
    ended = await asyncio.gather(
        *(match(alice.desk, "bob", WISH, line) for line in lines), return_exceptions=True
    )
    assert sum(isinstance(one, PolicyRefusal) for one in ended) == 1, ended
    assert [kind for kind, _ in alice.books.story()].count("intent") == 1


async def test_two_that_we_answer_in_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    _, bob, wire = pair()
    together(bob, monkeypatch)
    shown = wire.theirs.shown_by("alice")
    ended = await asyncio.gather(
        *(Responder(bob.desk).propose("alice", proposal(number), shown) for number in (1, 2)),
        return_exceptions=True,
    )
    assert [one.code for one in ended if isinstance(one, SessionRefused)] == ["policy-refused"], ended
    assert sorted(kind for kind, _ in bob.books.story()) == ["intent", "refused"]
