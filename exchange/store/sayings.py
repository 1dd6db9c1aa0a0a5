"""What a feed says of its indicators: each saying once, and one saying where it says several of the same.

Sayings merge so that neither the order in a file nor where it was cut into pieces can matter: every rule
below is commutative, associative and idempotent. Markings and embargoes are merged with caution (the most
closed, the latest), the rest keeps what is known (the longest time, the most of it).
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import reduce
from hashlib import blake2b
from math import ceil, floor
from typing import Any, TypeVar

from exchange.indicators import Tlp
from exchange.indicators.context import MAX_ENTRIES, Context, Pap

NOTHING = 0
"""The number of a saying that says nothing."""

_DIGEST_BYTES = 16
_T = TypeVar("_T")
RANK = {tlp: rank for rank, tlp in enumerate(Tlp)}
_PAPS = list(Pap)
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Sayings:
    """The sayings of one run of an import, numbered in the order in which they came.

    Args:
        unmarked: the marking of what is not marked.
        floor: no marking is more open than this.
    """

    def __init__(self, *, unmarked: Tlp, floor: Tlp) -> None:
        self._unmarked, self._floor = unmarked, floor
        self._contexts: list[Context | None] = [None]
        self._markings = [self._rank(None)]
        self._numbers: dict[Context, int] = {}
        self._merged: dict[tuple[int, frozenset[int]], int] = {}
        self.chars = 0
        """How long all of them are."""

    def __len__(self) -> int:
        return len(self._contexts)

    def number(self, context: Context) -> int:
        """The number under which something is said."""
        number = self._numbers.get(context)
        if number is None:
            number = self._numbers[context] = self._append(self._rank(context), context)
        return number

    def merge(self, numbers: frozenset[int]) -> int:
        """The number of what all these say together."""
        if len(numbers) == 1:
            return next(iter(numbers))
        marking = max(self._markings[n] for n in numbers)
        contexts = frozenset(n for n in numbers if self._contexts[n] is not None)
        key = (marking, contexts)
        if key not in self._merged:
            said = [context for n in contexts if (context := self._contexts[n]) is not None]
            self._merged[key] = self._append(marking, reduce(merged, said))
        return self._merged[key]

    def row(self, number: int) -> dict[str, Any]:
        """A saying as the tables ``told`` and ``context`` have it; the digest of nothing is ``None``."""
        return {"number": number, "tlp": self._markings[number], **_row(self._contexts[number])}

    def row_with(self, number: int, document: str) -> dict[str, Any]:
        """What a saying and a stored one say together, as the table ``context`` has it."""
        said, before = self._contexts[number], Context.from_json(json.loads(document))
        return _row(before if said is None else merged(said, before))

    def _rank(self, context: Context | None) -> int:
        stated = context.tlp if context is not None else None
        return max(RANK[stated or self._unmarked], RANK[self._floor])

    def _append(self, marking: int, context: Context | None) -> int:
        self._markings.append(marking)
        self._contexts.append(context)
        self.chars += 0 if context is None else context.chars
        return len(self._contexts) - 1


def merged(a: Context, b: Context) -> Context:
    """What two sayings of one feed about the same indicator say together.

    The most closed marking; the earliest first and the latest last sighting; the latest end of an embargo and
    of validity; the highest confidence and count (a sum would count a repeated line twice); of producers the
    first by the alphabet, of comments the longest; every family, technique, phase and tag. What only one of
    them states, stands.
    """
    return Context(
        tlp=_either(a.tlp, b.tlp, lambda x, y: max(x, y, key=RANK.__getitem__)),
        pap=_either(a.pap, b.pap, lambda x, y: max(x, y, key=_PAPS.index)),
        first_seen=_either(a.first_seen, b.first_seen, min),
        last_seen=_either(a.last_seen, b.last_seen, max),
        not_before=_either(a.not_before, b.not_before, max),
        valid_until=_either(a.valid_until, b.valid_until, max),
        confidence=_either(a.confidence, b.confidence, max),
        sightings=_either(a.sightings, b.sightings, max),
        producer=min(filter(None, (a.producer, b.producer)), default=""),
        malware=_all((*a.malware, *b.malware)),
        techniques=_all((*a.techniques, *b.techniques)),
        phases=_all((*a.phases, *b.phases)),
        tags=_all((*a.tags, *b.tags)),
        comment=max(a.comment, b.comment, key=lambda text: (len(text), text)),
    )


def _either(a: _T | None, b: _T | None, choose: Callable[[_T, _T], _T]) -> _T | None:
    if a is None or b is None:
        return b if a is None else a
    return choose(a, b)


def _all(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words))[:MAX_ENTRIES])


def _row(context: Context | None) -> dict[str, Any]:
    if context is None:
        return {"digest": None}
    document = _encode(context.to_json())
    return {
        "digest": blake2b(document.encode(), digest_size=_DIGEST_BYTES).digest(),
        "document": document,
        "last_seen": _seconds(context.last_seen, floor),
        "not_before": _seconds(context.not_before, ceil),  # never a fraction of a second too early
        "valid_until": _seconds(context.valid_until, floor),
    }


def _seconds(time: datetime | None, rounded: Callable[[float], int]) -> int | None:
    return None if time is None else rounded(time.timestamp())
