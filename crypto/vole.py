"""Silent vector OLE: ``c = delta * a + b`` over GF(2^128), long, from a few hundred kilobytes.

The receiver ends with ``a``, which looks uniform, and ``c``; the sender with ``delta`` and ``b``. Nothing
depends on the inputs of what comes after, so it can be made ahead. An element is a row of 16 bytes, bit ``i``
of which, counted from the least significant of the first byte, is the coefficient of ``x^i``; the field has
``x^128 = x^7 + x^2 + x + 1``.

The transfers and products that it begins with are a role of their own (oblivious transfer, extended), handed
in as ``transfers``. A party that raises has burnt ``delta``: nothing may be retried with it.

``Received`` has ``a`` and ``c``, ``Sent`` has ``delta`` and ``b``: opaque objects, which copy out arrays of
shape ``(count, 16)``.

Sources, steps, parameters and what they rest on: ``native/src/vole.rs`` and docs/protocols/silent-vole.md.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from secrets import token_bytes
from typing import TypeAlias, TypeVar

import numpy as np

from crypto import _native
from crypto.group import Rng
from crypto.rows import Rows
from crypto.session import Message, Receive, Role, Send, message, receive, send

T = TypeVar("T")
ELEMENT_BYTES = 16
CHALLENGE_BYTES = 32
ANSWER_BYTES = 32
_DRAW_BYTES = 32


@message
class Trees(Message):
    """Sender to receiver: a salt, and for each tree the masked sums of its levels and its leaves; one row."""

    trees: Rows


@message
class Challenge(Message):
    """Receiver to sender: a point, and the masked value of the noise at it."""

    challenge: bytes


@message
class Answer(Message):
    """Sender to receiver: the hash of its trees at that point."""

    answer: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Chosen:
    """What the receiver's transfers give it: the chosen string of each, and its share of each product."""

    strings: Rows
    shares: Rows


@dataclass(frozen=True, slots=True, repr=False)
class Offered:
    """What the sender's transfers give it: delta, both strings of each, and its share of each product."""

    delta: bytes
    zeros: Rows
    ones: Rows
    shares: Rows


Received: TypeAlias = _native.VoleReceived
Sent: TypeAlias = _native.VoleSent
SubRole: TypeAlias = Generator[Send | Receive, Message | None, T]
Choose: TypeAlias = Callable[[bytes, Rows], SubRole[Chosen]]
"""Given a byte of 0 or 1 for each transfer and the ``(n, 16)`` factors of the products, the role."""
Offer: TypeAlias = Callable[[int, int], SubRole[Offered]]
"""Given the numbers of transfers and of products, the role."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a run of some count takes."""

    transfers: int
    products: int
    trees_bytes: int


def sizes(count: int) -> Sizes:
    """What making ``count`` elements takes.

    Raises:
        ParameterError: the count is not between 1 and 2^28.
    """
    return Sizes(*_native.vole_sizes(count))


def receiver(count: int, transfers: Choose, *, context: bytes, rng: Rng = token_bytes) -> Role[Received]:
    """The party that gets ``a`` and ``c``.

    Args:
        count: how many elements, 1 to 2^28.
        transfers: our side of the transfers and products.
        context: what the session is bound to.
        rng: randomness.

    Raises:
        ParameterError: the count is out of range.
        VerificationError: the sender's trees are no trees.
        ProtocolError: a message is missing or misshapen.
    """
    state = _native.vole_receiver(count, context, rng(_DRAW_BYTES))
    chosen = yield from transfers(state.choices(), state.elements())
    trees = (yield from receive(Trees, trees=(1, sizes(count).trees_bytes))).trees
    challenge = state.puncture(chosen.strings, chosen.shares, trees.tobytes())
    yield from send(Challenge(challenge))
    answer = (yield from receive(Answer, answer=ANSWER_BYTES)).answer
    return state.finish(answer)


def sender(count: int, transfers: Offer, *, context: bytes, rng: Rng = token_bytes) -> Role[Sent]:
    """The party that gets ``delta`` and ``b``.

    Args:
        count: how many elements, 1 to 2^28.
        transfers: our side of the transfers and products.
        context: what the session is bound to.
        rng: randomness.

    Raises:
        ParameterError: the count is out of range.
        ProtocolError: a message is missing or misshapen.
    """
    size = sizes(count)
    offered = yield from transfers(size.transfers, size.products)
    state, trees = _native.vole_sender(
        count,
        context,
        rng(_DRAW_BYTES),
        delta=offered.delta,
        zeros=offered.zeros,
        ones=offered.ones,
        shares=offered.shares,
    )
    yield from send(Trees(np.frombuffer(trees, np.uint8).reshape(1, -1)))
    challenge = (yield from receive(Challenge, challenge=CHALLENGE_BYTES)).challenge
    yield from send(Answer(state.answer(challenge)))
    return state.finish()  # while the receiver compresses, too


def dump(correlation: Received | Sent) -> Rows:
    """One half of a correlation as rows: ``a`` then ``c``, ``(2 * count, 16)``, or ``delta`` then ``b``."""
    if isinstance(correlation, Received):
        return np.concatenate([correlation.a, correlation.c])
    delta = np.frombuffer(correlation.delta, np.uint8).reshape(1, -1)
    return np.concatenate([delta, correlation.b])


def load_received(rows: Rows) -> Received:
    """The inverse of ``dump`` for the receiver."""
    half = len(rows) // 2
    return Received(rows[:half], rows[half:])


def load_sent(rows: Rows) -> Sent:
    """The inverse of ``dump`` for the sender."""
    return Sent(rows[0].tobytes(), rows[1:])


def traffic(count: int) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, without those of the transfers."""
    return CHALLENGE_BYTES, sizes(count).trees_bytes + ANSWER_BYTES
