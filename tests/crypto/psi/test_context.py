"""What the protocols with contexts promise beyond the contract: those of what is shared, and no others."""

import contextlib
import dataclasses
from collections.abc import Callable
from itertools import product
from secrets import token_bytes
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import oprf, sealing, session
from crypto.errors import ParameterError, PeerFault, ProtocolError, VerificationError
from crypto.psi import DISCOVERED, Contexts, Output, Params, Protocol, voprf
from crypto.psi.base import pad
from crypto.psi.voprf import MatchProofs
from crypto.sealing import Sealed
from crypto.session import Message
from tests.crypto.psi.parties import (
    content,
    context_of,
    deterministic_rng,
    items,
    narrowest,
    params,
    receiver_of,
    sender_of,
)

VOPRF, VOLE, ASKED = (DISCOVERED[name] for name in ("voprf-context", "vole-context", "context-asked"))
protocols = pytest.mark.parametrize("protocol", [VOPRF, VOLE, ASKED], ids=lambda p: p.name)
sealing_all = pytest.mark.parametrize("protocol", [VOPRF, VOLE], ids=lambda p: p.name)
OURS, THEIRS, SHARED = range(12), range(8, 20), range(8, 12)


def run(
    protocol: Protocol,
    contexts: list[bytes],
    *,
    ours=OURS,
    theirs=THEIRS,
    agreed: Params | None = None,
    tamper: Callable[[Message], Any] = lambda message: message,
):
    agreed = agreed or params(16, 16, narrowest(protocol))
    receiver = protocol.receiver(items(*ours), agreed)
    sender = protocol.sender(items(*theirs), agreed, contexts=contexts)
    return session.run(receiver, sender, on_message=tamper)


def honest(protocol: Protocol, tamper: Callable[[Message], Any], seed: bytes | None = None):
    p = params(16, 16, narrowest(protocol))
    rngs = ({}, {}) if seed is None else ({"rng": deterministic_rng(seed)}, {"rng": deterministic_rng(seed)})
    receiver = receiver_of(protocol, list(OURS), p, **rngs[0])
    return session.run(receiver, sender_of(protocol, list(THEIRS), p, **rngs[1]), on_message=tamper)


def altering(kind: type[Message], change: Callable[[Any], Any]):
    """A tamperer of the one field of a message of rows."""

    def tamper(message: Message) -> Message:
        if type(message) is not kind:
            return message
        (field,) = message.sizes()
        return kind(**{field: change(getattr(message, field))})

    return tamper


# --- what is said


@protocols
def test_the_longest_context_the_class_has_and_none_at_all(protocol: Protocol) -> None:
    contexts = [b"x" * 64 if n % 2 else b"" for n in THEIRS]
    found, _ = run(protocol, contexts)
    assert found.contexts == tuple(b"x" * 64 if n % 2 else b"" for n in SHARED)


@protocols
@pytest.mark.parametrize("label", sealing.LABEL_CLASSES)
def test_every_class_of_sizes(protocol: Protocol, label: int) -> None:
    agreed = dataclasses.replace(params(16, 16, narrowest(protocol)), label_bytes=label)
    contexts = [bytes([n]) * (label - n) for n in THEIRS]
    found, _ = run(protocol, contexts, agreed=agreed)
    assert found.contexts == tuple(bytes([n]) * (label - n) for n in SHARED)


@protocols
@settings(max_examples=15, deadline=None)
@given(
    ours=st.lists(st.integers(0, 30), max_size=24),
    theirs=st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=64)), max_size=24),
    rows=st.integers(1, 5),
)
def test_of_equal_items_the_first_one_speaks_over_any_blocks(protocol: Protocol, ours, theirs, rows) -> None:
    said: dict[int, bytes] = {}
    for number, context in theirs:
        said.setdefault(number, context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "BLOCK_BYTES", rows * sealing.row_bytes(64))
        found, _ = run(
            protocol, [c for _, c in theirs], ours=ours, theirs=[n for n, _ in theirs],
            agreed=params(24, 24, narrowest(protocol)),
        )  # fmt: skip
    matched = [ours[i] for i in found.indices]
    assert sorted(matched) == sorted(set(ours) & set(said))
    assert found.contexts == tuple(said[n] for n in matched)


@protocols
def test_a_run_in_many_blocks_is_the_formula(protocol: Protocol, monkeypatch) -> None:
    monkeypatch.setattr(sealing, "BLOCK_BYTES", 3 * sealing.row_bytes(64))
    seen: list[Message] = []
    found, _ = honest(protocol, lambda m: (seen.append(m), m)[1])
    assert found.contexts == tuple(map(context_of, SHARED))
    assert [m.sizes()["rows"][0] for m in seen if isinstance(m, Sealed)] == [3] * 5 + [1]
    total = sum(n if isinstance(n, int) else n[0] * n[1] for m in seen for n in m.sizes().values())
    assert total == sum(protocol.traffic(params(16, 16, narrowest(protocol))))


