"""What is allowed with a whole alliance: counting together, and finding what many hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.policy.admission import Admission
from exchange.policy.terms import ALWAYS, Bounds, Validity, plain

LEARNERS = ("individual", "all", "collective")
"""Who learns what a discovery finds: its holders, every member, or only how many there are.

Source: the three outputs of threshold private set intersection, as TU Delft's work on it names them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What both tables say. ``docs/policy.md`` says what holds where a line is left out.

    Attributes:
        purposes: the purposes that may be stated.
        types: types of indicators.
        tlp: the most closed marking of what enters; None refuses.
        pap: the most closed PAP marking of what enters; None for any.
        legal_basis: on which basis personal data go in; None refuses them.
        provenance: ``own``: only our own sightings enter; ``any``.
        max_age_days: by type, how long ago what enters may have been seen last.
        members: the least number of members; 0 refuses.
        per_day: runs that may be joined within 24 hours.
        suspended: whether nothing runs.
        validity: when this is in force.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ()
    """The lines without which everything is refused."""

    purposes: frozenset[str] = frozenset()
    types: frozenset[IndicatorType] = frozenset()
    tlp: Tlp | None = None
    pap: Pap | None = None
    legal_basis: str | None = None
    provenance: str = "any"
    max_age_days: Mapping[IndicatorType, int] = field(default_factory=dict)
    members: int = 0
    per_day: int = 0
    suspended: bool = False
    validity: Validity = ALWAYS

    def admission(self) -> Admission:
        """Return under what an indicator of ours may enter."""
        return Admission(
            tlp=self.tlp or Tlp.CLEAR,
            pap=self.pap,
            max_age_days=self.max_age_days,
            own=self.provenance == "own",
        )

    @property
    def lacks(self) -> list[str]:
        """The lines for want of which everything is refused."""
        stated = self.content()
        return [line for line in self.NEEDED if line not in stated]

    def content(self) -> dict[str, object]:
        """Return what is hashed: what is stated, as the file states it."""
        stated = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "validity"}
        unstated = type(self)()
        lines = {name: plain(v) for name, v in stated.items() if v != getattr(unstated, name)}
        return lines | self.validity.content()


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Shared):
    """Counting together over a dictionary that everybody sees.

    Attributes:
        coordinators: whose runs may be joined; ``ANYONE`` for every member of the roster.
        measures: what may be counted: ``count``, ``sightings``, ``severity``.
        minimum: the least number of members whose sum may be opened.
        reporters: the least number of reporters behind a released number; 0 refuses.
        dictionary: how many entries it may have; None refuses.
        each_type: the least number of entries of every type in it.
        repeated: the largest part of it that may have been counted before, on days of the window.
        dominance: the largest part of a released sum behind which one member may stand.
        epsilon: where it is stated, only numbers with noise of at most this privacy loss.
        visibility: to whom released numbers may be shown.
    """

    NEEDED: ClassVar = (
        "coordinators", "purposes", "measures", "types", "tlp", "members", "reporters", "dictionary",
        "visibility", "per_day",
    )  # fmt: skip

    coordinators: frozenset[str] = frozenset()
    measures: frozenset[str] = frozenset()
    minimum: int = 3
    reporters: int = 0
    dictionary: Bounds | None = None
    each_type: int = 1
    repeated: float = 0.0
    dominance: float = 0.75
    epsilon: float | None = None
    visibility: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discover(Shared):
    """Finding what at least so many members hold, without a dictionary.

    Attributes:
        relays: who may relay and who may count; ``ANYONE`` for every member of the roster.
        relay: whether this node may be drawn to relay.
        counter: whether it may be drawn to count.
        helper: whether it may be drawn to hold a part of the key.
        threshold: the least number of members that must hold what is found; 0 refuses.
        least: the least number of members whose batches are counted; 0 for
            ``exchange.aggregation.round.usual_minimum``.
        learns: who may learn what is found: ``individual``, ``all``, ``collective``.
        quota: how many times its declared size a member may ask a helper within an epoch.
    """

    NEEDED: ClassVar = ("relays", "types", "tlp", "members", "threshold", "learns", "per_day")

    relays: frozenset[str] = frozenset()
    relay: bool = False
    counter: bool = False
    helper: bool = False
    threshold: int = 0
    least: int = 0
    learns: frozenset[str] = frozenset()
    quota: float = 1.1

    @property
    def parts(self) -> frozenset[str]:
        """The parts that this node may be drawn for."""
        may = {"relay": self.relay, "counter": self.counter, "helper": self.helper}
        return frozenset(part for part, is_so in may.items() if is_so)
