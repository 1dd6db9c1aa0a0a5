"""What we publish as filters: the file that is in force, what changed on the way, the secrets behind it.

A folder an epoch. What an epoch consists of is written first, then ``current.json``, which names it: a crash
between leaves what was in force. The seed of an epoch, its tags and what they belong to are
readable by nobody but us; with the epoch they are deleted, so that what is stolen later opens nothing of it.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from crypto.filters import TAG_BYTES
from crypto.rows import Rows
from exchange.config import Home, make_folder, read_file, read_secret, write_atomic, write_once
from exchange.disclosure.publishing import ID_BYTES, SEED_BYTES
from exchange.disclosure.shelf import Files, Published
from exchange.errors import ConfigError, PeerMisbehaved, StoreError
from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.policy import Admission, Offer
from exchange.publication import Publication
from exchange.store.lock import alone

MAX_DELTAS = 16
"""Changes that are kept, the newest of an epoch: with more between, a reader takes the whole file."""
_DIGEST_BYTES = 32


@dataclass(slots=True)
class Publications:
    """Those of one home.

    Args:
        home: the node's home.
    """

    home: Home
    _read: tuple[tuple[int, ...], Published] | None = field(default=None, repr=False)

    @property
    def _folder(self) -> Path:
        return self.home.path / "publications"

    @contextmanager
    def building(self) -> Iterator[None]:
        """Hold the right to publish.

        Raises:
            ConfigError: another process holds it, or the folder cannot be made.
        """
        make_folder(self._folder)
        busy = ConfigError(
            "another process publishes a filter of this home just now",
            code="filter-busy", hint="wait until it is done",
        )  # fmt: skip
        with alone(self._folder / "lock", busy):
            yield

    def current(self) -> Published | None:
        """What is published, whether in force or not.

        Raises:
            StoreError: what says so is damaged.
        """
        path = self._folder / "current.json"
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise StoreError(f"cannot read {path}: {e.strerror}") from e
        state = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._read is None or self._read[0] != state:
            try:
                self._read = state, _published(json.loads(read_file(path)))
            except (PeerMisbehaved, ValueError, TypeError, KeyError, AttributeError) as e:
                raise StoreError(f"{path} is damaged", hint="run: cosight filter build --new-epoch") from e
        return self._read[1]

    def begin(self, epoch: bytes, seed: bytes) -> None:
        """Keep the seed of a new epoch.

        Raises:
            ConfigError: the disk is in the way.
        """
        folder = self._epoch(epoch)
        make_folder(folder)
        write_once(folder / "seed.key", f"{seed.hex()}\n".encode())

    def seed(self, epoch: bytes) -> bytes:
        """The seed of an epoch.

        Raises:
            ConfigError: the file is missing or damaged, or others can read it.
        """
        path = self._epoch(epoch) / "seed.key"
        try:
            seed = bytes.fromhex(read_secret(path).decode())
        except ValueError:  # its text would quote the seed
            seed = b""
        if len(seed) != SEED_BYTES:
            raise ConfigError(f"{path} is damaged", hint="run: cosight filter build --new-epoch")
        return seed

    def known(self, epoch: bytes) -> Rows:
        """What was remembered with the last filter of an epoch; none if nothing was, or it is damaged."""
        table = self._table(self._epoch(epoch) / "known", ID_BYTES + TAG_BYTES)
        rows, digest = table[:-1], table[-1:]  # a wrong tag would look like one that is right
        return rows if sha256(rows.data).digest() == digest.tobytes() else table[:0]

    def tags(self, publication: Publication) -> Rows:
        """All tags of a filter, ascending; none if they are gone."""
        return self._table(self._epoch(publication.epoch) / f"tags-{_name(publication.digest)}", TAG_BYTES)

    def filter(self, publication: Publication) -> bytes | None:
        """The file of a filter, if it is there and whole."""
        try:
            encoded = self._filter(publication).read_bytes()
        except OSError:
            return None
        return encoded if sha256(encoded).digest() == publication.digest else None

    def file(self, publication: Publication) -> BinaryIO | None:
        """The file of a filter, opened; None if it is gone."""
        return _opened(self._filter(publication))

    def delta(self, publication: Publication, have: bytes) -> BinaryIO | None:
        """What leads from a file of the epoch to the one after it, opened; None if it is not kept."""
        return _opened(self._delta(publication.epoch, have)) if len(have) == _DIGEST_BYTES else None

    def put(self, published: Published, files: Files) -> None:
        """Publish.

        Raises:
            ConfigError: the disk is in the way; what was published stays.
        """
        publication = published.publication
        epoch = self._epoch(publication.epoch)
        if files.delta:
            write_atomic(self._delta(publication.epoch, files.base), files.delta)
        known = files.known.tobytes()
        write_atomic(epoch / "known", known + sha256(known).digest())
        write_atomic(epoch / f"tags-{_name(publication.digest)}", files.tags.tobytes())
        write_atomic(self._filter(publication), files.encoded)
        write_atomic(self._folder / "current.json", json.dumps(_as_json(published), indent=1).encode())
        self._tidy(publication)

    def _tidy(self, publication: Publication) -> None:
        """Delete what no reader can ask for any more."""
        keep = self._epoch(publication.epoch)
        try:
            for folder in self._folder.iterdir():
                if folder.is_dir() and folder != keep:
                    shutil.rmtree(folder)
            for kind, most in (("delta", MAX_DELTAS), ("filter", 2), ("tags", 2)):  # one for running leases
                found = sorted(keep.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
                for path in found[most:]:
                    path.unlink(missing_ok=True)
        except OSError as e:
            raise ConfigError(f"cannot delete old filters in {self._folder}: {e.strerror}") from e

    def _epoch(self, epoch: bytes) -> Path:
        return self._folder / epoch.hex()

    def _filter(self, publication: Publication) -> Path:
        return self._epoch(publication.epoch) / f"filter-{_name(publication.digest)}"

    def _delta(self, epoch: bytes, base: bytes) -> Path:
        return self._epoch(epoch) / f"delta-{_name(base)}"

    @staticmethod
    def _table(path: Path, width: int) -> Rows:
        """A table as it is on the disk; only what is asked for is read."""
        try:
            if (size := path.stat().st_size) and not size % width:
                return np.memmap(path, np.uint8, "r", shape=(size // width, width))
        except OSError:
            pass
        return np.empty((0, width), np.uint8)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:
        return None


def _name(digest: bytes) -> str:
    return digest.hex()[:32]


def _as_json(published: Published) -> dict[str, Any]:
    a = published.admission
    return {
        "publication": published.publication.encoded.hex(),
        "signature": published.signature.hex(),
        "audience": list(published.audience),
        "admission": {
            "tlp": str(a.tlp),
            "pap": None if a.pap is None else str(a.pap),
            "max_age_days": {str(t): days for t, days in a.max_age_days.items()},
            "own": a.own,
            "imported_after": None if a.imported_after is None else a.imported_after.isoformat(),
        },
        **published.offer.as_json(),
    }


def _published(raw: dict[str, Any]) -> Published:
    a = raw["admission"]
    spent = a["imported_after"]
    return Published(
        publication=Publication.from_bytes(bytes.fromhex(raw["publication"])),
        signature=bytes.fromhex(raw["signature"]),
        audience=tuple(map(str, raw["audience"])),
        admission=Admission(
            tlp=Tlp(a["tlp"]),
            pap=None if a["pap"] is None else Pap(a["pap"]),
            max_age_days=_counts(a["max_age_days"]),
            own=bool(a["own"]),
            imported_after=None if spent is None else datetime.fromisoformat(spent),
        ),
        offer=Offer(_counts(raw["entered"]), {rule: _counts(held) for rule, held in raw["withheld"].items()}),
    )


def _counts(raw: dict[str, Any]) -> dict[IndicatorType, int]:
    return {IndicatorType(kind): int(n) for kind, n in raw.items()}
