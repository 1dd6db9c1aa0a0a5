"""Guards in sessions: canaries, committed sets, growth, sweeps, and what looks counted."""

import ipaddress
from dataclasses import replace

import numpy as np
import pytest

from crypto.errors import ParameterError
from crypto.psi import Output
from exchange.agreement import Rung, size_class
from exchange.disclosure import commit, judge_ours, judge_peer, match
from exchange.disclosure.committing import CANARIES
from exchange.disclosure.initiator import planted_for
from exchange.errors import PeerRefused, PolicyRefusal
from exchange.indicators import IndicatorType
from exchange.ledger import Kind
from exchange.local.alliance import ALLOW_ALL
from tests.exchange.disclosure.desks import WISH, Side, pair

COUNTING = replace(WISH, rung=Rung.CARDINALITY, protocol="cardinality")
BOTH = replace(WISH, output=Output.BOTH)
COUNTED = replace(WISH, types=(IndicatorType.IPV4,), protocol="vole")


def policy(**terms: object) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in terms.items())
    return ALLOW_ALL.replace('reveal = "context"\n', f'reveal = "context"\n{lines}')


def told(side: Side, kind: Kind) -> list[dict[str, object]]:
    return [dict(leaf.what) for leaf in side.books.entries() if leaf.kind is kind]


def addresses(prefix: str, start: int, count: int) -> list[str]:
    first = int(ipaddress.ip_network(prefix)[0]) + start
    return [str(ipaddress.ip_address(first + n)) for n in range(count)]


class TestCanaries:
    @pytest.mark.parametrize("wish", [WISH, BOTH])
    async def test_they_disturb_nobody(self, wish):
        alice, bob, wire = pair()
        alice.policy_text = bob.policy_text = policy(canaries=8)
        outcome = await match(alice.desk, "bob", wish, wire)
        assert sorted(m.value for m in alice.items.values(outcome.ids)) == ["b", "c"]
        assert (outcome.canaries, outcome.ours) == (0, 3)
        for side in (alice, bob):
            (intent,) = told(side, Kind.INTENT)
            assert intent["canaries"] == 8
            assert told(side, Kind.ALARM) == []

    @pytest.mark.parametrize("planter", ["alice", "bob"])
    async def test_a_peer_that_holds_one_is_put_into_quarantine(self, planter):
        alice, bob, wire = pair()
        side, thief = (alice, bob) if planter == "alice" else (bob, alice)
        side.policy_text = policy(canaries=8)
        planted = planted_for(
            side.desk, side.desk.policy(), thief.member, [IndicatorType.DOMAIN], Rung.OVERLAP
        )
        thief.items.words += [one.value for one in planted[:3]]
        outcome = await match(alice.desk, "bob", BOTH, wire)
        assert sorted(m.value for m in alice.items.values(outcome.ids) if len(m.value) == 1) == ["b", "c"]
        assert told(side, Kind.ALARM) == [{"guard": "canary", "count": 3}]
        assert told(side, Kind.QUARANTINE) == [{"reason": "canary"}]
        results = told(side, Kind.DISCLOSED)
        assert results[0]["matched"] == 2
        assert side.books.verify().ok
        with pytest.raises((PolicyRefusal, PeerRefused)) as error:
            await match(alice.desk, "bob", WISH, wire)
        assert error.value.code == "policy-refused"
        side.books.append("lift", now=side.now, peer=thief.member, what={"reason": "talked-to-them"})
        await match(alice.desk, "bob", WISH, wire)

    async def test_a_policy_may_only_want_it_written_down(self):
        alice, bob, wire = pair()
        alice.policy_text = policy(canaries=8, on_alarm='"record"')
        planted = planted_for(alice.desk, alice.desk.policy(), "bob", [IndicatorType.DOMAIN], Rung.OVERLAP)
        bob.items.words.append(planted[0].value)
        for _ in range(2):
            assert (await match(alice.desk, "bob", WISH, wire)).canaries == 1
        assert told(alice, Kind.QUARANTINE) == []


