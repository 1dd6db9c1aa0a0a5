"""One run at its coordinator: what of it is in memory, and how that follows from the files."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from crypto.errors import Blamed, CryptoError
from crypto.rows import Rows
from crypto.secagg import ring
from crypto.secagg.base import Chunk, Complaint, Setup, Step
from crypto.secagg.coordinator import Coordinator, complaint
from crypto.session import Message, Receive
from exchange import wire
from exchange.aggregation.opening import Opening
from exchange.counting.world import PROTOCOL, Contributed, Ending, Folder, Progress, Spool
from exchange.errors import ConfigError, SessionRefused, StoreError

log = logging.getLogger(__name__)


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
        awaits: which members have not said theirs.
        faulty: whose message of this step was a lie, where the run goes on without it.
        sending: whose message of this step is on its way, each in one call at most; ending that is how it is
            given up.
        taking: whose message has come and is being taken.
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
    awaits: tuple[str, ...] = ()
    faulty: set[int] = field(default_factory=set)
    sending: dict[int, asyncio.Timeout] = field(default_factory=dict)
    taking: set[int] = field(default_factory=set)
    stale: bool = False
    used: float = field(default_factory=monotonic)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def step(self) -> Step:
        """The step that it is in."""
        return self.coordinator.step

    @property
    def over(self) -> bool:
        """Whether nothing more is said in it."""
        return self.ending is not None or self.step is Step.DONE

    @property
    def left_s(self) -> float:
        """How long the step still waits."""
        return 0.0 if self.ending else max(0.0, self.began + self.opening.step_s - monotonic())

    @property
    def awaited(self) -> frozenset[int]:
        """Who may still say something in this step."""
        return self.coordinator.owing - self.faulty

    def progress(self) -> Progress:
        """How far it has come."""
        if self.ending is not None:
            culprits = tuple(self.opening.members[position] for position in self.ending.culprits)
            return Progress(self.step, self.ending.code, culprits)
        return Progress(self.step, left_s=self.left_s, awaited=self.awaits)

    def notify(self) -> None:
        """Wake up who waits for a change; only whose turn it is says so."""
        self.waits_for()
        self.changed.set()
        self.changed = asyncio.Event()

    def waits_for(self) -> None:
        """Note whom it waits for, for those who ask while its state changes."""
        self.awaits = tuple(self.opening.members[position] for position in sorted(self.awaited))

    def tell(self) -> None:
        """A step has begun: find out what everybody is sent."""
        self.told[self.step] = [self.coordinator.replies(position) for position in range(self.setup.n)]
        self.began = monotonic()
        self.faulty = set()


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

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While it comes: the only one of its member.

        A member whose line is dead comes back on another one, and may say its message at once; the call that
        it left is ended. So a member has room for one message with us, however often it calls.

        Raises:
            SessionRefused: the member has called again meanwhile, or what it sent before is just being taken.
        """
        sending, position = self.run.sending, self.position
        if position in self.run.taking:
            raise SessionRefused("a message of this step is being taken", code="busy")
        try:
            async with asyncio.timeout(None) as ours:
                if (before := sending.get(position)) is not None:
                    before.reschedule(0)
                sending[position] = ours
                try:
                    yield
                finally:
                    if sending.get(position) is ours:
                        del sending[position]
        except TimeoutError:
            if not ours.expired():
                raise
            raise SessionRefused("the member says it in another call", code="busy") from None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """While it is taken: nothing else of its member is.

        Raises:
            SessionRefused: something else is.
        """
        taking = self.run.taking
        if self.position in taking:
            raise SessionRefused("a message of this step is being taken", code="busy")
        taking.add(self.position)
        try:
            yield
        finally:
            taking.discard(self.position)


@contextmanager
def room() -> Iterator[None]:
    """Where our disk may be full: a member that is told so tries again.

    Raises:
        SessionRefused: it is.
    """
    try:
        yield
    except ConfigError as e:
        log.warning("an aggregation has to wait: %s", e)
        raise SessionRefused("our disk does not take it", code="not-ready") from e


def due(run: Run, position: int, contributed: Contributed) -> Receive:
    """The form of a message, if it is due."""
    if contributed.step > run.step:
        raise SessionRefused("this step has not begun")
    owed = run.coordinator.due(position) if run.ending is None else None
    if contributed.step < run.step or owed is None or position in run.faulty:
        raise SessionRefused("this step is over", code="step-over")
    if run.step is Step.MASKING and contributed.name == Complaint.__name__:
        return complaint()
    if contributed.name != owed.kind.__name__:
        raise SessionRefused("another message is due")
    return owed


def taken(run: Run) -> tuple[int, ...]:
    """Whose messages of this step are on the disk: the same as in memory."""
    step = int(run.step)
    return tuple(p for p in range(run.setup.n) if run.folder.said(step, p) is not None)


def again(run: Run) -> None:
    """Bring a run to where its files say that it is.

    Raises:
        ProtocolError, TooFew: the step that was closed last ended the run, or a lie in the one that it is in.
        StoreError: the files are damaged, or contradict each other.
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
            try:
                run.coordinator.accept(position, wire.whole(PROTOCOL, want, said.body, said.rows()))
            except CryptoError as e:  # it was good when it came: nobody is to blame but the disk
                raise StoreError("a message of an aggregation is not what it was when it came") from e
        if closing is None:
            _blame(run)
            return
        run.coordinator.close()
        run.tell()


def _blame(run: Run) -> None:
    """Who lied in the step that a run is in stays out of it: see ``Steps.accept``."""
    for fault in run.folder.faults():
        if fault.step == run.step:
            if run.step < Step.AGREEING:
                raise Blamed(fault.culprits, fault.code)
            run.faulty.add(fault.position)


def chunk_of(run: Run, chunk: int) -> Message:
    """One chunk of each vector that was added up, from the files."""
    start = chunk * ring.CHUNK_BYTES
    end = min(run.setup.size * run.setup.word_bytes, start + ring.CHUNK_BYTES)
    rows: list[Rows] = []
    for position in run.coordinator.survivors:
        said = run.folder.said(Step.MASKING, position)
        if said is None:
            raise StoreError("a masked vector is gone that was there")
        rows.append(np.frombuffer(said.rows()[start:end], np.uint8).copy())  # holds no file open
    return Chunk(np.stack(rows))
