"""Whether what matched looks swept: the other party put in whole ranges, and not what it has observed.

Two feeds that overlap overlap in part nearly everywhere. Who sweeps a prefix matches all of ours that lie in
it and, but for what it really holds, nothing outside. A single address says nothing and neighbours are one
observation, so what counts is of how many smaller prefixes everything matched.

A member that holds the very feed that a part of our set comes from looks the same where that part fills a
prefix alone: a finding is a reason to ask, and no proof.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from exchange.guards.finding import Finding, findings
from exchange.guards.prefixes import Numbers, numbers, prefixes, spread
from exchange.indicators import IndicatorType

_T = IndicatorType
_Marks = NDArray[np.bool_]

_OUTSIDE = 0.05
_OF_ALL = 0.25
_IN_PART = 0.02
_OF_OTHERS = 0.01
_LEAST_OTHERS = 1000


def judge_matches(
    ours: Mapping[IndicatorType, Sequence[str]], matched: Mapping[IndicatorType, Sequence[str]]
) -> tuple[Finding, ...]:
    """What of a match between honest feeds is never seen.

    Args:
        ours: canonical values by type: what we put in, in one session or in all of a period.
        matched: those of them that matched.

    Returns:
        Findings on ``ipv4``; the other types are not judged.
    """
    return tuple(findings(_T.IPV4, measures(ours, matched)))


def measures(
    ours: Mapping[IndicatorType, Sequence[str]], matched: Mapping[IndicatorType, Sequence[str]]
) -> dict[str, float]:
    """What is measured of a match."""
    if not ours.get(_T.IPV4) or not matched.get(_T.IPV4):
        return {}
    addresses = numbers(ours[_T.IPV4])
    hit = np.isin(addresses, numbers(matched[_T.IPV4]), assume_unique=True)
    everything = hit.all() and _others(ours, matched)
    return in_prefixes(addresses, hit) | {
        "matched-all": len(prefixes(addresses, 16).counts) if everything else 0
    }


def in_prefixes(addresses: Numbers, hit: _Marks) -> dict[str, float]:
    """What is measured of addresses and which of them matched."""
    return {
        "matched-prefix-16": _whole(addresses, hit, 16, 24),
        "matched-prefix-8": _whole(addresses, hit, 8, 16),
        "matched-prefixes": _all_or_nothing(addresses, hit),
    }


def _whole(addresses: Numbers, hit: _Marks, outer: int, inner: int) -> int:
    """Over how many smaller prefixes the widest spreads that matched whole, and next to nothing else."""
    of = prefixes(addresses, outer)
    hits = np.bincount(of.of, weights=hit)
    rest = len(addresses) - of.counts
    outside = (hit.sum() - hits) <= _OUTSIDE * rest
    return int(spread(addresses, outer, inner)[(hits == of.counts) & outside].max(initial=0))


def _all_or_nothing(addresses: Numbers, hit: _Marks) -> int:
    """Over how many /24 the /16 spread that matched whole, where those that matched in part hardly count."""
    if hit.mean() > _OF_ALL:
        return 0
    of, wide = prefixes(addresses, 16), spread(addresses, 16, 24)
    hits = np.bincount(of.of, weights=hit)
    whole = (wide > 1) & (hits == of.counts)
    part = (wide > 1) & (hits > 0) & ~whole
    if hits[part].sum() > _IN_PART * hits[whole | part].sum():
        return 0
    return int(wide[whole].sum())


def _others(
    ours: Mapping[IndicatorType, Sequence[str]], matched: Mapping[IndicatorType, Sequence[str]]
) -> bool:
    """Whether we put in enough of other types to say that they did not match."""
    n = sum(len(values) for kind, values in ours.items() if kind is not _T.IPV4)
    hits = sum(len(values) for kind, values in matched.items() if kind is not _T.IPV4)
    return n >= _LEAST_OTHERS and hits <= _OF_OTHERS * n
