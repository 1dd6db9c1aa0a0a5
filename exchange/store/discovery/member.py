"""What a member keeps of discoveries: what it asked the helpers in this epoch, and its batch of each session.

Both are sealed under a key of the home. What was asked is deleted when another epoch begins; a batch is kept
until its session is long over, because another one would need another token.
"""

import fcntl
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import time

import numpy as np

from crypto.rows import Rows
from exchange.config import Home, sync_directory
from exchange.discovery.tagging import KNOWN_BYTES
from exchange.errors import StoreError
from exchange.store.guard import secret
from exchange.store.lock import locked
from exchange.store.sealed import read_sealed, write_sealed

KEY, OWN = "discoveries", "own"
KEPT_S = 8 * 86_400
"""A day longer than a relay keeps the outcome."""
_BEGUN_BYTES = 16
_SESSION = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one home asked.

    Args:
        home: the node's home.
    """

    home: Home

    def known(self, epoch: int, keys: Sequence[bytes]) -> Rows:
        """``(n, 96)``: each item and its output under the sum of these keys; none if nothing is kept.

        Raises:
            StoreError, ConfigError: it cannot be read.
        """
        data = read_sealed(self.home, KEY, self._folder("asked") / _name(epoch, keys)) or b""
        rest = len(data) % KNOWN_BYTES
        return np.frombuffer(b"" if rest else data, np.uint8).reshape(-1, KNOWN_BYTES)

    def keep(self, epoch: int, keys: Sequence[bytes], known: Rows) -> None:
        """Keep them, and forget those of other keys and earlier epochs.

        Raises:
            StoreError, ConfigError: it cannot be written, or an old one not be deleted.
        """
        write_sealed(self.home, KEY, self._folder("asked") / _name(epoch, keys), known.tobytes())
        self._forget(epoch)

    def begun(self, epoch: int, keys: Sequence[bytes]) -> tuple[int, int]:
        """Of what was begun: about how many items questions are left, and how many are shown for these.

        Raises:
            StoreError, ConfigError: it cannot be read.
        """
        data = read_sealed(self.home, KEY, self._folder("asked") / f"{_name(epoch, keys)}.begun") or b""
        items, shown = np.frombuffer(data, "<u8").tolist() if len(data) == _BEGUN_BYTES else (0, 0)
        return items, shown

    def begin(self, epoch: int, keys: Sequence[bytes], items: int, shown: int) -> None:
        """Write that down.

        Raises:
            StoreError, ConfigError: it cannot be written.
        """
        data = np.array([items, shown], "<u8").tobytes()
        write_sealed(self.home, KEY, self._folder("asked") / f"{_name(epoch, keys)}.begun", data)

    def secret(self) -> bytes:
        """32 random bytes that stay the same, and that nobody else has.

        Raises:
            ConfigError: they cannot be made or read, or others can read them.
        """
        return secret(self.home, KEY)

    def _forget(self, before: int) -> None:
        folder = self.home.path / "discoveries" / "asked"
        try:
            files = folder.iterdir() if folder.is_dir() else ()
            old = [file for file in files if _epoch(file.name) < before]
            for file in old:
                file.unlink(missing_ok=True)
            if old:
                sync_directory(folder)
        except OSError as e:
            raise StoreError(f"cannot delete in {folder}: {e.strerror}") from e

    def batch(self, context: bytes, name: str) -> bytes | None:
        """What we deposited in a session, or are about to; None where there is nothing yet.

        Raises:
            StoreError, ConfigError: it cannot be read.
        """
        return read_sealed(self.home, KEY, self._room(context) / name)

    def keep_batch(self, context: bytes, name: str, batch: bytes) -> None:
        """Keep it, before it leaves.

        Raises:
            StoreError, ConfigError: it cannot be written.
        """
        write_sealed(self.home, KEY, self._room(context) / name, batch)

    def drop_batch(self, context: bytes, name: str) -> None:
        """Delete it, if there is one.

        Raises:
            StoreError: it cannot be deleted.
        """
        path = self._room(context) / name
        try:
            path.unlink(missing_ok=True)
        except OSError as e:
            raise StoreError(f"cannot delete {path}: {e.strerror}") from e

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """While a process of this home takes part in a discovery.

        Raises:
            StoreError, ConfigError: the lock cannot be made.
        """
        with self._lock(fcntl.LOCK_SH):
            yield

    @contextmanager
    def nobody(self) -> Iterator[bool]:
        """Say whether none does; none begins to meanwhile.

        Raises:
            StoreError, ConfigError: the lock cannot be made.
        """
        with self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
            yield held

    def _lock(self, how: int) -> AbstractContextManager[bool]:
        return locked(self._folder("taking-part") / "lock", how)

    def expire(self, before: int) -> None:
        """Delete what was asked in epochs before this one, and what is left of sessions that are long over.

        Raises:
            StoreError: it cannot be deleted.
        """
        self._forget(before)
        folder = self.home.path / "discoveries" / OWN
        try:
            for room in folder.iterdir() if folder.is_dir() else ():
                if _SESSION.fullmatch(room.name) and room.stat().st_mtime < time() - KEPT_S:
                    shutil.rmtree(room)
        except OSError as e:
            raise StoreError(f"cannot delete in {folder}: {e.strerror}") from e

    def _room(self, context: bytes) -> Path:
        """The folder of a session; a relay's of the same session is another one, and ends at another time."""
        self._folder(OWN)
        return self._folder(f"{OWN}/{context.hex()}")

    def _folder(self, name: str) -> Path:
        folder = self.home.path / "discoveries" / name
        try:
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as e:
            raise StoreError(f"cannot make {folder}: {e.strerror}") from e
        return folder


def _name(epoch: int, keys: Sequence[bytes]) -> str:
    return f"{epoch}.{sha256(b''.join(keys)).hexdigest()}"


def _epoch(name: str) -> int:
    number = name.removeprefix(".").partition(".")[0]
    return int(number) if number.isdigit() else 0
