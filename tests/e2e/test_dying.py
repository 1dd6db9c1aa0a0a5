"""Whatever moment a node dies at: nothing that it disclosed is missing from its ledger, and life goes on."""

import asyncio
import json

import pytest

from exchange.agreement import Rung
from exchange.clock import utc_now
from exchange.disclosure import Wish
from exchange.errors import CosightError
from exchange.indicators import IndicatorType
from exchange.node import Node
from exchange.store.home import verify_ledger
from exchange.store.ledger import LedgerReader
from tests.e2e.conftest import feed
from tests.e2e.dying import KILLED, dying
from tests.e2e.nodes import configure, cosight, import_values, serve
from tests.e2e.process import Process

pytestmark = pytest.mark.slow
SHARED = 25
MANY = 200
"""More moments than a session has."""


@pytest.fixture
def pair(homes):
    alice, bob = homes
    import_values(alice, feed(*range(1, 11)))
    import_values(bob, feed(*range(6, 16)))
    return [configure(home, max_sessions=MANY, max_sessions_per_peer=MANY) for home in (alice, bob)]


def sessions(home):
    if not home.ledger_file.exists():
        return {}
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        return {s.session: s for s in reader.sessions()}


def check(home, other) -> None:
    """The ledger is whole, and knows every session that the other has heard of from it."""
    if home.ledger_file.exists() and home.ledger_file.stat().st_size:
        found = verify_ledger(home)
        assert found.ok or not found.leaves, found.problems
    ours = sessions(home)
    for session, booked in sessions(other).items():
        agreed = booked.intent.fields.get("agreement") or (
            booked.result is not None and booked.result.fields.get("agreement")
        )
        proposed = booked.intent.fields["direction"] == "responder"
        if agreed or proposed:
            assert session in ours, "what left is in the ledger of whom it left"


@pytest.mark.parametrize("protocol", ["voprf", "vole"])
def test_the_initiator_dies_at_every_moment(pair, protocol):
    alice, bob = pair
    match = ["match", "bob", "--protocol", protocol, "--both", "--json", "--home", str(alice.path)]
    with serve(bob) as node:
        for moment in range(1, MANY):
            with Process(str(moment), *match, "--address", node.address, program=dying) as done:
                out, err = done.communicate()
            check(alice, bob)
            if done.returncode == 0:
                break
            assert done.returncode == KILLED, err
        assert moment > 20
        found = json.loads(out)
        assert (found["result"]["count"], found["settled"]) == (SHARED, True)
        again = cosight(alice, "match", "bob", "--address", node.address)
        assert again["result"]["count"] == SHARED
    check(bob, alice)


@pytest.mark.parametrize("protocol", ["voprf", "vole"])
def test_the_responder_dies_at_every_moment(pair, protocol):
    alice, bob = pair
    serving = ["serve", "--listen", "127.0.0.1:0", "--json", "--home", str(bob.path)]
    wish = Wish(rung=Rung.OVERLAP, types=tuple(sorted(IndicatorType)), protocol=protocol)
    survived = False
    for moment in range(1, MANY):
        with Process(str(moment), *serving, program=dying) as process:
            try:
                if line := process.stdout.readline():
                    with Node(alice) as node:
                        outcome = asyncio.run(node.match("bob", wish, address=json.loads(line)["address"]))
                    assert len(outcome.matches or []) == SHARED
                    survived = process.returncode is None
            except CosightError:
                pass
        check(bob, alice)
        learned = {s.session: s for s in sessions(alice).values() if s.result and "matched" in s.result.what}
        with LedgerReader.open_read_only(bob.ledger_file) as reader:
            charged = {past.session: past.charge for past in reader.history("alice", utc_now()).past}
        for session, booked in learned.items():
            assert charged[session] >= int(str(booked.result.what["matched"])), "what was learned is charged"
        if survived and process.returncode == KILLED and outcome.settled:
            break
    assert moment > 15
    assert survived
