"""Files of the Python package ``bloom-filter2``, which opens them and answers from them, bit for bit.

THE FILE HAS NO KEY: see ``WARNING``. It has no head either: who opens it must know for how many values and at
which rate it was made, and by which probes, or gets other answers without any sign of it.

The bits of the filter are followed by two bytes of zero, which the package writes behind its own files. The
number of bits and of probes follows from capacity and rate. Probes are one of two functions of the package:

* ``primes``, its default (``get_filter_bitno_probes``): two sums over the characters with numbers of the form
  2^n - 1, combined as in double hashing modulo 2^127 - 1;
* ``twister`` (``get_bitno_seed_rnd``): the Mersenne Twister of Python's ``random``, seeded with the text.

Both are slow by their nature, some ten thousand values a second, and neither resists somebody who chooses
values.

Source: bloom-filter2 2.0.0, the only version there is, ``bloom_filter2/bloom_filter.py``.
"""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from exchange.errors import InputError
from exchange.interchange import UNKEYED
from exchange.interchange.dcso import MAX_BITS

WARNING = UNKEYED

_BEHIND = b"\0\0"
_PRIME = 2**127 - 1
_FIRST = (2**17 - 1, 2**31 - 1, _PRIME)
_SECOND = (2**19 - 1, 2**67 - 1, 2**257 - 1)


class Probes(StrEnum):
    """Which function of the package chooses the bits of a value."""

    PRIMES = "primes"
    TWISTER = "twister"


@dataclass(frozen=True, slots=True)
class BloomFilter2:
    """A filter of the package.

    Attributes:
        capacity: ``max_elements``.
        error_rate: as the package is told it.
        probes: which function of the package it is asked with.
        bits: bit 0 is the lowest of byte 0.
    """

    capacity: int
    error_rate: float
    probes: Probes
    bits: bytes = field(repr=False)

    @classmethod
    def build(
        cls, values: Sequence[str], *, capacity: int, error_rate: float, probes: Probes = Probes.PRIMES
    ) -> Self:
        """Make a filter.

        Args:
            values: in any order; a value twice is a value once.
            capacity: for how many values.
            error_rate: between 0 and 1; reached when the filter is full.
            probes: which function of the package will ask it.

        Raises:
            InputError: there are more values than the capacity, or the package takes no such numbers.
        """
        m, k = _shape(capacity, error_rate)
        if len(values) > capacity:
            raise InputError(
                f"{len(values):,} values do not go into a filter for {capacity:,}", code="filter-parameters"
            )
        bits = bytearray((m + 7) // 8)
        for value in values:
            for place in _places(value, m, k, probes):
                bits[place >> 3] |= 1 << (place & 7)
        return cls(capacity, error_rate, probes, bytes(bits))

    @property
    def rate(self) -> float:
        """How likely a value that is not in seems to be, by the bits that are set: 1 for a filter of ones."""
        m, k = _shape(self.capacity, self.error_rate)
        return (int.from_bytes(self.bits).bit_count() / m) ** k

    def contains(self, values: Iterable[str]) -> list[bool]:
        """Which values are in, or seem to be."""
        m, k = _shape(self.capacity, self.error_rate)
        bits = self.bits
        return [all(bits[p >> 3] >> (p & 7) & 1 for p in _places(v, m, k, self.probes)) for v in values]

    def to_bytes(self) -> bytes:
        """The file."""
        return self.bits + _BEHIND

    @classmethod
    def from_bytes(
        cls, data: bytes, *, capacity: int, error_rate: float, probes: Probes = Probes.PRIMES
    ) -> Self:
        """Read a file.

        Args:
            data: the file.
            capacity: as its maker told the package.
            error_rate: the same.
            probes: the same; nothing in the file shows it.

        Raises:
            InputError: a filter with these numbers has another length.
        """
        m, _ = _shape(capacity, error_rate)
        length = (m + 7) // 8
        if len(data) != length + len(_BEHIND):
            raise InputError(
                f"a bloom-filter2 file for {capacity:,} values at {error_rate:g} has {length + 2:,} bytes, "
                f"this one has {len(data):,}",
                code="filter-malformed",
                hint="say the capacity and the rate that it was made with",
            )
        if data[length:] != _BEHIND or (m % 8 and data[length - 1] >> (m % 8)):
            raise InputError("bits are set behind the last of the filter", code="filter-malformed")
        return cls(capacity, error_rate, probes, data[:length])


def _shape(capacity: int, error_rate: float) -> tuple[int, int]:
    """Bits and probes, computed in the order of the package: another order rounds otherwise."""
    if not 1 <= capacity <= MAX_BITS or not 0 < error_rate < 1:
        raise InputError(
            "a filter is for 1 value at least, at a rate between 0 and 1", code="filter-parameters"
        )
    m = math.ceil(-1 * capacity * math.log(error_rate) / math.log(2) ** 2)
    if m > MAX_BITS:
        raise InputError("a filter has 8 GiB at most", code="filter-parameters")
    return m, math.ceil(m / capacity * math.log(2))


def _places(value: str, m: int, k: int, probes: Probes) -> Iterator[int]:
    if probes is Probes.TWISTER:
        draw = random.Random(value).randrange  # noqa: S311 - what the package does
        return (draw(m) for _ in range(k))
    return _prime_places(value, m, k)


def _prime_places(value: str, m: int, k: int) -> Iterator[int]:
    characters = [ord(character) for character in value]
    first, second = _polynomial(characters, *_FIRST), _polynomial(characters, *_SECOND)
    probe = first
    for _ in range(k):
        probe = (probe * first + second) % _PRIME
        yield probe % m


def _polynomial(characters: list[int], add: int, multiply: int, modulus: int) -> int:
    result = 0
    for character in characters:
        result += (result + character + add) * multiply % modulus
    return result
