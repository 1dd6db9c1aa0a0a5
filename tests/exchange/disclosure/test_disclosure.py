"""Policy before intent before anything leaves, and every intent closed by what became of it."""

import asyncio
import threading
from dataclasses import replace

import pytest

from crypto.errors import EncodingFailed, ProtocolError
from crypto.psi import PROTOCOLS, Output
from exchange.agreement import Rung, sign, verify
from exchange.disclosure import Answer, Outcome, Proposal, match
from exchange.errors import (
    CosightError,
    LedgerError,
    PeerExceededLimit,
    PeerMisbehaved,
    PeerUnavailable,
    PolicyRefusal,
    SessionRefused,
)
from exchange.indicators import PROFILE, IndicatorType
from tests.exchange.disclosure.desks import KEYS, MEMBERS, WISH, Side, Wire, pair, refusal


def proposal(number: int = 0, **changes) -> Proposal:
    honest = Proposal(
        session=number.to_bytes(32, "big"), roster_epoch=1, roster_hash=bytes(32), rung=Rung.OVERLAP,
        output=Output.RECEIVER, protocol="voprf", profile=PROFILE, types=(IndicatorType.DOMAIN,), padded=32,
        stat_sec=40, purpose="", policy_hash=bytes(32), software="test", deadline_s=60,
    )  # fmt: skip
    return replace(honest, **changes)


async def ask(wire: Wire, peer: str, asked: Proposal) -> Answer:
    """A proposal of a member that is not there."""
    return await wire.responder.propose(peer, asked, wire.theirs.shown_by(peer))


def words(side: Side, outcome: Outcome) -> list[str]:
    """What matched; looking it up is left to whoever closed the link."""
    assert outcome.matches is None
    return sorted(m.value for m in side.items.values(outcome.ids))


async def test_each_step_comes_before_the_next():
    alice, bob, wire = pair()
    outcome = await match(alice.desk, "bob", WISH, wire)
    assert words(alice, outcome) == ["b", "c"]
    told = alice.events
    assert told.index("policy") < told.index("intent") < told.index("propose") < told.index("Blinded")
    assert told[-1] == "disclosed"
    assert bob.events.index("policy") < bob.events.index("intent")
    assert alice.books.story() == bob.books.story() == [("intent", ""), ("disclosed", "")]


@pytest.mark.parametrize("output", list(Output))
async def test_what_each_side_learned_is_written_by_both(output):
    alice, bob, wire = pair()
    await match(alice.desk, "bob", replace(WISH, output=output), wire)
    ours, theirs = (side.books.told[-1][1]["what"] for side in (alice, bob))
    both = output is Output.BOTH
    assert (ours["learned_by_us"], ours["learned_by_peer"]) == ("overlap", "overlap" if both else "size")
    assert (theirs["learned_by_peer"], theirs["learned_by_us"]) == ("overlap", "overlap" if both else "size")
    assert ours["matched"] == 2
    assert theirs.get("matched") == (2 if both else None)


async def test_the_lowest_rung_runs_nothing():
    alice, bob, wire = pair()
    outcome = await match(alice.desk, "bob", replace(WISH, rung=Rung.SIZE), wire)
    assert (outcome.ids, outcome.protocol, outcome.peer_padded) == (None, None, 32)
    assert alice.books.story() == bob.books.story() == [("intent", ""), ("disclosed", "")]


async def test_our_policy_says_no_before_anything_leaves():
    alice, _, wire = pair()
    alice.policy_text = alice.policy_text.replace('"initiator", ', "")
    with pytest.raises(PolicyRefusal):
        await match(alice.desk, "bob", WISH, wire)
    assert alice.books.story() == [("refused", "policy-refused")]
    assert "propose" not in alice.events


async def test_our_policy_says_no_once_it_knows_the_peers_size():
    alice, _, wire = pair()
    alice.policy_text = alice.policy_text.replace("peer_size = { min = 0", "peer_size = { min = 33")
    with pytest.raises(PolicyRefusal):
        await match(alice.desk, "bob", WISH, wire)
    assert alice.books.story() == [("intent", ""), ("aborted", "policy-refused")]
    assert "Blinded" not in alice.events


async def test_without_a_ledger_nothing_leaves():
    alice, bob, wire = pair()
    alice.books.failing = True
    with pytest.raises(LedgerError):
        await match(alice.desk, "bob", WISH, wire)
    assert "propose" not in alice.events
    alice.books.failing, bob.books.failing = False, True
    with pytest.raises(LedgerError):
        await ask(wire, "alice", proposal())
    bob.books.failing = False
    with pytest.raises(SessionRefused) as error:
        await wire.responder.run("alice", proposal().session, b"", pytest.fail)
    assert error.value.code == "session-unknown"


