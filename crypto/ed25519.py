"""Ed25519 signatures of somebody else."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64


def verify(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether a signature over these bytes is good; it is not where the key is none.

    Args:
        public_key: 32 bytes.
        data: what was signed, with the label that says what it is.
        signature: 64 bytes.

    Source: RFC 8032.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
