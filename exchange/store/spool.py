"""Messages of members as files: rows first, then what else they have, so that rows are read in place."""

import mmap
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from crypto.rows import Rows
from exchange.config import sync_directory
from exchange.errors import ConfigError, StoreError
from exchange.identity import encoding

MAX_TRAILER_BYTES = 1 << 17
ARRIVING = ".spool."
"""How names of files begin that are not whole."""
SMALL_BYTES = 1 << 16
"""Rows of so many bytes are held in memory: a map holds a file open, and a run keeps many of them."""
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a member, as it lies on the disk: rows first, then the rest.

    Attributes:
        name: of the message.
        body: its head, encoded.
        digest: SHA-256 of its frames.
        path: of the file.
        size: bytes of its rows.
    """

    name: str
    body: bytes
    digest: bytes
    path: Path
    size: int

    def rows(self) -> memoryview:
        """Its rows, read as they are looked at.

        Raises:
            StoreError: the file is gone.
        """
        if not self.size:
            return memoryview(b"")
        try:
            with self.path.open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[: self.size]
        except (OSError, ValueError) as e:
            raise StoreError(f"cannot read {self.path}") from e

    def open(self) -> BinaryIO:
        """The file, whose first ``size`` bytes are the rows.

        Raises:
            StoreError: it is gone.
        """
        return opened(self.path)


@dataclass(slots=True)
class Spool:
    """A message that arrives: its rows go to the disk, not into memory.

    Args:
        folder: of the aggregation.
    """

    folder: Path
    _path: Path = field(init=False)
    _small: Rows | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._path = self.folder / f"{ARRIVING}{secrets.token_hex(8)}"

    def allocate(self, size: tuple[int, int]) -> Rows:
        """Room for the rows of a message, which has one field of them at most.

        Raises:
            ConfigError: the disk is full.
        """
        length = size[0] * size[1]
        if length <= SMALL_BYTES:
            self._small = np.empty(size, np.uint8)
            return self._small
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, length)  # a full disk is an error now, not a signal later
                mapped = mmap.mmap(descriptor, length)
            finally:
                os.close(descriptor)
        except OSError as e:
            self.discard()
            raise ConfigError(f"cannot write {self._path}: {e.strerror}") from e
        return np.frombuffer(mapped, np.uint8).reshape(size)

    def seal(self, step: int, position: int, name: str, body: bytes, digest: bytes) -> bool:
        """Put the message, with what it has beside rows, into its place; durable when this returns.

        Returns:
            Whether it was put there: another one may have come first, and stays.

        Raises:
            ConfigError: the disk is full.
        """
        path = message_file(self.folder, step, position)
        trailer = encoding.encode({"name": name, "body": body, "digest": digest})
        try:
            with self._path.open("ab") as file:
                self._path.chmod(0o600)
                if self._small is not None:
                    file.write(self._small.data)
                file.write(trailer + len(trailer).to_bytes(_LENGTH_BYTES, "big"))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(self._path, path)
            except FileExistsError:
                return False
            sync_directory(self.folder)
        except OSError as e:
            raise ConfigError(f"cannot write {path}: {e.strerror}") from e
        finally:
            self.discard()
        return True

    def discard(self) -> None:
        """What was not sealed goes."""
        self._path.unlink(missing_ok=True)


def message_file(folder: Path, step: int, position: int) -> Path:
    """Where the message of a member in a step is."""
    return folder / f"{step}-{position:03d}"


def read_said(path: Path) -> Said | None:
    """The message in a file, if there is one.

    Raises:
        StoreError: it is damaged.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(-_LENGTH_BYTES, os.SEEK_END)
            length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
            size = file.seek(end - length)
            told = encoding.decode(file.read(length), limit=MAX_TRAILER_BYTES)
        t = encoding.table(told, name=str, body=bytes, digest=bytes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as e:
        raise StoreError(f"{path} is damaged") from e
    return Said(t["name"], t["body"], t["digest"], path, size)


def opened(path: Path) -> BinaryIO:
    """A file.

    Raises:
        StoreError: it is gone.
    """
    try:
        return path.open("rb")
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e
