"""Real node processes of a passing alliance, driven from the outside as an operator drives them."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from exchange.cli.local import found
from exchange.config import Home, write_atomic
from exchange.indicators.readers import read
from exchange.ledger import Kind, Leaf
from exchange.node import utc_now
from exchange.store import Store
from exchange.store.ledger import LedgerReader

T = TypeVar("T")
ALLIANCE = "tests.example.com"
COSIGHT = (sys.executable, "-m", "exchange")


@dataclass(frozen=True, slots=True)
class Served:
    """A running ``cosight serve``."""

    process: subprocess.Popen[str]
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
    command = [*COSIGHT, "-v", "serve", "--home", str(home.path), "--json", *options]
    with log.open("a") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Served(process, json.loads(line)["address"], log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()


def cosight(home: Home, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command on a home and return the JSON that it prints."""
    return homeless(*arguments, "--home", str(home.path), code=code)


def homeless(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command that needs no home and return the JSON that it prints."""
    done = subprocess.run(
        [*COSIGHT, *arguments, "--json"], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextmanager
def matching(home: Home, peer: str, address: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``cosight match`` beside the test; it is gone when the context ends."""
    command = [*COSIGHT, "match", peer, "--address", address, "--home", str(home.path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def members(folder: Path, *names: str) -> tuple[Home, ...]:
    """Found an alliance whose policies allow everything between its members."""
    return tuple(found(ALLIANCE, names, folder))


def import_values(home: Home, values: Iterable[str], *, own: bool = False) -> None:
    """Have a home take in these indicators: what ``cosight import`` does, without a process for it."""
    feed = home.path / "feed.txt"
    feed.write_text("".join(f"{value}\n" for value in values))
    store = Store.open(home.store_url)
    try:
        store.import_indicators(read(feed, format="text"), source="feed", tlp="AMBER", own=own, now=utc_now())
    finally:
        store.close()


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


def until(condition: Callable[[], T], timeout_s: float = 20) -> T:
    """Look until the condition gives something true, and return that."""
    end = monotonic() + timeout_s
    while not (result := condition()):
        assert monotonic() < end, "it did not come to be in time"
        sleep(0.02)
    return result
