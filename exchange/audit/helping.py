"""What a member did as a key helper of discoveries: for each epoch that it helped in, its key has to go."""

from datetime import date, timedelta

from exchange.aggregation.lots import EPOCH_DAYS
from exchange.audit.sessions import count, moment
from exchange.ledger.leaf import Kind, Leaf

LATE = timedelta(days=2)
"""How long after its epoch a key may be there: a day for discoveries that go on, one for a node to be up."""
_FIRST = date(1970, 1, 1)


class Helping:
    """Follows the keys of epochs through the log."""

    def __init__(self) -> None:
        self._helped: dict[int, int] = {}

    def entry(self, leaf: Leaf) -> None:
        """Look at one entry."""
        if leaf.kind is Kind.HELPED:
            self._helped.setdefault(count(leaf.what["epoch"]), leaf.seq)
        elif leaf.kind is Kind.ERASED:
            self._helped.pop(count(leaf.what["epoch"]), None)

    def kept(self, newest: str) -> list[tuple[int, str]]:
        """The keys that the log does not say are deleted, by the time of its newest entry: entry and what."""
        return [
            (seq, f"the key of epoch {epoch}, in which the member helped, is not said to be deleted")
            for epoch, seq in self._helped.items()
            if _end(epoch) + LATE < moment(newest).date()
        ]


def _end(epoch: int) -> date:
    """The day after an epoch."""
    return _FIRST + timedelta(days=(epoch + 1) * EPOCH_DAYS)
