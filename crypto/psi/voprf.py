"""``voprf``: private set intersection from a verifiable oblivious PRF on ristretto255.

Learns: the receiver, which of its items the sender holds; the sender, nothing but the declared sizes or,
where the output is for both, which of its items the receiver chose to give back (it can omit, never invent).

Adversary: malicious, in the random-oracle model under the one-more gap Diffie-Hellman assumption
(Jarecki-Kiayias-Krawczyk, ASIACRYPT 2014; the receiver's set is bounded by the rows it blinded). A party
still chooses what it puts in: that is the policy's business, not the protocol's.

Cost: one and a half rounds; per receiver item 64 bytes and three scalar multiplications, two of them with a
fixed base; per sender item ``tag_bytes`` bytes and one multiplication. The exact bytes are ``traffic``.

Source: the PRF of RFC 9497 (VOPRF, mode 1), with one proof for any number of rows (docs/adr/0004); the
intersection on top is that of Jarecki-Liu, SCN 2010, with truncated, sorted tags.
"""

from secrets import token_bytes

import numpy as np
from numpy.typing import NDArray

from crypto import labels, oprf, rows
from crypto.errors import ProtocolError, VerificationError
from crypto.group import ELEMENT_BYTES, Rng
from crypto.oprf import PROOF_BYTES, Mode, PrivateKey
from crypto.psi.base import (
    MATCH_PROOF_BYTES,
    Matches,
    Output,
    Padded,
    Params,
    Protocol,
    fill_proofs,
    match_proofs,
    pad,
    tags,
)
from crypto.rows import Rows
from crypto.session import Message, Role, message, receive, send

HALF = 32
"""The PRF output is 64 bytes: the first half is compared, the second is the private proof of match."""


@message
class Blinded(Message):
    """Receiver to sender: its items, each behind a fresh blind. ``(n_r, 32)``."""

    blinded: Rows


@message
class Evaluated(Message):
    """Sender to receiver: the blinded rows under the sender's key, in their order, with one proof for all."""

    public_key: bytes
    proof: bytes
    evaluated: Rows


@message
class Tags(Message):
    """Sender to receiver: the compared halves of its own items, sorted, so that their order says nothing."""

    tags: Rows


@message
class MatchProofs(Message):
    """Receiver to sender: tags of private halves of the matches, filled up to the smaller set and sorted."""

    proofs: Rows


def receiver(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Matches]:
    """The party that learns the intersection.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters.
        DecodeError: the sender's points or proof are no valid encodings.
        VerificationError: the sender did not use the one key that it announced.
        ProtocolError: a message is missing, misshapen or unsorted.
    """
    matches, private = yield from learn(items, params, rng=rng)
    if params.output is Output.BOTH:
        yield from prove(private, params, rng=rng)
    return matches


def learn(items: Rows, params: Params, *, rng: Rng) -> Role[tuple[Matches, Rows]]:
    """The receiver up to its matches, with the private halves of their outputs, in their order."""
    own = pad(items, params.n_r, rng=rng)
    outputs, _ = yield from ask(own.rows, rng=rng)
    theirs = (yield from receive(Tags, tags=(params.n_s, params.tag_bytes))).tags
    if not rows.is_sorted(theirs):
        raise ProtocolError("the sender's tags are not sorted")
    found = rows.positions_in(_compared(outputs, params), theirs)
    return own.matches(found), outputs[found[found < len(own.origin)], HALF:]


def ask(table: Rows, *, key: bytes | None = None, rng: Rng) -> Role[tuple[Rows, bytes]]:
    """The receiver's part of the OPRF: its rows' outputs, ``(n, 64)``, and the sender's public key.

    Raises:
        DecodeError: the sender's points or proof are no valid encodings.
        VerificationError: the sender did not use the one key that it announced, or this is not ``key``.
        ProtocolError: a message is missing or misshapen.
    """
    blinds, blinded = oprf.bulk_blind(table, rng=rng)
    yield from send(Blinded(blinded))
    reply = yield from receive(
        Evaluated, public_key=ELEMENT_BYTES, proof=PROOF_BYTES, evaluated=(len(table), ELEMENT_BYTES)
    )
    if key is not None and reply.public_key != key:
        raise VerificationError("the sender answers under another key than before")
    outputs = oprf.bulk_finalize(
        table, blinds, reply.evaluated, blinded=blinded, proof=reply.proof, public_key=reply.public_key
    )
    return outputs, reply.public_key


def evaluate(key: PrivateKey, count: int, *, rng: Rng) -> Role[None]:
    """The sender's part of the OPRF: so many rows of the receiver under its key."""
    blinded = (yield from receive(Blinded, blinded=(count, ELEMENT_BYTES))).blinded
    evaluated, proof = oprf.bulk_blind_evaluate(key, blinded, rng=rng)
    yield from send(Evaluated(key.public_key, proof, evaluated))


def prove(private: Rows, params: Params, *, rng: Rng) -> Role[None]:
    """Give matches back: the receiver shows their private halves."""
    proofs = match_proofs(private, params)
    yield from send(MatchProofs(fill_proofs(proofs, min(params.n_r, params.n_s), rng)))


def sender(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Matches | None]:
    """The party that holds the key, fresh for this run.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters.
        DecodeError: the receiver's points are no valid encodings, or the identity.
        ProtocolError: a message is missing or misshapen.
    """
    own, private = yield from answer(items, params, rng=rng)
    if params.output is Output.RECEIVER:
        return None
    return own.matches((yield from proven(private, params)))


def answer(items: Rows, params: Params, *, rng: Rng) -> Role[tuple[Padded, Rows]]:
    """The sender up to its tags: its rows, and the private halves of their outputs."""
    own = pad(items, params.n_s, rng=rng)
    key = oprf.generate_key(Mode.VOPRF, rng=rng)
    outputs = oprf.evaluate(key, own.rows)  # before waiting: the receiver blinds meanwhile

    yield from evaluate(key, params.n_r, rng=rng)
    yield from send(Tags(rows.sort(_compared(outputs, params))))
    return own, outputs[:, HALF:]


def proven(private: Rows, params: Params) -> Role[NDArray[np.int64]]:
    """Which of the sender's rows the receiver gives back, by the private halves of their outputs."""
    count = min(params.n_r, params.n_s)
    claims = (yield from receive(MatchProofs, proofs=(count, MATCH_PROOF_BYTES))).proofs
    return rows.positions_in(match_proofs(private, params), claims)


def _compared(outputs: Rows, params: Params) -> Rows:
    """Tags of the half that is compared. ``(n, tag_bytes)``."""
    return tags(outputs[:, :HALF], label=labels.TAG, context=params.context, width=params.tag_bytes)


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    both = params.output is Output.BOTH
    return (
        ELEMENT_BYTES * params.n_r + both * MATCH_PROOF_BYTES * min(params.n_r, params.n_s),
        ELEMENT_BYTES * (params.n_r + 1) + PROOF_BYTES + params.tag_bytes * params.n_s,
    )


PROTOCOL = Protocol(
    name="voprf",
    receiver=receiver,
    sender=sender,
    messages=(Blinded, Evaluated, Tags, MatchProofs),
    traffic=traffic,
    round_trips=1,
    sample=(1 << 8, 1 << 10),
)
