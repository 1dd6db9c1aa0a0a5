"""``cardinality-noisy``: how many items are shared, give or take noise that the sender draws.

The exchange of ``cardinality`` with dummies: twice ``dp.bound`` rows that derive from the context. The
receiver puts in all of them, the sender as many as the bound and its noise make, and random rows for the
rest. Each dummy that both put in is counted; the receiver takes the bound off again.

Learns: the receiver, the number with noise; the sender, its noise and nothing but the declared sizes.

Adversary: semi-honest. Towards a receiver that runs this software the output is differentially private for
any one item of the sender, with the epsilon agreed on and a delta of 2^-40 (``crypto.dp``), and all else that
it sees can be made from the output. A receiver that departs leaves out the dummies, or masks them otherwise,
and has the exact number, and what ``cardinality`` gives to one that departs: there is no protection against
it (docs/protocols/cardinality-noisy.md). A sender can choose its noise, up to ``dp.bound`` either way.

Cost: as ``cardinality`` with ``2 * dp.bound`` more items a side: 56 for an epsilon of 1.

Sources: as ``cardinality``; ``crypto.dp``.
"""

from dataclasses import replace
from secrets import token_bytes

import numpy as np

from crypto import dp, hashing, labels, shuffled
from crypto.group import Rng
from crypto.psi import cardinality
from crypto.psi.base import Noisy, Params, pad
from crypto.rows import Rows
from crypto.session import Role
from crypto.shuffled import Exchange


def receiver(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Noisy]:
    """The party that learns the number with noise.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on, ``epsilon_milli`` among it.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, there is no epsilon, or the output is for both.
        DecodeError: the sender's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    exchange, dummies = _exchange(params), _dummies(params)
    own = pad(items, params.n_r, rng=rng)
    found = yield from shuffled.receiver(np.concatenate([own.rows, dummies]), exchange, rng=rng)
    return Noisy(found - dp.bound(params.epsilon_milli), params.epsilon_milli / dp.MILLI)


def sender(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[None]:
    """The party that holds the key, fresh for this run, and draws the noise.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on, ``epsilon_milli`` among it.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, there is no epsilon, or the output is for both.
        DecodeError: the receiver's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    exchange, dummies = _exchange(params), _dummies(params)
    own = pad(items, params.n_s, rng=rng)
    table = np.concatenate([own.rows, _some(dummies, params, rng)])
    yield from shuffled.sender(table, exchange, rng=rng)


def _some(dummies: Rows, params: Params, rng: Rng) -> Rows:
    """As many dummies as the noise says, and random rows. Which dummies is all the same after a shuffle."""
    chosen = dp.bound(params.epsilon_milli) + dp.noise(params.epsilon_milli, rng=rng)
    random = np.frombuffer(rng(dummies.size), np.uint8).reshape(dummies.shape)
    return np.concatenate([dummies[:chosen], random[chosen:]])


def _dummies(params: Params) -> Rows:
    """Rows that both know and that are nobody's items. ``(2 * bound, 32)``."""
    numbers = np.arange(2 * dp.bound(params.epsilon_milli), dtype="<u4")
    key = hashing.derive_key(labels.NOISY_DUMMY, params.context)
    return hashing.keyed_rows(key, numbers.view(np.uint8).reshape(len(numbers), numbers.itemsize))


def _exchange(params: Params) -> Exchange:
    return cardinality.shuffled_exchange(_with_dummies(params), labels.NOISY_POINT, labels.NOISY_TAG)


def _with_dummies(params: Params) -> Params:
    """The sizes of the tables that travel."""
    more = 2 * dp.bound(params.epsilon_milli)
    return replace(params, n_r=params.n_r + more, n_s=params.n_s + more)


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    return cardinality.traffic(_with_dummies(params))


PROTOCOL = replace(
    cardinality.PROTOCOL, name="cardinality-noisy", receiver=receiver, sender=sender, traffic=traffic
)
