"""What every PSI protocol shares: parameters, padding to the declared size, tags, the shape of a result."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crypto import hashing, labels, rows, sealing, sketch
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.rows import Rows
from crypto.session import Message, Role

ITEM_BYTES = 32
CONTEXT_BYTES = 32
MATCH_PROOF_BYTES = 16
MAX_LABEL_BYTES = sealing.LABEL_CLASSES[-1]
MAX_EPSILON_MILLI = 16_000
MAX_BANDS = 32


class Output(StrEnum):
    """Who learns the intersection. The receiver always does."""

    RECEIVER = "receiver"
    BOTH = "both"


class Reveals(StrEnum):
    """What a protocol tells the receiver: the rung of the ladder that it serves."""

    ESTIMATE = "estimate"
    CARDINALITY = "cardinality"
    SUM = "sum"
    OVERLAP = "overlap"
    CONTEXT = "context"


class Brings(StrEnum):
    """What a role takes besides its items, under which keyword."""

    NOTHING = "nothing"
    SKETCH = "sketch"
    """Both may bring a sketch of their items, made before: ``sketch``, ``(slots, 32)`` uint8."""
    VALUES = "values"
    """The sender brings a number for each of its items: ``values``, ``(n,)`` uint64."""
    CONTEXTS = "contexts"
    """The sender brings bytes for each of its items: ``contexts``, a sequence of ``bytes``."""
    STATE = "state"
    """Both may bring what an earlier run left them: ``state``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What both parties agreed on before the first message.

    Attributes:
        n_r: declared (padded) number of items of the receiver.
        n_s: declared (padded) number of items of the sender.
        context: 32 bytes that bind the run to its agreement; every tag depends on them.
        output: who learns the intersection.
        stat_sec: statistical security in bits: the whole run shows one false match with probability at most
            ``2 ** -stat_sec``.
        label_bytes: bytes that every context of the sender is filled up to; 0 where there are none.
        epsilon_milli: privacy loss that noise allows, in thousandths; 0 where there is none.
        bands: the least number of every band of a count, ascending, from 0; none where it is exact.
        new_r: rows that the receiver may add to those of the run before; 0 where there was none.
        new_s: the same of the sender, which may take away as many.

    Raises:
        ParameterError: a value is out of range.
    """

    n_r: int
    n_s: int
    context: bytes
    output: Output = Output.RECEIVER
    stat_sec: int = 40
    label_bytes: int = 0
    epsilon_milli: int = 0
    bands: tuple[int, ...] = ()
    new_r: int = 0
    new_s: int = 0

    def __post_init__(self) -> None:
        if min(self.n_r, self.n_s) < 1 or max(self.n_r, self.n_s) > 1 << 32:
            raise ParameterError("declared sizes lie between 1 and 2^32")
        if len(self.context) != CONTEXT_BYTES:
            raise ParameterError(f"the context has {CONTEXT_BYTES} bytes")
        if not 40 <= self.stat_sec <= 128:  # noqa: PLR2004
            raise ParameterError("stat_sec lies between 40 and 128 bits")
        if not 0 <= self.label_bytes <= MAX_LABEL_BYTES:
            raise ParameterError(f"a context has at most {MAX_LABEL_BYTES} bytes")
        if not 0 <= self.epsilon_milli <= MAX_EPSILON_MILLI:
            raise ParameterError(f"epsilon is at most {MAX_EPSILON_MILLI // 1000}")
        if not are_bands(self.bands):
            raise ParameterError("bands ascend, from 0")
        if not 0 <= self.new_r <= self.n_r or not 0 <= self.new_s <= self.n_s:
            raise ParameterError("no more rows can be new than there are")

    @property
    def tag_bytes(self) -> int:
        """Bytes of a compared tag: ``stat_sec + log2(n_r * n_s)`` bits (union bound over pairs), in bytes."""
        return math.ceil((self.stat_sec + math.log2(self.n_r) + math.log2(self.n_s)) / 8)


@dataclass(frozen=True, slots=True)
class Matches:
    """A party's output: which of its own items the other party holds too.

    Attributes:
        indices: ``(k,)`` int64, ascending, positions in the array that the party put in; of equal rows the
            first one counts.
    """

    indices: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many items they are."""
        return len(self.indices)


