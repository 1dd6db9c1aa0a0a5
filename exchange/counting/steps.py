"""What a message does to a run at its coordinator, how a step ends, and how the run does.

All of it is on the disk before anybody is told.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crypto.errors import Blamed, CryptoError, ProtocolError, TooFew
from crypto.secagg.base import Step
from crypto.session import Message
from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.counting.run import Run, again, taken
from exchange.counting.world import Closing, Counted, Ending, Fault
from exchange.disclosure.drive import in_thread
from exchange.errors import PeerMisbehaved, StoreError

log = logging.getLogger(__name__)


class Books(Protocol):
    """What of it is written into our ledger."""

    def counted(
        self, opening: Opening, vector: NDArray[Any], tally: Tally, culprits: tuple[str, ...]
    ) -> None:
        """A run came to its end, without those who lied on the way."""

    def broken(self, opening: Opening, code: str, culprits: tuple[str, ...]) -> None:
        """It did not, why, and who is to blame."""


class Steps:
    """Takes runs from step to step; whoever calls holds the run's turn.

    Args:
        books: our ledger.
        clock: the time, UTC.
    """

    def __init__(self, books: Books, clock: Callable[[], datetime]) -> None:
        self._books = books
        self._clock = clock

    async def accept(self, run: Run, position: int, message: Message) -> PeerMisbehaved | None:
        """Have the scheme take a message; what is to be said of one that it does not take.

        As long as nothing can be opened, who lies ends the run, and it is opened anew without it. After that
        it would take the window from all: who lies in a message of its own has dropped out. Either way that
        is on the disk first, so that it is the same after a restart.
        """
        try:
            await in_thread(run.coordinator.accept, position, message)
        except Blamed as e:
            await in_thread(run.folder.blame, Fault(int(run.step), position, e.code, tuple(e.positions)))
            if run.step < Step.AGREEING:
                await self._end(run, e.code, e.positions)
            else:
                run.faulty.add(position)
                member = run.opening.members[position]
                log.warning("aggregation %s goes on without %s: %s", run.opening.name[:16], member, e.code)
            return PeerMisbehaved(f"{e}", code="blamed")
        except CryptoError as e:
            return PeerMisbehaved(f"{e}")
        return None

    async def close(self, run: Run) -> None:
        """End a step: who was in it is on the disk before anybody is told."""
        came = await in_thread(taken, run)
        closing = Closing(int(run.step), came, self._clock())
        if not await in_thread(run.folder.close, closing):
            run.ending = await in_thread(run.folder.ended)
            if run.ending is None:
                raise StoreError("another process of this home coordinates the same aggregation")
            return  # withdrawn
        try:
            await in_thread(run.coordinator.close)
        except (ProtocolError, TooFew) as e:
            await self._fail(run, e)
            return
        await in_thread(run.tell)
        log.info("aggregation %s: step %s", run.opening.name[:16], run.step.name)
        if run.step is Step.DONE:
            await self._finish(run)

    async def resume(self, run: Run) -> None:
        """Bring a run to where its files say that it is; what we were killed at is ended now.

        Of one that was broken off nothing is read: its members are told that, and nothing more.

        Raises:
            StoreError: the files are damaged, or contradict each other.
        """
        ended = await in_thread(run.folder.ended)
        if ended is not None and ended.code:
            run.ending = ended
            return
        try:
            await in_thread(again, run)
            if run.step is Step.DONE and ended is None:
                await self._finish(run)
        except (ProtocolError, TooFew) as e:
            await self._fail(run, e)
        if run.ending is None and run.step is not Step.DONE and not run.awaited:
            await self.close(run)  # we were killed when all had come, and before we closed the step
        run.waits_for()

    async def _finish(self, run: Run) -> None:
        """All is said: on record."""
        outcome = run.coordinator.outcome
        assert outcome is not None
        tally = Tally.of(run.opening.context, outcome)
        liars = await in_thread(_liars, run)
        names = tuple(run.opening.members[position] for position in liars)
        await in_thread(self._books.counted, run.opening, outcome.vector, tally, names)
        nothing = np.zeros(run.opening.entries, bool)  # a coordinator puts nothing in, unless as a member
        await in_thread(run.folder.finish, Counted(outcome.vector, tally, nothing))
        await in_thread(run.folder.end, Ending("", (), self._clock()))

    async def _fail(self, run: Run, error: ProtocolError | TooFew) -> None:
        """A step cannot be closed: that is the end."""
        if isinstance(error, Blamed):
            await self._end(run, error.code, error.positions)
        else:
            few = isinstance(error, TooFew)
            await self._end(run, *(("too-few", await in_thread(_liars, run)) if few else ("too-large", ())))

    async def record(self, opening: Opening, ending: Ending) -> None:
        """See to it that our ledger has the end of a run that was broken off."""
        names = tuple(opening.members[position] for position in ending.culprits)
        await in_thread(self._books.broken, opening, ending.code, names)

    async def _end(self, run: Run, code: str, culprits: tuple[int, ...]) -> None:
        """Break a run off, on record."""
        run.ending = Ending(code, culprits, self._clock())
        names = ", ".join(run.opening.members[position] for position in culprits)
        log.warning("aggregation %s is broken off: %s %s", run.opening.name[:16], code, names)
        await self.record(run.opening, run.ending)
        await in_thread(run.folder.end, run.ending)
        run.notify()


def _liars(run: Run) -> tuple[int, ...]:
    """Who has lied in any step, as it was written down: the positions."""
    return tuple(sorted({position for fault in run.folder.faults() for position in fault.culprits}))
