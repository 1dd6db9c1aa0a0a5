"""How much of an enumeration a real feed can hide: from which share of the whole set on it is found.

``python -m tests.exchange.guards.hidden`` prints the other tables of ``docs/guards.md``.
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np

from exchange.guards import LIMITS, judge
from exchange.guards.prefixes import numbers, prefixes, spread
from exchange.indicators import IndicatorType
from tests.exchange.guards import attacks
from tests.exchange.guards.honest import sets

T = IndicatorType
Made = Callable[[int], Sequence[str]]

ADDRESSES = ("sekoia", "threatfox-ips", "ipsum", "maltrail-malware", "sekio-ips")
NAMES = ("sekoia", "tweetfeed-2026", "unit42", "maltrail-malware")
_FINE = 0.01
_TRIES = 2000


def _random_of_8(n: int) -> list[str]:
    return attacks.dotted((93 << 24) + np.random.default_rng(4).choice(1 << 24, n, replace=False))


WAYS: dict[str, tuple[IndicatorType, Made, int]] = {
    "random addresses of one /16": (T.IPV4, lambda n: attacks.part_of_16(n, 4), 1 << 16),
    "random addresses of one /8": (T.IPV4, _random_of_8, 1 << 20),
    "random addresses": (T.IPV4, attacks.uniform, 1 << 20),
    "names in a series, aaaa.com on": (T.DOMAIN, attacks.letters, 26**4),
}


def found_from(feed: Sequence[str], way: str) -> int | None:
    """The least number of values made in a way that is found beside a feed; within a hundredth."""
    kind, made, most = WAYS[way]

    def found(n: int) -> bool:
        return bool(judge({kind: sorted({*feed, *made(n)})}))

    if not found(most):
        return None
    quiet, loud = 0, most
    while loud - quiet > max(1, _FINE * loud):
        middle = (quiet + loud) // 2
        quiet, loud = (quiet, middle) if found(middle) else (middle, loud)
    return loud


def table() -> list[str]:
    """The rows of the table in the docs."""
    rows = ["| hidden | in a feed | found from | of the set |", "|---|---|---:|---:|"]
    for way, (kind, _, most) in WAYS.items():
        for name in NAMES if kind is T.DOMAIN else ADDRESSES:
            feed = sets()[name][kind]
            n = found_from(feed, way)
            found = "not found" if n is None else f"{n:,}"
            share = (n or most) / ((n or most) + len(feed))
            rows.append(f"| {way} | {name}, {len(feed):,} | {found} | {share:.0%} |")
    return rows


def swept_table() -> list[str]:
    """How many of the prefixes that we hold anything in a peer is found by that sweeps just this one."""
    rows = ["| swept | ours | prefixes | found | of our addresses |", "|---|---|---:|---:|---:|"]
    for length, longer, rule in ((16, 24, "matched-prefixes"), (8, 16, "matched-prefix-8")):
        for name in ADDRESSES:
            ours = numbers(sets()[name][T.IPV4])
            wide, counts = spread(ours, length, longer), prefixes(ours, length).counts
            found = wide > LIMITS[rule].threshold
            share = f"{counts[found].sum() / len(ours):.0%}"
            rows.append(
                f"| one /{length} | {name}, {len(ours):,} | {len(wide):,} | {found.sum():,} | {share} |"
            )
    return rows


def daily_table() -> list[str]:
    """How often a peer that sweeps one /16 a day, in which we hold anything, is found in all that matched."""
    rows = ["| ours | 10 days | 20 days | 30 days | 60 days |", "|---|---:|---:|---:|---:|"]
    for name in ADDRESSES[1:]:
        wide = spread(numbers(sets()[name][T.IPV4]), 16, 24)
        wide[wide == 1] = 0  # these do not count
        random = np.random.default_rng(0)
        sums = (
            [random.choice(wide, days, replace=False).sum() for _ in range(_TRIES)]
            for days in (10, 20, 30, 60)
        )
        shares = (np.mean(np.array(found) > LIMITS["matched-prefixes"].threshold) for found in sums)
        rows.append(f"| {name} | {' | '.join(f'{share:.0%}' for share in shares)} |")
    return rows


if __name__ == "__main__":
    sys.stdout.write("\n".join([*table(), "", *swept_table(), "", *daily_table(), ""]))
