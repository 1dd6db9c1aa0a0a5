"""What a run of an aggregation writes into the ledger, each entry once however often a run is begun again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from exchange.aggregation import entries
from exchange.aggregation.opening import Opening
from exchange.aggregation.release import release
from exchange.aggregation.tally import Tally
from exchange.counting.taking_part import Input
from exchange.disclosure.world import Ledger
from exchange.ledger.draft import Draft
from exchange.ledger.runs import Run
from exchange.policy import Policy


@dataclass(frozen=True, slots=True)
class MembersBooks:
    """A member's.

    Args:
        ledger: where it goes.
        decide: asks our policy, just before we join; gives the one that allowed it.
        clock: the time, UTC.
        seal: what is done with the ledger at the end of a run.
    """

    ledger: Ledger
    decide: Callable[[], Policy]
    clock: Callable[[], datetime]
    seal: Callable[[], None]

    def joined(self, opening: Opening) -> None:
        """Before our keys leave.

        Raises:
            PolicyRefusal: our policy does not allow it.
            LedgerError: another run is in the way, or the ledger cannot be written.
        """
        with self.ledger.turn():
            if self._run(opening) is None:
                self._write(entries.joined(opening, self.decide().hash))

    def masked(self, opening: Opening, put_in: Input) -> None:
        """Before our vector leaves: from here on the window is used.

        Raises:
            LedgerError: we may say nothing more in this run, or the ledger cannot be written.
        """
        run = self._run(opening)
        if run is None or not run.masked:
            self._write(entries.masked(opening, put_in.filled, put_in.withheld))

    def shared(self, opening: Opening, survivors: int) -> None:
        """Before our shares leave.

        Raises:
            LedgerError: we may say nothing more in this run, or the ledger cannot be written.
        """
        run = self._run(opening)
        if run is None or not run.shared:
            self._write(entries.shared(opening, survivors))

    def counted(self, opening: Opening, vector: NDArray[Any], tally: Tally) -> None:
        """It came to its end.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        run = self._run(opening)
        if run is None or not run.counted:
            released = release(opening, vector, len(tally.survivors)).count
            self._write(entries.counted(opening, tally, released))
            self.seal()

    def broken(self, opening: Opening, code: str, culprits: tuple[str, ...], *, by: str) -> None:
        """It did not: by our own finding (``us``), or as the coordinator says (``peer``).

        Raises:
            LedgerError: the ledger cannot be written.
        """
        run = self._run(opening)
        if run is not None and not run.broken and not run.counted:
            self._write(entries.broken(opening, code, culprits, by=by))
            self.seal()

    def _run(self, opening: Opening) -> Run | None:
        return self.ledger.runs().joined(opening.name)

    def _write(self, draft: Draft) -> None:
        self.ledger.append_all([draft], now=self.clock())


@dataclass(frozen=True, slots=True)
class CoordinatorsBooks:
    """A coordinator's.

    Args:
        ledger: where it goes.
        clock: the time, UTC.
        seal: what is done with the ledger at the end of a run.
    """

    ledger: Ledger
    clock: Callable[[], datetime]
    seal: Callable[[], None]

    def convened(self, opening: Opening) -> None:
        """Before anybody is told.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        self.ledger.append_all([entries.convened(opening)], now=self.clock())

    def counted(
        self, opening: Opening, vector: NDArray[Any], tally: Tally, culprits: tuple[str, ...]
    ) -> None:
        """It came to its end, without those who lied on the way.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        released = release(opening, vector, len(tally.survivors)).count
        self._end(opening, entries.counted(opening, tally, released, culprits, as_coordinator=True))

    def broken(self, opening: Opening, code: str, culprits: tuple[str, ...]) -> None:
        """It did not, why, and who is to blame.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        self._end(opening, entries.broken(opening, code, culprits, as_coordinator=True, by="us"))

    def _end(self, opening: Opening, draft: Draft) -> None:
        if not self.ledger.runs().over(opening.name):
            self.ledger.append_all([draft], now=self.clock())
            self.seal()
