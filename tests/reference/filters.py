"""The filters of ``crypto.filters``, bit by bit. Tags are numbers, their least significant byte first.

Bloom: the upper half of a tag chooses the block; SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) from the lower
half in steps of the upper one, made odd, gives words, and each of their halves, the lower one first, a place.
Golomb: numbers ``floor(tag * items * inverse / 2^128)``, distinct and in order; of each, how many numbers lie
between it and the one before, in Rice's code: quotient in zeros, a one, remainder; the lowest bit first.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import count, islice

MASK = 2**64 - 1


def splitmix64(state: int, step: int) -> Iterator[int]:
    """The outputs for a state and a step."""
    for i in count(1):
        word = (state + i * step) & MASK
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK
        word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK
        yield word ^ word >> 31


def bloom_places(tag: int, k: int, block_bits: int, blocks: int) -> set[int]:
    """The bits of a tag in the whole filter."""
    low, high = tag & MASK, tag >> 64
    words = splitmix64(low, high | 1)
    halves = (half for word in words for half in (word & 0xFFFFFFFF, word >> 32))
    block = high * blocks >> 64
    return {block * block_bits + (half * block_bits >> 32) for half in islice(halves, k)}


def bloom(tags: Sequence[int], k: int, block_bits: int, blocks: int) -> bytes:
    """The bits of a filter."""
    bits = bytearray(block_bits * blocks // 8)
    for tag in tags:
        for place in bloom_places(tag, k, block_bits, blocks):
            bits[place // 8] |= 1 << place % 8
    return bytes(bits)


def rice(inverse: int) -> int:
    """Which power of two divides gaps of that mean best (Kiely, IPN Progress Report 42-159)."""
    golden = (1 + math.sqrt(5)) / 2
    return max(0, 1 + math.floor(math.log2(math.log(golden) * inverse)))


def golomb_numbers(tags: Sequence[int], inverse: int) -> list[int]:
    """The numbers of a set."""
    return sorted({tag * len(tags) * inverse >> 128 for tag in tags})


def golomb(numbers: Sequence[int], parameter: int) -> bytes:
    """The code of numbers that ascend."""
    bits: list[int] = []
    for before, number in zip([-1, *numbers], numbers, strict=False):
        gap = number - before - 1
        bits += [0] * (gap >> parameter) + [1] + [gap >> i & 1 for i in range(parameter)]
    return sum(bit << i for i, bit in enumerate(bits)).to_bytes((len(bits) + 7) // 8, "little")


def truncated(tags: Sequence[int], width: int) -> list[bytes]:
    """The rows of a table."""
    return sorted({tag.to_bytes(16, "little")[:width] for tag in tags})
