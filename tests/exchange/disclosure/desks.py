"""Two sides of a disclosure without network or clock: everything is told, in order, to a list."""

import asyncio
import shutil
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from crypto.hashing import item_rows
from crypto.rows import Rows
from crypto.session import Message, Receive
from exchange.agreement import Agreement, Rung
from exchange.config import Limits
from exchange.disclosure import (
    Answer,
    Desk,
    Greeting,
    Proposal,
    Responder,
    Settled,
    Settlement,
    Stale,
    Standing,
    Wish,
)
from exchange.errors import CosightError, LedgerError, PeerRefused, PeerUnavailable, SessionRefused
from exchange.identity.keys import NodeKeys, public_bytes
from exchange.identity.roster import Member, Role
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.context import Context
from exchange.ledger import Checkpoint, origin
from exchange.ledger.note import sign
from exchange.local.alliance import ALLOW_ALL
from exchange.policy import Offer, parse
from exchange.store.correlations import Ready
from exchange.store.epochs import KEPT, Kept
from exchange.store.ledger import LedgerStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WISH = Wish(rung=Rung.OVERLAP, types=(IndicatorType.DOMAIN,))
END = None
ALLIANCE = "tests.example.com"
KEYS = {name: NodeKeys.generate() for name in ("alice", "bob", "carol", "dave", "erin")}
MEMBERS = {
    name: Member(name, Role.MEMBER, public_bytes(own.identity), public_bytes(own.log), b"", None, bytes(32))
    for name, own in KEYS.items()
}


@dataclass
class Set:
    """Items that are words of one type; ``version`` stands for an import."""

    words: list[str]
    version: int = 1
    kind: IndicatorType = IndicatorType.DOMAIN
    known: dict[str, Context] = field(default_factory=dict)
    copied: dict[str, str] = field(default_factory=dict)
    all: list[str] | None = None

    def types(self, **_how: Any) -> list[IndicatorType]:
        return [self.kind]

    def size(self, _types: Any, **how: Any) -> int:
        return len(self._let(**how))

    def offer(self, types: Any, **how: Any) -> Offer:
        size = self.size(types, **how)
        held = len(self.words) - size
        return Offer({self.kind: size} if size else {}, {"p18-provenance": {self.kind: held}} if held else {})

    def item_set(self, _types: Any, **how: Any) -> Any:
        return self if (let := self._let(**how)) == self.words else replace(self, words=let, all=self.words)

    def said(self, _types: Any, **_how: Any) -> "Set":
        return self

    def _let(self, *, admission: Any = None, **_how: Any) -> list[str]:
        """The words that may enter."""
        own = admission is not None and admission.own
        return [word for word in self.words if not (own and word in self.copied)]

    def copies(self, _types: Any, **how: Any) -> tuple[Any, Any]:
        """Of a word that stands in ``copied``, a hash of the report it was taken from."""
        let = self._let(**how)
        places = [i for i, word in enumerate(self.words) if word in self.copied and word in let]
        hashes = b"".join(sha256(self.copied[self.words[i]].encode()).digest() for i in places)
        return np.array(places, np.int64), np.frombuffer(hashes, np.uint8).reshape(-1, 32)

    def of(self, ids: Any) -> list[Context]:
        """Of a word that stands in ``known``, what stands there; of a canary, nothing."""
        return [self.known.get(self.words[i], Context()) if i >= 0 else Context() for i in ids]

    def state(self, **_how: Any) -> bytes | None:
        return bytes([self.version]) * 32

    @property
    def rows(self) -> Any:
        return item_rows(self.kind, self.words)

    @property
    def ids(self) -> Any:
        return np.array([(self.all or self.words).index(word) for word in self.words], np.int64)

    def values(self, ids: Any) -> list[Indicator]:
        return [Indicator(self.kind, self.words[i]) for i in ids]


TOLD = {"intent", "disclosed", "aborted", "refused"}


