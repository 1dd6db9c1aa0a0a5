"""Keyed BLAKE3 of many short values at once, and keys derived under a label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crypto import _native, labels
from crypto.errors import ParameterError
from crypto.rows import Rows, check

HASH_BYTES = 32
KEY_BYTES = 32
SEPARATOR = b"\x1f"
"""Stands between kind and value; no kind holds it, so that no two pairs give the same bytes."""


def item_rows(kind: str, values: Sequence[str]) -> Rows:
    """Hash canonical values of one kind into item rows: equal rows mean equal kind and value.

    The hash is keyed only to separate domains, the key is public: a row hides nothing by itself.

    Args:
        kind: the indicator type, such as ``"ipv4"``; printable, so without the separator.
        values: canonical values, any length, any number.

    Returns:
        ``(n, 32)`` uint8: BLAKE3 keyed with ``derive_key(labels.ITEM)`` of ``kind || 0x1f || value``, UTF-8.

    Raises:
        ParameterError: the kind is empty or holds control characters, or a text is no valid Unicode.
    """
    return packed_item_rows(kind, *_pack(values))


def packed_item_rows(kind: str, packed: bytes, ends: NDArray[np.uint64]) -> Rows:
    """The same for values that stand in one buffer.

    Args:
        kind: the indicator type.
        packed: the values one after the other, UTF-8.
        ends: where each ends, ``(n,)`` ascending; the last is the length of the buffer.

    Raises:
        ParameterError: the kind is empty or holds control characters, or the ends are others.
    """
    if not kind.isprintable() or not kind:
        raise ParameterError("the kind of an item is a printable word")
    return _native.hashing_keyed_values(derive_key(labels.ITEM), kind.encode() + SEPARATOR, packed, ends)


def derive_key(label: str, *material: bytes | Rows) -> bytes:
    """Derive a key: BLAKE3 ``derive_key`` with the label as context.

    Args:
        label: what the key is for; from ``crypto.labels``.
        material: key material and what the key is bound to, bytes or contiguous rows, each prefixed with its
            length in eight bytes, little endian.

    Returns:
        32 bytes.
    """
    return _native.hashing_derive_key(label, material)


def keyed_rows(key: bytes, rows: Rows) -> Rows:
    """BLAKE3 keyed hash of each row.

    Args:
        key: 32 bytes.
        rows: ``(n, w)`` uint8.

    Returns:
        ``(n, 32)`` uint8.

    Raises:
        ParameterError: the key has another length, or the array is no table of rows.
    """
    check(rows)
    if len(key) != KEY_BYTES:
        raise ParameterError(f"a hashing key has {KEY_BYTES} bytes")
    return _native.hashing_keyed_rows(key, rows)


def _pack(values: Sequence[str]) -> tuple[bytes, NDArray[np.uint64]]:
    """All values in one buffer, and where each ends in bytes."""
    joined = "".join(values)
    try:
        # Canonical values are nearly always ASCII: then characters count bytes and one encoding does for all.
        encoded: Sequence[str] | list[bytes] = values if joined.isascii() else [v.encode() for v in values]
        lengths = np.fromiter(map(len, encoded), np.uint64, len(values))
        return joined.encode(), np.cumsum(lengths, dtype=np.uint64)
    except UnicodeEncodeError:
        raise ParameterError("a value holds a lone surrogate, which has no UTF-8") from None
