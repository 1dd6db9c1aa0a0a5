"""What this node coordinates: a folder for each aggregation, everything in it before anybody is told of it.

A folder holds the opening, our signature over it, the dictionary, the messages of the members and, for each
step that was closed, who was in it. The state of a run follows from these files alone, so a node that is
killed goes on where it was. None of them says what a member holds: to whoever reads it, a masked vector is
uniform.
"""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from crypto.secagg.base import Step
from exchange.config import Home, sync_directory, write_once
from exchange.counting.apart import apart
from exchange.counting.world import Closing, Counted, Ending, Fault
from exchange.errors import ConfigError, StoreError
from exchange.identity import encoding
from exchange.store.counted import (
    CONTEXT_BYTES,
    Kept,
    folders,
    read_counted,
    read_table,
    the_one,
    write_counted,
)
from exchange.store.lock import alone
from exchange.store.spool import ARRIVING, Said, Spool, message_file, opened, read_said

KEPT = timedelta(days=7)
"""How long the folder of an aggregation stays after its end: members may be late."""


@dataclass(frozen=True, slots=True)
class Folder(Kept):
    """The folder of one aggregation at its coordinator."""

    @property
    def made(self) -> datetime:
        """When it was opened.

        Raises:
            StoreError: the file that says so is damaged, or gone.
        """
        told = read_table(self.path / "made", at=int)
        if told is None:
            raise StoreError(f"{self.path / 'made'} is gone")
        return _time(told["at"])

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
        return opened(self.path / "dictionary")

    def spool(self) -> Spool:
        """Room for a message that arrives."""
        return Spool(self.path)

    def tidy(self) -> None:
        """Delete what was arriving when the node was stopped.

        Raises:
            StoreError: it cannot be deleted.
        """
        try:
            for left in self.path.glob(f"{ARRIVING}*"):
                left.unlink(missing_ok=True)
        except OSError as e:
            raise StoreError(f"cannot delete in {self.path}: {e.strerror}") from e

    def said(self, step: int, position: int) -> Said | None:
        """The message of a member in a step, if it came.

        Raises:
            StoreError: it is damaged.
        """
        return read_said(message_file(self.path, step, position))

    def close(self, closing: Closing) -> bool:
        """Close a step for good; whether that was us: not where it was closed, or all ended, before.

        Raises:
            ConfigError: the disk is full.
        """
        told = {"members": list(closing.members), "at": _micros(closing.at)}
        with alone(self.path / "lock"):
            file = self.path / f"closed-{closing.step}"
            return self.ended() is None and write_once(file, encoding.encode(told))

    def closed(self, step: int) -> Closing | None:
        """How a step was closed, if it was.

        Raises:
            StoreError: the file that says so is damaged.
        """
        told = read_table(self.path / f"closed-{step}", members=list, at=int)
        return None if told is None else Closing(step, tuple(told["members"]), _time(told["at"]))

    def blame(self, fault: Fault) -> None:
        """Write down that a message shows who lies.

        Raises:
            ConfigError: the disk is full.
        """
        told = {"code": fault.code, "culprits": list(fault.culprits)}
        write_once(self.path / f"fault-{fault.step}-{fault.position:03d}", encoding.encode(told))

    def faults(self) -> list[Fault]:
        """All that were written down.

        Raises:
            StoreError: a file that says so is damaged.
        """
        found = []
        for path in sorted(self.path.glob("fault-?-???")):
            told = read_table(path, code=str, culprits=list) or {}
            _, step, position = path.name.split("-")
            found.append(Fault(int(step), int(position), told["code"], tuple(told["culprits"])))
        return found

    def counted(self) -> Counted | None:
        """What came of it; None if nothing did.

        Raises:
            StoreError: what is kept is damaged.
        """
        return read_counted(self.path / "result")

    def finish(self, counted: Counted) -> None:
        """Keep what came of it.

        Raises:
            ConfigError: the disk is full.
        """
        write_counted(self.path / "result", counted)

    def end(self, ending: Ending) -> bool:
        """Write down how it ended; whether that was us.

        Raises:
            ConfigError: the disk is full.
        """
        told = {"code": ending.code, "culprits": list(ending.culprits), "at": _micros(ending.at)}
        return write_once(self.path / "ended", encoding.encode(told))

    def withdraw(self, ending: Ending) -> bool:
        """End it beside the process that coordinates it, as long as no share can have left; whether it did.

        Raises:
            ConfigError: the disk is full.
            StoreError: a file is damaged.
        """
        with alone(self.path / "lock"):
            return self.closed(Step.AGREEING) is None and self.end(ending)

    def ended(self) -> Ending | None:
        """How it ended, if it has.

        Raises:
            StoreError: the file that says so is damaged.
        """
        told = read_table(self.path / "ended", code=str, culprits=list, at=int)
        return None if told is None else Ending(told["code"], tuple(told["culprits"]), _time(told["at"]))


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
        """The names of all that there are, the oldest first.

        Raises:
            StoreError: the folder cannot be read.
        """
        return [bytes.fromhex(path.name) for path in folders(self._folder)]

    def find(self, context: bytes) -> Folder | None:
        """The folder of one, if there is one."""
        path = self._folder / context.hex()
        return Folder(path) if len(context) == CONTEXT_BYTES and path.is_dir() else None

    def named(self, beginning: str) -> Folder:
        """The folder of the one whose name begins so.

        Raises:
            InputError: there is none, or more than one.
            StoreError: the folder cannot be read.
        """
        found = [Folder(path) for path in folders(self._folder) if path.name.startswith(beginning)]
        return the_one(found, beginning)

    def expire(self, now: datetime) -> list[bytes]:
        """Delete what ended long ago; returns the names. What cannot be deleted is said.

        Raises:
            StoreError: the folder of all cannot be read.
        """
        gone = []
        for context in self.contexts():
            folder = self.find(context)
            with apart(context):
                ending = None if folder is None else folder.ended()
                if folder is not None and ending is not None and now - ending.at >= KEPT:
                    _delete(folder.path)
                    gone.append(context)
        return gone


def _delete(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError as e:
        raise StoreError(f"cannot delete {path}: {e.strerror}") from e


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e
