"""``vole``: private set intersection in bulk, from silent vector OLE and an oblivious key-value store.

Learns: the receiver, which of its items the sender holds; the sender, nothing but the declared sizes or,
where the output is for both, which of its items the receiver chose to give back (it can omit, never invent).

Adversary: malicious, with limits that docs/protocols/vole.md states: a cheating receiver can put more than
``n_r`` items into its store (known attacks stay below its slots, about ``1.2 n_r``; no theorem says so). In
the random-oracle and ideal-cipher model, under the hardness of dual LPN for the code of ``crypto/vole.py``
and of either discrete logarithms in ristretto255 or ML-KEM-768: a recorded run stays private from quantum
computers.

Cost: two and a half rounds that depend on no item, two that do; per receiver item about 19 bytes, per sender
item 14. No public-key operation but 128 transfers. The exact bytes are ``traffic``.

Source: Rindal, Schoppmann, "VOLE-PSI: Fast OPRF and Circuit-PSI from Vector-OLE", EUROCRYPT 2021; Raghuraman,
Rindal, "Blazing Fast PSI from Improved OKVS and Subfield VOLE", CCS 2022; the joint salt, tossed after all
else is fixed, against the attack of HKLS24. The correlation is ``c = delta * a + b`` (``crypto/vole.py``),
the store that of ``crypto/okvs.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from secrets import token_bytes
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from crypto import _native, hashing, labels, okvs, ot, tagset, vole
from crypto.errors import VerificationError
from crypto.group import ELEMENT_BYTES, Rng
from crypto.okvs import SALT_BYTES, VALUE_BYTES
from crypto.psi.base import (
    MATCH_PROOF_BYTES,
    Ahead,
    Matches,
    Output,
    Padded,
    Params,
    Protocol,
    check_fits,
    pad,
    pad_distinct,
)
from crypto.psi.voprf import MatchProofs, prove, proven
from crypto.rows import Rows
from crypto.session import Message, Role, Send, message, receive, receive_within, send
from crypto.vole import Answer, Challenge, Chosen, Offered, SubRole, Trees

T = TypeVar("T")
Private: TypeAlias = Callable[[], Rows]
"""The private halves of outputs, computed when they are asked for."""
SHARE_BYTES = 32
"""Of a coin toss: long enough to hide itself in its commitment."""
HASH_BYTES = hashing.HASH_BYTES
STORE_S, STORE_ITEM_S = 5.0, 2e-5
"""By when a store has to begin to arrive after the salt is known: some hundred times what an honest one takes
to make. Who looks for a store that holds more than it should has that long."""


@message
class Functions(Message):
    """Sender to receiver: a public key for each bit of its delta, hidden in functions. ``(128, 1264)``."""

    functions: Rows


@message
class Transfers(Message):
    """Receiver to sender: its part of the base transfers, and their extension to all that the VOLE takes."""

    element: bytes
    ciphertexts: Rows
    columns: Rows
    proof: bytes


@message
class Commitments(Message):
    """Sender to receiver: what it will say of the salt and of the coin, hidden. The correlation is fixed."""

    salt: bytes
    coin: bytes


@message
class Salt(Message):
    """Receiver to sender: its share of the salt."""

    salt: bytes


@message
class Opening(Message):
    """Sender to receiver: its share of the salt. From here on, time counts."""

    salt: bytes


@message
class Store(Message):
    """Receiver to sender: its store, behind ``a``, and its share of the coin. ``(slots, 16)``."""

    coin: bytes
    store: Rows


@message
class Tags(Message):
    """Sender to receiver: its share of the coin, a hash of all messages so far, and its outputs, packed."""

    coin: bytes
    transcript: bytes
    tags: Rows


@dataclass(slots=True)
class _Transcript:
    """A hash of the agreement and of every message up to the store, which both parties have alike."""

    digest: bytes

    def record(self, role: Role[T]) -> Role[T]:
        """Run a role, and take in what it sends and gets."""
        arrived: Message | None = None
        try:
            while True:
                step = role.send(arrived)
                if isinstance(step, Send):
                    self._take(step.message)
                arrived = yield step
                if arrived is not None:
                    self._take(arrived)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            role.close()

    def _take(self, sent: Message) -> None:
        if isinstance(sent, Tags):
            return  # nothing is derived from what ends a run
        content = (getattr(sent, name) for name in sent.sizes())
        self.digest = hashing.derive_key(
            labels.VOLE_TRANSCRIPT, self.digest, type(sent).__name__.encode(), *content
        )


def ahead_receiver(params: Params, *, rng: Rng = token_bytes) -> Role[vole.Received]:
    """The receiver's part of what can be done ahead. Raises what ``receiver`` raises."""
    return vole.receiver(okvs.slots(params.n_r), _chooser(params, rng), context=params.context, rng=rng)


def ahead_sender(params: Params, *, rng: Rng = token_bytes) -> Role[vole.Sent]:
    """The sender's part of what can be done ahead. Raises what ``sender`` raises."""
    return vole.sender(okvs.slots(params.n_r), _offerer(params, rng), context=params.context, rng=rng)


