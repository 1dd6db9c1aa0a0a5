"""What sessions of ``voprf-epoch`` leave for the next one: one encrypted file each.

The name of a file says what it is: whose side, with which peer, since when its epoch is, from which session.
The receiver keeps the newest alone, because what the peer took away has to be gone; the sender the newest
two, because a receiver that died before it wrote its own asks from the older one. None of it has to be there:
what is lost costs a whole run.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import NamedTuple, Self

from exchange.config import Home, make_folder, sync_directory
from exchange.errors import StoreError
from exchange.store.sealed import read_sealed, write_sealed

KEY = "epochs"
KEPT = {"receiver": 1, "sender": 2}
"""How many states of a side are kept with a peer."""
_NAME = re.compile(r"(receiver|sender)\.([a-z0-9-]{1,40})\.([0-9]{1,12})\.([0-9a-f]{64})")
_ANSWERS = "answers."
_ABANDONED_S = 3600
"""Age of a half-written file that nobody will finish."""


class Kept(NamedTuple):
    """A state, by its name.

    Attributes:
        role: ``receiver`` or ``sender``.
        peer: the other member.
        began: when its epoch did, in seconds since 1970.
        session: the session that left it, in hex.
    """

    role: str
    peer: str
    began: int
    session: str

    @property
    def name(self) -> str:
        """Of its file."""
        return ".".join(map(str, self))

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The state of this name; None if it is no state's."""
        found = _NAME.fullmatch(name)
        return None if found is None else cls(found[1], found[2], int(found[3]), found[4])


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
        found = (Kept.named(name) for _, name in dated)
        return [k for k in found if k is not None and (k.role, k.peer) == (role, peer)]

    def put(self, role: str, peer: str, began: int, session: str, state: bytes) -> None:
        """Keep one; older ones go for it.

        Raises:
            ConfigError: the disk is full, or the key is damaged or exposed.
            StoreError: an older one cannot be deleted.
        """
        make_folder(self._folder)
        kept = Kept(role, peer, began, session)
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

    def expire(self, first: int) -> None:
        """Delete what is of an epoch that began earlier, in seconds since 1970.

        Raises:
            StoreError: it cannot be deleted, or the folder not be read.
        """
        files = (file for file in self._files() if not file.name.startswith(_ANSWERS))
        self._delete([file for file in files if _since(file) < first])
        self._tidy()

    def drop(self, kept: Kept) -> None:
        """Delete one.

        Raises:
            StoreError: it cannot be deleted.
        """
        self._delete([self._folder / kept.name])

    def _prune(self, role: str, peer: str) -> None:
        """Delete all of a role with a peer but the newest."""
        self._delete([self._folder / kept.name for kept in self.kept(role, peer)[KEPT[role] :]])
        self._tidy()

    def _tidy(self) -> None:
        """Delete what was left half-written long ago, and counts of what is there no more."""
        hidden = [file for file in self._files() if file.name.startswith(".")]
        self._delete([file for file in hidden if _written(file) < time() - _ABANDONED_S])
        # Counts first: a state is there before it is answered from, also where that begins just now.
        counts = [file for file in self._files() if file.name.startswith(_ANSWERS)]
        left = {kept.session for file in self._files() if (kept := Kept.named(file.name)) is not None}
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


def _since(file: Path) -> float:
    """When the epoch of a state began; of what is no state that we can read, when it was written."""
    kept = Kept.named(file.name)
    return _written(file) if kept is None else kept.began


def _written(file: Path) -> float:
    """When a file was written, in seconds; just now, if it was replaced or renamed since we saw its name."""
    try:
        return file.stat().st_mtime
    except OSError:
        return time()
