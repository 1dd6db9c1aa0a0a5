"""Tables that show which items at least ``t`` members hold, and nothing of the others: random hashing.

Every member writes ``count`` tables of as many bins as all have agreed on. An item stands in a bin of a
table, by its first or its second insertion, as the value of a polynomial at the member's own point; the
polynomial has degree ``t - 1`` and no constant term, and all of it comes from the item's PRF output.
Whoever has everybody's tables finds cells that are values of one polynomial: ``t`` or more of one item.
Fewer are uniform.

An item that exactly ``t`` members hold is missed by a pair of tables with a chance of 0.061 at most, where
each table has at least ``t`` bins for each item of the largest set; by twenty tables with less than 2^-40.
A set of members is found where there is none with a chance of 2^-61 for each set of ``t`` and each bin.

Source: Arpaci, Boutaba, Kerschbaum, "Over-Threshold Multiparty Private Set Intersection for Collaborative
Network Intrusion Detection", NSDI 2026 (arXiv 2510.12045); what differs: ``native/src/threshold.rs``.
"""

from collections.abc import Sequence
from math import comb
from secrets import token_bytes
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crypto import _native, labels
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.hashing import derive_key
from crypto.rows import Rows, check

PRIME = (1 << 61) - 1
"""Cells are numbers modulo it."""
CELL_BYTES = 8
ITEM_BYTES = 64
TABLES = 20
"""Ten pairs: an item that enough members hold is missed with a chance below 2^-40."""
INSERTIONS = 2
"""An item has as many bins in each table, and stands in some of them, or none."""
MAX_THRESHOLD = 64
MAX_MEMBERS = 128
MAX_BINS = 1 << 28
MAX_TABLES = 1 << 13
FILLER = -1
_SEED_BYTES = 32


class Tables(NamedTuple):
    """The tables of one member.

    Attributes:
        cells: ``(count * bins,)`` uint64, table by table: what is handed in.
        slots: ``(count * bins,)`` int64, which is not: ``2 * item + insertion`` for what stands in a cell, or
            ``FILLER``.
    """

    cells: NDArray[np.uint64]
    slots: NDArray[np.int64]


class Found(NamedTuple):
    """What was found in the tables of all.

    Attributes:
        places: ``(k,)`` int64, ascending: ``table * bins + bin``.
        members: ``(k, n)`` bool: whose cells at the place belong together; the largest such sets.
    """

    places: NDArray[np.int64]
    members: NDArray[np.bool_]


def tables(
    items: Rows,
    point: int,
    *,
    context: bytes,
    threshold: int,
    bins: int,
    count: int = TABLES,
    rng: Rng = token_bytes,
) -> Tables:
    """Write the tables of a member.

    Args:
        items: ``(m, 64)`` uint8, PRF outputs of distinct items.
        point: where this member evaluates polynomials, 1 to ``PRIME - 1``; no other member has it.
        context: what the session is bound to; the same for all members.
        threshold: how many holders show an item.
        bins: of each table, the same for all members.
        count: how many tables.
        rng: asked for 32 bytes, from which come the cells that no item has.

    Raises:
        ParameterError: a size, the threshold or the point is out of range.
    """
    check(items, width=ITEM_BYTES)
    _check_range(threshold, 2, MAX_THRESHOLD, "a threshold")
    _check_range(point, 1, PRIME - 1, "a point")
    _check_range(bins, 1, MAX_BINS, "the number of bins")
    _check_range(count, 1, MAX_TABLES, "the number of tables")
    key = derive_key(labels.THRESHOLD_ITEM, context)
    return Tables(*_native.threshold_tables(items, key, point, threshold, bins, count, rng(_SEED_BYTES)))


def values(
    items: Rows,
    slots: NDArray[np.int64],
    places: NDArray[np.int64],
    points: Sequence[int],
    *,
    context: bytes,
    threshold: int,
    bins: int,
) -> NDArray[np.uint64]:
    """What the cells of others are at places where an item of ours stands, if they hold it, too.

    Args:
        items: ``(m, 64)`` uint8, as they went into our tables.
        slots: of our tables.
        places: ``(k,)`` int64, none of them filler.
        points: of the others.
        context: of the session.
        threshold: of the session.
        bins: of the session.

    Returns:
        ``(k, len(points))`` uint64.

    Raises:
        ParameterError: a place is filler or no place, or a point is out of range or comes twice.
    """
    check(items, width=ITEM_BYTES)
    _check_range(threshold, 2, MAX_THRESHOLD, "a threshold")
    if len(places) and (places.min() < 0 or places.max() >= len(slots)):
        raise ParameterError("a place is none of the tables")
    chosen = slots[places]
    if (chosen < 0).any():
        raise ParameterError("no item of ours stands at a place")
    where = (2 * (places // bins) + chosen % 2).astype(np.uint32)
    held = np.ascontiguousarray(items[chosen // 2])
    key = derive_key(labels.THRESHOLD_ITEM, context)
    return _native.threshold_values(held, key, where, _points(points), threshold)


def find(cells: Sequence[NDArray[np.uint64]], points: Sequence[int], threshold: int) -> Found:
    """Which members' cells belong together, at every place of their tables.

    It takes about ``work(n, threshold)`` for each place.

    Args:
        cells: of each member, ``(count * bins,)`` uint64.
        points: of each member.
        threshold: how many cells belong together at least.

    Raises:
        DecodeError: a cell is no number modulo ``PRIME``, or more sets belong together than those of honest
            members can: members work together to fill the result.
        ParameterError: shapes do not fit together, or a point is out of range or comes twice.
    """
    _check_range(threshold, 2, MAX_THRESHOLD, "a threshold")
    if not threshold <= len(cells) == len(points) <= MAX_MEMBERS:
        raise ParameterError(f"there are {threshold} to {MAX_MEMBERS} members, and a point for each")
    if any(table.dtype != np.uint64 or table.ndim != 1 for table in cells):
        raise ParameterError("tables are one-dimensional uint64 arrays")
    places, members = _native.threshold_find(list(cells), _points(points), threshold)
    return Found(places, members.view(np.bool_))


def work(members: int, threshold: int) -> tuple[int, int]:
    """Products and comparisons that ``find`` takes for each place.

    Raises:
        ParameterError: there are fewer members than the threshold.
    """
    if not 2 <= threshold <= members:  # noqa: PLR2004
        raise ParameterError("a threshold is at least 2, and at most the number of members")
    products = sum(comb(members, size) for size in range(2, threshold)) + members
    return products, comb(members, threshold)


def _points(points: Sequence[int]) -> NDArray[np.uint64]:
    for point in points:
        _check_range(point, 1, PRIME - 1, "a point")
    return np.array(points, np.uint64)


def _check_range(value: int, least: int, most: int, name: str) -> None:
    if not least <= value <= most:
        raise ParameterError(f"{name} is between {least} and {most}")
