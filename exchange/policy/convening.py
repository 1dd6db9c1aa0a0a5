"""What rules on counting together look at: the run that is asked for, and earlier ones by the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from exchange.aggregation.opening import Opening
from exchange.indicators import IndicatorType
from exchange.ledger.runs import Key, Run, Runs
from exchange.policy.model import Policy
from exchange.policy.together import Aggregate


@dataclass(frozen=True, slots=True, kw_only=True)
class Convening:
    """A run that somebody asks us to join.

    Attributes:
        opening: what is asked.
        us: our own id.
        roster_epoch: epoch of the roster in force here.
        roster_hash: its hash, 32 bytes.
        by_type: how many entries of each type the dictionary has; None while we do not have it.
        repeated: how many entries may have been counted before on days of the window, as
            ``exchange.aggregation.dictionary.repeated`` finds it; None while we have not looked.
        derived: in a sum, the root of the dictionary that follows from the count before it, as we computed it
            from our own copy of its result; None while we have not.
        strays: in a sum, in what it strays from that count: see ``exchange.aggregation.release.strays``.
        given_up: the openings of the runs that it abandons, by context in hex, as far as they are here.
    """

    opening: Opening
    us: str
    roster_epoch: int
    roster_hash: bytes
    by_type: Mapping[IndicatorType, int] | None = None
    repeated: int | None = None
    derived: bytes | None = None
    strays: str = ""
    given_up: Mapping[str, Opening] = field(default_factory=dict)

    @property
    def types(self) -> tuple[IndicatorType, ...]:
        """Types of indicators that would go in."""
        return self.opening.types


@dataclass(frozen=True, slots=True)
class Together:
    """What the ledger says.

    Attributes:
        runs: those in which we have counted with others, or meant to.
        quarantined: why the coordinator is in quarantine, or ``""``.
    """

    runs: Runs = field(default_factory=Runs)
    quarantined: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """All that a rule may look at: see ``exchange.policy.rule.Case``."""

    policy: Policy
    terms: Aggregate
    request: Convening
    history: Together
    now: datetime

    table: ClassVar[str] = "aggregate"

    @property
    def opening(self) -> Opening:
        """What is asked."""
        return self.request.opening

    asked = opening


def key_of(opening: Opening) -> Key:
    """Return what a run counts, as the ledger compares it."""
    first, last = opening.window
    return Key(
        opening.dictionary.hex(),
        opening.purpose_hash,
        str(opening.measure),
        first.isoformat(),
        last.isoformat(),
    )


def meeting(opening: Opening, runs: Runs) -> list[Run]:
    """Return the runs whose dictionaries have to be looked at: see ``Convening.repeated``."""
    return runs.meeting(key_of(opening), abandons(opening))


def abandons(opening: Opening) -> set[str]:
    """Return the contexts, in hex, of the runs that an opening gives up."""
    return {context.hex() for context in opening.abandons}
