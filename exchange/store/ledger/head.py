"""The newest checkpoint of a ledger, kept in a small file beside the database, and the lock of its writers.

The database alone cannot show that its last rows were deleted: what is left is a shorter, correct log. This
file remembers how long the log was. Two slots take turns, so a write torn by a power cut costs one entry of
memory and never all of it. The file may lag behind the database (killed in between), never run ahead of it.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from exchange.errors import LedgerError
from exchange.ledger.note import Checkpoint, parse, read
from exchange.store.engine import BUSY_TIMEOUT_S

_RETRY_S = 0.001
_DECIDING_S, _PATIENT_S = 120, 0.02
"""How long a decision waits for others, which may read dictionaries of millions, and how often it tries."""
_SLOT_BYTES = 2048  # the longest note has about 1,500


def read_head(path: Path, public_key: bytes) -> Checkpoint | None:
    """Return the newest checkpoint in a head file that the log's key signed; None when there is none.

    Raises:
        LedgerError: the file exists but cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise LedgerError(f"{path} cannot be read: {e.strerror}") from e
    return _newest(content, public_key)


def _newest(content: bytes, public_key: bytes) -> Checkpoint | None:
    found = []
    for start in range(0, 2 * _SLOT_BYTES, _SLOT_BYTES):
        try:
            note = content[start : start + _SLOT_BYTES].decode().rstrip("\n") + "\n"
            found.append(read(note, public_key))
        except (UnicodeDecodeError, LedgerError):
            continue  # never written, or torn
    return max(found, key=lambda c: c.size, default=None)


class Head:
    """A head file open for writing. Appending happens under ``locked``, between processes and threads."""

    def __init__(self, path: Path, public_key: bytes) -> None:
        """Open the file, creating it when it is missing, readable by its owner alone.

        Raises:
            LedgerError: it cannot be created or opened.
        """
        self.path = path
        self._public_key = public_key
        self._threads = threading.Lock()
        self._seen: tuple[bytes, Checkpoint | None] = b"", None
        with self._errors():
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to append. Waits for its turn.

        Raises:
            LedgerError: another process did not let go in time, or the file system has no locks.
        """
        if not self._threads.acquire(timeout=BUSY_TIMEOUT_S):
            raise self._busy()
        try:
            self._lock(self._file.fileno(), BUSY_TIMEOUT_S, _RETRY_S)
            try:
                yield
            finally:
                fcntl.flock(self._file.fileno(), fcntl.LOCK_UN)
        finally:
            self._threads.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the right to decide and append: see ``LedgerStore.turn``. The lock is on the folder.

        Raises:
            LedgerError: another process did not let go in time, or the file system has no locks.
        """
        with self._errors():
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._lock(folder, _DECIDING_S, _PATIENT_S)
            yield
        finally:
            os.close(folder)

    def _lock(self, descriptor: int, patience_s: float, retry_s: float) -> None:
        """Wait for a lock; it ends when it is given up, or the descriptor is closed."""
        give_up = monotonic() + patience_s
        while not self._try_lock(descriptor):
            if monotonic() > give_up:
                raise self._busy()
            sleep(retry_s)

    def _try_lock(self, descriptor: int) -> bool:
        with self._errors():
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def _busy(self) -> LedgerError:
        return LedgerError(
            f"{self.path} is in use by another process", hint="wait for it to finish, then run this again"
        )

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is readable and signed, None when there is none.

        Raises:
            LedgerError: the file cannot be read.
        """
        with self._errors():
            content = os.pread(self._file.fileno(), 2 * _SLOT_BYTES, 0)
        if content != self._seen[0]:  # unless another process wrote, no signature need be checked again
            self._seen = content, _newest(content, self._public_key)
        return self._seen[1]

    def write(self, note: str, size: int) -> None:
        """Remember a checkpoint, durably. Call with the lock held, after the log holds it durably.

        Raises:
            LedgerError: the disk refused.
        """
        content = note.encode().ljust(_SLOT_BYTES, b"\n")
        with self._errors():
            if os.pwrite(self._file.fileno(), content, size % 2 * _SLOT_BYTES) != _SLOT_BYTES:
                raise LedgerError(f"{self.path} cannot be written: the disk is full")
            os.fdatasync(self._file.fileno())
        slots = self._seen[0].ljust(2 * _SLOT_BYTES, b"\0")
        start = size % 2 * _SLOT_BYTES
        self._seen = slots[:start] + content + slots[start + _SLOT_BYTES :], parse(note)

    def close(self) -> None:
        """Close the file; closing it twice does no harm."""
        self._file.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise LedgerError(f"{self.path} cannot be used: {e.strerror}", hint="check the disk") from e
