"""Objects on their way from a server to the reader of STIX: a temporary file, in the form of a bundle."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
from typing import IO, Any, Self

from exchange.errors import InputError
from exchange.taxii.wire import Wire

MAX_OBJECT_BYTES = 8 << 20
"""The most bytes of one object; the reader of STIX does not take much more either."""


class Spool:
    """A file that nobody else can read, gone when the work is done.

    Attributes:
        path: where it is.
    """

    def __init__(self, wire: Wire, file: IO[bytes]) -> None:
        self.path = Path(file.name)
        self._wire, self._file = wire, file
        self._left = wire.limits.total_bytes
        self._separator = b'{"type": "bundle", "objects": [\n'
        self._page = blake2b(digest_size=16)

    @classmethod
    @contextmanager
    def open(cls, wire: Wire) -> Iterator[Self]:
        """Make an empty one.

        Raises:
            InputError: the folder for temporary files cannot be written to.
        """
        with _disk(wire):
            # Unbuffered: what a full disk refuses is not tried again on closing.
            file = NamedTemporaryFile(prefix="cosight-taxii-", buffering=0)  # noqa: SIM115 (closed below)
        with file:
            yield cls(wire, file)

    def put(self, item: dict[str, Any]) -> None:
        """Add an object.

        Raises:
            InputError: it is too large, or all together are, or the disk is full.
        """
        text = json.dumps(item).encode("ascii")
        self._left -= len(text)
        if len(text) > MAX_OBJECT_BYTES:
            raise self._wire.misbehaved(f"sent an object of more than {MAX_OBJECT_BYTES >> 20} MiB")
        if self._left < 0:
            raise self._wire.misbehaved(f"sends more than {self._wire.limits.total_bytes >> 20:,} MiB")
        self._page.update(text)
        self._write(self._separator + text)
        self._separator = b",\n"

    def page(self) -> bytes:
        """A digest of the objects since the last call: what came as one page."""
        digest, self._page = self._page.digest(), blake2b(digest_size=16)
        return digest

    def close(self) -> None:
        """Make it a whole bundle."""
        self._write((self._separator if self._separator != b",\n" else b"\n") + b"]}\n")

    def _write(self, data: bytes) -> None:
        with _disk(self._wire):
            while data:
                data = data[self._file.write(data) :]


@contextmanager
def _disk(wire: Wire) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise InputError(
            f"what {wire.origin} sends cannot be kept in {gettempdir()}: {e.strerror or e}",
            hint="name a folder with more room: TMPDIR=FOLDER",
        ) from e
