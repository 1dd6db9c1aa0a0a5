"""What a match day on day costs that goes on from the one before: ``python -m benchmarks.delta [--turned]``.

The address feed of ThreatFox on eight days, against one feed of Sekio: each day once whole (``voprf``) and
once from the state of the day before (``voprf-epoch``), which must find the same. With ``--turned`` ThreatFox
is the sender, so that what changes are the tags.

``memory``: both roles in this process, one after the other; processor time of both. ``nodes``: two processes
over loopback gRPC with mutual TLS, agreement, policy, stores and ledger; ``session_s`` is what ``cosight
match`` says it took, ``process_s`` that command from its start to its end. The feeds are looked for in
COSIGHT_DATA, or beside the repository.
"""

import argparse
import gzip
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from crypto import session
from crypto.epochs import change_level
from crypto.hashing import item_rows
from crypto.psi import DISCOVERED, Params
from crypto.psi.voprf_epoch import Fresh
from crypto.rows import Rows, join
from exchange.agreement import size_class
from exchange.bench import machine
from exchange.clock import utc_now
from exchange.config import Home
from exchange.indicators import IndicatorType
from exchange.indicators.readers import read
from exchange.indicators.warninglists import Mode, shipped_folder
from exchange.indicators.warninglists.lists import by_name
from exchange.local.alliance import found
from exchange.store import Store
from exchange.store.warninglists import set_modes

DATA = Path(os.environ.get("COSIGHT_DATA") or machine.ROOT.parent / "shared" / "data")
COSIGHT = (sys.executable, "-m", "exchange")
PART = 0.05
"""The part of a whole run that one from a state may cost."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One run.

    Attributes:
        shared: how many matched.
        level: as how many rows the changes of receiver and sender were declared; None in a whole run.
        bytes: of payload, or between the nodes, both directions.
        crypto_s: processor time of both roles, without the network.
        session_s: of the session between nodes.
        process_s: of the command.
    """

    shared: int
    level: tuple[int, int] | None
    bytes: int
    crypto_s: float = 0.0
    session_s: float = 0.0
    process_s: float = 0.0


def feeds() -> tuple[list[Path], Path]:
    """ThreatFox by day, and Sekio."""
    days = sorted((DATA / "feeds" / "threatfox-history").glob("*.txt.gz"))
    if not days:
        sys.exit(f"no feeds in {DATA}: set COSIGHT_DATA to the folder that holds them")
    return days, DATA / "feeds" / "sekio-ips.txt.gz"


def rows_of(feed: Path) -> Rows:
    """The items of a feed of addresses, one a line."""
    with gzip.open(feed, "rt") as file:
        values = sorted({line.strip() for line in file if line.strip() and not line.startswith("#")})
    return item_rows(IndicatorType.IPV4, values)


# --- both roles in this process


def in_memory(days: list[Rows], other: Rows, *, turned: bool) -> Iterator[tuple[Cost, Cost]]:
    """A whole run, and one from the state of the day before, for each day but the first."""
    before: Any = (None, Fresh())
    for number, day in enumerate(days):
        ours, theirs = (other, day) if turned else (day, other)
        sizes = size_class(len(ours)), size_class(len(theirs))
        level = (0, 0) if not number else _levels(ours, theirs, sizes, before)
        whole, _ = _run("voprf", (ours, theirs), sizes)
        states = {"state": before[0]}, {"state": before[1]}
        delta, before = _run("voprf-epoch", (ours, theirs), sizes, level, states)
        if whole.shared != delta.shared:
            sys.exit("the run from a state found something else")
        if number:
            yield whole, delta


def _levels(ours: Rows, theirs: Rows, sizes: tuple[int, int], states: Any) -> tuple[int, int]:
    changed = [
        (len(now) - len(join(now, state.items)[0]), len(state.items) - len(join(now, state.items)[0]))
        for now, state in zip((ours, theirs), states, strict=True)
    ]
    levels = change_level(changed[0][0], sizes[0]), change_level(max(changed[1]), sizes[1])
    if levels[0] is None or levels[1] is None:
        sys.exit("a feed changed too much in a day for a run from a state")
    return levels[0], levels[1]


def _run(
    name: str,
    sets: tuple[Rows, Rows],
    sizes: tuple[int, int],
    level: tuple[int, int] = (0, 0),
    states: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
) -> tuple[Cost, Any]:
    params = Params(
        n_r=sizes[0], n_s=sizes[1], new_r=level[0], new_s=level[1], context=secrets.token_bytes(32)
    )
    protocol = DISCOVERED[name]
    start = process_time()
    mine, its = session.run(
        protocol.receiver(sets[0], params, **states[0]), protocol.sender(sets[1], params, **states[1])
    )
    seconds = process_time() - start
    cost = Cost(mine.count, level if any(level) else None, sum(protocol.traffic(params)), crypto_s=seconds)
    return cost, (getattr(mine, "state", None), its)


