"""A commitment to a set by the definitions, one hash at a time: the oracle of ``crypto.commitment``."""

from crypto import labels
from tests.reference.hashing import derive_key, keyed


def blind(salt: bytes, row: bytes) -> bytes:
    return keyed(derive_key(labels.COMMITMENT_BLIND, salt), row)


def leaf(salt: bytes, row: bytes) -> bytes:
    return keyed(derive_key(labels.COMMITMENT_LEAF), blind(salt, row) + row)


def node(left: bytes, right: bytes) -> bytes:
    return keyed(derive_key(labels.COMMITMENT_NODE), left + right)


def split(n: int) -> int:
    """The largest power of two smaller than ``n``."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def top(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, without its own hash of leaves."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(top(leaves[:k]), top(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), top(leaves[k:])]
    return [*path(m - k, leaves[k:]), top(leaves[:k])]


def commit(rows: list[bytes], salt: bytes) -> bytes:
    leaves = sorted(leaf(salt, row) for row in rows)
    above = top(leaves) if leaves else blind(salt, b"")
    return keyed(derive_key(labels.COMMITMENT_ROOT), len(rows).to_bytes(8, "little") + above)


def open_row(rows: list[bytes], salt: bytes, row: bytes) -> tuple[bytes, int, list[bytes]]:
    leaves = sorted(leaf(salt, r) for r in rows)
    m = leaves.index(leaf(salt, row))
    return blind(salt, row), m, path(m, leaves)
