"""What a secure aggregation agrees on before it begins, its messages, and its result.

Positions ``0 .. n-1`` are those of the opening. Lists that follow a ``Roll`` stand in the order of positions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto import ed25519
from crypto.errors import Blamed, ParameterError
from crypto.rows import Rows
from crypto.session import Message, Receive, message

CONTEXT_BYTES = 32
KEY_BYTES = ed25519.KEY_BYTES
SIGNATURE_BYTES = ed25519.SIGNATURE_BYTES
LEAST, MOST = 3, 100
"""How many members there can be."""
WIDTHS = (8, 16, 32, 64)
"""Of a word, in bits."""


class Step(IntEnum):
    """What members owe; the number stands in every signature."""

    JOINING = 1
    DEALING = 2
    MASKING = 3
    AGREEING = 4
    UNMASKING = 5
    SIGNING = 6
    DONE = 7


def threshold(n: int) -> int:
    """How many shares open a mask, ``T = floor(2n/3) + 1``; a function of ``n``, so that nobody chooses it.

    With ``c = floor((n-1)/3)`` members that lie, together with the coordinator: ``2T > n + c``, so no two
    lists of survivors get ``T`` signatures each, for want of honest members who sign twice; ``T > c``, so the
    liars open nothing; ``n - T`` members may drop out.
    """
    return 2 * n // 3 + 1


def tolerated(n: int) -> int:
    """How many members may lie together with the coordinator, ``c = floor((n-1)/3)``."""
    return (n - 1) // 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all members agreed on before the first message.

    Attributes:
        context: 32 bytes, the hash of the opening; every signature, key and mask depends on it.
        identities: Ed25519 public keys of the members, 32 bytes each, by position.
        minimum: the least number of contributors whose sum is opened.
        size: ``d``, how many words a vector has.
        width: bits of a word.
        cap: the most that one member puts into one word.
        reserve: the most that noise makes up, in all and in either direction; more than 0 makes the result
            signed (two's complement).

    Raises:
        ParameterError: a value is out of range, or a sum could be too large for its word.
    """

    context: bytes
    identities: tuple[bytes, ...] = field(repr=False)
    minimum: int
    size: int
    width: int
    cap: int
    reserve: int = 0

    def __post_init__(self) -> None:
        if len(self.context) != CONTEXT_BYTES:
            raise ParameterError(f"the context has {CONTEXT_BYTES} bytes")
        if not LEAST <= self.n <= MOST:
            raise ParameterError(f"an aggregation has {LEAST} to {MOST} members")
        if any(len(key) != KEY_BYTES for key in self.identities) or len(set(self.identities)) != self.n:
            raise ParameterError(f"identities are {KEY_BYTES} bytes each, no two alike")
        if not LEAST <= self.minimum <= self.n:
            raise ParameterError(f"the least number of contributors lies between {LEAST} and all members")
        if self.width not in WIDTHS or not 1 <= self.size < 1 << 32:
            raise ParameterError("a vector has at least one word, of 8, 16, 32 or 64 bits")
        if self.cap < 1 or self.reserve < 0:
            raise ParameterError("the cap is at least 1, and the reserve not below 0")
        if self.n * self.cap + self.reserve >= 1 << (self.width - (self.reserve > 0)):
            raise ParameterError(f"a sum of {self.n} members can be too large for {self.width} bits")

    @property
    def n(self) -> int:
        """How many members there are."""
        return len(self.identities)

    @property
    def threshold(self) -> int:
        """How many members it takes to open a sum."""
        return threshold(self.n)

    @property
    def tolerated(self) -> int:
        """How many members may lie together with the coordinator."""
        return tolerated(self.n)

    @property
    def least(self) -> int:
        """How many survivors it takes."""
        return max(self.threshold, self.minimum)

    @property
    def words(self) -> np.dtype[Any]:
        """The type of a word: unsigned, little-endian."""
        return np.dtype(f"<u{self.width // 8}")

    @property
    def word_bytes(self) -> int:
        """Bytes of a word."""
        return self.width // 8


