"""Packed rows: a set is an ``(n, w)`` uint8 array, C-contiguous, never a list of a million objects."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto import _native
from crypto.errors import ParameterError

Rows = NDArray[np.uint8]
"""An ``(n, w)`` uint8 array, C-contiguous."""

MAX_WIDTH = 64
MAX_ROWS = 2**32 - 1


def check(rows: NDArray[Any], *, width: int | None = None, max_width: int | None = None) -> None:
    """Refuse what is no table of rows, before anything is computed.

    Args:
        rows: the caller's array.
        width: bytes a row must have, or ``None`` for any number but zero.
        max_width: bytes a row may have.

    Raises:
        ParameterError: not a C-contiguous two-dimensional uint8 array, too many rows, or of another width.
    """
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2:  # noqa: PLR2004
        raise ParameterError("rows are a two-dimensional uint8 array")
    if not rows.flags.c_contiguous:
        raise ParameterError("rows are C-contiguous (use numpy.ascontiguousarray)")
    if rows.shape[0] > MAX_ROWS:
        raise ParameterError("a table has fewer than 2^32 rows")
    if width is not None and rows.shape[1] != width:
        raise ParameterError(f"rows have {width} bytes here, not {rows.shape[1]}")
    if not 1 <= rows.shape[1] <= (max_width or rows.shape[1]):
        raise ParameterError(f"rows have 1 to {max_width or 'any number of'} bytes, not {rows.shape[1]}")


def table(rows: Iterable[bytes], width: int) -> Rows:
    """Rows of bytes as one array, ``(n, width)`` uint8. It is read-only.

    Raises:
        ParameterError: together they are no number of rows of that width.
    """
    joined = b"".join(rows)
    if len(joined) % width:
        raise ParameterError(f"rows have {width} bytes here")
    return np.frombuffer(joined, np.uint8).reshape(-1, width)


def sort(rows: Rows) -> Rows:
    """The rows in lexicographic order.

    Args:
        rows: ``(n, w)`` uint8, ``1 <= w <= 64``; not changed.

    Returns:
        ``(n, w)`` uint8.

    Raises:
        ParameterError: the array is no table of rows.
    """
    check(rows, max_width=MAX_WIDTH)
    return _native.rows_sort(rows)


def unique(rows: Rows) -> NDArray[np.int64]:
    """Where each distinct row stands first.

    Args:
        rows: ``(n, w)`` uint8, ``1 <= w <= 64``.

    Returns:
        ``(k,)`` int64, ascending.

    Raises:
        ParameterError: the array is no table of rows.
    """
    check(rows, max_width=MAX_WIDTH)
    return _native.rows_unique(rows)


def join(a: Rows, b: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair the rows that both tables hold.

    Args:
        a: ``(n, w)`` uint8, ``1 <= w <= 64``, without duplicates.
        b: ``(m, w)`` uint8, without duplicates.

    Returns:
        Two ``(k,)`` int64 arrays with ``a[ia] == b[ib]``; ``ia`` ascends.

    Raises:
        ParameterError: an array is no table of rows, the widths differ, or a table repeats a row.
    """
    check(a, max_width=MAX_WIDTH)
    check(b, width=a.shape[1])
    return _native.rows_join(a, b)


def positions_in(own: Rows, other: Rows) -> NDArray[np.int64]:
    """Positions of the rows of ``own`` that occur in ``other``; both may repeat rows."""
    mine, theirs = unique(own), unique(other)
    found, _ = join(np.ascontiguousarray(own[mine]), np.ascontiguousarray(other[theirs]))
    return mine[found]


def is_sorted(table: Rows) -> bool:
    """Whether rows stand in ascending order, equal ones allowed. Linear, without a copy of the table."""
    if len(table) < 2:  # noqa: PLR2004
        return True
    differs = table[1:] != table[:-1]
    first: NDArray[Any] = differs.argmax(axis=1)
    at = np.arange(len(first))
    return bool(np.all(table[1:][at, first] >= table[:-1][at, first]))
