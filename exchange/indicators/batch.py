"""A batch of indicators on its way from a file to the store: columns, not a million objects."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from exchange.indicators.canonical import canonicalise, recognise
from exchange.indicators.types import IndicatorType, Refused

Candidate: TypeAlias = tuple[str, IndicatorType | Refused | None]
"""A value, and the type it is said to have: ``None`` if nobody says, a refusal if that is no type of ours."""


@dataclass(slots=True)
class Batch:
    """Canonical values by type, as they came, and how many were refused for which reason."""

    values: dict[IndicatorType, list[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> "Batch":
        """Canonicalise values, each of its stated type or of whatever type it turns out to have."""
        columns: dict[IndicatorType, list[str]] = {kind: [] for kind in IndicatorType}
        refused = Counter[str]()
        for text, stated in candidates:
            try:
                if stated is None:
                    found = recognise(text)
                elif isinstance(stated, Refused):
                    raise stated
                else:
                    found = canonicalise(stated, text)
            except Refused as e:
                refused[e.reason] += 1
            else:
                columns[found.type].append(found.value)
        return cls({kind: column for kind, column in columns.items() if column}, refused)

    def __len__(self) -> int:
        return sum(map(len, self.values.values())) + self.refused.total()
