"""A batch of indicators on its way from a file to the store: columns, not a million objects."""

from collections import Counter
from dataclasses import dataclass, field

from exchange.indicators.canonical import canonicalise, recognise
from exchange.indicators.types import Indicator, IndicatorType, Refused


@dataclass(slots=True)
class Batch:
    """Canonical values by type, as they came, and how many were refused for which reason."""

    values: dict[IndicatorType, list[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, wanted: IndicatorType | None = None) -> None:
        """Canonicalise a value, of the stated type or of whatever type it has, or count why not."""
        try:
            found = recognise(text) if wanted is None else canonicalise(wanted, text)
        except Refused as e:
            self.refused[e.reason] += 1
        else:
            self.put(found)

    def put(self, indicator: Indicator) -> None:
        """Take an indicator that is canonical already."""
        column = self.values.get(indicator.type)
        if column is None:
            column = self.values[indicator.type] = []
        column.append(indicator.value)

    def __len__(self) -> int:
        return sum(map(len, self.values.values())) + self.refused.total()
