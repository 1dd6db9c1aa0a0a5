"""Which protocol is the fastest for a session, and what a session is going to cost, before it is proposed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from crypto.psi import DISCOVERED, Output
from exchange.agreement import Rung
from exchange.planning.measuring import Measured, machine, measure, setting
from exchange.planning.model import FIRST_RATE, FITTED, Computing, Cost, Line, Model, predict, terms_of

AUTO = "auto"
DEFAULTS = {
    Rung.SIZE: "voprf",
    Rung.ESTIMATE: "estimate",
    Rung.CARDINALITY: "cardinality",
    Rung.SUM: "sum",
    Rung.OVERLAP: "voprf",
    Rung.CONTEXT: "voprf-context",
}
"""What is proposed where there is nothing to choose, or nothing that may be: the decision then says why."""
COUNTS = ("cardinality", "cardinality-banded", "cardinality-noisy")
"""The protocols that count, the one that says most first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The choice, and what it was made of.

    Attributes:
        protocol: the one to be taken.
        costs: of each protocol that could run.
        n_r: the receiver's size class.
        n_s: the sender's, as far as we know.
        line: the link.
        peer_known: whether that size is of a session before.
    """

    protocol: str
    costs: Mapping[str, Cost]
    n_r: int
    n_s: int
    line: Line
    peer_known: bool = False


def choose(
    candidates: Collection[str],
    computing: Mapping[str, Computing],
    line: Line,
    n_r: int,
    n_s: int,
    output: Output = Output.RECEIVER,
) -> Plan:
    """The fastest of some protocols, of which there is at least one."""
    costs = {
        name: predict(DISCOVERED[name], computing[name], line, setting(DISCOVERED[name], n_r, n_s, output))
        for name in candidates
    }
    return Plan(min(costs, key=lambda name: (costs[name].seconds, name)), costs, n_r, n_s, line)


__all__ = [
    "AUTO",
    "COUNTS",
    "DEFAULTS",
    "FIRST_RATE",
    "FITTED",
    "Computing",
    "Cost",
    "Line",
    "Measured",
    "Model",
    "Plan",
    "choose",
    "machine",
    "measure",
    "predict",
    "setting",
    "terms_of",
]
