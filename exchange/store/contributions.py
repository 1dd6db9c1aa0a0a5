"""What we take part in: a folder for each aggregation, from the joining to the result.

Our seed and our vector are sealed under a key of the home, and deleted as soon as the run is over: with them
its messages could be made again, and what we hold of the dictionary be read. Which entries we put something
in stays, sealed, for a result that shows a member its own.
"""

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from exchange.config import Home, sync_directory, write_once
from exchange.counting.apart import apart
from exchange.counting.world import Counted
from exchange.errors import ConfigError, StoreError
from exchange.identity import encoding
from exchange.store.counted import Kept, folders, read_counted, read_table, the_one, write_counted
from exchange.store.guard import contributions_key
from exchange.store.journal import Journal
from exchange.store.lock import alone
from exchange.store.sealed import seal, unseal

SEED_BYTES = 32
SECRETS = ("seed", "vector")
ABANDONED = "abandoned"
"""How an attempt ends for us that a later one replaces."""


@dataclass(frozen=True, slots=True)
class Contribution(Kept):
    """The folder of one aggregation at a member.

    Args:
        key: what secrets in it are sealed under.
    """

    key: bytes = field(repr=False)

    @property
    def dictionary(self) -> bytes:
        """What is counted.

        Raises:
            StoreError: it cannot be read.
        """
        return _read(self.path / "dictionary")

    @property
    def ended(self) -> tuple[str, tuple[str, ...]] | None:
        """Why it was broken off, or ``""``, and who is to blame; None while it has not ended.

        Raises:
            StoreError: what says so is damaged.
        """
        told = read_table(self.path / "ended", code=str, culprits=list)
        return None if told is None else (told["code"], tuple(told["culprits"]))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that takes part in it from this home.

        Raises:
            ConfigError: another one does.
        """
        busy = ConfigError(
            "another process takes part in this aggregation already",
            code="aggregation-busy", hint="wait until it is done, or stop it",
        )  # fmt: skip
        with alone(self.path / "lock", busy):
            yield

    def seed(self) -> bytes:
        """32 bytes from which everything random in this run comes; made at the first call.

        Raises:
            ConfigError: the disk is full.
            StoreError: what is kept is damaged.
        """
        if (kept := self._unseal("seed")) is None:
            self._seal("seed", secrets.token_bytes(SEED_BYTES))
            kept = self._unseal("seed")
        if kept is None or len(kept) != SEED_BYTES:
            raise StoreError(f"{self.path / 'seed'} is damaged")
        return kept

    def vector(self) -> bytes | None:
        """Our words, if they were counted before.

        Raises:
            StoreError: what is kept is damaged.
        """
        return self._unseal("vector")

    def put_vector(self, words: bytes) -> None:
        """Keep our words: what leaves later is made of these, whatever we learn meanwhile.

        Raises:
            ConfigError: the disk is full.
        """
        self._seal("vector", words)

    def counted(self) -> Counted | None:
        """What came of it; None if nothing did.

        Raises:
            StoreError: what is kept is damaged.
        """
        counted = read_counted(self.path / "result")
        if counted is None:
            return None
        if (ours := self._unseal("ours")) is None:
            raise StoreError(f"{self.path / 'ours'} is gone")
        return replace(counted, ours=np.frombuffer(ours, bool))

    def finish(self, counted: Counted) -> None:
        """Keep what came of it.

        Raises:
            ConfigError: the disk is full.
        """
        self._seal("ours", counted.ours.tobytes())
        write_counted(self.path / "result", replace(counted, ours=np.zeros(0, bool)))

    def end(self, code: str, culprits: Collection[str]) -> None:
        """It is over; our secrets of it are deleted.

        Raises:
            ConfigError: the disk is full.
            StoreError: they cannot be deleted.
        """
        write_once(self.path / "ended", encoding.encode({"code": code, "culprits": sorted(culprits)}))
        self.wipe()

    def wipe(self) -> None:
        """Delete our secrets of it.

        Raises:
            StoreError: they cannot be deleted.
        """
        try:
            for path in self._secrets():
                path.unlink(missing_ok=True)
            sync_directory(self.path)  # a power failure must not bring them back
        except OSError as e:
            raise StoreError(f"cannot delete in {self.path}: {e.strerror}") from e

    def has_secrets(self) -> bool:
        """Whether there is anything to wipe."""
        return bool(self._secrets())

    def _secrets(self) -> list[Path]:
        """The files of our secrets, and what is left of one where we were killed as it was written."""
        return [path for name in SECRETS for path in (*self.path.glob(name), *self.path.glob(f".{name}.*"))]

    def _seal(self, name: str, secret: bytes) -> None:
        write_once(self.path / name, seal(self.key, secret, self.context + name.encode()))

    def _unseal(self, name: str) -> bytes | None:
        path = self.path / name
        if not path.exists():
            return None
        if (secret := unseal(self.key, _read(path), self.context + name.encode())) is None:
            raise StoreError(f"{path} is damaged")
        return secret


@dataclass(frozen=True, slots=True)
class Contributions:
    """Those of one home.

    Args:
        home: the node's home.
    """

    home: Home

    @property
    def _folder(self) -> Path:
        return self.home.path / "contributions"

    @property
    def journal_file(self) -> Path:
        """What we have said: see ``exchange.store.journal``."""
        return self.home.path / "contributions.db"

    def begin(self, context: bytes, opening: bytes, signature: bytes, dictionary: bytes) -> Contribution:
        """The folder of one, made where there is none.

        Raises:
            ConfigError: the disk is in the way.
        """
        path = self._folder / context.hex()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
        except OSError as e:
            raise ConfigError(f"cannot make {path}: {e.strerror}") from e
        for name, content in (("dictionary", dictionary), ("signature", signature), ("opening", opening)):
            write_once(path / name, content)
        return Contribution(path, contributions_key(self.home))

    def all(self) -> list[Contribution]:
        """Each of them, the newest first.

        Raises:
            StoreError: the folder cannot be read.
        """
        key = contributions_key(self.home)
        return [Contribution(path, key) for path in reversed(folders(self._folder))]

    def tidy(self) -> None:
        """Delete the secrets of what has ended, where we were killed before they were deleted.

        An attempt that was given up for a later one ends with that. Of one that is damaged, or that the disk
        does not let us delete now, that is said, and the others go on.

        Raises:
            StoreError: the journal, or the folder of all, cannot be read.
        """
        held = [kept for kept in self.all() if kept.has_secrets()]
        if not held:
            return
        journal = Journal.open(self.journal_file)
        try:
            for kept in held:
                with apart(kept.context):
                    if kept.ended is not None:
                        kept.wipe()
                    elif journal.is_abandoned(kept.context):
                        kept.end(ABANDONED, ())
        finally:
            journal.close()

    def find(self, beginning: str) -> Contribution:
        """The one whose name begins so.

        Raises:
            InputError: there is none, or more than one.
        """
        return the_one([c for c in self.all() if c.context.hex().startswith(beginning)], beginning)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e
