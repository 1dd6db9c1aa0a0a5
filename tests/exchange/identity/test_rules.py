"""Each rule of ``rules.py``, broken alone by administrators who sign whatever they are told to."""

from dataclasses import replace
from typing import Any

import pytest

from exchange.errors import RosterError
from exchange.identity import certificates, membership
from exchange.identity.keys import NodeKeys, generate_ca_key, public_bytes
from exchange.identity.roster import MAX_ROSTER_BYTES, NO_INVITATION, Revoked, Role, Roster, SignedRoster
from exchange.identity.rules import RosterChain
from tests.exchange.identity.simulator import ALLIANCE, FOUNDER, NOW, Alliance, altered, refused, sort


def test_the_honest_next_roster_is_taken(three):
    chain = three.chain.adopt([three.forge(three.next())])
    assert chain.current.epoch == three.roster.epoch + 1
    assert chain.hashes == (*three.chain.hashes, chain.current.hash)


def test_rosters_that_we_have_are_passed_over(three):
    assert three.chain.adopt(three.rosters) == three.chain


# The first roster


def test_the_first_is_trusted_by_its_hash_alone(three):
    with pytest.raises(RosterError) as caught:
        RosterChain.begin(bytes(32), three.rosters[0])
    assert caught.value.code == "roster-genesis"
    other = Alliance()
    with pytest.raises(RosterError) as caught:
        RosterChain.begin(three.chain.hashes[0], other.rosters[0])
    assert caught.value.code == "roster-genesis"


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": 2},
        {"previous": b"\1" * 32},
        {"quorum": 2},
        {"revoked": (Revoked("gone", 1, b"\x12" * 32, b"\x13" * 32, b"\x14" * 32),)},
    ],
    ids=["epoch", "previous", "quorum", "revoked"],
)
def test_a_first_roster_that_is_no_beginning_is_refused(alliance, changes):
    roster = replace(alliance.roster, **changes)
    with pytest.raises(RosterError) as caught:
        RosterChain.begin(roster.hash, alliance.forge(roster))
    assert caught.value.code == "roster-invalid"


def test_a_first_roster_needs_its_own_administrators(alliance):
    body = alliance.roster.encode()
    with pytest.raises(RosterError) as caught:
        RosterChain.begin(alliance.roster.hash, SignedRoster(body, ()).encode())
    assert caught.value.code == "roster-quorum"


def test_nobody_is_invited_to_the_first_roster(alliance):
    roster = replace(alliance.roster, members=altered(alliance, FOUNDER, invitation=b"\1" * 32))
    with pytest.raises(RosterError, match="invited"):
        RosterChain.begin(roster.hash, alliance.forge(roster))


# 1. Form: see also test_alteration.py, where every byte is altered


def test_1_a_roster_over_its_size_is_refused_unread(three):
    refused(three, bytes(MAX_ROSTER_BYTES + 1), "roster-malformed", "larger")


def test_1_members_out_of_order_are_refused(three):
    roster = three.next(members=three.roster.members[::-1])
    refused(three, three.forge(roster), "roster-malformed", "ascending")


@pytest.mark.parametrize(
    "changes",
    [
        {"alliance": "Threats.example"},
        {"alliance": "nodot"},
        {"quorum": 0},
        {"issued_at": -1},
        {"issued_at": 1 << 40},
        {"previous": b"short"},
        {"root_certificate": b""},
    ],
    ids=str,
)
def test_1_a_field_out_of_its_form_is_refused(three, changes):
    refused(three, three.forge(three.next(**changes)), "roster-malformed")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "UPPER"},
        {"id": "a" * 41},
        {"id": "-a"},
        {"address": "no port"},
        {"address": "h:99999"},
        {"identity_key": bytes(32)},  # small order: anybody signs for it
        {"identity_key": b"\1" + bytes(31)},
        {"identity_key": b"\xff" * 32},  # not the one encoding
        {"log_key": b"\x11" * 31},
        {"invitation": b"\x11" * 31},
        {"ca_certificate": b""},
    ],
    ids=lambda c: f"{c}"[:50],
)
def test_1_a_member_out_of_its_form_is_refused(three, changes):
    roster = three.next(members=sort([*three.roster.members, three.newcomer("umbra", **changes)]))
    refused(three, three.forge(roster), "roster-malformed")


def test_1_an_unknown_role_is_refused(three):
    roster = three.next(members=altered(three, "globex", role="emperor"))
    refused(three, three.forge(roster), "roster-malformed")


def test_1_revoked_members_out_of_order_are_refused(three):
    for name in ("globex", "initech"):
        three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], [name], NOW))
    roster = three.next(revoked=three.roster.revoked[::-1])
    refused(three, three.forge(roster), "roster-malformed", "ascending")