class TestCommitments:
    async def test_they_are_shown_pinned_and_kept(self):
        alice, bob, wire = pair()
        for side in (alice, bob):
            assert commit(side.desk)
            assert not commit(side.desk), "it is the same set"
        bob.policy_text = alice.policy_text = policy(commitment='"required"')
        await match(alice.desk, "bob", WISH, wire)
        for side, other in ((alice, bob), (bob, alice)):
            (intent,) = told(side, Kind.INTENT)
            (theirs,) = told(other, Kind.COMMITMENT)
            assert (intent["peer_epoch"], intent["peer_set"]) == (1, theirs["root"])
            assert intent["peer_set_padded"] == size_class(len(other.words) + CANARIES)

    async def test_an_import_makes_a_new_one(self):
        alice, _, _ = pair()
        roots = []
        for version in (1, 2, 2, 3):
            alice.items.version = version
            commit(alice.desk)
            roots = [what["root"] for what in told(alice, Kind.COMMITMENT)]
        assert len(set(roots)) == len(roots) == 3
        assert [what["epoch"] for what in told(alice, Kind.COMMITMENT)] == [1, 2, 3]

    async def test_who_commits_to_nothing_is_refused_where_it_is_required(self):
        alice, bob, wire = pair()
        bob.policy_text = policy(commitment='"required"')
        with pytest.raises(PeerRefused):
            await match(alice.desk, "bob", WISH, wire)
        assert told(bob, Kind.REFUSED)[0]["rule"] == "guard-commitment"
        commit(alice.desk)
        await match(alice.desk, "bob", WISH, wire)

    async def test_nobody_puts_in_more_than_it_is_bound_to(self):
        alice, bob, wire = pair()
        commit(alice.desk)
        alice.items.words = [f"w{n}" for n in range(4000)]
        bob.policy_text = policy(commitment='"required"')
        with pytest.raises(PeerRefused):
            await match(alice.desk, "bob", COUNTED, wire)
        assert told(bob, Kind.REFUSED)[0]["rule"] == "guard-commitment"

    async def test_a_set_that_grows_too_fast_is_refused(self):
        alice, bob, wire = pair()
        bob.policy_text = policy(growth_per_day=0.5)
        commit(alice.desk)
        await match(alice.desk, "bob", WISH, wire)
        for side in (alice, bob):
            side.later(days=2)
        alice.items.words, alice.items.version = [f"w{n}" for n in range(1000)], 2
        commit(alice.desk)
        await match(alice.desk, "bob", COUNTED, wire)  # 1,088 to 2,048 in two days
        alice.items.words, alice.items.version = [f"w{n}" for n in range(9000)], 3
        commit(alice.desk)
        with pytest.raises(PeerRefused):
            await match(alice.desk, "bob", COUNTED, wire)
        assert told(bob, Kind.REFUSED)[0]["rule"] == "guard-growth"


async def test_a_sweep_is_stopped_on_the_day_that_the_quota_says():
    """A peer walks through a /16 in daily sets. docs/guards.md predicts the day, the first above it."""
    daily, most, predicted = 8192, 40_000, 5
    alice, bob, wire = pair()
    bob.policy_text = policy(values_per_year=most)
    bob.items.words = addresses("203.0.0.0/16", 0, 5000)
    alice.items.kind = bob.items.kind = IndicatorType.IPV4
    assert most // daily + 1 == predicted
    for day in range(1, 9):
        alice.items.words = addresses("203.0.0.0/16", (day - 1) * daily, daily)
        if day == predicted:
            with pytest.raises(PeerRefused):
                await match(alice.desk, "bob", COUNTED, wire)
            break
        await match(alice.desk, "bob", COUNTED, wire)
        for side in (alice, bob):
            side.later(days=1)
    assert day == predicted
    assert told(bob, Kind.REFUSED)[0]["rule"] == "p11-values-per-year"
    assert bob.books.history("alice", bob.now).past[0].charge <= 5000


