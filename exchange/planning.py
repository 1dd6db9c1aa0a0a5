"""Which protocol is the fastest for a session, by what this machine and the link were measured to do.

What a protocol computes is measured once on this machine, on random items, both parties one after the other:
a fixed part, and so much for each item of either side. What the link carries is measured by the greeting (its
round trip) and by the runs before (their bulk messages). The model adds them up:

    seconds = computing + bytes / rate + round trips * round trip

It leaves out that parties compute at the same time and while they send, so for large sets it says too much.
It has to find the faster protocol, not to tell the time.
"""

import json
import logging
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from crypto import session
from crypto.psi import PROTOCOLS, Params, Protocol
from exchange.agreement import Rung
from exchange.config import write_atomic
from exchange.errors import ConfigError

log = logging.getLogger(__name__)
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
FIRST_RATE = 12.5e6
"""Bytes a second that a link is taken for before anything was measured: 100 Mbit/s."""
_ROUNDS = 2
_ITEM_BYTES = 32


@dataclass(frozen=True, slots=True)
class Computing:
    """What one protocol computes on this machine, both parties together, in seconds.

    Attributes:
        fixed_s: whatever the sets are.
        receiver_item_s: for each item of the receiver.
        sender_item_s: for each item of the sender.
    """

    fixed_s: float
    receiver_item_s: float
    sender_item_s: float

    def seconds(self, n_r: int, n_s: int) -> float:
        """For sets of these sizes."""
        return self.fixed_s + self.receiver_item_s * n_r + self.sender_item_s * n_s


@dataclass(frozen=True, slots=True)
class Line:
    """The link to a peer.

    Attributes:
        round_trip_s: of a short message and its answer.
        bytes_per_s: of bulk messages, or ``FIRST_RATE``.
        measured: whether the rate was measured in a run before.
    """

    round_trip_s: float
    bytes_per_s: float = FIRST_RATE
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The choice, and what it was made of.

    Attributes:
        protocol: the fastest.
        predicted_s: the seconds of each protocol that could run.
        n_r: the receiver's size class.
        n_s: the sender's, as far as we know.
        line: the link.
    """

    protocol: str
    predicted_s: Mapping[str, float]
    n_r: int
    n_s: int
    line: Line


def predict(protocol: Protocol, computing: Computing, line: Line, n_r: int, n_s: int) -> float:
    """Seconds of a run."""
    traffic = sum(protocol.traffic(Params(n_r=n_r, n_s=n_s, context=bytes(32))))
    return computing.seconds(n_r, n_s) + traffic / line.bytes_per_s + protocol.round_trips * line.round_trip_s


def choose(
    candidates: Collection[str], computing: Mapping[str, Computing], line: Line, n_r: int, n_s: int
) -> Plan:
    """The fastest of some protocols, of which there is at least one."""
    predicted = {
        name: predict(PROTOCOLS[name], computing[name], line, n_r, n_s) for name in sorted(candidates)
    }
    return Plan(min(predicted, key=predicted.__getitem__), predicted, n_r, n_s, line)


def measure(protocol: Protocol) -> Computing:
    """Run a protocol in memory at three sizes; takes some tenths of a second."""
    small, large = protocol.sample
    base = _seconds(protocol, small, small)

    def each(n_r: int, n_s: int) -> float:
        return max(0.0, _seconds(protocol, n_r, n_s) - base) / (large - small)

    receiver_s, sender_s = each(large, small), each(small, large)
    fixed_s = max(0.0, base - small * (receiver_s + sender_s))
    return Computing(fixed_s, receiver_s, sender_s)


def _seconds(protocol: Protocol, n_r: int, n_s: int) -> float:
    """The fastest of some runs on random items: others are the machine's other business."""
    items = [
        np.frombuffer(secrets.token_bytes(n * _ITEM_BYTES), np.uint8).reshape(n, _ITEM_BYTES)
        for n in (n_r, n_s)
    ]

    def once() -> float:
        params = Params(n_r=n_r, n_s=n_s, context=secrets.token_bytes(32))
        start = perf_counter()
        session.run(protocol.receiver(items[0], params), protocol.sender(items[1], params))
        return perf_counter() - start

    return min(once() for _ in range(_ROUNDS))


@dataclass(slots=True)
class Measured:
    """What was measured, kept in one file of the home. A file that cannot be read is measured anew.

    Attributes:
        path: of the file.
        machine: what the computing depends on: another machine, or another version, measures again.
        measure: measures a protocol.
    """

    path: Path
    machine: str
    measure: Callable[[Protocol], Computing] = measure
    _computing: dict[str, Computing] = field(default_factory=dict)
    _peers: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            known = json.loads(self.path.read_text())
            peers = {
                str(peer): {"bytes_per_s": float(of["bytes_per_s"]), "padded": float(of["padded"])}
                for peer, of in known["peers"].items()
            }
            computing = {name: Computing(**of) for name, of in known["computing"].items()}
            if any(type(value) is not float for of in computing.values() for value in asdict(of).values()):
                return
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return
        self._peers = peers
        if known.get("machine") == self.machine:
            self._computing = computing

    def computing(self, protocols: Collection[str]) -> dict[str, Computing]:
        """What these protocols compute here, measured if it is not known yet."""
        if missing := [name for name in protocols if name not in self._computing]:
            for name in missing:
                self._computing[name] = self.measure(PROTOCOLS[name])
            self._save()
        return {name: self._computing[name] for name in protocols}

    def line(self, peer: str, round_trip_s: float) -> Line:
        """The link to a peer."""
        rate = self._peers.get(peer, {}).get("bytes_per_s", 0.0)
        return Line(round_trip_s, rate, measured=True) if rate else Line(round_trip_s)

    def padded(self, peer: str) -> int | None:
        """The size class that a peer had in the last session."""
        of = self._peers.get(peer)
        return None if of is None else max(1, int(of["padded"]))

    def remember(self, peer: str, padded: int, bytes_per_s: float) -> None:
        """Note what a session showed of a peer. A rate of 0 is none."""
        rate = bytes_per_s or self._peers.get(peer, {}).get("bytes_per_s", 0.0)
        self._peers[peer] = {"bytes_per_s": rate, "padded": float(padded)}
        self._save()

    def _save(self) -> None:
        known: dict[str, Any] = {
            "machine": self.machine,
            "computing": {name: asdict(of) for name, of in self._computing.items()},
            "peers": self._peers,
        }
        try:
            write_atomic(self.path, json.dumps(known, indent=1).encode())
        except ConfigError as e:  # no match is lost for it
            log.warning("what was measured is not kept: %s", e)


def machine(software: str) -> str:
    """What the speed of computing depends on."""
    uname = os.uname()
    return f"{software} {uname.machine} {uname.nodename} {os.cpu_count()}"
