"""What every peer is: two processes that say what they did, and the facts that belong beside its numbers."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.environment import interpreter
from exchange.bench.hosts import Place
from exchange.bench.record import Gap, Run

PARTIES = Path(__file__).parent / "parties"
LONGEST_S = 900
"""A run that takes longer is ended, and is a gap."""
NOT_HERE = {
    "apsi": "apsi 0.3.0 has no wheel; its source is built with APSI and vcpkg from outside the package index",
    "volepsi": "it is no package of any index: C++ with dependencies fetched at build time",
}
"""Systems that a reader would look for, and why they cannot be installed from a package index."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A system with one setting.

    Attributes:
        name: of both.
        packages: pinned, as its environment gets them.
        security: which adversary, and what else a reader has to know, in one line.
        learns: what the receiver learns.
        most: the largest set that it is run with.
        run: of two files of lines at a place, with how many they share: a run or a gap.
    """

    name: str
    packages: tuple[str, ...]
    security: str
    most: int
    run: Callable[[Place, Path, Path, int], Run | Gap]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def missing(self) -> str:
        """Why it cannot be run here, or ``""``. The first time, its environment is made."""
        return installed(self.name.partition(" ")[0], self.packages)


@cache
def installed(environment: str, packages: tuple[str, ...]) -> str:
    """Why these packages cannot be installed, or ``""``."""
    if not packages:
        return ""
    try:
        interpreter(environment, *packages)
    except subprocess.CalledProcessError as e:
        said = (e.stderr or "").strip().splitlines()
        return said[-1] if said else f"pip ended with status {e.returncode}"
    return ""


def python(environment: str, packages: Sequence[str]) -> str:
    """The interpreter of a peer's environment."""
    return str(interpreter(environment, *packages))


def two(
    place: Place, words: Sequence[str], receiver: Mapping[str, Any], sender: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]] | Gap:
    """Run a script as receiver and sender, at their ends of the link.

    Each gets one JSON argument. The sender's first line is ``{"ready": ...}``, which the receiver gets as
    ``peer``; the last line of each is what it found.

    Returns:
        What both found, or why there is nothing.
    """
    with tempfile.TemporaryFile("w+") as errors:
        processes: list[subprocess.Popen[str]] = []

        def start(side: str, **told: Any) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                place.at(side, *words, json.dumps(told)), stdout=subprocess.PIPE, stderr=errors, text=True
            )
            processes.append(process)
            return process

        try:
            sending = start("b", role="sender", **sender)
            assert sending.stdout is not None
            ready = json.loads(sending.stdout.readline() or "{}")
            receiving = start("a", role="receiver", peer=ready.get("ready"), **receiver)
            found = [process.communicate(timeout=LONGEST_S)[0] for process in (receiving, sending)]
            if any(process.returncode for process in processes):
                return Gap(_last(errors))
            first, second = (json.loads(text.splitlines()[-1]) for text in found)
        except subprocess.TimeoutExpired:
            return Gap(f"ended after {LONGEST_S} s")
        except (ValueError, IndexError):
            return Gap(_last(errors))
        finally:
            for process in processes:
                process.kill()
                process.wait()
    return first, second


def _last(errors: Any) -> str:
    """The last line that was said."""
    errors.seek(0)
    lines = errors.read().strip().splitlines()
    return lines[-1][:200] if lines else "it ended without a word"


def run_of(
    found: tuple[dict[str, Any], dict[str, Any]] | Gap, common: int, *, exact: bool = True
) -> Run | Gap:
    """The run that both parties told of, if its result is right.

    Args:
        found: ``seconds``, ``sent``, ``cpu_s``, ``peak_mib`` of each, and the receiver's ``count``.
        common: what it should be.
        exact: whether it has to be that, or may have false positives.
    """
    if isinstance(found, Gap):
        return found
    receiver, sender = found
    if exact and receiver["count"] != common:
        return Gap(f"wrong: {receiver['count']} instead of {common}")
    both = {"receiver": receiver, "sender": sender}
    return Run(
        seconds=receiver["seconds"],
        bytes={party: said["sent"] for party, said in both.items() if said.get("sent") is not None},
        cpu_s={party: said["cpu_s"] for party, said in both.items()},
        peak_mib={party: said["peak_mib"] for party, said in both.items()},
        exact=exact,
    )
