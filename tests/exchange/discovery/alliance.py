"""An alliance in one process: every part is the real one, with real files, and only the network is a call."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from crypto.rows import Rows
from crypto.secagg import discovery as atr
from exchange.aggregation.lots import Parts
from exchange.aggregation.round import Learns, Round
from exchange.config import Home
from exchange.discovery import signing
from exchange.discovery.checking import check_size
from exchange.discovery.office import Office
from exchange.discovery.search import Found, Search
from exchange.discovery.serving import Service
from exchange.discovery.taking_part import discover
from exchange.discovery.world import Collected, Deposit, Kept, Signed, Stage
from exchange.errors import CosightError, PeerMisbehaved, PeerRefused, PeerUnavailable, SessionRefused
from exchange.identity.roster import Roster
from exchange.indicators import IndicatorType
from exchange.store.discovery.helper import HelperBooks
from exchange.store.discovery.member import Asked
from exchange.store.discovery.stages import Stages
from exchange.store.discovery.tables import open_tables
from tests.exchange.disclosure.desks import ALLIANCE, KEYS, MEMBERS, Side

NAMES = ("alice", "bob", "carol", "dave", "erin")
PARTS = Parts(relay="alice", counter="bob", helpers=("carol", "dave"))
SEARCH = Search(threshold=3, types=(IndicatorType.DOMAIN,), parts=PARTS, wait_s=20)
ROSTER = Roster(
    alliance=ALLIANCE, epoch=1, previous=bytes(32), root_certificate=b"x", quorum=1,
    members=tuple(replace(MEMBERS[name], address="127.0.0.1:1") for name in NAMES), revoked=(), issued_at=1,
)  # fmt: skip

HELD = {
    "alice": ["a.example", "b.example", "c.example"],
    "bob": ["b.example", "c.example", "d.example"],
    "carol": ["c.example", "d.example", "e.example"],
    "dave": ["c.example", "d.example", "f.example"],
    "erin": ["a.example", "f.example", "g.example"],
}
ALL = replace(SEARCH, learns=Learns.ALL)


@dataclass
class Line:
    """A connection of one member to another; what a test puts in the place of a method is what happens."""

    caller: str
    service: Service
    peer: str = ""
    sent: int = 0
    received: int = 0

    async def keys(self, of: Round) -> Signed:
        return await self._told(self.service.keys(self.caller, of))

    async def evaluate(self, epoch: int, declared: int, blinded: Rows) -> tuple[Rows, bytes]:
        return await self._told(self.service.evaluate(self.caller, epoch, declared, blinded))

    async def token(self, of: Round, blinded: Rows) -> tuple[Rows, bytes]:
        return await self._told(self.service.token(self.caller, of, blinded))

    async def redeem(self, of: Round, tokens: Sequence[bytes], batches: Sequence[bytes]) -> list[bool]:
        return await self._told(self.service.redeem(self.caller, of, list(tokens), list(batches)))

    async def deposit(self, deposit: Deposit, chunks: Iterable[bytes]) -> None:
        async def each() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        await self._told(self.service.deposit(self.caller, deposit, each()))

    async def collect(self, of: Round, stage: Stage, wait_s: int, *, most: int) -> Collected:
        said: Collected = await self._told(self.service.collect(self.caller, of, stage, wait_s))
        check_size(self.peer, len(said.outcome), most)
        return said

    async def _told(self, answer: Any) -> Any:
        """The answer, or what the wire makes of a refusal."""
        try:
            return await answer
        except SessionRefused as e:
            raise PeerRefused("it said no", code=e.code, peer=self.peer) from e
        except PeerMisbehaved as e:
            raise PeerUnavailable("it ended the call", code="aborted") from e


@dataclass
class Member:
    """One member: its desk, its home and its parts."""

    side: Side
    home: Home
    office: Office
    service: Service
    asked: Asked

    def told(self, kind: str) -> list[Any]:
        """The entries of a kind in its ledger."""
        return [leaf for leaf in self.side.books.entries() if leaf.kind == kind]


@dataclass
class Alliance:
    """Five members; ``lines`` gives the kind of line between two of them, where it is another one.

    Who is ``away`` cannot be reached.
    """

    folder: Path
    held: Mapping[str, Sequence[str]]
    lines: dict[tuple[str, str], type[Line]] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in NAMES:
            self.members[name] = self._member(name)

    def _member(self, name: str) -> Member:
        home = Home.init(self.folder / name, name, keys=KEYS[name].to_pem())
        side = Side(name, list(self.held.get(name, ())))
        desk = replace(side.desk, roster=lambda: (ROSTER.epoch, ROSTER.hash))
        office = Office(desk, lambda: ROSTER, lambda peer: self._line(name, peer))
        engine = open_tables(home)
        asked = Asked(home)
        service = Service(office, HelperBooks(home, engine), Stages(home, engine), asked)
        return Member(side, home, office, service, asked)

    @asynccontextmanager
    async def _line(self, caller: str, peer: str) -> AsyncIterator[Line]:
        kind = self.lines.get((caller, peer), self.lines.get(("*", peer), Line))
        if peer in self.away:
            raise PeerUnavailable(f"{peer} cannot be reached")
        yield kind(caller, self.members[peer].service, peer)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        for member in self.members.values():
            member.service.start()
        try:
            yield
        finally:
            for member in self.members.values():
                await member.service.close()

    async def ask(
        self, name: str, search: Search = SEARCH, progress: Callable[[str], None] = lambda _what: None
    ) -> Found:
        member = self.members[name]
        return await discover(member.office, search, member.asked, progress=progress)

    async def ask_all(
        self, search: Search = SEARCH, names: Sequence[str] = NAMES
    ) -> dict[str, Found | CosightError]:
        """What each of them is told, or what went wrong."""

        async def one(name: str) -> Found | CosightError:
            try:
                return await self.ask(name, search)
            except CosightError as e:
                return e

        found = await asyncio.gather(*map(one, names))
        return dict(zip(names, found, strict=True))

    def expected(self, threshold: int = 3) -> set[str]:
        """The oracle: what so many hold, by counting."""
        counts = Counter(value for values in self.held.values() for value in set(values))
        return {value for value, count in counts.items() if count >= threshold}


async def until(true: Callable[[], object]) -> None:
    """Wait for something that changes on a disk."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def values(found: Found | CosightError) -> set[str]:
    assert isinstance(found, Found), repr(found)
    assert found.items is not None
    return {one.value for one in found.items.indicators}


