"""An opening as a coordinator makes one."""

from dataclasses import replace
from datetime import date
from typing import Any

from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import Measure, Opening
from exchange.indicators import PROFILE, Indicator, IndicatorType

MEMBERS = ("acme", "globex", "hooli", "initech", "umbra")
OPENING = Opening(
    alliance="threats.example",
    roster_epoch=4,
    roster_hash=b"r" * 32,
    coordinator="umbra",
    members=MEMBERS,
    session=b"s" * 32,
    purpose="weekly count",
    measure=Measure.COUNT,
    profile=PROFILE,
    types=(IndicatorType.DOMAIN, IndicatorType.IPV4),
    dictionary=b"d" * 32,
    entries=5000,
    window=(date(2026, 2, 1), date(2026, 2, 28)),
    minimum=4,
    step_s=600,
    software="cosight 0",
)
SUM: dict[str, Any] = {
    "measure": Measure.SIGHTINGS,
    "slots": 1,
    "width": 64,
    "cap": 1 << 20,
    "base": b"b" * 32,
}
"""What a sum states otherwise."""


def opening(**change: Any) -> Opening:
    """The usual one, changed."""
    return replace(OPENING, **change)


def dictionary(n: int) -> Dictionary:
    """``n`` entries, half of them domains, half addresses."""
    names = [Indicator(IndicatorType.DOMAIN, f"d{i}.com") for i in range((n + 1) // 2)]
    addresses = [Indicator(IndicatorType.IPV4, f"8.8.{i >> 8}.{i & 255}") for i in range(n // 2)]
    return Dictionary.of([*names, *addresses])


def over(given: Dictionary, **change: Any) -> Opening:
    """The usual one, over this dictionary."""
    return opening(dictionary=given.root, entries=len(given), types=tuple(given.by_type), **change)
