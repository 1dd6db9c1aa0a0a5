"""What shows to anybody that a member broke a rule. A name without it is the word of whoever says it.

A share that is wrong: the record, the secret behind its tag, and what ties it to the root that the member
signed with its batch. The counter gives these without knowing whose they are; the relay adds whose signature
stands under that root, if all of it fits, and else drops it unread. Keys that were announced twice: both
announcements.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from crypto import commitment
from crypto.commitment import Opening
from crypto.rows import MAX_ROWS
from crypto.secagg import counting
from crypto.secagg.discovery import FIELD_BYTES, RECORD_BYTES
from exchange.aggregation.announced import Find, Signed, Split
from exchange.aggregation.round import HASH_BYTES, Round
from exchange.discovery import signing
from exchange.discovery.outcome import BLAMES
from exchange.discovery.world import Stage
from exchange.errors import PeerMisbehaved
from exchange.identity import encoding
from exchange.names import is_member_id

MAX_PROOF_BYTES = 1 << 11
_MAX_PATH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongShare:
    """That a batch holds a share that is wrong.

    Attributes:
        member: whose batch it is; ``""`` where the relay has not said it yet.
        digest: of the batch.
        root: that was signed with it; ``b""`` where the relay has not said it yet.
        signature: of the member, over both; the same.
        shown: the record, and what ties it to the root.
    """

    CODE: ClassVar[str] = "bad-share"
    member: str = ""
    digest: bytes
    root: bytes = b""
    signature: bytes = field(default=b"", repr=False)
    shown: counting.Proof = field(repr=False)

    def encode(self) -> bytes:
        """The one encoding."""
        shown, opening = self.shown, self.shown.opening
        return encoding.encode(
            {
                "code": self.CODE, "member": self.member, "digest": self.digest, "root": self.root,
                "signature": self.signature, "record": shown.record, "secret": shown.secret,
                "count": shown.count, "blind": opening.blind, "index": opening.index,
                "path": opening.path.tobytes(),
            }
        )  # fmt: skip

    @classmethod
    def typed(cls, plain: dict[str, Any]) -> Self:
        """Of what was decoded; ``ValueError`` where it is none."""
        of = encoding.table(
            plain, member=str, digest=bytes, root=bytes, signature=bytes, record=bytes, secret=bytes,
            count=int, blind=bytes, index=int, path=bytes,
        )  # fmt: skip
        depth, rest = divmod(len(of["path"]), HASH_BYTES)
        sizes = [len(of[name]) for name in ("digest", "record", "secret", "blind")]
        fits = sizes == [HASH_BYTES, RECORD_BYTES, FIELD_BYTES, HASH_BYTES] and depth <= _MAX_PATH
        if rest or not fits or not 0 <= of["index"] < of["count"] <= MAX_ROWS:
            raise ValueError("a part of it has another length")
        path = np.frombuffer(of["path"], np.uint8).reshape(depth, HASH_BYTES)
        opening = Opening(of["blind"], of["index"], path)
        return cls(
            member=of["member"], digest=of["digest"], root=of["root"], signature=of["signature"],
            shown=counting.Proof(of["record"], of["secret"], of["count"], opening),
        )  # fmt: skip

    def holds(self, find: Find, of: Round) -> bool:
        """Whether the member signed this, and it is wrong."""
        if len(self.root) != commitment.ROOT_BYTES or not is_member_id(self.member):
            return False
        try:
            signing.check_batch(
                find, self.member, of, Stage.BATCHES, self.digest, self.signature, root=self.root
            )
        except PeerMisbehaved:
            return False
        return counting.proves(self.shown, self.root, of.setup())


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """What a counter that gives up says of a batch: no proof, and for the relay alone, who adds the name.

    Attributes:
        digest: of the batch.
        why: what it says.
    """

    CODE: ClassVar[str] = "blame"
    digest: bytes
    why: str

    def encode(self) -> bytes:
        """The one encoding."""
        return encoding.encode({"code": self.CODE, "digest": self.digest, "why": self.why})

    @classmethod
    def typed(cls, plain: dict[str, Any]) -> Self:
        """Of what was decoded; ``ValueError`` where it is none."""
        of = encoding.table(plain, digest=bytes, why=str)
        if len(of["digest"]) != HASH_BYTES or of["why"] not in BLAMES:
            raise ValueError("a blame is not one")
        return cls(**of)


def decode(data: bytes) -> WrongShare | Split | Blame | None:
    """Read one strictly; None where it is none, which proves nothing."""
    kinds: dict[Any, type[WrongShare | Split | Blame]] = {
        kind.CODE: kind for kind in (WrongShare, Split, Blame)
    }
    try:
        plain = encoding.decode(data, limit=MAX_PROOF_BYTES)
        return kinds[plain.pop("code")].typed(plain)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def proven(find: Find, of: Round, proofs: Sequence[bytes]) -> set[tuple[str, str]]:
    """Who broke a rule, and which, as far as what was handed on proves it."""
    read = (one for one in map(decode, proofs) if isinstance(one, WrongShare | Split))
    return {(one.member, one.CODE) for one in read if one.member in of.members and one.holds(find, of)}


def differing(of: Round, first: Sequence[Signed], second: Sequence[Signed]) -> list[Split]:
    """Whoever announced other keys the second time, with both announcements, proof or not."""
    members = (*of.parts.helpers, of.parts.counter)
    both = zip(members, first, second, strict=True)
    return [Split(member=who, first=one, second=other) for who, one, other in both if one.body != other.body]


def names(culprits: Collection[str], accused: Collection[str]) -> dict[str, list[str]]:
    """Fields of an entry: those proven or seen to break a rule, and those who are only said to."""
    said = {"culprits": sorted(set(culprits)), "accused": sorted(set(accused) - set(culprits))}
    return {name: members for name, members in said.items() if members}
