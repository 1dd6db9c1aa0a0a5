"""``sum``: how many items are shared, and the sum of the sender's numbers on them; nothing on a single one.

Learns: the receiver, the number of shared items and one total; the sender, nothing but the declared sizes.

Adversary: semi-honest. A receiver that departs from the protocol can learn which of its at most ``n_r`` items
are shared and, in place of the total, one linear combination of the sender's numbers: in practice the numbers
on a few items of its choice, shared or not. A sender that departs can make both results what it likes, and by
a number that is out of range learn whether one item of its choice is shared, or whether count or total lie
above a threshold of its choice, if it sees whether the run failed.
In the random-oracle model, under one-more gap Diffie-Hellman on Curve25519 and decisional Diffie-Hellman on
ristretto255 (docs/protocols/sum.md).

Cost: two and a half rounds. To ``cardinality`` it adds, for each of the sender's items, 64 bytes, two
multiples of a fixed point and the decoding of two; and a search of ``2 * sqrt(65535 * min(n_r, n_s))`` steps.
The exact bytes are ``traffic``.

Source: Ion, Kreuter, Nergiz, Patel, Saxena, Seth, Raykova, Shanahan, Yung, "On Deploying Secure Computing:
Private Intersection-Sum-with-Cardinality", EuroS&P 2020, their protocol from Diffie-Hellman. There the party
without numbers finds the matches and adds up, and the other one decrypts the total and keeps it. Here the one
that adds up keeps it: it hides the sum before it lets the other one decrypt. The exchange is
``crypto.shuffled``, the encryption ``crypto.elgamal``.
"""

from secrets import token_bytes

import numpy as np
from numpy.typing import NDArray

from crypto import curve25519, elgamal, labels, rows, shuffled
from crypto.curve25519 import POINT_BYTES
from crypto.elgamal import CIPHERTEXT_BYTES
from crypto.errors import ParameterError, ProtocolError
from crypto.group import ELEMENT_BYTES, Rng
from crypto.psi import cardinality
from crypto.psi.base import Brings, Output, Padded, Params, Protocol, Reveals, Total, pad
from crypto.rows import Rows
from crypto.session import Message, Role, message, receive, send
from crypto.shuffled import Exchange, Masked, Remasked, Tags

MAX_VALUE = (1 << 16) - 1
"""No number is larger; who has larger ones cuts them off, and says so."""
MAX_N_S = 1 << 24
"""The sender declares no more items, so that every total lies below 2^40, where it is found."""
_PLACE_BYTES = 4
_PREFIX_BYTES = 8


@message
class Numbers(Message):
    """Sender to receiver: its numbers, encrypted, in the order of its tags; 0 for rows that fill up."""

    public_key: bytes
    numbers: Rows


@message
class Hidden(Message):
    """Receiver to sender: the sum of the matches' ciphertexts and of a fresh one of a random number."""

    total: bytes


@message
class Opened(Message):
    """Sender to receiver: what was in it."""

    element: bytes


def receiver(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Total]:
    """The party that learns the number and the total.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, or no sum has these.
        DecodeError: rows of the sender, its key or its answer are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point; or the total is larger
            than so many numbers give.
    """
    exchange = _exchange(params)
    own = pad(items, params.n_r, rng=rng)
    mask = curve25519.generate_scalar(rng=rng)
    yield from send(Masked(shuffled.masked(own.rows, mask, exchange)))

    answer = (yield from receive(Remasked, remasked=(params.n_r, POINT_BYTES))).remasked
    theirs = (yield from receive(Tags, tags=(params.n_s, params.tag_bytes))).tags
    their = yield from receive(Numbers, public_key=ELEMENT_BYTES, numbers=(params.n_s, CIPHERTEXT_BYTES))
    if not rows.is_sorted(theirs):
        raise ProtocolError("the sender's tags are not sorted")
    chosen = _among(theirs, shuffled.unmasked(answer, mask, exchange))
    blind, total = elgamal.blinded_sum(their.public_key, their.numbers, chosen, rng=rng)
    yield from send(Hidden(total))

    opened = yield from receive(Opened, element=ELEMENT_BYTES)
    # Searched up to what these sizes allow: how long that takes says nothing of the number of matches.
    result = Total(int(chosen.sum()), elgamal.unblind(blind, opened.element, _most(params)))
    if result.total > MAX_VALUE * result.count:
        raise ProtocolError("the total is larger than so many numbers give")
    return result


