"""The Merkle tree of RFC 6962: append, root, proofs, and their verification.

A tree over ``size`` leaves is kept as its *complete subtrees*: node ``(level, index)`` covers the leaves
``[index * 2**level, (index + 1) * 2**level)``, level 0 being the leaf hashes. Complete subtrees never
change, so a log that stores them is append-only, and every root and proof of any size follows from them.

Source: RFC 6962 section 2.1 (hashes, paths, consistency); RFC 9162 sections 2.1.3.2, 2.1.4.2
(verification).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

EMPTY_ROOT = sha256(b"").digest()


class Node(NamedTuple):
    """One complete subtree: its level, its place on that level, its hash (32 bytes)."""

    level: int
    idx: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """A log as it was at one length.

    Attributes:
        size: number of leaves.
        root: root over them, 32 bytes.
    """

    size: int
    root: bytes


Lookup = Callable[[int, int], bytes]
"""``(level, index)`` to the hash of that complete subtree."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return ``SHA-256(0x00 || leaf)``."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 || left || right)``."""
    return sha256(b"\x01" + left + right).digest()


def peaks(size: int) -> list[tuple[int, int]]:
    """Return ``(level, index)`` of the complete subtrees that tile ``size`` leaves, left to right."""
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return [(level, (size >> level) - 1) for level in levels]


@dataclass(slots=True)
class Frontier:
    """The right edge of a growing tree: all that appending and the current root need.

    Attributes:
        size: number of leaves.
        hashes: hashes of the subtrees ``peaks(size)``, in that order.
    """

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[Node]:
        """Append a leaf by its *hash*; return the subtrees it completes, lowest first (level 0 included)."""
        level, index = 0, self.size
        completed = [Node(level, index, leaf)]
        while index & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            level, index = level + 1, index >> 1
            completed.append(Node(level, index, leaf))
        self.hashes.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the root of the tree as it stands, 32 bytes."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in self.hashes[-2::-1]:
            root = sha256(b"\x01" + left + root).digest()  # ``node_hash``: verifying spends its time here
        return root

    def copy(self) -> "Frontier":
        """Return an independent copy."""
        return Frontier(self.size, self.hashes.copy())


def root(size: int, lookup: Lookup) -> bytes:
    """Return the root of the first ``size`` leaves."""
    return Frontier(size, [lookup(*peak) for peak in peaks(size)]).root()


def _split(size: int) -> int:
    """The largest power of two smaller than ``size`` (RFC 6962's k), for ``size`` > 1."""
    return 1 << (size - 1).bit_length() - 1


def _range_root(start: int, size: int, lookup: Lookup) -> bytes:
    """Root of the leaves ``[start, start + size)`` where the tree has a subtree there."""
    tiles = Frontier()
    for level, index in peaks(size):
        tiles.hashes.append(lookup(level, (start >> level) + index))
    return tiles.root()


def inclusion_proof(index: int, size: int, lookup: Lookup) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` leaves, from the leaf upwards.

    Raises:
        IndexError: there is no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise IndexError(index)
    path: list[bytes] = []
    start = 0
    while size > 1:
        half = _split(size)
        if index - start < half:
            path.append(_range_root(start + half, size - half, lookup))
            size = half
        else:
            path.append(_range_root(start, half, lookup))
            start, size = start + half, size - half
    return path[::-1]


def consistency_proof(old: int, new: int, lookup: Lookup) -> list[bytes]:
    """Return the proof that the tree of ``old`` leaves is a prefix of the tree of ``new`` leaves.

    Raises:
        IndexError: not ``0 <= old <= new``.
    """
    if not 0 <= old <= new:
        raise IndexError(old)
    if old in {0, new}:
        return []
    path: list[bytes] = []
    start, size, whole = 0, new, True
    while old - start != size:
        half = _split(size)
        if old - start <= half:
            path.append(_range_root(start + half, size - half, lookup))
            size = half
        else:
            path.append(_range_root(start, half, lookup))
            start, size, whole = start + half, size - half, False
    if not whole:  # the old root itself is known to the verifier, a subtree of it is not
        path.append(_range_root(start, size, lookup))
    return path[::-1]


def _sides(position: int, last: int, steps: int) -> list[bool] | None:
    """For each step of a proof, whether the sibling is the left one; None when the length is not right."""
    sides = []
    for _ in range(steps):
        if last == 0:
            return None
        left = bool(position & 1) or position == last
        sides.append(left)
        while left and position and not position & 1:
            position, last = position >> 1, last >> 1
        position, last = position >> 1, last >> 1
    return sides if last == 0 else None


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], expected: bytes) -> bool:
    """Say whether ``proof`` shows the leaf with hash ``leaf`` at ``index`` under the root ``expected``."""
    sides = _sides(index, size - 1, len(proof)) if 0 <= index < size else None
    if sides is None:
        return False
    computed = leaf
    for left, sibling in zip(sides, proof, strict=True):
        computed = node_hash(sibling, computed) if left else node_hash(computed, sibling)
    return computed == expected


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether ``proof`` shows the tree with ``old_root`` to be a prefix of the one with ``new_root``."""
    if not 0 < old < new:
        return (
            old >= 0
            and old in {0, new}
            and not proof
            and old_root == (new_root if old == new else EMPTY_ROOT)
        )
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    sides = _sides(position, last, len(path) - 1)
    if sides is None or not path:
        return False
    computed_old = computed_new = path[0]
    for left, sibling in zip(sides, path[1:], strict=True):
        if left:
            computed_old = node_hash(sibling, computed_old)
        computed_new = node_hash(sibling, computed_new) if left else node_hash(computed_new, sibling)
    return computed_old == old_root and computed_new == new_root
