"""The words in which a published filter is fetched and asked about, and what both sides add up of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from crypto.rows import Rows
from exchange.disclosure.shelf import Published
from exchange.publication import Publication

MAX_QUESTIONS = 256
"""Questions in one call."""
MAX_BUCKETS = 64
"""Buckets in one call: some hundred kilobytes of tags."""
CHUNK_BYTES = 1 << 17
"""Of a file on its way: what is lost at most when a download breaks off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an asker fetches.

    Attributes:
        session: 32 bytes.
        signature: the asker's, over the agreement.
        have: SHA-256 of the newest file that it has whole, or ``b""``.
        partial: SHA-256 of a file that it has the beginning of, or ``b""``.
        offset: how many bytes of that.
    """

    session: bytes
    signature: bytes
    have: bytes = b""
    partial: bytes = b""
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What it is given.

    Attributes:
        published: the description.
        form: ``nothing``, ``delta`` or ``whole``.
        size: bytes that follow.
        offset: from which byte of the file on.
        file: where they come from; whoever sends them closes it.
    """

    published: Published
    form: str
    size: int = 0
    offset: int = 0
    file: BinaryIO | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The same, as the asker sees it.

    Attributes:
        publication: the description; its signature was not verified yet.
        signature: over it.
        form: ``nothing``, ``delta`` or ``whole``.
        size: bytes that follow.
        offset: from which byte of the file on.
    """

    publication: Publication
    signature: bytes
    form: str
    size: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked in one call.

    Attributes:
        session: 32 bytes.
        signature: the asker's, over the agreement.
        blinded: ``(n, 32)`` uint8.
        buckets: whose tags are asked for.
        done: whether it is the last call.
    """

    session: bytes
    signature: bytes
    blinded: Rows = field(repr=False)
    buckets: tuple[int, ...] = ()
    done: bool = False

    def spoken(self) -> bytes:
        """What goes into the transcript."""
        return self.blinded.tobytes() + b"".join(bucket.to_bytes(4, "big") for bucket in self.buckets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The answer.

    Attributes:
        evaluated: ``(n, 32)`` uint8.
        proof: for all rows; 64 bytes, or none where nothing was asked.
        buckets: the tags of each, ``(k, 16)`` uint8.
    """

    evaluated: Rows = field(repr=False)
    proof: bytes
    buckets: tuple[Rows, ...] = field(default=(), repr=False)

    def spoken(self) -> bytes:
        """What goes into the transcript."""
        tags = b"".join(len(rows).to_bytes(4, "big") + rows.tobytes() for rows in self.buckets)
        return self.evaluated.tobytes() + self.proof + tags


class Tally:
    """What was sent and received in a session of questions: its channel, as far as the ledger is concerned.

    Attributes:
        sent: bytes of questions or answers, and of downloads.
        received: the same the other way.
        bytes_per_s: 0: no link is measured by it.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.bytes_per_s = 0.0
        self._hashes = hashlib.sha256(), hashlib.sha256()

    def digests(self) -> tuple[bytes, bytes]:
        """SHA-256 of what was sent, and of what was received, so far: the description, questions, answers."""
        sent, received = self._hashes
        return sent.digest(), received.digest()

    def add(self, *, sent: bytes = b"", received: bytes = b"") -> None:
        """Count one call."""
        for told, hashed in zip((sent, received), self._hashes, strict=True):
            if told:
                hashed.update(len(told).to_bytes(8, "big") + told)
        self.sent += len(sent)
        self.received += len(received)


def parts(count: int, most: int) -> Iterable[slice]:
    """Cut so many into parts of at most so many."""
    return (slice(start, start + most) for start in range(0, count, most))
