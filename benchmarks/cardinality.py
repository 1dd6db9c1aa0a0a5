"""The protocol ``cardinality``, whole runs, and the published systems beside it.

    python -m benchmarks.cardinality [--n 2^20] [--repeat 3] [--peers] [--json FILE]

``memory``: both parties in one process, on all cores, without a network; processor seconds are those of all
threads: on a busy machine they say more than wall seconds. ``grpc``: two processes over loopback gRPC with
mutual TLS, agreement, policy and ledger (``cosight psi --transport grpc``); reading the files is not in it.
``spu``: ECDH on Curve25519, two processes over loopback, its own online phase. ``openmined``: openmined-psi,
ECDH on P-256, two processes over a socket pair, at an eighth of the size, since it takes minutes for a
million; ours is measured at that size too. Both peers tell the intersection, which costs them the same.

All take turns (A B C A B C); a ratio is the median of those of neighbours. Half of the items are in common,
and every number is compared.
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, peers
from benchmarks.environment import interpreter
from benchmarks.runs import random_rows, size, whole_run
from crypto.psi import DISCOVERED, Params

CARDINALITY = DISCOVERED["cardinality"]
SPU = "spu==0.9.5"
OPENMINED_SHARE = 8
AT_MOST_S = {1 << 20: 16.0}
Figures = dict[str, float]


def memory(n: int) -> Figures:
    """Both parties in this process."""
    pool = random_rows(n + n - n // 2)
    ours, theirs = pool[:n], np.ascontiguousarray(pool[n - n // 2 :])
    params = Params(n_r=n, n_s=n, context=secrets.token_bytes(32))
    result, figures = whole_run(
        CARDINALITY, params, CARDINALITY.receiver(ours, params), CARDINALITY.sender(theirs, params)
    )
    assert result.count == n // 2
    sent = figures.pop("bytes")
    return {**figures, "bytes_per_item": sent / n}


def tables(folder: Path, n: int, head: str = "") -> list[Path]:
    """Two files of one item a line, half of them in both."""
    shared = [secrets.token_hex(16) for _ in range(n // 2)]
    files = [folder / "a.csv", folder / "b.csv"]
    for file in files:
        own = [secrets.token_hex(16) for _ in range(n - len(shared))]
        file.write_text("\n".join([*([head] if head else []), *shared, *own, ""]))
    return files


def grpc(n: int) -> Figures:
    """Two processes of ours."""
    with tempfile.TemporaryDirectory(prefix="cosight-cardinality-") as folder:
        command = [sys.executable, "-m", "exchange", "psi", *tables(Path(folder), n), "--json"]
        command += ["--transport", "grpc", "--protocol", CARDINALITY.name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    assert result["intersection"]["count"] == n // 2
    sent = result["bytes"]["receiver_sent"] + result["bytes"]["sender_sent"]
    return {"wall_s": result["seconds"]["total"], "bytes_per_item": sent / n}


def spu(n: int) -> Figures:
    """ECDH in spu."""
    with tempfile.TemporaryDirectory(prefix="cosight-ecdh-") as folder:
        script = Path(__file__).with_name("spu_psi.py")
        command = [interpreter("spu", SPU), script, *tables(Path(folder), n, "id")]
        command += ["--out", folder, "--protocol", "ecdh"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    assert result["count"] == n // 2
    return {"wall_s": float(result["protocol_s"])}


def openmined(n: int) -> Figures:
    """ECDH in openmined-psi."""
    found = peers.theirs(n, "GCS")
    return {"wall_s": found["seconds"], "bytes_per_item": found["bytes"] / n}


def in_turns(runs: dict[str, Callable[[], Figures]], repeat: int) -> dict[str, list[Figures]]:
    """Every one, then every one again."""
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            load = os.getloadavg()[0]
            found[name].append(run() | {"load_1min": load})
    return found


def measured(n: int, repeat: int, *, beside: bool) -> list[dict[str, Any]]:
    """Ours at this size, beside spu; and beside openmined-psi at a smaller one."""
    small = max(1, n // OPENMINED_SHARE)
    parts: list[tuple[int, dict[str, Callable[[], Figures]]]] = [
        (n, {"memory": lambda: memory(n), "grpc": lambda: grpc(n)})
    ]
    if beside:
        parts[0][1]["spu"] = lambda: spu(n)
        of_small = {"memory": lambda: memory(small), "openmined": lambda: openmined(small)}
        parts.append((small, of_small))
    return [{"n": size, "runs": in_turns(runs, repeat)} for size, runs in parts]


def table(result: dict[str, Any]) -> str:
    """The results for people."""
    lines = [machine.describe(result["machine"])]
    for part in result["parts"]:
        n, ours = part["n"], [one["wall_s"] for one in part["runs"]["memory"]]
        lines.append(
            f"\n{n:,} x {n:,}{'':8}{'wall s':>9}{'slowest':>9}{'processor s':>13}{'bytes an item':>15}"
        )
        for name, runs in part["runs"].items():
            walls = [one["wall_s"] for one in runs]
            cells = f"{statistics.median(walls):9.2f}{max(walls):9.2f}"
            for key, width in (("cpu_s", 13), ("bytes_per_item", 15)):
                known = [one[key] for one in runs if key in one]
                cells += f"{statistics.median(known):{width}.1f}" if known else " " * width
            times = statistics.median(b / a for a, b in zip(ours, walls, strict=True))
            verdict = f"  x {times:.2f}"
            if name == "memory":
                limit = AT_MOST_S.get(n)
                verdict = f"  <= {limit:g} s {'met' if max(walls) <= limit else 'MISSED'}" if limit else ""
            lines.append(f"  {name:20}{cells}{verdict}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cardinality", description="Whole runs.")
    parser.add_argument("--n", type=size, default=1 << 20, help="items a side (default: 2^20)")
    parser.add_argument("--repeat", type=int, default=3, help="runs (default: 3)")
    parser.add_argument("--peers", action="store_true", help="beside spu and openmined-psi")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    arguments = parser.parse_args()
    result = {
        "benchmark": "cardinality",
        "machine": machine.facts(),
        "parts": measured(arguments.n, arguments.repeat, beside=arguments.peers),
    }
    print(table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
