"""An export as a folder: written whole or not at all, and read back."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from exchange.audit.manifest import NAME
from exchange.errors import LedgerError

Part = tuple[str, Iterable[bytes]]
"""A path, and the file's bytes in pieces."""


def read(folder: Path) -> dict[str, bytes]:
    """Return all files of an export, by path with ``/``.

    Raises:
        LedgerError: it is no folder, or the home of a node, or a file cannot be read.
    """
    if not folder.is_dir():
        raise LedgerError(
            f"there is no export at {folder}", code="no-export", hint="make one: cosight ledger export DIR"
        )
    if (folder / "config.toml").exists():
        raise LedgerError(
            f"{folder} is the home of a node, and no export", code="no-export",
            hint=f"its ledger is checked by: cosight ledger verify --home {folder}; an export of it is made"
            f" by: cosight ledger export DIR --home {folder}",
        )  # fmt: skip
    try:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}
    except OSError as e:
        raise LedgerError(f"{folder} cannot be read: {e.strerror}", code="no-export") from e


def write(folder: Path, parts: Iterable[Part], manifest: Callable[[dict[str, str]], bytes]) -> None:
    """Write an export: into a folder beside, which takes its name when all is there.

    Args:
        folder: where; it must not exist, or be empty.
        parts: every file but the manifest.
        manifest: gives that, from the SHA-256 of every other file in hex, by path.

    Raises:
        LedgerError: the folder holds something, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LedgerError(
            f"{folder} exists and is not empty",
            code="export-exists",
            hint="name a folder that does not exist",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _beside(folder) as made:
            digests = {path: _write(made / path, pieces) for path, pieces in parts}
            _write(made / NAME, [manifest(digests)])
            made.rename(folder)
    except OSError as e:
        raise LedgerError(f"{folder} cannot be written: {e.strerror}", code="export-failed") from e


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder on the same file system, gone at the end unless it was renamed."""
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write(path: Path, pieces: Iterable[bytes]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = sha256()
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir())
