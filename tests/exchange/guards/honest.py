"""What the guards measure on honest sets: every public feed of the test data, alone and in pairs.

``python -m tests.exchange.guards.honest`` prints the table of ``docs/guards.md``.
"""

import sys
from collections.abc import Iterator
from functools import cache
from itertools import combinations, permutations
from pathlib import Path

import numpy as np

from exchange.guards import LIMITS, enumeration, matches
from exchange.guards.prefixes import Numbers, numbers
from exchange.indicators import IndicatorType, read
from tests.realdata import data_dir

Set = dict[IndicatorType, list[str]]
IPV4 = IndicatorType.IPV4

_FOLDERS = (
    "misp/eset", "misp/tweetfeed-feed", "misp/pymisp-tests", "stix/amnesty-2.1", "stix/unit42-2.0",
    "stix/sekoia-2.x", "stix/oasis-examples-2.1", "stix/oasis-idioms-2.1",
)  # fmt: skip
_ALONE = ("vendors/*.gz", "feeds/*.gz", "feeds/threatfox-history/*.gz")


def _load(paths: list[Path]) -> Set:
    found: dict[IndicatorType, set[str]] = {}
    for path in paths:
        if path.name == "hashes.csv.gz":  # digests of the values beside it, which no reader takes
            continue
        for batch in read(path):
            for kind, values in batch.values.items():
                found.setdefault(kind, set()).update(values)
    return {kind: sorted(values) for kind, values in found.items()}


@cache
def sets() -> dict[str, Set]:
    """Every set, by the name of its file or folder."""
    data = data_dir()
    alone = {p.name.partition(".")[0]: [p] for pattern in _ALONE for p in sorted(data.glob(pattern))}
    folders = {f: sorted(p for p in (data / f).rglob("*") if p.is_file()) for f in _FOLDERS}
    return {name: _load(paths) for name, paths in (alone | folders).items()}


@cache
def addresses() -> dict[str, Numbers]:
    """The IPv4 addresses of every set that has some."""
    return {name: numbers(found[IPV4]) for name, found in sets().items() if IPV4 in found}


def producers() -> list[str]:
    """One set of each producer: the vendors' and the feeds as they stand."""
    return [p.name.partition(".")[0] for pattern in _ALONE[:2] for p in sorted(data_dir().glob(pattern))]


def pairs() -> Iterator[tuple[str, Numbers, Numbers]]:
    """Ours and a peer's: every ordered pair, and two feeds of ours against each producer's.

    The second kind is the hardest: part of our set is the very feed that the peer has.
    """
    known = addresses()
    for ours, theirs in permutations(known, 2):
        yield f"{ours} x {theirs}", known[ours], known[theirs]
    held = [name for name in producers() if name in known]
    for a, b in combinations(held, 2):
        both = np.union1d(known[a], known[b])
        for theirs in held:
            yield f"{a} + {b} x {theirs}", both, known[theirs]


def _all_and_nothing_else(ours: str, theirs: str) -> float:
    if not np.isin(addresses()[ours], addresses()[theirs]).all():
        return 0
    a, b = sets()[ours], sets()[theirs]
    shared = {kind: sorted(set(a[kind]) & set(b[kind])) for kind in a.keys() & b.keys()}
    return matches.measures(a, shared)["matched-all"]


@cache
def measured() -> dict[str, dict[str, float]]:
    """By kind, what was measured of each set or pair."""
    found: dict[str, dict[str, float]] = {kind: {} for kind in LIMITS}
    for name, values in sets().items():
        for kind, column in values.items():
            for rule, measure in enumeration.measures(kind, column).items():
                found[rule][f"{name} ({kind})"] = measure
    for name, ours, theirs in pairs():
        for rule, measure in matches.in_prefixes(ours, np.isin(ours, theirs)).items():
            found[rule][name] = measure
    for ours, theirs in permutations(addresses(), 2):
        found["matched-all"][f"{ours} x {theirs}"] = _all_and_nothing_else(ours, theirs)
    return found


def worst(rule: str) -> tuple[str, float]:
    """The honest set or pair that comes nearest to the limit, and its measure."""
    choose = min if LIMITS[rule].below else max
    return choose(measured()[rule].items(), key=lambda one: one[1])


def number(value: float) -> str:
    """Three significant digits, whole numbers whole."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def table() -> list[str]:
    """The rows of the table in the docs."""
    rows = ["| kind | what is measured | honest | by | finding |", "|---|---|---:|---|---:|"]
    for rule, limit in LIMITS.items():
        name, measure = worst(rule)
        edge = f"{'below' if limit.below else 'above'} {number(limit.threshold)}"
        rows.append(f"| `{rule}` | {limit.about} | {number(measure)} | {name if measure else ''} | {edge} |")
    return rows


if __name__ == "__main__":
    count = f"{len(sets())} sets, {len(measured()['matched-prefix-16']):,} matches"
    sys.stdout.write("\n".join([f"Of {count}:", "", *table(), ""]))