FAULTS = [
    (refusal(), "policy-refused"),
    (PeerUnavailable("gone", code="peer-closed"), "peer-closed"),
    (CosightError("odd", code="encoding-failed"), "encoding-failed"),
    (ProtocolError("raw"), "failed"),
    (OSError("disk"), "failed"),
    (MemoryError(), "failed"),
    (ValueError("a fault of ours"), "failed"),
    (TimeoutError(), "deadline"),
    (asyncio.CancelledError(), "cancelled"),
]


@pytest.mark.parametrize("where", ["propose", "run"])
@pytest.mark.parametrize(
    ("fault", "reason"), FAULTS, ids=lambda x: type(x).__name__ if isinstance(x, BaseException) else x
)
async def test_every_intent_is_closed(fault, reason, where):
    alice, _, wire = pair()
    wire.fault, wire.where = fault, where
    with pytest.raises(PeerExceededLimit if isinstance(fault, TimeoutError) else type(fault)):
        await match(alice.desk, "bob", WISH, wire)
    assert alice.books.story() == [("intent", ""), ("aborted", reason)]
    assert alice.books.told[-1][1]["what"]["by"] == ("peer" if reason == "policy-refused" else "us")


@pytest.mark.parametrize(
    "lies", [{"nonce": bytes(31)}, {"signature": bytes(64)}, {"padded": 64}, {"padded": 0}]
)
async def test_an_answer_that_was_not_signed_for(lies):
    alice, _, wire = pair()
    wire.answers = lies
    with pytest.raises((PeerMisbehaved, PeerExceededLimit)):
        await match(alice.desk, "bob", WISH, wire)
    assert [kind for kind, _ in alice.books.story()] == ["intent", "aborted"]
    assert "Blinded" not in alice.events


async def test_what_is_being_written_is_written_though_we_are_cancelled():
    alice, _, wire = pair()
    wire.fault = refusal()
    running = asyncio.create_task(match(alice.desk, "bob", WISH, wire))
    while "propose" not in alice.events:
        await asyncio.sleep(0)
        if "intent" in alice.events and alice.books.gate is None:
            alice.books.gate = threading.Event()
    assert await asyncio.to_thread(alice.books.waiting.wait, 60)
    running.cancel()
    await asyncio.sleep(0.05)
    assert alice.books.gate is not None
    alice.books.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [kind for kind, _ in alice.books.story()] == ["intent", "aborted"]


@pytest.mark.parametrize("which", ["ours", "theirs"])
async def test_a_set_that_outgrows_what_was_proposed(which):
    alice, bob, wire = pair()
    grown: Side = alice if which == "ours" else bob
    propose = wire.propose

    async def meanwhile(*asked):
        answer = await propose(*asked)
        grown.items.words = [str(i) for i in range(33)]
        return answer

    wire.propose = meanwhile  # type: ignore[method-assign]
    with pytest.raises(CosightError):
        await match(alice.desk, "bob", WISH, wire)
    assert grown.books.story() == [("intent", ""), ("aborted", "set-changed")]


async def test_duplicates_count_once():
    alice, _, wire = pair()
    alice.items.words = ["b", "b", "c", "c", "b"]
    outcome = await match(alice.desk, "bob", WISH, wire)
    assert words(alice, outcome) == ["b", "c"]


async def test_an_offer_that_nobody_takes_up_expires():
    _, bob, wire = pair()
    await ask(wire, "alice", proposal())
    bob.later(seconds=59)
    await wire.responder.expire()
    assert bob.books.story() == [("intent", "")]
    bob.later(seconds=1)
    with pytest.raises(SessionRefused) as error:
        await wire.responder.run("alice", proposal().session, b"", pytest.fail)
    assert error.value.code == "session-replayed"
    assert bob.books.story() == [("intent", ""), ("aborted", "expired")]


async def test_a_node_that_stops_closes_its_offers():
    _, bob, wire = pair()
    await ask(wire, "alice", proposal())
    await wire.responder.close()
    assert bob.books.story() == [("intent", ""), ("aborted", "stopped")]


async def test_places_are_bounded_by_peer_and_in_all():
    _, bob, wire = pair(max_sessions=3, max_sessions_per_peer=2)
    for number, (peer, welcome) in enumerate(
        [("alice", True), ("alice", True), ("alice", False), ("carol", True), ("dave", False)]
    ):
        if welcome:
            await ask(wire, peer, proposal(number))
            continue
        with pytest.raises(SessionRefused) as error:
            await ask(wire, peer, proposal(number))
        assert error.value.code == "busy"
    bob.later(seconds=60)
    await ask(wire, "dave", proposal(9))