@protocols
def test_printing_contexts_shows_none(protocol: Protocol) -> None:
    found, _ = run(protocol, [b"a secret"] * 12)
    assert isinstance(found, Contexts)
    assert "secret" not in repr(found)


# --- what is our mistake


@protocols
def test_a_context_that_does_not_fit_is_refused_before_anything_is_sent(protocol: Protocol) -> None:
    contexts = [b""] * 11 + [b"198.51.100.9 " * 6]
    sender = protocol.sender(items(*THEIRS), params(16, 16, narrowest(protocol)), contexts=contexts)
    with pytest.raises(ParameterError, match="78 bytes does not fit into 64") as caught:
        next(sender)
    assert "198" not in str(caught.value)


@protocols
@pytest.mark.parametrize("count", [0, 11, 13])
def test_there_is_a_context_for_each_item(protocol: Protocol, count: int) -> None:
    sender = protocol.sender(items(*THEIRS), params(16, 16, narrowest(protocol)), contexts=[b""] * count)
    with pytest.raises(ParameterError, match="for each item"):
        next(sender)


@protocols
@pytest.mark.parametrize("label", [0, 65, 100])
def test_both_refuse_a_size_that_is_no_class(protocol: Protocol, label: int) -> None:
    agreed = dataclasses.replace(params(16, 16, narrowest(protocol)), label_bytes=label)
    for role in (receiver_of, sender_of):
        with pytest.raises(ParameterError, match="power of two"):
            next(role(protocol, [1], agreed))


def test_who_is_asked_learns_of_what() -> None:
    """So no agreement can call it an output for the receiver alone."""
    assert ASKED.outputs == {Output.BOTH}
    for role in (receiver_of, sender_of):
        with pytest.raises(ParameterError, match="learns of which"):
            next(role(ASKED, [1], params(4, 4)))


# --- what a lying sender gets


@protocols
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[::-1].copy(),
        lambda rows: np.roll(rows, 1, axis=0),
        lambda rows: np.concatenate([rows[:1], rows[:-1]]),
        lambda rows: np.concatenate([rows[1:], rows[-1:]]),
    ],
    ids=["reversed", "rotated", "first twice", "last twice"],
)
def test_locators_that_do_not_ascend_are_the_peers_fault(protocol: Protocol, change) -> None:
    with pytest.raises(ProtocolError, match="do not ascend"):
        honest(protocol, altering(Sealed, change))


@protocols
def test_ciphertexts_that_are_swapped_are_the_peers_fault(protocol: Protocol) -> None:
    def swap(rows):
        changed = rows.copy()
        changed[:, 32:] = rows[::-1, 32:]
        return changed

    with pytest.raises(VerificationError, match="does not open"):
        honest(protocol, altering(Sealed, swap))


@protocols
def test_a_ciphertext_that_is_truncated_is_the_peers_fault(protocol: Protocol) -> None:
    with pytest.raises(ProtocolError, match="must have sizes"):
        honest(protocol, altering(Sealed, lambda rows: np.ascontiguousarray(rows[:, :-1])))


@protocols
def test_rows_of_another_run_are_the_peers_fault(protocol: Protocol) -> None:
    kept: list[Sealed] = []
    honest(protocol, lambda m: (kept.extend([m] if isinstance(m, Sealed) else []), m)[1])
    with pytest.raises(PeerFault, match="sealed no context"):
        honest(protocol, altering(Sealed, lambda _: kept[0].rows))


@sealing_all
def test_a_spoilt_row_ends_the_run_where_its_item_is_shared_and_nowhere_else(protocol: Protocol) -> None:
    outcomes = []
    for at in range(16):

        def spoil(rows, at=at):
            changed = rows.copy()
            changed[at, -1] ^= 1
            return changed

        try:
            found, _ = honest(protocol, altering(Sealed, spoil), b"the same rows in every run")
        except VerificationError:
            outcomes.append("ended")
        else:
            assert found.contexts == tuple(map(context_of, SHARED))
            outcomes.append("went on")
    assert outcomes.count("ended") == len(SHARED), "said on the page: one answer of yes or no in a run"


# --- what a lying receiver gets


def test_with_all_that_it_has_a_receiver_opens_the_rows_of_its_matches_alone() -> None:
    """Every row that came, tried with every output that a receiver of ``voprf-context`` has."""
    p = params(16, 16)
    opens: list[bytes] = []

    def curious():
        own = pad(items(*OURS), p.n_r, rng=token_bytes)
        blinds, blinded = oprf.bulk_blind(own.rows)
        yield from session.send(voprf.Blinded(blinded))
        sizes = {"public_key": 32, "proof": 64, "evaluated": (p.n_r, 32)}
        reply = yield from session.receive(voprf.Evaluated, **sizes)
        outputs = oprf.bulk_finalize(
            own.rows, blinds, reply.evaluated,
            blinded=blinded, proof=reply.proof, public_key=reply.public_key,
        )  # fmt: skip
        yield from session.receive(voprf.Tags, tags=(p.n_s, p.tag_bytes))
        shape = (p.n_s, sealing.row_bytes(p.label_bytes))
        rows = (yield from session.receive(Sealed, rows=shape)).rows
        _, keys = sealing._derived(outputs[:, voprf.HALF :], p.context)
        for row, key in product(rows, keys):
            with contextlib.suppress(VerificationError):
                opens.append(sealing._open(key.data, row[sealing.LOCATOR_BYTES :].data))

    session.run(curious(), sender_of(VOPRF, list(THEIRS), p))
    assert sorted(opens) == sorted(map(context_of, SHARED))


