"""What members of ATR/1 send through the relay: token and records, legible to the counter only.

The relay sees sizes. It can drop a batch, which its own signed list of names then lacks, or repeat one, whose
token is then spent. One of its own making has no token.

Source: HPKE, RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from numpy.typing import NDArray

from crypto import hashing, labels, rows
from crypto.errors import DecodeError, ParameterError, PeerFault
from crypto.rows import Rows
from crypto.secagg.discovery import RECORD_BYTES, Setup, in_field
from crypto.secagg.helpers import MARK_BYTES, NONCE_BYTES

SEAL_BYTES = 32 + 16
"""What HPKE adds: an X25519 public key and an AEAD tag."""
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class BadBatch(PeerFault):
    """A batch is none. Its name says whose it is, to the relay.

    Attributes:
        code: ``bad-seal``, ``bad-shape``, ``bad-record``.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the counter reads of any batch.

    Attributes:
        name: 32 bytes, of what was sent.
        token: a nonce and a mark of each helper.
    """

    name: bytes
    token: bytes = field(repr=False)

    def for_helper(self, helper: int) -> bytes:
        """What one helper is asked to confirm: the nonce and its own mark. 64 bytes."""
        start = NONCE_BYTES + MARK_BYTES * helper
        return self.token[:NONCE_BYTES] + self.token[start : start + MARK_BYTES]


@dataclass(frozen=True, slots=True)
class Batch(Envelope):
    """What it reads in ATR/1.

    Attributes:
        records: ``(size, 48)`` uint8: tag, point, share; ascending by tag, no tag twice.
    """

    records: Rows = field(repr=False)


def sealed_bytes(size: int, setup: Setup) -> int:
    """Bytes of a sealed batch of so many records."""
    return SEAL_BYTES + setup.token_bytes + RECORD_BYTES * size


def seal(token: bytes, records: Rows, public_key: bytes, setup: Setup) -> bytes:
    """Encrypt a batch to a counter. It is kept, to be sent again as it is: a token is spent once.

    Args:
        token: of ``helpers.spendable``.
        records: of ``discovery.records``.
        public_key: the counter's X25519 key for this session, 32 bytes.
        setup: of the session.

    Raises:
        ParameterError: a length is wrong.
        DecodeError: the key is none.
    """
    rows.check(records, width=RECORD_BYTES)
    return encrypt(token, records, public_key, setup, bound=setup.key(labels.DISCOVERY_BATCH))


def open_batch(sealed: bytes, private_key: X25519PrivateKey, setup: Setup) -> Batch:
    """Decrypt a batch and refuse what is none.

    Raises:
        BadBatch: it was not sealed to this key for this session, or what is inside is no token and records in
            ascending order of distinct tags.
    """
    size, rest = divmod(len(sealed) - sealed_bytes(0, setup), RECORD_BYTES)
    if size < 0 or rest:
        raise BadBatch("bad-shape", "a batch has a length that no number of records gives")
    token, body = decrypt(sealed, private_key, setup, bound=setup.key(labels.DISCOVERY_BATCH))
    table = np.frombuffer(body, np.uint8).reshape(size, RECORD_BYTES)
    tags, points, shares = (np.ascontiguousarray(part) for part in np.split(table, 3, axis=1))
    if not rows.ascends(tags):
        raise BadBatch("bad-record", "the tags of a batch do not ascend")
    if not np.all(in_field(points, zero=False) & in_field(shares, zero=True)):
        raise BadBatch("bad-record", "a point or a share of a batch is no element of the field")
    return Batch(name(sealed), token, table)


def encrypt(token: bytes, body: NDArray[Any], public_key: bytes, setup: Setup, *, bound: bytes) -> bytes:
    """Encrypt a token and whatever a scheme has beside it, bound to what decrypts it."""
    if len(token) != setup.token_bytes:
        raise ParameterError(f"a token of this session has {setup.token_bytes} bytes")
    try:
        key = X25519PublicKey.from_public_bytes(public_key)
        return _SUITE.encrypt(token + body.tobytes(), key, bound)
    except ValueError as e:
        raise DecodeError("the counter's key is no X25519 key") from e


def decrypt(
    sealed: bytes, private_key: X25519PrivateKey, setup: Setup, *, bound: bytes
) -> tuple[bytes, memoryview]:
    """The token and the rest of what ``encrypt`` gave for the same ``bound``."""
    try:
        plain = _SUITE.decrypt(sealed, private_key, bound)
    except (InvalidTag, ValueError) as e:
        raise BadBatch("bad-seal", "a batch was not sealed to this counter for this session") from e
    return plain[: setup.token_bytes], memoryview(plain)[setup.token_bytes :]


def name(sealed: bytes) -> bytes:
    """The name of a batch, 32 bytes."""
    return hashing.derive_key(labels.DISCOVERY_BATCH_NAME, sealed)
