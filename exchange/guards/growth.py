"""How fast a peer's committed set grows: who starts to guess needs room for the guesses."""

from math import inf
from typing import TypeAlias

Epoch: TypeAlias = tuple[int, int]
"""The number of the day, and the size class that was committed to on it."""


def growth_per_day(older: Epoch, newer: Epoch) -> float:
    """How much of its older size a set has grown by, on average, each day.

    It is not compounded: a set that doubled within ten days grew by a tenth each day. What shrank has a
    negative growth. What grew within a day counts as grown in one.

    A size class is up to 12 % above the size, so one may lie 12 % above the next smaller one without a
    single item behind it: a limit below 0.12 refuses honest peers.
    """
    (before, smaller), (after, larger) = older, newer
    if not smaller:
        return inf if larger else 0.0
    return (larger - smaller) / smaller / max(after - before, 1)
