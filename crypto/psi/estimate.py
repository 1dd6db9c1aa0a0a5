"""``estimate``: about how similar two sets are, from the exchange of ``cardinality`` over their sketches.

Learns: the receiver, how many of ``SLOTS`` slots of two sketches are equal, from which the similarity of the
sets and the number of shared items follow with an error (``Estimate.interval``, ``Estimate.shared``); the
sender, nothing. The cost does not grow with the sets, and the messages do not depend on their sizes.

Adversary: semi-honest. A receiver that departs from the protocol can learn which of its slots are equal, and
so that up to ``SLOTS`` of its items are shared; it can choose its ``SLOTS`` rows, and learn of items that it
guesses whether they win slots that it guesses. A sender that departs can make the number smaller, and larger
with items that it can name. Whoever knows the salt and can put items into a set can make it anything. Under
one salt a second run tells nothing but what has changed; each further salt tells more, in the end the exact
number (docs/protocols/estimate.md).

Cost: one and a half rounds; ``4 * SLOTS`` multiplications and some 300 kB, whatever the sets; before, a hash
or little more an item for a sketch (``crypto.sketch``).

Sources: as ``cardinality``; ``crypto.sketch``.
"""

from dataclasses import replace
from secrets import token_bytes

from crypto import hashing, labels, rows, shuffled
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.psi import cardinality
from crypto.psi.base import ITEM_BYTES, Brings, Estimate, Params, Reveals, check_fits
from crypto.rows import Rows
from crypto.session import Role
from crypto.shuffled import Exchange
from crypto.sketch import SLOTS
from crypto.sketch import sketch as made_of


def receiver(
    items: Rows, params: Params, *, sketch: Rows | None = None, rng: Rng = token_bytes
) -> Role[Estimate]:
    """The party that learns how many slots are equal.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows; with a sketch they are not read.
        params: what both agreed on.
        sketch: ``(SLOTS, 32)`` uint8, made before by ``crypto.sketch``. The caller answers for it that the
            other party's is under the same salt. None: one is made, under a salt of this run.
        rng: randomness.

    Raises:
        ParameterError: our items or our sketch do not fit, or the output is to be for both.
        DecodeError: the sender's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    exchange = _exchange(params)
    check_fits(items, params.n_r)
    own = _sketch(items, params, sketch, rng)
    return Estimate((yield from shuffled.receiver(own, exchange, rng=rng)), SLOTS)


def sender(items: Rows, params: Params, *, sketch: Rows | None = None, rng: Rng = token_bytes) -> Role[None]:
    """The party that holds the key, fresh for this run.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows; with a sketch they are not read.
        params: what both agreed on.
        sketch: as the receiver's.
        rng: randomness.

    Raises:
        ParameterError: our items or our sketch do not fit, or the output is to be for both.
        DecodeError: the receiver's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    exchange = _exchange(params)
    check_fits(items, params.n_s)
    own = _sketch(items, params, sketch, rng)
    yield from shuffled.sender(own, exchange, rng=rng)


def _sketch(items: Rows, params: Params, brought: Rows | None, rng: Rng) -> Rows:
    if brought is None:
        return made_of(items, hashing.derive_key(labels.SKETCH_SALT, params.context), rng=rng)
    rows.check(brought, width=ITEM_BYTES)
    if len(brought) != SLOTS or len(rows.unique(brought)) != SLOTS:
        raise ParameterError(f"a sketch has {SLOTS} distinct rows")
    return brought


def _exchange(params: Params) -> Exchange:
    return cardinality.shuffled_exchange(_of_sketches(params), labels.ESTIMATE_POINT, labels.ESTIMATE_TAG)


def _of_sketches(params: Params) -> Params:
    """The sizes of the tables that travel."""
    return replace(params, n_r=SLOTS, n_s=SLOTS, new_r=0, new_s=0)


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    return cardinality.traffic(_of_sketches(params))


PROTOCOL = replace(
    cardinality.PROTOCOL,
    name="estimate",
    receiver=receiver,
    sender=sender,
    traffic=traffic,
    reveals=Reveals.ESTIMATE,
    brings=Brings.SKETCH,
)
