"""What sessions of ``voprf-epoch`` leave for the next one: one encrypted file each.

The name of a file says what it is: whose side, with which peer, from which session. The receiver keeps the
newest alone, because what the peer took away has to be gone; the sender the newest two, because a receiver
that died before it wrote its own asks from the older one. None of it has to be there: what is lost costs a
whole run.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import NamedTuple

from exchange.config import Home, sync_directory
from exchange.errors import ConfigError, StoreError
from exchange.store.sealed import read_sealed, write_sealed

KEY = "epochs"
KEPT = {"receiver": 1, "sender": 2}
"""How many states of a side are kept with a peer."""
_NAME = re.compile(r"(receiver|sender)\.([a-z0-9-]{1,40})\.([0-9a-f]{64})")
_ANSWERS = "answers."
_DAY_S = 86_400
_ABANDONED_S = 3600
"""Age of a half-written file that nobody will finish."""


class Kept(NamedTuple):
    """A state, by its name.

    Attributes:
        role: ``receiver`` or ``sender``.
        peer: the other member.
        session: the session that left it, in hex.
    """

    role: str
    peer: str
    session: str

    @property
    def name(self) -> str:
        """Of its file."""
        return ".".join(self)


@dataclass(frozen=True, slots=True)
class Epochs:
    """Those of one home.

    Args:
        home: the node's home.
    """

    home: Home

    @property
    def _folder(self) -> Path:
        return self.home.path / "epochs"

    def kept(self, role: str, peer: str) -> list[Kept]:
        """What there is for a role with a peer, the newest first.

        Raises:
            StoreError: the folder cannot be read.
        """
        dated = sorted(((_written(file), file.name) for file in self._files()), reverse=True)
        names = (_NAME.fullmatch(name) for _, name in dated)
        found = [Kept(m[1], m[2], m[3]) for m in names if m is not None]
        return [k for k in found if (k.role, k.peer) == (role, peer)]

    def put(self, role: str, peer: str, session: str, state: bytes) -> None:
        """Keep one; older ones go for it.

        Raises:
            ConfigError: the disk is full, or the key is damaged or exposed.
            StoreError: an older one cannot be deleted.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as e:
            raise ConfigError(f"cannot make {self._folder}: {e.strerror}") from e
        kept = Kept(role, peer, session)
        write_sealed(self.home, KEY, self._folder / kept.name, state)
        self._prune(role, peer)

    def get(self, kept: Kept) -> bytes | None:
        """What is kept under a name; ``None`` if it is there no more.

        Raises:
            ConfigError: the key is damaged or exposed.
            StoreError: the file is damaged, or cannot be read.
        """
        file = self._folder / kept.name
        if not file.exists():
            return None
        state = read_sealed(self.home, KEY, file)
        if state is None:
            self.drop(kept)
            raise StoreError(f"{file} was damaged, and is deleted", hint="run the match again")
        return state

    def answer(self, kept: Kept) -> int:
        """Write down that we answer from a state once more; returns how often that is now.

        Raises:
            StoreError: it cannot be written.
        """
        file = self._folder / f"{_ANSWERS}{kept.session}"
        try:
            with file.open("ab") as counted:
                counted.write(b".")
                counted.flush()
                os.fsync(counted.fileno())
                return counted.tell()
        except OSError as e:
            raise StoreError(f"cannot write {file}: {e.strerror}") from e

    def expire(self) -> None:
        """Delete what no session can go on from any more, because its epoch is over.

        Raises:
            StoreError: it cannot be deleted, or the folder not be read.
        """
        first = time() - self.home.settings.limits.epoch_days * _DAY_S
        self._delete([file for file in self._files() if _written(file) < first])

    def drop(self, kept: Kept) -> None:
        """Delete one.

        Raises:
            StoreError: it cannot be deleted.
        """
        self._delete([self._folder / kept.name])

    def _prune(self, role: str, peer: str) -> None:
        """Delete all of a role with a peer but the newest, and what was left half-written long ago."""
        old = [self._folder / kept.name for kept in self.kept(role, peer)[KEPT[role] :]]
        hidden = [file for file in self._files() if file.name.startswith(".")]
        abandoned = [file for file in hidden if _written(file) < time() - _ABANDONED_S]
        self._delete(old + abandoned)
        left = {m[3] for file in self._files() if (m := _NAME.fullmatch(file.name)) is not None}
        counts = [file for file in self._files() if file.name.startswith(_ANSWERS)]
        self._delete([file for file in counts if file.name.removeprefix(_ANSWERS) not in left])

    def _files(self) -> list[Path]:
        try:
            return list(self._folder.iterdir()) if self._folder.is_dir() else []
        except OSError as e:
            raise StoreError(f"cannot read {self._folder}: {e.strerror}") from e

    def _delete(self, files: list[Path]) -> None:
        try:
            for file in files:
                file.unlink(missing_ok=True)
            if files:
                sync_directory(self._folder)  # a power failure must not bring them back
        except OSError as e:
            raise StoreError(f"cannot delete in {self._folder}: {e.strerror}") from e


def _written(file: Path) -> float:
    """When a file was written, in seconds; just now, if it was replaced or renamed since we saw its name."""
    try:
        return file.stat().st_mtime
    except OSError:
        return time()
