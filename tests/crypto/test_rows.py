"""Sort, first occurrences and join of packed rows against Python's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crypto import rows
from crypto.errors import ParameterError
from tests.reference import rows as oracle
from tests.reference.arrays import packed, unpacked

WIDTHS = st.one_of(st.sampled_from([1, 7, 8, 9, 16, 32, 64]), st.integers(1, 64))


@st.composite
def tables(draw: st.DrawFn, width: int | None = None) -> list[bytes]:
    """Rows of one width; few distinct bytes, so that prefixes and whole rows collide."""
    w = width or draw(WIDTHS)
    row = st.one_of(
        st.binary(min_size=w, max_size=w),
        st.builds(lambda byte: bytes(w - 1) + byte, st.binary(min_size=1, max_size=1)),
        st.builds(lambda byte: byte + bytes(w - 1), st.binary(min_size=1, max_size=1)),
    )
    return draw(st.lists(row, max_size=60))


@given(tables())
def test_sort_is_lexicographic(table: list[bytes]) -> None:
    array = packed(table, 3)
    before = array.copy()
    assert unpacked(rows.sort(array)) == sorted(table)
    assert np.array_equal(array, before)


@given(tables())
def test_unique_gives_first_occurrences(table: list[bytes]) -> None:
    found = rows.unique(packed(table))
    assert found.dtype == np.int64
    assert found.tolist() == oracle.unique(table)


@given(st.data(), WIDTHS)
def test_join_pairs_equal_rows(data: st.DataObject, width: int) -> None:
    pool = data.draw(tables(width))
    a = list(dict.fromkeys(data.draw(st.lists(st.sampled_from(pool), max_size=40)) if pool else []))
    b = list(dict.fromkeys(data.draw(tables(width)) + pool[::2]))
    ia, ib = rows.join(packed(a, width), packed(b, width))
    assert list(zip(ia.tolist(), ib.tolist(), strict=True)) == oracle.join(a, b)


@pytest.mark.parametrize("width", [8, 20, 64])
def test_large_tables_agree_with_numpy(width: int) -> None:
    rng = np.random.default_rng(width)
    table = rng.integers(0, 256, (50_000, width), np.uint8)
    table[::3] = table[1]  # every third row equal
    table[1::3, :-1] = 7  # and a third equal up to their last byte
    distinct, first = np.unique(table, axis=0, return_index=True)
    assert np.array_equal(rows.unique(table), np.sort(first))
    assert np.array_equal(rows.sort(table), table[np.lexsort(table.T[::-1])])
    other = np.ascontiguousarray(distinct[::2][::-1])
    ia, ib = rows.join(distinct, other)
    assert np.array_equal(ia, np.arange(0, len(distinct), 2))
    assert np.array_equal(distinct[ia], other[ib])


@pytest.mark.parametrize("function", [rows.sort, rows.unique])
def test_empty_and_single_tables(function) -> None:
    assert len(function(np.empty((0, 5), np.uint8))) == 0
    assert len(function(np.zeros((1, 5), np.uint8))) == 1


def test_join_with_an_empty_table() -> None:
    ia, ib = rows.join(np.empty((0, 4), np.uint8), np.zeros((1, 4), np.uint8))
    assert ia.shape == ib.shape == (0,)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 8), np.int8),
        np.zeros(8, np.uint8),
        np.zeros((2, 2, 2), np.uint8),
        np.zeros((4, 0), np.uint8),
        np.zeros((4, 65), np.uint8),
        np.zeros((8, 4), np.uint8)[::2],
        np.zeros((4, 8), np.uint8)[:, :4],
        np.asfortranarray(np.zeros((4, 8), np.uint8)),
        [[1, 2], [3, 4]],
    ],
    ids=["dtype", "one axis", "three axes", "no width", "too wide", "strided", "sliced", "fortran", "list"],
)
def test_what_is_no_table_is_refused(bad: NDArray[np.uint8]) -> None:
    good = np.zeros((1, 4), np.uint8)
    for call in (lambda: rows.sort(bad), lambda: rows.unique(bad), lambda: rows.join(bad, good)):
        with pytest.raises(ParameterError):
            call()
    with pytest.raises(ParameterError):
        rows.join(good, bad)


def test_join_refuses_duplicates_and_other_widths() -> None:
    good = packed([b"ab", b"cd"])
    for a, b in (
        (packed([b"ab", b"ab"]), good),
        (good, packed([b"cd", b"ab", b"cd"])),
        (good, packed([b"abc"])),
    ):
        with pytest.raises(ParameterError):
            rows.join(a, b)


def test_read_only_arrays_are_borrowed() -> None:
    array = np.frombuffer(b"badcfe", np.uint8).reshape(3, 2)
    assert not array.flags.writeable
    assert unpacked(rows.sort(array)) == [b"ba", b"dc", b"fe"]


pairs = st.lists(st.binary(min_size=2, max_size=2), max_size=12)


@given(pairs)
def test_sortedness_is_that_of_bytes(table: list[bytes]) -> None:
    assert rows.is_sorted(packed(table, 2)) == (table == sorted(table))
    assert rows.is_sorted(packed(sorted(table), 2))


@given(st.integers(1, 10), st.data())
def test_ascending_is_sorted_without_repeats(width: int, data: st.DataObject) -> None:
    """Long rows that differ in their tails only, too."""
    letters = st.text("ab", min_size=width, max_size=width)
    table = [row.encode() for row in data.draw(st.lists(letters, max_size=6))]
    for rows_ in (table, sorted(table), sorted(set(table))):
        assert rows.ascends(packed(rows_, width)) == (rows_ == sorted(set(rows_)))


@given(pairs, pairs)
def test_positions_are_those_of_shared_rows_each_once(own: list[bytes], other: list[bytes]) -> None:
    expected = [i for i, row in enumerate(own) if row in other and own.index(row) == i]
    assert rows.positions_in(packed(own, 2), packed(other, 2)).tolist() == expected
