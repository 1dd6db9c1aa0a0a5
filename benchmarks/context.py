"""What contexts cost: ``python -m benchmarks.context [--sizes 100000] [--label 1024]``.

Both parties run in one process, one after the other, and share all of its threads; every item is shared and
has a context of its own that fills its class. ``context-asked`` has a receiver of 1000 items. Each message
passes through the frames of the wire, there and back, without a network. Seconds are told apart: ``engine``
is the intersection, ``seal`` the sender's part with the contexts, ``transfer`` all of the framing, ``open``
the receiver's part with them; ``cpu`` are those of all threads, which say more on a busy machine. The peak is
above what the process held with items and contexts in memory, and includes both parties and the result, which
is compared.

Each protocol and size has a process of its own, whose first run is told apart. Linux only.
"""

import argparse
import json
import multiprocessing
import re
import secrets
import statistics
import sys
from collections import defaultdict
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from crypto import session
from crypto.psi import DISCOVERED, Brings, Output, Params
from crypto.psi.base import ITEM_BYTES
from crypto.sealing import Sealed, label_class
from crypto.session import Message, Receive, Role, Send
from exchange import wire
from exchange.agreement import size_class
from exchange.bench import machine

Seconds = dict[str, float]

PROTOCOLS = [name for name, protocol in DISCOVERED.items() if protocol.brings is Brings.CONTEXTS]
ASKS = 1000
"""Items of the receiver where it asks for contexts of few; nothing else suits that protocol better."""
AT_MOST = {("vole-context", 100_000, 1024): 5.0, ("voprf-context", 100_000, 1024): 5.0}
"""Seconds in all, by protocol, size and class."""


def _timed(role: Role[Any], part: str, seconds: Seconds) -> Generator[Send | Receive, Message | None, Any]:
    """Run a role, and add up what it takes: as ``part`` around the messages with contexts."""
    arrived: Message | None = None
    try:
        while True:
            start = perf_counter()
            step = role.send(arrived)
            sealed = isinstance(arrived, Sealed) or (isinstance(step, Send) and _is_sealed(step.message))
            seconds[part if sealed else "engine"] += perf_counter() - start
            arrived = yield step
    except StopIteration as stop:
        seconds[part if isinstance(arrived, Sealed) else "engine"] += perf_counter() - start
        return stop.value


def _is_sealed(message: Message) -> bool:
    return isinstance(message, Sealed)


def _through_the_wire(protocol: str, message: Message) -> Message:
    """What a message is on the other side."""
    head, *chunks = (wire.parse_frame(f.SerializeToString()) for f in wire.to_frames(protocol, message))
    assembly = wire.Assembly(protocol, Receive(type(message), message.sizes()), head.head)
    for frame in chunks:
        assembly.feed(frame.chunk)
    return assembly.message()


def _run(name: str, n: int, label: int, items: Any, contexts: list[bytes]) -> Seconds:
    protocol, seconds = DISCOVERED[name], defaultdict(float)
    few = Output.RECEIVER not in protocol.outputs
    ours = items[:ASKS] if few else items
    params = Params(
        n_r=size_class(len(ours)), n_s=size_class(n), context=secrets.token_bytes(32), label_bytes=label,
        output=Output.BOTH if few else Output.RECEIVER,
    )  # fmt: skip

    def pass_on(message: Message) -> Message:
        start = perf_counter()
        passed = _through_the_wire(name, message)
        seconds["transfer"] += perf_counter() - start
        return passed

    start, cpu = perf_counter(), process_time()
    found, _ = session.run(
        _timed(protocol.receiver(ours, params), "open", seconds),
        _timed(protocol.sender(items, params, contexts=contexts), "seal", seconds),
        on_message=pass_on,
    )
    total, cpu = perf_counter() - start, process_time() - cpu
    assert list(found.contexts) == contexts[: len(ours)]
    return {"total": total, "cpu": cpu, **seconds, "MB": sum(protocol.traffic(params)) / 1e6}


def _mib(key: str) -> float:
    """What this process holds (``VmRSS``), or the most it ever held (``VmHWM``)."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"^{key}:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1024


def measure(name: str, n: int, label: int, repeat: int) -> dict[str, Any]:
    """One protocol at one size, in this process."""
    items = np.random.default_rng().integers(0, 256, (n, ITEM_BYTES), dtype=np.uint8)
    contexts = [secrets.token_bytes(label) for _ in range(n)]
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    held = _mib("VmRSS")
    first, *runs = [_run(name, n, label, items, contexts) for _ in range(repeat + 1)]
    medians = {part: statistics.median(run[part] for run in runs) for part in first}
    row = {"protocol": name, "n": n, "label_bytes": label, "peak_mib": _mib("VmHWM") - held}
    row |= {"mb": medians.pop("MB"), "seconds": medians, "first_s": first["total"]}
    row["samples_s"] = [run["total"] for run in runs]
    if (limit := AT_MOST.get((name, n, label))) is not None:
        row |= {"at_most_s": limit, "met": medians["total"] <= limit}
    return row


def measured(name: str, n: int, label: int, repeat: int) -> dict[str, Any]:
    """The same in a process of its own."""
    print(f"{name} {n} ...", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as own_process:
        return own_process.submit(measure, name, n, label, repeat).result()


def table(rows: list[dict[str, Any]]) -> str:
    """The figures for people."""
    parts = ("total", "cpu", "engine", "seal", "transfer", "open")
    lines = [f"{'protocol':15}{'n':>9}{'label':>7}{'first':>8}" + "".join(f"{p:>9}" for p in parts)]
    lines[0] += f"{'MB':>9}{'peak MiB':>10}"
    for row in rows:
        line = f"{row['protocol']:15}{row['n']:9}{row['label_bytes']:7}{row['first_s']:8.2f}"
        line += "".join(f"{row['seconds'].get(p, 0):9.2f}" for p in parts)
        line += f"{row['mb']:9.1f}{row['peak_mib']:10.0f}"
        if "met" in row:
            line += f"  <= {row['at_most_s']:g} s {'met' if row['met'] else 'MISSED'}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table, and write the JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default="100000")
    parser.add_argument("--label", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--protocols", type=lambda text: text.split(","), default=PROTOCOLS)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    facts, label = machine.facts(), label_class(args.label)
    rows = [measured(name, n, label, args.repeat) for n in args.sizes for name in args.protocols]
    print(f"{machine.describe(facts)}\n\n{table(rows)}")
    if args.json:
        args.json.write_text(json.dumps({"machine": facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
