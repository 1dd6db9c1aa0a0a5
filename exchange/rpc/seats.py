"""Seats at the table of a server: how many calls are open, of one caller and of all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from exchange.errors import SessionRefused

MAX_CALLS = 64
MAX_CALLS_EACH = 16
"""Open calls in one name, as many as one connection carries. TLS holds a caller to its name by the constraint
in its intermediate."""
MAX_ASKS = 256
MAX_ASKS_EACH = 64
"""Open calls with questions: they are small, and there may be many at once."""
MAX_DISCOVERIES = 256
MAX_DISCOVERIES_EACH = 8
"""Open calls of discoveries: most of them wait."""
MAX_COUNTS = 512
MAX_COUNTS_EACH = 8
"""Open calls of aggregations: most of them wait for a step to begin, each member in one."""
MAX_STRANGERS = 16
MAX_STRANGERS_EACH = 2
"""Open greetings of those who are not on our roster (yet, or any more)."""


class Seats:
    """Counts open calls, so that no caller holds so many that none are left for others.

    Args:
        each: most calls of one caller.
        total: most calls of all.
    """

    def __init__(self, *, each: int, total: int) -> None:
        self._each = each
        self._total = total
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken_by(self, caller: str) -> Iterator[None]:
        """Hold one seat.

        Raises:
            SessionRefused: there is none for this caller; with the code ``busy``.
        """
        if self._taken[caller] >= self._each or self._taken.total() >= self._total:
            raise SessionRefused("too many calls are open already", code="busy")
        self._taken[caller] += 1
        try:
            yield
        finally:
            self._taken[caller] -= 1
            self._taken += Counter()  # forgets who holds none
