"""What is allowed with one peer, once the policy is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from exchange.agreement import Rung
from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.policy.condition import Condition

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

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return {"min": self.least, "max": self.most}


@dataclass(frozen=True, slots=True)
class Validity:
    """When something is in force; both ends count, None is open. A day is a day in UTC, a time is exact."""

    first: date | None = None
    last: date | None = None

    def covers(self, now: datetime) -> bool:
        """Say whether a moment lies within."""
        return self.begun(now) and not self.over(now)

    def begun(self, now: datetime) -> bool:
        """Say whether it has begun."""
        return self.first is None or _start(self.first) <= now

    def over(self, now: datetime) -> bool:
        """Say whether it has ended."""
        if self.last is None:
            return False
        if isinstance(self.last, datetime):
            return self.last < now
        return now.astimezone(UTC).date() > self.last

    def content(self, first: str = "valid_from", last: str = "valid_until") -> dict[str, object]:
        """Return the two lines of the file that state it."""
        ends = {first: self.first, last: self.last}
        return {name: end.isoformat() for name, end in ends.items() if end is not None}

    def __str__(self) -> str:
        ends = (("from", self.first), ("until", self.last))
        return " ".join(f"{word} {end.isoformat()}" for word, end in ends if end is not None)


ALWAYS = Validity()


def _start(end: date) -> datetime:
    return end if isinstance(end, datetime) else datetime.combine(end, time(), UTC)


@dataclass(frozen=True, slots=True)
class PerValue:
    """Each value of ours enters at most so many sessions with a peer within so many days."""

    most: int
    days: int

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return {"most": self.most, "days": self.days}


@dataclass(frozen=True, slots=True)
class Share:
    """At most this part of our set may have been learned by a peer within so many days."""

    most: float
    days: int

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return {"most": self.most, "days": self.days}


@dataclass(frozen=True, slots=True)
class Told:
    """What of an indicator's context a receiver may be sent, and how long it may be.

    ``fields`` are names of ``Context``; ``bytes`` is one of the classes that contexts are filled up to.
    """

    fields: frozenset[str]
    bytes: int

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return {"fields": sorted(self.fields), "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise that we put on a count: ``epsilon`` for each, and ``most`` of it within so many days."""

    epsilon: float
    most: float
    days: int

    @property
    def milli(self) -> int:
        """``epsilon`` in thousandths, as agreements and the ledger have it."""
        return round(1000 * self.epsilon)

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return {"epsilon": self.epsilon, "most": self.most, "days": self.days}


@dataclass(frozen=True, slots=True)
class Approving:
    """Which rungs so many different people must have approved, and for how many days their word is good."""

    rungs: frozenset[Rung]
    people: int
    days: int

    @property
    def span(self) -> timedelta:
        """For how long an approval is good."""
        return timedelta(days=self.days)

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return {"rungs": sorted(map(str, self.rungs)), "people": self.people, "days": self.days}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is allowed with one peer. ``docs/policy.md`` says what holds where a line is left out.

    Attributes:
        directions: ``initiator`` where we may dial, ``responder`` where we may answer.
        reveal: the highest rung.
        learns: who may learn a result: ``us``, ``peer``.
        types: types of indicators.
        protocols: names of protocols.
        our_size: how many items we may put in, before padding.
        peer_size: how many items the peer may declare, padded.
        sessions_per_day: sessions within 24 hours, whoever dialled.
        tlp: the most closed marking of what enters; None refuses.
        legal_basis: on which basis personal data go in; None refuses them.
        purposes: the purposes that may be stated; None allows any, or none.
        roles: roles in the roster that the peer may have; None allows any.
        arrangement: the agreement between organisations that must be in force.
        region: where the peer is, as far as our operator knows.
        profiles: canonical profiles; None is this version's.
        attestation: whether the peer must prove what it runs; no version can ask that yet.
        pap: the most closed PAP marking of what enters; None for any.
        provenance: ``own``: only our own sightings enter; ``any``.
        attribution: whether the peer may, must or must not be named; None leaves it to the policy's.
        max_age_days: by type, how long ago what enters may have been seen last.
        size_ratio: how many times as large as the smaller the larger declared set may be.
        values_per_day: how many values the peer may ask within 24 hours.
        values_per_year: how many values the peer may ask within 365 days.
        entries_per_value: how often one value of ours enters.
        share: how much of our set the peer may learn in all.
        climb: whether a rung needs the one below it first.
        climb_if: by rung, what the result of the rung below must be.
        approval: who must have approved.
        ahead_hours: how old what was made ahead may be.
        tell_count: what we tell the sender of how many matched: ``hidden``, ``band``, ``exact``.
        sums: what we let a receiver add up over what is shared: ``sightings``, ``confidence``.
        bands: where we send a count in bands, the least number of each.
        noise: the noise that we put on a count that we send, and how much of it in all; None for none.
        context: what we say about what is shared; None for nothing.
        commitment: whether the peer must have committed itself to its set: ``required``, ``optional``.
        growth_per_day: by which part of itself the peer's committed set may grow in a day.
        canaries: how many planted values go in.
        on_alarm: what a match on one does: ``quarantine``, ``record``.
        suspended: whether nothing runs with this peer.
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
    tlp: Tlp | None = None
    legal_basis: str | None = None
    purposes: frozenset[str] | None = None
    roles: frozenset[str] | None = None
    arrangement: str | None = None
    region: str | None = None
    profiles: frozenset[str] | None = None
    attestation: bool = False
    pap: Pap | None = None
    provenance: str = "any"
    attribution: str | None = None
    max_age_days: Mapping[IndicatorType, int] = field(default_factory=dict)
    size_ratio: float | None = None
    values_per_day: int | None = None
    values_per_year: int | None = None
    entries_per_value: PerValue | None = None
    share: Share | None = None
    climb: bool = False
    climb_if: Mapping[Rung, Condition] = field(default_factory=dict)
    approval: Approving | None = None
    ahead_hours: float | None = None
    tell_count: str = "hidden"
    sums: frozenset[str] = frozenset()
    bands: tuple[int, ...] = ()
    noise: Noise | None = None
    context: Told | None = None
    commitment: str = "optional"
    growth_per_day: float | None = None
    canaries: int = 0
    on_alarm: str = "quarantine"
    suspended: bool = False
    validity: Validity = ALWAYS

    def content(self) -> dict[str, object]:
        """Return what is hashed: what is stated, as the file states it, without its order and comments."""
        stated = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "validity"}
        unstated = Terms()
        lines = {name: plain(v) for name, v in stated.items() if v != getattr(unstated, name)}
        return lines | self.validity.content()


def plain(value: Any) -> object:
    """A value of the model as TOML, JSON and CBOR hold it."""
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, StrEnum | Condition):
        return str(value)
    return value.content() if hasattr(value, "content") else value