class Books(LedgerStore):
    """A ledger that tells what is written; it can be made to fail, or to wait."""

    events: list[Any]
    told: list[tuple[str, dict[str, Any]]]
    failing: bool
    gate: threading.Event | None
    waiting: threading.Event
    """Set as soon as something that is to be written waits for the gate."""

    @classmethod
    def begin(cls, member: str, events: list[Any]) -> "Books":
        folder = Path(tempfile.mkdtemp(prefix="cosight-books-"))
        named = origin(member, ALLIANCE)
        books = cls.open(folder / "ledger.db", signer=KEYS[member].log, origin=named)
        assert isinstance(books, cls)
        books.events, books.told, books.failing, books.gate = events, [], False, None
        books.waiting = threading.Event()
        books.append("roster", now=NOON, alliance=ALLIANCE, epoch=1, roster="00" * 32)
        weakref.finalize(books, shutil.rmtree, folder)
        return books

    def append(self, kind: Any, *, now: datetime, documents: Any = (), **fields: Any) -> int:
        if self.gate is not None:
            self.waiting.set()
            assert self.gate.wait(60)
        if self.failing:
            raise LedgerError("the disk is full")
        number = super().append(kind, now=now, documents=documents, **fields)
        if kind in TOLD:
            self.events.append(kind)
            self.told.append((kind, fields))
        return number

    def story(self) -> list[tuple[str, str]]:
        return [(kind, fields["what"].get("reason", "")) for kind, fields in self.told]

    def kinds(self) -> list[str]:
        return [str(leaf.kind) for leaf in LedgerStore.entries(self)]


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


class Sketches(dict[str, Rows]):
    """Sketches in memory."""

    put = dict.__setitem__


class Epochs:
    """What sessions left, in memory: as much of it as a home keeps."""

    def __init__(self) -> None:
        self.states: dict[Kept, bytes] = {}
        self.answers: Counter[Kept] = Counter()

    def kept(self, role: str, peer: str) -> list[Kept]:
        return [kept for kept in reversed(self.states) if (kept.role, kept.peer) == (role, peer)]

    def get(self, kept: Kept) -> bytes | None:
        return self.states.get(kept)

    def answer(self, kept: Kept) -> int:
        self.answers[kept] += 1
        return self.answers[kept]

    def put(self, role: str, peer: str, began: int, session: str, state: bytes) -> None:
        self.states[Kept(role, peer, began, session)] = state
        for kept in self.kept(role, peer)[KEPT[role] :]:
            del self.states[kept]

    def expire(self, first: int) -> None:
        self.states = {kept: state for kept, state in self.states.items() if kept.began >= first}


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
        self.books = Books.begin(self.member, self.events)
        self.stash = Stash()
        self.sketches = Sketches()
        self.epochs = Epochs()
        self.desk = Desk(
            member=self.member, alliance=ALLIANCE, roster=lambda: (1, bytes(32)),
            identity=KEYS[self.member].identity, find=MEMBERS.get,
            policy=self._policy, items=self.items, ledger=self.books, stash=self.stash,
            sketches=self.sketches, epochs=self.epochs,
            clock=lambda: self.now, software="test", limits=self.limits,
            guard_key=sha256(self.member.encode()).digest(),
        )  # fmt: skip

    def shown_by(self, peer: str) -> Standing:
        """What a peer would show of a log of its own that has one entry and never grows."""
        note = sign(Checkpoint(origin(peer, ALLIANCE), 1, bytes(32)), KEYS[peer].log)
        seen = self.books.seen(peer)
        return Standing(note=note, old_size=0 if seen is None else seen.size, consistency=())

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
        self._told: tuple[list[str], list[str]] = ([], [])

    def digests(self) -> tuple[bytes, bytes]:
        sent, received = (sha256("".join(names).encode()).digest() for names in self._told)
        return sent, received

    async def send(self, message: Message) -> None:
        self._events.append(type(message).__name__)
        self.sent += 1
        self._told[0].append(type(message).__name__)
        await self._outbox.put(message)

    async def receive(self, want: Receive) -> Message:
        message = await self._inbox.get()
        if message is END:
            raise PeerUnavailable("it ended", code="peer-closed")
        want.check(message)
        self.received += 1
        self._told[1].append(type(message).__name__)
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
    theirs: Side
    responder: Responder
    fault: BaseException | None = None
    where: str = "propose"
    answers: dict[str, Any] = field(default_factory=dict)

    async def greet(self, log_size: int) -> Greeting:
        return self.responder.greet(self.ours.member, log_size)

    async def settle(self, settlement: Settlement) -> Settled:
        if self.fault is not None and self.where == "settle":
            raise self.fault
        try:
            return await self.responder.settle(self.ours.member, settlement)
        except (SessionRefused, Stale) as refusal:
            raise PeerRefused("it said no", code=refusal.code) from refusal

    async def propose(self, proposal: Proposal, shown: Standing) -> Answer:
        self.ours.events.append("propose")
        if self.fault is not None and self.where == "propose":
            raise self.fault
        try:
            answer = await self.responder.propose(self.ours.member, proposal, shown)
        except (SessionRefused, Stale) as refusal:
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
    return alice, bob, Wire(alice, bob, Responder(bob.desk))


def refusal() -> PeerRefused:
    return PeerRefused("no", code="policy-refused")
