"""The keys of a node, what each is for, and signatures that say what they sign.

Separate keys, so that the loss of one is not the loss of all. The *identity* key signs for the organisation,
the *log* key signs the ledger's checkpoints, the *CA* key signs the node's own short-lived certificates,
whose keys stay in memory. The founder also holds the *root* key, needed only to admit a member.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from crypto import ed25519
from exchange.config import CA_KEY, IDENTITY_KEY, LOG_KEY
from exchange.errors import ConfigError

PUBLIC_KEY_BYTES = ed25519.KEY_BYTES
SIGNATURE_BYTES = ed25519.SIGNATURE_BYTES

_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The private keys of one node; their ``repr`` shows nothing."""

    identity: Ed25519PrivateKey = field(repr=False)
    log: Ed25519PrivateKey = field(repr=False)
    ca: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Fresh keys from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), generate_ca_key())

    @classmethod
    def from_pem(cls, pem: Mapping[str, bytes]) -> Self:
        """The keys in PEM, by their names in the home.

        Raises:
            ConfigError: one is damaged or of the wrong kind.
        """
        return cls(
            _load_signing_key(IDENTITY_KEY, pem[IDENTITY_KEY]),
            _load_signing_key(LOG_KEY, pem[LOG_KEY]),
            load_ca_key(CA_KEY, pem[CA_KEY]),
        )

    def to_pem(self) -> dict[str, bytes]:
        """The keys in PEM, by their names in the home."""
        return {IDENTITY_KEY: to_pem(self.identity), LOG_KEY: to_pem(self.log), CA_KEY: to_pem(self.ca)}


def generate_ca_key() -> ec.EllipticCurvePrivateKey:
    """A fresh key for certificates: ECDSA on P-256, which every TLS library speaks."""
    return ec.generate_private_key(ec.SECP256R1())


def load_ca_key(name: str, pem: bytes) -> ec.EllipticCurvePrivateKey:
    """A key for certificates, from PEM.

    Raises:
        ConfigError: it is damaged or no P-256 key.
    """
    key = _load(name, pem)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise _wrong_kind(name)


def to_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 PEM, not encrypted: the file's permissions protect it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The public key, 32 bytes."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def is_strong(public_key: bytes) -> bool:
    """Whether 32 bytes are the one encoding of an Ed25519 key that binds its holder.

    Under a point of small order anybody can make signatures that verify, so its "holder" could deny them all.
    """
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    return len(public_key) == PUBLIC_KEY_BYTES and y < _P and y not in _SMALL_ORDER_Y


def sign(key: Ed25519PrivateKey, label: str, body: bytes) -> bytes:
    """Sign a body under a label of ``crypto.labels``; 64 bytes."""
    return key.sign(_labelled(label, body))


def verify(public_key: bytes, label: str, body: bytes, signature: bytes) -> bool:
    """Whether ``sign`` made this signature with the private half of this key."""
    return verify_raw(public_key, _labelled(label, body), signature)


def verify_raw(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether a signature over bytes that carry their own label is good."""
    return ed25519.verify(public_key, data, signature)


def fingerprint(data: bytes) -> str:
    """What two people compare over the telephone: 128 bits of SHA-256 as eight groups of four hex digits."""
    digits = hashlib.sha256(data).hexdigest()[:32]
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _labelled(label: str, body: bytes) -> bytes:
    return label.encode() + b"\0" + body


def _load_signing_key(name: str, pem: bytes) -> Ed25519PrivateKey:
    key = _load(name, pem)
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise _wrong_kind(name)


def _load(name: str, pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # the library's text may quote the file
        raise ConfigError(f"the {name} key is damaged", hint="restore it from your backup") from None


def _wrong_kind(name: str) -> ConfigError:
    return ConfigError(f"the {name} key is of the wrong kind", hint="restore it from your backup")
