"""Two sides of a disclosure without network, database or clock: everything is told, in order, to a list."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from crypto.hashing import item_rows
from crypto.rows import Rows
from crypto.session import Message, Receive
from exchange.agreement import Agreement, Rung
from exchange.cli.local import ALLOW_ALL
from exchange.config import Limits
from exchange.disclosure import Answer, Desk, Proposal, Responder, Wish
from exchange.errors import CosightError, LedgerError, PeerRefused, PeerUnavailable, SessionRefused
from exchange.indicators import Indicator, IndicatorType
from exchange.policy import History, parse
from exchange.store.correlations import Ready

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WISH = Wish(rung=Rung.OVERLAP, types=(IndicatorType.DOMAIN,))
END = None


@dataclass
class Set:
    """Items that are words."""

    words: list[str]

    def size(self, _types: Any, *, now: Any) -> int:
        return len(self.words)

    def item_set(self, _types: Any, *, now: Any) -> "Set":
        return self

    @property
    def rows(self) -> Any:
        return item_rows("domain", self.words)

    @property
    def ids(self) -> Any:
        return np.arange(len(self.words))

    def values(self, ids: Any) -> list[Indicator]:
        return [Indicator(IndicatorType.DOMAIN, self.words[i]) for i in ids]


@dataclass
class Books:
    """A ledger that is a list; it can be made to fail, or to wait."""

    events: list[Any]
    entries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failing: bool = False
    gate: threading.Event | None = None

    def append(self, kind: str, *, now: datetime, **fields: Any) -> int:
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.failing:
            raise LedgerError("the disk is full")
        assert now.tzinfo is not None
        self.events.append(kind)
        self.entries.append((kind, fields))
        return len(self.entries)

    def has_session(self, session: str) -> bool:
        return any(fields["session"] == session for _, fields in self.entries)

    def history(self, _peer: str, _now: datetime) -> History:
        return History()

    def story(self) -> list[tuple[str, str]]:
        return [(kind, fields["what"].get("reason", "")) for kind, fields in self.entries]


@dataclass
class Stash:
    """Correlations in memory. ``stolen`` are taken by somebody else just before we do."""

    stored: list[tuple[Ready, Rows]] = field(default_factory=list)
    stolen: bool = False

    def ready(self, role: str, peer: str) -> list[Ready]:
        return sorted(ready for ready, _ in self.stored if (ready.role, ready.peer) == (role, peer))

    def put(self, role: str, peer: str, elements: int, session: str, rows: Rows) -> None:
        self.stored.append((Ready(role, peer, elements, session), rows))

    def prune(self, role: str, peer: str, keep: int) -> None:
        theirs = [ready for ready, _ in self.stored if (ready.role, ready.peer) == (role, peer)]
        for ready in theirs[::-1][keep:]:
            self.take(ready)

    def take(self, ready: Ready) -> Rows | None:
        found = [rows for other, rows in self.stored if other == ready]
        self.stored = [(other, rows) for other, rows in self.stored if other != ready]
        return None if self.stolen else next(iter(found), None)


@dataclass
class Side:
    """One member's desk and what stands on it."""

    member: str
    words: list[str]
    limits: Limits = field(default_factory=Limits)
    policy_text: str = ALLOW_ALL
    now: datetime = NOON
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.items = Set(self.words)
        self.books = Books(self.events)
        self.stash = Stash()
        self.desk = Desk(
            member=self.member, alliance="tests.example.com", roster=lambda: (1, bytes(32)),
            sign=lambda agreement: agreement.hash * 2,
            verify=lambda _peer, agreement, signature: signature == agreement.hash * 2,
            policy=self._policy, items=self.items, ledger=self.books, stash=self.stash,
            clock=lambda: self.now, software="test", limits=self.limits,
        )  # fmt: skip

    def _policy(self) -> Any:
        self.events.append("policy")
        return parse(self.policy_text)

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


class Pipe:
    """One end of a channel between two roles in one process."""

    def __init__(self, inbox: asyncio.Queue[Any], outbox: asyncio.Queue[Any], events: list[Any]) -> None:
        self.sent = self.received = 0
        self.bytes_per_s = 0.0
        self._inbox, self._outbox, self._events = inbox, outbox, events

    async def send(self, message: Message) -> None:
        self._events.append(type(message).__name__)
        self.sent += 1
        await self._outbox.put(message)

    async def receive(self, want: Receive) -> Message:
        message = await self._inbox.get()
        if message is END:
            raise PeerUnavailable("it ended", code="peer-closed")
        want.check(message)
        self.received += 1
        return message

    async def end(self) -> None:
        assert await self._inbox.get() is END


@dataclass
class Wire:
    """The initiator's link to a responder in the same process.

    Attributes:
        fault: what to raise at ``where``: ``propose`` or ``run``.
    """

    ours: Side
    responder: Responder
    fault: BaseException | None = None
    where: str = "propose"
    answers: dict[str, Any] = field(default_factory=dict)

    async def propose(self, proposal: Proposal) -> Answer:
        self.ours.events.append("propose")
        if self.fault is not None and self.where == "propose":
            raise self.fault
        try:
            answer = await self.responder.propose(self.ours.member, proposal)
        except SessionRefused as refusal:
            raise PeerRefused("it said no", code=refusal.code) from refusal
        return replace(answer, **self.answers)

    @asynccontextmanager
    async def run(self, agreement: Agreement, signature: bytes) -> AsyncIterator[Pipe]:
        if self.fault is not None and self.where == "run":
            raise self.fault
        there: asyncio.Queue[Any] = asyncio.Queue()
        back: asyncio.Queue[Any] = asyncio.Queue()

        async def answer() -> None:
            try:
                await self.responder.run(
                    self.ours.member, agreement.initiator_nonce, signature, lambda _: Pipe(there, back, [])
                )
            except CosightError:
                pass
            finally:
                await back.put(END)

        task = asyncio.create_task(answer())
        try:
            yield Pipe(back, there, self.ours.events)
        finally:
            await there.put(END)
            await task


def pair(**limits: int) -> tuple[Side, Side, Wire]:
    """alice, who dials, bob, and the link between them; they share two words."""
    alice = Side("alice", ["a", "b", "c"], limits=Limits(**limits))
    bob = Side("bob", ["b", "c", "d", "e"], limits=Limits(**limits))
    return alice, bob, Wire(alice, Responder(bob.desk))


def refusal() -> PeerRefused:
    return PeerRefused("no", code="policy-refused")
