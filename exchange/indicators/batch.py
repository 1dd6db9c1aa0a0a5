"""A batch of indicators on its way from a file to the store: columns, not a million objects."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from exchange.indicators.canonical import canonicalise, recognise
from exchange.indicators.context import Context
from exchange.indicators.types import Indicator, IndicatorType, Refused
from exchange.indicators.urls import url_host

Candidate: TypeAlias = tuple[str, IndicatorType | Refused | None, Context | None]
"""A value; its type, ``None`` if nobody says, a refusal if it is not to be taken; what is said of it."""

MAX_PLACES = 5
"""Places that are remembered for each reason of refusal."""


@dataclass(slots=True)
class Batch:
    """Canonical values by type, as they came, and how many were refused for which reason.

    Attributes:
        values: by type.
        contexts: by type, what is said of the value at a position, where anything is.
        refused: how many, by reason.
        places: the first places of what was refused, by reason, where the reader told them.
        withdrawn: by type, values that their producer has withdrawn; in ``refused`` too, as ``revoked``.
        derived: how many of the values were made from others, and not read.
        notes: anything else that was counted on the way, such as STIX patterns.
    """

    values: dict[IndicatorType, list[str]] = field(default_factory=dict)
    contexts: dict[IndicatorType, dict[int, Context]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)
    withdrawn: dict[IndicatorType, list[str]] = field(default_factory=dict)
    derived: int = 0
    notes: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, candidates: Iterable[Candidate], *, url_hosts: bool = False) -> "Batch":
        """Canonicalise values, each of its stated type or of whatever type it turns out to have.

        Args:
            candidates: from a reader.
            url_hosts: take the host of every URL as an item of its own, too.
        """
        batch = cls()
        columns: dict[IndicatorType, list[str]] = {kind: [] for kind in IndicatorType}
        for text, stated, context in candidates:
            try:
                if stated is None:
                    found = recognise(text)
                elif isinstance(stated, Refused):
                    batch._refuse(stated, text)
                    continue
                else:
                    found = canonicalise(stated, text)
            except Refused as e:
                batch.refused[e.reason] += 1
                continue
            column = columns[found.type]
            if context is not None:
                batch.contexts.setdefault(found.type, {})[len(column)] = context
            column.append(found.value)
            if url_hosts and found.type is IndicatorType.URL:
                batch._derive(columns[IndicatorType.URL_HOST], url_host(found), context)
        batch.values = {kind: column for kind, column in columns.items() if column}
        return batch

    def __len__(self) -> int:
        """How many values were read."""
        return sum(map(len, self.values.values())) + self.refused.total() - self.derived

    def _derive(self, column: list[str], found: Indicator, context: Context | None) -> None:
        if context is not None:
            self.contexts.setdefault(found.type, {})[len(column)] = context
        column.append(found.value)
        self.derived += 1

    def _refuse(self, refused: Refused, text: str) -> None:
        self.refused[refused.reason] += 1
        if refused.place and len(places := self.places.setdefault(refused.reason, [])) < MAX_PLACES:
            places.append(refused.place)
        if refused.reason == "revoked" and refused.kind is not None:
            try:
                found = canonicalise(refused.kind, text)
            except Refused:
                return
            self.withdrawn.setdefault(found.type, []).append(found.value)
