"""Random bytes that can be drawn again, for a run that goes on after its process was killed."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from crypto.group import Rng
from crypto.hashing import derive_key

_NONCE = bytes(16)


def seeded(label: str, seed: bytes) -> Rng:
    """Random bytes that are the same for the same label and seed: ChaCha20 under a key derived from both.

    Each call goes on where the one before it ended, so what is drawn twice is not the same twice.

    Args:
        label: what it is drawn for; from ``crypto.labels``.
        seed: at least 32 random bytes.

    Source: RFC 8439, section 2.4.
    """
    stream = Cipher(ChaCha20(derive_key(label, seed), _NONCE), mode=None).encryptor()
    return lambda size: stream.update(bytes(size))
