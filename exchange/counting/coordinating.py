"""The coordinator's side: takes what members say, step by step, and tells everybody what they are to know.

Everything is on the disk before anybody is told of it: a message before it is acknowledged, the end of a step
with the list of those who were in it before the next step is announced. So a coordinator that is killed goes
on from its files, can tell no two stories, and knows nothing that a thief of these files could use. Masked
vectors are added up as they come and stay on the disk; memory holds one sum.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crypto.errors import Blamed, CryptoError, ProtocolError, TooFew
from crypto.rows import Rows
from crypto.secagg import ring
from crypto.secagg.base import Chunk, Complaint, Setup, Step
from crypto.secagg.coordinator import Coordinator, complaint
from crypto.session import Message, Receive
from exchange import wire
from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.counting.world import (
    PROTOCOL,
    Closing,
    Contributed,
    Convened,
    Convening,
    Ending,
    Folder,
    Progress,
    Spool,
)
from exchange.disclosure.drive import in_thread
from exchange.errors import CosightError, PeerMisbehaved, SessionRefused, StoreError

log = logging.getLogger(__name__)
MAX_LISTED = 64
IDLE_S = 600
"""How long a run that is over stays in memory after somebody asked about it."""


class Books(Protocol):
    """What of it is written into our ledger."""

    def counted(self, opening: Opening, vector: NDArray[Any], tally: Tally) -> None:
        """A run came to its end."""

    def broken(self, opening: Opening, code: str, culprits: tuple[str, ...]) -> None:
        """It did not, why, and who is to blame."""


@dataclass(slots=True, eq=False)
class Run:
    """One aggregation, in memory.

    Attributes:
        opening: what is asked.
        folder: where it is kept.
        setup: the same for the scheme.
        coordinator: the scheme's state.
        told: what each member is sent when a step begins, by step.
        began: when the step began that it is in, by ``monotonic``.
        ending: how it ended, once it has.
        owing: how many members have not said theirs.
        used: when somebody last asked, by ``monotonic``.
        stale: whether the disk did not take what memory holds: then this one is not used any more.
        turn: held while its state changes.
        changed: set and replaced when it has.
    """

    opening: Opening
    folder: Folder
    setup: Setup
    coordinator: Coordinator
    told: dict[int, list[tuple[Message, ...]]] = field(default_factory=dict)
    began: float = field(default_factory=monotonic)
    ending: Ending | None = None
    owing: int = 0
    stale: bool = False
    used: float = field(default_factory=monotonic)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def step(self) -> Step:
        """The step that it is in."""
        return self.coordinator.step

    @property
    def left_s(self) -> float:
        """How long the step still waits."""
        return 0.0 if self.ending else max(0.0, self.began + self.opening.step_s - monotonic())

    def progress(self) -> Progress:
        """How far it has come."""
        if self.ending is not None:
            culprits = tuple(self.opening.members[position] for position in self.ending.culprits)
            return Progress(self.step, self.ending.code, culprits)
        return Progress(self.step, left_s=self.left_s, owing=self.owing)

    def notify(self) -> None:
        """Wake up who waits for a change; only whose turn it is says so."""
        self.owing = len(self.coordinator.owing)
        self.changed.set()
        self.changed = asyncio.Event()

    def tell(self) -> None:
        """A step has begun: find out what everybody is sent."""
        self.told[self.step] = [self.coordinator.replies(position) for position in range(self.setup.n)]
        self.began = monotonic()


@dataclass(frozen=True, slots=True)
class Arriving:
    """A message that may come.

    Attributes:
        run: of which aggregation.
        position: from whom.
        contributed: which.
        want: its form.
        spool: where its rows go.
    """

    run: Run
    position: int
    contributed: Contributed
    want: Receive
    spool: Spool


class Coordinating:
    """All that this node coordinates.

    Args:
        store: where it is kept.
        setup: what an opening means to the scheme, with the keys of its roster.
        books: our ledger.
        clock: the time, UTC.
    """

    def __init__(
        self,
        store: Convened,
        setup: Callable[[Opening], Setup],
        books: Books,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._setup = setup
        self._books = books
        self._clock = clock
        self._runs: dict[bytes, Run] = {}
        self._openings: dict[bytes, Opening] = {}
        self._loading = asyncio.Lock()
        self._expired = monotonic()

    async def convened(self, peer: str) -> list[Convening]:
        """What a member may take part in, and what it took part in lately.

        Raises:
            StoreError: a folder cannot be read.
        """
        await in_thread(self._look)
        theirs = [context for context, opening in self._openings.items() if peer in opening.members]
        return [await self._convening(context) for context in theirs[-MAX_LISTED:]]

    async def find(self, peer: str, session: bytes) -> tuple[Convening, Folder]:
        """One of them.

        Raises:
            SessionRefused: there is none of this name for this member.
        """
        run, _ = await self._run(peer, session)
        return await self._convening(session), run.folder

    async def expect(self, peer: str, contributed: Contributed) -> Arriving | None:
        """What a member may send now.

        Returns:
            None where this message was taken before.

        Raises:
            SessionRefused: nothing is due from it in this step, or it has said something else there.
        """
        run, position = await self._run(peer, contributed.session)
        said = await in_thread(run.folder.said, contributed.step, position)
        if said is not None:
            if said.digest != contributed.digest:
                raise SessionRefused("another message was said in this step", code="spoken-otherwise")
            return None
        async with run.turn:
            want = _due(run, position, contributed)
        return Arriving(run, position, contributed, want, run.folder.spool())

    async def take(self, arriving: Arriving, message: Message) -> None:
        """Take a message that came: checked and on the disk when this returns.

        Raises:
            SessionRefused: the step ended meanwhile.
            PeerMisbehaved: it is not what an honest member sends. Where it shows who lies, the run ends.
            ConfigError: the disk is full; the member may try again.
        """
        run, position, contributed = arriving.run, arriving.position, arriving.contributed
        async with run.turn:
            if run.stale:
                raise SessionRefused("it is read anew", code="busy")
            if contributed.step != run.step or run.ending is not None:
                raise SessionRefused("this step is over", code="step-over")
            if await in_thread(run.folder.said, contributed.step, position) is not None:
                raise SessionRefused("a message of this step was taken meanwhile", code="busy")
            try:
                await in_thread(run.coordinator.accept, position, message)
            except Blamed as e:
                await self._end(run, e.code, e.positions)
                raise PeerMisbehaved(f"{e}", code="blamed") from e
            except CryptoError as e:
                raise PeerMisbehaved(f"{e}") from e
            body = wire.body(PROTOCOL, message)
            try:
                await in_thread(
                    arriving.spool.seal, int(run.step), position, contributed.name, body, contributed.digest
                )
            except CosightError:
                self._drop(run)
                raise
            if not run.coordinator.owing:
                await self._close(run)
            run.notify()

    async def collect(
        self, peer: str, session: bytes, step: int, wait_s: float
    ) -> tuple[Progress, tuple[Message, ...]]:
        """What a member is sent when a step begins; waits until it has, or for so long.

        Raises:
            SessionRefused: there is no such aggregation for this member.
        """
        run, position = await self._run(peer, session)
        deadline = monotonic() + wait_s
        while (
            step not in run.told
            and not run.stale
            and run.ending is None
            and (left := deadline - monotonic()) > 0
        ):
            changed = run.changed
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                break
            run.used = monotonic()
        told = run.told.get(step)
        if told is not None and not told[position]:
            raise SessionRefused("this member fell out before", code="step-over")
        return run.progress(), () if told is None else told[position]

    async def replay(self, peer: str, session: bytes, chunk: int | None) -> Message:
        """Of the masked vectors that were added up: a chunk of each, or the digests of all chunks.

        Raises:
            SessionRefused: there is no such aggregation for this member, its result is not opened, or there
                is no such chunk.
        """
        run, _ = await self._run(peer, session)
        if Step.SIGNING not in run.told:
            raise SessionRefused("its result is not opened", code="step-over")
        size = run.setup.size * run.setup.word_bytes
        if chunk is not None and chunk * ring.CHUNK_BYTES >= size:
            raise SessionRefused("there is no such chunk")
        return run.coordinator.digests() if chunk is None else await in_thread(_chunk, run, chunk)

    async def tick(self) -> None:
        """Close the steps whose time is over, take up what was opened, and forget what is past."""
        await in_thread(self._look)
        for context in list(self._openings):
            folder = self._store.find(context)
            if folder is None:
                continue
            try:
                if context not in self._runs and await in_thread(folder.ended) is None:
                    await self._load(context, folder)
                await self._tick_one(context)
            except CosightError as e:
                log.warning("aggregation %s: %s", context.hex()[:16], e)
        if monotonic() - self._expired > IDLE_S:
            self._expired = monotonic()
            for context in await in_thread(self._store.expire, self._clock()):
                self._runs.pop(context, None)
                self._openings.pop(context, None)

    async def _tick_one(self, context: bytes) -> None:
        run = self._runs.get(context)
        if run is None:
            return
        if run.ending is not None or run.step is Step.DONE:
            if monotonic() - run.used > IDLE_S and not run.turn.locked():
                del self._runs[context]
            return
        if not run.left_s:
            async with run.turn:
                if not run.left_s and run.ending is None and not run.stale:
                    await self._close(run)
                    run.notify()

    async def _close(self, run: Run) -> None:
        """End a step: who was in it is on the disk before anybody is told."""
        taken = await in_thread(_taken, run)
        closing = Closing(int(run.step), taken, self._clock())
        if not await in_thread(run.folder.close, closing):
            self._drop(run)
            raise StoreError("another process of this home coordinates the same aggregation")
        try:
            await in_thread(run.coordinator.close)
        except (ProtocolError, TooFew) as e:
            await self._fail(run, e)
            return
        await in_thread(run.tell)
        log.info("aggregation %s: step %s", run.opening.name[:16], run.step.name)
        if run.step is Step.DONE:
            await self._finish(run)

    async def _finish(self, run: Run) -> None:
        """All is said: on record."""
        outcome = run.coordinator.outcome
        assert outcome is not None
        if await in_thread(run.folder.end, Ending("", (), self._clock())):
            tally = Tally.of(run.opening.context, outcome)
            await in_thread(self._books.counted, run.opening, outcome.vector, tally)

    def _drop(self, run: Run) -> None:
        """What is in memory is no longer what is on the disk: the next who asks has it read anew."""
        run.stale = True
        self._runs.pop(run.opening.context, None)
        run.changed.set()

    async def _fail(self, run: Run, error: ProtocolError | TooFew) -> None:
        """A step cannot be closed: that is the end."""
        if isinstance(error, Blamed):
            await self._end(run, error.code, error.positions)
        else:
            await self._end(run, "too-few" if isinstance(error, TooFew) else "too-large", ())

    async def _end(self, run: Run, code: str, culprits: tuple[int, ...]) -> None:
        """Break a run off, on record."""
        run.ending = Ending(code, culprits, self._clock())
        if await in_thread(run.folder.end, run.ending):
            names = tuple(run.opening.members[position] for position in culprits)
            log.warning("aggregation %s is broken off: %s %s", run.opening.name[:16], code, ", ".join(names))
            await in_thread(self._books.broken, run.opening, code, names)
        run.notify()

    async def _run(self, peer: str, session: bytes) -> tuple[Run, int]:
        """A run, and the position of a member in it.

        Raises:
            SessionRefused: there is none of this name, or not for this member.
            StoreError: its files are damaged.
        """
        opening = self._openings.get(session)
        if opening is None:
            await in_thread(self._look)
            opening = self._openings.get(session)
        position = None if opening is None else opening.position(peer)
        folder = None if position is None else self._store.find(session)
        if position is None or folder is None:
            raise SessionRefused("there is no such aggregation for this member", code="session-unknown")
        run = self._runs.get(session) or await self._load(session, folder)
        run.used = monotonic()
        return run, position

    async def _load(self, context: bytes, folder: Folder) -> Run:
        async with self._loading:
            if (run := self._runs.get(context)) is not None:
                return run
            opening = self._openings[context]
            setup = await in_thread(self._setup, opening)
            run = Run(opening, folder, setup, Coordinator(setup))
            run.ending = await in_thread(folder.ended)
            if run.ending is not None and not run.ending.code:
                run.ending = None
            try:
                await in_thread(_again, run)
            except (ProtocolError, TooFew) as e:
                await self._fail(run, e)
            run.owing = len(run.coordinator.owing)
            self._runs[context] = run
            return run

    def _look(self) -> None:
        """Take up what was opened since: ``cosight aggregate open`` writes beside us."""
        for context in self._store.contexts():
            if context not in self._openings and (folder := self._store.find(context)) is not None:
                try:
                    self._openings[context] = Opening.decode(folder.opening)
                except CosightError as e:
                    log.warning("aggregation %s cannot be read: %s", context.hex()[:16], e)

    async def _convening(self, context: bytes) -> Convening:
        folder = self._store.find(context)
        if folder is None:
            raise SessionRefused("there is no such aggregation", code="session-unknown")
        ending = await in_thread(folder.ended)
        if ending is not None:
            members = self._openings[context].members
            progress = Progress(Step.DONE, ending.code, tuple(members[p] for p in ending.culprits))
        else:
            progress = (self._runs.get(context) or await self._load(context, folder)).progress()
        return Convening(folder.opening, folder.signature, folder.size, progress)


def _due(run: Run, position: int, contributed: Contributed) -> Receive:
    """The form of a message, if it is due."""
    if contributed.step > run.step:
        raise SessionRefused("this step has not begun")
    due = run.coordinator.due(position) if run.ending is None else None
    if contributed.step < run.step or due is None:
        raise SessionRefused("this step is over", code="step-over")
    if run.step is Step.MASKING and contributed.name == Complaint.__name__:
        return complaint()
    if contributed.name != due.kind.__name__:
        raise SessionRefused("another message is due")
    return due


def _taken(run: Run) -> tuple[int, ...]:
    """Whose messages of this step are on the disk: the same as in memory."""
    step = int(run.step)
    return tuple(p for p in range(run.setup.n) if run.folder.said(step, p) is not None)


def _again(run: Run) -> None:
    """Bring a run to where its files say that it is.

    Raises:
        ProtocolError, TooFew: the step that was closed last ended the run.
        StoreError: the files contradict each other.
    """
    for step in Step:
        closing = run.folder.closed(step)
        for position in range(run.setup.n) if closing is None else closing.members:
            said = run.folder.said(step, position)
            if said is None:
                if closing is not None:
                    raise StoreError("a message of an aggregation is gone that was there")
                continue
            want = run.coordinator.due(position)
            if want is None or want.kind.__name__ != said.name:
                raise StoreError("a message of an aggregation is in the wrong place")
            run.coordinator.accept(position, wire.whole(PROTOCOL, want, said.body, said.rows()))
        if closing is None:
            return
        run.coordinator.close()
        run.tell()


def _chunk(run: Run, chunk: int) -> Message:
    """One chunk of each vector that was added up, from the files."""
    start = chunk * ring.CHUNK_BYTES
    end = min(run.setup.size * run.setup.word_bytes, start + ring.CHUNK_BYTES)
    rows: list[Rows] = []
    for position in run.coordinator.survivors:
        said = run.folder.said(Step.MASKING, position)
        if said is None:
            raise StoreError("a masked vector is gone that was there")
        rows.append(np.frombuffer(said.rows()[start:end], np.uint8))
    return Chunk(np.stack(rows))