@pytest.fixture
def given_to_seal(monkeypatch) -> list[bytes]:
    """The contexts that a sender hands on to be sealed."""
    given: list[bytes] = []
    real = sealing.sender

    def watched(private, contexts, where, **more):
        given.extend(b"" if at < 0 else contexts[at] for at in where)
        return real(private, contexts, where, **more)

    monkeypatch.setattr(sealing, "sender", watched)
    return given


def test_what_nobody_asked_about_is_not_even_sealed(given_to_seal) -> None:
    contexts = [b"said of %d" % n for n in THEIRS]
    found, asked = run(ASKED, contexts)
    shared = [b"said of %d" % n for n in SHARED]
    assert sorted(given_to_seal) == sorted(shared + [b""] * 12)
    assert found.contexts == tuple(shared)
    assert asked.indices.tolist() == [0, 1, 2, 3], "the sender learns of which it was asked"


@pytest.mark.parametrize("claims", ["zeros", "tags", "another run"])
def test_who_has_not_evaluated_an_item_gets_no_context_of_it(claims: str, given_to_seal) -> None:
    p = params(16, 16, Output.BOTH)
    older: list[MatchProofs] = []
    honest(ASKED, lambda m: (older.extend([m] if isinstance(m, MatchProofs) else []), m)[1])
    tags: list[Any] = []

    def forge(message: Message) -> Message:
        if isinstance(message, voprf.Tags):
            tags.append(np.pad(message.tags, ((0, 0), (0, 16 - p.tag_bytes))))
        if isinstance(message, MatchProofs):
            forged = {"zeros": np.zeros_like(message.proofs), "tags": tags[-1] if tags else None}
            return MatchProofs(forged.get(claims, older[0].proofs))
        return message

    given_to_seal.clear()
    with pytest.raises(ProtocolError, match="sealed no context"):
        honest(ASKED, forge)
    assert given_to_seal == [b""] * 16


def test_a_receiver_may_ask_about_less() -> None:
    """With altered software: what it did not ask about, the sender does not learn of, and says nothing of."""
    p = params(16, 16, Output.BOTH)

    def modest():
        matches, private = yield from voprf.learn(items(*OURS), p, rng=token_bytes)
        yield from voprf.prove(private[:1], p, rng=token_bytes)
        contexts = yield from sealing.receiver(private[:1], 16, context=p.context, label_bytes=p.label_bytes)
        return matches.indices[:1].tolist(), contexts

    (which, contexts), asked = session.run(modest(), sender_of(ASKED, list(THEIRS), p))
    assert which == [8]
    assert contexts == (context_of(8),)
    assert asked.indices.tolist() == [0]


# --- what is made ahead, and what stays as it was


def test_a_correlation_made_ahead_serves_either() -> None:
    p = params(16, 16)
    ahead = VOLE.ahead
    assert ahead is not None
    received, sent = session.run(ahead.receiver(p), ahead.sender(p))
    seen: list[type[Message]] = []
    found, _ = session.run(
        receiver_of(VOLE, list(OURS), p, correlation=received),
        sender_of(VOLE, list(THEIRS), p, correlation=sent),
        on_message=lambda m: (seen.append(type(m)), m)[1],
    )
    assert found.contexts == tuple(map(context_of, SHARED))
    assert [kind.__name__ for kind in seen] == ["Commitments", "Salt", "Opening", "Store", "Tags", "Sealed"]


@pytest.mark.parametrize(("name", "engine"), [("voprf-context", "voprf"), ("vole-context", "vole")])
def test_what_is_said_is_no_part_of_what_is_compared(name: str, engine: str) -> None:
    """The same randomness gives the same messages with contexts and without, but for the rows themselves."""
    transcripts = []
    for protocol in (DISCOVERED[name], DISCOVERED[engine]):
        p, seen = params(16, 16), []
        session.run(
            receiver_of(protocol, list(OURS), p, rng=deterministic_rng(b"receiver")),
            sender_of(protocol, list(THEIRS), p, rng=deterministic_rng(b"sender")),
            on_message=lambda m, seen=seen: (seen.append(m), m)[1],
        )
        transcripts.append([content(m) for m in seen if not isinstance(m, Sealed)])
    assert transcripts[0] == transcripts[1]
