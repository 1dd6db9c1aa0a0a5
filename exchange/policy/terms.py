"""What a policy says, once read: one set of terms per peer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256

import cbor2

from crypto import labels
from exchange.agreement import Rung
from exchange.indicators import IndicatorType

VERSION = 1
ANYONE = "*"
"""The terms for every member of the roster that has none of its own."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A smallest and a largest number of items, both allowed."""

    least: int
    most: int

    def __contains__(self, n: int) -> bool:
        return self.least <= n <= self.most

    def widened(self, n: int) -> "Bounds":
        """Return the narrowest bounds that also hold ``n``."""
        return Bounds(min(self.least, n), max(self.most, n))


@dataclass(frozen=True, slots=True)
class Validity:
    """The days, in UTC, on which something is in force; both ends count, None is open."""

    first: date | None = None
    last: date | None = None

    def covers(self, now: datetime) -> bool:
        """Say whether a moment lies within."""
        day = now.astimezone(UTC).date()
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is allowed with one peer. Whatever is not stated is not allowed.

    Attributes:
        directions: ``initiator`` where we may dial, ``responder`` where we may answer.
        reveal: the highest rung.
        learns: who may learn a result: ``us``, ``peer``.
        types: types of indicators.
        protocols: names of protocols.
        our_size: how many items we may put in, before padding.
        peer_size: how many items the peer may declare, padded.
        sessions_per_day: sessions within 24 hours, whoever dialled.
        purposes: the purposes that may be stated; None allows any, or none.
        validity: when these terms are in force.
    """

    directions: frozenset[str] = frozenset()
    reveal: Rung | None = None
    learns: frozenset[str] = frozenset()
    types: frozenset[IndicatorType] = frozenset()
    protocols: frozenset[str] = frozenset()
    our_size: Bounds | None = None
    peer_size: Bounds | None = None
    sessions_per_day: int = 0
    purposes: frozenset[str] | None = None
    validity: Validity = Validity()

    def content(self) -> dict[str, object]:
        """Return what is hashed: the meaning, without the order and the comments of the file."""
        return {
            "directions": sorted(self.directions),
            "reveal": None if self.reveal is None else str(self.reveal),
            "learns": sorted(self.learns),
            "types": sorted(str(t) for t in self.types),
            "protocols": sorted(self.protocols),
            "our_size": _bounds(self.our_size),
            "peer_size": _bounds(self.peer_size),
            "sessions_per_day": self.sessions_per_day,
            "purposes": None if self.purposes is None else sorted(self.purposes),
            "validity": _days(self.validity),
        }


@dataclass(frozen=True)
class Policy:
    """A whole policy.

    Attributes:
        peers: terms by member id; ``ANYONE`` holds those for the members not named.
        validity: when the policy as a whole is in force.
    """

    peers: Mapping[str, Terms] = field(default_factory=dict)
    validity: Validity = Validity()

    def terms(self, peer: str) -> tuple[str, Terms] | None:
        """Return the terms for a peer and the name they stand under; None when there are none."""
        for name in (peer, ANYONE):
            if name in self.peers:
                return name, self.peers[name]
        return None

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 over the label and the canonical content, 32 bytes; equal policies have equal hashes."""
        content = {
            "version": VERSION,
            "validity": _days(self.validity),
            "peers": {name: terms.content() for name, terms in self.peers.items()},
        }
        return sha256(labels.POLICY.encode() + b"\x00" + cbor2.dumps(content, canonical=True)).digest()


def _bounds(bounds: Bounds | None) -> list[int] | None:
    return None if bounds is None else [bounds.least, bounds.most]


def _days(validity: Validity) -> list[str | None]:
    return [None if day is None else day.isoformat() for day in (validity.first, validity.last)]
