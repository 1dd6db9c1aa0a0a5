"""What strangers offer costs little: nothing is decoded unsigned, and no question waits meanwhile."""

import threading

import pytest

from exchange.config import Home
from exchange.errors import RosterError
from exchange.identity import membership, rules
from exchange.identity.roster import Role, Roster, SignedRoster
from exchange.store.alliance import Alliance as LiveAlliance
from exchange.store.alliance import node_keys
from tests.exchange.identity.simulator import FOUNDER, NOW, Alliance, altered, refused


@pytest.fixture
def decoded(monkeypatch):
    """The bodies that were decoded since."""
    bodies = []

    class Counting(Roster):
        @classmethod
        def decode(cls, body) -> Roster:
            bodies.append(body)
            return Roster.decode(body)

    monkeypatch.setattr(rules, "Roster", Counting)
    return bodies


def test_the_hash_of_a_document_is_that_of_its_roster(three):
    assert rules.document_hash(SignedRoster.decode(three.rosters[-1])) == three.roster.hash


def test_what_nobody_signed_is_not_decoded(three, decoded):
    body = three.next().encode()
    for offered in (body, three.next(epoch=1).encode(), three.next(epoch=9).encode(), bytes(1 << 19)):
        refused(three, SignedRoster(body=offered, signatures=()).encode(), "roster-quorum")
        forged = SignedRoster(body=offered, signatures=((FOUNDER, bytes(64)),))
        refused(three, forged.encode(), "roster-bad-signature")
    refused(three, three.forge(three.next(), ["globex"]), "roster-bad-signature")
    assert decoded == []
    three.chain.adopt([three.forge(three.next())])
    assert decoded == [body]


def test_what_we_hold_is_not_decoded_again(three, decoded):
    bare = [SignedRoster(SignedRoster.decode(r).body, ()).encode() for r in three.rosters]
    assert three.chain.adopt([*three.rosters, *bare]) is three.chain
    assert decoded == []


def test_a_revoked_member_cannot_make_us_decode(three, decoded):
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["globex"], NOW))
    del decoded[:]
    refused(three, three.forge(three.next(), ["globex"]), "roster-bad-signature")
    assert decoded == []


def test_a_fork_is_told_although_its_signer_is_administrator_no_more():
    """Two administrators remove each other at once: each side must learn that there are two rosters."""
    alliance = Alliance()
    alliance.join("globex")
    founder = alliance.keys[FOUNDER]
    both = {"globex": Role.ADMINISTRATOR}
    alliance.take(membership.amend(alliance.chain, FOUNDER, founder, NOW, roles=both, quorum=1))
    theirs = membership.amend(
        alliance.chain, "globex", alliance.keys["globex"], NOW, roles={FOUNDER: Role.MEMBER}, quorum=1
    )
    ours = alliance.next(members=altered(alliance, "globex", role=Role.MEMBER))
    alliance.take(SignedRoster.decode(alliance.forge(ours)))
    refused(alliance, theirs.encode(), "roster-fork", "second")
    refused(alliance, alliance.forge(alliance.next(), ["globex"]), "roster-bad-signature")


def test_no_question_waits_while_offered_rosters_are_verified(three, tmp_path, monkeypatch):
    home = Home.init(tmp_path / "globex", "globex", keys=three.keys["globex"].to_pem())
    LiveAlliance.begin(home, three.rosters)
    node = LiveAlliance(home, node_keys(home), lambda: NOW)
    assert node.roster()[0] == 3
    offered, leaf = three.forge(three.next()), three.leaf("initech").chain
    begun, go_on, errors = threading.Event(), threading.Event(), []
    verified = rules.check_signatures

    def slowly(*arguments):
        begun.set()
        assert go_on.wait(60)
        verified(*arguments)

    def adopt():
        try:
            node.adopt([offered])
        except RosterError as e:
            errors.append(e)

    def questions():
        node.tls()
        assert node.authorise(leaf) == "initech"
        assert node.signed() == three.rosters
        answered.set()

    answered = threading.Event()
    monkeypatch.setattr(rules, "check_signatures", slowly)
    adopting = threading.Thread(target=adopt)
    asking = threading.Thread(target=questions)
    adopting.start()
    try:
        assert begun.wait(60)
        asking.start()
        assert answered.wait(30)
    finally:
        go_on.set()
        adopting.join()
        asking.join()
    assert not errors
    assert node.roster()[0] == 4


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
def test_threads_adopt_at_once(three, tmp_path, same):
    home = Home.init(tmp_path / "globex", "globex", keys=three.keys["globex"].to_pem())
    LiveAlliance.begin(home, three.rosters)
    node = LiveAlliance(home, node_keys(home), lambda: NOW)
    first = three.roster.issued_at
    offered = [three.forge(three.next(issued_at=first + (0 if same else n))) for n in range(4)]
    gate, outcomes = threading.Barrier(4), []

    def adopt(signed):
        gate.wait(60)
        try:
            node.adopt([signed])
            outcomes.append("adopted")
        except RosterError as e:
            outcomes.append(e.code)

    threads = [threading.Thread(target=adopt, args=(signed,)) for signed in offered]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == (["adopted"] * 4 if same else ["adopted"] + ["roster-fork"] * 3)
    assert len(node.signed()) == node.roster()[0] == 4
