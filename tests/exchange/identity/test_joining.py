"""Joining with files alone, under one administrator and under two of three; and what must be refused."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exchange.errors import MembershipError, RosterError
from exchange.identity import certificates, encoding, files, joining, membership
from exchange.identity.encoding import Kind
from exchange.identity.keys import NodeKeys, generate_ca_key, public_bytes
from exchange.identity.roster import Role
from exchange.identity.rules import authorise
from tests.exchange.identity.simulator import ALLIANCE, FOUNDER, NOW, Alliance, approval


def refused(code, call, *args: Any, **kwargs: Any):
    with pytest.raises(MembershipError) as caught:
        call(*args, **kwargs)
    assert caught.value.code == code
    return caught.value


def test_three_join_by_files_under_one_administrator(alliance):
    for name in ("globex", "initech"):
        invitation = joining.read_invitation(alliance.invite(name), NOW)
        assert invitation.fingerprint == joining.alliance_fingerprint(alliance.chain)
        keys = alliance.keys[name] = NodeKeys.generate()
        text = joining.make_join_request(invitation, name, keys, address=f"{name}.example:7443")

        request = joining.read_join_request(text, alliance.chain, NOW)
        assert request.fingerprint == joining.own_fingerprint(ALLIANCE, name, keys)
        proposal = alliance.admit(text)
        assert membership.is_complete(alliance.chain, proposal)
        alliance.take(proposal)

        chain, rosters = joining.read_approval(approval(alliance), invitation.token.genesis)
        assert chain == alliance.chain
        assert list(rosters) == alliance.rosters
        us = joining.check_admitted(chain.current, name, keys)
        assert (us.id, us.role, us.address) == (name, Role.MEMBER, f"{name}.example:7443")
        leaf = alliance.leaf(name).chain
        assert authorise(alliance.roster, leaf, NOW) == us
    assert [m.id for m in alliance.roster.members] == ["acme", "globex", "initech"]


@pytest.fixture
def council(three):
    """Three members, all administrators, two of whom must sign."""
    roles = dict.fromkeys(("globex", "initech"), Role.ADMINISTRATOR)
    three.take(membership.amend(three.chain, FOUNDER, three.keys[FOUNDER], NOW, roles=roles, quorum=2))
    return three


def test_a_fourth_joins_under_two_of_three(council):
    text = council.request("umbra", council.invite("umbra", inviter="globex"))
    proposal = files.read_proposal(files.write_proposal(council.admit(text)))
    assert not membership.is_complete(council.chain, proposal)

    seen = membership.review(council.chain, proposal)
    ((newcomer, shown),) = seen.joined
    assert (newcomer.id, seen.left, seen.altered) == ("umbra", (), ())
    assert shown == joining.own_fingerprint(ALLIANCE, "umbra", council.keys["umbra"])
    assert (seen.signed_by, seen.missing, seen.quorum) == (("acme",), 1, (2, 2))

    proposal = membership.countersign(council.chain, proposal, "initech", council.keys["initech"])
    assert membership.is_complete(council.chain, proposal)
    council.take(files.read_proposal(files.write_proposal(proposal)))
    joining.check_admitted(council.roster, "umbra", council.keys["umbra"])


def test_two_of_three_revoke_the_founder(council):
    proposal = membership.revoke(council.chain, "globex", council.keys["globex"], ["acme"], NOW)
    with pytest.raises(RosterError) as caught:
        council.chain.adopt([proposal.encode()])
    assert caught.value.code == "roster-quorum"
    assert membership.review(council.chain, proposal).left == ("acme",)
    council.take(membership.countersign(council.chain, proposal, "initech", council.keys["initech"]))
    assert [r.id for r in council.roster.revoked] == ["acme"]
    refused("not-a-member", joining.check_admitted, council.roster, "acme", council.keys["acme"])


def test_signing_twice_adds_nothing(council):
    proposal = council.admit(council.request("umbra"))
    assert membership.countersign(council.chain, proposal, FOUNDER, council.keys[FOUNDER]) == proposal


def test_a_quorum_that_nobody_could_reach_is_not_proposed(council):
    with pytest.raises(RosterError, match="fewer"):
        membership.revoke(council.chain, "globex", council.keys["globex"], ["acme", "initech"], NOW)
    membership.revoke(council.chain, "globex", council.keys["globex"], ["acme", "initech"], NOW, quorum=1)


def test_an_overtaken_proposal_says_so(three):
    overtaken = three.admit(three.request("umbra"))
    three.take(three.admit(three.request("wayne")))
    refused("proposal-stale", membership.review, three.chain, overtaken)
    refused("proposal-stale", membership.countersign, three.chain, overtaken, FOUNDER, three.keys[FOUNDER])


def test_a_proposal_in_force_says_so(three):
    proposal = three.admit(three.request("umbra"))
    three.take(proposal)
    refused("proposal-known", membership.review, three.chain, proposal)


def test_a_proposal_is_reviewed_by_the_rules(three):
    bad = files.SignedRoster.decode(three.forge(three.next(quorum=3)))
    with pytest.raises(RosterError, match="fewer"):
        membership.review(three.chain, bad)
    unsigned_by_us = three.forge(three.next(), ["globex"])
    with pytest.raises(RosterError, match="signature"):
        membership.review(three.chain, files.SignedRoster.decode(unsigned_by_us))


def test_only_an_administrator_with_its_key_acts(three):
    ours = three.keys["globex"]
    chain = three.chain
    refused("not-administrator", three.invite, inviter="globex")
    refused("not-administrator", membership.revoke, chain, "globex", ours, ["initech"], NOW)
    refused(
        "not-administrator",
        membership.countersign,
        chain,
        three.admit(three.request("umbra")),
        "globex",
        ours,
    )
    refused("key-mismatch", membership.revoke, chain, FOUNDER, ours, ["initech"], NOW)


def test_admitting_needs_the_root_key(three):
    text = three.request("umbra")
    three.root_key = generate_ca_key()
    refused("root-key", three.admit, text)


# Invitations


def test_an_invitation_expires(alliance):
    text = alliance.invite("globex", life=timedelta(days=1))
    joining.read_invitation(text, alliance.later(hours=23))
    refused("invitation-expired", joining.read_invitation, text, alliance.later(hours=24))
    request = alliance.request("globex", text)
    refused("invitation-expired", joining.read_join_request, request, alliance.chain, alliance.later(days=2))


def test_an_invitation_is_good_once(alliance):
    text = alliance.invite()
    first, second = alliance.request("globex", text), alliance.request("initech", text)
    alliance.take(alliance.admit(first))
    refused("invitation-used", joining.read_join_request, second, alliance.chain, NOW)


def test_an_invitation_stays_used_after_its_member_was_revoked(alliance):
    text = alliance.invite()
    second = alliance.request("initech", text)
    alliance.take(alliance.admit(alliance.request("globex", text)))
    alliance.take(membership.revoke(alliance.chain, FOUNDER, alliance.keys[FOUNDER], ["globex"], NOW))
    refused("invitation-used", joining.read_join_request, second, alliance.chain, NOW)


def test_an_invitation_may_be_for_one_name(alliance):
    invitation = joining.read_invitation(alliance.invite("globex"), NOW)
    refused("invitation-foreign", joining.make_join_request, invitation, "initech", NodeKeys.generate())
    unbound = replace(invitation, token=replace(invitation.token, member=None))
    text = joining.make_join_request(unbound, "initech", NodeKeys.generate())
    refused("invitation-forged", joining.read_join_request, text, alliance.chain, NOW)


def test_a_request_under_an_invitation_for_another_name_is_refused(alliance):
    """By a newcomer whose software does not mind."""
    request, _ = files.read_request(alliance.request("globex", alliance.invite("globex")))
    keys = alliance.keys["globex"]
    csr = certificates.make_request("initech", keys.ca)
    renamed = replace(request, member="initech", certificate_request=csr)
    signed = [
        joining.sign(k, joining.labels.JOIN_REQUEST, renamed.signed_bytes())
        for k in (keys.identity, keys.log)
    ]
    text = files.write_request(renamed, signed)
    refused("invitation-foreign", joining.read_join_request, text, alliance.chain, NOW)


def test_the_invitation_of_another_alliance_is_foreign(alliance):
    other = Alliance()  # of the same name, even
    refused("invitation-foreign", joining.read_join_request, other.request("globex"), alliance.chain, NOW)


def test_an_inviter_who_is_no_administrator_any_more_does_not_count(three):
    roles = {"globex": Role.ADMINISTRATOR}
    three.take(membership.amend(three.chain, FOUNDER, three.keys[FOUNDER], NOW, roles=roles))
    text = three.request("umbra", three.invite("umbra", inviter="globex"))
    joining.read_join_request(text, three.chain, NOW)
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["globex"], NOW))
    refused("invitation-foreign", joining.read_join_request, text, three.chain, NOW)


def test_an_invitation_whose_rosters_are_cut_does_not_show_its_inviter(three):
    roles = {"globex": Role.ADMINISTRATOR}
    three.take(membership.amend(three.chain, FOUNDER, three.keys[FOUNDER], NOW, roles=roles))
    token, rosters = files.read_invitation(three.invite("umbra", inviter="globex"))
    refused("invitation-foreign", joining.read_invitation, files.write_invitation(token, rosters[:-1]), NOW)
    refused(
        "file-malformed", joining.read_invitation, files.write_invitation(token, [*rosters, rosters[-1]]), NOW
    )


# Requests


def test_a_name_that_is_taken_or_barred_is_refused(three):
    invitation = joining.read_invitation(three.invite(), NOW)
    text = joining.make_join_request(invitation, "umbra", three.keys.setdefault("umbra", NodeKeys.generate()))
    late = joining.make_join_request(
        joining.read_invitation(three.invite(), NOW), "umbra", NodeKeys.generate()
    )
    three.take(three.admit(text))
    refused("member-taken", joining.read_join_request, late, three.chain, NOW)
    refused("member-taken", three.invite, "umbra")
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["umbra"], NOW))
    refused("member-revoked", joining.read_join_request, late, three.chain, NOW)
    refused("member-revoked", three.invite, "umbra")
    refused("member-revoked", three.request, "umbra")


def test_keys_of_a_member_or_of_a_revoked_one_are_refused(three):
    old = three.keys["globex"]
    for name in ("identity", "log"):
        three.keys["umbra"] = replace(NodeKeys.generate(), **{name: getattr(old, name)})
        text = three.request("umbra")
        refused("member-key-taken", joining.read_join_request, text, three.chain, NOW)
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["globex"], NOW))
    refused("member-key-taken", joining.read_join_request, text, three.chain, NOW)


def test_a_request_proves_every_key_in_it(alliance):
    alliance.request("globex")
    request, (by_identity, by_log) = files.read_request(alliance.request("globex"))
    mine, theirs = NodeKeys.generate(), certificates.make_request("initech", alliance.keys["globex"].ca)
    forged = [
        (request, [by_identity]),
        (request, [by_log, by_identity]),
        (request, [by_identity, by_log, by_log]),
        (replace(request, log_key=public_bytes(mine.log)), [by_identity, by_log]),
        (replace(request, identity_key=public_bytes(mine.identity)), [by_identity, by_log]),
    ]
    for changed, signatures in forged:
        text = files.write_request(changed, signatures)
        refused("request-forged", joining.read_join_request, text, alliance.chain, NOW)
    stolen = replace(request, certificate_request=theirs)
    keys = alliance.keys["globex"]
    signed = [
        joining.sign(k, joining.labels.JOIN_REQUEST, stolen.signed_bytes()) for k in (keys.identity, keys.log)
    ]
    text = files.write_request(stolen, signed)
    error = refused("request-forged", joining.read_join_request, text, alliance.chain, NOW)
    assert "not that of the member" in str(error)


@pytest.mark.parametrize("address", ["nowhere", "host:", "host:port", "a b:1", "h:65536", "::1:80"])
def test_an_address_is_host_and_port(alliance, address):
    invitation = joining.read_invitation(alliance.invite(), NOW)
    with pytest.raises(MembershipError, match="HOST:PORT"):
        joining.make_join_request(invitation, "globex", NodeKeys.generate(), address=address)


# Approvals and other changes


def test_an_approval_of_another_alliance_is_refused(three):
    with pytest.raises(RosterError) as caught:
        joining.read_approval(approval(Alliance()), three.chain.hashes[0])
    assert caught.value.code == "roster-genesis"


def test_an_approval_on_another_branch_does_not_continue_ours(three):
    branch = three.chain, list(three.rosters)
    three.join("umbra")
    ours = three.chain
    three.chain, three.rosters = branch
    three.join("wayne")
    _, rosters = joining.read_approval(approval(three), ours.hashes[0])
    with pytest.raises(RosterError, match="different roster 4") as caught:
        ours.adopt(rosters)
    assert caught.value.code == "roster-fork"


def test_being_admitted_with_other_keys_is_noticed(three):
    refused("key-mismatch", joining.check_admitted, three.roster, "globex", NodeKeys.generate())
    other_ca = replace(three.keys["globex"], ca=generate_ca_key())
    refused("key-mismatch", joining.check_admitted, three.roster, "globex", other_ca)
    refused("not-a-member", joining.check_admitted, three.roster, "umbra", NodeKeys.generate())


def test_amending_changes_what_it_says_and_no_more(three):
    founder = three.keys[FOUNDER]
    amended = membership.amend(three.chain, FOUNDER, founder, NOW, addresses={"globex": "[2001:db8::1]:7443"})
    assert membership.review(three.chain, amended).altered == ("globex",)
    three.take(amended)
    assert three.roster.by_id["globex"].address == "[2001:db8::1]:7443"
    refused("no-change", membership.amend, three.chain, FOUNDER, founder, NOW, quorum=1)
    refused("no-such-member", membership.amend, three.chain, FOUNDER, founder, NOW, addresses={"umbra": None})
    refused("no-such-member", membership.revoke, three.chain, FOUNDER, founder, ["umbra"], NOW)


def test_renewing_an_intermediate_needs_nothing_from_the_member(three):
    old = certificates.load(three.roster.by_id["globex"].ca_certificate)
    three.now = three.later(days=4 * 365)
    renewed = membership.renew(
        three.chain, FOUNDER, three.keys[FOUNDER], three.root_key, ["globex"], three.now
    )
    assert membership.review(three.chain, renewed).altered == ("globex",)
    three.take(renewed)
    new = certificates.load(three.roster.by_id["globex"].ca_certificate)
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert new.public_key() == old.public_key()
    authorise(three.roster, three.leaf("globex").chain, three.now)


def test_a_clock_behind_the_last_roster_does_not_stop_an_administrator(three):
    earlier = NOW - timedelta(hours=1)
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["globex"], earlier))
    assert three.roster.issued_at == int(NOW.timestamp())


@pytest.mark.parametrize("name", ["nodot", "UPPER.example", "a..b", "-a.example", "x" * 60 + ".example", ""])
def test_an_alliance_needs_a_possible_name(name):
    with pytest.raises(MembershipError, match="DNS name"):
        membership.create_alliance(name, FOUNDER, NodeKeys.generate(), generate_ca_key(), NOW)


# The text of the files


def test_a_file_survives_what_mail_does_to_it(alliance):
    text = alliance.invite()
    assert files.kind_of(text) is Kind.INVITATION
    assert text.startswith(b"-----BEGIN COSIGHT INVITATION-----\n")
    assert max(map(len, text.splitlines())) <= 76
    mangled = [
        text.replace(b"\n", b"\r\n"),
        b"Dear Globex,\n\nhere it is:\n\n" + text + b"\n-- \nAcme\n",
        b"".join(b"> " + line + b"\n" for line in text.splitlines()),
        text.replace(b"\n", b"  \n\n"),
    ]
    for mail in mangled:
        assert joining.read_invitation(mail, NOW).token == joining.read_invitation(text, NOW).token


def test_there_is_one_text_of_a_file():
    text = encoding.armour(Kind.APPROVAL, b"\0")
    assert encoding.dearmour(text, limit=1000) == (Kind.APPROVAL, b"\0")
    with pytest.raises(ValueError, match="damaged"):  # bits that base64 leaves unused
        encoding.dearmour(text.replace(b"AA==", b"AB=="), limit=1000)


def test_the_wrong_file_is_named(alliance):
    error = refused("file-kind", joining.read_invitation, alliance.request("globex"), NOW)
    assert str(error) == "the file is a join request, not an invitation"
    refused("file-malformed", joining.read_invitation, b"hello", NOW)
    refused("file-malformed", joining.read_invitation, alliance.invite() * 2, NOW)
    unknown = alliance.invite().replace(b"INVITATION", b"RECEIPT")
    refused("file-malformed", joining.read_invitation, unknown, NOW)


def test_another_version_is_refused(alliance):
    _, data = encoding.dearmour(alliance.invite(), limit=1 << 20)
    later = encoding.armour(
        Kind.INVITATION, encoding.encode({**encoding.decode(data, limit=1 << 20), "version": 2})
    )
    assert "version" in str(refused("file-malformed", joining.read_invitation, later, NOW))
