"""Runs on this machine without a network: real files, real journals, a line that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.secagg.base import Aggregate, Setup
from crypto.session import Message, Receive
from exchange import wire
from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import Filled
from exchange.config import Home, Settings
from exchange.counting.coordinating import Coordinating
from exchange.counting.taking_part import Input, Part, TakingPart
from exchange.counting.world import PROTOCOL, Contributed, Progress
from exchange.errors import PeerMisbehaved, PeerRefused, PeerUnavailable, SessionRefused
from exchange.indicators import IndicatorType
from exchange.store.aggregations import Aggregations, Folder
from exchange.store.contributions import Contributions
from exchange.store.journal import Journal
from tests.exchange.aggregation.openings import opening

NAMES = ("alice", "bob", "carol", "dave", "erin")
ENTRIES = 40


@dataclass
class Book:
    """What would be in a ledger."""

    said: list[Any] = field(default_factory=list)

    def _once(self, *entry: Any) -> None:
        if entry not in self.said:
            self.said.append(entry)

    def joined(self, opening: Opening) -> None:
        self._once("joined")

    def masked(self, opening: Opening, put_in: Input) -> None:
        self._once("masked")

    def shared(self, opening: Opening, survivors: int) -> None:
        self._once("shared", survivors)

    def counted(self, opening: Opening, vector: Any, tally: Tally, culprits: tuple[str, ...] = ()) -> None:
        self._once("counted", *([culprits] if culprits else []))

    def broken(self, opening: Opening, code: str, culprits: tuple[str, ...], *, by: str = "") -> None:
        self._once("broken", code, culprits, *([by] if by else []))


class Cut(BaseException):
    """A process is killed."""


@contextmanager
def refusals() -> Iterator[None]:
    """What a caller sees of a refusal."""
    try:
        yield
    except SessionRefused as e:
        raise PeerRefused(str(e), code=e.code) from e
    except PeerMisbehaved as e:
        raise PeerRefused(str(e), code="aborted") from e


@dataclass
class Line:
    """A connection that counts what passes, and can be cut at one of its messages."""

    alliance: "Alliance"
    name: str
    moment: Callable[[str], None] = lambda _what: None

    @property
    def coordinating(self) -> Coordinating:
        return self.alliance.coordinating

    async def contribute(self, contributed: Contributed, message: Message) -> None:
        self.moment("before contribute")
        self.alliance.taking += 1
        try:
            with refusals():
                await self._contribute(contributed, message)
        except Cut as e:
            self.alliance.crash()
            raise PeerUnavailable("the coordinator was killed", code="peer-closed") from e
        finally:
            self.alliance.taking -= 1
        self.moment("after contribute")

    async def _contribute(self, contributed: Contributed, message: Message) -> None:
        arriving = await self.coordinating.expect(self.name, contributed)
        if arriving is not None:
            sent = wire.whole(
                PROTOCOL, arriving.want, wire.body(PROTOCOL, message), memoryview(rows_of(message))
            )
            spooled = [
                getattr(sent, name) for name, size in arriving.want.sizes.items() if not isinstance(size, int)
            ]
            for rows in spooled:
                arriving.spool.allocate(rows.shape)[:] = rows
            await self.coordinating.take(arriving, sent)

    @asynccontextmanager
    async def collect(self, session: bytes, step: int, *, have: int, wait_s: float) -> AsyncIterator[Any]:
        self.moment("before collect")
        with refusals():
            progress, told = await self.coordinating.collect(self.name, session, step, wait_s)
        yield Told(progress, list(told[have:]), self.moment)

    async def replay(self, session: bytes, want: Receive, chunk: int | None) -> Message:
        self.moment("before replay")
        with refusals():
            return await self.coordinating.replay(self.name, session, chunk)


@dataclass
class Told:
    progress: Progress
    messages: list[Message]
    moment: Callable[[str], None]

    async def receive(self, want: Receive) -> Message:
        self.moment("before receive")
        if not self.messages:
            raise PeerUnavailable("closed", code="peer-closed")
        message = self.messages.pop(0)
        want.check(message)
        return message


def rows_of(message: Message) -> bytes:
    bulk = [
        value for value in (getattr(message, f) for f in message.sizes()) if isinstance(value, np.ndarray)
    ]
    return b"".join(np.ascontiguousarray(rows).tobytes() for rows in bulk)


@dataclass
class Alliance:
    """A coordinator and its members, each with a folder."""

    folder: Path
    opening: Opening
    keys: dict[str, Ed25519PrivateKey]
    inputs: dict[str, np.ndarray[Any, Any]]
    book: Book = field(default_factory=Book)
    books: dict[str, Book] = field(default_factory=dict)
    coordinating: Coordinating = field(init=False)
    killed: Coordinating = field(init=False)
    taking: int = 0

    def __post_init__(self) -> None:
        self.books = {name: Book() for name in self.opening.members}
        self.convene(self.opening)
        self.restart()

    def convene(self, asked: Opening) -> None:
        store = Aggregations(self.home("coordinator"))
        store.convene(asked.context, asked.encoded, bytes(64), b"dictionary", now=now())
        self.opening = asked

    def restart(self) -> None:
        """The coordinator's process is another one from now on."""
        store = Aggregations(self.home("coordinator"))
        self.coordinating = Coordinating(store, self.setup, self.book, now)

    def die(self) -> None:
        """The coordinator's process is killed at this moment; may be called in a thread."""
        self.killed = self.coordinating
        self.killed._load = gone  # type: ignore[method-assign]
        self.restart()
        raise Cut

    def crash(self) -> None:
        """Whoever waits for the process that was killed learns that it is gone."""
        for run in self.killed._runs.values():
            run.stale = True
            run.changed.set()

    def files(self) -> Folder:
        """What the coordinator keeps of it."""
        folder = Aggregations(self.home("coordinator")).find(self.opening.context)
        assert folder is not None
        return folder

    def home(self, name: str) -> Home:
        path = self.folder / name
        (path / "keys").mkdir(parents=True, exist_ok=True)
        return Home(path, Settings(name))

    def setup(self, asked: Opening) -> Setup:
        return asked.setup([self.keys[name].public_key().public_bytes_raw() for name in asked.members])

    def part(self, name: str, **changes: Any) -> Part:
        asked, kept = self.opening, Contributions(self.home(name))
        folder = kept.begin(asked.context, asked.encoded, bytes(64), b"dictionary")
        part = Part(
            opening=asked, setup=self.setup(asked), position=asked.members.index(name), kept=folder,
            journal=Journal.open(kept.journal_file), books=self.books[name], sign=self.keys[name].sign,
            count=lambda: Input(Filled(self.inputs[name], {IndicatorType.IPV4: 1}, 0)),
        )  # fmt: skip
        return replace(part, **changes)

    def taking_part(
        self, name: str, moment: Callable[[str], None] = lambda _what: None, **changes: Any
    ) -> TakingPart:
        @asynccontextmanager
        async def connect() -> AsyncIterator[Any]:
            yield Line(self, name, moment)

        return TakingPart(self.part(name, **changes), connect)

    async def tick(self) -> None:
        await self.coordinating.tick()


