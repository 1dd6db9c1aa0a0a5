"""Packed sets of tags against the definition of the code, and against plain sets."""

import numpy as np
import pytest

from crypto import tagset
from crypto.errors import DecodeError, ParameterError
from tests.reference.tagset import pack

SIZES = [0, 1, 2, 3, 4, 7, 8, 31, 64, 65, 500]


def tags(n: int, seed: int = 1):
    return np.random.default_rng([n, seed]).integers(0, 256, (n, 16), dtype=np.uint8)


def numbers(rows) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


@pytest.mark.parametrize("n", SIZES)
def test_a_packing_is_that_of_the_definition(n):
    rows = tags(n)
    packed = tagset.pack(rows)
    assert packed.tobytes() == pack(numbers(rows))
    assert packed.shape == (1, tagset.packed_bytes(n))
    assert np.array_equal(packed, tagset.pack(rows[::-1].copy())), "it does not depend on the order"


@pytest.mark.parametrize("rows", [np.zeros((9, 16), np.uint8), np.full((9, 16), 255, np.uint8)])
def test_tags_may_repeat(rows):
    assert tagset.pack(rows).tobytes() == pack(numbers(rows))
    assert tagset.positions(rows, tagset.pack(rows), count=9).tolist() == list(range(9))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("own", [0, 1, 40, 3000])
def test_positions_are_those_of_the_common_tags(n, own):
    theirs, ours = tags(n), tags(own, seed=2)
    common = min(n, own) // 2
    ours[own - common :] = theirs[:common]
    found = tagset.positions(ours, tagset.pack(theirs), count=n)
    assert found.tolist() == list(range(own - common, own))
    assert found.dtype == np.int64


@pytest.mark.parametrize("n", [1, 5, 64, 500])
def test_what_is_no_packing_is_refused_or_is_that_of_another_set(n):
    packed = tagset.pack(tags(n))
    for byte in range(0, packed.size, 1 + packed.size // 40):
        changed = packed.copy()
        changed[0, byte] ^= 1 << byte % 8
        try:
            assert len(tagset.positions(tags(n), changed, count=n)) < n
        except DecodeError:
            continue


def test_other_shapes_are_our_own_mistake():
    packed = tagset.pack(tags(5))
    wrong = (
        lambda: tagset.pack(tags(5)[:, :15].copy()),
        lambda: tagset.positions(tags(5), packed, count=6),
        lambda: tagset.packed_bytes(-1),
        lambda: tagset.packed_bytes(1 << 32),
    )
    for call in wrong:
        with pytest.raises(ParameterError):
            call()
