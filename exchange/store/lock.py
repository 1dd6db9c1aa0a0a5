"""Locks that processes of one home share."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange.errors import ConfigError


@contextmanager
def locked(path: Path, how: int) -> Iterator[bool]:
    """Hold the lock of a file; it goes with the process that holds it, however that ends.

    Args:
        path: the file, made where there is none.
        how: as ``fcntl.flock`` takes it: shared or exclusive, waiting or not.

    Yields:
        Whether we hold it; False where others do, and we do not wait.

    Raises:
        ConfigError: the disk is in the way.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise ConfigError(f"cannot write {path}: {e.strerror}") from e
    try:
        try:
            fcntl.flock(descriptor, how)
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path, busy: ConfigError | None = None) -> Iterator[None]:
    """The same, for nobody else.

    Args:
        path: the file.
        busy: raised where somebody else holds it; without it we wait.

    Raises:
        ConfigError: somebody else holds it, or the disk is in the way.
    """
    with locked(path, fcntl.LOCK_EX if busy is None else fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
        if not held:
            assert busy is not None
            raise busy
        yield
