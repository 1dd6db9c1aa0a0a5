"""ATR/1s: which items at least ``t`` members hold, and nothing of the others, not even a count.

Learns: a counter, of items that at least ``t`` members hold, how many there are and in which anonymous
batches each is; a member, which of its own items are among them. Of an item that fewer hold nobody learns
anything. The whole list: ``LEAKS``.

Adversary: as in ``discovery``: malicious, but neither all helpers nor relay and counter work together. The
counter must not work together with a member either: the two could compute the cells of each item that the
member holds.

Cost: of a member, ``TABLES * t`` cells of eight bytes for each item of the largest set; of the counter, what
``predict`` says, which grows with the number of selections of ``t`` members: for small alliances and small
``t``.

Who runs what: keys, questions and tokens are those of ``helpers``; the relay's list is that of ``batches``.

- member: ``write`` its tables at the point that its token gives, ``seal`` them; later ``recognise``.
- counter: ``open_tables`` of each, ``helpers.confirm`` by each helper, ``count``; signs the outcome.

A member's own sightings only: there are no points for copies of one report here.

A cell that is released is a hash of the value there. Who holds the item computes the value of each other
holder, and takes it that as many hold it as there are right hashes. A counter that has not seen these cells
can guess one with a chance of 2^-61. That it keeps some to itself shows when another counts.

Source: Arpaci, Boutaba, Kerschbaum, NSDI 2026, as in ``threshold``, whose items are outputs of several
helpers here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_bytes
from types import MappingProxyType

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from crypto import hashing, labels, rows
from crypto.errors import ParameterError, VerificationError
from crypto.group import Rng
from crypto.rows import Rows
from crypto.secagg import batches, discovery, threshold
from crypto.secagg.batches import BadBatch, Envelope
from crypto.secagg.discovery import Setup
from crypto.secagg.threshold import CELL_BYTES, FILLER, INSERTIONS, PRIME, TABLES, Tables

PLACE_BYTES = 8
CHECK_BYTES = 16
RELEASED_BYTES = PLACE_BYTES + CHECK_BYTES
PRODUCT_NS = 1.7
COMPARISON_NS = 0.2
"""What a product and a comparison of ``threshold.work`` take, measured on one core of an EPYC with AVX2."""
WRITE_NS = 170.0
"""What a member takes to write a cell, measured likewise: see docs/protocols/discovery-strict.md."""
_PART = 1 << 16
"""Places that a member looks at together: memory stays small where most items are released."""
_Indices = NDArray[np.int64]

LEAKS = MappingProxyType(
    {who: what for who, what in discovery.LEAKS.items() if who != "counter and a helper"}
    | {
        "relay": "The relay learns who takes part, and when, and how many places of the tables show an item."
        " All send the same number of bytes.",
        "counter": "The counter learns of how many items at least as many members as the threshold says are"
        " holders, and which anonymous batches hold each of them. It learns nothing of any other item.",
        "members": "A member learns which of its own items at least as many members hold as the threshold"
        " says, and how many do; and how many places of the tables show an item, which is a bound of how many"
        " items that is true of in all.",
        "counter and a member": "The counter and a member together learn how many members hold each item"
        " that the member holds, or guesses within its quota, and in which anonymous batches it is, also"
        " below the threshold.",
    }
)
"""Who learns what, for people; shown wherever a result is. The rest is as in the other mode."""


class TooCostly(ParameterError):
    """The counter would take longer than is allowed.

    Attributes:
        seconds: how long, by the prediction.
    """

    def __init__(self, seconds: float, limit: float) -> None:
        super().__init__(f"the counter would take about {seconds:.0f} s, and {limit:.0f} s are allowed")
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Strict:
    """What all parties of a strict session agreed on.

    Attributes:
        setup: as in ``discovery``.
        items: the most that any member has. All tables are of the size that this needs.

    Raises:
        ParameterError: a value is out of range.
    """

    setup: Setup
    items: int

    def __post_init__(self) -> None:
        if not 1 <= self.items < 1 << 24:
            raise ParameterError("a member of a strict session has 1 to 2^24 items")
        if self.setup.members > threshold.MAX_MEMBERS or self.setup.threshold > threshold.MAX_THRESHOLD:
            raise ParameterError("a strict session has at most 128 members, and a threshold of at most 64")

    @property
    def bins(self) -> int:
        """Of each table."""
        return self.items * self.setup.threshold

    @property
    def cells(self) -> int:
        """Of each member."""
        return TABLES * self.bins

    @property
    def sealed_bytes(self) -> int:
        """Of each member's tables, as they are sent."""
        return batches.SEAL_BYTES + self.setup.token_bytes + CELL_BYTES * self.cells

    @property
    def most_released(self) -> int:
        """Rows of an outcome, where every member has as many items as were agreed on, and shares them all."""
        return INSERTIONS * TABLES * self.items * self.setup.members

    def key(self, label: str) -> bytes:
        """The key of this session for one use."""
        return hashing.derive_key(label, self.setup.context, self.bins.to_bytes(8, "little"))


