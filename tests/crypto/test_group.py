"""Hashing to ristretto255 and decoding it, against the RFCs and plain Python."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import group
from crypto.errors import DecodeError, ParameterError
from tests.reference import oprf as oracle
from tests.reference.arrays import VECTORS, packed, unpacked
from tests.reference.ristretto import GENERATOR, IDENTITY, decode

INVALID = {
    f"{reason} {index}": bytes.fromhex(encoding)
    for reason, encodings in json.loads((VECTORS / "rfc9496_invalid.json").read_text()).items()
    if reason != "source"
    for index, encoding in enumerate(encodings)
}
GOOD = (5 * GENERATOR).encode()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 150), st.binary(min_size=1, max_size=255), st.data())
def test_hash_to_group(width: int, dst: bytes, data: st.DataObject) -> None:
    table = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=3))
    expected = [oracle.hash_to_group(row, dst).encode() for row in table]
    assert unpacked(group.hash_to_group(packed(table), dst)) == expected


def test_hash_to_group_across_chunks_of_the_kernel() -> None:
    table = [index.to_bytes(4, "big") for index in range(600)]
    hashed = group.hash_to_group(packed(table), b"test")
    assert len(set(unpacked(hashed))) == 600
    for index in (0, 255, 256, 511, 512, 599):
        assert hashed[index].tobytes() == oracle.hash_to_group(table[index], b"test").encode()


@pytest.mark.parametrize("length", [0, 256])
def test_tags_of_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(ParameterError):
        group.hash_to_group(np.zeros((1, 1), np.uint8), bytes(length))


def test_the_oracle_knows_the_invalid_encodings() -> None:
    assert len(INVALID) == 29
    for encoding in INVALID.values():
        with pytest.raises(ValueError, match=r"canonical|element"):
            decode(encoding)


@pytest.mark.parametrize("encoding", INVALID.values(), ids=INVALID.keys())
@pytest.mark.parametrize("position", [0, 300])
def test_invalid_encodings_are_the_peers_fault(encoding: bytes, position: int) -> None:
    table = [GOOD] * 301
    table[position] = encoding
    with pytest.raises(DecodeError, match=f"row {position} "):
        group.validate(packed(table))


def test_the_identity_is_refused() -> None:
    assert IDENTITY.encode() == bytes(32)
    with pytest.raises(DecodeError, match="identity"):
        group.validate(packed([GOOD, bytes(32)]))


@settings(deadline=None, max_examples=200)
@given(st.binary(min_size=32, max_size=32), st.booleans())
def test_validation_agrees_with_the_oracle(encoding: bytes, plausible: bool) -> None:
    if plausible:  # even and below 2^255: about half of these are elements
        encoding = bytes([encoding[0] & 0xFE, *encoding[1:31], encoding[31] & 0x7F])
    try:
        valid = decode(encoding) != IDENTITY
    except ValueError:
        valid = False
    if valid:
        group.validate(packed([encoding]))
    else:
        with pytest.raises(DecodeError):
            group.validate(packed([encoding]))


def test_no_rows_are_valid() -> None:
    group.validate(np.empty((0, 32), np.uint8))
    assert group.hash_to_group(np.empty((0, 9), np.uint8), b"test").shape == (0, 32)


@pytest.mark.parametrize("width", [31, 33, 64])
def test_rows_of_another_width_are_our_mistake(width: int) -> None:
    with pytest.raises(ParameterError):
        group.validate(np.zeros((1, width), np.uint8))
