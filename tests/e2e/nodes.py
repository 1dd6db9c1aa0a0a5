"""Real node processes of a passing alliance, driven from the outside as an operator drives them."""

import json
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from secrets import randbelow
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, TypeVar

from crypto.psi import PROTOCOLS
from exchange.clock import utc_now
from exchange.config import Home, write_atomic
from exchange.indicators.readers import read
from exchange.indicators.warninglists import WarningLists
from exchange.ledger import Kind, Leaf
from exchange.local.alliance import found
from exchange.planning import Measured, machine
from exchange.store import Store
from exchange.store.ledger import LedgerReader
from exchange.version import SOFTWARE
from tests.e2e.process import Process

T = TypeVar("T")
ALLIANCE = "tests.example.com"
COSIGHT = (sys.executable, "-m", "exchange")


@dataclass(frozen=True, slots=True)
class Served:
    """A running ``cosight serve``."""

    process: Process
    address: str
    log: Path

    def peak_mib(self) -> float:
        """Peak resident memory so far, by the kernel's own account."""
        return peak_mib(self.process.pid)

    def kill(self) -> None:
        """``kill -9``, as a power failure would."""
        self.process.kill()
        self.process.wait()


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found_ = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found_ is not None
    return int(found_[1]) / 1024


@contextmanager
def serve(home: Home, *options: str) -> Iterator[Served]:
    """Run ``cosight -v serve`` for as long as the context lasts; its log goes to a file in the home."""
    log = home.path / "serve.log"
    with Process("-v", "serve", "--home", str(home.path), "--json", *options, log=log) as process:
        try:
            line = process.stdout.readline()
            assert line, log.read_text()
            yield Served(process, json.loads(line)["address"], log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def cosight(home: Home, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command on a home and return the JSON that it prints."""
    return homeless(*arguments, "--home", str(home.path), code=code)


def homeless(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command that needs no home and return the JSON that it prints."""
    with Process(*arguments, "--json") as process:
        out, err = process.communicate()
    assert process.returncode == code, f"{arguments}: exit {process.returncode}\n{out}\n{err}"
    result: dict[str, Any] = json.loads(out)
    return result


def matching(home: Home, peer: str, address: str) -> Process:
    """``cosight match`` beside the test."""
    return Process("match", peer, "--address", address, "--home", str(home.path), "--json")


def members(folder: Path, *names: str, reachable: bool = False) -> tuple[Home, ...]:
    """Found an alliance whose policies allow everything; ``reachable`` puts addresses into its roster."""
    addresses = {name: f"127.0.0.1:{free_port()}" for name in names} if reachable else {}
    homes = tuple(found(ALLIANCE, names, folder, addresses))
    for home in homes:
        (home.path / "measured.json").write_bytes(measured())
    return homes


@cache
def measured() -> bytes:
    """What a node finds out once of the machine that it is on."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "measured.json")
        Measured(file, machine(SOFTWARE)).computing(PROTOCOLS)
        return file.read_bytes()


def free_port() -> int:
    """A port that nobody has now, nor is given before it is used: not of those that a system hands out."""
    while True:
        port = 10_000 + randbelow(20_000)
        with socket.socket() as bound, suppress(OSError):
            bound.bind(("127.0.0.1", port))
            return port


def import_values(home: Home, values: Iterable[str], *, source: str = "feed", own: bool = False) -> None:
    """Have a home take in these indicators: what ``cosight import`` does, without a process for it."""
    feed = home.path / "feed.txt"
    feed.write_text("".join(f"{value}\n" for value in values))
    store = Store.open(home.store_url)
    try:
        store.import_indicators(
            read(feed, format="text"),
            source=source,
            tlp="AMBER",
            own=own,
            lists=shipped_lists(),
            now=utc_now(),
        )
    finally:
        store.close()


@cache
def shipped_lists() -> WarningLists:
    """The warning lists that come with the software: a process reads them once, which takes a while."""
    return WarningLists.load()


def configure(home: Home, **limits: int) -> Home:
    """Set limits in ``config.toml``; gives the home as it is then."""
    kept = home.config_file.read_text().partition("[limits]")[0]
    lines = "".join(f"{name} = {value}\n" for name, value in limits.items())
    write_atomic(home.config_file, f"{kept}[limits]\n{lines}".encode())
    return Home.open(home.path)


def entries(home: Home) -> list[Leaf]:
    """Everything in a home's ledger."""
    if not home.ledger_file.exists():
        return []
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        return reader.entries()


def story(home: Home, session: str) -> list[tuple[str, str]]:
    """What a home's ledger says of a session: its intent and its result, each with its reason."""
    told = [e for e in entries(home) if e.session == session and e.kind is not Kind.RECEIPT]
    return [(str(e.kind), str(e.what.get("reason", ""))) for e in told]


def receipts(home: Home) -> list[bytes]:
    """The receipts in a home's ledger."""
    found = (e.fields.get("receipt") for e in entries(home))
    return [receipt for receipt in found if isinstance(receipt, bytes)]


def until(condition: Callable[[], T], timeout_s: float = 60) -> T:
    """Look until the condition gives something true, and return that."""
    end = monotonic() + timeout_s
    while not (result := condition()):
        assert monotonic() < end, "it did not come to be in time"
        sleep(0.02)
    return result
