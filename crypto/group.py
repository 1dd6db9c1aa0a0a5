"""ristretto255 (RFC 9496): a group of prime order with one canonical 32-byte encoding per element."""

from collections.abc import Callable
from secrets import token_bytes

from crypto import _native
from crypto.errors import ParameterError
from crypto.rows import Rows, check

ELEMENT_BYTES = 32
SCALAR_BYTES = 32

Rng = Callable[[int], bytes]
"""Randomness: given ``n``, ``n`` uniform bytes, as ``secrets.token_bytes`` gives them."""
_DRAW_BYTES = 64
_MAX_DRAWS = 8


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


def draw_scalars(rng: Rng, count: int) -> bytes | None:
    """64 bytes for each of ``count`` scalars, none of which reduces to zero; none for the default.

    The kernel then asks the operating system itself, into memory that it wipes: Python frees its bytes, but
    leaves in them what they held.

    Raises:
        ParameterError: the rng gives another number of bytes, or nothing but zeros.
    """
    if rng is token_bytes:
        return None
    for _ in range(_MAX_DRAWS):
        draws = rng(count * _DRAW_BYTES)
        if len(draws) != count * _DRAW_BYTES:
            raise ParameterError("the rng gives another number of bytes than it was asked for")
        if _native.oprf_usable(draws):
            return draws
    raise ParameterError("the rng gives nothing but zeros")


def backend() -> str:
    """Name of the instructions that compute in the group on this machine: ``avx2``, ``portable``, ..."""
    return _native.group_backend()
