"""What of ours may enter a set for a peer: the part of the terms that is decided item by item.

The store applies it and counts what each rule holds back; these counts are what ``policy simulate`` prints
before a session, and what the session's intent records.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap

ADMISSION_RULES = (
    "p15-warning-list",
    "p4-tlp",
    "p5-pap",
    "p18-provenance",
    "p14-embargo",
    "expired",
    "p13-age",
    "p11-per-value",
)
"""What may hold an item back, in the order in which it is counted: the first rule that bars it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Under what an indicator of ours may enter a set.

    Attributes:
        tlp: the most closed marking that may; RED never may.
        pap: the most closed PAP marking that may; None for any. What is not marked passes.
        max_age_days: by type, how long ago it may have been seen last (imported last, where no sighting is
            stated); a type that is not named has no limit.
        own: only our own sightings, none copied from others.
        imported_after: what was first imported at or before this moment has entered as many sessions with the
            peer as it may; None for no such limit.
    """

    tlp: Tlp = Tlp.RED
    pap: Pap | None = None
    max_age_days: Mapping[IndicatorType, int] = field(default_factory=dict)
    own: bool = False
    imported_after: datetime | None = None


EVERYTHING = Admission()
"""Nothing is held back but what never leaves."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What would enter a set, and what would not.

    Attributes:
        entered: how many distinct items of each type enter; types with none are left out.
        withheld: by rule of ``ADMISSION_RULES``, then by type, how many are held back; zeros are left out.
    """

    entered: Mapping[IndicatorType, int] = field(default_factory=dict)
    withheld: Mapping[str, Mapping[IndicatorType, int]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many items enter."""
        return sum(self.entered.values())

    @property
    def held_back(self) -> dict[str, int]:
        """By rule, how many are held back."""
        return {rule: sum(by_type.values()) for rule, by_type in self.withheld.items()}

    def as_json(self) -> dict[str, Any]:
        """``entered`` and ``withheld``, as they stand in the ledger and in what commands print."""
        return {
            "entered": {str(t): n for t, n in self.entered.items()},
            "withheld": {rule: {str(t): n for t, n in held.items()} for rule, held in self.withheld.items()},
        }
