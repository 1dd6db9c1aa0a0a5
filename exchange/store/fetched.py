"""Filters of other members that we have taken home: one whole file a peer, and perhaps a part of another.

``current.json`` names the file and holds what its publisher signed; it is written last. The beginning of a
file is kept under the digest that the whole one must have, so that it is gone on with and nothing else is.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from exchange.config import Home, read_file, write_atomic
from exchange.errors import ConfigError, PeerMisbehaved, StoreError
from exchange.publication import Publication


@dataclass(frozen=True, slots=True)
class Fetched:
    """Those of one home.

    Args:
        home: the node's home.
    """

    home: Home

    def peers(self) -> list[str]:
        """The members whose filter we have.

        Raises:
            StoreError: the folder cannot be read.
        """
        try:
            return sorted(path.parent.name for path in self._root.glob("*/current.json"))
        except OSError as e:
            raise StoreError(f"cannot read {self._root}: {e.strerror}") from e

    def publication(self, peer: str) -> Publication | None:
        """What the publisher said of the file that we have last made whole; None if we cannot read that."""
        try:
            raw = json.loads(read_file(self._folder(peer) / "current.json"))
            return Publication.from_bytes(bytes.fromhex(raw["publication"]))
        except (ConfigError, PeerMisbehaved, ValueError, TypeError, KeyError):
            return None  # then it is fetched again

    def whole(self, peer: str) -> bytes | None:
        """The newest whole file, if there is one and it is undamaged: the last that was kept."""
        for path in self._files(peer, "filter"):
            try:
                encoded = path.read_bytes()
            except OSError:
                continue
            if sha256(encoded).hexdigest() == path.name.removeprefix("filter-"):
                return encoded
        return None

    def begun(self, peer: str) -> tuple[bytes, int]:
        """The digest of a file that we have the beginning of, and how many bytes; or none, and 0."""
        for path in self._files(peer, "part"):
            return bytes.fromhex(path.name.removeprefix("part-")), path.stat().st_size
        return b"", 0

    def append(self, peer: str, digest: bytes, offset: int, data: bytes) -> None:
        """Put what came behind so many bytes of a file; what was there from then on goes.

        Raises:
            ConfigError: the disk is in the way.
        """
        path = self._folder(peer) / f"part-{digest.hex()}"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:  # which does not cut: it did not open the file
                file.truncate(offset)
                file.seek(offset)
                file.write(data)
        except OSError as e:
            raise ConfigError(f"cannot write {path}: {e.strerror}") from e

    def finish(self, peer: str, digest: bytes) -> bytes | None:
        """Take a file as whole, if it is the one; if it is not, forget it.

        Raises:
            ConfigError: the disk is in the way.
        """
        part = self._folder(peer) / f"part-{digest.hex()}"
        try:
            encoded = part.read_bytes()
            if sha256(encoded).digest() != digest:
                part.unlink()
                return None
            part.replace(self._folder(peer) / f"filter-{digest.hex()}")
        except OSError as e:
            raise ConfigError(f"cannot keep {part}: {e.strerror}") from e
        return encoded

    def keep(self, peer: str, encoded: bytes) -> None:
        """Keep a whole file that was made of another one and a change.

        Raises:
            ConfigError: the disk is in the way.
        """
        write_atomic(self._folder(peer) / f"filter-{sha256(encoded).hexdigest()}", encoded)

    def accept(self, peer: str, publication: Publication, signature: bytes) -> None:
        """Write down that a whole file is the one that its publisher describes; older ones go.

        Raises:
            ConfigError: the disk is in the way.
        """
        folder = self._folder(peer)
        said = {"publication": publication.encoded.hex(), "signature": signature.hex()}
        write_atomic(folder / "current.json", json.dumps(said, indent=1).encode())
        try:
            for path in [*self._files(peer, "filter"), *self._files(peer, "part")]:
                if path.name != f"filter-{publication.digest.hex()}":
                    path.unlink(missing_ok=True)
        except OSError as e:
            raise ConfigError(f"cannot delete in {folder}: {e.strerror}") from e

    def drop(self, peer: str) -> None:
        """Forget the files of a peer: they were no filter. What it signed before holds it, and stays."""
        for path in [*self._files(peer, "filter"), *self._files(peer, "part")]:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @property
    def _root(self) -> Path:
        return self.home.path / "filters"

    def _folder(self, peer: str) -> Path:
        return self._root / peer

    def _files(self, peer: str, kind: str) -> list[Path]:
        """The files of a kind, the newest first."""
        try:
            found = list(self._folder(peer).glob(f"{kind}-*"))
            return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        except OSError:
            return []
