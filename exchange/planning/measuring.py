"""What a protocol computes on this machine: measured on random items, and kept."""

import json
import logging
import os
import secrets
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from crypto import session
from crypto.psi import DISCOVERED, Brings, Output, Params, Protocol
from crypto.sealing import LABEL_CLASSES
from exchange.config import write_atomic
from exchange.errors import ConfigError
from exchange.planning.model import Computing, Line

log = logging.getLogger(__name__)
_ROUNDS = 3
_ITEM_BYTES = 32
_EPSILON_MILLI = 1000
_BANDS = (0, 1, 10, 100, 1000)


def setting(protocol: Protocol, n_r: int, n_s: int, output: Output = Output.RECEIVER) -> Params:
    """Parameters of a run that is only thought of: contexts of the smallest class, noise of epsilon 1.

    Args:
        protocol: whose.
        n_r: the receiver's size class.
        n_s: the sender's.
        output: who is to learn it, if the protocol can do that.
    """
    return Params(
        n_r=n_r, n_s=n_s, context=secrets.token_bytes(32),
        output=output if output in protocol.outputs else min(protocol.outputs),
        label_bytes=LABEL_CLASSES[0] if protocol.brings is Brings.CONTEXTS else 0,
        epsilon_milli=_EPSILON_MILLI, bands=_BANDS,
    )  # fmt: skip


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
    brought: dict[str, Any] = {}
    if protocol.brings is Brings.VALUES:
        brought["values"] = np.ones(n_s, np.uint64)
    elif protocol.brings is Brings.CONTEXTS:
        brought["contexts"] = [bytes(LABEL_CLASSES[0])] * n_s

    def once() -> float:
        params = setting(protocol, n_r, n_s)
        start = perf_counter()
        session.run(protocol.receiver(items[0], params), protocol.sender(items[1], params, **brought))
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
                self._computing[name] = self.measure(DISCOVERED[name])
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
