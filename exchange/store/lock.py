"""Locks that processes of one home share."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange.errors import ConfigError


@contextmanager
def alone(path: Path, busy: ConfigError | None = None) -> Iterator[None]:
    """Hold the lock of a file; it goes with the process that holds it.

    Args:
        path: the file, made where there is none.
        busy: raised where somebody else holds it; without it we wait.

    Raises:
        ConfigError: somebody else holds it, or the disk is in the way.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise ConfigError(f"cannot write {path}: {e.strerror}") from e
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if busy is None else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            assert busy is not None
            raise busy from None
        yield
    finally:
        os.close(descriptor)
