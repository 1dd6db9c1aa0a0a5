"""Sketches of our set that were made before: one small file each, the oldest dropped."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crypto.rows import Rows
from crypto.sketch import SLOTS
from exchange.config import Home, make_folder, write_atomic
from exchange.errors import StoreError

ROW_BYTES = 32
KEPT = 16
_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SketchFiles:
    """Those of one home.

    Args:
        home: the node's home.
    """

    home: Home

    @property
    def _folder(self) -> Path:
        return self.home.path / "sketches"

    def get(self, name: str) -> Rows | None:
        """The sketch of this name; None where there is none, or a damaged one.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            content = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise StoreError(f"cannot read {self._folder / name}: {e.strerror}") from e
        whole = len(content) == SLOTS * ROW_BYTES
        return np.frombuffer(content, np.uint8).reshape(-1, ROW_BYTES) if whole else None

    def put(self, name: str, sketch: Rows) -> None:
        """Keep one, and drop the oldest of too many.

        Raises:
            ConfigError: the disk is full.
            StoreError: an old one cannot be dropped.
        """
        make_folder(self._folder)
        write_atomic(self._folder / name, sketch.tobytes())
        try:
            files = [file for file in self._folder.iterdir() if _NAME.fullmatch(file.name)]
            for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)[KEPT:]:
                file.unlink(missing_ok=True)
        except FileNotFoundError:
            return  # another process drops them just now
        except OSError as e:
            raise StoreError(f"cannot delete in {self._folder}: {e.strerror}") from e
