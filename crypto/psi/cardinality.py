"""``cardinality``: how many items are shared, not which, from a shuffled Diffie-Hellman exchange.

Learns: the receiver, the number of shared items; the sender, nothing but the declared sizes.

Adversary: semi-honest. A receiver that departs from the protocol can learn which of its at most ``n_r``
items are shared, as much as from ``voprf`` and no more; a sender that does can make the number smaller, and
larger only with items of the receiver that it can name. In the random-oracle model, under one-more gap
Diffie-Hellman on Curve25519 (docs/protocols/cardinality.md).

Cost: one and a half rounds; per receiver item 64 bytes and three multiplications, two of them the receiver's;
per sender item ``tag_bytes`` bytes and one. The exact bytes are ``traffic``.

Source: De Cristofaro, Gasti, Tsudik, "Fast and Private Computation of Cardinality of Set Intersection and
Union", CANS 2012, figure 1, on the exchange of Meadows, S&P 1986. Here the group is Curve25519 by first
coordinates, and sorting is the shuffle: the order of masked rows is the order of random numbers.
"""

from secrets import token_bytes

import numpy as np

from crypto import curve25519, hashing, labels, rows
from crypto.curve25519 import POINT_BYTES
from crypto.errors import ParameterError, ProtocolError
from crypto.group import Rng
from crypto.psi.base import (
    Count,
    Output,
    Params,
    Protocol,
    Reveals,
    is_sorted,
    pad,
    positions_in,
    tags,
)
from crypto.rows import Rows
from crypto.session import Message, Role, message, receive, send


@message
class Masked(Message):
    """Receiver to sender: its items, hashed, under its mask, sorted. ``(n_r, 32)``."""

    masked: Rows


@message
class Remasked(Message):
    """Sender to receiver: the same under the sender's key too, sorted anew, so that none can be traced."""

    remasked: Rows


@message
class Tags(Message):
    """Sender to receiver: tags of its own items, hashed, under its key; sorted."""

    tags: Rows


def receiver(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Count]:
    """The party that learns the number.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, or the output is to be for both.
        DecodeError: the sender's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    _check_output(params)
    own = pad(items, params.n_r, rng=rng)
    mask = curve25519.generate_scalar(rng=rng)
    yield from send(Masked(rows.sort(curve25519.multiply(_points(own.rows, params), mask))))

    remasked = (yield from receive(Remasked, remasked=(params.n_r, POINT_BYTES))).remasked
    theirs = (yield from receive(Tags, tags=(params.n_s, params.tag_bytes))).tags
    _check_points(remasked, "the sender's")
    if not is_sorted(theirs):
        raise ProtocolError("the sender's tags are not sorted")
    outputs = curve25519.multiply(remasked, curve25519.inverse(mask))
    return Count(len(positions_in(_compared(outputs, params), theirs)))


def sender(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[None]:
    """The party that holds the key, fresh for this run.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, or the output is to be for both.
        DecodeError: the receiver's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    _check_output(params)
    own = pad(items, params.n_s, rng=rng)
    key = curve25519.generate_scalar(rng=rng)
    # Before waiting: the receiver masks meanwhile.
    compared = rows.sort(_compared(curve25519.multiply(_points(own.rows, params), key), params))

    masked = (yield from receive(Masked, masked=(params.n_r, POINT_BYTES))).masked
    _check_points(masked, "the receiver's")
    remasked = rows.sort(curve25519.multiply(masked, key))
    if _repeats(remasked):  # as rows of points that differ by one of small order do, only now
        raise ProtocolError("the receiver's rows repeat a point")
    yield from send(Remasked(remasked))
    yield from send(Tags(compared))


def _check_output(params: Params) -> None:
    if params.output not in PROTOCOL.outputs:
        raise ParameterError("a shuffled exchange has an output for the receiver only")


def _points(items: Rows, params: Params) -> Rows:
    """Items hashed to the curve, in this run. ``(n, 32)``."""
    return curve25519.encode(hashing.derive_key(labels.CARDINALITY_POINT, params.context), items)


def _compared(outputs: Rows, params: Params) -> Rows:
    """Tags of items under the sender's key alone. ``(n, tag_bytes)``."""
    return tags(outputs, label=labels.CARDINALITY_TAG, context=params.context, width=params.tag_bytes)


def _check_points(points: Rows, whose: str) -> None:
    """Refuse what no honest peer sends: rows in another order, twice, or off the curve."""
    if not is_sorted(points):
        raise ProtocolError(f"{whose} rows are not sorted")
    if _repeats(points):
        raise ProtocolError(f"{whose} rows repeat a point")
    curve25519.validate(points)


def _repeats(table: Rows) -> bool:
    """Whether neighbours are equal, in a sorted table."""
    return bool(np.any(np.all(table[1:] == table[:-1], axis=1)))


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    return POINT_BYTES * params.n_r, POINT_BYTES * params.n_r + params.tag_bytes * params.n_s


PROTOCOL = Protocol(
    name="cardinality",
    receiver=receiver,
    sender=sender,
    messages=(Masked, Remasked, Tags),
    traffic=traffic,
    round_trips=1,
    sample=(1 << 10, 1 << 12),
    reveals=Reveals.CARDINALITY,
    outputs=frozenset({Output.RECEIVER}),
)
