"""The four files of joining, as they are written and strictly read; ``joining`` checks who signed them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from exchange.errors import MembershipError
from exchange.identity import encoding
from exchange.identity.encoding import Kind
from exchange.identity.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, is_strong
from exchange.identity.roster import HASH_BYTES, INVITATION_BYTES, MAX_NUMBER, SignedRoster
from exchange.names import is_address, is_alliance_name, is_member_id

MAX_FILE_BYTES = 64 << 20
_MAX_SMALL_BYTES = 16 << 10
_VERSION = 1
_WHAT = {
    Kind.INVITATION: "an invitation",
    Kind.JOIN_REQUEST: "a join request",
    Kind.PROPOSAL: "a proposed roster",
    Kind.APPROVAL: "an approval",
}


@dataclass(frozen=True, slots=True)
class Token:
    """The signed part of an invitation; a join request quotes it.

    Attributes:
        alliance: who invites.
        genesis: hash of the alliance's first roster.
        inviter: the administrator who signed.
        id: 32 random bytes, good for one member.
        member: the only member id that may use it, or ``None``.
        expires_at: seconds since 1970.
        signature: by the inviter's identity key.
    """

    alliance: str
    genesis: bytes
    inviter: str
    id: bytes
    member: str | None
    expires_at: int
    signature: bytes = bytes(SIGNATURE_BYTES)

    def signed_bytes(self) -> bytes:
        """What the inviter signs."""
        return encoding.encode({"version": _VERSION, **asdict(self), "signature": None})

    @classmethod
    def from_table(cls, value: object) -> Self:
        """Read a token strictly, without checking its signature.

        Raises:
            ValueError: it is malformed.
        """
        token = cls(**encoding.table(
            value, alliance=str, genesis=bytes, inviter=str, id=bytes, member=(str, type(None)),
            expires_at=int, signature=bytes,
        ))  # fmt: skip
        names = [token.inviter] if token.member is None else [token.inviter, token.member]
        if not is_alliance_name(token.alliance) or not all(map(is_member_id, names)):
            raise ValueError("a name in it is not possible")
        sizes = len(token.genesis), len(token.id), len(token.signature)
        if sizes != (HASH_BYTES, INVITATION_BYTES, SIGNATURE_BYTES) or not any(token.id):
            raise ValueError("a field of it has no possible size")
        if not 0 < token.expires_at < MAX_NUMBER:
            raise ValueError("its date is not possible")
        return token


@dataclass(frozen=True, slots=True)
class Request:
    """What a join request says.

    Attributes:
        token: the invitation that it uses.
        member: the newcomer's id.
        identity_key: Ed25519, 32 bytes.
        log_key: Ed25519, 32 bytes.
        certificate_request: PKCS #10, DER, for its intermediate.
        address: ``HOST:PORT``, if its node has one.
    """

    token: Token
    member: str
    identity_key: bytes
    log_key: bytes
    certificate_request: bytes
    address: str | None

    def signed_bytes(self) -> bytes:
        """What the newcomer signs, with both keys."""
        return encoding.encode({"version": _VERSION, **asdict(self)})

    @property
    def keys(self) -> tuple[bytes, bytes]:
        """Who signs, in the order of the signatures."""
        return self.identity_key, self.log_key


def kind_of(text: bytes) -> Kind:
    """What a file is.

    Raises:
        MembershipError: none of ours, or damaged.
    """
    return _open(text)[0]


def write_invitation(token: Token, rosters: Sequence[bytes]) -> bytes:
    """The file of an invitation."""
    return _write(Kind.INVITATION, {"version": _VERSION, "token": asdict(token), "rosters": list(rosters)})


def read_invitation(text: bytes) -> tuple[Token, tuple[bytes, ...]]:
    """The token and the signed rosters in an invitation, none of them verified.

    Raises:
        MembershipError: the file is damaged or another one.
    """
    data = _read(text, Kind.INVITATION, MAX_FILE_BYTES)
    try:
        found = encoding.table(
            encoding.decode(data, limit=MAX_FILE_BYTES), version=int, token=dict, rosters=list
        )
        return Token.from_table(found["token"]), _rosters(found)
    except ValueError as e:
        raise _malformed(Kind.INVITATION, e) from e


def write_request(request: Request, signatures: Sequence[bytes]) -> bytes:
    """The file of a join request."""
    return _write(Kind.JOIN_REQUEST, {"request": request.signed_bytes(), "signatures": list(signatures)})


def read_request(text: bytes) -> tuple[Request, tuple[bytes, ...]]:
    """A join request and its signatures, none of them verified.

    Raises:
        MembershipError: the file is damaged or another one.
    """
    data = _read(text, Kind.JOIN_REQUEST, _MAX_SMALL_BYTES)
    try:
        envelope = encoding.table(
            encoding.decode(data, limit=_MAX_SMALL_BYTES), request=bytes, signatures=list
        )
        encoding.all_of(bytes, envelope["signatures"], "signatures")
        return _request(encoding.decode(envelope["request"], limit=_MAX_SMALL_BYTES)), tuple(
            envelope["signatures"]
        )
    except ValueError as e:
        raise _malformed(Kind.JOIN_REQUEST, e) from e


def write_proposal(proposal: SignedRoster) -> bytes:
    """The file of a roster that still lacks signatures."""
    return encoding.armour(Kind.PROPOSAL, proposal.encode())


def read_proposal(text: bytes) -> SignedRoster:
    """A proposed roster; ``membership.review`` verifies it.

    Raises:
        MembershipError: the file is damaged or another one.
        RosterError: the roster is malformed.
    """
    return SignedRoster.decode(_read(text, Kind.PROPOSAL, MAX_FILE_BYTES))


def write_approval(rosters: Sequence[bytes]) -> bytes:
    """The file that puts a roster in force wherever it is read: newcomer, members, administrators.

    Args:
        rosters: all rosters so far, signed and encoded, oldest first.
    """
    return _write(Kind.APPROVAL, {"version": _VERSION, "rosters": list(rosters)})


def read_approval(text: bytes) -> tuple[bytes, ...]:
    """The signed rosters in an approval, none of them verified: ``RosterChain.adopt`` does.

    Raises:
        MembershipError: the file is damaged or another one.
    """
    data = _read(text, Kind.APPROVAL, MAX_FILE_BYTES)
    try:
        return _rosters(
            encoding.table(encoding.decode(data, limit=MAX_FILE_BYTES), version=int, rosters=list)
        )
    except ValueError as e:
        raise _malformed(Kind.APPROVAL, e) from e


def _rosters(found: dict[str, Any]) -> tuple[bytes, ...]:
    _check_version(found)
    encoding.all_of(bytes, found["rosters"], "rosters")
    if not found["rosters"]:
        raise ValueError("it carries no roster")
    return tuple(found["rosters"])


def _request(value: object) -> Request:
    found = encoding.table(
        value, version=int, token=dict, member=str, identity_key=bytes, log_key=bytes,
        certificate_request=bytes, address=(str, type(None)),
    )  # fmt: skip
    _check_version(found)
    del found["version"]
    request = Request(**{**found, "token": Token.from_table(found["token"])})
    if not is_member_id(request.member):
        raise ValueError("its member id is not possible")
    if request.address is not None and not is_address(request.address):
        raise ValueError("its address is not HOST:PORT")
    if (
        any(len(k) != PUBLIC_KEY_BYTES or not is_strong(k) for k in request.keys)
        or len(set(request.keys)) == 1
    ):
        raise ValueError("its keys are not usable")
    return request


def _check_version(found: dict[str, Any]) -> None:
    if found["version"] != _VERSION:
        raise ValueError("it is from another version of cosight")


def _write(kind: Kind, value: object) -> bytes:
    return encoding.armour(kind, encoding.encode(value))


def _open(text: bytes) -> tuple[Kind, bytes]:
    try:
        return encoding.dearmour(text, limit=2 * MAX_FILE_BYTES)
    except ValueError as e:
        raise MembershipError(f"the file cannot be read: {e}", code="file-malformed") from e


def _read(text: bytes, kind: Kind, limit: int) -> bytes:
    found, data = _open(text)
    if found is not kind:
        raise MembershipError(f"the file is {_WHAT[found]}, not {_WHAT[kind]}", code="file-kind")
    if len(data) > limit:
        raise _malformed(kind, ValueError(f"it is larger than {limit} bytes"))
    return data


def _malformed(kind: Kind, error: ValueError) -> MembershipError:
    return MembershipError(f"the file is no usable {kind.lower()}: {error}", code="file-malformed")
