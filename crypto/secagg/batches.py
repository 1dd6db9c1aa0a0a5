"""What members of ATR/1 send through the relay: token and records, legible to the counter only.

The relay sees sizes. It can drop a batch, which its own signed list of names then lacks, or repeat one, whose
token is then spent. One of its own making has no token.

A batch is two boxes: a token, and a body that is bound to the first. So a counter has tokens redeemed before
it opens anything of any size. A member signs beside it the ``root`` of its records: with that, a wrong record
can be shown to others without the rest.

Source: HPKE, RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from numpy.typing import NDArray

from crypto import commitment, hashing, labels, rows
from crypto.commitment import Opening
from crypto.errors import DecodeError, ParameterError, PeerFault
from crypto.rows import Rows
from crypto.secagg.discovery import RECORD_BYTES, Setup, in_field
from crypto.secagg.helpers import MARK_BYTES, NONCE_BYTES

BOX_BYTES = 32 + 16
"""What HPKE adds: an X25519 public key and an AEAD tag."""
SEAL_BYTES = 2 * BOX_BYTES
"""What is added to a batch."""
ROOT_BYTES = commitment.ROOT_BYTES
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class BadBatch(PeerFault):
    """A batch is none. Its name says whose it is, to the relay.

    Attributes:
        code: ``bad-seal``, ``bad-shape``, ``bad-record``, ``bad-root``.
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


def open_token(head: bytes, private_key: X25519PrivateKey, setup: Setup) -> bytes:
    """The token of a batch, from its first ``head_bytes`` alone.

    Raises:
        BadBatch: it was not sealed to this key for this session.
    """
    return token_of(head, private_key, setup, bound=setup.key(labels.DISCOVERY_BATCH))


def open_batch(
    sealed: bytes, private_key: X25519PrivateKey, setup: Setup, *, signed: bytes | None = None
) -> Batch:
    """Decrypt a batch and refuse what is none.

    Args:
        sealed: of ``seal``.
        private_key: the counter's.
        setup: of the session.
        signed: the ``root`` that came with it; None where nobody is to be shown anything of it later.

    Raises:
        BadBatch: it was not sealed to this key for this session, what is inside is no token and records in
            ascending order of distinct tags, or they are others than were signed.
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
    if signed is not None and root(token, table, setup) != signed:
        raise BadBatch("bad-root", "a batch holds other records than were signed")
    return Batch(name(sealed), token, table)


def root(token: bytes, records: Rows, setup: Setup) -> bytes:
    """What a member signs beside its batch: 32 bytes that bind its records, and hide them from the relay.

    They are salted with the token, which the counter alone learns whole. Who has the batch has the root.

    Args:
        token: of ``helpers.spendable``.
        records: ``(size, 48)`` uint8, no tag twice.
        setup: of the session.
    """
    return commitment.commit(leaves(records, setup), _salt(token))


def open_root(batch: Batch, record: Rows, setup: Setup) -> Opening:
    """What shows that a record, ``(1, 48)``, is among those of a root; for whoever was given the batch.

    Raises:
        ParameterError: it is none of the batch.
    """
    row = leaves(record, setup)[0].tobytes()
    opening = commitment.open_row(leaves(batch.records, setup), _salt(batch.token), row)
    if opening is None:
        raise ParameterError("the record is none of the batch")
    return opening


def leaves(records: Rows, setup: Setup) -> Rows:
    """What a root is over. ``(n, 32)``, of records, ``(n, 48)``."""
    rows.check(records, width=RECORD_BYTES)
    return hashing.keyed_rows(setup.key(labels.DISCOVERY_LEAF), records)


def _salt(token: bytes) -> bytes:
    return hashing.derive_key(labels.DISCOVERY_SALT, token)


def head_bytes(setup: Setup) -> int:
    """Bytes at the start of a batch that ``open_token`` reads."""
    return BOX_BYTES + setup.token_bytes


def token_of(head: bytes, private_key: X25519PrivateKey, setup: Setup, *, bound: bytes) -> bytes:
    """The token of a batch, from its first bytes alone.

    Args:
        head: the first ``head_bytes`` of it.
        private_key: the counter's.
        setup: of the session.
        bound: what ``encrypt`` bound it to.

    Raises:
        BadBatch: it was not sealed to this key for this session.
    """
    token = _open(head, private_key, bound)
    if len(token) != setup.token_bytes:
        raise BadBatch("bad-shape", "a token has another length than all in this session")
    return token


def encrypt(token: bytes, body: NDArray[Any], public_key: bytes, setup: Setup, *, bound: bytes) -> bytes:
    """Encrypt a token, and whatever a scheme has beside it, bound to what decrypts it and to that token."""
    if len(token) != setup.token_bytes:
        raise ParameterError(f"a token of this session has {setup.token_bytes} bytes")
    try:
        key = X25519PublicKey.from_public_bytes(public_key)
        head = _SUITE.encrypt(token, key, bound)
        return head + _SUITE.encrypt(body.tobytes(), key, bound + head)
    except ValueError as e:
        raise DecodeError("the counter's key is no X25519 key") from e


def decrypt(
    sealed: bytes, private_key: X25519PrivateKey, setup: Setup, *, bound: bytes
) -> tuple[bytes, bytes]:
    """The token and the rest of what ``encrypt`` gave for the same ``bound``."""
    head = sealed[: head_bytes(setup)]
    token = token_of(head, private_key, setup, bound=bound)
    return token, _open(sealed[len(head) :], private_key, bound + head)


def _open(box: bytes, private_key: X25519PrivateKey, bound: bytes) -> bytes:
    try:
        return _SUITE.decrypt(box, private_key, bound)
    except (InvalidTag, ValueError) as e:
        raise BadBatch("bad-seal", "a batch was not sealed to this counter for this session") from e


def name(sealed: bytes) -> bytes:
    """The name of a batch, 32 bytes."""
    return hashing.derive_key(labels.DISCOVERY_BATCH_NAME, sealed)
