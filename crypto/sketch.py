"""Sketches of fixed size: the share of their slots that are equal is about how similar two sets are.

Under a salt an item has a sequence of throws. Each of the first ``slots`` hits any slot, and has a value; of
as many more, one hits each slot. A slot is won by the item that hits it with the earliest throw; of those of
one throw, by the one with the smallest value. So every slot has a winner, which depends on the set and not
on its order, and two sets have the same winner if, and only if, that of their union is in both: with
probability ``|A and B| / |A or B|``, their Jaccard similarity. The estimate is unbiased, and its tails have
the Chernoff bounds of as many independent slots. Work is about ``n + slots * ln(slots)`` hashes.

Sketches can be compared under one salt only. Who knows the salt can test guesses against a sketch: it is as
secret as its set.

Sources: Dahlgaard, Knudsen, Thorup, "Fast Similarity Sketching", FOCS 2017; Clopper, Pearson, "The use of
confidence or fiducial limits illustrated in the case of the binomial", Biometrika 1934.
"""

import math
from collections.abc import Iterator
from secrets import token_bytes
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crypto import hashing, labels
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.hashing import HASH_BYTES
from crypto.rows import Rows, check

SLOTS = 4096
"""Slots of a sketch that is compared with a peer's. The similarity is off by 0.02 at most in 99 of 100."""
MAX_SLOTS = 1 << 16
_BLOCK = 1 << 18
"""Throws that are looked at together: some 40 MB."""
_HITS = 12
"""After so many hits a slot, on average, one of 4096 is open with a chance of 1 in 40."""
_NUMBER_BYTES = 4
_STEPS = 60
"""Halvings of an interval of length 1: as fine as a float."""


def sketch(items: Rows, salt: bytes, slots: int = SLOTS, *, rng: Rng = token_bytes) -> Rows:
    """The sketch of a set.

    Args:
        items: ``(n, 32)`` uint8; repeated rows change nothing.
        salt: what both parties agreed on, any bytes.
        slots: how many.
        rng: randomness for the sketch of the empty set, which equals no other.

    Returns:
        ``(slots, 32)`` uint8, distinct rows: slot and winner, hashed together under the salt.

    Raises:
        ParameterError: the items have another shape, or there are no slots, or too many.
    """
    check(items, width=HASH_BYTES)
    if not 1 <= slots <= MAX_SLOTS:
        raise ParameterError(f"a sketch has 1 to {MAX_SLOTS} slots")
    if not len(items):
        return np.frombuffer(rng(slots * HASH_BYTES), np.uint8).reshape(slots, HASH_BYTES)
    won = np.empty((slots, HASH_BYTES + _NUMBER_BYTES), np.uint8)
    won[:, :HASH_BYTES] = items[_winners(items, salt, slots)]
    won[:, HASH_BYTES:] = _bytes_of(np.arange(slots))
    return hashing.keyed_rows(hashing.derive_key(labels.SKETCH_ROW, salt), won)


def _winners(items: Rows, salt: bytes, slots: int) -> NDArray[np.int64]:
    """Which item wins each slot. ``(slots,)``."""
    key = hashing.derive_key(labels.SKETCH_PLACE, salt)
    winner = np.full(slots, -1, np.int64)
    for throws in _throws(len(items), slots):
        _throw(items, key, throws, winner)
        if winner.min() >= 0:
            return winner
    _throw(items, key, slots + np.flatnonzero(winner < 0), winner)
    return winner


