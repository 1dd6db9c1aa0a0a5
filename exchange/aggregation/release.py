"""Which numbers of a result are released, to whom they are shown, and over what a sum goes on.

The sum of a run is opened to all of its members: what is held back here is what their software shows and
hands on. A member with altered software reads all of it, never whose number is whose. What is not opened to
begin with protects against that: a sum runs over those entries alone that enough members saw themselves.

Source: TNO, SACTI (publish where enough reports are not zero); EU Horizontal Guidelines 2023, chapter 6, and
the statistical offices' (n, k) rule for dominance, here by an upper bound: the largest of some numbers is at
most the root of the sum of their squares.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.aggregation import budget
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import WHOLE_MILLI, Measure, Opening, Visibility
from exchange.aggregation.vector import OWN
from exchange.errors import InputError
from exchange.indicators import Indicator

TOO_FEW, DOMINATED = "too-few", "dominated"
_ROUNDING = 1 - 1e-9
"""More than floats err by here, to the side of holding back."""


@dataclass(frozen=True, slots=True)
class Released:
    """A result, entry by entry; all arrays are ``(entries,)``.

    Attributes:
        numbers: in a count the voices, in a sum the total. With noise, how many saw it themselves, noisily.
        reporters: how many stand behind each: voices in a count, otherwise members that put in more than 0.
        own: in an exact count, how many of these saw it themselves; otherwise all of them.
        released: which may be shown.
        withheld: how many are not, by reason; those behind which nobody stands are counted nowhere.
    """

    numbers: NDArray[np.int64] = field(repr=False)
    reporters: NDArray[np.int64] = field(repr=False)
    own: NDArray[np.int64] = field(repr=False)
    released: NDArray[np.bool_] = field(repr=False)
    withheld: dict[str, int]

    @property
    def count(self) -> int:
        """How many numbers are released."""
        return int(self.released.sum())


@dataclass(frozen=True, slots=True)
class Row:
    """One released number.

    Attributes:
        indicator: what it is about.
        number: see ``Released``.
        reporters: how many stand behind it.
        own: how many of these saw it themselves.
    """

    indicator: Indicator
    number: int
    reporters: int
    own: int


def release(opening: Opening, vector: NDArray[Any], survivors: int) -> Released:
    """Judge a result.

    Args:
        opening: of the run.
        vector: ``(d,)``, the sum; signed where there is noise.
        survivors: how many members' sum it is.
    """
    words = vector.reshape(opening.entries, opening.words).astype(np.int64)
    if opening.measure is not Measure.COUNT:
        return _sums(opening, words)
    return _counts(opening, words) if opening.noise is None else _noisy(opening, words, survivors)


def released_from(opening: Opening) -> int:
    """Return how many have to have seen an entry for its number to be released more often than not.

    Without noise those are the reporters, always. Noise takes away as often as it adds, so with it these are
    as many as the smallest number that is released; that can be more than there are members.
    """
    if opening.noise is None:
        return opening.reporters
    return budget.least(opening.reporters, opening.noise, len(opening.members))


def _counts(opening: Opening, words: NDArray[np.int64]) -> Released:
    own = words[:, OWN]
    voices = own + np.count_nonzero(words[:, OWN + 1 :], axis=1)
    released = voices >= opening.reporters
    return Released(voices, voices, own, released, _withheld({TOO_FEW: ~released & (voices > 0)}))


def _noisy(opening: Opening, words: NDArray[np.int64], survivors: int) -> Released:
    """Nobody knows the numbers without noise: what is released is above the line by more than that explains.

    Of the others nobody is told, not even that there are any.
    """
    assert opening.noise is not None
    sums = words[:, OWN]
    bar = budget.least(opening.reporters, opening.noise, survivors)
    positions, chosen = budget.released(sums, bar, survivors)
    numbers = sums.copy()
    numbers[positions] = chosen
    released = np.zeros(opening.entries, bool)
    released[positions] = True
    return Released(numbers, numbers, numbers, released, {})


def _sums(opening: Opening, words: NDArray[np.int64]) -> Released:
    totals, squares, reporters = words[:, 0], words[:, 1], words[:, 2]
    enough = reporters >= opening.reporters
    bound = (totals.astype(np.float64) * opening.dominance_milli / WHOLE_MILLI) ** 2
    even = squares.astype(np.float64) <= bound * _ROUNDING
    withheld = {TOO_FEW: ~enough & (reporters > 0), DOMINATED: enough & ~even}
    return Released(totals, reporters, reporters, enough & even, _withheld(withheld))


def _withheld(found: dict[str, NDArray[np.bool_]]) -> dict[str, int]:
    return {reason: n for reason, which in found.items() if (n := int(which.sum()))}


def shown(
    opening: Opening, us: str, administrators: Collection[str], ours: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Which entries this member may be shown, were they released, ``(entries,)``.

    Args:
        opening: of the run.
        us: this member.
        administrators: of the alliance.
        ours: for which entries we put something in, ``(entries,)``; None where we took no part.
    """
    everything = us == opening.coordinator or {
        Visibility.EVERYONE: us in opening.members,
        Visibility.OWNER_AND_HOST: us in administrators,
    }.get(opening.visibility, False)
    if everything:
        return np.ones(opening.entries, bool)
    if opening.visibility is Visibility.REPORTERS and ours is not None:
        return ours.copy()
    return np.zeros(opening.entries, bool)


def rows(dictionary: Dictionary, result: Released, visible: NDArray[np.bool_]) -> list[Row]:
    """The released numbers that may be shown, the largest first."""
    positions = np.flatnonzero(result.released & visible)
    order = np.lexsort((positions, -result.reporters[positions], -result.numbers[positions]))
    return [
        Row(
            dictionary[position],
            int(result.numbers[position]),
            int(result.reporters[position]),
            int(result.own[position]),
        )
        for position in positions[order].tolist()
    ]


def goes_on(count: Opening, vector: NDArray[Any], reporters: int) -> NDArray[np.int64]:
    """Return the positions over which a sum goes on from a count, ascending: what so many saw themselves.

    Args:
        count: the opening of the count.
        vector: its result, ``(d,)``.
        reporters: the least number of reporters behind a released number.

    Raises:
        InputError: it is no exact count: nobody knows how many saw an entry.
    """
    if count.measure is not Measure.COUNT or count.noise is not None:
        raise InputError(
            "a sum goes on from a count without noise", hint="count without --epsilon first, and name that"
        )
    own = vector.reshape(count.entries, count.words)[:, OWN].astype(np.int64)
    return np.flatnonzero(own >= reporters)


def strays(total: Opening, count: Opening, survivors: Sequence[int]) -> str:
    """Say in what a sum strays from the count that it goes on from, or ``""``.

    Both say how many saw an entry themselves. With a member less in the sum, the difference would be what
    that member holds; and over fewer days, an entry that many saw could be down to one.

    Args:
        total: the opening of the sum.
        count: that of the count.
        survivors: positions in ``count`` of those whose sum the count is.
    """
    alike = {
        "days": (total.window, total.max_age_days) == (count.window, count.max_age_days),
        "canonical profile": total.profile == count.profile,
        "members than those that were counted": total.members
        == tuple(count.members[position] for position in survivors),
    }
    if differing := [what for what, same in alike.items() if not same]:
        return f"other {differing[0]}"
    return "" if total.minimum == len(total.members) else "fewer members in the end"
