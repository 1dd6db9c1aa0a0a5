"""Where our published filters are kept, in the words of the use case."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from crypto.rows import Rows
from exchange.policy import Admission, Offer
from exchange.publication import Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A filter that is published, and under what it was made.

    Attributes:
        publication: what is said of it.
        signature: ours, over that.
        audience: the members that may ask.
        admission: under what our items entered.
        offer: how many did, and how many were held back.
    """

    publication: Publication
    signature: bytes
    audience: tuple[str, ...]
    admission: Admission
    offer: Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is written with a description: all of it before the description.

    Attributes:
        encoded: the filter.
        delta: what changed since the filter before, encoded, or ``b""``.
        base: digest of that filter, or ``b""``.
        tags: all tags, ascending.
        known: the name of each item, and its tag.
    """

    encoded: bytes = field(repr=False)
    delta: bytes = field(repr=False)
    base: bytes
    tags: Rows = field(repr=False)
    known: Rows = field(repr=False)


class Shelf(Protocol):
    """Where our filters are kept."""

    def building(self) -> AbstractContextManager[None]:
        """Hold the right to publish; of two builds at once, the second is refused."""

    def current(self) -> Published | None:
        """What is published, whether in force or not."""

    def begin(self, epoch: bytes, seed: bytes) -> None:
        """Keep the seed of a new epoch."""

    def seed(self, epoch: bytes) -> bytes:
        """The seed of an epoch."""

    def known(self, epoch: bytes) -> Rows:
        """What was remembered with the last filter of an epoch; none if nothing was."""

    def filter(self, publication: Publication) -> bytes | None:
        """The file of a filter, if it is there and whole."""

    def tags(self, publication: Publication) -> Rows:
        """All tags of a filter, ascending; none if they are gone."""

    def file(self, publication: Publication) -> BinaryIO | None:
        """The file of a filter, opened; None if it is gone."""

    def delta(self, publication: Publication, have: bytes) -> BinaryIO | None:
        """What leads from a file of the epoch to the one after it, opened; None if it is not kept."""

    def put(self, published: Published, files: Files) -> None:
        """Publish; what was published before goes, apart from deltas of this epoch."""