def _throws(n: int, slots: int) -> Iterator[NDArray[np.int64]]:
    """The throws that hit any slot, in order, so many at a time as seldom leave a slot open."""
    together = max(1, min(_HITS * slots, _BLOCK) // n)
    for first in range(0, slots, together):
        yield np.arange(first, min(first + together, slots))


def _throw(items: Rows, key: bytes, throws: NDArray[np.int64], winner: NDArray[np.int64]) -> None:
    """Let every item throw, and set the winners of slots that have none yet."""
    slots = len(winner)
    best = np.where(winner < 0, np.iinfo(np.uint64).max, 0).astype(np.uint64)
    # Either one throw in several parts, or several throws in one part, or each slot has a throw of its own:
    # so what a part leaves in ``best`` is always of the same throw as what the next one has for that slot.
    part = max(1, _BLOCK // len(throws))
    for start in range(0, len(items), part):
        drawn = _drawn(items[start : start + part], key, throws)
        n = len(drawn) // len(throws)
        slot = _any_slot(drawn[:, 0], slots) if throws[0] < slots else np.repeat(throws - slots, n)
        value = drawn[:, 1]
        better = np.flatnonzero(value < best[slot])  # nearly none, once the slots are filled
        order = better[np.lexsort((value[better], better // n, slot[better]))]
        first = order[np.diff(slot[order], prepend=-1) != 0]
        best[slot[first]] = value[first]
        winner[slot[first]] = start + first % n


def _drawn(items: Rows, key: bytes, throws: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Four numbers for each throw of each item, the first throw of all items first."""
    table = np.empty((len(throws), len(items), HASH_BYTES + _NUMBER_BYTES), np.uint8)
    table[:, :, :HASH_BYTES] = items
    table[:, :, HASH_BYTES:] = _bytes_of(throws)[:, None]
    return hashing.keyed_rows(key, table.reshape(-1, table.shape[2])).view("<u8")


def _any_slot(drawn: NDArray[np.uint64], slots: int) -> NDArray[np.int64]:
    """The upper half of a number, scaled to the slots."""
    return ((drawn >> np.uint64(32)) * np.uint64(slots) >> np.uint64(32)).astype(np.int64)


def _bytes_of(numbers: NDArray[np.int64]) -> Rows:
    return numbers.astype("<u4").view(np.uint8).reshape(len(numbers), _NUMBER_BYTES)


class Shared(NamedTuple):
    """How many items two sets share, from their sketches.

    Attributes:
        low: no fewer, with the confidence that was asked for.
        estimate: the most likely number, if the peer's true size lies in the middle of its bounds.
        high: no more.
    """

    low: int
    estimate: int
    high: int


def interval(equal: int, slots: int, *, confidence: float = 0.99) -> tuple[float, float]:
    """Between which bounds the similarity lies (Clopper-Pearson).

    Args:
        equal: slots that are equal.
        slots: of so many.
        confidence: how likely both bounds hold, at least.

    Raises:
        ParameterError: more slots are equal than there are, or the confidence is none.
    """
    if not 0 <= equal <= slots or not slots or not 0 < confidence < 1:
        raise ParameterError("an interval is of 0 to all slots, with a confidence between 0 and 1")
    outside = (1 - confidence) / 2
    return _least(equal, slots, outside), 1 - _least(slots - equal, slots, outside)


def shared(
    equal: int, slots: int, *, own: int, peer_low: int, peer_high: int, confidence: float = 0.99
) -> Shared:
    """How many items are shared: ``J / (1 + J)`` of both sizes together.

    Args:
        equal: slots that are equal.
        slots: of so many.
        own: how many distinct items we hold.
        peer_low: the peer holds no fewer.
        peer_high: the peer holds no more.
        confidence: how likely both bounds hold, at least.

    Raises:
        ParameterError: a number is out of range.
    """
    if own < 0 or not 0 <= peer_low <= peer_high:
        raise ParameterError("sizes are not negative, and a lower bound is not above the upper one")
    low, high = interval(equal, slots, confidence=confidence)
    most = min(own, peer_high, math.floor(_part(high) * (own + peer_high)))
    least = min(most, math.ceil(_part(low) * (own + peer_low)))
    estimate = round(_part(equal / slots) * (own + (peer_low + peer_high) / 2))
    return Shared(least, min(max(estimate, least), most), most)


def _part(similarity: float) -> float:
    return similarity / (1 + similarity)


def _least(equal: int, slots: int, outside: float) -> float:
    """The smallest probability under which as many slots or more are equal not too seldom."""
    if not equal:
        return 0.0
    at = np.arange(equal, slots + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, slots + 1)))])
    ways = logs[slots] - logs[at] - logs[slots - at]
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        p = (low + high) / 2
        tail = float(np.exp(ways + at * math.log(p) + (slots - at) * math.log1p(-p)).sum())
        low, high = (p, high) if tail < outside else (low, p)
    return low
