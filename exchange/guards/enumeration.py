"""Whether a set looks enumerated: made by counting through a space, and not by observing threats.

Observed addresses cluster: two of one feed share a /16 at least 36 times as often as random ones would. And
they do not fill: no feed holds more than a thirty-second of a /16. What is made by counting does one or the
other. Names that were made by counting or from a short list say little each: sorted, and compressed with
those beside them, they take half the bits that observed names take.

It is meant for whole sets: our own, before we commit to it, and a set that its owner opened to an audit.
Nobody can judge the set of a peer that stays private. A set of guesses that are each plausible is found by
nothing here.
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from exchange.guards.finding import Finding, findings
from exchange.guards.prefixes import SIXTEENS, Numbers, numbers, prefixes
from exchange.indicators import IndicatorType

_T = IndicatorType
LEAST = 1000
"""So many values a set needs for what is said of its values as a whole."""

_IN_SIXTEEN = 256
_IN_EIGHT = 1024
_IN_STRIDE = 256
_BLOCK = 1024
_BITS_OF_NAME: Mapping[IndicatorType, float] = {_T.DOMAIN: 32, _T.URL_HOST: 32, _T.URL: 24}
"""Names that say less each than this, in their block, are a series."""


def judge(values: Mapping[IndicatorType, Sequence[str]]) -> tuple[Finding, ...]:
    """What of a whole set no honest feed shows.

    Args:
        values: canonical values by type. Types other than ``ipv4``, ``domain``, ``url-host`` and ``url`` are
            not judged: the space of digests cannot be enumerated, and of the others there is too little
            public data to say what is usual.

    Returns:
        Findings by type and kind, none for a set that looks observed. See ``LIMITS`` for the kinds.
    """
    return tuple(
        found for kind in _T if kind in values for found in findings(kind, measures(kind, values[kind]))
    )


def measures(kind: IndicatorType, values: Sequence[str]) -> dict[str, float]:
    """What is measured of the values of a type, as far as there are enough of them."""
    if kind is _T.IPV4 and values:
        return _addresses(numbers(values))
    if kind in _BITS_OF_NAME and len(values) >= LEAST:
        return {"name-series": _series(values, _BITS_OF_NAME[kind])}
    return {}


def _addresses(addresses: Numbers) -> dict[str, float]:
    n = len(addresses)
    sixteens, eights = prefixes(addresses, 16).counts, prefixes(addresses, 8).counts
    found: dict[str, float] = {
        "prefix-16-density": float(sixteens.max()) / 2**16,
        "prefix-8-density": float(eights.max()) / 2**24,
        "address-run": float(_longest_run(addresses)),
    }
    if sixteens.max() >= _IN_SIXTEEN:
        found["prefix-16-share"] = float(sixteens.max()) / n
    if eights.max() >= _IN_EIGHT:
        found["prefix-8-share"] = float(eights.max()) / n
    if n >= LEAST:
        found["even-spread"] = float((sixteens * (sixteens - 1)).sum()) / (n * (n - 1)) * SIXTEENS
    stride = _common_gap(addresses)
    if stride >= _IN_STRIDE:
        found["address-stride"] = stride / n
    return found


def _longest_run(addresses: Numbers) -> int:
    """How many addresses follow one another without a gap, at most."""
    ends = np.flatnonzero(np.diff(addresses) != 1)
    bounds = np.concatenate([[-1], ends, [len(addresses) - 1]])
    return int(np.diff(bounds).max())


def _common_gap(addresses: Numbers) -> int:
    """How often the most frequent distance between neighbours occurs. Neighbours at 1 are usual: networks."""
    gaps = np.diff(addresses)
    _, counts = np.unique(gaps[gaps > 1], return_counts=True)
    return int(counts.max(initial=0))


def _series(values: Sequence[str], bits: float) -> float:
    """The share of blocks of neighbours in the alphabet in which a name takes fewer bits."""
    ordered = sorted(values)
    # The rest of the last block says little: it is judged with the block before.
    starts = range(0, max(len(ordered) - _BLOCK // 2, 1), _BLOCK)
    blocks = [ordered[start : start + _BLOCK] for start in starts]
    taken = [8 * len(zlib.compress("\n".join(block).encode(), 6)) / len(block) for block in blocks]
    return sum(each < bits for each in taken) / len(taken)