def roll_bytes(n: int) -> int:
    """Bytes of a ``Roll`` of ``n`` members."""
    return -(-n // 8)


def pack_roll(positions: Iterable[int], n: int) -> bytes:
    """Positions as bits, that of position ``i`` being bit ``i % 8`` of byte ``i // 8``."""
    bits = 0
    for position in positions:
        bits |= 1 << position
    return bits.to_bytes(roll_bytes(n), "little")


def unpack_roll(packed: bytes, n: int) -> tuple[int, ...]:
    """The positions, ascending.

    Raises:
        Blamed: a bit beyond the last member is set: the coordinator's fault.
    """
    bits = int.from_bytes(packed, "little")
    if bits >> n:
        raise Blamed((), "bad-roll")
    return tuple(position for position in range(n) if bits >> position & 1)


@message
class Join(Message):
    """Member: keys for this run alone, a commitment, a proof that the first key is its own, and a signature.

    The commitment is to the seed of its own mask, the proof that of ``keys.possession``.
    """

    key: bytes
    mask_key: bytes
    commitment: bytes
    possession: bytes
    signature: bytes


@message
class Dealing(Message):
    """Member: for each that joined a sealed box of shares and the commitments to both. ``(|U1|, 144)``."""

    rows: Rows
    signature: bytes


@message
class Masked(Message):
    """Member: its vector under all its masks, ``(d, w/8)``, and a signature over its root."""

    vector: Rows
    signature: bytes


@message
class Complaint(Message):
    """Member, in place of ``Masked``: whose box is bad, and what opens this one box, with a proof of it."""

    accused: bytes
    point: bytes
    proof: bytes


@message
class Agreed(Message):
    """Member: a signature over all that it has seen up to the roots. It makes one in a run."""

    signature: bytes


@message
class Shares(Message):
    """Member: one share of every member's, of the own mask or of the mask key, never both. ``(|U2|, 32)``."""

    rows: Rows
    signature: bytes


@message
class Signed(Message):
    """Member: a signature over the result."""

    signature: bytes


@message
class Roll(Message):
    """Coordinator: who took part in the step that ended, as bits; what follows it has a row for each."""

    members: bytes


@message
class Joins(Message):
    """Coordinator: of each the fields of its ``Join``, one after the other. ``(|U1|, 256)``."""

    rows: Rows


@message
class Dealings(Message):
    """Coordinator: of each dealing the recipient's row, the digests of all rows, and the signature."""

    rows: Rows
    digests: Rows
    signatures: Rows


@message
class Roots(Message):
    """Coordinator: root of the masked vector and signature of each. ``(|U3|, 96)``."""

    rows: Rows


@message
class Agreements(Message):
    """Coordinator: the signature of each. ``(|U4|, 64)``."""

    rows: Rows


@message
class Opened(Message):
    """Coordinator: the seed that was opened of each member that dealt, ``(|U2|, 32)``, and the result."""

    seeds: Rows
    vector: Rows


@message
class Receipts(Message):
    """Coordinator: signatures over the result. ``(k, 64)``."""

    rows: Rows


@message
class Digests(Message):
    """Whoever keeps the masked vectors: the digests of their chunks, a survivor a row."""

    rows: Rows


@message
class Chunk(Message):
    """Whoever keeps the masked vectors: one chunk of each, a survivor a row."""

    rows: Rows


@dataclass(frozen=True, slots=True)
class Fetch(Receive):
    """A member asks for something that is no part of a step, for its replay: ``Digests`` or a ``Chunk``.

    Attributes:
        chunk: the number of the chunk; none where it is the digests.
    """

    chunk: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What comes out.

    Attributes:
        vector: ``(d,)``, the sum of the survivors' vectors; signed where there is room for noise.
        survivors: whose sum it is, ascending.
        digest: 32 bytes, the root of the result.
        signatures: of members over survivors and digest, by position: the receipt.
    """

    vector: NDArray[Any] = field(repr=False)
    survivors: tuple[int, ...]
    digest: bytes = field(repr=False)
    signatures: Mapping[int, bytes] = field(repr=False)
