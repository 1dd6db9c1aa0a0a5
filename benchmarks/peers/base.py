"""What every peer is: two processes that say what they did, and the facts that belong beside its numbers."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread, Timer
from typing import IO, Any

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
        security: which adversary, and on what it rests, in one line.
        most: the largest set that it is run with.
        run: of two files of lines at a place, with how many they share: a run or a gap.
        settings: what else a reader has to know of how it is run.
    """

    name: str
    packages: tuple[str, ...]
    security: str
    most: int
    run: Callable[[Place, Path, Path, int], Run | Gap]
    settings: str = ""

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
    except OSError as e:
        return f"its environment cannot be made: {e.strerror}"
    return ""


def python(environment: str, packages: Sequence[str]) -> str:
    """The interpreter of a peer's environment."""
    return str(interpreter(environment, *packages))


def two(
    place: Place, words: Sequence[str], receiver: Mapping[str, Any], sender: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]] | Gap:
    """Run a script as receiver and sender, at their ends of the link.

    Each gets one JSON argument. The sender's first line is ``{"ready": ...}``, which the receiver gets as
    ``peer``; the last line of each is what it found. When one fails, or the time is up, both are ended.

    Returns:
        What both found, or why there is nothing.
    """
    with tempfile.TemporaryFile("w+") as errors:
        parties = _Parties(errors)
        try:
            sending = parties.start("sender", place.at("b", *words, json.dumps({"role": "sender", **sender})))
            assert sending.stdout is not None
            ready = json.loads(sending.stdout.readline() or "{}").get("ready")
            told = json.dumps({"role": "receiver", "peer": ready, **receiver})
            receiving = parties.start("receiver", place.at("a", *words, told))
            found = [process.communicate()[0] for process in (receiving, sending)]
            if not (why := parties.why()):
                first, second = (json.loads(text.splitlines()[-1]) for text in found)
                return first, second
        except (ValueError, IndexError):
            parties.give_up("a party did not say what it found")
            why = parties.why()
        finally:
            parties.end()
        return Gap(": ".join(filter(None, (why, _last(errors)))))


class _Parties:
    """Processes of which none waits for one that failed, and none longer than ``LONGEST_S``."""

    def __init__(self, errors: IO[str]) -> None:
        self._errors = errors
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._watching: list[Thread] = []
        self._why: list[str] = []
        self._patience = Timer(LONGEST_S, self.give_up, (f"ended after {LONGEST_S} s",))
        self._patience.start()

    def start(self, role: str, command: Sequence[str]) -> "subprocess.Popen[str]":
        """One more, unless another has failed already: then it ends at once."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._errors, text=True)
        self._running[role] = process
        self._watching.append(Thread(target=self._watch, args=(role, process)))
        self._watching[-1].start()
        if self._why:
            process.kill()
        return process

    def why(self) -> str:
        """What went wrong first, once all have ended; or ``""``."""
        for thread in self._watching:
            thread.join()
        return next(iter(self._why), "")

    def end(self) -> None:
        """All end, whatever they are at."""
        self._patience.cancel()
        for process in self._running.values():
            process.kill()
        for thread in self._watching:
            thread.join()

    def _watch(self, role: str, process: "subprocess.Popen[str]") -> None:
        if status := process.wait():
            self.give_up(
                f"the {role} was killed by signal {-status}"
                if status < 0
                else f"the {role} ended with status {status}"
            )

    def give_up(self, why: str) -> None:
        """All end, for this reason if there is none before it."""
        self._why.append(why)
        for process in list(self._running.values()):
            process.kill()


def _last(errors: IO[str]) -> str:
    """The last line that was said."""
    errors.seek(0)
    lines = errors.read().strip().splitlines()
    return lines[-1][:200] if lines else ""


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
