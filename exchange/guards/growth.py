"""How fast a peer's committed set grows: who starts to guess needs room for the guesses."""

from math import inf
from typing import TypeAlias

Epoch: TypeAlias = tuple[int, int]
"""The number of the day, and the size class that was committed to on it."""


def growth_per_day(older: Epoch, newer: Epoch) -> float:
    """How much of its older size a set has grown by, on average, each day.

    It is not compounded: a set that doubled within ten days grew by a tenth each day. What shrank has a
    negative growth. A set that is larger on the same day, or on an earlier one, grows without bound: who
    commits twice in a day has the room of one day.

    A size class is up to 12 % above the size, so one may lie 12 % above the next smaller one without a
    single item behind it: a limit below 0.12 refuses honest peers.
    """
    (before, smaller), (after, larger) = older, newer
    if larger <= smaller:
        return (larger - smaller) / smaller / max(after - before, 1) if smaller else 0.0
    days = after - before
    return (larger - smaller) / smaller / days if smaller and days > 0 else inf
