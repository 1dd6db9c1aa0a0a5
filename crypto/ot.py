"""Oblivious transfer: of two strings one party gets the one it chose, and the other not the choice.

Base transfers take public keys, on ristretto255 and ML-KEM-768 together, and two messages: ``base_receive``,
``base_send``, ``base_finish``. They leave one party with 128 pairs of keys and the other with ``Delta``, 128
random bits, and the key of each pair that its bit chose. An extension makes of them, with symmetric
cryptography and one message, any number of transfers *in the other direction*, and products with ``Delta`` in
GF(2^128): ``extend_receive``, ``extend_send``.

Secure against either party's cheating, under assumptions that docs/protocols/ot.md names for each. After a
``VerificationError`` both objects must go: each cheat that is caught, or not, guesses bits of ``Delta``.

Sources: McQuoid, Rosulek, Roy, "Minimal Symmetric PAKE and 1-out-of-N OT from Programmable-Once Public
Functions", CCS 2020, and "Batching Base Oblivious Transfers", ASIACRYPT 2021; FIPS 203; Roy, "SoftSpokenOT",
CRYPTO 2022; Gilboa, "Two Party RSA Key Generation", CRYPTO 1999.
"""

from secrets import token_bytes

import numpy as np
from numpy.typing import NDArray

from crypto import _native, labels
from crypto._native import OtChosen, OtPairs, OtReceived, OtReceiver, OtSent
from crypto.errors import ParameterError
from crypto.group import ELEMENT_BYTES, Rng
from crypto.rows import Rows, check

__all__ = [
    "BLOCK_BYTES",
    "CHECK_BYTES",
    "CIPHERTEXTS_BYTES",
    "COUNT",
    "FUNCTION_BYTES",
    "OtChosen",
    "OtPairs",
    "OtReceived",
    "OtReceiver",
    "OtSent",
    "base_finish",
    "base_receive",
    "base_send",
    "column_bytes",
    "extend_receive",
    "extend_send",
]

COUNT = 128
BLOCK_BYTES = 16
FUNCTION_BYTES = 48 + ELEMENT_BYTES + 32 + 1152
CIPHERTEXTS_BYTES = 2 * 1088
CHECK_BYTES = (1 + COUNT) * BLOCK_BYTES
_RECEIVER_DRAW = BLOCK_BYTES + COUNT * (48 + 64 + 64)
_SENDER_DRAW = 64 + COUNT * 2 * 32


def column_bytes(n_bits: int, n_elements: int) -> int:
    """Bytes of a column of an extension: blocks of bits, the elements, and one block that hides them."""
    return BLOCK_BYTES * (-(-n_bits // COUNT) + n_elements + 1)


def base_receive(context: bytes, *, rng: Rng = token_bytes) -> tuple[OtReceiver, Rows]:
    """Receiver, first step: draw ``Delta``, and hide a public key at each of its bits.

    Args:
        context: what binds the transfers to their session; the same for both parties.
        rng: asked once for 22544 bytes; for the default, the kernel draws.

    Returns:
        What ``base_finish`` needs, and ``(128, 1264)`` uint8 for the sender.

    Raises:
        ParameterError: the rng does not give what it is asked for.
        CryptoError: the operating system has no randomness (so wherever an rng is taken).
    """
    return _native.ot_base_receive(labels.OT_BASE, context, _drawn(rng, _RECEIVER_DRAW))


def base_send(context: bytes, functions: Rows, *, rng: Rng = token_bytes) -> tuple[OtPairs, bytes, Rows]:
    """Sender, only step.

    Args:
        context: as the receiver's.
        functions: ``(128, 1264)`` uint8 from the receiver.
        rng: asked once for 8256 bytes.

    Returns:
        The pairs of keys; and for the receiver an element of 32 bytes and ``(128, 2176)`` uint8.

    Raises:
        DecodeError: a row holds no canonical element, the identity, or a coefficient above the modulus.
        ParameterError: the array is of another shape.
    """
    check(functions, width=FUNCTION_BYTES)
    return _native.ot_base_send(labels.OT_BASE, context, functions, _drawn(rng, _SENDER_DRAW))


def base_finish(receiver: OtReceiver, element: bytes, ciphertexts: Rows) -> OtChosen:
    """Receiver, last step.

    Ciphertexts that the sender did not make as it should give keys that it does not have, and no error.

    Args:
        receiver: from ``base_receive``.
        element: 32 bytes from the sender.
        ciphertexts: ``(128, 2176)`` uint8 from the sender.

    Returns:
        ``Delta`` and the chosen keys.

    Raises:
        DecodeError: the element is not canonical, or the identity.
        ParameterError: a shape or length is wrong.
    """
    check(ciphertexts, width=CIPHERTEXTS_BYTES)
    return _native.ot_base_finish(receiver, labels.OT_BASE, element, ciphertexts)


def extend_receive(
    pairs: OtPairs,
    context: bytes,
    bits: NDArray[np.uint8],
    elements: Rows,
    *,
    rng: Rng = token_bytes,
) -> tuple[OtReceived, Rows, bytes]:
    """Holder of bits and elements, only step.

    ``Received.rows()`` are ``t`` with ``q = t ^ bit * Delta`` for the ``rows()`` of the other party;
    ``strings()`` are one of its two, hashed; ``shares()`` are ``c = element * Delta ^ b`` for its
    ``shares()``.

    Args:
        pairs: of the base transfers.
        context: of this extension; never twice with the same pairs.
        bits: ``(n,)`` uint8, each 0 or 1: the choices.
        elements: ``(m, 16)`` uint8, each of GF(2^128), lowest coefficient first.
        rng: asked once for 16 bytes.

    Returns:
        What was received; and for the other party ``(128, column_bytes(n, m))`` uint8 and a check of 2064
        bytes.

    Raises:
        ParameterError: an array is of another shape, or a choice neither 0 nor 1.
    """
    if bits.dtype != np.uint8 or bits.ndim != 1:
        raise ParameterError("choices are a one-dimensional uint8 array")
    check(elements, width=BLOCK_BYTES)
    return _native.ot_extend_receive(
        pairs, labels.OT_EXTENSION, context, bits, elements, _drawn(rng, BLOCK_BYTES)
    )


def extend_send(
    chosen: OtChosen, context: bytes, n_bits: int, n_elements: int, columns: Rows, proof: bytes
) -> OtSent:
    """Holder of ``Delta``, only step.

    Args:
        chosen: of the base transfers.
        context: as the other party's.
        n_bits: how many transfers are due.
        n_elements: how many products are due.
        columns: ``(128, column_bytes(n_bits, n_elements))`` uint8 from the other party.
        proof: 2064 bytes from the other party: its check.

    Raises:
        VerificationError: the columns do not all hold the same bits. Never use ``chosen`` again.
        ParameterError: a shape or length is wrong.
    """
    check(columns, width=column_bytes(n_bits, n_elements))
    return _native.ot_extend_send(chosen, labels.OT_EXTENSION, context, n_bits, n_elements, columns, proof)


def _drawn(rng: Rng, length: int) -> bytes | None:
    """What the rng gives; none for the default: the kernel then asks, into memory that it wipes."""
    return None if rng is token_bytes else rng(length)
