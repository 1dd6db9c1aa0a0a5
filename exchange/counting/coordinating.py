"""The coordinator's side: takes what members say, step by step, and tells everybody what they are to know.

Everything is on the disk before anybody is told of it: a message before it is acknowledged, the end of a step
with the list of those who were in it before the next step is announced. So a coordinator that is killed goes
on from its files, can tell no two stories, and knows nothing that a thief of these files could use. Masked
vectors are added up as they come and stay on the disk; memory holds one sum.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic

from crypto.secagg import ring
from crypto.secagg.base import Setup, Step
from crypto.secagg.coordinator import Coordinator
from crypto.session import Message
from exchange import wire
from exchange.aggregation.opening import Opening
from exchange.counting.apart import apart
from exchange.counting.run import Arriving, Run, chunk_of, due, room
from exchange.counting.steps import Books, Steps
from exchange.counting.world import PROTOCOL, Contributed, Convened, Convening, Folder, Progress
from exchange.disclosure.drive import in_thread, to_its_end
from exchange.errors import CosightError, SessionRefused, StoreError, unforeseen

log = logging.getLogger(__name__)
MAX_LISTED = 64
IDLE_S = 600
"""How long a run that is over stays in memory after somebody asked about it."""
MAX_OVER = 4
"""So many of them at most: their members could ask for all that there were in a week."""


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
        self._steps = Steps(books, clock)
        self._clock = clock
        self._runs: dict[bytes, Run] = {}
        self._openings: dict[bytes, Opening] = {}
        self._loading = asyncio.Lock()
        self._faulty: set[bytes] = set()
        self._over: set[bytes] = set()
        self._expired = monotonic()

    async def convened(self, peer: str) -> list[Convening]:
        """What a member may take part in, and what it took part in lately.

        Raises:
            StoreError: a folder cannot be read.
        """
        await self._look()
        theirs = [context for context, opening in self._openings.items() if peer in opening.members]
        found = []
        for context in theirs[-MAX_LISTED:]:
            with apart(context):
                found.append(await self._convening(context))
        return found

    async def find(self, peer: str, session: bytes) -> tuple[Convening, Folder]:
        """One of them.

        Raises:
            SessionRefused: there is none of this name for this member.
        """
        folder, _ = await self._folder(peer, session)
        return await self._convening(session), folder

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
            want = due(run, position, contributed)
        return Arriving(run, position, contributed, want, run.folder.spool())

    async def take(self, arriving: Arriving, message: Message) -> None:
        """Take a message that came: checked and on the disk when this returns.

        Raises:
            SessionRefused: the step ended meanwhile, or the disk is full; then the member may try again.
            PeerMisbehaved: it is not what an honest member sends. Where it shows who lies, the run
                ends, or goes on without it.
        """
        # The caller may hang up, which cancels this call: what was begun is ended all the same.
        with room(), arriving.taken():
            await to_its_end(asyncio.ensure_future(self._take(arriving, message)))

    async def _take(self, arriving: Arriving, message: Message) -> None:
        run, position, contributed = arriving.run, arriving.position, arriving.contributed
        async with run.turn:
            if run.stale:
                raise SessionRefused("it is read anew", code="busy")
            if contributed.step != run.step or run.ending is not None or position in run.faulty:
                raise SessionRefused("this step is over", code="step-over")
            if await in_thread(run.folder.said, contributed.step, position) is not None:
                raise SessionRefused("a message of this step was taken meanwhile", code="busy")
            with self._as_on_disk(run):
                fault = await self._steps.accept(run, position, message)
                if fault is None:
                    body, step = wire.body(PROTOCOL, message), int(run.step)
                    place = step, position, contributed.name, body, contributed.digest
                    if not await in_thread(arriving.spool.seal, *place):
                        raise StoreError("another process of this home coordinates the same aggregation")
                if run.ending is None:
                    if not run.awaited:
                        await self._steps.close(run)
                    run.notify()
        if fault is not None:
            raise fault

    @contextmanager
    def _as_on_disk(self, run: Run) -> Iterator[None]:
        """While a run is changed: whatever ends that early, the run is read anew from its files."""
        try:
            yield
        except BaseException:
            self._drop(run)
            raise

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
        return run.coordinator.digests() if chunk is None else await in_thread(chunk_of, run, chunk)

    async def tick(self) -> None:
        """Close the steps whose time is over, take up what was opened, and forget what is past."""
        await self._look()
        for context in list(self._openings):
            folder = self._store.find(context)
            if folder is None:
                self._forget(context)
                continue
            try:
                if context not in self._runs and context not in self._over:
                    await self._take_up(context, folder)
                await self._tick_one(context)
            except Exception as e:  # noqa: BLE001  # one does not keep the others from going on
                if context not in self._faulty:
                    said = e if isinstance(e, CosightError) else unforeseen(e)
                    log.warning("aggregation %s: %s", context.hex()[:16], said)
                self._faulty.add(context)
            else:
                self._faulty.discard(context)
        self._forget_ended()
        if monotonic() - self._expired > IDLE_S:
            self._expired = monotonic()
            for context in await in_thread(self._store.expire, self._clock()):
                self._forget(context)

    async def _take_up(self, context: bytes, folder: Folder) -> None:
        """Go on with a run, unless it is over."""
        ended = await in_thread(folder.ended)
        if ended is None:
            await self._load(context, folder)
            return
        if ended.code:  # withdrawn, maybe by a command that was killed then
            await self._steps.record(self._openings[context], ended)
        self._over.add(context)

    def _forget(self, context: bytes) -> None:
        """Its folder is gone."""
        self._runs.pop(context, None)
        self._openings.pop(context, None)
        self._over.discard(context)
        self._faulty.discard(context)

    async def _tick_one(self, context: bytes) -> None:
        run = self._runs.get(context)
        if run is None or run.over:
            return
        ended = await in_thread(run.folder.ended)
        if run.left_s and ended is None:
            return
        async with run.turn:
            if run.over or run.stale:
                return
            if ended is not None:  # withdrawn, by another process of this home
                run.ending = ended
                run.notify()
            elif not run.left_s:
                with self._as_on_disk(run):
                    await self._steps.close(run)
                    run.notify()

    def _drop(self, run: Run) -> None:
        """What is in memory is no longer what is on the disk: the next who asks has it read anew."""
        run.stale = True
        self._runs.pop(run.opening.context, None)
        run.changed.set()

    async def _run(self, peer: str, session: bytes) -> tuple[Run, int]:
        """A run, and the position of a member in it.

        Raises:
            SessionRefused: there is none of this name, or not for this member; or the disk is full.
            StoreError: its files are damaged.
        """
        folder, position = await self._folder(peer, session)
        with room():
            run = self._runs.get(session) or await self._load(session, folder)
        run.used = monotonic()
        return run, position

    async def _folder(self, peer: str, session: bytes) -> tuple[Folder, int]:
        """Where a run is kept, and the position of a member in it."""
        opening = self._openings.get(session)
        if opening is None:
            await self._look()
            opening = self._openings.get(session)
        position = None if opening is None else opening.position(peer)
        folder = None if position is None else self._store.find(session)
        if position is None or folder is None:
            raise SessionRefused("there is no such aggregation for this member", code="session-unknown")
        return folder, position

    async def _load(self, context: bytes, folder: Folder) -> Run:
        async with self._loading:
            if (run := self._runs.get(context)) is not None:
                return run
            opening = self._openings[context]
            setup = await in_thread(self._setup, opening)
            await in_thread(folder.tidy)
            run = Run(opening, folder, setup, Coordinator(setup))
            await self._steps.resume(run)
            self._runs[context] = run
            self._forget_ended()
            return run

    def _forget_ended(self) -> None:
        """Runs that are over are read anew from their files when somebody asks: few are kept at hand."""
        over = [run for run in self._runs.values() if run.over and not run.turn.locked()]
        over.sort(key=lambda run: run.used, reverse=True)
        for place, run in enumerate(over):
            if place >= MAX_OVER or monotonic() - run.used > IDLE_S:
                del self._runs[run.opening.context]

    async def _look(self) -> None:
        """Take up what was opened since: ``cosight aggregate open`` writes beside us."""
        found = await in_thread(self._opened_since, frozenset(self._openings))
        self._openings |= found  # here and not in the thread: the event loop goes through them

    def _opened_since(self, known: frozenset[bytes]) -> dict[bytes, Opening]:
        """What there is besides what we know; in a thread, so it touches nothing of ours."""
        found = {}
        for context in self._store.contexts():
            if context not in known and (folder := self._store.find(context)) is not None:
                with apart(context):
                    found[context] = Opening.decode(folder.opening)
        return found

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
