"""Elias-Fano coding of a sorted set of 128-bit tags, bit by bit (Elias, JACM 21, 1974; Vigna, WSDM 2013).

A tag is a number, its least significant byte first. Of ``n`` tags the upper ``h = floor(log2 n)`` bits stand
in unary, ``n + 2^h`` bits: a one for each tag, a zero behind each of the ``2^h`` tops. The other bits follow,
one tag after the other. Both parts are filled up to words of 64 bits; bit 0 is the lowest of byte 0.
"""

from collections.abc import Sequence

TAG_BITS = 128
WORD_BITS = 64


def pack(tags: Sequence[int]) -> bytes:
    """The packing of some tags."""
    high = max(len(tags), 1).bit_length() - 1
    low = TAG_BITS - high
    ordered = sorted(tags)
    unary = []
    for top in range(1 << high):
        unary += [1] * sum(tag >> low == top for tag in ordered) + [0]
    rest = [tag >> bit & 1 for tag in ordered for bit in range(low)]
    return _words(unary) + _words(rest)


def _words(bits: list[int]) -> bytes:
    filled = bits + [0] * (-len(bits) % WORD_BITS)
    return sum(bit << at for at, bit in enumerate(filled)).to_bytes(len(filled) // 8, "little")
