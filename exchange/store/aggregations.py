"""What this node coordinates: a folder for each aggregation, everything in it before anybody is told of it.

A folder holds the opening, our signature over it, the dictionary, the messages of the members and, for each
step that was closed, who was in it. The state of a run follows from these files alone, so a node that is
killed goes on where it was. None of them says what a member holds: to whoever reads it, a masked vector is
uniform.
"""

import mmap
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from crypto.rows import Rows
from exchange.config import Home, read_file, sync_directory, write_once
from exchange.counting.world import Closing, Ending
from exchange.errors import ConfigError, StoreError
from exchange.identity import encoding

CONTEXT_BYTES = 32
KEPT = timedelta(days=7)
"""How long the folder of an aggregation stays after its end: members may be late."""
MAX_TRAILER_BYTES = 1 << 17
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
        return _opened(self.path)


@dataclass(slots=True)
class Spool:
    """A message that arrives: its rows go to the disk, not into memory.

    Args:
        folder: of the aggregation.
    """

    folder: Path
    _path: Path = field(init=False)
    _size: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._path = self.folder / f".spool.{secrets.token_hex(8)}"

    def allocate(self, size: tuple[int, int]) -> Rows:
        """Room for the rows of a message, which has one field of them at most.

        Raises:
            ConfigError: the disk is full.
        """
        self._size = size[0] * size[1]
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(
                    descriptor, 0, self._size
                )  # a full disk is an error now, not a signal later
                mapped = mmap.mmap(descriptor, self._size)
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
        path = _message(self.folder, step, position)
        trailer = encoding.encode({"name": name, "body": body, "digest": digest})
        try:
            with self._path.open("ab") as file:
                self._path.chmod(0o600)
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


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one aggregation.

    Args:
        path: where it is.
    """

    path: Path

    @property
    def opening(self) -> bytes:
        """The opening, encoded.

        Raises:
            ConfigError: it cannot be read.
        """
        return read_file(self.path / "opening")

    @property
    def signature(self) -> bytes:
        """Ours over it.

        Raises:
            ConfigError: it cannot be read.
        """
        return read_file(self.path / "signature")

    @property
    def made(self) -> datetime:
        """When it was opened.

        Raises:
            StoreError: the file that says so is damaged.
        """
        return _time(_table(self.path / "made", at=int)["at"])

    @property
    def size(self) -> int:
        """Bytes of the dictionary.

        Raises:
            StoreError: it is gone.
        """
        return _size(self.path / "dictionary")

    def dictionary(self) -> BinaryIO:
        """The dictionary, opened.

        Raises:
            StoreError: it is gone.
        """
        return _opened(self.path / "dictionary")

    def spool(self) -> Spool:
        """Room for a message that arrives."""
        return Spool(self.path)

    def said(self, step: int, position: int) -> Said | None:
        """The message of a member in a step, if it came.

        Raises:
            StoreError: it is damaged.
        """
        path = _message(self.path, step, position)
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

    def close(self, closing: Closing) -> bool:
        """Close a step for good; whether that was us.

        Raises:
            ConfigError: the disk is full.
        """
        told = {"members": list(closing.members), "at": _micros(closing.at)}
        return write_once(self.path / f"closed-{closing.step}", encoding.encode(told))

    def closed(self, step: int) -> Closing | None:
        """How a step was closed, if it was.

        Raises:
            StoreError: the file that says so is damaged.
        """
        path = self.path / f"closed-{step}"
        if not path.exists():
            return None
        told = _table(path, members=list, at=int)
        return Closing(step, tuple(told["members"]), _time(told["at"]))

    def end(self, ending: Ending) -> bool:
        """Write down how it ended; whether that was us.

        Raises:
            ConfigError: the disk is full.
        """
        told = {"code": ending.code, "culprits": list(ending.culprits), "at": _micros(ending.at)}
        return write_once(self.path / "ended", encoding.encode(told))

    def ended(self) -> Ending | None:
        """How it ended, if it has.

        Raises:
            StoreError: the file that says so is damaged.
        """
        path = self.path / "ended"
        if not path.exists():
            return None
        told = _table(path, code=str, culprits=list, at=int)
        return Ending(told["code"], tuple(told["culprits"]), _time(told["at"]))


@dataclass(frozen=True, slots=True)
class Aggregations:
    """Those that the node of one home coordinates.

    Args:
        home: the node's home.
    """

    home: Home

    @property
    def _folder(self) -> Path:
        return self.home.path / "aggregations"

    def convene(
        self,
        context: bytes,
        opening: bytes,
        signature: bytes,
        dictionary: bytes,
        *,
        now: datetime,
        before: Callable[[], Any] = lambda: None,
    ) -> None:
        """Open an aggregation: its folder is there whole, or not at all.

        Args:
            context: its name.
            opening: the opening, encoded.
            signature: ours over it.
            dictionary: what it counts.
            now: the time.
            before: done when all is written and nobody can see it yet: the entry in the ledger.

        Raises:
            ConfigError: the disk is in the way, or there is one of this name.
        """
        folder, hidden = self._folder / context.hex(), self._folder / f".{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            hidden.mkdir(mode=0o700)
            made = encoding.encode({"at": _micros(now)})
            for name, content in (
                ("opening", opening), ("signature", signature), ("dictionary", dictionary), ("made", made)
            ):  # fmt: skip
                write_once(hidden / name, content)
            before()
            hidden.rename(folder)
            sync_directory(self._folder)
        except OSError as e:
            raise ConfigError(f"cannot make {folder}: {e.strerror}") from e
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def contexts(self) -> list[bytes]:
        """The names of all that there are.

        Raises:
            StoreError: the folder cannot be read.
        """
        try:
            names = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        except OSError as e:
            raise StoreError(f"cannot read {self._folder}: {e.strerror}") from e
        return [bytes.fromhex(name) for name in names if _is_context(name)]

    def find(self, context: bytes) -> Folder | None:
        """The folder of one, if there is one."""
        path = self._folder / context.hex()
        return Folder(path) if len(context) == CONTEXT_BYTES and path.is_dir() else None

    def expire(self, now: datetime) -> list[bytes]:
        """Delete what ended long ago; returns the names.

        Raises:
            StoreError: it cannot be deleted.
        """
        gone = []
        for context in self.contexts():
            folder = self.find(context)
            ending = None if folder is None else folder.ended()
            if folder is None or ending is None or now - ending.at < KEPT:
                continue
            try:
                shutil.rmtree(folder.path)
            except OSError as e:
                raise StoreError(f"cannot delete {folder.path}: {e.strerror}") from e
            gone.append(context)
        return gone


def _message(folder: Path, step: int, position: int) -> Path:
    """Where the message of a member in a step is."""
    return folder / f"{step}-{position:03d}"


def _is_context(name: str) -> bool:
    return len(name) == 2 * CONTEXT_BYTES and set(name) <= set("0123456789abcdef")


def _table(path: Path, **kinds: type) -> dict[str, Any]:
    try:
        return encoding.table(encoding.decode(read_file(path), limit=1 << 16), **kinds)
    except ValueError as e:
        raise StoreError(f"{path} is damaged") from e


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e
