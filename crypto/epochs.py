"""What two parties keep from one run of ``voprf-epoch`` to the next, and how much may change in between.

An epoch is the life of one key of the sender. Its sizes are fixed when it begins, and so is the width of
every tag in it. A state is what one run leaves a party; it is secret, and nothing of it is ever printed.
"""

import math
import struct
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from crypto.errors import DecodeError, ParameterError
from crypto.rows import Rows

ITEM_BYTES = 32
SEED_BYTES = 32
CONTEXT_BYTES = 32
LEVELS = (256, 64, 16)
"""A change is shown as one of these parts of the declared size."""
LEAST = 32
"""No level is lower."""
ROOM = 8
"""How many times as many rows as at its beginning each side may show in an epoch."""
MAX_SIZE = 1 << 32
_HEAD = struct.Struct(">4s32sQQHIQQ32sQQ")
_RECEIVER, _SENDER = b"vepR", b"vepS"


class EpochEnded(ParameterError):
    """More has changed than a run from this state can carry: a whole run under a new key is due."""


def change_level(changed: int, padded: int) -> int | None:
    """The number of rows that is declared for a change: the lowest level that holds it.

    Args:
        changed: how many rows came, or went, whichever is more.
        padded: the declared size of the set.

    Returns:
        None where only a whole run will do: too much has changed, or the set is so small that it costs less.
    """
    levels = (max(LEAST, -(-padded // part)) for part in LEVELS)
    return next((level for level in levels if changed <= level <= padded // 4), None)


def reserve(padded: int) -> int:
    """How many tags of nothing the sender's table has besides: twice as many as the highest level takes away.

    So a set may grow by a sixteenth beyond its first declared size before it needs another table.
    """
    return 2 * max(LEAST, -(-padded // LEVELS[-1]))


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is fixed when a key is drawn, and how far it has been used.

    Attributes:
        context: 32 bytes, the context of the first run; every tag depends on them.
        n_r: the receiver's declared size in the first run.
        n_s: the sender's.
        stat_sec: in bits, for all that is compared in the epoch.
        runs: how many there were.
        rows_r: rows that the receiver has shown in them.
        rows_s: tags that the sender has shown in them.

    Raises:
        ParameterError: a value is out of range.
    """

    context: bytes
    n_r: int
    n_s: int
    stat_sec: int
    runs: int = 0
    rows_r: int = 0
    rows_s: int = 0

    def __post_init__(self) -> None:
        sizes = all(1 <= n <= MAX_SIZE for n in (self.n_r, self.n_s))
        if not sizes or len(self.context) != CONTEXT_BYTES or not 40 <= self.stat_sec <= 128:  # noqa: PLR2004
            raise ParameterError("no epoch has such sizes")

    @property
    def table(self) -> int:
        """How many tags the sender's table has, from the first run to the last."""
        return self.n_s + reserve(self.n_s)

    @property
    def width(self) -> int:
        """Bytes of a tag.

        The union bound goes over all pairs that the epoch compares: each row of the receiver with each tag,
        and the tags among themselves, at most ``2 * (ROOM * max(n_r, table)) * (ROOM * table)``.
        """
        pairs = 1 + 2 * math.log2(ROOM) + math.log2(max(self.n_r, self.table)) + math.log2(self.table)
        return math.ceil((self.stat_sec + pairs) / 8)

    def after(self, rows_r: int, rows_s: int) -> Self:
        """The epoch after a run in which both sides have shown so many rows.

        Raises:
            EpochEnded: there is no room for as many.
        """
        then = replace(self, runs=self.runs + 1, rows_r=self.rows_r + rows_r, rows_s=self.rows_s + rows_s)
        if then.rows_r > ROOM * self.n_r or then.rows_s > ROOM * self.table:
            raise EpochEnded("the rows of this epoch are used up")
        return then


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """What a run leaves the receiver.

    Attributes:
        epoch: of the sender's key.
        public_key: the sender's, 32 bytes.
        items: ``(n, 32)`` uint8, the distinct items that it put in.
        tags: ``(n, width)`` uint8, of each of them.
        table: ``(epoch.table, width)`` uint8, what the sender shows, ascending.
    """

    epoch: Epoch
    public_key: bytes = field(repr=False)
    items: Rows = field(repr=False)
    tags: Rows = field(repr=False)
    table: Rows = field(repr=False)

    def to_bytes(self) -> bytes:
        """The encoding."""
        return _dump(_RECEIVER, self.epoch, self.public_key, (self.items, self.tags, self.table))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode.

        Raises:
            DecodeError: these are not the bytes of such a state.
        """
        return cls(*_load(_RECEIVER, data))


@dataclass(frozen=True, slots=True)
class SenderState:
    """What a run leaves the sender.

    Attributes:
        epoch: of the key.
        seed: 32 bytes, of the key and of the rows that fill up.
        items: ``(n, 32)`` uint8, the distinct items that it put in.
        tags: ``(n, width)`` uint8, of each of them.
        fillers: ``(epoch.table - n, width)`` uint8, the other tags of the table.
    """

    epoch: Epoch
    seed: bytes = field(repr=False)
    items: Rows = field(repr=False)
    tags: Rows = field(repr=False)
    fillers: Rows = field(repr=False)

    def check(self, came: int, went: int, level: int) -> None:
        """Refuse a change that this state cannot carry.

        Raises:
            EpochEnded: it is above the level, or there are too few fillers to take away beside what went.
        """
        if max(came, went) > level or level - went > len(self.fillers):
            raise EpochEnded("more has changed than a run from this state can carry")

    def to_bytes(self) -> bytes:
        """The encoding."""
        return _dump(_SENDER, self.epoch, self.seed, (self.items, self.tags, self.fillers))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode.

        Raises:
            DecodeError: these are not the bytes of such a state.
        """
        return cls(*_load(_SENDER, data))


def _dump(kind: bytes, epoch: Epoch, key: bytes, tables: tuple[Rows, Rows, Rows]) -> bytes:
    e, (items, tags, others) = epoch, tables
    numbers = (e.context, e.n_r, e.n_s, e.stat_sec, e.runs, e.rows_r, e.rows_s)
    head = _HEAD.pack(kind, *numbers, key, len(items), len(others))
    return b"".join((head, items.tobytes(), tags.tobytes(), others.tobytes()))


def _load(kind: bytes, data: bytes) -> tuple[Epoch, bytes, Rows, Rows, Rows]:
    try:
        found, context, n_r, n_s, stat_sec, runs, rows_r, rows_s, key, n, others = _HEAD.unpack_from(data)
        epoch = Epoch(context, n_r, n_s, stat_sec, runs, rows_r, rows_s)
    except (struct.error, ParameterError) as e:
        raise DecodeError("no state of an epoch begins so") from e
    ends = [_HEAD.size, n * ITEM_BYTES, n * epoch.width, others * epoch.width]
    whole, most = (epoch.table, ROOM * n_r) if kind == _RECEIVER else (epoch.table - n, epoch.table)
    if found != kind or n > most or others != whole or sum(ends) != len(data):
        raise DecodeError("no state of an epoch has such a shape")
    parts = (np.frombuffer(data, np.uint8, ends[i], sum(ends[:i])) for i in (1, 2, 3))
    items, tags, rest = (
        part.reshape(-1, w) for part, w in zip(parts, (ITEM_BYTES, epoch.width, epoch.width), strict=True)
    )
    return epoch, key, items, tags, rest