# 2. Epochs


def test_2_no_epoch_is_left_out(three):
    refused(three, three.forge(three.next(epoch=three.roster.epoch + 2)), "roster-gap")


def test_2_a_second_roster_of_the_same_epoch_is_a_fork(three):
    fork = replace(three.roster, issued_at=three.roster.issued_at + 1)
    refused(three, three.forge(fork), "roster-fork", "second")


def test_2_a_second_old_roster_is_a_fork_too(three):
    old = Roster.decode(SignedRoster.decode(three.rosters[1]).body)
    refused(three, three.forge(replace(old, quorum=1, issued_at=old.issued_at + 5)), "roster-fork")


def test_2_what_follows_the_losing_branch_is_a_fork(alliance):
    left, right = (alliance.forge(alliance.next(issued_at=alliance.roster.issued_at + n)) for n in (1, 2))
    other = alliance.chain.adopt([right])
    follower = replace(other.current, epoch=3, previous=other.current.hash)
    alliance.take(SignedRoster.decode(left))
    refused(alliance, alliance.forge(follower), "roster-fork")


# 3. Continuity


def test_3_it_names_the_roster_before(three):
    refused(three, three.forge(three.next(previous=b"\7" * 32)), "roster-fork", "follow")


def test_3_another_alliance_is_refused(three):
    refused(three, three.forge(three.next(alliance="other.example")), "roster-foreign")


def test_3_the_root_stays(three):
    root = certificates.der(certificates.make_root(ALLIANCE, generate_ca_key(), NOW))
    refused(three, three.forge(three.next(root_certificate=root)), "roster-invalid", "root")


def test_3_time_does_not_run_back(three):
    refused(three, three.forge(three.next(issued_at=three.roster.issued_at - 1)), "roster-invalid", "older")


# 4. Signatures


def test_4_nobody_signed(three):
    refused(three, SignedRoster(three.next().encode(), ()).encode(), "roster-quorum")


def test_4_a_member_who_is_no_administrator_signed(three):
    refused(three, three.forge(three.next(), ["globex"]), "roster-bad-signature")
    refused(three, three.forge(three.next(), [FOUNDER, "globex"]), "roster-bad-signature")


def test_4_a_stranger_signed_in_the_name_of_an_administrator(three):
    three.keys[FOUNDER] = NodeKeys.generate()
    refused(three, three.forge(three.next()), "roster-bad-signature")


def test_4_a_signature_under_another_label_does_not_count(three):
    body = three.next().encode()
    bare = three.keys[FOUNDER].identity.sign(body)
    refused(three, SignedRoster(body, ((FOUNDER, bare),)).encode(), "roster-bad-signature")


def test_4_the_signature_of_another_roster_does_not_count(three):
    other = SignedRoster.decode(three.forge(three.next(issued_at=three.roster.issued_at + 2)))
    refused(three, replace(other, body=three.next().encode()).encode(), "roster-bad-signature")


def two_of_three() -> Alliance:
    alliance = Alliance()
    alliance.join("globex", "initech")
    roles = dict.fromkeys(("globex", "initech"), Role.ADMINISTRATOR)
    founder = alliance.keys[FOUNDER]
    alliance.take(membership.amend(alliance.chain, FOUNDER, founder, NOW, roles=roles, quorum=2))
    return alliance


def test_4_one_signature_of_two_is_not_enough():
    alliance = two_of_three()
    refused(alliance, alliance.forge(alliance.next(), ["globex"]), "roster-quorum", "1 of the 2")
    for pair in (["acme", "globex"], ["acme", "initech"], ["globex", "initech"]):
        assert alliance.chain.adopt([alliance.forge(alliance.next(), pair)]).current.epoch == 5


def test_4_one_administrator_does_not_count_twice():
    alliance = two_of_three()
    (signature,) = SignedRoster.decode(alliance.forge(alliance.next(), ["globex"])).signatures
    twice = SignedRoster(alliance.next().encode(), (signature, signature))
    refused(alliance, twice.encode(), "roster-malformed", "once")


def test_4_one_bad_signature_spoils_enough_good_ones():
    alliance = two_of_three()
    good = SignedRoster.decode(alliance.forge(alliance.next(), ["acme", "globex"]))
    refused(alliance, good.with_signature("initech", bytes(64)).encode(), "roster-bad-signature")


