"""Tables of over-threshold discovery by the definitions: the oracle of ``crypto.secagg.threshold``."""

from collections.abc import Sequence
from itertools import combinations

from blake3 import blake3

from crypto import labels
from tests.reference import secagg
from tests.reference.hashing import derive_key

PRIME = 2**61 - 1


def number(context: bytes, item: bytes, at: int, length: int) -> int:
    """Bytes of an item's stream."""
    key = derive_key(labels.THRESHOLD_ITEM, context)
    return int.from_bytes(blake3(item, key=key).digest(length=length, seek=at), "little")


def priority(context: bytes, item: bytes, table: int) -> int:
    return number(context, item, 64 * (table // 2), 8)


def place(context: bytes, item: bytes, table: int, insertion: int, bins: int) -> int:
    at = 64 * (table // 2) + 8 * (1 + 2 * (table % 2) + insertion)
    return number(context, item, at, 8) * bins >> 64


def cell(context: bytes, item: bytes, table: int, insertion: int, threshold: int, point: int) -> int:
    """The value of the item's polynomial."""
    start = 2**20 + 2**10 * (2 * table + insertion)
    stored = [number(context, item, start + 16 * k, 16) for k in range(threshold - 1)]
    degrees = range(threshold - 1, 0, -1)
    return sum(a * pow(point, degree, PRIME) for a, degree in zip(stored, degrees, strict=True)) % PRIME


def table(context: bytes, items: Sequence[bytes], index: int, bins: int) -> list[tuple[int, int] | None]:
    """For each bin the item that stands there, and by which insertion."""
    taken: dict[int, tuple[int, int]] = {}
    for insertion in (0, 1):
        candidates: dict[int, list[int]] = {}
        for at, item in enumerate(items):
            candidates.setdefault(place(context, item, index, insertion, bins), []).append(at)
        best = min if index % 2 == insertion else max
        for where, among in candidates.items():
            winner = best(among, key=lambda at: priority(context, items[at], index))
            taken.setdefault(where, (winner, insertion))
    return [taken.get(where) for where in range(bins)]


def tables(
    context: bytes, items: Sequence[bytes], point: int, seed: bytes, *, threshold: int, bins: int, count: int
) -> tuple[list[int], list[int]]:
    """Cells and slots."""
    cells, slots = [], []
    for index in range(count):
        for where, held in enumerate(table(context, items, index, bins)):
            if held is None:
                block = secagg.stream(seed, 16 * (index * bins + where), 16)
                cells.append(int.from_bytes(block, "little") % PRIME)
                slots.append(-1)
            else:
                at, insertion = held
                cells.append(cell(context, items[at], index, insertion, threshold, point))
                slots.append(2 * at + insertion)
    return cells, slots


def at_zero(points: Sequence[int], cells: Sequence[int]) -> int:
    """What Lagrange's polynomial through some cells is at zero."""
    total = 0
    for i, x in enumerate(points):
        weight = cells[i]
        for j, other in enumerate(points):
            if i != j:
                weight = weight * other * pow(other - x, -1, PRIME) % PRIME
        total += weight
    return total % PRIME


def find(
    cells: Sequence[Sequence[int]], points: Sequence[int], threshold: int
) -> set[tuple[int, frozenset[int]]]:
    """At every place, the sets of exactly ``threshold`` members whose cells belong together."""
    return {
        (where, frozenset(chosen))
        for where in range(len(cells[0]))
        for chosen in combinations(range(len(cells)), threshold)
        if at_zero([points[i] for i in chosen], [cells[i][where] for i in chosen]) == 0
    }
