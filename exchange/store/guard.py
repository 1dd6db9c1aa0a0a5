"""The secret of a node's guards: canaries and the salts of its commitments come from it."""

import secrets

from exchange.config import Home, read_secret, write_once
from exchange.errors import ConfigError

KEY_BYTES = 32


def guard_key(home: Home) -> bytes:
    """32 secret bytes of this home, made when they are first needed: for canaries and salts of commitments.

    Raises:
        ConfigError: the file cannot be made or read, or others can read it.
    """
    path = home.key_file("guard").with_suffix(".key")
    if not path.exists():
        write_once(path, secrets.token_bytes(KEY_BYTES))
    key = read_secret(path)
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path} is damaged", hint="restore it from your backup")
    return key