def sender(items: Rows, params: Params, *, values: NDArray[np.uint64], rng: Rng = token_bytes) -> Role[None]:
    """The party that holds the numbers, and both keys, fresh for this run.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on.
        values: ``(n,)`` uint64, of each item a number of at most 65,535; of equal items the first one counts.
        rng: randomness.

    Raises:
        ParameterError: our items or numbers do not fit the parameters, or no sum has these.
        DecodeError: rows of the receiver are no points.
        ProtocolError: a message is missing, misshapen, unsorted, or repeats a point.
    """
    exchange = _exchange(params)
    own = pad(items, params.n_s, rng=rng)
    numbers = _numbers(own, values, len(items))
    key, secret = curve25519.generate_scalar(rng=rng), elgamal.generate_key(rng=rng)
    # Before waiting: the receiver masks meanwhile.
    tags, order = _sorted(shuffled.evaluated(own.rows, key, exchange))
    encrypted = elgamal.encrypt(secret, numbers[order], rng=rng)

    request = (yield from receive(Masked, masked=(params.n_r, POINT_BYTES))).masked
    yield from send(Remasked(shuffled.remasked(request, key)))
    yield from send(Tags(tags))
    yield from send(Numbers(secret.public_key, encrypted))

    hidden = yield from receive(Hidden, total=CIPHERTEXT_BYTES)
    yield from send(Opened(elgamal.decrypt(secret, hidden.total)))


def _exchange(params: Params) -> Exchange:
    """The exchange that these parameters mean.

    Raises:
        ParameterError: the output is to be for both, or the sender's set is too large.
    """
    if params.n_s > MAX_N_S:
        raise ParameterError("the sender of a sum declares at most 2^24 items")
    return cardinality.shuffled_exchange(params, labels.SUM_POINT, labels.SUM_TAG)


def _most(params: Params) -> int:
    """The largest total that these sizes allow."""
    return MAX_VALUE * min(params.n_r, params.n_s)


def _numbers(own: Padded, values: NDArray[np.uint64], count: int) -> NDArray[np.uint64]:
    """A number for each row of the table: its item's, or 0 where it fills up."""
    if not isinstance(values, np.ndarray) or values.dtype != np.uint64 or values.shape != (count,):
        raise ParameterError("each item has a number: a one-dimensional uint64 array")
    if count and values.max() > MAX_VALUE:
        raise ParameterError(f"a number is at most {MAX_VALUE}")
    numbers = np.zeros(len(own.rows), np.uint64)
    numbers[: len(own.origin)] = values[own.origin]
    return numbers


def _sorted(tags: Rows) -> tuple[Rows, NDArray[np.intp]]:
    """The rows in lexicographic order, and where each of them stood."""
    places = np.arange(len(tags), dtype=">u4").view(np.uint8).reshape(len(tags), _PLACE_BYTES)
    both = rows.sort(np.concatenate([tags, places], axis=1))
    order = np.ascontiguousarray(both[:, -_PLACE_BYTES:]).view(">u4").ravel().astype(np.intp)
    return np.ascontiguousarray(both[:, :-_PLACE_BYTES]), order


def _among(theirs: Rows, outputs: Rows) -> NDArray[np.bool_]:
    """Which of the sorted rows of one table are among those of another; of equal ones the first.

    The sender can time the message that follows. So nothing here takes longer for more matches: every row is
    looked for by its first eight bytes, and compared with whatever is found there.
    """
    table = rows.sort(outputs)
    keys = _prefixes(table)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
    at = np.searchsorted(keys, _prefixes(theirs))
    found = np.zeros(len(theirs), np.bool_)
    for step in range(int(np.diff(starts).max())):  # once, but where prefixes of our own outputs collide
        found |= np.all(table[np.minimum(at + step, len(table) - 1)] == theirs, axis=1)
    found[1:] &= np.any(theirs[1:] != theirs[:-1], axis=1)
    return found


def _prefixes(table: Rows) -> NDArray[np.uint64]:
    """The first eight bytes of each row, or all of it and zeros, as numbers in the order of the rows."""
    wide = np.zeros((len(table), _PREFIX_BYTES), np.uint8)
    kept = min(_PREFIX_BYTES, table.shape[1])
    wide[:, :kept] = table[:, :kept]
    return wide.view(">u8").ravel().astype(np.uint64)


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    received, sent = cardinality.traffic(params)
    return received + CIPHERTEXT_BYTES, sent + CIPHERTEXT_BYTES * params.n_s + 2 * ELEMENT_BYTES


PROTOCOL = Protocol(
    name="sum",
    receiver=receiver,
    sender=sender,
    messages=(Masked, Remasked, Tags, Numbers, Hidden, Opened),
    traffic=traffic,
    round_trips=2,
    sample=(1 << 9, 1 << 11),
    reveals=Reveals.SUM,
    outputs=frozenset({Output.RECEIVER}),
    brings=Brings.VALUES,
)
