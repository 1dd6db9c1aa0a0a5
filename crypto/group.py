"""ristretto255 (RFC 9496): a group of prime order with one canonical 32-byte encoding per element."""

from collections.abc import Callable

from crypto import _native
from crypto.errors import ParameterError
from crypto.rows import Rows, check

ELEMENT_BYTES = 32
SCALAR_BYTES = 32

Rng = Callable[[int], bytes]
"""Randomness: given ``n``, ``n`` uniform bytes, as ``secrets.token_bytes`` gives them."""


def hash_to_group(rows: Rows, dst: bytes) -> Rows:
    """Hash each row to the group: ``hash_to_ristretto255`` with ``expand_message_xmd`` and SHA-512.

    Args:
        rows: ``(n, w)`` uint8.
        dst: domain separation tag, 1 to 255 bytes.

    Returns:
        ``(n, 32)`` uint8, encoded elements.

    Raises:
        ParameterError: the array is no table of rows, or the tag is too long.

    Source: RFC 9380, section 5.3.1 and appendix B.
    """
    check(rows)
    if not 1 <= len(dst) <= 255:  # noqa: PLR2004
        raise ParameterError("a domain separation tag has 1 to 255 bytes")
    return _native.group_hash_to_group(rows, dst)


def validate(rows: Rows) -> None:
    """Accept exactly the canonical encodings of elements other than the identity.

    Args:
        rows: ``(n, 32)`` uint8 from the peer.

    Raises:
        DecodeError: a row is no canonical encoding, or is the identity.
        ParameterError: the array has no rows of 32 bytes.
    """
    check(rows, width=ELEMENT_BYTES)
    _native.group_validate(rows)
