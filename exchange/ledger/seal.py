"""Seals: a second signature over the whole log that a quantum computer does not forge.

A checkpoint's Ed25519 signature is what peers check. Where a node is configured to, it also signs its log
with ML-DSA-44 after every receipt, as an entry of the log that names the state before it. Since every entry
holds the hash of the checkpoint before it, the newest seal covers every byte up to there.

What is signed is the ``cosigned_message`` of C2SP tlog-cosignature for the tree of that size, the log being
its own cosigner, so that other tools can check a seal against the checkpoint.

Source: FIPS 204 (ML-DSA-44); C2SP tlog-cosignature, "ML-DSA-44 signed message".
"""

from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from exchange.ledger.note import Checkpoint

ALGORITHM = "ml-dsa-44"
KEY_BYTES = 1312
SEAL_BYTES = 2420
_LABEL = b"subtree/v1\n\x00"
_TYPE = b"\x06"


def message(checkpoint: Checkpoint, timestamp: int) -> bytes:
    """Return what is signed for the whole log at one length, at a POSIX time."""
    name = checkpoint.origin.encode()
    named = bytes([len(name)]) + name
    numbers = (0).to_bytes(8, "big") + checkpoint.size.to_bytes(8, "big")
    return _LABEL + named + timestamp.to_bytes(8, "big") + named + numbers + checkpoint.root


def seal(checkpoint: Checkpoint, timestamp: int, key: MLDSA44PrivateKey) -> bytes:
    """Return the seal of a log at one length, 2420 bytes."""
    return key.sign(message(checkpoint, timestamp))


def check(checkpoint: Checkpoint, timestamp: int, public_key: bytes, sealed: bytes) -> bool:
    """Say whether this key (1312 bytes) sealed the log at this length and time."""
    try:
        MLDSA44PublicKey.from_public_bytes(public_key).verify(sealed, message(checkpoint, timestamp))
    except (InvalidSignature, ValueError):
        return False
    return True


def key_hash(name: str, public_key: bytes) -> bytes:
    """Return the 4 bytes by which a C2SP note names this key in a signature line."""
    return sha256(name.encode() + b"\n" + _TYPE + public_key).digest()[:4]
