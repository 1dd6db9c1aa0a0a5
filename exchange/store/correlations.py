"""Correlations that were made ahead: one encrypted file each, taken once.

The name of a file says what it is: whose side, with which peer, how many elements, from which session.
Whoever takes it deletes it, which one process alone can do, before anything of it is used: a crash loses it,
and nothing brings it back. The content is sealed under a key of this node, so that a copy of the folder alone
is worth nothing.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crypto.rows import Rows
from exchange.config import Home, make_folder, sync_directory
from exchange.errors import StoreError
from exchange.store.sealed import read_sealed, write_sealed

KEY = "correlations"
ELEMENT_BYTES = 16
_NAME = re.compile(r"(receiver|sender)\.([a-z0-9-]{1,40})\.([0-9]{1,10})\.([0-9a-f]{64})")


class Ready(NamedTuple):
    """A correlation that nobody has taken yet."""

    role: str
    peer: str
    elements: int
    session: str

    @property
    def name(self) -> str:
        """Of its file."""
        return ".".join(map(str, self))


@dataclass(frozen=True, slots=True)
class Correlations:
    """Those of one home.

    Args:
        home: the node's home.
    """

    home: Home

    @property
    def _folder(self) -> Path:
        return self.home.path / "correlations"

    def ready(self, role: str, peer: str) -> list[Ready]:
        """What there is for a role with a peer, the smallest first.

        Raises:
            StoreError: the folder cannot be read.
        """
        try:
            files = list(self._folder.iterdir()) if self._folder.is_dir() else []
        except OSError as e:
            raise StoreError(f"cannot read {self._folder}: {e.strerror}") from e
        names = (_NAME.fullmatch(file.name) for file in files)
        found = [Ready(m[1], m[2], int(m[3]), m[4]) for m in names if m is not None]
        return sorted(r for r in found if (r.role, r.peer) == (role, peer))

    def put(self, role: str, peer: str, elements: int, session: str, rows: Rows) -> None:
        """Keep one.

        Raises:
            ConfigError: the disk is full, or the key is damaged or exposed.
        """
        make_folder(self._folder)
        ready = Ready(role, peer, elements, session)
        write_sealed(self.home, KEY, self._folder / ready.name, rows.reshape(-1).data)

    def prune(self, role: str, peer: str, keep: int) -> None:
        """Delete all of a role with a peer but the newest.

        Raises:
            StoreError: one cannot be deleted.
        """
        files = [self._folder / ready.name for ready in self.ready(role, peer)]
        try:
            files.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
            for file in files[keep:]:
                file.unlink(missing_ok=True)
        except FileNotFoundError:
            return  # another session has taken one meanwhile: there are fewer than we saw
        except OSError as e:
            raise StoreError(f"cannot delete in {self._folder}: {e.strerror}") from e

    def take(self, ready: Ready) -> Rows | None:
        """Take one for good; ``None`` if it is not there, or was taken by somebody else.

        Raises:
            ConfigError: the key is damaged or exposed.
            StoreError: the file is damaged, or cannot be deleted.
        """
        file = self._folder / ready.name
        plain = read_sealed(self.home, KEY, file)
        try:
            file.unlink()
            sync_directory(self._folder)  # a power failure must not bring it back
        except FileNotFoundError:
            return None
        except OSError as e:
            raise StoreError(f"cannot take {file}: {e.strerror}") from e
        if plain is None:
            raise StoreError(f"{file} was damaged, and is deleted", hint="run the match again")
        return np.frombuffer(plain, np.uint8).reshape(-1, ELEMENT_BYTES)