@dataclass(frozen=True, slots=True)
class Count:
    """A party's output where it learns how many items both hold, not which.

    Attributes:
        count: how many.
    """

    count: int


@dataclass(frozen=True, slots=True)
class Band:
    """A party's output where it learns between which bounds the number of shared items lies.

    Attributes:
        low: the least that it can be.
        high: the most; None where there is no bound.
    """

    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Noisy:
    """A party's output where it learns how many items are shared, give or take noise of the sender.

    Attributes:
        count: the number, with noise; it can be negative.
        epsilon: the privacy loss that the noise allows.
    """

    count: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A party's output where it learns how many slots of two sketches are equal.

    Attributes:
        equal: how many are.
        slots: how many there are.
    """

    equal: int
    slots: int

    @property
    def jaccard(self) -> float:
        """The most likely similarity of the sets: what both hold, of what either holds."""
        return self.equal / self.slots

    def interval(self, confidence: float = 0.99) -> tuple[float, float]:
        """``crypto.sketch.interval``: between which bounds the similarity lies."""
        return sketch.interval(self.equal, self.slots, confidence=confidence)

    def shared(self, own: int, peer_low: int, peer_high: int, confidence: float = 0.99) -> sketch.Shared:
        """``crypto.sketch.shared``: how many items are shared, from the sizes of the sets."""
        return sketch.shared(
            self.equal, self.slots, own=own, peer_low=peer_low, peer_high=peer_high, confidence=confidence
        )


@dataclass(frozen=True, slots=True)
class Total:
    """A party's output where it learns how many items are shared, and the sum of the numbers on them.

    Attributes:
        count: how many.
        total: the sum.
    """

    count: int
    total: int


@dataclass(frozen=True, slots=True)
class Contexts(Matches):
    """A party's output where it learns which items are shared, and what the sender says about each of them.

    Attributes:
        indices: as in ``Matches``.
        contexts: for each index the sender's bytes, in that order.
    """

    contexts: tuple[bytes, ...] = field(repr=False)


Result: TypeAlias = Matches | Count | Band | Noisy | Estimate | Total
"""What a receiver comes to know."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """The part of a protocol that depends on nobody's items, as a run of its own.

    What a role of it returns goes into the role of the same side as ``correlation``, once.

    Attributes:
        receiver: the part of the party that will learn the output.
        sender: the other part.
        elements: how many elements a run with these parameters takes; one made for more will do.
        dump: what a role returned, as ``(n, 16)`` uint8 rows. They are secret.
        load_receiver: the inverse for the receiver.
        load_sender: the inverse for the sender.
    """

    receiver: Callable[..., Role[Any]]
    sender: Callable[..., Role[Any]]
    elements: Callable[[Params], int]
    dump: Callable[[Any], Rows]
    load_receiver: Callable[[Rows], Any]
    load_sender: Callable[[Rows], Any]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol, as discovery finds it.

    Attributes:
        name: the name in policies, agreements and on the command line.
        receiver: the role that learns the output; ``(items, params, *, rng) -> Role[Matches]``, or of what
            else of ``Result`` is revealed.
        sender: the other role; its result is ``None`` unless ``params.output`` is ``BOTH``.
        messages: every message type, in the order of a run.
        traffic: payload bytes ``(receiver_sent, sender_sent)`` of a run with these parameters.
        round_trips: how often a run waits for the network, there and back.
        sample: two sizes of a set, in items, at which its cost is measured.
        offline: those of the messages that a run begins with that depend on nobody's items.
        ahead: how they are exchanged in a run of their own; ``None`` where that cannot be.
        reveals: what the receiver learns.
        outputs: who may learn it: the values of ``params.output`` that the roles take.
        brings: what a role takes besides its items.
    """

    name: str
    receiver: Callable[..., Role[Any]]
    sender: Callable[..., Role[Any]]
    messages: tuple[type[Message], ...]
    traffic: Callable[[Params], tuple[int, int]]
    round_trips: float
    sample: tuple[int, int]
    offline: frozenset[type[Message]] = frozenset()
    ahead: Ahead | None = None
    reveals: Reveals = Reveals.OVERLAP
    outputs: frozenset[Output] = frozenset(Output)
    brings: Brings = Brings.NOTHING


