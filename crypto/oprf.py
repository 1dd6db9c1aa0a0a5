"""Oblivious PRF: the client learns a PRF of its items under the server's key, the server learns nothing.

``blind``, ``blind_evaluate``, ``finalize`` and ``evaluate`` are RFC 9497 for ristretto255-SHA512, modes 0
and 1, byte for byte. Its proof indexes at most 2^16 elements, and the weight of each in the proof depends on
that element alone: a dishonest server can search for wrong answers whose weighted errors cancel (Wagner's
generalised birthday problem) with about ``n * 2 ** (252 / (1 + log2 n))`` hashes: out of reach for a few
elements, near 2^31 for thousands (our own analysis: docs/adr/0004).

``bulk_blind``, ``bulk_blind_evaluate`` and ``bulk_finalize`` are for those: the same PRF under the same key,
the same sizes on the wire, any number of elements, faster. The proof is the RFC's, about the one pair that
all pairs fold into under 128-bit weights hashed from *all* pairs: each try at a wrong answer passes with
chance 2^-128. Blinding is additive, safe only because that proof is always verified (``native/src/oprf.rs``).

Sources: RFC 9497; Wagner, "A Generalized Birthday Problem", CRYPTO 2002; Bellare, Garay, Rabin, "Fast Batch
Verification for Modular Exponentiation and Digital Signatures", EUROCRYPT 1998 (small exponents); Jarecki,
Krawczyk, Xu, "On the (In)Security of the Diffie-Hellman Oblivious PRF with Multiplicative Blinding", PKC 2021
(their "multiplicative" is our additive).
"""

from enum import IntEnum
from secrets import token_bytes

import numpy as np

from crypto import _native, labels
from crypto._native import Blinds, PrivateKey
from crypto.errors import ParameterError
from crypto.group import ELEMENT_BYTES, SCALAR_BYTES, Rng, draw_scalars
from crypto.rows import Rows, check

__all__ = [
    "MAX_RFC_BATCH",
    "OUTPUT_BYTES",
    "PROOF_BYTES",
    "Blinds",
    "Mode",
    "PrivateKey",
    "blind",
    "blind_evaluate",
    "bulk_blind",
    "bulk_blind_evaluate",
    "bulk_finalize",
    "derive_key",
    "evaluate",
    "finalize",
    "generate_key",
    "verify",
]

OUTPUT_BYTES = 64
PROOF_BYTES = 2 * SCALAR_BYTES
MAX_RFC_BATCH = 2**16
_MAX_ITEM_BYTES = 2**16 - 1


class Mode(IntEnum):
    """The modes of RFC 9497 that are built."""

    OPRF = 0
    VOPRF = 1


def generate_key(mode: Mode, *, rng: Rng = token_bytes) -> PrivateKey:
    """A fresh key, with ``public_key`` (32 bytes) and ``mode``.

    Raises:
        ParameterError: the rng does not give what it is asked for.
        CryptoError: the operating system has no randomness (so wherever an rng is taken).
    """
    return _native.oprf_private_key(draw_scalars(rng, 1), mode)


def derive_key(seed: bytes, info: bytes, mode: Mode) -> PrivateKey:
    """The key of a seed (RFC 9497, section 3.2.1).

    Args:
        seed: 32 bytes, uniform and secret.
        info: what the key is for, at most 65535 bytes, public.
        mode: the mode the key is for.

    Raises:
        ParameterError: a length is wrong.
    """
    if len(seed) != SCALAR_BYTES or len(info) > _MAX_ITEM_BYTES:
        raise ParameterError(f"a key derives from {SCALAR_BYTES} bytes of seed and at most 65535 of info")
    return _native.oprf_derive_key(seed, info, mode)


def blind(items: Rows, *, mode: Mode, rng: Rng = token_bytes) -> tuple[Blinds, Rows]:
    """Client, first step: hide each item behind a fresh scalar.

    Args:
        items: ``(n, w)`` uint8.
        mode: as the server's key.
        rng: asked once for 64 bytes an item, each reduced to a scalar; for the default, the kernel draws.

    Returns:
        What ``finalize`` needs, and ``(n, 32)`` uint8 for the server.

    Raises:
        ParameterError: the array is no table of rows, or an item hashes to the identity.
    """
    check(items, max_width=_MAX_ITEM_BYTES)
    return _native.oprf_blind(items, draw_scalars(rng, len(items)), mode)


def blind_evaluate(key: PrivateKey, blinded: Rows, *, rng: Rng = token_bytes) -> tuple[Rows, bytes]:
    """Server: multiply each row by the key and, in mode VOPRF, prove it for all rows at once.

    Args:
        key: the server's key.
        blinded: ``(n, 32)`` uint8 from the client.
        rng: asked for 64 bytes, for the proof.

    Returns:
        ``(n, 32)`` uint8, and the proof: 64 bytes, or none in mode OPRF.

    Raises:
        DecodeError: a row is no canonical encoding, or is the identity.
        ParameterError: the array has no rows of 32 bytes, or too many for one proof.
    """
    check(blinded, width=ELEMENT_BYTES)
    if key.mode == Mode.VOPRF and len(blinded) > MAX_RFC_BATCH:
        raise ParameterError(
            "an RFC 9497 proof covers at most 2^16 elements (bulk_blind_evaluate has no limit)"
        )
    return _native.oprf_blind_evaluate(key, blinded, draw_scalars(rng, 1))


