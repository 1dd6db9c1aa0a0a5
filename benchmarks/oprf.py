"""Throughput of the kernel: the group, the oblivious PRF in both forms, rows and hashing.

Each function is timed on one core (in a child process, since the kernel fixes its threads once) and on all.
Medians of five runs with their spread; wall time, so a busy machine shows.

    python -m benchmarks.oprf [--n 16384] [--json]
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.runs import in_child, random_rows, timed
from crypto import group, hashing, oprf, rows
from crypto.oprf import Mode
from crypto.rows import Rows
from exchange.bench.machine import describe, facts

RUNS = 5
ROWS_PER_ITEM = 16
"""Row operations are so much faster that they are timed on this many rows an item."""

Case = tuple[str, int, Callable[[], object]]


def cases(n: int) -> Iterator[Case]:
    """What is timed: a name, how many items one call takes, the call."""
    items, key = random_rows(n), oprf.generate_key(Mode.VOPRF)
    yield "hash_to_group", n, lambda: group.hash_to_group(items, b"benchmark")
    yield "evaluate", n, lambda: oprf.evaluate(key, items)

    blinds, blinded = oprf.bulk_blind(items)
    evaluated, proof = oprf.bulk_blind_evaluate(key, blinded)
    yield "bulk_blind", n, lambda: oprf.bulk_blind(items)
    yield "bulk_blind_evaluate", n, lambda: oprf.bulk_blind_evaluate(key, blinded)
    yield (
        "bulk_finalize", n,
        lambda: oprf.bulk_finalize(
            items, blinds, evaluated, blinded=blinded, proof=proof, public_key=key.public_key
        ),
    )  # fmt: skip
    yield from rfc_cases(items[: oprf.MAX_RFC_BATCH], key)

    table = random_rows(n * ROWS_PER_ITEM)
    mirrored = np.ascontiguousarray(table[::-1])
    values = [f"host-{index}.example.org" for index in range(len(table))]
    yield "rows.sort", len(table), lambda: rows.sort(table)
    yield "rows.unique", len(table), lambda: rows.unique(table)
    yield "rows.join", len(table), lambda: rows.join(table, mirrored)
    yield "hashing.item_rows", len(table), lambda: hashing.item_rows("domain", values)
    yield "hashing.keyed_rows", len(table), lambda: hashing.keyed_rows(bytes(32), table)


def rfc_cases(items: Rows, key: oprf.PrivateKey) -> Iterator[Case]:
    """The RFC's own form, mode VOPRF."""
    n = len(items)
    blinds, blinded = oprf.blind(items, mode=Mode.VOPRF)
    evaluated, proof = oprf.blind_evaluate(key, blinded)
    yield "blind", n, lambda: oprf.blind(items, mode=Mode.VOPRF)
    yield "blind_evaluate", n, lambda: oprf.blind_evaluate(key, blinded)
    yield (
        "finalize", n,
        lambda: oprf.finalize(
            items, blinds, evaluated,
            mode=Mode.VOPRF, blinded=blinded, proof=proof, public_key=key.public_key,
        ),
    )  # fmt: skip


def measure(n: int) -> dict[str, dict[str, float]]:
    """Microseconds an item and items a second of every case, in this process."""
    results = {}
    for name, count, call in cases(n):
        seconds = sorted(timed(call) for _ in range(RUNS))
        median = statistics.median(seconds)
        results[name] = {
            "us_per_item": round(median / count * 1e6, 3),
            "us_min": round(seconds[0] / count * 1e6, 3),
            "us_max": round(seconds[-1] / count * 1e6, 3),
            "per_second": round(count / median),
        }
    return results


def measure_in_child(n: int, threads: int) -> dict[str, dict[str, float]]:
    """The same with that many threads."""
    return in_child("benchmarks.oprf", "--n", str(n), RAYON_NUM_THREADS=str(threads))


def table(results: dict[str, Any]) -> str:
    """The results for people."""
    lines = [
        describe(results["machine"]),
        f"n = {results['n']}, median of {RUNS} runs (fastest to slowest), microseconds an item",
        f"{'':20} {'one core':>26} {'items/s':>10} {'all cores':>26} {'items/s':>10}",
    ]
    for name, one in results["one_core"].items():
        cells = [
            f"{r['us_per_item']:9.2f} ({r['us_min']:.2f} to {r['us_max']:.2f})".rjust(26)
            + f" {r['per_second']:10,}"
            for r in (one, results["all_cores"][name])
        ]
        lines.append(f"{name:20} {' '.join(cells)}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.oprf", description="Throughput of the kernel."
    )
    parser.add_argument("--n", type=int, default=16384, help="items a call (default: 16384)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.n)))
        return
    results = {
        "benchmark": "oprf",
        "n": arguments.n,
        "machine": facts(),
        "one_core": measure_in_child(arguments.n, 1),
        "all_cores": measure(arguments.n),
    }
    print(json.dumps(results) if arguments.json else table(results))


if __name__ == "__main__":
    main()
