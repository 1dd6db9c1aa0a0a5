"""A commitment to a set of items: 32 bytes that bind it, hide it, and can be opened one item at a time.

Who publishes the root of its set cannot use another set later without being found out by whoever asks for an
opening. Nobody learns an item from a root, nor any other item from the opening of one: every leaf is hashed
with a blinding value of its own that only the holder of the salt can compute.

A root says nothing of an item that is *not* in the set: an opening can only be refused. The number of items
is no secret: who checks an opening must know it.

Source: the tree is that of RFC 9162, section 2.1, over sorted leaves.
"""

from dataclasses import dataclass, field

from crypto import _native, hashing, labels, rows
from crypto.errors import ParameterError
from crypto.rows import Rows

ROW_BYTES = 32
SALT_BYTES = 32
ROOT_BYTES = 32

_PUBLIC = tuple(
    hashing.derive_key(label)
    for label in (labels.COMMITMENT_LEAF, labels.COMMITMENT_NODE, labels.COMMITMENT_ROOT)
)


@dataclass(frozen=True, slots=True)
class Opening:
    """What shows that a row is in a committed set.

    Attributes:
        blind: the blinding value of the row; 32 bytes.
        index: the place of its leaf among the sorted leaves, which is as good as random.
        path: ``(k, 32)`` uint8, the siblings from the leaf up; ``k`` is at most ``ceil(log2(n))``.
    """

    blind: bytes = field(repr=False)
    index: int
    path: Rows = field(repr=False)


def commit(items: Rows, salt: bytes) -> bytes:
    """Commit to a set.

    With ``H[key]`` for keyed BLAKE3, the leaf of a row is ``H[leaf](s || row)`` with the blinding value
    ``s = H[derive_key(label, salt)](row)``; a node is ``H[node](left || right)``, one without a sibling
    moves up as it is; the root is ``H[root](n || top)``, ``n`` in eight bytes, little endian. The top of an
    empty set is ``s`` of the empty string.

    Args:
        items: ``(n, 32)`` uint8, distinct, in any order.
        salt: 32 random bytes, secret, of this set alone: under one salt, an item has the same leaf in two
            sets, and an opening of one would be recognised in the other.

    Returns:
        32 bytes.

    Raises:
        ParameterError: an argument is misshapen, or a row is repeated.
    """
    rows.check(items, width=ROW_BYTES)
    return _native.commitment_root(_PUBLIC, _blinding_key(salt), items)


def open_row(items: Rows, salt: bytes, row: bytes) -> Opening | None:
    """Open the commitment to a set at one row; ``None`` if the row is not in the set.

    Args:
        items: as committed to, in any order.
        salt: as committed with.
        row: 32 bytes.

    Raises:
        ParameterError: an argument is misshapen, or a row is repeated.
    """
    rows.check(items, width=ROW_BYTES)
    found = _native.commitment_open(_PUBLIC, _blinding_key(salt), items, _sized("a row", row, ROW_BYTES))
    return found and Opening(*found)


def verify_opening(root: bytes, n: int, row: bytes, opening: Opening) -> bool:
    """Whether a row is one of the ``n`` that a root commits to.

    Args:
        root: from ``commit``.
        n: how many items the set has.
        row: 32 bytes.
        opening: as a peer sent it; one that is misshapen shows nothing.

    Raises:
        ParameterError: the root or the row has another length, or there cannot be so many items.
    """
    _sized("a root", root, ROOT_BYTES)
    _sized("a row", row, ROW_BYTES)
    if not 0 <= n <= rows.MAX_ROWS:
        raise ParameterError("a set has fewer than 2^32 items")
    try:
        rows.check(opening.path, width=ROW_BYTES)
    except ParameterError:
        return False
    if len(opening.blind) != ROW_BYTES or not 0 <= opening.index < n:
        return False
    return _native.commitment_verify(
        _PUBLIC, root, n, row, blind=opening.blind, index=opening.index, path=opening.path
    )


def _blinding_key(salt: bytes) -> bytes:
    return hashing.derive_key(labels.COMMITMENT_BLIND, _sized("a salt", salt, SALT_BYTES))


def _sized(what: str, value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ParameterError(f"{what} has {size} bytes, not {len(value)}")
    return value