async def test_a_flood_of_refusals_does_not_fill_the_ledger():
    _, bob, wire = pair()
    for hour in range(1, 3):
        for number in range(130):
            with pytest.raises(SessionRefused):
                await ask(wire, "alice", proposal(1000 * hour + number, profile="other/1"))
        assert len(bob.books.told) == 100 * hour
        bob.later(hours=1)
    with pytest.raises(SessionRefused):
        await ask(wire, "carol", proposal(profile="other/1"))
    assert len(bob.books.told) == 201  # one peer's flood does not hide another's refusal


async def test_a_session_ends_at_its_deadline():
    class Silent:
        sent = received = 0

        def digests(self):
            return bytes(32), bytes(32)

        async def receive(self, _want):
            await asyncio.sleep(60)

    _, bob, wire = pair()
    asked = proposal(deadline_s=1)
    answer = await ask(wire, "alice", asked)
    agreed = wire.responder._offers[asked.session].agreement
    assert verify(agreed, answer.signature, MEMBERS["bob"].identity_key)
    with pytest.raises(PeerExceededLimit) as error:
        await wire.responder.run(
            "alice", asked.session, sign(agreed, KEYS["alice"].identity), lambda _: Silent()
        )  # type: ignore[arg-type, return-value]
    assert error.value.code == "deadline"
    assert bob.books.story() == [("intent", ""), ("aborted", "deadline")]
    await ask(wire, "alice", proposal(2))  # its place is free again


async def test_a_proposal_that_is_given_up_leaves_an_offer_that_expires():
    _, bob, wire = pair()
    bob.books.gate = threading.Event()
    asking = asyncio.create_task(ask(wire, "alice", proposal()))
    assert await asyncio.to_thread(bob.books.waiting.wait, 60)
    asking.cancel()
    bob.books.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    bob.later(minutes=2)
    await wire.responder.expire()
    assert bob.books.story() == [("intent", ""), ("aborted", "expired")]


async def test_nobody_is_blamed_for_bad_luck(monkeypatch):
    alice, _, wire = pair()

    def unlucky(*_arguments, **_options):
        raise EncodingFailed("no encoding was found")
        yield

    unlucky_voprf = replace(PROTOCOLS["voprf"], receiver=unlucky)
    monkeypatch.setattr("exchange.disclosure.initiator.DISCOVERED", {"voprf": unlucky_voprf})
    with pytest.raises(CosightError) as error:
        await match(alice.desk, "bob", WISH, wire)
    assert error.value.code == "encoding-failed"
    assert alice.books.story()[-1] == ("aborted", "encoding-failed")


async def test_a_refusal_by_policy_does_not_look_at_our_set():
    """So it takes no time that depends on it."""
    _, bob, wire = pair()
    bob.policy_text = "version = 1"

    def looked(_types, **_how):
        raise AssertionError("our set was looked at")

    bob.items.size = looked
    with pytest.raises(SessionRefused, match="p1-peer"):
        await ask(wire, "alice", proposal())


@pytest.mark.parametrize("narrowed", ["alice", "bob"])
async def test_a_policy_that_changed_since_the_agreement_stops_the_run(narrowed):
    alice, bob, wire = pair()
    side = {"alice": alice, "bob": bob}[narrowed]
    propose = wire.propose

    async def meanwhile(*asked):
        answer = await propose(*asked)
        side.policy_text += "\n# a comment changes nothing"
        side.policy_text = side.policy_text.replace("sessions_per_day = 1000", "sessions_per_day = 1")
        return answer

    wire.propose = meanwhile  # type: ignore[method-assign]
    with pytest.raises(CosightError):
        await match(alice.desk, "bob", WISH, wire)
    assert side.books.story() == [("intent", ""), ("aborted", "policy-changed")]


async def test_both_ledgers_keep_the_signature_of_the_other():
    alice, bob, wire = pair()
    await match(alice.desk, "bob", WISH, wire)
    for side in (alice, bob):
        kept = side.books.told[-1][1]
        assert len(kept["what"]["peer_signature"]) == 128


async def test_the_policy_is_read_once_for_a_decision_and_what_is_pinned():
    """An edit in between must not pin a policy that did not decide."""
    _, bob, wire = pair()
    await ask(wire, "alice", proposal())
    assert bob.events.count("policy") == 1
