"""Joining by e-mail: invitation -> join request -> (proposed roster ->) approval. Four files, nothing else.

Each file proves itself: an administrator signs the invitation, the newcomer signs the request with both of
its keys and quotes the invitation in it, and the approval is the chain of signed rosters. So any
administrator can check any of them, and whether an invitation was used stands in the roster. What a file
cannot prove is who sent it: both sides compare a fingerprint by telephone.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from crypto import labels
from exchange.errors import MembershipError
from exchange.identity import certificates, files
from exchange.identity.files import Request, Token
from exchange.identity.keys import NodeKeys, fingerprint, public_bytes, sign, verify
from exchange.identity.membership import check_administrator, fingerprint_of, member_fingerprint
from exchange.identity.roster import INVITATION_BYTES, Member, Role, Roster
from exchange.identity.rules import RosterChain
from exchange.names import is_address, is_member_id

INVITATION_LIFE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that was verified.

    Attributes:
        token: what it grants.
        chain: the alliance's rosters, verified from the first.
        rosters: the same, signed and encoded, oldest first.
        fingerprint: of the first roster, to compare with the inviter by telephone.
    """

    token: Token
    chain: RosterChain
    rosters: tuple[bytes, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A request that was verified, for the administrator who decides.

    Attributes:
        token: the invitation that it uses.
        newcomer: as it would stand in the roster, its intermediate still missing.
        ca_key: what the intermediate will be for.
        fingerprint: to compare with the newcomer by telephone.
    """

    token: Token
    newcomer: Member
    ca_key: ec.EllipticCurvePublicKey
    fingerprint: str


def alliance_fingerprint(chain: RosterChain) -> str:
    """What every member sees for the alliance, whatever the epoch: that of its first roster."""
    return fingerprint(chain.hashes[0])


def own_fingerprint(alliance: str, member: str, keys: NodeKeys) -> str:
    """What a newcomer reads out to the administrator."""
    public = public_bytes(keys.identity), public_bytes(keys.log)
    return member_fingerprint(alliance, member, *public, keys.ca.public_key())


def make_invitation(
    chain: RosterChain,
    inviter: str,
    keys: NodeKeys,
    now: datetime,
    *,
    rosters: Sequence[bytes],
    member: str | None = None,
    life: timedelta = INVITATION_LIFE,
    rng: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """An invitation, for one newcomer; the file.

    Args:
        chain: the rosters so far.
        inviter: the administrator who invites.
        keys: the inviter's.
        now: the time.
        rosters: all rosters so far, signed and encoded, oldest first.
        member: the only member id that may use it.
        life: how long it is good.
        rng: source of its id.

    Raises:
        MembershipError: we are no administrator, or the id is taken, barred or not possible.
    """
    check_administrator(chain.current, inviter, keys)
    if member is not None:
        _check_free(chain.current, member)
    expires_at = int((now + life).timestamp())
    token = Token(chain.current.alliance, chain.hashes[0], inviter, rng(INVITATION_BYTES), member, expires_at)
    signature = sign(keys.identity, labels.INVITATION, token.signed_bytes())
    return files.write_invitation(replace(token, signature=signature), rosters)


def read_invitation(text: bytes, now: datetime) -> Invitation:
    """Read an invitation and verify everything in it.

    Raises:
        MembershipError: it is damaged, forged or has expired.
        RosterError: its rosters break a rule.
    """
    token, rosters = files.read_invitation(text)
    chain = _whole_chain(token.genesis, rosters)
    _check_token(token, chain, now)
    return Invitation(token, chain, rosters, alliance_fingerprint(chain))


def make_join_request(
    invitation: Invitation, member: str, keys: NodeKeys, *, address: str | None = None
) -> bytes:
    """A request to join, answering an invitation; the file.

    Args:
        invitation: what ``read_invitation`` gave.
        member: our id.
        keys: ours.
        address: ``HOST:PORT`` where our node will be reached.

    Raises:
        MembershipError: the invitation is for another id, or the id or the address is not possible.
    """
    _check_meant_for(invitation.token, member)
    _check_free(invitation.chain.current, member)
    if address is not None and not is_address(address):
        raise MembershipError("the address is not HOST:PORT", hint="such as cosight.acme.example:7443")
    request = Request(
        token=invitation.token,
        member=member,
        identity_key=public_bytes(keys.identity),
        log_key=public_bytes(keys.log),
        certificate_request=certificates.make_request(member, keys.ca),
        address=address,
    )
    body = request.signed_bytes()
    return files.write_request(
        request, [sign(k, labels.JOIN_REQUEST, body) for k in (keys.identity, keys.log)]
    )


def read_join_request(text: bytes, chain: RosterChain, now: datetime) -> JoinRequest:
    """Read a join request and verify everything in it against the roster in force.

    Raises:
        MembershipError: it is damaged, forged or for another alliance, its invitation was used or has
            expired, or its name or keys are taken or barred.
    """
    request, signatures = files.read_request(text)
    _check_token(request.token, chain, now)
    _check_meant_for(request.token, request.member)
    body = request.signed_bytes()
    if len(signatures) != len(request.keys) or not all(
        verify(key, labels.JOIN_REQUEST, body, signature)
        for key, signature in zip(request.keys, signatures, strict=True)
    ):
        raise MembershipError("a signature on the join request is bad", code="request-forged")
    try:
        ca_key = certificates.check_request(request.certificate_request, request.member)
    except ValueError as e:
        raise MembershipError(f"the join request cannot be used: {e}", code="request-forged") from e
    _check_free(chain.current, request.member)
    _check_unused(chain.current, request)
    newcomer = Member(
        id=request.member,
        role=Role.MEMBER,
        identity_key=request.identity_key,
        log_key=request.log_key,
        ca_certificate=b"",
        address=request.address,
        invitation=request.token.id,
    )
    shown = member_fingerprint(chain.current.alliance, newcomer.id, *request.keys, ca_key)
    return JoinRequest(request.token, newcomer, ca_key, shown)


def read_approval(text: bytes, genesis: bytes) -> tuple[RosterChain, tuple[bytes, ...]]:
    """Read an approval and verify every roster in it.

    Args:
        text: the file.
        genesis: hash of the alliance's first roster: from the invitation, or of the rosters that we hold.

    Returns:
        The chain that it makes, and its rosters, signed and encoded, to be kept.

    Raises:
        MembershipError: the file is damaged or another one.
        RosterError: its rosters are another alliance's, or break a rule.
    """
    rosters = files.read_approval(text)
    return _whole_chain(genesis, rosters), rosters


def check_admitted(roster: Roster, member: str, keys: NodeKeys) -> Member:
    """Check that we are on the roster with exactly our keys.

    Raises:
        MembershipError: we are not; says in what.
    """
    found = roster.by_id.get(member)
    if found is None:
        gone = next((r for r in roster.revoked if r.id == member), None)
        raise MembershipError(
            f"{member} is not on roster {roster.epoch} of {roster.alliance}"
            + (f": it was revoked with roster {gone.epoch}" if gone else ""),
            code="not-a-member",
            hint="" if gone else "take up the approval file when it comes: cosight alliance join FILE",
        )
    if fingerprint_of(roster, found) != own_fingerprint(roster.alliance, member, keys):
        raise MembershipError(f"the roster has other keys for {member} than this home", code="key-mismatch")
    return found


def _whole_chain(genesis: bytes, rosters: Sequence[bytes]) -> RosterChain:
    """The chain of rosters from the first on, each once."""
    chain = RosterChain.begin(genesis, rosters[0]).adopt(rosters[1:])
    if len(chain.hashes) != len(rosters):
        raise MembershipError("the file carries a roster twice", code="file-malformed")
    return chain


def _check_token(token: Token, chain: RosterChain, now: datetime) -> None:
    roster = chain.current
    if token.alliance != roster.alliance or token.genesis != chain.hashes[0]:
        raise MembershipError(
            f"the invitation is of another alliance ({token.alliance})", code="invitation-foreign"
        )
    inviter = roster.by_id.get(token.inviter)
    if inviter is None or inviter.role is not Role.ADMINISTRATOR:
        raise MembershipError(
            f"the invitation is signed by {token.inviter}, who is not an administrator",
            code="invitation-foreign",
        )
    if not verify(inviter.identity_key, labels.INVITATION, token.signed_bytes(), token.signature):
        raise MembershipError("the signature on the invitation is bad", code="invitation-forged")
    if now.timestamp() >= token.expires_at:
        when = datetime.fromtimestamp(token.expires_at, UTC)
        raise MembershipError(
            f"the invitation expired on {when:%Y-%m-%d %H:%M} UTC",
            code="invitation-expired",
            hint="ask for another; an administrator makes it with: cosight alliance invite",
        )


def _check_meant_for(token: Token, member: str) -> None:
    if token.member not in {None, member}:
        raise MembershipError(
            f"the invitation is for {token.member}, not for {member}", code="invitation-foreign"
        )


def _check_free(roster: Roster, member: str) -> None:
    if not is_member_id(member):
        raise MembershipError("a member id is a lower-case DNS label of at most 40 characters")
    if member in roster.by_id:
        raise MembershipError(f"{member} is a member already", code="member-taken")
    if any(r.id == member for r in roster.revoked):
        raise MembershipError(
            f"{member} was revoked; its name and keys stay barred in this alliance",
            code="member-revoked",
            hint="it may join again under another name, with new keys",
        )


def _check_unused(roster: Roster, request: Request) -> None:
    for entry in roster.entries:
        if entry.invitation == request.token.id:
            raise MembershipError(
                f"the invitation was used by {entry.id} already",
                code="invitation-used",
                hint="make another with: cosight alliance invite",
            )
        if {entry.identity_key, entry.log_key} & set(request.keys):
            raise MembershipError(f"the request has a key of {entry.id}", code="member-key-taken")