@dataclass(frozen=True, slots=True)
class Handed(Envelope):
    """What the counter reads.

    Attributes:
        cells: ``(strict.cells,)`` uint64.
    """

    cells: NDArray[np.uint64] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the counter signs and releases.

    Attributes:
        released: ``(k, 24)`` uint8, ascending: the place of a cell in the tables, most significant byte
            first, and a hash of its value; for each cell that belongs to an item of enough holders.
        points: of all batches that were counted, ascending.
    """

    released: Rows
    points: tuple[int, ...]

    def digest(self, strict: Strict) -> bytes:
        """32 bytes to be signed. Whoever counts again has the same, or one of them lies."""
        points = np.array(self.points, "<u8").tobytes()
        return hashing.derive_key(labels.STRICT_OUTCOME, strict.setup.context, self.released, points)


def predict(strict: Strict) -> float:
    """Seconds of one core that the counter will take."""
    setup = strict.setup
    products, comparisons = threshold.work(setup.members, setup.threshold)
    return strict.cells * (products * PRODUCT_NS + comparisons * COMPARISON_NS) * 1e-9


def predict_member(strict: Strict) -> float:
    """Seconds of one core that a member will take to write its tables."""
    return strict.cells * WRITE_NS * 1e-9


def check_cost(strict: Strict, limit_s: float, *, cores: int = 1) -> float:
    """Refuse a session before anything is sent, if the counter would take too long.

    Returns:
        The seconds that it will take.

    Raises:
        TooCostly: they are more than the limit.
    """
    seconds = predict(strict) / cores
    if seconds > limit_s:
        raise TooCostly(seconds, limit_s)
    return seconds


def point_of(token: bytes) -> int:
    """The evaluation point of a batch. Nobody can choose it, nor tell before whose it is."""
    return int.from_bytes(hashing.derive_key(labels.STRICT_POINT, token), "little") % (PRIME - 1) + 1


def write(outputs: Rows, token: bytes, strict: Strict, *, rng: Rng = token_bytes) -> Tables:
    """The tables of a member: cells, which are sealed, and what stands in them, which it keeps.

    Args:
        outputs: ``(m, 64)`` uint8, of ``helpers.learn``, for distinct items that the member has seen itself.
        token: of ``helpers.spendable``.
        strict: of the session.
        rng: randomness.

    Raises:
        ParameterError: there are more items than was agreed on, or a shape is wrong.
    """
    if len(outputs) > strict.items:
        raise ParameterError(f"a member of this session has at most {strict.items} items")
    return threshold.tables(
        outputs,
        point_of(token),
        context=strict.key(labels.STRICT_TABLE),
        threshold=strict.setup.threshold,
        bins=strict.bins,
        rng=rng,
    )


def seal(token: bytes, tables: Tables, public_key: bytes, strict: Strict) -> bytes:
    """Encrypt tables to a counter; as ``batches.seal``."""
    cells = tables.cells.astype("<u8", copy=False)
    return batches.encrypt(token, cells, public_key, strict.setup, bound=strict.key(labels.STRICT_BATCH))


def open_token(head: bytes, private_key: X25519PrivateKey, strict: Strict) -> bytes:
    """As ``batches.open_token``."""
    return batches.token_of(head, private_key, strict.setup, bound=strict.key(labels.STRICT_BATCH))


def open_tables(sealed: bytes, private_key: X25519PrivateKey, strict: Strict) -> Handed:
    """Decrypt tables and refuse what is none.

    Raises:
        BadBatch: they were not sealed to this key for this session, or are no numbers modulo ``PRIME``.
    """
    if len(sealed) != strict.sealed_bytes:
        raise BadBatch("bad-shape", "a batch has another size than all in this session")
    bound = strict.key(labels.STRICT_BATCH)
    token, body = batches.decrypt(sealed, private_key, strict.setup, bound=bound)
    cells = np.frombuffer(body, "<u8").astype(np.uint64, copy=False)
    if np.any(cells >= PRIME):
        raise BadBatch("bad-record", "a cell of a batch is no number of the field")
    return Handed(batches.name(sealed), token, cells)


def count(handed: Sequence[Handed], strict: Strict) -> Outcome:
    """Find the cells that belong together, of batches whose tokens were confirmed.

    Args:
        handed: of ``open_tables``, one of each member at most.
        strict: of the session.

    Raises:
        ParameterError: there are more batches than members, or one comes twice.
        DecodeError: members work together to fill the result.
    """
    points = [point_of(one.token) for one in handed]
    if len(handed) > strict.setup.members or len(set(points)) < len(points):
        raise ParameterError("there is at most one batch of each member")
    if len(handed) < strict.setup.threshold:
        return Outcome(np.empty((0, RELEASED_BYTES), np.uint8), tuple(sorted(points)))
    found = threshold.find([one.cells for one in handed], points, strict.setup.threshold)
    parts = [np.empty((0, RELEASED_BYTES), np.uint8)]
    for one, point, holds in zip(handed, points, found.members.T, strict=True):
        places = found.places[holds]
        parts.append(_checks(places, np.full(len(places), point, np.uint64), one.cells[places], strict))
    return Outcome(rows.sort(np.concatenate(parts)), tuple(sorted(points)))


def check_outcome(outcome: Outcome, strict: Strict) -> None:
    """Refuse an outcome that no honest counter gives, whoever looks at it.

    Raises:
        VerificationError: rows or points do not ascend, are out of range, or are too many.
        ParameterError: an array is misshapen.
    """
    rows.check(outcome.released, width=RELEASED_BYTES)
    points = outcome.points
    ascend = all(a < b for a, b in zip((0, *points), (*points, PRIME), strict=False))
    if not ascend or len(points) > strict.setup.members:
        raise VerificationError("the counter names points that do not ascend, or more than there are members")
    places = _places(outcome.released)
    if not rows.ascends(outcome.released) or np.any((places < 0) | (places >= strict.cells)):
        raise VerificationError("the counter releases cells that do not ascend, or that are in no table")


def recognise(
    outputs: Rows, tables: Tables, outcome: Outcome, strict: Strict
) -> tuple[_Indices, NDArray[np.int64]]:
    """Which own items at least ``t`` members hold, and how many do.

    Args:
        outputs: as they were written.
        tables: of ``write``.
        outcome: as it was checked.
        strict: of the session.

    Returns:
        Positions among the items, ascending, and the number of members with each, this one among them.
    """
    released = _places(outcome.released)
    places = np.unique(released)
    places = places[tables.slots[places] != FILLER]
    held = np.zeros((len(outputs), len(outcome.points)), np.bool_)
    for start in range(0, len(places), _PART):
        part = places[start : start + _PART]
        first, last = np.searchsorted(released, [part[0], part[-1] + 1])
        right = _right(outputs, tables.slots, part, outcome.points, outcome.released[first:last], strict)
        np.logical_or.at(held, tables.slots[part] // 2, right)
    voices = held.sum(axis=1)
    mine = np.flatnonzero(voices >= strict.setup.threshold)
    return mine, voices[mine]


def _right(
    outputs: Rows, slots: _Indices, places: _Indices, points: Sequence[int], released: Rows, strict: Strict
) -> NDArray[np.bool_]:
    """At which places what is released shows that which members hold our item. ``(places, points)``."""
    values = threshold.values(
        outputs,
        slots,
        places,
        points,
        context=strict.key(labels.STRICT_TABLE),
        threshold=strict.setup.threshold,
        bins=strict.bins,
    )
    numbers = np.tile(np.array(points, np.uint64), len(places))
    expected = _checks(np.repeat(places, len(points)), numbers, values.reshape(-1), strict)
    right = np.zeros(len(expected), np.bool_)
    right[rows.positions_in(expected, released)] = True
    return right.reshape(values.shape)


def _checks(places: _Indices, points: NDArray[np.uint64], cells: NDArray[np.uint64], strict: Strict) -> Rows:
    """Rows that are released, of cells: the place of each, and a hash of it. ``(k, 24)``."""
    table = np.stack([places.astype(np.uint64), points, cells], axis=1).astype(">u8").view(np.uint8)
    hashes = hashing.keyed_rows(strict.key(labels.STRICT_CHECK), table)
    return np.concatenate([table[:, :PLACE_BYTES], hashes[:, :CHECK_BYTES]], axis=1)


def _places(released: Rows) -> _Indices:
    return np.ascontiguousarray(released[:, :PLACE_BYTES]).view(">u8").reshape(-1).astype(np.int64)
