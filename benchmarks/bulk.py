"""Whether the bulk protocol ``vole`` keeps its promises: ``python -m benchmarks.bulk [--large]``.

``memory``: both parties in one process, on one thread in all. ``grpc``: two processes over loopback gRPC with
mutual TLS, agreement, policy and ledger, several matches on one server; the peak is above what a party held
before the first.

Each part and size has a process of its own, whose first run is told apart. Offline is until the last message
that depends on no item. Half of the items are in common, and every result is compared. Linux only.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import secrets
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.runs import sizes
from crypto import session
from crypto.psi import PROTOCOLS, Params
from crypto.psi.base import ITEM_BYTES
from exchange.agreement import Rung, size_class
from exchange.bench import machine
from exchange.config import Home, write_atomic
from exchange.disclosure import Wish
from exchange.indicators import IndicatorType
from exchange.local import alliance
from exchange.local.lines import Lines
from exchange.node import Node

Figures = dict[str, list[float]]
"""Samples by the name of what was measured, which ends with the unit."""

VOLE = PROTOCOLS["vole"]
LARGE = 1 << 24
LIMITS = "[limits]\nmax_rows = 33554432\ndeadline_s = 3600\n"
START_S = 600
"""Time for a sender to read its file before it answers."""
LINE_BYTES = 16
AT_MOST = {
    "memory 2^16 total s": 0.06,
    "memory 2^20 total s": 0.65,
    "memory 2^20 online s": 0.35,
    "grpc 2^20 total s": 0.75,
    "grpc 2^20 online s": 0.40,
    "grpc 2^20 traffic MB": 36.0,
    "grpc 2^20 receiver's peak MiB": 300.0,
    "grpc 2^20 sender's peak MiB": 300.0,
    "grpc 2^24 total s": 15.0,
    "grpc 2^24 traffic MB": 600.0,
    "grpc 2^24 both peaks MiB": 5120.0,
}


def _sets(n: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    """Two sets of ``n`` random rows, half of them in common, and the positions of these in the first."""
    rng = np.random.default_rng()
    own = n - n // 2
    pool = rng.integers(0, 256, (n + own, width), dtype=np.uint8)
    order = rng.permutation(n)
    return pool[order], pool[own + rng.permutation(n)], np.flatnonzero(order >= own)


def _files(folder: Path, n: int) -> tuple[Path, Path, NDArray[np.int64]]:
    """The same as files of one item a line, and each as ``.csv`` with a head beside it."""
    *sets, common = _sets(n, LINE_BYTES)
    for name, rows in zip("ab", sets, strict=True):
        lines = rows.tobytes().hex("\n", LINE_BYTES)
        (folder / name).write_text(f"{lines}\n")
        (folder / f"{name}.csv").write_text(f"id\n{lines}\n")
    return folder / "a", folder / "b", common


def _mib(pid: int, key: str) -> float:
    """What a process holds (``VmRSS``), or the most it ever held (``VmHWM``)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(rf"^{key}:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1024


def _forget_peak(pid: int) -> float:
    """Let the peak of a process begin anew, and return what it holds; reading the items took more."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _mib(pid, "VmRSS")


def _times(runs: list[tuple[float, float]]) -> Figures:
    """From the total and the offline seconds of runs, of which the first is cold."""
    (first_total, first_offline), *later = runs
    return {
        "first total s": [first_total],
        "first online s": [first_total - first_offline],
        "total s": [total for total, _ in later],
        "offline s": [offline for _, offline in later],
        "online s": [total - offline for total, offline in later],
    }


def _memory(n: int, repeat: int) -> Figures:
    """In this process, which must not have used the kernel before: one thread is asked for now."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    ours, theirs, common = _sets(n, ITEM_BYTES)
    held = _forget_peak(os.getpid())

    def run() -> tuple[float, float]:
        params = Params(n_r=size_class(n), n_s=size_class(n), context=secrets.token_bytes(32))
        start, offline = perf_counter(), 0.0

        def watch(message: session.Message) -> session.Message:
            nonlocal offline
            if type(message) in VOLE.offline:
                offline = perf_counter() - start
            return message

        roles = VOLE.receiver(ours, params), VOLE.sender(theirs, params)
        matches, _ = session.run(*roles, on_message=watch)
        total = perf_counter() - start
        assert np.array_equal(matches.indices, common)
        return total, offline

    figures = _times([run() for _ in range(repeat + 1)])
    return figures | {"peak of both MiB": [_mib(os.getpid(), "VmHWM") - held]}


def _grpc(n: int, repeat: int) -> Figures:
    """This process receives, a child sends."""
    alliance.START_S = START_S
    return asyncio.run(_matches(n, repeat))


async def _matches(n: int, repeat: int) -> Figures:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cosight-bulk-")))
        a, b, common = _files(folder, n)
        receiver, sender = map(_roomy, alliance.found("bulk.local", ("receiver", "sender"), folder))
        child = await stack.enter_async_context(alliance.serving(sender, "--lines", str(b)))
        node = stack.enter_context(Node(receiver, items=Lines.read(a)))
        wish = Wish(rung=Rung.OVERLAP, types=(IndicatorType.DOMAIN,), protocol=VOLE.name)
        pids = {"receiver": os.getpid(), "sender": child["pid"]}
        held = {party: _forget_peak(pid) for party, pid in pids.items()}
        runs, traffic = [], []
        for _ in range(repeat + 1):
            outcome = await node.match("sender", wish, address=child["address"])
            assert outcome.ids is not None
            assert np.array_equal(np.sort(outcome.ids), common)
            runs.append((outcome.total_s, outcome.offline_s))
            traffic.append((outcome.sent + outcome.received) / 1e6)
        peaks = {f"{party}'s peak MiB": [_mib(pid, "VmHWM") - held[party]] for party, pid in pids.items()}
        both = {"both peaks MiB": [sum(peak for (peak,) in peaks.values())]}
        return _times(runs) | {"traffic MB": traffic} | peaks | both


def _roomy(home: Home) -> Home:
    """The home with limits that let the largest size pass."""
    text = home.config_file.read_text()
    assert "[limits]\n" in text
    write_atomic(home.config_file, text.replace("[limits]\n", LIMITS).encode())
    return Home.open(home.path)


_PARTS = {"memory": _memory, "grpc": _grpc}


def measure(part: str, n: int, repeat: int) -> Figures:
    """One part at one size, in a process of its own."""
    label = f"{part} 2^{n.bit_length() - 1}" if n.bit_count() == 1 else f"{part} {n}"
    print(f"{label} ...", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as own_process:
        figures = own_process.submit(_PARTS[part], n, repeat).result()
    return {f"{label} {name}": samples for name, samples in figures.items()}


def judged(name: str, samples: list[float]) -> dict[str, Any]:
    """The samples of a figure in short, beside what was promised; the median is held to it."""
    median = statistics.median(samples)
    row: dict[str, Any] = {"median": median, "min": min(samples), "max": max(samples), "samples": samples}
    if name in AT_MOST:
        row |= {"at_most": AT_MOST[name], "met": median <= AT_MOST[name]}
    return row


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The figures for people."""
    lines = [f"{'figure':34}{'median':>10}{'min':>10}{'max':>10}  target"]
    for name, row in rows.items():
        target = ""
        if "met" in row:
            target = f"  <= {row['at_most']:<5g}{'met' if row['met'] else 'MISSED'}"
        lines.append(f"{name:34}{row['median']:10.3f}{row['min']:10.3f}{row['max']:10.3f}{target}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table, and write the JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=sizes, default="2^16,2^20")
    parser.add_argument("--large", action="store_true", help="2^24 too")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    facts = machine.facts()
    parts = [(part, n, args.repeat) for part in ("memory", "grpc") for n in args.sizes + [LARGE] * args.large]
    rows = {name: judged(name, samples) for part in parts for name, samples in measure(*part).items()}
    print(f"{machine.describe(facts)}\n\n{table(rows)}")
    if args.json:
        result = {"machine": facts, "figures": rows}
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