async def gone(*_arguments: object) -> NoReturn:
    raise PeerUnavailable("the coordinator was killed", code="peer-closed")


def now() -> datetime:
    return datetime.now(UTC)


def alliance(folder: Path, n: int = 5, **changes: Any) -> Alliance:
    names = NAMES[:n]
    asked = opening(members=names, coordinator="alice", **({"step_s": 300, "entries": ENTRIES} | changes))
    rng = np.random.default_rng(7)
    inputs = {name: rng.integers(0, 2, asked.size, np.uint8) for name in names}
    return Alliance(folder, asked, {name: Ed25519PrivateKey.generate() for name in names}, inputs)


async def together(
    run: Alliance, *names: str, moment: dict[str, Callable[[str], None]] | None = None
) -> list[Aggregate]:
    parts = [
        run.taking_part(name, (moment or {}).get(name, lambda _what: None))
        for name in names or run.opening.members
    ]
    ticking = asyncio.create_task(tick(run))
    try:
        return await asyncio.gather(*(part.run() for part in parts))
    finally:
        ticking.cancel()


async def tick(run: Alliance) -> None:
    while True:
        await run.coordinating.tick()
        await asyncio.sleep(0.05)


def total(run: Alliance, *names: str) -> np.ndarray:
    return np.sum([run.inputs[name] for name in names or run.opening.members], axis=0)


def at(number: int, what: Callable[[], None]) -> Callable[[str], None]:
    """Do it at one moment, counted from the first, and never again."""
    left = number

    def moment(_name: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            what()

    return moment


def killed() -> None:
    raise Cut


def lost() -> None:
    raise PeerUnavailable("the connection is gone", code="peer-closed")
