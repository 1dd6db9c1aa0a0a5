"""Bloom filters. What a tag probes and why blocks cost nothing: ``native/src/filters/bloom.rs``."""

import math
from dataclasses import dataclass, field
from typing import Self

from crypto import _native, rows
from crypto.errors import DecodeError, ParameterError
from crypto.filters.encoding import BLOOM, TAG_BYTES, Answers, check, decoded, encoded
from crypto.rows import Rows

BLOCK_BITS = 2**18
"""Bits of a block at most: what the first cache of a processor holds."""

_MAX_K = 64
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Bloom:
    """A Bloom filter in blocks of up to 32 KiB.

    Attributes:
        items: for how many tags it was made.
        k_hashes: probes of a tag.
        block_bits: bits of a block.
        blocks: how many.
        bits: the blocks, one after the other; bit 0 is the lowest of byte 0.
    """

    items: int
    k_hashes: int
    block_bits: int
    blocks: int
    bits: bytes = field(repr=False)

    @classmethod
    def build(cls, tags: Rows, fpr: float) -> Self:
        """Make a filter that random tags seem to be in no more often than stated.

        Args:
            tags: ``(n, 16)`` uint8, uniform, distinct.
            fpr: 2^-40 to 1/2.

        Raises:
            ParameterError: the array is no table of tags, they are not uniform, or the rate is another.
        """
        check(tags, fpr, lowest=2**-40)
        n, k = len(tags), max(1, round(-math.log2(fpr)))
        m = -k * max(n, 1) / math.log1p(-(fpr ** (1 / k)))
        for _ in range(_TRIES):
            while _bloom_bound(n, k, *_blocks(m)) > fpr:
                m *= 1.001
            block_bits, blocks = _blocks(m)
            bits = _native.filters_bloom_insert(tags, k, block_bits, blocks)
            made = cls(n, k, block_bits, blocks, bits)
            if made.fpr <= fpr:
                return made
            m = 1.01 * m + 64  # one in hundreds comes out worse than three deviations from the mean
        raise ParameterError("the tags are not uniform: no Bloom filter keeps to the rate")

    @property
    def m_bits(self) -> int:
        """Bits of all blocks."""
        return self.block_bits * self.blocks

    @property
    def fpr(self) -> float:
        """The chance that a random tag seems to be in, counted from the bits: 1 for a filter of ones."""
        return _native.filters_bloom_rate(self.bits, self.k_hashes, self.block_bits, self.blocks)

    @property
    def bits_per_item(self) -> float:
        """Bits of the filter without its head, for each tag it was made for."""
        return self.m_bits / max(self.items, 1)

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
        return _native.filters_bloom_contains(self.bits, self.k_hashes, self.block_bits, self.blocks, queries)

    def to_bytes(self) -> bytes:
        """The encoding: the numbers are ``items``, ``block_bits``, ``blocks``; the parameter ``k_hashes``."""
        return encoded(BLOOM, self.k_hashes, (self.items, self.block_bits, self.blocks), self.bits)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode; see ``fpr`` for what the filter is worth, which its publisher chose.

        Raises:
            DecodeError: these are not the bytes of a Bloom filter.
        """
        k, (items, block_bits, blocks), bits = decoded(BLOOM, data)
        words = block_bits % 64 == 0 and 0 < block_bits <= BLOCK_BITS
        if not words or not 1 <= k <= _MAX_K or not 1 <= blocks <= rows.MAX_ROWS:
            raise DecodeError("no Bloom filter has such a shape")
        if block_bits * blocks != 8 * len(bits):
            raise DecodeError("the Bloom filter has another length than it says")
        return cls(items, k, block_bits, blocks, bits)


def _blocks(m: float) -> tuple[int, int]:
    """Bits of a block, and how many blocks, for ``m`` bits at least."""
    blocks = math.ceil(m / BLOCK_BITS)
    return 64 * math.ceil(m / blocks / 64), blocks


def _bloom_bound(n: int, k: int, block_bits: int, blocks: int) -> float:
    """The rate that a filter keeps to but for one in hundreds: the mean and three deviations.

    The share of ones in a block varies because probes meet and because blocks hold more or fewer tags; the
    rate goes with its ``k``-th power, whose mean is more than the power of the mean.
    """
    load = k * max(n, 1) / blocks / block_bits
    zeros = math.exp(-load)
    meeting = zeros * (1 - (1 + load) * zeros) / block_bits
    holding = (zeros * k / block_bits) ** 2 * (n / blocks) * (1 - 1 / blocks)
    deviation = k * math.sqrt(meeting + holding) / (1 - zeros)
    return float((1 - zeros) ** k * math.exp(deviation**2 / 2) * (1 + 3 * deviation / math.sqrt(blocks)))
