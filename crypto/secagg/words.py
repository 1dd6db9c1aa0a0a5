"""What holders of released items say to the counter, where every member is to learn them, sealed.

The relay sees that a member says something, not how much. What is said is true only if its tag and secret
were released: whoever reads it asks the key helpers (``discovery.announced``). With it goes what only
the holder of a token can say: the counter, which saw the tokens, hears whoever brought a batch that it
counted, once. Or else a relay could make up words that say nothing beside those of one member, and learn its.

Source: HPKE, RFC 9180, as in ``batches``.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from crypto import labels
from crypto.errors import DecodeError, ParameterError
from crypto.hashing import HASH_BYTES, derive_key
from crypto.secagg.batches import BOX_BYTES, BadBatch
from crypto.secagg.discovery import Setup

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_LENGTH = 4
_HEAD = HASH_BYTES + _LENGTH


def speaker_of(token: bytes) -> bytes:
    """What says that words come with a batch, 32 bytes: nobody knows it who has not the whole token."""
    return derive_key(labels.DISCOVERY_SPEAKER, token)


def seal_words(text: bytes, token: bytes, public_key: bytes, setup: Setup, *, size: int) -> bytes:
    """Encrypt words to a counter, filled up to a size.

    Args:
        text: what is said, less than 4 GiB.
        token: of our batch, of ``helpers.spendable``.
        public_key: the counter's X25519 key for this session, 32 bytes.
        setup: of the session.
        size: how many bytes are shown.

    Raises:
        ParameterError: there is more to say than ``size``.
        DecodeError: the key is none.
    """
    room = size - least_size(len(text))
    if room < 0:
        raise ParameterError("there is more to say than is to be shown")
    plain = speaker_of(token) + len(text).to_bytes(_LENGTH, "big") + text + bytes(room)
    try:
        key = X25519PublicKey.from_public_bytes(public_key)
        return _SUITE.encrypt(plain, key, setup.key(labels.DISCOVERY_WORDS))
    except ValueError as e:
        raise DecodeError("the counter's key is no X25519 key") from e


def open_words(sealed: bytes, private_key: X25519PrivateKey, setup: Setup) -> tuple[bytes, bytes]:
    """Decrypt words: whose they are, as ``speaker_of`` its token says, and what is said.

    Raises:
        BadBatch: they were not sealed to this key for this session, or are not filled up as they should be.
    """
    try:
        plain = _SUITE.decrypt(sealed, private_key, setup.key(labels.DISCOVERY_WORDS))
    except (InvalidTag, ValueError) as e:
        raise BadBatch("bad-seal", "words were not sealed to this counter for this session") from e
    speaker, head, said = plain[:HASH_BYTES], plain[HASH_BYTES:_HEAD], plain[_HEAD:]
    length = int.from_bytes(head, "big")
    text = said[:length]
    if len(plain) < _HEAD or len(text) != length or any(said[length:]):
        raise BadBatch("bad-shape", "words are not filled up as they should be")
    return speaker, text


def least_size(text: int) -> int:
    """Fewest bytes in which so many can be said."""
    return BOX_BYTES + _HEAD + text
