"""The roster: who is in the alliance, in one canonical document a change, signed by its administrators.

This file knows what a roster says and how it is written. Which roster may follow which is in ``rules``.
"""

import hashlib
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

from crypto import labels
from exchange.errors import RosterError
from exchange.identity import encoding
from exchange.identity.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, is_strong
from exchange.names import is_address, is_alliance_name, is_member_id

VERSION = 1
HASH_BYTES = 32
INVITATION_BYTES = 32
NO_HASH = bytes(HASH_BYTES)
NO_INVITATION = bytes(INVITATION_BYTES)
"""In place of an invitation: the member founded the alliance."""
MAX_ROSTER_BYTES = 1 << 20
"""Of a roster with its signatures; one greeting between two nodes must carry it."""
MAX_MEMBERS = 1000
MAX_REVOKED = 10_000
_MAX_CERTIFICATE = 2048
MAX_NUMBER = 1 << 36
"""Of an epoch, a quorum or a time in seconds: every calendar can still show it."""


class Role(StrEnum):
    """What a member may do in the alliance's name."""

    MEMBER = "member"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Member:
    """One organisation in the alliance.

    Attributes:
        id: its name, a DNS label.
        role: whether it signs rosters.
        identity_key: Ed25519, 32 bytes; signs agreements, join requests and rosters. Never changes.
        log_key: Ed25519, 32 bytes; signs its ledger's checkpoints. Never changes.
        ca_certificate: its intermediate, DER; pins whose leaves are its own.
        address: where its node is reached, ``HOST:PORT``; a hint.
        invitation: id of the invitation it came with, 32 bytes.
    """

    id: str
    role: Role
    identity_key: bytes
    log_key: bytes
    ca_certificate: bytes
    address: str | None
    invitation: bytes


@dataclass(frozen=True, slots=True)
class Revoked:
    """A former member. It stays listed, so that neither its name nor its keys can come back unnoticed.

    Attributes:
        id: its name.
        epoch: the first epoch without it.
        identity_key: as it was; old signatures can still be checked.
        log_key: as it was.
        invitation: id of the invitation that it used.
    """

    id: str
    epoch: int
    identity_key: bytes
    log_key: bytes
    invitation: bytes