def culprits(alliance: Alliance, member: str, kind: str) -> list[str]:
    return [name for leaf in alliance.members[member].told(kind) for name in leaf.fields.get("culprits", [])]


def accused(alliance: Alliance, member: str, kind: str) -> list[str]:
    return [name for leaf in alliance.members[member].told(kind) for name in leaf.fields.get("accused", [])]


def refused(alliance: Alliance, member: str) -> list[tuple[str, Any]]:
    return [(leaf.peer, leaf.what["reason"]) for leaf in alliance.members[member].told("refused")]


def deposit_of(deposit: Deposit, who: str, sealed: bytes) -> Deposit:
    """The same deposit with other bytes, of another member."""
    of, stage, digest = deposit.round, deposit.stage, sha256(sealed).digest()
    signature = signing.sign_batch(KEYS[who].identity, of, stage, digest, root=deposit.root)
    return replace(deposit, digest=digest, size=len(sealed), signature=signature)


def share_wrongly(alliance: Alliance, monkeypatch: pytest.MonkeyPatch) -> None:
    """One member, ``erin``, puts wrong shares into its records."""
    records = atr.records

    def wrong(outputs: Any, setup: Any, token: bytes, **how: Any) -> Any:
        table = records(outputs, setup, token, **how)
        if len(outputs) == 4:  # erin alone holds four
            table = table.copy()
            table[:, 32] ^= 1
        return table

    alliance.members["erin"].side.items.words.append("c.example")
    monkeypatch.setattr(atr, "records", wrong)


def list_otherwise(
    alliance: Alliance,
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage,
    listed: Callable[[Any, Kept], Iterable[bytes]],
) -> None:
    """The relay lists, and signs, what ``listed`` gives of its shelf and of a stage that it closes."""
    relay: Any = alliance.members["alice"].service._relaying
    close = relay._close

    def closing(kept: Kept) -> Kept:
        closed: Kept = close(kept)
        if kept.stage is not stage:
            return closed
        digests = tuple(sorted(listed(relay.shelf, kept)))
        signature = signing.sign_list(KEYS["alice"].identity, kept.round, stage, digests)
        lying = replace(closed, listed=digests, list_signature=signature)
        relay.shelf.keep(lying)
        return lying

    monkeypatch.setattr(relay, "_close", closing)
