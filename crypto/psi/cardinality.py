"""``cardinality``: how many items are shared, not which, from a shuffled Diffie-Hellman exchange.

Learns: the receiver, the number of shared items; the sender, nothing but the declared sizes.

Adversary: semi-honest. A receiver that departs from the protocol can learn which of its at most ``n_r``
items are shared, as much as from ``voprf`` and no more; a sender that does can make the number smaller, and
larger only with items of the receiver that it can name. In the random-oracle model, under one-more gap
Diffie-Hellman on Curve25519 (docs/protocols/cardinality.md).

Cost: one and a half rounds; per receiver item 64 bytes and three multiplications, two of them the receiver's;
per sender item ``tag_bytes`` bytes and one. The exact bytes are ``traffic``.

Source: De Cristofaro, Gasti, Tsudik, "Fast and Private Computation of Cardinality of Set Intersection and
Union", CANS 2012, figure 1; the exchange is ``crypto.shuffled``.
"""

from secrets import token_bytes

from crypto import labels, shuffled
from crypto.curve25519 import POINT_BYTES
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.psi.base import Count, Output, Params, Protocol, Reveals, pad
from crypto.rows import Rows
from crypto.session import Role
from crypto.shuffled import Exchange, Masked, Remasked, Tags


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
    exchange = _exchange(params)
    own = pad(items, params.n_r, rng=rng)
    return Count((yield from shuffled.receiver(own.rows, exchange, rng=rng)))


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
    exchange = _exchange(params)
    own = pad(items, params.n_s, rng=rng)
    yield from shuffled.sender(own.rows, exchange, rng=rng)


def _exchange(params: Params) -> Exchange:
    return shuffled_exchange(params, labels.CARDINALITY_POINT, labels.CARDINALITY_TAG)


def shuffled_exchange(params: Params, point_label: str, tag_label: str) -> Exchange:
    """The exchange that these parameters mean, of this protocol or of another one that goes on from it.

    Raises:
        ParameterError: the output is to be for both.
    """
    if params.output not in PROTOCOL.outputs:
        raise ParameterError("a shuffled exchange has an output for the receiver only")
    return Exchange(
        n_r=params.n_r,
        n_s=params.n_s,
        tag_bytes=params.tag_bytes,
        context=params.context,
        point_label=point_label,
        tag_label=tag_label,
    )


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
