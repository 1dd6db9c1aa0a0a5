"""The exchange that counts what is shared without showing which: masked, remasked, shuffled, on Curve25519.

::

    R                                                   S
    a <- scalar                                         b <- scalar
    Masked: sort { a*H(x) }            ----->           check, remask, no two equal
                                       <-----           Remasked: sort { b*a*H(x) }
                                       <-----           Tags: sort { T(b*H(y)) }
    check; tags are T((1/a)*row)

``receiver`` and ``sender`` are whole roles and give the number. The steps are there for a protocol that sends
something else beside, and for tests: ``masked``, ``remasked``, ``unmasked`` of the receiver's rows,
``evaluated`` of the sender's, in whose order its tags stay. What H and T are is bound to the labels and to
the context of an ``Exchange``: runs of two protocols, or of two agreements, have nothing in common.

The caller fills both tables up to the declared sizes, and drops what it holds twice: no row of a table may
repeat another. Adversary and proof: docs/protocols/cardinality.md.

Source: De Cristofaro, Gasti, Tsudik, "Fast and Private Computation of Cardinality of Set Intersection and
Union", CANS 2012, figure 1, on the exchange of Meadows, S&P 1986. Here the group is Curve25519 by first
coordinates, and sorting is the shuffle: the order of masked rows is the order of random numbers.
"""

from dataclasses import dataclass
from secrets import token_bytes

import numpy as np

from crypto import curve25519, hashing, rows
from crypto.curve25519 import POINT_BYTES, Scalar
from crypto.errors import ProtocolError
from crypto.group import Rng
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What one run is bound to, and the sizes of its tables.

    Attributes:
        n_r: rows of the receiver's table, what fills it up included.
        n_s: the same of the sender's.
        tag_bytes: bytes of a compared tag.
        context: 32 bytes that bind the run to its agreement.
        point_label: of the hash to the curve; from ``crypto.labels``.
        tag_label: of the hash of what is compared; from ``crypto.labels``.
    """

    n_r: int
    n_s: int
    tag_bytes: int
    context: bytes
    point_label: str
    tag_label: str


def receiver(own: Rows, exchange: Exchange, *, rng: Rng = token_bytes) -> Role[int]:
    """The party that learns how many rows are shared.

    Args:
        own: ``(n_r, 32)`` uint8, distinct.
        exchange: what both agreed on.
        rng: asked once, for the mask.

    Raises:
        DecodeError: the sender's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    mask = curve25519.generate_scalar(rng=rng)
    yield from send(Masked(masked(own, mask, exchange)))

    answer = (yield from receive(Remasked, remasked=(exchange.n_r, POINT_BYTES))).remasked
    theirs = (yield from receive(Tags, tags=(exchange.n_s, exchange.tag_bytes))).tags
    if not rows.is_sorted(theirs):
        raise ProtocolError("the sender's tags are not sorted")
    return len(rows.positions_in(unmasked(answer, mask, exchange), theirs))


def sender(own: Rows, exchange: Exchange, *, rng: Rng = token_bytes) -> Role[None]:
    """The party that holds the key, fresh for this run.

    Args:
        own: ``(n_s, 32)`` uint8, distinct.
        exchange: what both agreed on.
        rng: asked once, for the key.

    Raises:
        DecodeError: the receiver's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    key = curve25519.generate_scalar(rng=rng)
    compared = rows.sort(evaluated(own, key, exchange))  # before waiting: the receiver masks meanwhile

    request = (yield from receive(Masked, masked=(exchange.n_r, POINT_BYTES))).masked
    yield from send(Remasked(remasked(request, key)))
    yield from send(Tags(compared))


def masked(own: Rows, mask: Scalar, exchange: Exchange) -> Rows:
    """The receiver's rows, hashed to the curve, under its mask, sorted. ``(n_r, 32)``."""
    return rows.sort(curve25519.multiply(points(own, exchange), mask))


def remasked(request: Rows, key: Scalar) -> Rows:
    """What the receiver sent, under the sender's key too, sorted anew. ``(n_r, 32)``.

    Raises:
        DecodeError: a row is no point, or of small order.
        ProtocolError: the rows are not sorted, or repeat a point.
    """
    _check_points(request, "the receiver's")
    products = rows.sort(curve25519.multiply(request, key))
    if _repeats(products):  # as rows of points that differ by one of small order do, only now
        raise ProtocolError("the receiver's rows repeat a point")
    return products


def unmasked(answer: Rows, mask: Scalar, exchange: Exchange) -> Rows:
    """Tags of what the sender returned, the mask taken off, in its order. ``(n_r, tag_bytes)``.

    Raises:
        DecodeError: a row is no point, or of small order.
        ProtocolError: the rows are not sorted, or repeat a point.
    """
    _check_points(answer, "the sender's")
    return tags(curve25519.multiply(answer, curve25519.inverse(mask)), exchange)


def evaluated(own: Rows, key: Scalar, exchange: Exchange) -> Rows:
    """Tags of the sender's own rows under its key, in their order. ``(n_s, tag_bytes)``."""
    return tags(curve25519.multiply(points(own, exchange), key), exchange)


def points(own: Rows, exchange: Exchange) -> Rows:
    """Rows hashed to the curve, in this run. ``(n, 32)``."""
    return curve25519.encode(hashing.derive_key(exchange.point_label, exchange.context), own)


def tags(outputs: Rows, exchange: Exchange) -> Rows:
    """Tags of rows under the sender's key alone. ``(n, tag_bytes)``."""
    key = hashing.derive_key(exchange.tag_label, exchange.context)
    return np.ascontiguousarray(hashing.keyed_rows(key, outputs)[:, : exchange.tag_bytes])


def _check_points(table: Rows, whose: str) -> None:
    """Refuse what no honest peer sends: rows in another order, twice, or off the curve."""
    if not rows.is_sorted(table):
        raise ProtocolError(f"{whose} rows are not sorted")
    if _repeats(table):
        raise ProtocolError(f"{whose} rows repeat a point")
    curve25519.validate(table)


def _repeats(table: Rows) -> bool:
    """Whether neighbours are equal, in a sorted table."""
    return bool(np.any(np.all(table[1:] == table[:-1], axis=1)))
