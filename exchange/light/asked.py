"""What a light member asks about, in place of a store: values that are in memory alone."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from crypto.hashing import HASH_BYTES, item_rows
from crypto.rows import Rows
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.context import Context
from exchange.indicators.warninglists import Mode, WarningLists
from exchange.policy import Offer
from exchange.store import ItemSet

WARNED = "warning-list"
"""The reason for which what a warning list blocks is not asked about."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Values to be asked about. Nothing holds any of them back: ``sift`` did.

    Attributes:
        indicators: each once; their places are their identifiers.
    """

    indicators: tuple[Indicator, ...] = field(repr=False)

    @classmethod
    def of(cls, indicators: Iterable[Indicator]) -> Self:
        """Of values in any order."""
        return cls(tuple(sorted(set(indicators), key=lambda one: (one.type, one.value))))

    def types(self, *, now: datetime) -> list[IndicatorType]:  # noqa: ARG002
        """Their types, in the order of all types."""
        found = {one.type for one in self.indicators}
        return [kind for kind in IndicatorType if kind in found]

    def size(self, types: Collection[IndicatorType], /, **_how: Any) -> int:
        """How many there are of these types."""
        return sum(one.type in types for one in self.indicators)

    def offer(self, types: Collection[IndicatorType], /, **_how: Any) -> Offer:
        """The same by type."""
        return Offer(dict(sorted(Counter(one.type for one in self.indicators if one.type in types).items())))

    def item_set(self, types: Collection[IndicatorType], /, **_how: Any) -> ItemSet:
        """Those of these types, in the order of their first bytes, and the place of each among all values."""
        rows, ids = [np.empty((0, HASH_BYTES), np.uint8)], [np.empty(0, np.int64)]
        for kind in sorted(types):
            places = [place for place, one in enumerate(self.indicators) if one.type is kind]
            if places:
                rows.append(item_rows(kind, [self.indicators[place].value for place in places]))
                ids.append(np.array(places, np.int64))
        together = np.concatenate(rows)
        order = np.argsort(together[:, :8].copy().view(np.uint64)[:, 0])
        return ItemSet(together[order], np.concatenate(ids)[order])

    def state(self, *, now: datetime) -> None:
        """None: nobody commits to what it will see."""

    def said(self, _types: Collection[IndicatorType], /, **_how: Any) -> "Nothing":
        """Nothing: a light member has no context to give."""
        return Nothing()

    def copies(self, _types: Collection[IndicatorType], /, **_how: Any) -> tuple[NDArray[np.int64], Rows]:
        """None: what is asked is nobody's report."""
        return np.zeros(0, np.int64), np.zeros((0, HASH_BYTES), np.uint8)

    def values(self, ids: NDArray[np.int64]) -> list[Indicator]:
        """The values at these places, in their order."""
        return [self.indicators[place] for place in ids.tolist()]


class Nothing:
    """What is said of values that nobody said anything of."""

    def of(self, ids: NDArray[np.int64]) -> list[Context]:
        """As many empty ones."""
        return [Context()] * len(ids)


def sift(indicators: Iterable[Indicator], lists: WarningLists) -> tuple[list[Indicator], Counter[str]]:
    """Leave out what warning lists say is nobody's threat.

    Args:
        indicators: in canonical form.
        lists: whose, and in which modes.

    Returns:
        What is left, and how many are not, by reason.

    Raises:
        InputError: a list cannot be read.
    """
    by_type: dict[IndicatorType, list[Indicator]] = {}
    for one in indicators:
        by_type.setdefault(one.type, []).append(one)
    left, dropped = list[Indicator](), Counter[str]()
    for kind, some in by_type.items():
        hits = lists.screen(kind, [one.value for one in some])
        blocking = [places for name, places in hits.items() if lists.modes[name] is Mode.BLOCK]
        blocked = {place for places in blocking for place in places}
        left += [one for place, one in enumerate(some) if place not in blocked]
        if blocked:
            dropped[WARNED] += len(blocked)
    return left, dropped
