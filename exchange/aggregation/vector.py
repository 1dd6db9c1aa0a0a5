"""What a member puts in: from what its store says of each entry of the dictionary to the words of its vector.

In a **count** an entry that we have puts a single 1 into one of its slots: the first one where we saw it
ourselves, otherwise the one that the run draws for whoever reported it first. So all copies of one report
meet in one slot, and a slot of copies is one voice, however many repeat it. In a **sum** our own sightings
count and nothing else.

Source: Whang, Vander-Zanden, Taylor, TODS 1990 (counting distinct origins by the slots they fall into).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from crypto import labels
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import Measure, Opening
from exchange.indicators import IndicatorType

OWN = 0
"""The slot of members' own sightings."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one feed of ours says of an entry.

    Attributes:
        own: whether it is our own sighting.
        origin: who reported it first, where it is a copy: its producer, or the source that we have it from.
        sightings: how often it was seen, None where that is not stated.
        confidence: from 0 to 100, None where that is not stated.
        first: when it was seen first, UTC; when it was first imported, where that is not stated.
        last: when it was seen last, UTC; when it was imported last, where that is not stated.
    """

    own: bool
    origin: str
    sightings: int | None
    confidence: int | None
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Filled:
    """Our vector, and what the ledger says of it.

    Attributes:
        words: ``(d,)`` unsigned, of the width of the run; without noise.
        entered: by type, for how many entries we put something in.
        clipped: how many of our numbers were cut down to the cap.
    """

    words: NDArray[Any] = field(repr=False)
    entered: Mapping[IndicatorType, int]
    clipped: int

    def ours(self, words: int) -> NDArray[np.bool_]:
        """For which entries we put something in, ``(entries,)``; ``words`` are those of an entry."""
        return np.asarray(self.words.reshape(-1, words).any(axis=1))


def fill(opening: Opening, dictionary: Dictionary, known: Iterable[tuple[int, Sequence[Seen]]]) -> Filled:
    """Fill in our vector.

    Args:
        opening: of the run.
        dictionary: of the run.
        known: for positions of the dictionary what our feeds say of it that may enter.

    Raises:
        PeerMisbehaved: it is the dictionary of another run.
    """
    dictionary.check(opening)
    words = np.zeros((opening.entries, opening.words), f"<u{opening.width // 8}")
    entered: Counter[IndicatorType] = Counter()
    clipped = 0
    for position, said in known:
        counting = [one for one in said if _counts(opening, one)]
        if opening.measure is Measure.COUNT:
            slot = slot_of(opening, counting)
            if slot is None:
                continue
            words[position, slot] = 1
        else:
            value = _value(opening.measure, [one for one in counting if one.own])
            clipped += value > opening.cap
            value = min(value, opening.cap)
            words[position] = (value, value * value, bool(value))
            if not value:
                continue
        entered[dictionary[position].type] += 1
    return Filled(words.reshape(-1), dict(sorted(entered.items())), clipped)


def slot_of(opening: Opening, said: Sequence[Seen]) -> int | None:
    """The slot that we vote in for an entry; None where we have no voice.

    Of several origins one is taken, the same by every member that has the same ones. Where a run has one
    slot, as with noise, nobody can tell copies apart: then our own sightings alone are a voice.
    """
    if any(one.own for one in said):
        return OWN
    if not said or opening.slots == 1:
        return None
    origins = {plainly(one.origin) for one in said}
    drawn = min(
        sha256(labels.AGGREGATE_ORIGIN.encode() + b"\x00" + opening.context + origin.encode()).digest()
        for origin in origins
    )
    return 1 + int.from_bytes(drawn) % (opening.slots - 1)


def plainly(origin: str) -> str:
    """A name as several members may write it: case, width and white space do not count."""
    return " ".join(normalize("NFKC", origin).casefold().split())


def _counts(opening: Opening, seen: Seen) -> bool:
    """Whether it was seen in the window, and lately enough."""
    first, last = (moment.astimezone(UTC).date() for moment in (seen.first, seen.last))
    return min(first, last) <= opening.window[1] and last >= opening.earliest


def _value(measure: Measure, own: Sequence[Seen]) -> int:
    """How much we saw of an entry, at least 1; what nobody counted was seen once, no confidence is the least.

    Where several feeds of ours say something, the most of it counts: they may have seen the same. Who saw an
    entry never puts in nothing: enough members were counted for it, and all of them have to stand behind it.
    """
    if not own:
        return 0
    times = max(one.sightings or 1 for one in own)
    return times if measure is Measure.SIGHTINGS else times * max(one.confidence or 1 for one in own)
