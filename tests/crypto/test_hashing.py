"""Keyed hashing against the independent ``blake3`` package."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import hashing
from crypto.errors import ParameterError
from tests.reference import hashing as oracle
from tests.reference.arrays import packed, unpacked

KINDS = st.sampled_from(["ipv4", "domain", "url", "sha256"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)


@given(KINDS, st.lists(TEXTS, max_size=20))
def test_items_hash_kind_and_value(kind: str, values: list[str]) -> None:
    assert unpacked(hashing.item_rows(kind, values)) == [oracle.item(kind, value) for value in values]


def test_items_across_chunks_of_the_kernel() -> None:
    values = [f"host-{index}.example" * (index % 5) for index in range(3000)]
    assert unpacked(hashing.item_rows("domain", values)) == [oracle.item("domain", value) for value in values]


def test_kind_separates_equal_values() -> None:
    a, b = hashing.item_rows("md5", ["x"]), hashing.item_rows("sha1", ["x"])
    assert not np.array_equal(a, b)


@given(TEXTS.filter(lambda text: "\0" not in text), st.lists(st.binary(max_size=70), max_size=4))
def test_derived_keys(label: str, material: list[bytes]) -> None:
    assert hashing.derive_key(label, *material) == oracle.derive_key(label, *material)


def test_derived_keys_bind_the_boundaries_of_material() -> None:
    keys = {
        hashing.derive_key("test", *parts) for parts in ((), (b"",), (b"ab",), (b"a", b"b"), (b"", b"ab"))
    }
    assert len(keys) == 5


@given(st.binary(min_size=32, max_size=32), st.integers(1, 200), st.data())
def test_keyed_rows(key: bytes, width: int, data: st.DataObject) -> None:
    table = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=8))
    assert unpacked(hashing.keyed_rows(key, packed(table))) == [oracle.keyed(key, row) for row in table]


def test_nothing_hashes_to_nothing() -> None:
    assert hashing.item_rows("ipv4", []).shape == (0, 32)
    assert hashing.keyed_rows(bytes(32), np.empty((0, 7), np.uint8)).shape == (0, 32)


@pytest.mark.parametrize("kind", ["", "a\x1fb", "line\n"])
def test_a_kind_with_control_characters_is_refused(kind: str) -> None:
    with pytest.raises(ParameterError):
        hashing.item_rows(kind, ["x"])


def test_a_lone_surrogate_is_refused_and_not_quoted() -> None:
    with pytest.raises(ParameterError) as caught:
        hashing.item_rows("url", ["fine", "secret\ud800"])
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_of_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(ParameterError):
        hashing.keyed_rows(bytes(length), np.zeros((1, 4), np.uint8))
