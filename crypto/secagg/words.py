"""What holders of released items say to the counter, where every member is to learn them, sealed.

The relay sees that a member says something, not how much. What is said is true only if its tag and secret
were released: whoever reads it asks the key helpers (``discovery.announced``).

Source: HPKE, RFC 9180, as in ``batches``.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from crypto import labels
from crypto.errors import DecodeError, ParameterError
from crypto.secagg.batches import BOX_BYTES, BadBatch
from crypto.secagg.discovery import Setup

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_LENGTH = 4


def seal_words(text: bytes, public_key: bytes, setup: Setup, *, size: int) -> bytes:
    """Encrypt words to a counter, filled up to a size.

    Args:
        text: what is said, less than 4 GiB.
        public_key: the counter's X25519 key for this session, 32 bytes.
        setup: of the session.
        size: how many bytes are shown.

    Raises:
        ParameterError: there is more to say than ``size``.
        DecodeError: the key is none.
    """
    room = size - BOX_BYTES - _LENGTH - len(text)
    if room < 0:
        raise ParameterError("there is more to say than is to be shown")
    plain = len(text).to_bytes(_LENGTH, "big") + text + bytes(room)
    try:
        key = X25519PublicKey.from_public_bytes(public_key)
        return _SUITE.encrypt(plain, key, setup.key(labels.DISCOVERY_WORDS))
    except ValueError as e:
        raise DecodeError("the counter's key is no X25519 key") from e


def open_words(sealed: bytes, private_key: X25519PrivateKey, setup: Setup) -> bytes:
    """Decrypt words.

    Raises:
        BadBatch: they were not sealed to this key for this session, or are not filled up as they should be.
    """
    try:
        plain = _SUITE.decrypt(sealed, private_key, setup.key(labels.DISCOVERY_WORDS))
    except (InvalidTag, ValueError) as e:
        raise BadBatch("bad-seal", "words were not sealed to this counter for this session") from e
    length = int.from_bytes(plain[:_LENGTH], "big")
    text, rest = plain[_LENGTH : _LENGTH + length], plain[_LENGTH + length :]
    if len(text) != length or any(rest):
        raise BadBatch("bad-shape", "words are not filled up as they should be")
    return text


def least_size(text: int) -> int:
    """Fewest bytes in which so many can be said."""
    return BOX_BYTES + _LENGTH + text
