"""Diffie-Hellman for whole tables on Curve25519, by first coordinates alone, under one scalar a table.

A row of 32 bytes is the coordinate ``u`` of a point and its negative, little endian. Scalars are multiples of
8, so a product lies in the subgroup of prime order whatever the point; a point of small order, whose product
would be zero, is refused. ``encode`` reaches points of the curve only, never of its twist: a bare hash would
leave one bit an item that no multiplication hides.

``encode`` is not uniform: Elligator 2 reaches half of the points, each from four field elements (but for a
handful). Proofs that program a random oracle do not need more: a random point with a known discrete logarithm
is in that half with chance 1/2, so one draws until it is, answers with one of its four preimages, and what a
distinguisher sees is distributed as hashes are. A scalar is one of half the residues modulo the order: that
at most doubles anybody's chance to compute a product without it.

Ristretto (``crypto.group``) is for where a proof is needed: it has one encoding for each element of a group
of prime order. This is for where nothing but products is, some three times as many a second.

Sources: RFC 7748 (X25519); RFC 9380, sections 6.7.1 and 8 (Elligator 2, ``encode_to_curve``); Bernstein,
Hamburg, Krasnova, Lange, "Elligator", CCS 2013.
"""

from secrets import token_bytes

from crypto import _native
from crypto._native import Curve25519Scalar as Scalar
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.rows import Rows, check

__all__ = [
    "POINT_BYTES",
    "Scalar",
    "encode",
    "generate_scalar",
    "inverse",
    "map_to_curve",
    "multiply",
    "validate",
]

POINT_BYTES = 32
_KEY_BYTES = 32
_SCALAR_BYTES = 32
_NUMBER_BYTES = 64


def generate_scalar(*, rng: Rng = token_bytes) -> Scalar:
    """A fresh scalar, as X25519 makes them of 32 random bytes.

    Args:
        rng: asked once for 32 bytes; for the default, the kernel draws.

    Raises:
        ParameterError: the rng does not give what it is asked for.
        CryptoError: the operating system has no randomness.
    """
    draw = None if rng is token_bytes else rng(_SCALAR_BYTES)
    return _native.curve25519_scalar(draw)


def inverse(scalar: Scalar) -> Scalar:
    """The scalar that takes products back: for a point in the large subgroup, which products are."""
    return scalar.inverse()


def encode(key: bytes, rows: Rows) -> Rows:
    """Hash each row to a point: 64 bytes of BLAKE3 under the key, a number modulo p, Elligator 2.

    Args:
        key: 32 bytes.
        rows: ``(n, w)`` uint8.

    Returns:
        ``(n, 32)`` uint8, points of the curve, not yet of its subgroup.

    Raises:
        ParameterError: the key has another length, or the array is no table of rows.
    """
    check(rows)
    if len(key) != _KEY_BYTES:
        raise ParameterError(f"a hashing key has {_KEY_BYTES} bytes")
    return _native.curve25519_encode(key, rows)


def map_to_curve(numbers: Rows) -> Rows:
    """The map that ``encode`` ends with: ``map_to_curve_elligator2_curve25519`` of RFC 9380.

    Args:
        numbers: ``(n, 64)`` uint8, little endian, taken modulo ``2^255 - 19``.

    Returns:
        ``(n, 32)`` uint8.

    Raises:
        ParameterError: the array has no rows of 64 bytes.
    """
    check(numbers, width=_NUMBER_BYTES)
    return _native.curve25519_map_to_curve(numbers)


def multiply(points: Rows, scalar: Scalar) -> Rows:
    """X25519 of each row under one scalar, in constant time.

    As RFC 7748 has it, any 32 bytes are a point, of the curve or of its twist; ``validate`` is stricter.

    Args:
        points: ``(n, 32)`` uint8.
        scalar: the secret.

    Returns:
        ``(n, 32)`` uint8, canonical.

    Raises:
        DecodeError: a point has small order.
        ParameterError: the array has no rows of 32 bytes.
    """
    check(points, width=POINT_BYTES)
    return _native.curve25519_multiply(points, scalar)


def validate(points: Rows) -> None:
    """Accept exactly the canonical encodings of points on the curve other than 0.

    The others of small order pass here, not ``multiply``.

    Args:
        points: ``(n, 32)`` uint8 from the peer.

    Raises:
        DecodeError: a row is ``2^255 - 19`` or more, zero, or on the twist.
        ParameterError: the array has no rows of 32 bytes.
    """
    check(points, width=POINT_BYTES)
    _native.curve25519_validate(points)
