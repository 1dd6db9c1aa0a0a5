"""The Diffie-Hellman engine: ``python -m benchmarks.curve25519 [--json]``.

Functions of ``crypto.curve25519`` on one core, in a child process, as the machine has it and on the path for
any machine. The rate is that of the best of many short calls, so that other work on the machine counts
little; the median is beside it. ``cosight bench psi --protocol cardinality`` measures the protocol on it.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from typing import Any

from benchmarks.runs import on_one_core, random_rows, timed
from crypto import _native, curve25519
from exchange.bench import machine

CHUNK = 256
CALLS = 3000
AT_LEAST = {"multiply": 140_000}


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
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curve25519", description="The engine.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(engine()))
        return
    result = {
        "benchmark": "curve25519",
        "machine": machine.facts(),
        "engine": [on_one_core("benchmarks.curve25519", kernel) for kernel in ("", "portable")],
    }
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