def test_4_the_quorum_is_that_of_the_roster_before():
    alliance = two_of_three()
    lowered = alliance.next(quorum=1)
    refused(alliance, alliance.forge(lowered, ["globex"]), "roster-quorum")
    promoted = Alliance()
    promoted.join("globex")
    coup = promoted.next(members=altered(promoted, "globex", role=Role.ADMINISTRATOR))
    refused(promoted, promoted.forge(coup, ["globex"]), "roster-bad-signature")


# 5 to 8; rule 9 is in test_rules_certificates.py


def test_5_the_quorum_can_be_reached(three):
    refused(three, three.forge(three.next(quorum=2)), "roster-invalid", "fewer")
    demoted = three.next(members=altered(three, FOUNDER, role=Role.MEMBER))
    refused(three, three.forge(demoted), "roster-invalid", "fewer")


@pytest.mark.parametrize("name", ["identity_key", "log_key"])
def test_6_keys_never_change(three, name):
    fresh = public_bytes(NodeKeys.generate().identity)
    roster = three.next(members=altered(three, "globex", **{name: fresh}))
    refused(three, three.forge(roster), "roster-invalid", "keys of globex")


def test_6_nor_does_the_invitation_that_was_used(three):
    roster = three.next(members=altered(three, "globex", invitation=b"\1" * 32))
    refused(three, three.forge(roster), "roster-invalid")


def without(alliance, name, **changes: Any):
    gone = alliance.roster.by_id[name]
    entry = Revoked(name, alliance.roster.epoch + 1, gone.identity_key, gone.log_key, gone.invitation)
    return alliance.next(
        members=tuple(m for m in alliance.roster.members if m.id != name),
        revoked=(replace(entry, **changes),),
    )


def test_7_who_left_is_listed(three):
    assert three.chain.adopt([three.forge(without(three, "globex"))]).current.revoked[0].id == "globex"
    silent = replace(without(three, "globex"), revoked=())
    refused(three, three.forge(silent), "roster-invalid", "revoked")


@pytest.mark.parametrize(
    "changes",
    [{"epoch": 1}, {"log_key": b"\x11" * 32}, {"invitation": b"\1" * 32}],
    ids=lambda c: next(iter(c)),
)
def test_7_as_it_was(three, changes):
    refused(three, three.forge(without(three, "globex", **changes)), "roster-invalid", "revoked")


def test_7_nobody_leaves_that_list(three):
    three.take(SignedRoster.decode(three.forge(without(three, "globex"))))
    refused(three, three.forge(three.next(revoked=())), "roster-invalid", "revoked")


def test_7_nobody_is_put_there_who_was_no_member(three):
    stranger = Revoked("umbra", three.roster.epoch + 1, b"\x12" * 32, b"\x13" * 32, b"\x14" * 32)
    refused(three, three.forge(three.next(revoked=(stranger,))), "roster-invalid", "revoked")


@pytest.mark.parametrize("what", ["identity_key", "log_key", "invitation"])
def test_8_a_newcomer_brings_nothing_of_a_member(three, what):
    taken = getattr(three.roster.by_id["globex"], what)
    roster = three.next(members=sort([*three.roster.members, three.newcomer("umbra", **{what: taken})]))
    refused(three, three.forge(roster), "roster-invalid", "twice")


def test_8_one_key_is_not_both_of_a_member(three):
    newcomer = three.newcomer("umbra")
    newcomer = replace(newcomer, log_key=newcomer.identity_key)
    refused(three, three.forge(three.next(members=sort([*three.roster.members, newcomer]))), "roster-invalid")


@pytest.mark.parametrize("what", ["id", "identity_key", "log_key", "invitation"])
def test_8_nor_of_a_revoked_one(three, what):
    gone = three.roster.by_id["globex"]
    three.take(SignedRoster.decode(three.forge(without(three, "globex"))))
    name = "globex" if what == "id" else "umbra"
    three.keys["globex"] = NodeKeys.generate()
    newcomer = three.newcomer(name, **({} if what == "id" else {what: getattr(gone, what)}))
    refused(
        three,
        three.forge(three.next(members=sort([*three.roster.members, newcomer]))),
        "roster-invalid",
        "twice",
    )


def test_8_a_newcomer_was_invited(three):
    newcomer = three.newcomer("umbra", invitation=NO_INVITATION)
    refused(three, three.forge(three.next(members=sort([*three.roster.members, newcomer]))), "roster-invalid")


def test_a_batch_is_taken_whole_or_not_at_all(three):
    good = three.next()
    chain = three.chain.adopt([three.forge(good)])
    bad = replace(good, epoch=good.epoch + 1, previous=good.hash, quorum=3)
    with pytest.raises(RosterError):
        three.chain.adopt([three.forge(good), three.forge(bad)])
    assert chain.current == good
