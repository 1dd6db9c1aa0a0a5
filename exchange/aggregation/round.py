"""One discovery: what is asked of whom, on which day, under which keys. Everybody writes the same bytes.

Its hash is the context that every tag, token, batch and signature of the session depends on. So members that
ask differently, hold another roster or were shown other keys are not counted together: they are in another
session.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Any, Self

from crypto import labels
from crypto.secagg.base import threshold as two_thirds
from crypto.secagg.discovery import Setup
from crypto.secagg.threshold import MAX_THRESHOLD
from exchange.aggregation.lots import LEAST_MEMBERS, Parts, epoch_of
from exchange.agreement import is_text
from exchange.errors import SessionRefused
from exchange.identity import encoding
from exchange.identity.roster import MAX_NUMBER, Roster
from exchange.indicators import PROFILE, IndicatorType
from exchange.ledger.runs import DISCOVER
from exchange.names import is_alliance_name, is_member_id

VERSION = 1
KEY_BYTES = HASH_BYTES = 32
MAX_MEMBERS = 100
MAX_ROUND_BYTES = 1 << 14
LEAST_THRESHOLD = 2
MAX_LARGEST = 1 << 22
FIRST_DAY = date(1970, 1, 1)
"""Days and epochs are counted from here."""


BY_TAGS, STRICT = "atr-1", "atr-1s"
"""How a discovery is counted, as ledgers say it."""


class Learns(StrEnum):
    """Who learns the outcome."""

    INDIVIDUAL = "individual"
    """Each member, which of its own indicators at least so many hold."""
    ALL = "all"
    """Every member, all of them: those who hold one say it."""
    COLLECTIVE = "collective"
    """Every member, how many there are, and not which."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What all sides of a discovery agree on.

    Attributes:
        alliance: its name.
        roster_epoch: number of the roster in force.
        roster_hash: its hash, 32 bytes.
        members: everybody on it, ascending.
        day: days since 1970-01-01, UTC.
        types: of indicators, ascending.
        threshold: how many members must hold an indicator.
        minimum: of how many members batches must have come before anything is counted, and told: a member
            hides among so many, less those that work together.
        purpose: why, or ``""``.
        learns: who learns the outcome.
        largest: where the counter must not see the counts below the threshold, the most indicators that any
            member puts in; 0 where it may.
        profile: canonical profile of the indicators.
        parts: who does what.
        keys: the keys of each helper, in the order of ``parts.helpers``: for indicators, for tokens,
            32 bytes each. None as long as nobody was asked.
        box: the counter's key for batches, 32 bytes. None as long as it was not asked.
    """

    alliance: str
    roster_epoch: int
    roster_hash: bytes
    members: tuple[str, ...]
    day: int
    types: tuple[IndicatorType, ...]
    threshold: int
    minimum: int
    purpose: str
    learns: Learns
    largest: int
    profile: str = PROFILE
    parts: Parts
    keys: tuple[bytes, ...] = ()
    box: bytes = b""

    def __post_init__(self) -> None:
        if fault := _fault(self):
            raise ValueError(fault)

    @cached_property
    def encoded(self) -> bytes:
        """The one encoding."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "parts"}
        plain |= {
            "version": VERSION,
            "members": list(self.members),
            "types": [str(t) for t in self.types],
            "learns": str(self.learns),
            "keys": list(self.keys),
            "relay": self.parts.relay,
            "counter": self.parts.counter,
            "helpers": list(self.parts.helpers),
        }
        return encoding.encode(plain)

    @cached_property
    def context(self) -> bytes:
        """SHA-256 over the label and the encoding: names the session, 32 bytes."""
        return sha256(labels.DISCOVERY_ROUND.encode() + b"\0" + self.encoded).digest()

    @cached_property
    def plan(self) -> bytes:
        """What the keys are asked for: the context of the same without any, 32 bytes."""
        return replace(self, keys=(), box=b"").context if self.keys else self.context

    @property
    def session(self) -> str:
        """The context in hex."""
        return self.context.hex()

    @property
    def epoch(self) -> int:
        """The epoch of the helpers' keys."""
        return epoch_of(self.day)

    def with_keys(self, keys: tuple[bytes, ...], box: bytes) -> Self:
        """The same, once the keys are known."""
        return replace(self, keys=keys, box=box)

    def setup(self) -> Setup:
        """What the protocol needs of it."""
        return Setup(
            context=self.context, threshold=self.threshold, members=len(self.members),
            helpers=len(self.parts.helpers),
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one strictly.

        Raises:
            SessionRefused: it is malformed.
        """
        try:
            found = encoding.table(encoding.decode(data, limit=MAX_ROUND_BYTES), **_KINDS)
            return cls(**_typed(found))
        except ValueError as e:
            raise SessionRefused(f"the discovery is malformed: {e}") from e

    def asked(self, us: str) -> dict[str, Any]:
        """What an entry in the ledger of a member says that is asked, and of its own parts."""
        parts = sorted(self.parts.of(us))
        day = (FIRST_DAY + timedelta(days=self.day)).isoformat()
        purpose = labels.DISCOVERY_PURPOSE.encode() + b"\0" + self.purpose.encode()
        return {
            "measure": DISCOVER,
            "types": [str(t) for t in self.types],
            "purpose": sha256(purpose).hexdigest(),
            "first": day,
            "last": day,
            "members": len(self.members),
            "threshold": self.threshold,
            "plan": self.plan.hex(),
            "visibility": str(self.learns),
            "protocol": STRICT if self.largest else BY_TAGS,
            "minimum": self.minimum,
        } | ({"parts": parts} if parts else {})

    def check(self, roster: Roster, now: datetime) -> None:
        """Check it against the roster in force and the day.

        Raises:
            SessionRefused: it is for another roster, or another day than today or yesterday.
        """
        in_force = (roster.alliance, roster.epoch, roster.hash, tuple(m.id for m in roster.members))
        if in_force != (self.alliance, self.roster_epoch, self.roster_hash, self.members):
            raise SessionRefused("the discovery is for another roster", code="roster-mismatch")
        if self.profile != PROFILE:
            raise SessionRefused("the discovery is for another profile", code="profile-mismatch")
        if not abs(self.day - day_of(now)) <= 1:
            raise SessionRefused("the discovery is for another day")


def fewest(members: int, threshold: int) -> int:
    """The fewest batches that should be counted, whatever is stated: one more than must hold an item.

    Of an item that as many hold as have come, everybody knows who does.
    """
    return min(members, max(LEAST_MEMBERS, threshold + 1))


def usual_minimum(members: int, threshold: int) -> int:
    """The fewest batches that are counted, where nobody states it: of more than two thirds of the members.

    So no two sets of batches are counted under one plan, as long as one helper gives each member one token.
    """
    return max(fewest(members, threshold), two_thirds(members))


def day_of(now: datetime) -> int:
    """Days since 1970-01-01, UTC."""
    return (now.astimezone(UTC).date() - FIRST_DAY).days


_KINDS: dict[str, type] = {
    "version": int, "alliance": str, "roster_epoch": int, "roster_hash": bytes, "members": list, "day": int,
    "types": list, "threshold": int, "minimum": int, "purpose": str, "learns": str, "largest": int,
    "profile": str, "relay": str, "counter": str, "helpers": list, "keys": list, "box": bytes,
}  # fmt: skip


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``Round`` in a table that was decoded."""
    if found.pop("version") != VERSION:
        raise ValueError("its version is not one that this cosight knows")
    for name, kind in (("members", str), ("types", str), ("helpers", str), ("keys", bytes)):
        encoding.all_of(kind, found[name], name)
        found[name] = tuple(found[name])
    parts = Parts(relay=found.pop("relay"), counter=found.pop("counter"), helpers=found.pop("helpers"))
    types = tuple(map(IndicatorType, found["types"]))
    return found | {"parts": parts, "types": types, "learns": Learns(found["learns"])}


def _fault(r: Round) -> str:
    """Say what is wrong with a round by itself, or ``""``."""
    complete = (len(r.keys), len(r.box)) == (len(r.parts.helpers), KEY_BYTES)
    numbers = 0 < r.roster_epoch < MAX_NUMBER and 0 <= r.day < MAX_NUMBER
    checks = {
        "a text is not possible": is_alliance_name(r.alliance) and is_text(r.purpose) and is_text(r.profile),
        "a number or a hash is out of range": numbers and len(r.roster_hash) == HASH_BYTES,
        f"a discovery is of {LEAST_MEMBERS} to {MAX_MEMBERS} members": (
            LEAST_MEMBERS <= len(r.members) <= MAX_MEMBERS and all(map(is_member_id, r.members))
        ),
        "a list is empty, or not in ascending order, each once": (
            bool(r.types) and all(map(_ascending, (r.members, r.types, r.parts.helpers)))
        ),
        f"the threshold is {LEAST_THRESHOLD} at least, and at most the number of members": (
            LEAST_THRESHOLD <= r.threshold <= len(r.members)
        ),
        "the minimum is at least three and the threshold, and at most the number of members": (
            max(LEAST_MEMBERS, r.threshold) <= r.minimum <= len(r.members)
        ),
        "a part is given to nobody on the roster": (
            {r.parts.relay, r.parts.counter, *r.parts.helpers} <= set(r.members)
        ),
        f"a strict discovery is of at most {MAX_LARGEST:,} indicators each, and told to their holders": (
            not r.largest or (0 < r.largest <= MAX_LARGEST and r.learns is Learns.INDIVIDUAL)
        ),
        f"the threshold of a strict discovery is at most {MAX_THRESHOLD}": (
            not r.largest or r.threshold <= MAX_THRESHOLD
        ),
        "there is not one pair of keys for each helper, and one key of the counter": (
            not (r.keys or r.box) or (complete and {len(pair) for pair in r.keys} == {2 * KEY_BYTES})
        ),
    }
    return next((fault for fault, holds in checks.items() if not holds), r.parts.fault())


def _ascending(names: Sequence[str]) -> bool:
    return all(a < b for a, b in pairwise(names))
