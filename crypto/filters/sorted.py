"""Tables of truncated tags, and what changed from one to the next."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

import numpy as np

from crypto import _native, rows
from crypto.errors import DecodeError, ParameterError
from crypto.filters.encoding import DELTA, SORTED, TAG_BYTES, Answers, check, decoded, encoded
from crypto.rows import Rows

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sorted:
    """The first bytes of each tag, in order.

    Attributes:
        items: for how many tags it was made.
        width: bytes kept of a tag.
        table: the distinct rows, one after the other, ascending.
    """

    items: int
    width: int
    table: bytes = field(repr=False)

    @classmethod
    def build(cls, tags: Rows, fpr: float) -> Self:
        """Make a table that random tags seem to be in no more often than stated.

        Args:
            tags: ``(n, 16)`` uint8, uniform.
            fpr: 2^-80 to 1/2.

        Raises:
            ParameterError: the array is no table of tags, or the rate is another.
        """
        check(tags, fpr, lowest=2**-80)
        n, width = len(tags), 1
        while n > fpr * 2.0 ** (8 * width):
            width += 1
        return cls(n, width, _native.filters_sorted_build(tags, width))

    @property
    def entries(self) -> int:
        """Distinct rows: fewer than items where the first bytes of two tags are equal."""
        return len(self.table) // self.width

    @property
    def fpr(self) -> float:
        """The chance that a random tag seems to be in."""
        return self.entries / 2.0 ** (8 * self.width)

    @property
    def bits_per_item(self) -> float:
        """Bits of the table without its head, for each tag it was made for."""
        return 8 * len(self.table) / max(self.items, 1)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the encoding: what a delta names the filter by."""
        return sha256(self.to_bytes()).digest()

    def rows(self) -> Rows:
        """``(entries, width)`` uint8, ascending."""
        return np.frombuffer(self.table, np.uint8).reshape(-1, self.width)

    def contains(self, queries: Rows) -> Answers:
        """Which tags are in, or seem to be.

        Args:
            queries: ``(q, 16)`` uint8.

        Returns:
            ``(q,)`` bool.

        Raises:
            ParameterError: the array is no table of tags.
        """
        rows.check(queries, width=TAG_BYTES)
        return _native.filters_sorted_contains(self.table, self.width, queries)

    def to_bytes(self) -> bytes:
        """The encoding: the numbers are ``items``, ``entries`` and zero; the parameter is ``width``."""
        return encoded(SORTED, self.width, (self.items, self.entries, 0), self.table)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode.

        Raises:
            DecodeError: these are not the bytes of such a table.
        """
        width, (items, entries, zero), table = decoded(SORTED, data)
        if not 1 <= width <= TAG_BYTES or zero or entries > items or entries * width != len(table):
            raise DecodeError("no table of tags has such a shape")
        if not _native.filters_sorted_ascends(table, width):
            raise DecodeError("the rows of the table do not ascend")
        return cls(items, width, table)


@dataclass(frozen=True, slots=True)
class Delta:
    """What leads from one table to the next under the same key.

    It shows how many tags came and went, and which of them are which: as the two tables do.

    Attributes:
        base: digest of the table that it applies to.
        result: digest of the table that comes out.
        items: for how many tags that one was made.
        width: bytes kept of a tag, in both.
        removed: the rows that only the first table has, ascending.
        added: the rows that only the second one has, ascending.
    """

    base: bytes
    result: bytes
    items: int
    width: int
    removed: bytes = field(repr=False)
    added: bytes = field(repr=False)

    @classmethod
    def between(cls, old: Sorted, new: Sorted) -> Self:
        """Compare two tables.

        Raises:
            ParameterError: they keep another number of bytes: then only the whole table helps.
        """
        if old.width != new.width:
            raise ParameterError("two tables of other widths have no delta")
        before, after = old.rows(), new.rows()
        kept_before, kept_after = rows.join(before, after)
        removed = np.delete(before, kept_before, axis=0).tobytes()
        added = np.delete(after, kept_after, axis=0).tobytes()
        return cls(old.digest, new.digest, new.items, new.width, removed, added)

    def apply(self, old: Sorted) -> Sorted:
        """The table that comes out.

        Raises:
            ParameterError: the delta is of another table.
            DecodeError: what comes out is not what the delta says.
        """
        if old.digest != self.base:
            raise ParameterError("the delta applies to another table")
        if old.width != self.width:
            raise DecodeError("the delta keeps another number of bytes than the table that it names")
        before, (removed, added) = old.rows(), map(self._rows, (self.removed, self.added))
        gone, found = rows.join(before, removed)
        kept = np.delete(before, gone, axis=0)
        new = Sorted(self.items, self.width, rows.sort(np.concatenate([kept, added])).tobytes())
        if len(found) != len(removed) or new.entries > new.items or new.digest != self.result:
            raise DecodeError("the delta does not give the table that it names")
        return new

    def to_bytes(self) -> bytes:
        """The encoding: ``items``, how many removed, how many added; ``width``; digests, then rows."""
        counts = (len(self.removed) // self.width, len(self.added) // self.width)
        body = self.base + self.result + self.removed + self.added
        return encoded(DELTA, self.width, (self.items, *counts), body)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode.

        Raises:
            DecodeError: these are not the bytes of a delta.
        """
        width, (items, removed, added), body = decoded(DELTA, data)
        begin, middle = 2 * _DIGEST_BYTES, 2 * _DIGEST_BYTES + removed * width
        if not 1 <= width <= TAG_BYTES or middle + added * width != len(body):
            raise DecodeError("no delta has such a shape")
        parts = body[begin:middle], body[middle:]
        if not all(_native.filters_sorted_ascends(part, width) for part in parts):
            raise DecodeError("the rows of the delta do not ascend")
        return cls(body[:_DIGEST_BYTES], body[_DIGEST_BYTES:begin], items, width, *parts)

    def _rows(self, packed: bytes) -> Rows:
        return np.frombuffer(packed, np.uint8).reshape(-1, self.width)