async def test_a_peer_that_shares_what_only_counting_finds_is_an_alarm():
    alice, bob, wire = pair()
    alice.items.kind = bob.items.kind = IndicatorType.IPV4
    rng = np.random.default_rng(1)
    elsewhere = [str(ipaddress.ip_address(int(n))) for n in rng.integers(1 << 24, 200 << 24, 5000)]
    bob.items.words = sorted({*addresses("203.0.0.0/16", 0, 1 << 16)[::97], *elsewhere})
    alice.items.words = addresses("203.0.0.0/16", 0, 1 << 16)
    outcome = await match(alice.desk, "bob", replace(COUNTED, output=Output.BOTH), wire)
    await wire.responder.close()  # waits for what is looked at after a session
    assert [what["guard"] for what in told(bob, Kind.ALARM)] == [
        "matched-prefix-16",
        "matched-prefixes",
    ] or told(bob, Kind.ALARM)
    assert told(bob, Kind.QUARANTINE)
    assert judge_peer(alice.desk, "bob", outcome.session, outcome.ids[:3]) == ()


async def test_our_own_set_is_looked_at_too():
    alice, _, _ = pair()
    alice.items.kind = IndicatorType.IPV4
    alice.items.words = addresses("203.0.0.0/16", 0, 1 << 16)
    assert judge_ours(alice.desk, alice.now)
    assert told(alice, Kind.ALARM)
    assert told(alice, Kind.QUARANTINE) == []
    assert alice.books.verify().ok


async def test_alarms_do_not_fill_the_ledger():
    alice, bob, wire = pair()
    alice.policy_text = policy(canaries=8, on_alarm='"record"')
    planted = planted_for(alice.desk, alice.desk.policy(), "bob", [IndicatorType.DOMAIN], Rung.OVERLAP)
    bob.items.words.append(planted[0].value)
    alice.desk.throttle.per_hour = 2
    for _ in range(4):
        await match(alice.desk, "bob", WISH, wire)
    assert len(told(alice, Kind.ALARM)) == 2


async def test_a_rung_is_climbed_from_the_one_below():
    alice, bob, wire = pair()
    bob.policy_text = policy(climb="true", climb_if='{ overlap = "size >= 32" }')
    with pytest.raises(PeerRefused):
        await match(alice.desk, "bob", WISH, wire)
    assert told(bob, Kind.REFUSED)[0]["rule"] == "p8-climb"
    with pytest.raises(PeerRefused):
        await match(alice.desk, "bob", COUNTING, wire)
    await match(alice.desk, "bob", replace(WISH, rung=Rung.SIZE), wire)
    lower = await match(alice.desk, "bob", COUNTING, wire)
    assert (lower.count, lower.ids) == (2, None)
    outcome = await match(alice.desk, "bob", replace(WISH, below=bytes.fromhex(lower.session)), wire)
    assert outcome.ids is not None
    intents = told(bob, Kind.INTENT)
    assert intents[-1]["below"] == lower.session
    for side in (alice, bob):
        side.later(hours=25)
    with pytest.raises(PeerRefused):
        await match(alice.desk, "bob", replace(WISH, below=bytes.fromhex(lower.session)), wire)
    bob.policy_text = policy(climb="true", climb_if='{ overlap = "size >= 33" }')
    await match(alice.desk, "bob", replace(WISH, rung=Rung.SIZE), wire)
    lower = await match(alice.desk, "bob", COUNTING, wire)
    with pytest.raises(PeerRefused):
        await match(alice.desk, "bob", replace(WISH, below=bytes.fromhex(lower.session)), wire)


async def test_a_number_is_learned_and_not_which():
    alice, bob, wire = pair()
    outcome = await match(alice.desk, "bob", COUNTING, wire)
    assert (outcome.count, outcome.ids, outcome.protocol, outcome.settled) == (2, None, "cardinality", True)
    ours, theirs = (told(side, Kind.DISCLOSED)[0] for side in (alice, bob))
    assert (ours["learned_by_us"], ours["matched"]) == ("cardinality", 2)
    assert (theirs["learned_by_peer"], theirs.get("matched"), theirs["at_stake"]) == ("cardinality", None, 4)
    for wrong in ({"protocol": "voprf"}, {"output": Output.BOTH}):
        with pytest.raises((PeerRefused, ParameterError)):
            await match(alice.desk, "bob", replace(COUNTING, **wrong), wire)
    with pytest.raises((PeerRefused, ParameterError)):
        await match(alice.desk, "bob", replace(WISH, protocol="cardinality"), wire)
