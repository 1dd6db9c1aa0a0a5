"""Golomb-coded sets. The code: ``native/src/filters/golomb.rs``."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from crypto import _native, rows
from crypto.errors import DecodeError
from crypto.filters.encoding import GOLOMB, TAG_BYTES, Answers, check, decoded, encoded
from crypto.rows import Rows

_MAX_INVERSE = 2**56


@dataclass(frozen=True, slots=True)
class Golomb:
    """A Golomb-coded set: tags reduced to numbers below ``items * inverse``, and the gaps in Rice's code.

    Attributes:
        items: for how many tags it was made.
        inverse: one in so many strangers seems to be in, at most.
        entries: distinct numbers: fewer than items where two tags meet.
        code: the gaps.
        index: where every 32nd number stands, ``(k, 2)`` uint64; not encoded, made again from the code.
    """

    items: int
    inverse: int
    entries: int
    code: bytes = field(repr=False)
    index: NDArray[np.uint64] = field(repr=False, compare=False)

    @classmethod
    def build(cls, tags: Rows, fpr: float) -> Self:
        """Make a set that random tags seem to be in no more often than stated.

        Args:
            tags: ``(n, 16)`` uint8, uniform.
            fpr: 2^-56 to 1/2; ``n / fpr`` below 2^64.

        Raises:
            ParameterError: the array is no table of tags, or the rate is another.
        """
        check(tags, fpr, lowest=1 / _MAX_INVERSE)
        items, inverse = len(tags), math.ceil(1 / fpr)
        entries, code = _native.filters_golomb_encode(tags, inverse)
        index = _native.filters_golomb_index(code, items, inverse, entries)
        return cls(items, inverse, entries, code, index)

    @property
    def fpr(self) -> float:
        """The chance that a random tag seems to be in."""
        return self.entries / (max(self.items, 1) * self.inverse)

    @property
    def bits_per_item(self) -> float:
        """Bits of the code without its head, for each tag; the index takes 4 more in memory."""
        return 8 * len(self.code) / max(self.items, 1)

    def contains(self, queries: Rows) -> Answers:
        """Which tags are in, or seem to be.

        Args:
            queries: ``(q, 16)`` uint8.

        Returns:
            ``(q,)`` bool.

        Raises:
            ParameterError: the array is no table of tags.
        """
        rows.check(queries, width=TAG_BYTES)
        return _native.filters_golomb_contains(self.code, self.index, self.items, self.inverse, queries)

    def to_bytes(self) -> bytes:
        """The encoding: the numbers are ``items``, ``inverse`` and ``entries``; the parameter is zero."""
        return encoded(GOLOMB, 0, (self.items, self.inverse, self.entries), self.code)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode, reading every gap once.

        Raises:
            DecodeError: these are not the bytes of a Golomb-coded set.
        """
        parameter, (items, inverse, entries), code = decoded(GOLOMB, data)
        fits = 2 <= inverse <= _MAX_INVERSE and items * inverse < 2**64  # noqa: PLR2004
        if parameter or not fits or entries > items:
            raise DecodeError("no Golomb-coded set has such a shape")
        return cls(items, inverse, entries, code, _native.filters_golomb_index(code, items, inverse, entries))
