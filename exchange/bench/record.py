"""What a measurement leaves: runs, gaps, and what they come to."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one subject.

    Attributes:
        seconds: ``total``, and what else of it is told apart.
        phases: seconds by party and phase.
        bytes: that each party sent.
        cpu_s: of the processor, by party.
        peak_mib: the most memory that each held meanwhile.
        rounds: how often the run waits for the network, there and back; None where it is not known.
        items: of how many its seconds are, where that is not the size that was asked for.
        exact: whether the result was compared with the true one. A wrong one is a gap.
    """

    seconds: Mapping[str, float]
    phases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    peak_mib: Mapping[str, float] = field(default_factory=dict)
    rounds: float | None = None
    items: int | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """A run that there is no number of.

    Attributes:
        why: in one line.
    """

    why: str


Once: TypeAlias = Callable[[], Run | Gap]
"""One run of one subject."""


def spread(samples: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(samples), "min": min(samples), "max": max(samples)}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Theirs over ours, neighbour by neighbour (A B A B): what disturbs the machine disturbs both."""
    return spread([b / a for a, b in zip(ours, theirs, strict=True)])