@dataclass(frozen=True, slots=True)
class Padded:
    """A party's distinct items, filled up with random rows to the size it declared.

    Attributes:
        rows: ``(size, 32)`` uint8; the first ``len(origin)`` are items, the rest random and so without match.
        origin: ``(k,)`` int64, the position in the caller's array of each item.
    """

    rows: Rows = field(repr=False)
    origin: NDArray[np.int64] = field(repr=False)

    def matches(self, positions: NDArray[np.int64]) -> Matches:
        """The output, from positions in ``rows``. A random row that matches (2^-stat_sec) is no item."""
        found = np.zeros(len(self.origin), np.bool_)
        found[positions[positions < len(self.origin)]] = True
        return Matches(self.origin[found])  # which ascends


def pad(items: Rows, size: int, *, rng: Rng) -> Padded:
    """Drop duplicates and fill up to ``size`` rows.

    Args:
        items: ``(n, 32)`` uint8, C-contiguous.
        size: the declared size.
        rng: randomness of the filling rows.

    Raises:
        ParameterError: wrong shape, or more distinct items than declared.
    """
    origin = _distinct(items, size)
    return Padded(_filled(items[origin], size, rng), origin)


def pad_distinct(items: Rows, size: int, *, rng: Rng) -> Padded:
    """What ``pad`` gives for items that repeat no row, without looking whether they do.

    Raises:
        ParameterError: wrong shape, or more items than declared.
    """
    _check_items(items)
    if len(items) > size:
        raise ParameterError("there are more items than the declared size")
    return Padded(_filled(items, size, rng), np.arange(len(items)))


def _filled(items: Rows, size: int, rng: Rng) -> Rows:
    filling = size - len(items)
    if not filling:
        return items
    dummies = np.frombuffer(rng(filling * ITEM_BYTES), np.uint8).reshape(filling, ITEM_BYTES)
    return np.concatenate([items, dummies])


def check_fits(items: Rows, size: int) -> None:
    """Refuse at once what ``pad`` would refuse later.

    Raises:
        ParameterError: wrong shape, or more distinct items than declared.
    """
    _check_items(items)
    if len(items) > size:
        _distinct(items, size)


def _check_items(items: Rows) -> None:
    if items.ndim != 2 or items.shape[1] != ITEM_BYTES or items.dtype != np.uint8:  # noqa: PLR2004
        raise ParameterError(f"items are an (n, {ITEM_BYTES}) uint8 array")


def _distinct(items: Rows, size: int) -> NDArray[np.int64]:
    _check_items(items)
    origin = rows.unique(items)
    if len(origin) > size:
        raise ParameterError("there are more distinct items than the declared size")
    return origin


def are_bands(edges: tuple[int, ...]) -> bool:
    """Whether numbers can be the lower bounds of bands: none, or ascending from 0 and not too many."""
    return not edges or (edges[0] == 0 and list(edges) == sorted(set(edges)) and len(edges) <= MAX_BANDS)


def tags(outputs: Rows, *, label: str, context: bytes, width: int) -> Rows:
    """Tags of PRF outputs, bound to the run: the same item has unlinkable tags in two runs.

    Args:
        outputs: ``(n, w)`` uint8, one half of each PRF output.
        label: what the tag is for; from ``crypto.labels``.
        context: the run's context.
        width: bytes kept of each 32-byte tag.

    Returns:
        ``(n, width)`` uint8.
    """
    key = hashing.derive_key(label, context)
    return np.ascontiguousarray(hashing.keyed_rows(key, np.ascontiguousarray(outputs))[:, :width])


def match_proofs(private: Rows, params: Params) -> Rows:
    """Tags of the private half of PRF outputs: who shows one has evaluated the PRF there. ``(n, 16)``."""
    return tags(private, label=labels.MATCH_PROOF, context=params.context, width=MATCH_PROOF_BYTES)


def fill_proofs(proofs: Rows, count: int, rng: Rng) -> Rows:
    """Fill up with random rows and sort, so that neither length nor order tells a listener anything.

    Always draws as many as could be needed: the time is the same too.
    """
    random = np.frombuffer(rng(count * MATCH_PROOF_BYTES), np.uint8).reshape(count, MATCH_PROOF_BYTES)
    return rows.sort(np.concatenate([proofs, random[: count - len(proofs)]]))