# --- two nodes as processes


def between_nodes(days: list[Path], other: Path, *, turned: bool) -> Iterator[tuple[Cost, Cost]]:
    """The same between two nodes."""
    with tempfile.TemporaryDirectory(prefix="cosight-delta-") as folder:
        alice, bob = found("benchmark.example", ["alice", "bob"], Path(folder))
        for home in (alice, bob):
            set_modes(home, sorted(by_name(shipped_folder())), Mode.OFF)
        moving, still = (bob, alice) if turned else (alice, bob)
        _take_in(still, other)
        with _serving(bob) as address:
            for number, day in enumerate(days):
                _take_in(moving, day)
                whole, delta = (_match(alice, address, name) for name in ("voprf", "voprf-epoch"))
                if whole.shared != delta.shared or (delta.level is None) is not (number == 0):
                    sys.exit("the session found something else, or did not go on from the one before")
                if number:
                    yield whole, delta


def _take_in(home: Home, feed: Path) -> None:
    store = Store.open(home.store_url)
    try:
        store.import_indicators(read(feed), source="feed", tlp="CLEAR", now=utc_now())
    finally:
        store.close()


@contextmanager
def _serving(home: Home) -> Iterator[str]:
    command = [*COSIGHT, "serve", "--listen", "127.0.0.1:0", "--home", str(home.path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()


def _match(home: Home, address: str, protocol: str) -> Cost:
    command = [*COSIGHT, "match", "bob", "--type", "ipv4", "--protocol", protocol, "--address", address]
    start = perf_counter()
    done = subprocess.run([*command, "--home", str(home.path), "--json"], stdout=subprocess.PIPE, check=True)
    wall, result = perf_counter() - start, json.loads(done.stdout)
    delta = result["delta"]
    return Cost(
        result["result"]["count"],
        None if delta is None else (delta["new_ours"], delta["new_peer"]),
        sum(result["bytes"].values()),
        session_s=result["seconds"]["total"],
        process_s=wall,
    )


# --- what came of it


def lines(name: str, costs: list[tuple[Cost, Cost]], figures: tuple[str, ...]) -> Iterator[str]:
    """A table for people: whole, from a state, and the ratio, of each figure."""
    yield f"{name:<8} day  shared     level  " + "".join(
        f"{f'{figure}: whole':>18}{'delta':>12}{'':>8}" for figure in figures
    )
    for day, (whole, delta) in enumerate(costs, start=2):
        cells = []
        for figure in figures:
            a, b = float(getattr(whole, figure)), float(getattr(delta, figure))
            form = ",.0f" if figure == "bytes" else ".3f"
            cells.append(f"{a:>18{form}}{b:>12{form}}{b / a:>7.1%}{' ' if b <= PART * a else '!'}")
        assert delta.level is not None
        levels = "{:>4}/{:>4}".format(*delta.level)
        yield f"{'':<8} {day:>3}  {delta.shared:>6,}  {levels} {''.join(cells)}"
    for figure in figures:
        ratios = [float(getattr(d, figure)) / float(getattr(w, figure)) for w, d in costs]
        yield f"{'':<8} {figure}: {np.median(ratios):.1%} in the middle, {max(ratios):.1%} at most"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turned", action="store_true", help="the feed that changes is the sender's")
    parser.add_argument("--memory", action="store_true", help="without the nodes")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    days, other = feeds()
    parts: dict[str, list[tuple[Cost, Cost]]] = {
        "memory": list(in_memory([rows_of(day) for day in days], rows_of(other), turned=options.turned))
    }
    if not options.memory:
        parts["nodes"] = list(between_nodes(days, other, turned=options.turned))
    facts = machine.facts()
    if options.json:
        told = {
            name: [
                {"day": day, "whole": asdict(w), "delta": asdict(d)} for day, (w, d) in enumerate(costs, 2)
            ]
            for name, costs in parts.items()
        }
        print(json.dumps({"machine": facts, "turned": options.turned, **told}))
        return
    print(machine.describe(facts))
    figures = {"memory": ("bytes", "crypto_s"), "nodes": ("bytes", "session_s", "process_s")}
    for name, costs in parts.items():
        print("\n".join(lines(name, costs, figures[name])))


if __name__ == "__main__":
    main()
