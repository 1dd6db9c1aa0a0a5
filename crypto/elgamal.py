"""Sums of encrypted numbers: exponential ElGamal on ristretto255, additively homomorphic.

The holder of a key encrypts numbers. The other party adds up those ciphertexts that it chooses, adds a fresh
one of a random number, and shows the sum. Whatever went in, that is a random ciphertext: the holder decrypts
it and learns nothing. The other party takes the random number off again and searches for the total: what
decryption gives is a multiple of the generator, so a total has to be small.

Nothing proves anything: that a ciphertext holds a number, that a sum is one of ciphertexts of the holder, or
that the answer is what was in it. Each party has the other's word for it. Numbers are hidden as long as
decisional Diffie-Hellman is hard on ristretto255; a sum is hidden from the holder of the key whatever is
hard.

Sources: ElGamal, CRYPTO 1984; Cramer, Gennaro, Schoenmakers, "A Secure and Optimally Efficient
Multi-Authority Election Scheme", EUROCRYPT 1997 (numbers in the exponent); Shanks, "Class number, a theory of
factorization, and genera", 1971 (the search). Why not Paillier: docs/adr/0009.
"""

from secrets import token_bytes

import numpy as np
from numpy.typing import NDArray

from crypto import _native
from crypto._native import ElgamalBlind as Blind
from crypto._native import ElgamalKey as PrivateKey
from crypto.errors import ParameterError, ProtocolError
from crypto.group import ELEMENT_BYTES, Rng, draw_scalars
from crypto.rows import Rows, check

__all__ = [
    "CIPHERTEXT_BYTES",
    "MAX_LIMIT",
    "Blind",
    "PrivateKey",
    "blinded_sum",
    "decrypt",
    "encrypt",
    "generate_key",
    "unblind",
]

CIPHERTEXT_BYTES = 2 * ELEMENT_BYTES
MAX_LIMIT = 1 << 40
"""No larger total is searched for: it takes a second or two, and 150 MiB."""
_SUM_SCALARS = 2


def generate_key(*, rng: Rng = token_bytes) -> PrivateKey:
    """A fresh key, with ``public_key`` (32 bytes).

    Raises:
        ParameterError: the rng does not give what it is asked for.
        CryptoError: the operating system has no randomness (so wherever an rng is taken).
    """
    return _native.elgamal_key(draw_scalars(rng, 1))


def encrypt(key: PrivateKey, values: NDArray[np.uint64], *, rng: Rng = token_bytes) -> Rows:
    """Encrypt each number under the public part of a key that we hold.

    Args:
        key: the key.
        values: ``(n,)`` uint64, C-contiguous.
        rng: asked once for 64 bytes a number; for the default, the kernel draws.

    Returns:
        ``(n, 64)`` uint8.

    Raises:
        ParameterError: the array is no list of numbers.
    """
    _check_list(values, np.uint64)
    return _native.elgamal_encrypt(key, values, draw_scalars(rng, len(values)))


def blinded_sum(
    public_key: bytes, ciphertexts: Rows, chosen: NDArray[np.bool_], *, rng: Rng = token_bytes
) -> tuple[Blind, bytes]:
    """Add up the chosen ciphertexts and a fresh one of a random number. It takes as long for any choice.

    Args:
        public_key: 32 bytes, the key that the peer announced.
        ciphertexts: ``(n, 64)`` uint8 from the peer.
        chosen: ``(n,)`` bool.
        rng: asked for 128 bytes.

    Returns:
        What ``unblind`` needs, and a ciphertext for the peer.

    Raises:
        DecodeError: the key or a ciphertext, chosen or not, is no valid encoding, or holds the identity.
        ParameterError: shapes or lengths do not fit together.
    """
    check(ciphertexts, width=CIPHERTEXT_BYTES)
    _check_list(chosen, np.bool_)
    if len(chosen) != len(ciphertexts):
        raise ParameterError("each ciphertext is chosen or not")
    flags = chosen.view(np.uint8)
    return _native.elgamal_sum(public_key, ciphertexts, flags, draw_scalars(rng, _SUM_SCALARS))


def decrypt(key: PrivateKey, ciphertext: bytes) -> bytes:
    """The element that a ciphertext holds: its number times the generator.

    Args:
        key: the key.
        ciphertext: 64 bytes from the peer.

    Returns:
        32 bytes.

    Raises:
        DecodeError: a half is no valid encoding, or the identity.
        ParameterError: the ciphertext has another length.
    """
    return _native.elgamal_decrypt(key, ciphertext)


def unblind(blind: Blind, element: bytes, limit: int) -> int:
    """The total, from what the peer decrypted. It takes as long for any total, ``sqrt(limit)`` steps twice.

    Args:
        blind: from ``blinded_sum``.
        element: 32 bytes from the peer.
        limit: the largest total that can be; at most 2^40.

    Raises:
        DecodeError: no valid encoding, or the identity.
        ProtocolError: the total is larger: the peer encrypted what it should not, or did not decrypt.
        ParameterError: the element has another length, or the limit is out of range.
    """
    if not 0 <= limit <= MAX_LIMIT:
        raise ParameterError("the limit of a total lies between 0 and 2^40")
    total = _native.elgamal_open(blind, element, limit)
    if total is None:
        raise ProtocolError("the sum is larger than it can be")
    return total


def _check_list(values: NDArray[np.uint64] | NDArray[np.bool_], kind: type[np.generic]) -> None:
    if not isinstance(values, np.ndarray) or values.dtype != kind or values.ndim != 1:
        raise ParameterError(f"expected a one-dimensional array of {kind.__name__}")
    if not values.flags.c_contiguous:
        raise ParameterError("the array is C-contiguous (use numpy.ascontiguousarray)")
