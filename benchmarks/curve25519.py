"""The Diffie-Hellman engine, the protocol ``cardinality`` on it, and the published systems beside it.

    python -m benchmarks.curve25519 [--n 2^20] [--repeat 3] [--peers] [--json]

``engine``: functions of ``crypto.curve25519`` on one core, in a child process, as the machine has it and on
the path for any machine. The rate is that of the best of many short calls, so that other work on the machine
counts little; the median is beside it. ``run``: both parties in one process, on all cores, without a network;
half of the items are in common and the number is compared. Processor seconds are those of all threads: on a
busy machine they say more than wall seconds. ``peers``: such a run beside one of spu (ECDH on Curve25519, two
processes over loopback, its own online phase) and one of openmined-psi (ECDH on P-256, the same, at an eighth
of the size).
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, peers
from benchmarks.environment import interpreter
from crypto import _native, curve25519, session
from crypto.psi import DISCOVERED, Params
from crypto.psi.base import ITEM_BYTES
from crypto.rows import Rows

CARDINALITY = DISCOVERED["cardinality"]
SPU = "spu==0.9.5"
PEER_SHARE = 8
"""openmined-psi takes minutes for a million items; its time is linear in the size."""
CHUNK = 256
CALLS = 3000
AT_LEAST = {"multiply": 140_000}
AT_MOST_S = {1 << 20: 16.0}


def random_rows(n: int) -> Rows:
    """``(n, 32)`` random bytes."""
    return np.frombuffer(secrets.token_bytes(ITEM_BYTES * n), np.uint8).reshape(n, ITEM_BYTES)


def timed(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def engine() -> dict[str, Any]:
    """Rows a second of each function, in this process, which should have one thread."""
    items, scalar = random_rows(CHUNK), curve25519.generate_scalar()
    points = curve25519.encode(bytes(32), items)
    calls: dict[str, Callable[[], object]] = {
        "multiply": lambda: curve25519.multiply(points, scalar),
        "encode": lambda: curve25519.encode(bytes(32), items),
        "validate": lambda: curve25519.validate(points),
    }
    rates: dict[str, Any] = {}
    for name, call in calls.items():
        seconds = [timed(call) for _ in range(CALLS)]
        rates[name] = {
            "best_per_s": round(CHUNK / min(seconds)),
            "median_per_s": round(CHUNK / statistics.median(seconds)),
        }
    return {"backend": _native.kernel_backends()["curve25519"], "rates": rates}


def engine_in_child(kernel: str) -> dict[str, Any]:
    """The same on one core."""
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", "COSIGHT_KERNEL": kernel}
    command = [sys.executable, "-m", "benchmarks.curve25519", "--child"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(n: int) -> dict[str, float]:
    """One whole run."""
    pool = random_rows(n + n - n // 2)
    ours, theirs = pool[:n], np.ascontiguousarray(pool[n - n // 2 :])
    params = Params(n_r=n, n_s=n, context=secrets.token_bytes(32))
    sent = 0

    def weigh(message: session.Message) -> session.Message:
        nonlocal sent
        sent += sum(getattr(message, field).nbytes for field in message.sizes())
        return message

    start, start_cpu = time.perf_counter(), time.process_time()
    roles = CARDINALITY.receiver(ours, params), CARDINALITY.sender(theirs, params)
    result, _ = session.run(*roles, on_message=weigh)
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    assert result.count == n // 2
    assert sent == sum(CARDINALITY.traffic(params))
    return {"wall_s": wall, "cpu_s": cpu, "bytes_per_item": sent / n, "load_1min": os.getloadavg()[0]}


def spu(n: int) -> float:
    """Seconds of the online phase of ECDH in spu."""
    shared = [secrets.token_hex(16) for _ in range(n // 2)]
    with tempfile.TemporaryDirectory(prefix="cosight-ecdh-") as folder:
        tables = [Path(folder) / f"{name}.csv" for name in "ab"]
        for table in tables:
            own = [secrets.token_hex(16) for _ in range(n - len(shared))]
            table.write_text("\n".join(["id", *shared, *own, ""]))
        script = Path(__file__).with_name("spu_psi.py")
        command = [interpreter("spu", SPU), script, *tables, "--out", folder, "--protocol", "ecdh"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    assert result["count"] == len(shared)
    return float(result["protocol_s"])


def beside(n: int, repeat: int) -> dict[str, Any]:
    """Ours and each peer in turn (A B A B); the ratio is the median of those of neighbours."""
    peer_n = max(1, n // PEER_SHARE)
    other: dict[str, tuple[int, Callable[[], float]]] = {
        "spu ECDH_25519": (n, lambda: spu(n)),
        "openmined-psi GCS": (peer_n, lambda: peers.theirs(peer_n, "GCS")["seconds"]),
    }
    found = {}
    for name, (size, measure) in other.items():
        pairs = [(run(size)["wall_s"], measure()) for _ in range(repeat)]
        found[name] = {
            "n": size,
            "ours_s": statistics.median(ours for ours, _ in pairs),
            "theirs_s": statistics.median(theirs for _, theirs in pairs),
            "ratio": statistics.median(theirs / ours for ours, theirs in pairs),
        }
    return found


def table(result: dict[str, Any]) -> str:
    """The results for people."""
    lines = [machine.describe(result["machine"])]
    for part in result["engine"]:
        lines.append(f"\n{part['backend']}, one core{'':8}{'best a second':>16}{'median':>12}")
        for name, rate in part["rates"].items():
            target = AT_LEAST.get(name) if part["backend"] == "avx512ifma" else None
            verdict = (
                f"  >= {target:,} {'met' if rate['best_per_s'] >= target else 'MISSED'}" if target else ""
            )
            lines.append(f"  {name:24}{rate['best_per_s']:16,}{rate['median_per_s']:12,}{verdict}")
    n, limit = result["n"], AT_MOST_S.get(result["n"])
    lines.append(f"\n{n:,} x {n:,}{'':8}{'wall s':>9}{'processor s':>13}{'bytes an item':>15}{'load':>7}")
    for one in result["runs"]:
        verdict = f"  <= {limit:g} s {'met' if one['wall_s'] <= limit else 'MISSED'}" if limit else ""
        cells = (
            f"{one['wall_s']:9.2f}{one['cpu_s']:13.2f}{one['bytes_per_item']:15.1f}{one['load_1min']:7.2f}"
        )
        lines.append(f"{'':27}{cells}{verdict}")
    for name, row in result["beside"].items():
        lines.append(
            f"\n{name} at {row['n']:,}: ours {row['ours_s']:.2f} s, theirs {row['theirs_s']:.2f} s, "
            f"x {row['ratio']:.1f}"
        )
    return "\n".join(lines)


def size(text: str) -> int:
    """A number, or a power of two such as ``2^20``."""
    base, _, exponent = text.partition("^")
    return int(base) ** int(exponent or 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.curve25519", description="The engine and its protocol."
    )
    parser.add_argument("--n", type=size, default=1 << 20, help="items a side (default: 2^20)")
    parser.add_argument("--repeat", type=int, default=3, help="runs (default: 3)")
    parser.add_argument("--peers", action="store_true", help="beside spu and openmined-psi")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(engine()))
        return
    result = {
        "benchmark": "curve25519",
        "n": arguments.n,
        "machine": machine.facts(),
        "engine": [engine_in_child(kernel) for kernel in ("", "portable")],
        "runs": [run(arguments.n) for _ in range(arguments.repeat)],
        "beside": beside(arguments.n, arguments.repeat) if arguments.peers else {},
    }
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
