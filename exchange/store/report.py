"""What an import answers."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from exchange.indicators import Batch
from exchange.indicators.batch import MAX_PLACES


@dataclass(slots=True)
class ImportReport:
    """What became of the values of one import: ``read == accepted + duplicates + sum(refused.values())``.

    Attributes:
        read: candidate values seen, and values made from them, such as the hosts of URLs.
        accepted: indicators new to the store.
        duplicates: those it held already, from whatever feed, and repetitions.
        refused: values that are no indicators, by reason.
        by_type: the accepted ones, by type.
        added: indicators that this feed did not give before.
        removed: those that it gave before, and no longer.
        unchanged: those that it gave before and again.
        blocked: indicators of this feed on a warning list that keeps them out of every set, by list.
        informed: those on a warning list that only says so, by list.
        places: where the first values of each refusal stand.
        notes: whatever else the reader counted.
    """

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    by_type: dict[str, int] = field(default_factory=dict)
    added: int = 0
    removed: int = 0
    unchanged: int = 0
    blocked: dict[str, int] = field(default_factory=dict)
    informed: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As ``cosight import --json`` prints it."""
        return asdict(self)


@dataclass(slots=True)
class Seen:
    """What a reader told, summed up over the batches."""

    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Take in one more."""
        self.read += len(batch) + batch.derived
        self.refused += batch.refused
        self.notes += batch.notes
        for reason, found in batch.places.items():
            places = self.places.setdefault(reason, [])
            places += found[: MAX_PLACES - len(places)]
