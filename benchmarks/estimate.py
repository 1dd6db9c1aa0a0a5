"""What an estimate costs: ``python -m benchmarks.estimate [--n 10^6,10^7] [--repeat 5] [--json]``.

``sketch``: of a set of this size, once for as long as the set and the salt stay; the memory is the peak above
what the process held with the items. ``run``: the protocol with both sketches stored, both parties in one
process on all cores, without a network; a third of the union is in common, and the similarity is compared
with its interval. Each size has a process of its own.
"""

import argparse
import json
import secrets
import statistics
import time
from typing import Any

import numpy as np

from benchmarks.runs import in_child, peak_mib, random_rows, sizes, whole_run
from crypto.psi import DISCOVERED, Params
from crypto.psi.base import ITEM_BYTES
from crypto.rows import Rows
from crypto.sketch import sketch
from exchange.bench import machine

ESTIMATE = DISCOVERED["estimate"]
AT_MOST_S = 1.0
NOTHING = np.empty((0, ITEM_BYTES), np.uint8)


def run(n: int, ours: Rows, theirs: Rows) -> dict[str, float]:
    """One run over two stored sketches."""
    params = Params(n_r=n, n_s=n, context=secrets.token_bytes(32))
    found, figures = whole_run(
        ESTIMATE,
        params,
        ESTIMATE.receiver(NOTHING, params, sketch=ours),
        ESTIMATE.sender(NOTHING, params, sketch=theirs),
    )
    low, high = found.interval(0.9999)
    assert low <= (n - n // 2) / (n + n // 2) <= high
    return figures


def one_size(n: int, repeat: int) -> dict[str, Any]:
    """Sketch two sets, of which half is in common, and compare them."""
    pool, salt = random_rows(n + n // 2), secrets.token_bytes(32)
    held, seconds, made = peak_mib(), [], []
    for items in (pool[:n], pool[n // 2 :]):
        start = time.perf_counter()
        made.append(sketch(items, salt))
        seconds.append(time.perf_counter() - start)
    peak = peak_mib() - held
    runs = [run(n, *made) for _ in range(repeat)]
    return {"n": n, "sketch_s": seconds, "sketch_peak_mib": peak, "runs": runs}


def table(result: dict[str, Any]) -> str:
    """The results for people."""
    lines = [machine.describe(result["machine"]), ""]
    lines.append(
        f"{'items a side':>14}{'sketch s':>10}{'peak MiB':>10}{'run s':>8}{'slowest':>9}{'bytes':>9}"
    )
    for row in result["sizes"]:
        walls = [one["wall_s"] for one in row["runs"]]
        lines.append(
            f"{row['n']:14,}{max(row['sketch_s']):10.2f}{row['sketch_peak_mib']:10.0f}"
            f"{statistics.median(walls):8.3f}{max(walls):9.3f}{row['runs'][0]['bytes']:9,}"
            f"  <= {AT_MOST_S:g} s {'met' if max(walls) <= AT_MOST_S else 'MISSED'}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.estimate", description="Sketches and their comparison."
    )
    parser.add_argument(
        "--n", default="10^6,10^7", help="items a side, several by commas (default: 10^6,10^7)"
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs (default: 5)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    asked = sizes(arguments.n)
    if arguments.child:
        print(json.dumps(one_size(asked[0], arguments.repeat)))
        return
    result = {
        "benchmark": "estimate",
        "machine": machine.facts(),
        "sizes": [
            in_child("benchmarks.estimate", "--n", str(n), "--repeat", str(arguments.repeat)) for n in asked
        ],
    }
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
