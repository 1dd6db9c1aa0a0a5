"""Every session leaves one receipt, the same bytes in both ledgers; and a ledger that forks is found."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto.psi import Output
from exchange.agreement import Agreement, Rung
from exchange.disclosure import Responder, Wish, match, standing, warm
from exchange.disclosure.settling import MAX_DUE, due, settlement
from exchange.disclosure.standing import Stale, check
from exchange.errors import (
    LedgerError,
    PeerMisbehaved,
    PeerRefused,
    PeerUnavailable,
    PolicyRefusal,
    SessionRefused,
)
from exchange.ledger import Kind, origin, receipt
from exchange.ledger.receipt import Receipt
from exchange.local.alliance import ALLOW_ALL
from tests.exchange.disclosure.desks import ALLIANCE, KEYS, MEMBERS, WISH, Books, Side, Wire, pair
from tests.exchange.disclosure.test_disclosure import ask, proposal


def receipts(side: Side) -> list[bytes]:
    return [leaf.fields["receipt"] for leaf in side.books.entries() if leaf.kind is Kind.RECEIPT]  # type: ignore[misc]


def guards(side: Side) -> list[str]:
    return [str(leaf.what["guard"]) for leaf in side.books.entries() if leaf.kind is Kind.ALARM]


async def settled(wish: Wish = WISH) -> tuple[Side, Side, Wire, Receipt]:
    alice, bob, wire = pair()
    outcome = await match(alice.desk, "bob", wish, wire)
    assert outcome.settled
    (ours,), (theirs,) = receipts(alice), receipts(bob)
    assert ours == theirs
    return alice, bob, wire, Receipt.decode(ours)


@pytest.mark.parametrize("wish", [WISH, replace(WISH, output=Output.BOTH), replace(WISH, rung=Rung.SIZE)])
async def test_one_receipt_in_both_ledgers(wish):
    alice, bob, _, signed = await settled(wish)
    assert signed.check(MEMBERS["alice"].identity_key, MEMBERS["bob"].identity_key)
    assert not signed.check(MEMBERS["bob"].identity_key, MEMBERS["alice"].identity_key)
    assert (signed.initiator.outcome, signed.responder.outcome) == ("disclosed", "disclosed")
    agreed = Agreement.from_bytes(signed.initiator.agreement)
    assert (agreed.initiator, agreed.responder, agreed.rung) == ("alice", "bob", wish.rung)
    for side, part in ((alice, signed.initiator), (bob, signed.responder)):
        assert side.books.root_at(part.size) == part.root
        assert side.books.verify().ok
        result = side.books.session(agreed.session).result
        assert result.seq == part.size - 1
        assert (result.what.get("transcript") is None) == (wish.rung is Rung.SIZE)


async def test_the_count_stays_here_unless_our_policy_tells_it():
    _, _, _, hidden = await settled()
    assert hidden.initiator.told is None
    alice, bob, wire = pair()
    stated = 'reveal = "context"\ntell_count = '
    for number, (mode, told, charge) in enumerate([("hidden", None, 4), ("band", 9, 4), ("exact", 2, 2)]):
        alice.policy_text = ALLOW_ALL.replace('reveal = "context"', f'{stated}"{mode}"')
        await match(alice.desk, "bob", WISH, wire)
        assert Receipt.decode(receipts(bob)[number]).initiator.told == told
        charges = [past.charge for past in bob.books.history("alice", bob.now).past]
        assert charges[number] == charge, "the worst case, unless the peer has signed for less"


async def test_what_was_cut_off_is_settled_at_the_next_contact():
    alice, bob, wire = pair()
    wire.fault, wire.where = PeerUnavailable("gone"), "settle"
    first = await match(alice.desk, "bob", WISH, wire)
    assert (first.settled, receipts(alice), receipts(bob)) == (False, [], [])
    wire.fault = None
    second = await match(alice.desk, "bob", WISH, wire)
    assert second.settled
    assert receipts(alice) == receipts(bob)
    sessions = [Agreement.from_bytes(Receipt.decode(r).initiator.agreement).session for r in receipts(alice)]
    assert sessions == [first.session, second.session]


async def test_a_reply_that_was_lost_is_given_again_with_the_same_bytes():
    alice, bob, wire = pair()
    answer = wire.settle

    async def lost(asked):
        await answer(asked)
        raise PeerUnavailable("gone")

    wire.settle = lost  # type: ignore[method-assign]
    await match(alice.desk, "bob", WISH, wire)
    assert (len(receipts(alice)), len(receipts(bob))) == (0, 1)
    wire.settle = answer  # type: ignore[method-assign]
    await match(alice.desk, "bob", WISH, wire)
    assert receipts(alice) == receipts(bob)
    assert len(receipts(alice)) == 2


async def test_a_disk_that_fills_up_before_the_receipt_costs_no_result():
    alice, bob, wire = pair()
    answer = wire.settle

    async def full(asked):
        alice.books.failing = True
        return await answer(asked)

    wire.settle = full  # type: ignore[method-assign]
    outcome = await match(alice.desk, "bob", WISH, wire)
    assert (outcome.count, outcome.settled, receipts(alice)) == (2, False, [])
    wire.settle, alice.books.failing = answer, False  # type: ignore[method-assign]
    await match(alice.desk, "bob", WISH, wire)
    assert receipts(alice) == receipts(bob)
    assert len(receipts(alice)) == 2


async def test_an_aborted_session_has_a_receipt_too():
    alice, bob, wire = pair()
    propose = wire.propose

    async def meanwhile(*asked):
        answer = await propose(*asked)
        alice.items.words = [str(i) for i in range(33)]
        return answer

    wire.propose = meanwhile  # type: ignore[method-assign]
    with pytest.raises(Exception, match="outgrew"):
        await match(alice.desk, "bob", WISH, wire)
    wire.propose = propose  # type: ignore[method-assign]
    await match(alice.desk, "bob", WISH, wire)
    first = Receipt.decode(receipts(alice)[0])
    assert first.initiator.outcome == first.responder.outcome == "aborted"
    assert first.initiator.transcript == receipt.NOTHING
    assert receipts(alice) == receipts(bob)


async def test_a_node_that_was_killed_settles_what_it_left_open():
    alice, bob, wire = pair()
    wire.fault, wire.where = None, "settle"
    asked = proposal(7)
    await ask(wire, "carol", asked)
    bob.later(hours=1)
    restarted = Responder(bob.desk)
    (open_,) = due(bob.desk, "carol", "responder", bob.now)
    assert open_.result is None
    assert not due(bob.desk, "carol", "responder", bob.now - timedelta(minutes=55))
    assert restarted is not wire.responder
    assert alice.books.verify().ok


async def test_who_owes_receipts_gets_no_more_sessions():
    alice, bob, wire = pair()
    wire.fault, wire.where = PeerRefused("no", code="aborted"), "settle"
    for _ in range(MAX_DUE + 1):
        await match(alice.desk, "bob", replace(WISH, rung=Rung.SIZE), wire)
        bob.later(minutes=2)
    with pytest.raises(PeerRefused) as error:
        await match(alice.desk, "bob", WISH, wire)
    assert error.value.code == "receipt-due"
    wire.fault = None
    outcome = await match(alice.desk, "bob", WISH, wire)
    assert outcome.settled
    assert receipts(alice) == receipts(bob)
    assert len(receipts(alice)) == MAX_DUE + 2


LIES: dict[str, dict[str, Any]] = {
    "another transcript": {"transcript": b"t" * 32},
    "another agreement": {"agreement": b""},
    "another root": {"root": b"r" * 32},
    "a longer log": {"size": 99},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lying_initiator_gets_no_signature(lie):
    alice, bob, wire = pair()
    wire.fault, wire.where = PeerUnavailable("gone"), "settle"
    outcome = await match(alice.desk, "bob", WISH, wire)
    honest = settlement(alice.desk, alice.books.session(outcome.session), bob.books.seen("alice").size)
    part = receipt.initiator_part(honest.part)
    change = dict(LIES[lie])
    if "agreement" in change:
        other = replace(Agreement.from_bytes(part.agreement), purpose="another one")
        change["agreement"] = other.encoded
    altered = replace(part, **change)
    signature = receipt.sign_initiator(altered, KEYS["alice"].identity)
    with pytest.raises(SessionRefused) as error:
        await wire.responder.settle("alice", replace(honest, part=altered.encode(), signature=signature))
    assert error.value.code == "receipt-refused"
    assert receipts(bob) == []
    assert guards(bob) in (["bad-receipt"], ["log-forked"])
    with pytest.raises(SessionRefused):
        await wire.responder.settle("alice", replace(honest, signature=bytes(64)))
    with pytest.raises(SessionRefused) as error:
        await wire.responder.settle("carol", honest)
    assert error.value.code == "session-unknown"
    await wire.responder.settle("alice", honest)
    with pytest.raises(SessionRefused):  # signed once, for one statement
        await wire.responder.settle("alice", replace(honest, part=altered.encode(), signature=signature))


@pytest.mark.parametrize("how", ["foreign", "altered", "forged"])
async def test_a_lying_responder_is_written_down(how):
    alice, _, wire = pair()
    honest = wire.settle

    async def lying(asked):
        answer = await honest(asked)
        signed = Receipt.decode(answer.receipt)
        other = {
            "foreign": replace(signed, initiator_signature=bytes(64)),
            "altered": replace(signed, responder=replace(signed.responder, outcome="aborted")),
            "forged": receipt.countersign(
                signed.initiator, signed.initiator_signature,
                replace(signed.responder, root=b"x" * 32), KEYS["bob"].identity,
            ),
        }[how]  # fmt: skip
        return replace(answer, receipt=other.encode())

    wire.settle = lying  # type: ignore[method-assign]
    outcome = await match(alice.desk, "bob", WISH, wire)
    assert (outcome.settled, receipts(alice)) == (False, [])
    assert guards(alice) == ["log-forked" if how == "forged" else "bad-receipt"]
    with pytest.raises(PolicyRefusal, match="p22-quarantine"):
        await match(alice.desk, "bob", WISH, wire)


def copied(side: Side, target: str) -> Books:
    """A second history: the ledger as it is now, to go on from apart."""
    folder = side.books._head.path.parent
    shutil.copytree(folder, target)
    fork = Books.open(
        Path(target) / "ledger.db", signer=KEYS[side.member].log, origin=origin(side.member, ALLIANCE)
    )
    assert isinstance(fork, Books)
    fork.events, fork.told, fork.failing, fork.gate = side.events, [], False, None
    return fork


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("longer", [False, True], ids=["rewound", "forked"])
async def test_a_second_history_is_found_by_the_peer_at_the_next_session(tmp_path, who, longer):
    alice, bob, wire = pair()
    liar, witness = (alice, bob) if who == "alice" else (bob, alice)
    await match(alice.desk, "bob", WISH, wire)
    old = copied(liar, str(tmp_path / "old"))
    await match(alice.desk, "bob", WISH, wire)
    if longer:
        for _ in range(20):
            old.append("lift", now=liar.now, peer="carol", what={"reason": "another-history"})
    forked = replace(liar.desk, ledger=old)
    wire.responder = Responder(forked) if who == "bob" else wire.responder
    with pytest.raises((PeerMisbehaved, PeerRefused, LedgerError)) as error:
        await match(forked if who == "alice" else alice.desk, "bob", WISH, wire)
    if who == "alice" and not longer:
        assert error.value.code == "ledger-cut"  # our own node does not even try
        return
    assert error.value.code == ("log-forked" if who == "bob" else "log-refused")
    assert guards(witness) == ["log-forked"]
    evidence = [d for d in witness.books.documents() if d.kind == "note"]
    assert len(evidence) == 1


@pytest.mark.parametrize("where", ["greet", "propose", "settle"])
async def test_two_sessions_at_once_are_no_second_history(where):
    """What one session showed comes after what another one of the same two has shown meanwhile."""
    alice, bob, wire = pair()
    await match(alice.desk, "bob", WISH, wire)
    between = Wire(alice, bob, wire.responder)
    real, waiting = getattr(wire, where), [1]

    async def late(*asked):
        answer = None if where != "greet" else await real(*asked)
        if waiting:
            waiting.pop()
            assert (await match(alice.desk, "bob", WISH, between)).settled
        return await real(*asked) if answer is None else answer

    setattr(wire, where, late)
    assert (await match(alice.desk, "bob", WISH, wire)).settled
    assert guards(alice) == guards(bob) == []
    assert len(receipts(alice)) == len(receipts(bob)) == 3


async def test_an_older_log_is_one_again_a_minute_later():
    alice, bob, wire = pair()
    await match(alice.desk, "bob", WISH, wire)
    old = standing(alice.desk, 1)
    await match(alice.desk, "bob", WISH, wire)
    with pytest.raises(Stale):
        check(bob.desk, "alice", old)
    bob.later(seconds=61)
    with pytest.raises(PeerMisbehaved):
        check(bob.desk, "alice", old)


async def test_what_is_shown_is_checked(tmp_path):
    alice, bob, wire = pair()
    await match(alice.desk, "bob", WISH, wire)
    honest = standing(bob.desk, alice.books.seen("bob").size)
    check(alice.desk, "bob", honest)
    other = standing(alice.desk, 0)
    for lie in (
        replace(honest, note=honest.note.replace("bob", "eve")),
        replace(honest, note=""),
        replace(honest, note=other.note),
        replace(honest, commitment=other.commitment or b"x"),
        replace(honest, commitment=bob.books.entries()[0].encode(), inclusion=()),
        replace(honest, consistency=(*honest.consistency, bytes(32))),
        replace(honest, consistency=(bytes(32),) * 200),
    ):
        with pytest.raises(PeerMisbehaved):
            check(alice.desk, "bob", lie)


async def test_warming_leaves_a_receipt_too():
    alice, bob, wire = pair()
    await warm(alice.desk, "bob", replace(WISH, protocol="vole"), 32, wire)
    assert receipts(alice) == receipts(bob)
    assert len(receipts(alice)) == 1