def receiver(
    items: Rows, params: Params, *, rng: Rng = token_bytes, correlation: vole.Received | None = None
) -> Role[Matches]:
    """The party that learns the intersection.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on.
        rng: randomness.
        correlation: made ahead, by ``ahead_receiver`` with the same sender, and used for nothing else.

    Raises:
        ParameterError: our items, or the correlation, do not fit the parameters.
        DecodeError: a message is no valid encoding.
        VerificationError: the sender's correlation is none, a share is not the one it committed to, or it has
            seen other messages than we sent.
        EncodingFailed: our items have no store under this salt: chance 2^-40; another run has another salt.
        ProtocolError: a message is missing or misshapen.
    """
    matches, private = yield from learn(items, params, rng, correlation)
    if params.output is Output.BOTH:
        yield from prove(private(), params, rng=rng)
    return matches


def learn(
    items: Rows, params: Params, rng: Rng, correlation: vole.Received | None
) -> Role[tuple[Matches, Private]]:
    """The receiver up to its matches, and what gives the private halves of their outputs, in their order."""
    transcript = _Transcript(params.context)
    return transcript.record(_learn(items, params, transcript, rng, correlation))


def _learn(
    items: Rows, params: Params, transcript: _Transcript, rng: Rng, correlation: vole.Received | None
) -> Role[tuple[Matches, Private]]:
    check_fits(items, params.n_r)
    if correlation is None:
        correlation = yield from ahead_receiver(params, rng=rng)

    committed = yield from receive(Commitments, salt=HASH_BYTES, coin=HASH_BYTES)
    yield from send(Salt(rng(SHARE_BYTES)))
    opened = yield from receive(Opening, salt=SHARE_BYTES)
    _check_opening(committed.salt, params, "salt", opened.salt)
    own, keys = _hashed(items, params.n_r, params.n_r, _salt(transcript), rng)
    share, store = rng(SHARE_BYTES), _native.psi_store(keys, correlation, rng(VALUE_BYTES))
    yield from send(Store(share, store))
    del store
    decoded = _native.psi_decode_receiver(correlation, keys)
    del correlation

    seen = transcript.digest
    reply = yield from receive(
        Tags, coin=SHARE_BYTES, transcript=HASH_BYTES, tags=(1, tagset.packed_bytes(params.n_s))
    )
    _check_opening(committed.coin, params, "coin", reply.coin)
    if not compare_digest(seen, reply.transcript):
        raise VerificationError("the sender has seen other messages than we sent")
    coin = _coin(seen, reply.coin)
    found = _native.psi_matches(decoded, keys, coin, params.n_s, reply.tags)
    mine = keys.order[found].astype(np.int64)

    def private() -> Rows:
        at = np.full(params.n_r, -1)
        at[mine] = found
        at = at[: len(own.origin)]
        return np.ascontiguousarray(_native.psi_private(decoded, keys, coin)[at[at >= 0]])

    return own.matches(mine), private


def sender(
    items: Rows, params: Params, *, rng: Rng = token_bytes, correlation: vole.Sent | None = None
) -> Role[Matches | None]:
    """The party that holds delta, fresh for this run.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on.
        rng: randomness.
        correlation: made ahead, by ``ahead_sender`` with the same receiver, and used for nothing else.

    Raises:
        ParameterError: our items, or the correlation, do not fit the parameters.
        DecodeError: a message is no valid encoding.
        VerificationError: the receiver's transfers do not all hold the same bits.
        ProtocolError: a message is missing or misshapen.
    """
    own, order, private = yield from answer(items, params, rng, correlation)
    if params.output is Output.RECEIVER:
        return None
    found = yield from proven(private(), params)
    return own.matches(order[found].astype(np.int64))


def answer(
    items: Rows, params: Params, rng: Rng, correlation: vole.Sent | None
) -> Role[tuple[Padded, NDArray[np.uint32], Private]]:
    """The sender up to its tags: its rows, which of them each output is of, and what gives private halves."""
    transcript = _Transcript(params.context)
    return transcript.record(_answer(items, params, transcript, rng, correlation))


def _answer(
    items: Rows, params: Params, transcript: _Transcript, rng: Rng, correlation: vole.Sent | None
) -> Role[tuple[Padded, NDArray[np.uint32], Private]]:
    check_fits(items, params.n_s)
    if correlation is None:
        correlation = yield from ahead_sender(params, rng=rng)

    salt, coin = rng(SHARE_BYTES), rng(SHARE_BYTES)
    yield from send(Commitments(_commitment(params, "salt", salt), _commitment(params, "coin", coin)))
    yield from receive(Salt, salt=SHARE_BYTES)
    yield from send(Opening(salt))
    # Before waiting: the receiver encodes meanwhile.
    own, keys = _hashed(items, params.n_s, params.n_r, _salt(transcript), rng)

    due_s = STORE_S + STORE_ITEM_S * params.n_r
    size = okvs.slots(params.n_r), VALUE_BYTES
    store = (yield from receive_within(due_s, Store, coin=SHARE_BYTES, store=size)).store
    decoded = _native.psi_decode_sender(correlation, store, keys)
    del store, correlation
    seen = transcript.digest
    opened = _coin(seen, coin)
    yield from send(Tags(coin, seen, _native.psi_tags(decoded, keys, opened).reshape(1, -1)))
    return own, keys.order, lambda: _native.psi_private(decoded, keys, opened)


