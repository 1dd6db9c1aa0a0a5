"""Files of a home that are worth nothing without its key: what sessions leave, what helpers answered."""

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange.config import Home, write_atomic
from exchange.errors import StoreError
from exchange.store.guard import secret

NONCE_BYTES = 12


def seal(key: bytes, data: bytes | memoryview, name: bytes) -> bytes:
    """Seal what is in a file under a key of 32 bytes; nobody can put it under another name."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, name)


def unseal(key: bytes, content: bytes, name: bytes) -> bytes | None:
    """What ``seal`` sealed; None if this is not that, or has another name."""
    try:
        return AESGCM(key).decrypt(content[:NONCE_BYTES], memoryview(content)[NONCE_BYTES:], name)
    except (InvalidTag, ValueError):
        return None


def write_sealed(home: Home, key: str, path: Path, data: bytes | memoryview) -> None:
    """Write a file under a key of the home, so that a crash leaves all of it or the one before.

    Args:
        home: the node's home.
        key: the key's name; it is made when it is first needed.
        path: the file; its name is sealed with it.
        data: what it holds.

    Raises:
        ConfigError: the disk is full, or the key is damaged or exposed.
    """
    write_atomic(path, seal(_key(home, key), data, path.name.encode()))


def read_sealed(home: Home, key: str, path: Path) -> bytes | None:
    """What ``write_sealed`` wrote; None if there is no such file, or another one in its place.

    Raises:
        ConfigError: the key is damaged or exposed.
        StoreError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e
    return unseal(_key(home, key), content, path.name.encode())


def _key(home: Home, name: str) -> bytes:
    return secret(home, name, hint=f"delete it and what is in {name}/")
