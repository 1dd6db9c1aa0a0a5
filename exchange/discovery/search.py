"""What an operator asks in a discovery, and what comes of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from exchange.aggregation.lots import Parts
from exchange.aggregation.round import Learns, Round
from exchange.indicators import Indicator, IndicatorType


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What our operator asks.

    Attributes:
        threshold: how many members must hold an indicator.
        minimum: of how many members batches must have come; None for more than two thirds of them.
        types: of indicators.
        purpose: why, or ``""``.
        learns: who is to learn it.
        largest: where the counter must not see the counts below the threshold, the most indicators that any
            member puts in; 0 where it may.
        max_seconds: the longest that the counter may take then, by the prediction.
        parts: who does what, where it is not drawn.
        wait_s: how long to wait for the others, in seconds.
    """

    threshold: int
    minimum: int | None = None
    types: tuple[IndicatorType, ...] = tuple(sorted(IndicatorType))
    purpose: str = ""
    learns: Learns = Learns.INDIVIDUAL
    largest: int = 0
    max_seconds: float = 60
    parts: Parts | None = None
    wait_s: int = 900


class Shared(NamedTuple):
    """Indicators that enough members hold.

    Attributes:
        indicators: which.
        voices: how many members stand behind each, by the counter's word; the threshold is proven.
    """

    indicators: list[Indicator]
    voices: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutIn:
    """What is in our batch, in numbers. Kept beside it: run again, a discovery goes on with what it had then.

    Attributes:
        at: when it was chosen, UTC.
        entered: how many indicators, by type.
        withheld: how many that we hold are held back, by rule and type; also because of their type.
        padded: the size class that is seen.
        copies: how many of those that entered others reported first.
    """

    at: datetime
    entered: Mapping[str, int]
    withheld: Mapping[str, Mapping[str, int]]
    padded: int
    copies: int

    @property
    def ours(self) -> int:
        """How many indicators."""
        return sum(self.entered.values())

    @property
    def held_back(self) -> dict[str, int]:
        """How many that we hold are not in it, by rule."""
        return {rule: sum(of_type.values()) for rule, of_type in self.withheld.items()}

    def entry(self) -> dict[str, Any]:
        """What the ledger says of it."""
        return {"entered": self.entered, "withheld": self.withheld, "padded": self.padded}

    def encode(self) -> bytes:
        """As it is kept."""
        return json.dumps(asdict(self) | {"at": self.at.isoformat()}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse."""
        found = json.loads(data)
        return cls(**found | {"at": datetime.fromisoformat(found["at"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of a discovery.

    Attributes:
        round: what was asked of whom.
        counted: how many batches were counted.
        count: how many indicators at least so many members hold.
        items: those that we hold, or all of them; None where only their number is told.
        put_in: what we put in.
        resumed: whether we had put it in before this run.
        asked: how many were asked of the helpers, as they saw it.
        culprits: who broke rules, as we saw or was proven to us, and how.
        accused: who did by the word of relay and counter alone, and how.
        sent: bytes sent, to all.
        received: bytes received.
        crypto_s: seconds of computing on our side.
        total_s: seconds in all.
    """

    round: Round
    counted: int
    count: int
    items: Shared | None = field(repr=False)
    put_in: PutIn
    resumed: bool
    asked: int
    culprits: tuple[tuple[str, str], ...]
    accused: tuple[tuple[str, str], ...]
    sent: int
    received: int
    crypto_s: float
    total_s: float
