"""Filters over the OPRF outputs of a set, which a member takes home and asks about tags of its own.

A tag is a pseudorandom function of an item under a key of the publisher. Who holds a filter but not the key
can test no guess: it must ask the publisher to evaluate each one, and that is counted. Once the key is known,
a filter gives away its set as an unkeyed one does. And because tags are uniform and independent, their own
bits are the hashes that a filter needs: nothing is hashed again, and the rates below hold for every set.

``Golomb`` is the smallest, ``Bloom`` the fastest to ask, ``Sorted`` the most exact and the one with deltas:

=========  ==============================  ==================  ==================================
kind       bits an item                    lowest rate         memory while it is made, an item
=========  ==============================  ==================  ==================================
Bloom      ``1.45 log2(1/fpr)``            2^-40               16 bytes and twice the filter
Golomb     ``log2(1/fpr) + 1.55``          2^-56               16 bytes and twice the filter
Sorted     ``log2(n/fpr)``, whole bytes    2^-80               16 bytes and twice the filter
=========  ==============================  ==================  ==================================

Encodings begin with 32 bytes: ``CSFT``, version, kind, a parameter, zero, three numbers of eight bytes. There
is one encoding of each filter; a decoder reads no length that the bytes do not bear out.

Source: ``native/src/filters/``, which names the papers.
"""

from collections.abc import Callable

from crypto.errors import DecodeError
from crypto.filters.bloom import Bloom
from crypto.filters.encoding import BLOOM, GOLOMB, HEAD_BYTES, SORTED, TAG_BYTES
from crypto.filters.golomb import Golomb
from crypto.filters.sorted import Delta, Sorted

__all__ = ["HEAD_BYTES", "TAG_BYTES", "Bloom", "Delta", "Filter", "Golomb", "Sorted", "decode"]

Filter = Bloom | Golomb | Sorted


def decode(data: bytes) -> Filter:
    """Decode a filter of any kind.

    Raises:
        DecodeError: these are not the bytes of a filter.
    """
    kinds: dict[int, Callable[[bytes], Filter]] = {
        BLOOM: Bloom.from_bytes, GOLOMB: Golomb.from_bytes, SORTED: Sorted.from_bytes,
    }  # fmt: skip
    kind = data[5] if len(data) >= HEAD_BYTES else 0
    if kind not in kinds:
        raise DecodeError("the bytes are no filter that this version knows")
    return kinds[kind](data)
