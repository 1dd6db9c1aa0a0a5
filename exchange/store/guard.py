"""The secrets of a node that are random bytes: of its guards, its seals, and its part in aggregations."""

import secrets

from exchange.config import Home, read_secret, write_once
from exchange.errors import ConfigError

KEY_BYTES = 32


def guard_key(home: Home) -> bytes:
    """32 secret bytes of this home: canaries and the salts of its commitments come from it.

    Raises:
        ConfigError: the file cannot be made or read, or others can read it.
    """
    return _secret(home, "guard")


def seal_seed(home: Home) -> bytes:
    """32 secret bytes of this home: the ML-DSA-44 key of its seals comes from it.

    Raises:
        ConfigError: the file cannot be made or read, or others can read it.
    """
    return _secret(home, "seal")


def contributions_key(home: Home) -> bytes:
    """32 secret bytes of this home: what we keep of running aggregations is sealed under them.

    Raises:
        ConfigError: the file cannot be made or read, or others can read it.
    """
    return _secret(home, "contributions")


def _secret(home: Home, name: str) -> bytes:
    """A secret, made when it is first needed."""
    path = home.key_file(name).with_suffix(".key")
    if not path.exists():
        write_once(path, secrets.token_bytes(KEY_BYTES))
    key = read_secret(path)
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path} is damaged", hint="restore it from your backup")
    return key