def finalize(
    items: Rows,
    blinds: Blinds,
    evaluated: Rows,
    *,
    mode: Mode,
    blinded: Rows | None = None,
    proof: bytes = b"",
    public_key: bytes = b"",
) -> Rows:
    """Client, last step: verify the proof in mode VOPRF, unblind and hash.

    Args:
        items: the rows that were blinded.
        blinds: from ``blind``, for these rows and this mode.
        evaluated: ``(n, 32)`` uint8 from the server.
        mode: as in ``blind``.
        blinded: what was sent; VOPRF only.
        proof: 64 bytes from the server; VOPRF only.
        public_key: 32 bytes, the key that the server announced; VOPRF only.

    Returns:
        ``(n, 64)`` uint8, the PRF of each item.

    Raises:
        DecodeError: a row, the key or the proof is no valid encoding.
        VerificationError: the rows were not all evaluated with the announced key.
        ParameterError: shapes, lengths or modes do not fit together.
    """
    _check_reply(items, evaluated)
    if mode == Mode.OPRF:
        if blinded is not None or proof or public_key:
            raise ParameterError("mode OPRF has no proof to verify")
        return _native.oprf_finalize(items, blinds, evaluated)
    if blinded is None:
        raise ParameterError("mode VOPRF finalizes only with the blinded rows and a proof")
    check(blinded, width=ELEMENT_BYTES)
    return _native.oprf_verify_finalize(
        items, blinds, evaluated, blinded=blinded, proof=proof, public_key=public_key
    )


def verify(*, public_key: bytes, blinded: Rows, evaluated: Rows, proof: bytes) -> None:
    """Anybody: check the proof of ``blind_evaluate`` in mode VOPRF, without having blinded anything.

    Args:
        public_key: 32 bytes, the key that was announced.
        blinded: ``(n, 32)`` uint8, what was evaluated.
        evaluated: ``(n, 32)`` uint8, what that gave.
        proof: 64 bytes.

    Raises:
        DecodeError: a row, the key or the proof is no valid encoding.
        VerificationError: the rows were not all evaluated with the announced key.
        ParameterError: shapes or lengths do not fit together.
    """
    items = np.zeros((len(blinded), 1), np.uint8)  # whoever finalizes verifies first; no output is looked at
    blinds, _ = blind(items, mode=Mode.VOPRF)
    finalize(items, blinds, evaluated, mode=Mode.VOPRF, blinded=blinded, proof=proof, public_key=public_key)


def evaluate(key: PrivateKey, items: Rows) -> Rows:
    """Server, for its own items: what ``finalize`` and ``bulk_finalize`` give a client for the same items.

    Args:
        key: the server's key.
        items: ``(n, w)`` uint8.

    Returns:
        ``(n, 64)`` uint8.

    Raises:
        ParameterError: the array is no table of rows, or an item hashes to the identity.
    """
    check(items, max_width=_MAX_ITEM_BYTES)
    return _native.oprf_evaluate(key, items)


def bulk_blind(items: Rows, *, rng: Rng = token_bytes) -> tuple[Blinds, Rows]:
    """As ``blind`` in mode VOPRF, for ``bulk_finalize``."""
    check(items, max_width=_MAX_ITEM_BYTES)
    return _native.oprf_bulk_blind(items, draw_scalars(rng, len(items)))


def bulk_blind_evaluate(key: PrivateKey, blinded: Rows, *, rng: Rng = token_bytes) -> tuple[Rows, bytes]:
    """As ``blind_evaluate``, for rows of ``bulk_blind``, any number of them.

    Raises:
        DecodeError: a row is no canonical encoding, or is the identity.
        ParameterError: the array has no rows of 32 bytes, or the key is not of mode VOPRF.
    """
    check(blinded, width=ELEMENT_BYTES)
    return _native.oprf_bulk_blind_evaluate(key, blinded, draw_scalars(rng, 1), labels.BULK_FOLD)


def bulk_finalize(
    items: Rows, blinds: Blinds, evaluated: Rows, *, blinded: Rows, proof: bytes, public_key: bytes
) -> Rows:
    """As ``finalize`` in mode VOPRF, for what ``bulk_blind_evaluate`` gives; same outputs, same errors."""
    _check_reply(items, evaluated)
    check(blinded, width=ELEMENT_BYTES)
    return _native.oprf_bulk_finalize(
        items, blinds, evaluated,
        blinded=blinded, proof=proof, public_key=public_key, label=labels.BULK_FOLD,
    )  # fmt: skip


def _check_reply(items: Rows, evaluated: Rows) -> None:
    check(items, max_width=_MAX_ITEM_BYTES)
    check(evaluated, width=ELEMENT_BYTES)
