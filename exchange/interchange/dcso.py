"""Bloom filters of the form ``dcso-v1``, which DCSO's ``bloom`` and ``flor`` and CIRCL's ``poppy`` share.

THE FILE HAS NO KEY: see ``WARNING``. Its probes follow from FNV-1 of 64 bits, which stops nobody who chooses
values, by products modulo 2^64 and then modulo a prime below it; they are not independent of one another.

A head of six numbers of eight bytes, little endian: version 1, capacity, rate (a double), probes, bits,
values; then the bits in words of 64, filled up with zeros; then data of the publisher, any number of bytes.
Values are counted as the tools do: one that sets no new bit is none. Files with ``.gz`` are the same,
compressed: that is undone before.

Source: DCSO/bloom 0.2.4, ``bloom.go``; DCSO/flor 1.1.3.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from exchange.errors import InputError
from exchange.interchange import UNKEYED

WARNING = UNKEYED

MAX_BITS = 2**36
"""Of a filter that is made here: 8 GiB."""

_HEAD = struct.Struct("<QQdQQQ")
_VERSION = 1
_CHUNK = 1 << 14
_MAX_K = 1100  # of the lowest rate that a double holds
_PRIME = np.uint64(18446744073709551557)
_FACTOR = np.uint64(18446744073709550147)
_FNV_OFFSET = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)


@dataclass(frozen=True, slots=True)
class DcsoFilter:
    """A filter in this form.

    Attributes:
        capacity: for how many values.
        fpr: the rate of false positives when it is full, as its maker wished it.
        k_hashes: probes of a value.
        m_bits: how many bits.
        count: values that were put in, as the tools count.
        bits: in whole words; bit 0 is the lowest of byte 0.
        data: of the publisher.
    """

    capacity: int
    fpr: float
    k_hashes: int
    m_bits: int
    count: int
    bits: bytes = field(repr=False)
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def build(cls, values: Sequence[str], *, capacity: int, fpr: float, data: bytes = b"") -> Self:
        """Make a filter.

        Args:
            values: in any order; their number in the file counts distinct ones, but for collisions.
            capacity: for how many values.
            fpr: between 0 and 1; reached when the filter is full.
            data: anything, for whoever reads the file.

        Raises:
            InputError: there are more values than the capacity, or a number is none of a filter.
        """
        if not 1 <= capacity <= MAX_BITS or not 0 < fpr < 1:
            raise InputError(
                "a filter is for 1 value at least, at a rate between 0 and 1", code="filter-parameters"
            )
        if len(values) > capacity:
            raise InputError(
                f"{len(values):,} values do not go into a filter for {capacity:,}", code="filter-parameters"
            )
        m = abs(math.ceil(capacity * math.log(fpr) / math.pow(math.log(2.0), 2.0)))
        k = math.ceil(math.log(2) * m / capacity)
        if not m or not k or m > MAX_BITS:
            raise InputError("a filter has 1 bit to 8 GiB", code="filter-parameters")
        bits, count = _inserted(values, m, k)
        return cls(capacity, fpr, k, m, count, bits, data)

    @property
    def rate(self) -> float:
        """How likely a value that is not in seems to be, by the bits that are set: 1 for a filter of ones."""
        return float((int.from_bytes(self.bits).bit_count() / self.m_bits) ** self.k_hashes)

    def contains(self, values: Sequence[str]) -> NDArray[np.bool_]:
        """Which values are in, or seem to be.

        Returns:
            ``(n,)`` bool.
        """
        bits = np.frombuffer(self.bits, np.uint8)
        answers = np.ones(len(values), np.bool_)
        for places in _places(_fnv1(values), self.m_bits, self.k_hashes):
            answers &= _set(bits, places)
        return answers

    def to_bytes(self) -> bytes:
        """The file."""
        head = (_VERSION, self.capacity, self.fpr, self.k_hashes, self.m_bits, self.count)
        return _HEAD.pack(*head) + self.bits + self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a file.

        Raises:
            InputError: it is none, or a number in it is none of a filter.
        """
        if len(data) < _HEAD.size:
            raise _malformed("it ends within its head")
        version, capacity, fpr, k, m, count = _HEAD.unpack_from(data)
        if version != _VERSION:
            raise InputError(
                "the file is no dcso-v1 filter",
                code="filter-unsupported",
                hint="decompress it first if it ends in .gz; poppy's own format is not read",
            )
        if not capacity or not 0 < fpr < 1 or not 1 <= k <= _MAX_K or not m:
            raise _malformed("its head holds numbers of no filter")
        end = _HEAD.size + 8 * -(-m // 64)
        if end > len(data):
            raise _malformed("it has fewer bits than it says")
        bits = data[_HEAD.size : end]
        if m % 64 and int.from_bytes(bits[-8:], "little") >> (m % 64):
            raise _malformed("bits are set behind the last of the filter")
        return cls(capacity, fpr, k, m, count, bits, data[end:])


def _malformed(why: str) -> InputError:
    return InputError(f"the dcso-v1 filter is damaged: {why}", code="filter-malformed")


def _inserted(values: Sequence[str], m: int, k: int) -> tuple[bytes, int]:
    """The bits, and how many values set one that none before had set."""
    bits = np.zeros(8 * -(-m // 64), np.uint8)
    count = 0
    for at in range(0, len(values), _CHUNK):
        places = np.stack(list(_places(_fnv1(values[at : at + _CHUNK]), m, k)), axis=1)
        fresh = np.where(_set(bits, places), -1, places).ravel()
        _, first = np.unique(fresh, return_index=True)
        count += np.unique(first[fresh[first] >= 0] // k).size
        np.bitwise_or.at(bits, places >> 3, np.left_shift(1, places & 7).astype(np.uint8))
    return bits.tobytes(), count


def _set(bits: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which bits are set."""
    ones: NDArray[np.bool_] = bits[places >> 3] >> (places & 7).astype(np.uint8) & 1 == 1
    return ones


def _fnv1(values: Sequence[str]) -> NDArray[np.uint64]:
    """FNV-1 of each value, a byte of all of them at a time: the longest first, those left are in front."""
    encoded = [value.encode() for value in values]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    starts = np.cumsum(lengths) - lengths
    packed = np.frombuffer(b"".join(encoded), np.uint8).astype(np.uint64)
    order = np.argsort(-lengths, kind="stable")
    left = np.searchsorted(-lengths[order], -np.arange(lengths.max(initial=0)))
    hashes = np.full(len(encoded), _FNV_OFFSET)
    for at, count in enumerate(left):
        hashes[:count] = hashes[:count] * _FNV_PRIME ^ packed[starts[order[:count]] + at]
    out = np.empty_like(hashes)
    out[order] = hashes
    return out


def _places(hashes: NDArray[np.uint64], m: int, k: int) -> Iterator[NDArray[np.int64]]:
    """One probe of each value after the other. Products are modulo 2^64 first, as in the tools."""
    state = hashes % _PRIME
    for _ in range(k):
        state = state * _FACTOR % _PRIME
        yield (state % np.uint64(m)).astype(np.int64)
