"""What is done ahead: it shows nothing, serves once, and a run with it is the run without its beginning."""

import asyncio
from dataclasses import replace

import pytest

from exchange.agreement import Rung, Stage, size_class
from exchange.disclosure import match, warm
from exchange.disclosure.responder import MAX_READY
from exchange.errors import ConfigError, CosightError, PeerUnavailable, PolicyRefusal, SessionRefused
from tests.exchange.disclosure.desks import WISH, Side, Wire, pair
from tests.exchange.disclosure.test_disclosure import ask, proposal

BULK = replace(WISH, protocol="vole")
ALONE = {"Transfers", "Challenge"}
"""What the receiver sends before anything depends on items."""


def sent(side: Side) -> set[str]:
    return {event for event in side.events if event[:1].isupper()}


async def warmed(n: int = 100) -> tuple[Side, Side, Wire]:
    alice, bob, wire = pair()
    await warm(alice.desk, "bob", BULK, n, wire)
    return alice, bob, wire


def stored(*sides: Side) -> list[int]:
    return [len(side.stash.stored) for side in sides]


async def test_both_keep_a_half_and_nothing_shows():
    alice, bob, wire = pair()
    made = await warm(alice.desk, "bob", BULK, 100, wire)
    assert (made.padded, stored(alice, bob)) == (size_class(100), [1, 1])
    assert sent(alice) == ALONE
    (ours,), (theirs,) = alice.stash.ready("receiver", "bob"), bob.stash.ready("sender", "alice")
    assert ours.session == theirs.session == made.session
    assert ours.elements == theirs.elements == made.elements
    for side in (alice, bob):
        kind, fields = side.books.told[-1]
        assert kind == "disclosed"
        assert {fields["what"][f"learned_by_{who}"] for who in ("us", "peer")} == {"size"}
        assert 32 in {fields["what"]["ours_padded"], fields["what"]["peer_padded"]}, "bob's set does not show"


async def test_a_match_takes_it_and_leaves_out_what_is_done():
    alice, bob, wire = await warmed()
    alice.events.clear()
    first = await match(alice.desk, "bob", BULK, wire)
    assert (first.ahead, stored(alice, bob), sent(alice)) == (True, [0, 0], {"Salt", "Store"})
    second = await match(alice.desk, "bob", BULK, wire)
    assert (second.ahead, sent(alice) >= ALONE) == (False, True)
    assert list(first.ids) == list(second.ids)


async def test_another_protocol_or_a_larger_set_leaves_it():
    alice, bob, wire = await warmed(32)
    assert not (await match(alice.desk, "bob", WISH, wire)).ahead
    alice.items.words = [f"word {i}" for i in range(20_000)]
    assert not (await match(alice.desk, "bob", BULK, wire)).ahead
    assert stored(alice, bob) == [1, 1]


async def test_a_run_that_does_not_begin_leaves_it():
    alice, bob, wire = await warmed()
    wire.fault, wire.where = PeerUnavailable("it is gone"), "run"
    with pytest.raises(PeerUnavailable):
        await match(alice.desk, "bob", BULK, wire)
    wire.fault = None
    assert stored(alice, bob) == [1, 1]
    assert (await match(alice.desk, "bob", BULK, wire)).ahead


async def test_what_the_peer_has_lost_is_done_anew():
    alice, bob, wire = await warmed()
    bob.stash.stored.clear()
    outcome = await match(alice.desk, "bob", BULK, wire)
    assert (outcome.ahead, stored(alice)) == (False, [0])
    assert ("refused", "correlation-unknown") in bob.books.story()


@pytest.mark.parametrize("thief", [0, 1])
async def test_what_another_session_took_is_not_used(thief):
    alice, bob, wire = await warmed()
    (alice, bob)[thief].stash.stolen = True
    with pytest.raises((CosightError, PeerUnavailable)):
        await match(alice.desk, "bob", BULK, wire)
    assert ("aborted", "correlation-gone") in (alice, bob)[thief].books.story()
    assert stored(alice) == [0], "a run that fails has burnt it"


async def test_a_peer_cannot_fill_our_disk():
    """The oldest goes: a peer that lost its half must not keep the others out for ever."""
    alice, bob, wire = pair()
    made = [await warm(alice.desk, "bob", BULK, 32, wire) for _ in range(MAX_READY + 2)]
    assert {r.session for r in bob.stash.ready("sender", "alice")} == {m.session for m in made[2:]}
    outcomes = [await match(alice.desk, "bob", BULK, wire) for _ in made]
    assert [o.ahead for o in outcomes].count(True) == MAX_READY
    assert stored(alice, bob) == [0, 0]


@pytest.mark.parametrize(
    "lie",
    [
        {"stage": Stage.AHEAD},  # at the rung of the overlap
        {"stage": Stage.AHEAD, "rung": Rung.SIZE, "protocol": "voprf"},
        {"stage": Stage.ONLINE, "correlation": bytes(32)},
        {"stage": Stage.ONLINE, "correlation": bytes(32), "protocol": "voprf"},
    ],
)
async def test_what_cannot_be_is_refused(lie):
    _, bob, wire = pair()
    with pytest.raises(SessionRefused) as error:
        await ask(wire, "alice", replace(proposal(), **({"protocol": "vole"} | lie)))
    assert error.value.code in {"malformed", "protocol-unknown", "correlation-unknown"}
    assert bob.books.story()[-1] == ("refused", error.value.code)


async def test_a_correlation_with_one_peer_serves_no_other():
    alice, bob, wire = await warmed()
    (ready,) = bob.stash.ready("sender", "alice")
    asked = replace(proposal(), protocol="vole", stage=Stage.ONLINE, correlation=bytes.fromhex(ready.session))
    with pytest.raises(SessionRefused) as error:
        await ask(wire, "carol", asked)
    assert error.value.code == "correlation-unknown"
    assert stored(alice, bob) == [1, 1]


async def test_who_asks_for_what_cannot_be_done_ahead_is_told():
    alice, _, wire = pair()
    with pytest.raises(ConfigError, match="voprf"):
        await warm(alice.desk, "bob", WISH, 32, wire)


async def test_our_policy_decides_on_it():
    alice, _, wire = pair()
    alice.policy_text = alice.policy_text.replace('"vole"', '"other"')
    with pytest.raises((PolicyRefusal, ConfigError)):
        await warm(alice.desk, "bob", BULK, 32, wire)
    assert "propose" not in alice.events


async def test_a_cancelled_one_leaves_nothing():
    alice, _, wire = pair()
    task = asyncio.create_task(warm(alice.desk, "bob", BULK, 1 << 16, wire))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stored(alice) == [0]
    assert [kind for kind, _ in alice.books.story()] in ([], ["intent", "aborted"])
