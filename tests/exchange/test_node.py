"""Nodes of one process over real mutual TLS: side by side, both ways, under a policy that changes."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crypto.psi import Output, vole
from exchange.agreement import Rung
from exchange.config import Home
from exchange.disclosure import Wish
from exchange.errors import ConfigError, PeerError, PeerExceededLimit, PeerRefused, PolicyRefusal
from exchange.indicators import IndicatorType
from exchange.node import Node
from exchange.planning import AUTO
from exchange.store.home import open_store, verify_ledger
from tests.e2e.conftest import feed
from tests.e2e.nodes import configure, entries, import_values, members

WISH = Wish(rung=Rung.OVERLAP, types=tuple(sorted(IndicatorType)))
SHARED = set(feed(*range(6, 11)))


@pytest.fixture
def homes(tmp_path) -> tuple[Home, ...]:
    alice, bob, carol = members(tmp_path, "alice", "bob", "carol")
    import_values(alice, feed(*range(1, 11)))
    import_values(bob, feed(*range(6, 16)))
    import_values(carol, feed(*range(6, 11), *range(20, 30)))
    return alice, bob, carol


@asynccontextmanager
async def serving(*homes: Home) -> AsyncIterator[tuple[list[Node], dict[str, str]]]:
    """Nodes of these homes, all of them serving, and where."""
    async with AsyncExitStack() as stack:
        nodes, addresses = [], {}
        for home in homes:
            node = stack.enter_context(Node(home))
            addresses[home.member] = f"127.0.0.1:{await node.serve()}"
            stack.push_async_callback(node.stop)
            nodes.append(node)
        yield nodes, addresses


def values(outcome) -> set[str]:
    return {m.value for m in outcome.matches}


async def test_everybody_with_everybody_at_once(homes):
    async with serving(*homes) as (nodes, addresses):
        outcomes = await asyncio.gather(
            *(
                node.match(peer, WISH, address=address)
                for node in nodes
                for peer, address in addresses.items()
                if peer != node.home.member
            )
        )
    assert [values(o) for o in outcomes] == [SHARED] * 6
    for home in homes:
        assert [e.kind for e in entries(home) if e.session].count("disclosed") == 4
        verified = verify_ledger(home)
        assert (verified.ok, verified.open_intents, verified.sessions) == (True, (), 4)


async def test_two_runs_with_one_peer_at_once_and_no_third(homes):
    async with serving(*homes[:2]) as ((alice, _), addresses):
        outcomes = await asyncio.gather(
            *(alice.match("bob", WISH, address=addresses["bob"]) for _ in range(3)), return_exceptions=True
        )
    refused = [o for o in outcomes if isinstance(o, PeerRefused)]
    assert [values(o) for o in outcomes if o not in refused] == [SHARED] * (3 - len(refused))
    assert {o.code for o in refused} <= {"busy"}
    assert len(refused) <= 1


async def test_output_for_both(homes):
    async with serving(*homes[:2]) as ((alice, _), addresses):
        wish = Wish(rung=Rung.OVERLAP, types=WISH.types, output=Output.BOTH)
        outcome = await alice.match("bob", wish, address=addresses["bob"])
    assert values(outcome) == SHARED
    told = [next(e for e in entries(home) if e.kind == "disclosed").what for home in homes[:2]]
    assert [(t["matched"], t["learned_by_us"], t["learned_by_peer"]) for t in told] == [
        (25, "overlap", "overlap")
    ] * 2


async def test_the_fastest_protocol_is_chosen_among_those_that_are_allowed(homes):
    async with serving(*homes[:2]) as ((alice, _), addresses):
        wish = Wish(rung=Rung.OVERLAP, types=WISH.types, protocol=AUTO)
        found = []
        everything = alice.home.policy_file.read_text()
        for allowed in (["voprf", "vole"], ["vole"]):
            policy = re.sub("protocols = .*", f"protocols = {json.dumps(allowed)}", everything)
            alice.home.policy_file.write_text(policy)
            found.append(await alice.match("bob", wish, address=addresses["bob"]))
        alice.home.policy_file.write_text(policy.replace(json.dumps(allowed), "[]"))
        with pytest.raises(PolicyRefusal):
            await alice.match("bob", wish, address=addresses["bob"])
    assert [values(o) for o in found] == [SHARED] * 2
    assert [o.protocol for o in found] == ["voprf", "vole"]
    assert [set(o.plan.costs) for o in found] == [{"voprf", "vole"}, {"vole"}]
    assert 0 < found[0].plan.line.round_trip_s < 5


@pytest.mark.parametrize(
    ("rung", "names", "taken"),
    [
        (Rung.OVERLAP, {"voprf", "vole"}, {"voprf", "vole"}),
        (Rung.CARDINALITY, {"cardinality", "cardinality-banded", "cardinality-noisy"}, {"cardinality"}),
        (Rung.ESTIMATE, {"estimate"}, {"estimate"}),
        (Rung.SUM, {"sum"}, {"sum"}),
        (Rung.CONTEXT, {"voprf-context", "vole-context"}, {"voprf-context", "vole-context"}),
    ],
)
async def test_a_plan_greets_and_no_ledger_knows_of_it(homes, rung, names, taken):
    wish = Wish(rung=rung, types=WISH.types, protocol=AUTO, over="sightings" if rung is Rung.SUM else "")
    async with serving(*homes[:2]) as ((alice, _), addresses):
        plan = await alice.plan("bob", wish, address=addresses["bob"])
    assert not [e.kind for home in homes[:2] for e in entries(home) if e.session or e.peer]
    assert set(plan.costs) == names
    assert plan.protocol in taken
    assert not plan.peer_known
    assert plan.n_r == plan.n_s
    for cost in plan.costs.values():
        assert min(cost.seconds, cost.receiver_bytes, cost.sender_bytes) > 0


async def test_a_plan_knows_what_a_session_showed_and_the_bytes_it_takes(homes):
    async with serving(*homes[:2]) as ((alice, _), addresses):
        outcome = await alice.match("bob", WISH, address=addresses["bob"])
        plan = await alice.plan("bob", WISH, address=addresses["bob"])
    assert (plan.peer_known, plan.n_r, plan.n_s) == (True, outcome.ours_padded, outcome.peer_padded)
    predicted = plan.costs[WISH.protocol]
    assert outcome.sent == pytest.approx(predicted.receiver_bytes, abs=1000)
    assert outcome.received == pytest.approx(predicted.sender_bytes, abs=1000)


async def test_a_plan_of_what_our_policy_does_not_allow_is_refused(homes):
    async with serving(*homes[:2]) as ((alice, _), addresses):
        policy = alice.home.policy_file
        policy.write_text(re.sub("protocols = .*", "protocols = []", policy.read_text()))
        with pytest.raises(PolicyRefusal) as refused:
            await alice.plan("bob", WISH, address=addresses["bob"])
    assert "cosight policy explain bob" in refused.value.hint


async def test_a_store_that_comes_late_ends_the_run(homes, monkeypatch):
    """Who looks for a store that holds more than it should needs time, and gets little."""
    make = vole._native.psi_store

    def late(*arguments):
        time.sleep(0.6)
        return make(*arguments)

    monkeypatch.setattr(vole, "STORE_S", 0.2)
    monkeypatch.setattr("crypto._native.psi_store", late)
    async with serving(*homes[:2]) as ((alice, _), addresses):
        with pytest.raises(PeerError) as error:
            await alice.match("bob", replace(WISH, protocol="vole"), address=addresses["bob"])
    assert error.value.code in {"aborted", "peer-closed"}
    assert [e.what["reason"] for e in entries(homes[1]) if e.kind == "aborted"] == ["peer-stalled"]


async def test_sizes_alone(homes):
    async with serving(*homes[:2]) as ((alice, _), addresses):
        outcome = await alice.match("bob", Wish(rung=Rung.SIZE, types=WISH.types), address=addresses["bob"])
    assert (outcome.matches, outcome.ours, outcome.peer_padded) == (None, 50, 52)


async def test_a_policy_that_is_edited_while_nodes_run(homes):
    alice_home, bob_home, _ = homes
    async with serving(alice_home, bob_home) as ((alice, _), addresses):
        allowing = bob_home.policy_file.read_text()
        await alice.match("bob", WISH, address=addresses["bob"])
        bob_home.policy_file.write_text(allowing.replace('["us", "peer"]', '["us"]'))
        with pytest.raises(PeerRefused) as error:
            await alice.match("bob", WISH, address=addresses["bob"])
        assert error.value.code == "policy-refused"
        bob_home.policy_file.write_text("this is no policy")
        with pytest.raises(PeerRefused) as error:
            await alice.match("bob", WISH, address=addresses["bob"])
        assert error.value.code == "not-ready"
        bob_home.policy_file.write_text(allowing)
        alice_home.policy_file.write_text("version = 1\n")
        with pytest.raises(PolicyRefusal):
            await alice.match("bob", WISH, address=addresses["bob"])
        alice_home.policy_file.write_text(allowing)
        assert values(await alice.match("bob", WISH, address=addresses["bob"])) == SHARED


async def test_a_quota_counts_sessions_of_both_directions(homes):
    alice_home, bob_home, _ = homes
    text = bob_home.policy_file.read_text()
    bob_home.policy_file.write_text(text.replace("sessions_per_day = 1000", "sessions_per_day = 2"))
    async with serving(alice_home, bob_home) as ((alice, bob), addresses):
        await bob.match("alice", WISH, address=addresses["alice"])
        await alice.match("bob", WISH, address=addresses["bob"])
        with pytest.raises(PeerRefused) as refused:
            await alice.match("bob", WISH, address=addresses["bob"])
        with pytest.raises(PolicyRefusal):
            await bob.match("alice", WISH, address=addresses["alice"])
    assert refused.value.code == "policy-refused"


async def test_the_limit_on_rows_holds_for_answers_too(homes):
    alice_home, bob_home, _ = homes
    configure(alice_home, max_rows=51)
    async with serving(Home.open(alice_home.path), bob_home) as ((alice, _), addresses):
        with pytest.raises(PeerExceededLimit) as error:
            await alice.match("bob", WISH, address=addresses["bob"])
    assert error.value.code == "too-large"
    assert entries(alice_home)[-1].what["reason"] == "too-large"


async def test_who_cannot_be_matched_with(homes):
    async with serving(homes[0]) as ((alice,), addresses):
        for peer, code in (("alice", "config"), ("nobody", "unknown-member"), ("bob", "no-address")):
            with pytest.raises(ConfigError) as error:
                await alice.match(peer, WISH)
            assert error.value.code == code
        with Node(homes[1]) as bob, pytest.raises(ConfigError):
            await bob.serve(addresses["alice"])  # taken


def test_types_expire_as_the_configuration_says(homes):
    alice = homes[0]
    text = alice.config_file.read_text()
    alice.config_file.write_text(text + "[expiry]\nipv4 = 30\nmd5 = 10\n")
    store = open_store(Home.open(alice.path))
    now = datetime.now(UTC)
    both = [IndicatorType.IPV4, IndicatorType.DOMAIN]
    assert [store.size(both, now=now + timedelta(days=days)) for days in (0, 29, 31)] == [20, 20, 10]
    store.close()
    alice.config_file.write_text(text + "[expiry]\nipv9 = 30\n")
    with pytest.raises(ConfigError, match=r"expiry\.ipv9 is no type") as caught:
        open_store(Home.open(alice.path))
    assert "ipv4, ipv6" in caught.value.hint
