"""Nodes that die in the middle of a match: what was intended stays visible, and life goes on."""

import json
import signal
from hashlib import sha256
from time import sleep

import pytest

from exchange.store.home import verify_ledger
from tests.e2e.nodes import cosight, entries, import_values, matching, serve, story, until
from tests.e2e.tap import Tap

pytestmark = pytest.mark.slow
ITEMS = 2048
MIDDLE = ITEMS * 32 // 2
"""Half of the receiver's blinded rows are on the wire by then. The tap holds them there: no race."""


@pytest.fixture
def large(homes):
    """Sets whose match takes long enough to be in the middle of it."""
    for home, start in zip(homes, (0, ITEMS // 2), strict=True):
        import_values(home, (sha256(b"%d" % n).hexdigest() for n in range(start, start + ITEMS)))
    return homes


def in_the_middle(tap: Tap) -> None:
    """Half of the rows have come through, and the responder has had the time to begin with them."""
    tap.wait_stopped()
    sleep(2)


def session_of(home) -> str:
    """The one session that a home's ledger speaks of so far."""
    (session,) = {e.session for e in entries(home) if e.session}
    return session


def match_again(alice, bob) -> None:
    """Both ledgers verify and a fresh match works."""
    with serve(bob) as node:
        found = cosight(alice, "match", "bob", "--address", node.address)
    assert found["result"]["count"] == ITEMS // 2
    for home in (alice, bob):
        assert story(home, found["session"]) == [("intent", ""), ("disclosed", "")]
        assert cosight(home, "ledger", "verify")["ok"]


def test_the_responder_is_killed(large):
    alice, bob = large
    with (
        serve(bob) as node,
        Tap(node.address, stop_after=MIDDLE) as tap,
        matching(alice, "bob", tap.address) as match,
    ):
        in_the_middle(tap)
        node.kill()
        said = json.loads(match.communicate()[0])
        assert match.returncode == 1
    assert said["error"]["code"] == "peer-unavailable"
    session = session_of(alice)
    assert story(alice, session) == [("intent", ""), ("aborted", "peer-unavailable")]
    assert story(bob, session) == [("intent", "")]
    for home, open_ in ((alice, []), (bob, [session])):
        verified = cosight(home, "ledger", "verify")
        assert verified["ok"]
        assert verified["open_intents"] == open_
    match_again(alice, bob)
    assert cosight(bob, "ledger", "verify")["open_intents"] == [session]


def test_the_initiator_is_killed(large):
    alice, bob = large
    with serve(bob) as node:
        with Tap(node.address, stop_after=MIDDLE) as tap, matching(alice, "bob", tap.address) as match:
            in_the_middle(tap)
            match.kill()
            match.wait()
        session = session_of(alice)
        until(lambda: len(story(bob, session)) == 2)
        assert story(alice, session) == [("intent", "")]
        ((_, _), (kind, reason)) = story(bob, session)
        assert (kind, reason) in {("aborted", "cancelled"), ("aborted", "peer-closed")}
        for home, open_ in ((alice, [session]), (bob, [])):
            verified = cosight(home, "ledger", "verify")
            assert verified["ok"]
            assert verified["open_intents"] == open_
        found = cosight(alice, "match", "bob", "--address", node.address)  # the same node, unharmed
        assert found["result"]["count"] == ITEMS // 2
    match_again(alice, bob)
    assert cosight(alice, "ledger", "verify")["open_intents"] == [session]


@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_who_is_asked_to_stop_closes_its_books(large, side):
    alice, bob = large
    with (
        serve(bob) as node,
        Tap(node.address, stop_after=MIDDLE) as tap,
        matching(alice, "bob", tap.address) as match,
    ):
        in_the_middle(tap)
        if side == "initiator":
            match.send_signal(signal.SIGINT)
        else:
            node.process.send_signal(signal.SIGTERM)
        match.communicate()
        assert match.returncode == (130 if side == "initiator" else 1)
        session = session_of(alice)
        if side == "responder":
            assert node.process.wait() == 0
        until(lambda: len(story(bob, session)) == 2)
    for home in large:
        assert story(home, session)[-1][0] == "aborted"
        assert verify_ledger(home).open_intents == ()


def test_a_peer_that_falls_silent_is_given_up(large):
    alice, bob = large
    alice.config_file.write_text(alice.config_file.read_text() + "idle_s = 5\n")
    with (
        serve(bob) as node,
        Tap(node.address, stop_after=MIDDLE) as tap,
        matching(alice, "bob", tap.address) as match,
    ):
        in_the_middle(tap)
        said = json.loads(match.communicate()[0])
    assert said["error"]["code"] == "peer-stalled"
    assert story(alice, session_of(alice))[-1] == ("aborted", "peer-stalled")
