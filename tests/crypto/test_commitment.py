"""A commitment binds a set, hides it, and opens at each of its rows and at no other."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from crypto.commitment import Opening, commit, open_row, verify_opening
from crypto.errors import ParameterError
from crypto.hashing import item_rows
from crypto.rows import Rows
from tests.reference import commitment as reference

SALT = bytes(range(32))


def rows(n: int, start: int = 0) -> Rows:
    return item_rows("ipv4", [str(i) for i in range(start, start + n)])


def as_bytes(table: Rows) -> list[bytes]:
    return [row.tobytes() for row in table]


@given(
    st.lists(st.binary(min_size=32, max_size=32), max_size=40, unique=True),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=80, deadline=None)
def test_it_is_what_the_definitions_say(values: list[bytes], salt: bytes) -> None:
    table = np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)
    root = commit(table, salt)
    assert root == reference.commit(values, salt)
    for value in values[:5]:
        opening = open_row(table, salt, value)
        assert opening is not None
        blind, index, path = reference.open_row(values, salt, value)
        assert (opening.blind, opening.index, as_bytes(opening.path)) == (blind, index, path)
        assert verify_opening(root, len(values), value, opening)


@pytest.mark.parametrize("n", [1000, 4095, 4096, 5001])
def test_larger_sets_too(n: int) -> None:
    table = rows(n)
    assert commit(table, SALT) == reference.commit(as_bytes(table), SALT)


def test_only_the_set_the_salt_and_the_size_decide() -> None:
    table = rows(100)
    root = commit(table, SALT)
    assert commit(np.ascontiguousarray(table[::-1]), SALT) == root
    others = [
        commit(rows(99), SALT),
        commit(rows(101), SALT),
        commit(rows(100, 1), SALT),
        commit(table, bytes(32)),
    ]
    assert len({root, *others}) == 5


def test_an_empty_set_has_a_root_that_hides_it_and_opens_nowhere() -> None:
    assert commit(rows(0), SALT) == reference.commit([], SALT) != commit(rows(0), bytes(32))
    assert open_row(rows(0), SALT, bytes(32)) is None
    opening = Opening(bytes(32), 0, rows(0))
    assert not verify_opening(commit(rows(0), SALT), 0, bytes(32), opening)


def test_what_is_not_in_the_set_does_not_open() -> None:
    table = rows(50)
    outside = as_bytes(rows(1, 1000))[0]
    assert open_row(table, SALT, outside) is None
    inside = as_bytes(table)[7]
    opening = open_row(table, SALT, inside)
    assert opening is not None
    assert not verify_opening(commit(table, SALT), 50, outside, opening)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 8, 33])
def test_no_byte_of_an_opening_can_be_changed(n: int) -> None:
    table = rows(n)
    root, row = commit(table, SALT), as_bytes(table)[n // 2]
    opening = open_row(table, SALT, row)
    assert opening is not None

    def shows(o: Opening, *, root: bytes = root, n: int = n, row: bytes = row) -> bool:
        return verify_opening(root, n, row, o)

    assert shows(opening)
    flipped = bytes([opening.blind[0] ^ 1]) + opening.blind[1:]
    assert not shows(replace(opening, blind=flipped))
    assert not any(shows(replace(opening, index=i)) for i in range(-1, n + 2) if i != opening.index)
    assert not any(shows(opening, n=other) for other in range(2 * n + 2) if other != n)
    assert not shows(opening, root=bytes(32))
    for at in range(opening.path.size):
        path = opening.path.copy()
        path.reshape(-1)[at] ^= 1
        assert not shows(replace(opening, path=path))
    assert not shows(replace(opening, path=np.vstack([opening.path, np.zeros((1, 32), np.uint8)])))
    if len(opening.path):
        assert not shows(replace(opening, path=opening.path[:-1]))
        assert not shows(replace(opening, path=np.ascontiguousarray(opening.path[1:])))


def test_an_opening_of_wrong_shape_shows_nothing() -> None:
    table = rows(8)
    root, row = commit(table, SALT), as_bytes(table)[0]
    opening = open_row(table, SALT, row)
    assert opening is not None
    for wrong in (
        replace(opening, blind=b"short"),
        replace(opening, index=-1),
        replace(opening, index=2**70),
        replace(opening, path=opening.path[:, :31]),
        replace(opening, path=opening.path.astype(np.int64)),
        replace(opening, path=opening.path.reshape(-1)),
    ):
        assert not verify_opening(root, 8, row, wrong)


def test_a_leaf_cannot_be_tested_against_a_guess() -> None:
    """Who knows an opening, and so leaves beside it, finds no other row of the set by hashing rows."""
    table = rows(2)
    first, second = as_bytes(table)
    opening = open_row(table, SALT, first)
    assert opening is not None
    (sibling,) = as_bytes(opening.path)
    known = (opening.blind, bytes(32), second, b"")
    assert reference.leaf(SALT, second) == sibling, "with the salt it can"
    assert all(reference.leaf(guess, second) != sibling for guess in known)
    assert reference.blind(SALT, first) != reference.blind(SALT, second)


def test_arguments_are_checked() -> None:
    table = rows(3)
    twice = np.vstack([table, table[:1]])
    opening = Opening(bytes(32), 0, rows(0))
    for refused in (
        lambda: commit(twice, SALT),
        lambda: open_row(twice, SALT, bytes(32)),
        lambda: commit(table[:, :16].copy(), SALT),
        lambda: commit(table, SALT[:31]),
        lambda: open_row(table, b"", bytes(32)),
        lambda: open_row(table, SALT, bytes(31)),
        lambda: verify_opening(bytes(31), 3, bytes(32), opening),
        lambda: verify_opening(bytes(32), 3, bytes(33), opening),
        lambda: verify_opening(bytes(32), -1, bytes(32), opening),
        lambda: verify_opening(bytes(32), 2**32, bytes(32), opening),
    ):
        with pytest.raises(ParameterError):
            refused()


def test_secrets_are_not_shown() -> None:
    opening = open_row(rows(3), SALT, as_bytes(rows(3))[0])
    assert opening is not None
    assert repr(opening) == f"Opening(index={opening.index})"
