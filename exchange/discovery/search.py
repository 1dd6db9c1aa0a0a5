"""What an operator asks in a discovery, and what comes of it."""

from dataclasses import dataclass, field
from typing import NamedTuple

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
class Found:
    """What came of a discovery.

    Attributes:
        round: what was asked of whom.
        counted: how many batches were counted.
        count: how many indicators at least so many members hold.
        items: those that we hold, or all of them; None where only their number is told.
        ours: how many indicators we put in.
        padded: the size class that was seen.
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
    ours: int
    padded: int
    asked: int
    culprits: tuple[tuple[str, str], ...]
    accused: tuple[tuple[str, str], ...]
    sent: int
    received: int
    crypto_s: float
    total_s: float
