"""``cardinality-banded``: between which agreed bounds the number of shared items lies.

The exchange of ``cardinality`` under labels of its own; the receiver's role returns the band and drops the
number.

Learns: the receiver, the band; the sender, nothing but the declared sizes.

Adversary: semi-honest, and no more than that: the number is in the receiver's memory. What keeps it from the
receiver is that its software is this. A receiver that departs learns the number, and what ``cardinality``
gives to one that departs (docs/protocols/cardinality-banded.md).

Cost: as ``cardinality``.

Source: as ``cardinality``.
"""

from bisect import bisect_right
from dataclasses import replace
from secrets import token_bytes

from crypto import labels, shuffled
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.psi import cardinality
from crypto.psi.base import Band, Params, pad
from crypto.rows import Rows
from crypto.session import Role
from crypto.shuffled import Exchange


def receiver(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Band]:
    """The party that learns the band.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on, ``bands`` among it.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, there are no bands, or the output is for both.
        DecodeError: the sender's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    exchange = _exchange(params)
    own = pad(items, params.n_r, rng=rng)
    return band_of((yield from shuffled.receiver(own.rows, exchange, rng=rng)), params.bands)


def sender(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[None]:
    """The party that holds the key, fresh for this run.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on, ``bands`` among it.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, there are no bands, or the output is for both.
        DecodeError: the receiver's rows are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    exchange = _exchange(params)
    own = pad(items, params.n_s, rng=rng)
    yield from shuffled.sender(own.rows, exchange, rng=rng)


def band_of(count: int, bands: tuple[int, ...]) -> Band:
    """The band that a number lies in.

    Args:
        count: the number.
        bands: the least number of every band, ascending, from 0.
    """
    at = bisect_right(bands, count)
    return Band(bands[at - 1], bands[at] - 1 if at < len(bands) else None)


def _exchange(params: Params) -> Exchange:
    if not params.bands:
        raise ParameterError("no bands were agreed on")
    return cardinality.shuffled_exchange(params, labels.BANDED_POINT, labels.BANDED_TAG)


PROTOCOL = replace(cardinality.PROTOCOL, name="cardinality-banded", receiver=receiver, sender=sender)
