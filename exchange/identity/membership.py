"""How an alliance begins and changes: every change is a next roster that administrators sign.

With a quorum of one, an administrator's proposal is in force at once. Otherwise it travels as a file, and
each further administrator adds a signature after looking at what ``review`` says it changes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from crypto import labels
from exchange.errors import MembershipError
from exchange.identity import certificates, encoding
from exchange.identity.keys import NodeKeys, fingerprint, public_bytes, sign
from exchange.identity.roster import NO_HASH, NO_INVITATION, Member, Revoked, Role, Roster, SignedRoster
from exchange.identity.rules import RosterChain, check_each_signature, check_step
from exchange.names import is_address, is_alliance_name


@dataclass(frozen=True, slots=True)
class Review:
    """What a proposed roster changes, for the administrator who is asked to sign it.

    Attributes:
        roster: the proposed roster.
        joined: new members, with the fingerprints to compare with them by telephone.
        left: ids of those who are revoked.
        altered: ids of those whose role, address or intermediate changes.
        quorum: the quorum before and after.
        signed_by: who signed already.
        missing: how many signatures it still needs.
    """

    roster: Roster
    joined: tuple[tuple[Member, str], ...]
    left: tuple[str, ...]
    altered: tuple[str, ...]
    quorum: tuple[int, int]
    signed_by: tuple[str, ...]
    missing: int


def create_alliance(
    alliance: str,
    founder: str,
    keys: NodeKeys,
    root_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    address: str | None = None,
) -> SignedRoster:
    """The first roster: the founder alone, as administrator. Its hash is the alliance's fingerprint.

    Raises:
        MembershipError: the name or the address is not possible.
    """
    if not is_alliance_name(alliance):
        raise MembershipError(
            "the alliance's name is not a lower-case DNS name of at most 64 characters",
            hint="use a name under a domain that one of you holds, such as threats.example",
        )
    _check_address(address)
    root = certificates.make_root(alliance, root_key, now)
    ca = certificates.make_intermediate(
        root, root_key, alliance=alliance, member=founder, public_key=keys.ca.public_key(), now=now
    )
    member = Member(
        id=founder,
        role=Role.ADMINISTRATOR,
        identity_key=public_bytes(keys.identity),
        log_key=public_bytes(keys.log),
        ca_certificate=certificates.der(ca),
        address=address,
        invitation=NO_INVITATION,
    )
    roster = Roster(
        alliance=alliance,
        epoch=1,
        previous=NO_HASH,
        root_certificate=certificates.der(root),
        quorum=1,
        members=(member,),
        revoked=(),
        issued_at=int(now.timestamp()),
    )
    return _signed(roster, founder, keys)


def member_fingerprint(
    alliance: str, member: str, identity_key: bytes, log_key: bytes, ca_key: ec.EllipticCurvePublicKey
) -> str:
    """What a newcomer reads out and every administrator compares: covers its name and all its public keys."""
    keys = [alliance, member, identity_key, log_key, certificates.spki(ca_key)]
    return fingerprint(labels.MEMBER.encode() + b"\0" + encoding.encode(keys))


def fingerprint_of(roster: Roster, member: Member) -> str:
    """The fingerprint of somebody on a roster."""
    ca_key = certificates.p256(certificates.load(member.ca_certificate))
    return member_fingerprint(roster.alliance, member.id, member.identity_key, member.log_key, ca_key)


def admit(
    chain: RosterChain,
    administrator: str,
    keys: NodeKeys,
    root_key: ec.EllipticCurvePrivateKey,
    newcomer: Member,
    ca_key: ec.EllipticCurvePublicKey,
    now: datetime,
    *,
    quorum: int | None = None,
) -> SignedRoster:
    """Propose the next roster with a newcomer, whose intermediate the root signs here.

    Args:
        chain: the rosters so far.
        administrator: who proposes.
        keys: the administrator's.
        root_key: the alliance's.
        newcomer: as requested; its ``ca_certificate`` is filled in here.
        ca_key: the newcomer's, proven by its request.
        now: the time.
        quorum: the quorum from then on, if it changes.

    Raises:
        MembershipError: we are no administrator, or it is not the root's key.
        RosterError: the roster would break a rule.
    """
    roster = chain.current
    certificate = _intermediate(roster, root_key, newcomer.id, ca_key, now)
    members = (*roster.members, replace(newcomer, ca_certificate=certificate))
    return _propose(chain, administrator, keys, now, members=members, quorum=quorum or roster.quorum)


def revoke(
    chain: RosterChain,
    administrator: str,
    keys: NodeKeys,
    members: Collection[str],
    now: datetime,
    *,
    quorum: int | None = None,
) -> SignedRoster:
    """Propose the next roster without some members. Their names and keys stay barred for good.

    Args:
        chain: the rosters so far.
        administrator: who proposes.
        keys: the administrator's.
        members: ids of those who are to leave.
        now: the time.
        quorum: the quorum from then on, if it changes.

    Raises:
        MembershipError: we are no administrator, or somebody is not a member.
        RosterError: the roster would break a rule, such as a quorum that nobody could reach any more.
    """
    roster = chain.current
    gone = {_member(roster, name).id for name in members}
    rest = tuple(m for m in roster.members if m.id not in gone)
    return _propose(chain, administrator, keys, now, members=rest, quorum=quorum or roster.quorum)


def amend(
    chain: RosterChain,
    administrator: str,
    keys: NodeKeys,
    now: datetime,
    *,
    roles: Mapping[str, Role] | None = None,
    addresses: Mapping[str, str | None] | None = None,
    quorum: int | None = None,
) -> SignedRoster:
    """Propose the next roster with other roles, addresses or another quorum.

    Raises:
        MembershipError: we are no administrator, somebody is not a member, or an address is not possible.
        RosterError: the roster would break a rule.
    """
    roles, addresses = roles or {}, addresses or {}
    for name in (*roles, *addresses):
        _member(chain.current, name)
    for address in addresses.values():
        _check_address(address)
    members = tuple(
        replace(m, role=roles.get(m.id, m.role), address=addresses.get(m.id, m.address))
        for m in chain.current.members
    )
    return _propose(chain, administrator, keys, now, members=members, quorum=quorum or chain.current.quorum)


def renew(
    chain: RosterChain,
    administrator: str,
    keys: NodeKeys,
    root_key: ec.EllipticCurvePrivateKey,
    members: Collection[str],
    now: datetime,
) -> SignedRoster:
    """Propose the next roster with fresh intermediates for some members, for the same keys.

    The members need not do anything: each finds its intermediate in the roster.

    Raises:
        MembershipError: we are no administrator, somebody is not a member, or it is not the root's key.
    """
    roster = chain.current
    fresh = {
        name: _intermediate(
            roster, root_key, name, certificates.p256(certificates.load(m.ca_certificate)), now
        )
        for name in members
        for m in [_member(roster, name)]
    }
    renewed = tuple(replace(m, ca_certificate=fresh.get(m.id, m.ca_certificate)) for m in roster.members)
    return _propose(chain, administrator, keys, now, members=renewed)


def review(chain: RosterChain, proposal: SignedRoster) -> Review:
    """Check a proposal by every rule but the number of signatures, and say what it changes.

    Raises:
        MembershipError: it is in force already, or was overtaken.
        RosterError: it breaks a rule, or a signature on it is bad.
    """
    before, after = chain.current, Roster.decode(proposal.body)
    if after.hash in chain.hashes:
        raise MembershipError("the proposal is in force already", code="proposal-known")
    if after.epoch != before.epoch + 1 or after.previous != before.hash:
        raise MembershipError(
            f"the proposal is for roster {after.epoch}, but here roster {before.epoch} is in force",
            code="proposal-stale",
            hint="take up the latest approval file; if that overtook the proposal, have it made again",
        )
    check_each_signature(proposal, before)
    check_step(before, after)
    return Review(
        roster=after,
        joined=tuple((m, fingerprint_of(after, m)) for m in after.members if m.id not in before.by_id),
        left=tuple(m.id for m in before.members if m.id not in after.by_id),
        altered=tuple(m.id for m in after.members if before.by_id.get(m.id) not in {None, m}),
        quorum=(before.quorum, after.quorum),
        signed_by=tuple(name for name, _ in proposal.signatures),
        missing=max(0, before.quorum - len(proposal.signatures)),
    )


def countersign(
    chain: RosterChain, proposal: SignedRoster, administrator: str, keys: NodeKeys
) -> SignedRoster:
    """Add our signature to a proposal.

    Raises:
        MembershipError: we are no administrator, or the proposal was overtaken.
        RosterError: the proposal breaks a rule.
    """
    review(chain, proposal)
    check_administrator(chain.current, administrator, keys)
    return proposal.with_signature(administrator, _signature(proposal.body, keys))


def is_complete(chain: RosterChain, proposal: SignedRoster) -> bool:
    """Whether a proposal has the signatures that it needs."""
    return len(proposal.signatures) >= chain.current.quorum


def check_administrator(roster: Roster, name: str, keys: NodeKeys) -> None:
    """Check that we are an administrator, with the key that the roster has for us.

    Raises:
        MembershipError: we are not.
    """
    member = roster.by_id.get(name)
    if member is None or member.role is not Role.ADMINISTRATOR:
        raise MembershipError(
            f"{name} is not an administrator of {roster.alliance}",
            code="not-administrator",
            hint=f"ask one of: {', '.join(m.id for m in roster.administrators)}",
        )
    if member.identity_key != public_bytes(keys.identity):
        raise MembershipError(f"the roster has another key for {name} than this home", code="key-mismatch")


def _propose(
    chain: RosterChain, administrator: str, keys: NodeKeys, now: datetime, **changes: Any
) -> SignedRoster:
    before = chain.current
    check_administrator(before, administrator, keys)
    changes["members"] = tuple(sorted(changes["members"], key=lambda m: m.id))
    after = replace(
        before,
        epoch=before.epoch + 1,
        previous=before.hash,
        issued_at=max(int(now.timestamp()), before.issued_at),
        **changes,
    )
    after = replace(after, revoked=_revoked_after(before, after))
    if replace(after, epoch=before.epoch, previous=before.previous, issued_at=before.issued_at) == before:
        raise MembershipError("that changes nothing", code="no-change")
    after = Roster.decode(after.encode())
    check_step(before, after)
    return _signed(after, administrator, keys)


def _revoked_after(before: Roster, after: Roster) -> tuple[Revoked, ...]:
    left = (m for m in before.members if m.id not in after.by_id)
    entries = [
        *before.revoked,
        *(Revoked(m.id, after.epoch, m.identity_key, m.log_key, m.invitation) for m in left),
    ]
    return tuple(sorted(entries, key=lambda r: r.id))


def _intermediate(
    roster: Roster,
    root_key: ec.EllipticCurvePrivateKey,
    member: str,
    ca_key: ec.EllipticCurvePublicKey,
    now: datetime,
) -> bytes:
    root = certificates.load(roster.root_certificate)
    if certificates.spki(root_key.public_key()) != certificates.spki(certificates.p256(root)):
        raise MembershipError(
            f"the root key in this home is not that of {roster.alliance}",
            code="root-key",
            hint="put the founder's keys/root.pem in place, admit, and take it away again",
        )
    made = certificates.make_intermediate(
        root, root_key, alliance=roster.alliance, member=member, public_key=ca_key, now=now
    )
    return certificates.der(made)


def _signed(roster: Roster, administrator: str, keys: NodeKeys) -> SignedRoster:
    body = roster.encode()
    return SignedRoster(body, ((administrator, _signature(body, keys)),))


def _signature(body: bytes, keys: NodeKeys) -> bytes:
    return sign(keys.identity, labels.ROSTER, body)


def _member(roster: Roster, name: str) -> Member:
    member = roster.by_id.get(name)
    if member is None:
        raise MembershipError(f"{name} is not a member of {roster.alliance}", code="no-such-member")
    return member


def _check_address(address: str | None) -> None:
    if address is not None and not is_address(address):
        raise MembershipError("the address is not HOST:PORT", hint="such as cosight.acme.example:7443")