@dataclass(frozen=True)
class Roster:
    """One epoch of the alliance.

    Attributes:
        alliance: its name, a DNS name.
        epoch: number of this roster, from 1.
        previous: hash of the roster before, or 32 zero bytes.
        root_certificate: DER.
        quorum: how many administrators must sign the next roster.
        members: by ascending id.
        revoked: by ascending id.
        issued_at: seconds since 1970.
    """

    alliance: str
    epoch: int
    previous: bytes
    root_certificate: bytes
    quorum: int
    members: tuple[Member, ...]
    revoked: tuple[Revoked, ...]
    issued_at: int

    def encode(self) -> bytes:
        """The one encoding of this roster; what is hashed and signed."""
        return encoding.encode({"version": VERSION, **asdict(self)})

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a roster strictly: its form, its order and its sizes, but no signature.

        Raises:
            RosterError: it is malformed.
        """
        try:
            roster = cls(**_fields(encoding.decode(body, limit=MAX_ROSTER_BYTES)))
            _check_form(roster)
        except ValueError as e:
            raise RosterError(f"the roster is malformed: {e}", code="roster-malformed") from e
        return roster

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the encoding; names this roster."""
        return hashlib.sha256(self.encode()).digest()

    @cached_property
    def by_id(self) -> dict[str, Member]:
        """The members by id."""
        return {m.id: m for m in self.members}

    @property
    def entries(self) -> tuple[Member | Revoked, ...]:
        """Everybody who is or was a member."""
        return (*self.members, *self.revoked)

    @property
    def administrators(self) -> tuple[Member, ...]:
        """Whose signatures count on the next roster."""
        return tuple(m for m in self.members if m.role is Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class SignedRoster:
    """A roster and who signed it.

    Attributes:
        body: the roster, encoded.
        signatures: ``(administrator, signature)``, by ascending administrator.
    """

    body: bytes
    signatures: tuple[tuple[str, bytes], ...]

    LABEL = labels.ROSTER

    def encode(self) -> bytes:
        """The one encoding."""
        return encoding.encode({"roster": self.body, "signatures": [list(s) for s in self.signatures]})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a signed roster strictly, without checking a signature.

        Raises:
            RosterError: it is malformed.
        """
        try:
            value = encoding.table(
                encoding.decode(data, limit=MAX_ROSTER_BYTES), roster=bytes, signatures=list
            )
            encoding.all_of(list, value["signatures"], "signatures")
            signatures = tuple(tuple(pair) for pair in value["signatures"])
            for pair in signatures:
                if [type(part) for part in pair] != [str, bytes] or len(pair[1]) != SIGNATURE_BYTES:
                    raise ValueError("a signature is not one")  # noqa: TRY301
            _check_ascending([name for name, _ in signatures], "signatures")
        except ValueError as e:
            raise RosterError(f"the roster is malformed: {e}", code="roster-malformed") from e
        return cls(value["roster"], signatures)

    def with_signature(self, administrator: str, signature: bytes) -> Self:
        """The same roster with one more signature."""
        others = [s for s in self.signatures if s[0] != administrator]
        return type(self)(self.body, tuple(sorted([*others, (administrator, signature)])))


def _fields(value: object) -> dict[str, Any]:
    found = encoding.table(
        value, version=int, alliance=str, epoch=int, previous=bytes, root_certificate=bytes, quorum=int,
        members=list, revoked=list, issued_at=int,
    )  # fmt: skip
    if found.pop("version") != VERSION:
        raise ValueError("its version is not one that this cosight knows")
    if len(found["members"]) > MAX_MEMBERS or len(found["revoked"]) > MAX_REVOKED:
        raise ValueError("it lists too many members")
    found["members"] = tuple(_member(m) for m in found["members"])
    found["revoked"] = tuple(_revoked(r) for r in found["revoked"])
    return found


def _member(value: object) -> Member:
    found = encoding.table(
        value, id=str, role=str, identity_key=bytes, log_key=bytes, ca_certificate=bytes,
        address=(str, type(None)), invitation=bytes,
    )  # fmt: skip
    member = Member(**{**found, "role": Role(found["role"])})
    _check_names(member)
    if not 0 < len(member.ca_certificate) <= _MAX_CERTIFICATE:
        raise ValueError(f"the certificate of {member.id} has no possible size")
    if member.address is not None and not is_address(member.address):
        raise ValueError(f"the address of {member.id} is not HOST:PORT")
    return member


def _revoked(value: object) -> Revoked:
    found = encoding.table(value, id=str, epoch=int, identity_key=bytes, log_key=bytes, invitation=bytes)
    revoked = Revoked(**found)
    _check_names(revoked)
    return revoked


def _check_names(entry: Member | Revoked) -> None:
    if not is_member_id(entry.id):
        raise ValueError("a member id is not a lower-case DNS label of at most 40 characters")
    for key in (entry.identity_key, entry.log_key):
        if len(key) != PUBLIC_KEY_BYTES or not is_strong(key):
            raise ValueError(f"a key of {entry.id} is not a usable Ed25519 key")
    if len(entry.invitation) != INVITATION_BYTES:
        raise ValueError(f"the invitation of {entry.id} has not {INVITATION_BYTES} bytes")


def _check_form(roster: Roster) -> None:
    if not is_alliance_name(roster.alliance):
        raise ValueError("the alliance's name is not a lower-case DNS name")
    for number in (roster.epoch, roster.quorum, roster.issued_at, *(r.epoch for r in roster.revoked)):
        if not 0 < number < MAX_NUMBER:
            raise ValueError("a number is out of range")
    if len(roster.previous) != HASH_BYTES:
        raise ValueError(f"the hash of the roster before has not {HASH_BYTES} bytes")
    if not 0 < len(roster.root_certificate) <= _MAX_CERTIFICATE:
        raise ValueError("the root certificate has no possible size")
    _check_ascending([m.id for m in roster.members], "members")
    _check_ascending([r.id for r in roster.revoked], "revoked")


def _check_ascending(names: list[str], what: str) -> None:
    if any(a >= b for a, b in pairwise(names)):
        raise ValueError(f"{what} are not in ascending order, each once")
