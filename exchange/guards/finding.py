"""What a guard finds, and from where on it does.

A finding names a kind and two numbers. It never holds a value, nor where in the address space it was found:
findings go into the ledger, and from there to an auditor.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exchange.indicators import IndicatorType


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a set that no honest feed shows.

    Attributes:
        kind: what; a key of ``LIMITS``.
        type: of which items.
        measure: how much of it there is.
        threshold: from where on that is a finding.
    """

    kind: str
    type: IndicatorType
    measure: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Limit:
    """From where on a measure is a finding.

    Attributes:
        threshold: the first value that is not one.
        honest: the value nearest to it that any public feed, or pair of feeds, has. Measured on all sets of
            the test data; ``docs/guards.md`` has the table, and how to make it again.
        below: small values are findings, not large ones.
        about: what is measured, in words.
    """

    threshold: float
    honest: float
    about: str
    below: bool = False

    def exceeded(self, measure: float) -> bool:
        """Whether a measure is a finding."""
        return measure < self.threshold if self.below else measure > self.threshold


LIMITS: Mapping[str, Limit] = {
    "prefix-16-density": Limit(0.125, 0.0313, "how much of one /16 the set holds, of all its addresses"),
    "prefix-8-density": Limit(0.002, 0.000434, "how much of one /8 the set holds, of all its addresses"),
    "prefix-16-share": Limit(0.2, 0.0232, "how much of the set is in one /16, where at least 256 are"),
    "prefix-8-share": Limit(0.5, 0.0513, "how much of the set is in one /8, where at least 1,024 are"),
    "even-spread": Limit(
        10, 35.9, "how many times as often two addresses share a /16 as random ones would", below=True
    ),
    "address-run": Limit(8192, 2048, "how many addresses follow one another"),
    "address-stride": Limit(0.15, 0.0339, "how much of the set follows at one distance, 2 or more"),
    "name-series": Limit(0.1, 0.0088, "how much of the set stands among names that say little"),
    "matched-prefix-16": Limit(
        40, 26, "over how many /24 ours of one /16 spread that all matched, with at most 5 % of the rest"
    ),
    "matched-prefix-8": Limit(
        32, 11, "over how many /16 ours of one /8 spread that all matched, with at most 5 % of the rest"
    ),
    "matched-prefixes": Limit(
        32, 0, "over how many /24 those /16 spread that matched whole, where hardly one matched in part"
    ),
    "matched-all": Limit(
        255, 0, "over how many /16 ours spread that all matched, with at most 1 % of the other types"
    ),
}
"""By kind. The kinds are stable: the ledger holds them."""


def findings(kind: IndicatorType, measures: Mapping[str, float]) -> Iterator[Finding]:
    """The measures of a type that exceed their limits."""
    for name, measure in measures.items():
        if LIMITS[name].exceeded(measure):
            yield Finding(name, kind, measure, LIMITS[name].threshold)
