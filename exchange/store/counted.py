"""The folder and the result of a run, as they are at its coordinator and at its members alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from exchange.aggregation.tally import Tally
from exchange.config import read_file, write_atomic
from exchange.counting.world import Counted
from exchange.errors import InputError, PeerMisbehaved, StoreError
from exchange.identity import encoding

T = TypeVar("T")
CONTEXT_BYTES = 32
MAX_TABLE_BYTES = 1 << 16


def is_context(name: str) -> bool:
    """Whether a folder has the name of a run: what else lies beside them is left alone."""
    return len(name) == 2 * CONTEXT_BYTES and set(name) <= set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Kept:
    """The folder of a run.

    Args:
        path: where it is; its name is that of the run.
    """

    path: Path

    @property
    def context(self) -> bytes:
        """The run's name."""
        return bytes.fromhex(self.path.name)

    @property
    def opening(self) -> bytes:
        """The opening, encoded.

        Raises:
            ConfigError: it cannot be read.
        """
        return read_file(self.path / "opening")

    @property
    def signature(self) -> bytes:
        """The coordinator's over it.

        Raises:
            ConfigError: it cannot be read.
        """
        return read_file(self.path / "signature")


def folders(parent: Path) -> list[Path]:
    """The folders of all runs, the oldest first: those that have an opening by now.

    Raises:
        StoreError: they cannot be listed.
    """
    try:
        paths = parent.iterdir() if parent.is_dir() else ()
        openings = [path / "opening" for path in paths if is_context(path.name)]
        return [at.parent for at in sorted((at for at in openings if at.exists()), key=_age)]
    except OSError as e:
        raise StoreError(f"cannot read {parent}: {e.strerror}") from e


def _age(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.parent.name


def read_table(path: Path, **kinds: type) -> dict[str, Any] | None:
    """What one of the small files in it says, its fields of these types; None if there is none.

    Raises:
        ConfigError: it cannot be read.
        StoreError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        return encoding.table(encoding.decode(read_file(path), limit=MAX_TABLE_BYTES), **kinds)
    except ValueError as e:
        raise StoreError(f"{path} is damaged") from e


def the_one(found: Sequence[T], beginning: str) -> T:
    """The only one of the runs whose names begin so.

    Raises:
        InputError: there is none, or more than one.
    """
    if len(found) == 1:
        return found[0]
    how_many = "more than one aggregation has" if found else "we know no aggregation that has"
    raise InputError(
        f"{how_many} a name that begins with {beginning!r}", hint="see: cosight aggregate list, or result"
    )


def write_counted(path: Path, counted: Counted) -> None:
    """Keep what came of a run.

    Raises:
        ConfigError: the disk is full.
    """
    told = {
        "words": counted.vector.tobytes(),
        "dtype": counted.vector.dtype.str,
        "tally": counted.tally.document.body,
        "ours": counted.ours.tobytes(),
    }
    write_atomic(path, encoding.encode(told))


def read_counted(path: Path) -> Counted | None:
    """What came of a run; None if nothing did.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        content = path.read_bytes()
        told = encoding.table(
            encoding.decode(content, limit=len(content)), words=bytes, dtype=str, tally=bytes, ours=bytes
        )
        vector = np.frombuffer(told["words"], np.dtype(told["dtype"]))
        return Counted(vector, Tally.decode(told["tally"]), np.frombuffer(told["ours"], bool))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, PeerMisbehaved) as e:
        raise StoreError(f"{path} is damaged") from e
