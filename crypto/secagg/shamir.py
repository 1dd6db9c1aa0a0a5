"""Shamir's sharing of a 32-byte secret over GF(2^8), byte by byte.

Any ``threshold`` shares give the secret, fewer give nothing. A share belongs to its place ``x``, 1 to 255;
the secret is the value at 0. Nothing tells a wrong share from a right one, nor too few from enough: whoever
reconstructs compares with what the secret was committed to.

Source: Shamir, "How to Share a Secret", CACM 22, 1979. The polynomial of the field is that of AES, 0x11b.
"""

from secrets import token_bytes
from typing import TypeAlias

import numpy as np

from crypto import _native
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.rows import Rows, check

SECRET_BYTES = 32
MIN_THRESHOLD = 2
Buffer: TypeAlias = bytes | bytearray | memoryview


def split(secret: Buffer, threshold: int, xs: bytes, *, rng: Rng = token_bytes) -> Rows:
    """Share a secret among places.

    Args:
        secret: 32 bytes; read where they are, so that the caller can wipe them.
        threshold: how many shares give it, 2 to the number of places.
        xs: the places, distinct, not 0.
        rng: asked once for 32 bytes for each degree of the polynomial; for the default, the kernel draws.

    Returns:
        ``(len(xs), 32)`` uint8, in the order of the places.

    Raises:
        ParameterError: a place is 0 or comes twice, the threshold is out of range, the secret has another
            length, or the rng gives another number of bytes.
        CryptoError: the operating system has no randomness.
    """
    if len(secret) != SECRET_BYTES:
        raise ParameterError(f"a secret has {SECRET_BYTES} bytes")
    if not MIN_THRESHOLD <= threshold <= len(xs):
        raise ParameterError("a threshold is at least 2, and at most the number of shares")
    coefficients = None if rng is token_bytes else rng((threshold - 1) * SECRET_BYTES)
    row = np.frombuffer(secret, np.uint8).reshape(1, SECRET_BYTES)
    return _native.shamir_split(row, threshold, bytes(xs), coefficients)


def reconstruct(xs: bytes, shares: Rows) -> bytearray:
    """The secret of some shares, if they are at least as many as its threshold, and right.

    Args:
        xs: the places of the shares, distinct, not 0; two or more.
        shares: ``(len(xs), 32)`` uint8.

    Returns:
        32 bytes, for the caller to wipe.

    Raises:
        ParameterError: a place is 0 or comes twice, or there are fewer than two shares, or not one for each.
    """
    check(shares, width=SECRET_BYTES)
    return _native.shamir_reconstruct(bytes(xs), shares)
