"""Sessions of two nodes, measured: whole ones, each party a process of its own, at its end of a link."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np

from crypto.psi import DISCOVERED
from exchange.bench.hosts import Place
from exchange.bench.record import Gap, Run
from exchange.config import Home, write_atomic
from exchange.errors import ConfigError, PeerUnavailable
from exchange.local import alliance

ITEM_BYTES = 16
SEEN = 3
"""How many sightings a party says there are of each item."""
PHASES = ("hash", "offline", "encode", "transfer", "decode")
"""Of a session, for either party, in their order: items to rows; all until the last message that depends on
no item; computing until its last message; sending and waiting; computing after that, comparing included."""
_LIMITS = "[limits]\nmax_rows = 67108864\ndeadline_s = 7200\nidle_s = 1800\n"


def items(n: int, seed: int) -> tuple[list[str], list[str], int]:
    """Two sets of ``n`` random items as hex, half of them in common, and how many that is."""
    rng = np.random.default_rng(seed)
    own = n - n // 2
    lines = (
        rng.integers(0, 256, (n + own, ITEM_BYTES), dtype=np.uint8)
        .tobytes()
        .hex("\n", ITEM_BYTES)
        .split("\n")
    )
    return lines[:n], lines[own:], n - own


LONGEST_S = 3600
_END_S = 10
_ENDED = "a process ended in the middle"


class _Party:
    """A process of ``exchange.bench.party`` at its end of a link, asked by lines."""

    def __init__(self, place: Place, side: str, home: Home, lines: Path, *listen: str) -> None:
        words = [sys.executable, "-m", "exchange.bench.party", str(home.path), str(lines), *listen]
        self._process = subprocess.Popen(
            place.at(side, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        """Of the process; ``ip netns exec`` becomes it."""
        return self._process.pid

    def ask(self, **what: Any) -> dict[str, Any]:
        """One question and its answer.

        Raises:
            PeerUnavailable: it ended, or was ended after an hour.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise PeerUnavailable(_ENDED) from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line that it says; the same errors."""
        assert self._process.stdout is not None
        patience = Timer(LONGEST_S, self._process.kill)
        patience.start()
        line = self._process.stdout.readline()
        patience.cancel()
        if not line:
            raise PeerUnavailable(_ENDED)
        said: dict[str, Any] = json.loads(line)
        return said

    def end(self) -> None:
        """Its input closes, so it ends; if it does not, it is ended."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Sessions:
    """Two nodes with ``n`` items each at the ends of a link, and what a session between them costs.

    The nodes start with the first run, and again after one that a process did not survive.
    """

    def __init__(self, place: Place, folder: Path, n: int, seed: int) -> None:
        *sets, self._common = items(n, seed)
        self.files = (folder / "receiver.txt", folder / "sender.txt")
        for file, lines in zip(self.files, sets, strict=True):
            file.write_text("\n".join(lines))
        self._place = place
        self._homes = [roomy(home) for home in alliance.found("bench.local", ("receiver", "sender"), folder)]
        self._nodes = ExitStack()
        self._parties: tuple[_Party, _Party] | None = None
        self._address = ""
        self._hash_s = 0.0

    @property
    def common(self) -> int:
        """How many items both hold."""
        return self._common

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the receiver's process and the sender's, if they run."""
        return tuple(party.pid for party in self._parties or ())

    def run(self, protocol: str) -> Run | Gap:
        """One session; a gap where it failed, or gave a wrong result."""
        try:
            return self._run(protocol, self._parties or self._start())
        except PeerUnavailable as e:
            self.end()
            return Gap(str(e))

    def end(self) -> None:
        """Both nodes end."""
        self._nodes.close()
        self._parties = None

    def _start(self) -> tuple[_Party, _Party]:
        receiver_home, sender_home = self._homes
        where = self._place.address("b")
        sender = _Party(self._place, "b", sender_home, self.files[1], where)
        self._nodes.callback(sender.end)
        receiver = _Party(self._place, "a", receiver_home, self.files[0])
        self._nodes.callback(receiver.end)
        self._address = f"{where}:{sender.answer()['port']}"
        self._hash_s = receiver.answer()["hash_s"]
        self._parties = (receiver, sender)
        return self._parties

    def _run(self, protocol: str, parties: tuple[_Party, _Party]) -> Run | Gap:
        for party in parties:
            party.ask(do="begin")
        got = parties[0].ask(do="run", protocol=protocol, address=self._address)
        reports = [party.ask(do="report") for party in parties]
        if "failed" in got:
            return Gap(got["failed"])
        true = {"count": self._common, "total": SEEN * self._common, "contexts": self._common}
        if wrong := {what for what, number in true.items() if got[what] not in {None, number}}:
            return Gap(
                "; ".join(f"wrong: {what} {got[what]} instead of {true[what]}" for what in sorted(wrong))
            )
        receiver, sender = (phases(protocol, report["steps"]) for report in reports)
        return Run(
            seconds={"total": got["total_s"], "hash": self._hash_s, "offline": got["offline_s"]},
            phases={"receiver": receiver, "sender": sender},
            bytes={"receiver": got["sent"], "sender": got["received"]},
            cpu_s={"receiver": reports[0]["cpu_s"], "sender": reports[1]["cpu_s"]},
            peak_mib={"receiver": reports[0]["peak_mib"], "sender": reports[1]["peak_mib"]},
            rounds=DISCOVERED[protocol].round_trips,
            exact=got["count"] is not None,
        )


@contextmanager
def sessions(place: Place, n: int, seed: int) -> Iterator[Sessions]:
    """Two nodes of a passing alliance for as long as the context lasts; see ``Sessions``."""
    with tempfile.TemporaryDirectory(prefix="cosight-bench-") as folder:
        found = Sessions(place, Path(folder), n, seed)
        try:
            yield found
        finally:
            found.end()


def phases(protocol: str, steps: Sequence[Sequence[Any]]) -> dict[str, float]:
    """The seconds of a party's steps, by phase."""
    offline = {kind.__name__ for kind in DISCOVERED[protocol].offline}
    spent = dict.fromkeys(PHASES[1:], 0.0)
    last_sent = max((i for i, (what, *_) in enumerate(steps) if what == "send"), default=-1)
    ahead = bool(offline)
    for i, (what, which, seconds) in enumerate(steps):
        if ahead and which not in offline and which != "the start":
            ahead = False
        if ahead:
            spent["offline"] += seconds
        elif what != "compute":
            spent["transfer"] += seconds
        else:
            spent["encode" if i < last_sent else "decode"] += seconds
    return spent


def roomy(home: Home) -> Home:
    """The home with limits that let the largest sizes and the slowest links pass."""
    text = home.config_file.read_text()
    if "[limits]\n" not in text:
        raise ConfigError(f"{home.config_file} has no [limits]")
    write_atomic(home.config_file, text.replace("[limits]\n", _LIMITS).encode())
    return Home.open(home.path)
