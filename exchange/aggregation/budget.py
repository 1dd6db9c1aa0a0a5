"""What noisy numbers may tell of one member's indicator, in all, and which of them are released.

Every member judges by its own ledger, before its vector leaves: nobody else spends its privacy. A ledger
holds no indicators, so a release counts for every indicator of its types, whatever its dictionary. It counts
from the moment the vector left, unless its run was given up before its sum was opened.

Losses add up (basic composition) over any 30 and any 365 days, not over calendar months. Over many years the
loss has no bound: the budget is for what is learned of recent sightings. Pure: releases come in as data.

Source: Dwork, Roth, "The Algorithmic Foundations of Differential Privacy", 2014, theorem 3.16; Rogers, Roth,
Ullman, Vadhan, "Privacy Odometers and Filters: Pay-as-you-Go Composition", NeurIPS 2016 (what a filter is);
Korolova, Kenthapadi, Mishra, Ntoulas, "Releasing Search Queries and Clicks Privately", WWW 2009 (a number is
shown where it is above a threshold after noise).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from crypto.dp import MILLI, Loss
from crypto.errors import ParameterError
from crypto.secagg.noise import Noise
from exchange.errors import PolicyRefusal
from exchange.indicators import IndicatorType

MONTH = timedelta(days=30)
YEAR = timedelta(days=365)
DELTA = 1e-6
"""The chance that a number is released of something that is not held by enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Noisy numbers that leave the alliance, or are to.

    Attributes:
        at: when our vector left, UTC; of a release that is asked for, now.
        epsilon_milli: the privacy loss of each number by each member, in thousandths.
        measure: what is counted.
        types: types of the indicators in the dictionary.
        window: first and last day, UTC, both included, of what counts.
    """

    at: datetime
    epsilon_milli: int
    measure: str
    types: frozenset[IndicatorType]
    window: tuple[date, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that may be lost of one indicator of ours, in thousandths of epsilon.

    Attributes:
        release_milli: by one release.
        month_milli: by all within any 30 days.
        year_milli: by all within any 365 days.
    """

    release_milli: int = 1000
    month_milli: int = 4000
    year_milli: int = 12_000


def admit(wanted: Release, past: Collection[Release], budget: Budget) -> None:
    """Let a release pass, or refuse it.

    What has its time after ``now``, as after a clock was set back, counts too.

    Args:
        wanted: the release that is asked for; its time is now.
        past: the releases before it, in any order.
        budget: what may be lost.

    Raises:
        PolicyRefusal: it loses too much by itself (``release-epsilon``), with those before it
            (``release-budget``), or a day of its window was in a number of the same measure and type already
            (``release-window``).
    """
    if not 1 <= wanted.epsilon_milli <= budget.release_milli:
        raise PolicyRefusal(
            f"a release with epsilon {_words(wanted.epsilon_milli)}: more than 0 and at most "
            f"{_words(budget.release_milli)} is allowed",
            code="release-epsilon",
            hint=f"ask with an epsilon of at most {_words(budget.release_milli)}",
        )
    for before in past:
        shared = wanted.types & before.types
        if before.measure == wanted.measure and shared and _overlap(wanted.window, before.window):
            raise PolicyRefusal(
                f"numbers of {_listed(shared)} from {before.window[0]} to {before.window[1]} were released "
                f"on {before.at.date()}: of each day once, whatever the dictionary and the purpose",
                code="release-window",
                hint=f"ask for a window that begins after {before.window[1]}",
            )
    for days, most, span in ((30, budget.month_milli, MONTH), (365, budget.year_milli, YEAR)):
        for kind in sorted(wanted.types):
            earlier = sorted(_since(past, wanted.at - span, kind), key=lambda release: release.at)
            spent = sum(release.epsilon_milli for release in earlier)
            if spent + wanted.epsilon_milli > most:
                raise PolicyRefusal(
                    f"epsilon {_words(spent)} was spent on {kind} in {days} days and would be "
                    f"{_words(spent + wanted.epsilon_milli)}: {_words(most)} is allowed",
                    code="release-budget",
                    hint=_hint(earlier, most - wanted.epsilon_milli, span),
                )


def left(past: Collection[Release], kind: IndicatorType, budget: Budget, now: datetime) -> int:
    """Return how much one release of a type may lose now, in thousandths of epsilon; 0 if there is none.

    Args:
        past: the releases so far, in any order.
        kind: the type.
        budget: what may be lost.
        now: the time, UTC.
    """
    spans = ((budget.month_milli, MONTH), (budget.year_milli, YEAR))
    rests = [most - sum(r.epsilon_milli for r in _since(past, now - span, kind)) for most, span in spans]
    return max(0, min(budget.release_milli, *rests))


def spent(past: Iterable[Release], kind: IndicatorType, since: datetime) -> Loss:
    """Return what releases may have told of one indicator of ours.

    Args:
        past: the releases.
        kind: the type of the indicator.
        since: those before do not count.

    Returns:
        The loss: epsilon, and for each release ``DELTA``, in case its dictionary was made of what members
        hold, and what the tables of its noise are off at most.
    """
    counted = list(_since(past, since, kind))
    epsilon = sum(release.epsilon_milli for release in counted) / MILLI
    return Loss(epsilon, len(counted) * (DELTA + 2.0**-64))


def least(reporters: int, noise: Noise, contributors: int) -> int:
    """Return the smallest noisy number that is released: ``reporters`` and so much as noise seldom makes up.

    That is ``ln(1 / DELTA) / epsilon`` at least, rounded up, and more where more members added noise than are
    counted on.

    Args:
        reporters: t, how many members must stand behind a number.
        noise: what each contributor adds; its cap is 1.
        contributors: how many added it.

    Raises:
        ParameterError: a member may count for more than 1, or a number is out of range.
    """
    if noise.cap != 1 or reporters < 1:
        raise ParameterError("what stands behind a number is counted in members, each once")
    return reporters + noise.margin(contributors, DELTA)


def released(sums: NDArray[np.int64], bar: int, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the numbers that are released. The others are not told, not even that there are any.

    Args:
        sums: ``(d,)``, noisy, as they were opened.
        bar: the smallest that is released, from ``least()``.
        most: what the number is at most without noise: the members who contributed.

    Returns:
        Positions of those released, ascending, and their numbers: whole, at most ``most``.
    """
    chosen = np.flatnonzero(sums >= bar)
    return chosen, np.minimum(sums[chosen], most)


def _since(past: Iterable[Release], moment: datetime, kind: IndicatorType) -> Iterator[Release]:
    return (release for release in past if release.at > moment and kind in release.types)


def _overlap(one: tuple[date, date], other: tuple[date, date]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _hint(earlier: list[Release], allowed: int, span: timedelta) -> str:
    """From when on the same release would be within the budget, if nothing else is released meanwhile."""
    spent = sum(release.epsilon_milli for release in earlier)
    for release in earlier:
        spent -= release.epsilon_milli
        if spent <= allowed:
            return f"there is room again after {(release.at + span):%Y-%m-%d %H:%M} UTC"
    return "the budget of our policy has no room for such a release"


def _words(milli: int) -> str:
    return f"{milli / MILLI:g}"


def _listed(kinds: Iterable[IndicatorType]) -> str:
    return ", ".join(sorted(kinds))
