"""Vectors over the integers modulo 2^w, the masks that hide them, and what binds them chunk by chunk.

A vector of ``d`` words of ``w`` bits is a ``(d,)`` array of ``WORDS[w]``, in memory little-endian.
``PRG(seed)`` is AES-256 in counter mode: the key is the seed, the counter block is the number of the block,
from 0, most significant byte first, and the output is read as little-endian words.

Source: NIST SP 800-38A, 6.5 (counter mode); Bonawitz et al., "Practical Secure Aggregation for
Privacy-Preserving Machine Learning", CCS 2017 (masks that cancel).
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crypto import _native, labels
from crypto.errors import ParameterError
from crypto.hashing import HASH_BYTES, derive_key, keyed_rows
from crypto.rows import Rows, check

Vector: TypeAlias = NDArray[np.unsignedinteger[Any]]
"""A ``(d,)`` array of one of ``WORDS``, C-contiguous and aligned."""

CHUNK_BYTES = 1 << 16
"""Of a vector; what is hashed together, and what is replayed together."""
SEED_BYTES = 32
WORDS: dict[int, np.dtype[np.unsignedinteger[Any]]] = {
    8: np.dtype("<u1"),
    16: np.dtype("<u2"),
    32: np.dtype("<u4"),
    64: np.dtype("<u8"),
}
"""The type of a word, by its width in bits."""
_MAX_OFFSET = 1 << 60


def add_masks(vector: Vector, seeds: Rows, signs: Sequence[int], *, offset: int = 0) -> None:
    """Add or subtract masks in place: ``vector += sign * PRG(seed)[offset : offset + d]`` modulo 2^w.

    Args:
        vector: ``(d,)`` words; changed.
        seeds: ``(k, 32)`` uint8, each uniform and used for nothing else.
        signs: ``k`` numbers, each 1 or -1.
        offset: where the vector begins in a longer one, in words.

    Raises:
        ParameterError: a shape, a sign or the offset is none that is possible; nothing was changed.
    """
    width = _width(vector)
    if not vector.flags.writeable:
        raise ParameterError("the vector is read-only")
    check(seeds, width=SEED_BYTES)
    if len(signs) != len(seeds) or not all(sign in {1, -1} for sign in signs):
        raise ParameterError("each mask has a sign, 1 or -1")
    if not 0 <= offset <= _MAX_OFFSET:
        raise ParameterError("an offset is between 0 and 2^60")
    negative = bytes(sign < 0 for sign in signs)
    _native.ring_add_masks(vector.view(np.uint8), width, seeds, negative, offset)


def add(into: Vector, other: Vector) -> None:
    """Add a vector to another, in place, modulo 2^w.

    Args:
        into: ``(d,)`` words; changed.
        other: ``(d,)`` words of the same width.

    Raises:
        ParameterError: the vectors differ in length or width, or the first is read-only.
    """
    if _width(into) != _width(other) or into.shape != other.shape or not into.flags.writeable:
        raise ParameterError("vectors that are added have the same length and width")
    np.add(into, other, out=into)


def checked(vector: Vector, cap: int) -> None:
    """Refuse a vector with an entry above a cap. It takes as long for any entries.

    Args:
        vector: ``(d,)`` words.
        cap: the most that an entry may be, below 2^w.

    Raises:
        ParameterError: an entry is above the cap, or the cap is no word.
    """
    width = _width(vector)
    if not 0 <= cap < 1 << width:
        raise ParameterError(f"a cap fits into {width} bits")
    if _native.ring_exceeds(vector.view(np.uint8), width, cap):
        raise ParameterError("an entry is above the cap")


def digests(vector: Vector) -> Rows:
    """Hash each chunk of ``CHUNK_BYTES`` together with its number; the last may be shorter.

    Args:
        vector: ``(d,)`` words.

    Returns:
        ``(chunks, 32)`` uint8: BLAKE3 keyed with ``derive_key(labels.RING_CHUNK)`` of the number, eight
        bytes, little endian, and the chunk.

    Raises:
        ParameterError: it is no vector.
    """
    _width(vector)
    return _native.ring_digests(derive_key(labels.RING_CHUNK), vector.view(np.uint8))


def chunk_digests(rows: Rows, number: int) -> Rows:
    """Hash one chunk of many vectors, as ``digests`` hashes it.

    Args:
        rows: ``(n, b)`` uint8, of each vector the bytes of the chunk.
        number: which chunk it is, from 0.

    Returns:
        ``(n, 32)`` uint8.

    Raises:
        ParameterError: the array is no table of rows.
    """
    check(rows)
    heads = np.frombuffer(number.to_bytes(8, "little") * len(rows), np.uint8).reshape(-1, 8)
    return keyed_rows(derive_key(labels.RING_CHUNK), np.concatenate([heads, rows], axis=1))


def root(digests: Rows) -> bytes:
    """What binds a whole vector: a hash of the digests of all chunks, and how many they are.

    Args:
        digests: ``(chunks, 32)`` uint8.

    Returns:
        32 bytes: ``derive_key(labels.RING_ROOT, digests)``.

    Raises:
        ParameterError: the array has no rows of 32 bytes.
    """
    check(digests, width=HASH_BYTES)
    return derive_key(labels.RING_ROOT, digests)


def to_rows(vector: Vector) -> Rows:
    """The same memory as rows, ``(d, w / 8)`` uint8, as messages carry a vector.

    Raises:
        ParameterError: it is no vector.
    """
    word_bytes = _width(vector) // 8
    return vector.view(np.uint8).reshape(-1, word_bytes)


def from_rows(rows: Rows) -> Vector:
    """The same memory as a vector: rows of 1, 2, 4 or 8 bytes are its words.

    Raises:
        ParameterError: the array has no such rows, or the memory is not aligned.
    """
    check(rows)
    word = WORDS.get(8 * rows.shape[1])
    if word is None:
        raise ParameterError("words have 8, 16, 32 or 64 bits")
    vector = rows.reshape(-1).view(word)
    _width(vector)
    return vector


def _width(vector: Vector) -> int:
    """Bits of a word of what must be a vector."""
    if not isinstance(vector, np.ndarray) or vector.ndim != 1 or vector.dtype not in WORDS.values():
        raise ParameterError("a vector is a one-dimensional array of 8, 16, 32 or 64-bit words")
    if not vector.flags.c_contiguous or not vector.flags.aligned:
        raise ParameterError("a vector is contiguous and aligned")
    return 8 * vector.dtype.itemsize