def _hashed(items: Rows, size: int, capacity: int, salt: bytes, rng: Rng) -> tuple[Padded, okvs.Keys]:
    """Pad, and hash to keys of the store.

    Rows that repeat have neighbouring keys: only where some do, they are looked for among the items.
    """
    if len(items) <= size:
        own = pad_distinct(items, size, rng=rng)
        keys = okvs.hash_items(own.rows, capacity=capacity, salt=salt)
        if not keys.repeated:
            return own, keys
    own = pad(items, size, rng=rng)
    return own, okvs.hash_items(own.rows, capacity=capacity, salt=salt)


def _chooser(params: Params, rng: Rng) -> vole.Choose:
    """The receiver's side of the transfers and products."""

    def choose(choices: bytes, factors: Rows) -> SubRole[Chosen]:
        functions = (yield from receive(Functions, functions=(ot.COUNT, ot.FUNCTION_BYTES))).functions
        pairs, element, ciphertexts = ot.base_send(params.context, functions, rng=rng)
        bits = np.frombuffer(choices, np.uint8)
        received, columns, proof = ot.extend_receive(pairs, params.context, bits, factors, rng=rng)
        yield from send(Transfers(element, ciphertexts, columns, proof))
        return Chosen(received.strings(), received.shares())

    return choose


def _offerer(params: Params, rng: Rng) -> vole.Offer:
    """The sender's side of the transfers and products."""

    def offer(transfers: int, products: int) -> SubRole[Offered]:
        state, functions = ot.base_receive(params.context, rng=rng)
        yield from send(Functions(functions))
        reply = yield from receive(
            Transfers,
            element=ELEMENT_BYTES,
            ciphertexts=(ot.COUNT, ot.CIPHERTEXTS_BYTES),
            columns=(ot.COUNT, ot.column_bytes(transfers, products)),
            proof=ot.CHECK_BYTES,
        )
        chosen = ot.base_finish(state, reply.element, reply.ciphertexts)
        sent = ot.extend_send(chosen, params.context, transfers, products, reply.columns, reply.proof)
        zeros, ones = sent.strings()
        return Offered(chosen.delta(), zeros, ones, sent.shares())

    return offer


def _commitment(params: Params, what: str, share: bytes) -> bytes:
    return hashing.derive_key(labels.VOLE_COMMITMENT, params.context, what.encode(), share)


def _check_opening(committed: bytes, params: Params, what: str, share: bytes) -> None:
    if not compare_digest(committed, _commitment(params, what, share)):
        raise VerificationError(f"the sender's share of the {what} is not the one it committed to")


def _salt(transcript: _Transcript) -> bytes:
    """The salt of the store: of all messages so far, both shares among them."""
    return hashing.derive_key(labels.VOLE_SALT, transcript.digest)[:SALT_BYTES]


def _coin(seen: bytes, share: bytes) -> bytes:
    """The coin of the outputs: of all messages up to the store, and of the share that was committed to."""
    return hashing.derive_key(labels.VOLE_COIN, seen, share)[:VALUE_BYTES]


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    slots = okvs.slots(params.n_r)
    size, of_vole = vole.sizes(slots), vole.traffic(slots)
    columns = ot.COUNT * ot.column_bytes(size.transfers, size.products)
    transfers = ELEMENT_BYTES + ot.COUNT * ot.CIPHERTEXTS_BYTES + columns + ot.CHECK_BYTES
    proofs = (params.output is Output.BOTH) * MATCH_PROOF_BYTES * min(params.n_r, params.n_s)
    return (
        transfers + of_vole[0] + 2 * SHARE_BYTES + VALUE_BYTES * slots + proofs,
        ot.COUNT * ot.FUNCTION_BYTES
        + of_vole[1]
        + 3 * HASH_BYTES
        + 2 * SHARE_BYTES
        + tagset.packed_bytes(params.n_s),
    )


PROTOCOL = Protocol(
    name="vole",
    receiver=receiver,
    sender=sender,
    messages=(
        Functions, Transfers, Trees, Challenge, Answer, Commitments, Salt, Opening, Store, Tags, MatchProofs,
    ),
    traffic=traffic,
    round_trips=4.5,
    sample=(1 << 10, 1 << 16),
    offline=frozenset({Functions, Transfers, Trees, Challenge, Answer, Commitments}),
    ahead=Ahead(
        receiver=ahead_receiver,
        sender=ahead_sender,
        elements=lambda params: okvs.slots(params.n_r),
        dump=vole.dump,
        load_receiver=vole.load_received,
        load_sender=vole.load_sent,
    ),
)  # fmt: skip
