"""The keys that the parts of a discovery announce, and what shows that a member announced two sets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from crypto import labels
from exchange.aggregation.round import KEY_BYTES, Round
from exchange.errors import PeerMisbehaved
from exchange.identity import encoding, keys
from exchange.ledger.document import Document, DocumentKind
from exchange.names import is_member_id

MAX_ANNOUNCEMENT_BYTES = 1 << 10
MAX_SPLIT_BYTES = 1 << 11


class Known(Protocol):
    """Somebody whose key a roster has."""

    @property
    def identity_key(self) -> bytes:
        """It never changes."""


Find = Callable[[str], Known | None]
"""A member by its id: of the roster in force, or of one that was."""


class Signed(NamedTuple):
    """What somebody said, and its signature.

    Attributes:
        body: the encoding.
        signature: over that, 64 bytes.
    """

    body: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The public keys of a member for a discovery, 32 bytes each.

    Attributes:
        alliance: its name.
        member: whose they are.
        plan: of the discovery.
        helper: the key under which it evaluates indicators; the same for a whole epoch.
        token: the key under which it evaluates tokens of this discovery.
        box: the key under which batches of this discovery are sealed for it.
        secret: the name of what all of these come from: under one name there is one set of keys for a plan.
    """

    alliance: str
    member: str
    plan: bytes
    helper: bytes
    token: bytes
    box: bytes
    secret: bytes

    @property
    def encoded(self) -> bytes:
        """The one encoding."""
        return encoding.encode({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one strictly.

        Raises:
            PeerMisbehaved: it is malformed.
        """
        try:
            found = cls(
                **encoding.table(
                    encoding.decode(data, limit=MAX_ANNOUNCEMENT_BYTES),
                    alliance=str, member=str, plan=bytes, helper=bytes, token=bytes, box=bytes, secret=bytes,
                )
            )  # fmt: skip
        except ValueError as e:
            raise PeerMisbehaved(f"the announced keys are malformed: {e}") from e
        if {len(found.helper), len(found.token), len(found.box), len(found.secret)} != {KEY_BYTES}:
            raise PeerMisbehaved("the announced keys are malformed")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """That a member announced two sets of keys for one plan, and says that they come from one secret.

    Attributes:
        member: who.
        first: what it announced, and its signature.
        second: what else it announced.
    """

    CODE: ClassVar[str] = "split-keys"
    member: str
    first: Signed = field(repr=False)
    second: Signed = field(repr=False)

    def encode(self) -> bytes:
        """The one encoding."""
        return encoding.encode(
            {"code": self.CODE, "member": self.member, "said": [*self.first, *self.second]}
        )

    @classmethod
    def typed(cls, plain: dict[str, Any]) -> Self:
        """Of what was decoded; ``ValueError`` where it is none."""
        of = encoding.table(plain, member=str, said=list)
        encoding.all_of(bytes, of["said"], "said")
        body, signature, other, again = of["said"]
        return cls(member=of["member"], first=Signed(body, signature), second=Signed(other, again))

    @property
    def document(self) -> Document:
        """As it is kept beside an entry of the ledger that accuses the member."""
        return Document(DocumentKind.SPLIT, self.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Read the one encoding strictly; None where it is none."""
        try:
            plain = encoding.decode(data, limit=MAX_SPLIT_BYTES)
            return cls.typed(plain) if plain.pop("code") == cls.CODE else None
        except (ValueError, KeyError, AttributeError, TypeError):
            return None

    def holds(self, find: Find, of: Round) -> bool:
        """Whether both are its word on this plan, and cannot both be true."""
        return self.plan(find, of.alliance) == of.plan

    def plan(self, find: Find, alliance: str) -> bytes | None:
        """The plan of which both are its word, where they cannot both be true; None where that is not so."""
        member = find(self.member) if is_member_id(self.member) else None
        both = [_read(said) for said in (self.first, self.second)]
        one, other = both
        if member is None or one is None or other is None or one == other:
            return None
        signed = all(
            keys.verify(member.identity_key, labels.DISCOVERY_KEYS, said.body, said.signature)
            for said in (self.first, self.second)
        )
        theirs = {(said.alliance, said.member) for said in (one, other)} == {(alliance, self.member)}
        alike = (one.plan, one.secret) == (other.plan, other.secret)
        return one.plan if signed and theirs and alike else None


def _read(said: Signed) -> Announced | None:
    try:
        return Announced.decode(said.body)
    except PeerMisbehaved:
        return None
