"""The encryption that adds up, the protocol ``sum`` on it, and other libraries' encryption beside it.

    python -m benchmarks.sum [--n 2^16 ...] [--repeat 3] [--peers] [--json]

``engine``: functions of ``crypto.elgamal`` on one core, in a child process, as the machine has it and on the
path for any machine: rows a second of processor time, the best of some rounds; a search in seconds. ``run``:
both parties in one process, on all cores, without a network; half of the items are in common, the numbers are
of 16 bits, and the total is compared. Processor seconds are those of all threads: on a busy machine they say
more than wall seconds. ``peers``: what docs/adr/0009 compares, from ``benchmarks.additive``.
"""

import argparse
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import interpreter
from benchmarks.runs import on_one_core, peak_mib, random_rows, size, whole_run
from crypto import elgamal
from crypto.psi import DISCOVERED, Params, Total
from crypto.psi.sum import MAX_VALUE
from exchange.bench import machine

SUM = DISCOVERED["sum"]
PEERS = {
    "phe": ("phe==1.5.0", "gmpy2==2.3.2"),
    "pypaillier": ("pypaillier==0.8.0",),
    "sf-heu": ("sf-heu==0.5.2b0",),
}
ROWS = 1 << 12
ROUNDS = 12
LIMITS = (32, 36, 40)
"""Searches are measured for totals below these powers of two."""


def fastest(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Processor seconds of the best of some calls."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def engine() -> dict[str, Any]:
    """What each function takes, in this process, which should have one thread."""
    key = elgamal.generate_key()
    values = np.arange(ROWS, dtype=np.uint64)
    table, chosen = elgamal.encrypt(key, values), values % 2 == 0
    blind, total = elgamal.blinded_sum(key.public_key, table, chosen)
    element = elgamal.decrypt(key, total)
    return {
        "backend": machine.facts()["backend"],
        "encrypt_per_s": round(ROWS / fastest(lambda: elgamal.encrypt(key, values))),
        "sum_per_s": round(ROWS / fastest(lambda: elgamal.blinded_sum(key.public_key, table, chosen))),
        "search_s": {
            f"2^{bits}": fastest(lambda bits=bits: elgamal.unblind(blind, element, 1 << bits), rounds=3)
            for bits in LIMITS
        },
        "peak_rss_mib": peak_mib(),
    }


def run(n: int) -> dict[str, float]:
    """One whole run."""
    pool = random_rows(2 * n - n // 2)
    ours, theirs = pool[:n], np.ascontiguousarray(pool[n - n // 2 :])
    values = np.frombuffer(secrets.token_bytes(2 * n), np.uint16).astype(np.uint64)
    params = Params(n_r=n, n_s=n, context=secrets.token_bytes(32))
    result, figures = whole_run(
        SUM, params, SUM.receiver(ours, params), SUM.sender(theirs, params, values=values)
    )
    assert values.max() <= MAX_VALUE
    assert result == Total(n // 2, int(values[: n // 2].sum()))
    sent = figures.pop("bytes")
    return {"n": n, **figures, "bytes_per_item": sent / n, "load_1min": os.getloadavg()[0]}


def beside() -> dict[str, Any]:
    """What other libraries' ciphertexts cost, on one core."""
    script, found = Path(__file__).with_name("additive.py"), {}
    for name, pinned in PEERS.items():
        command = [interpreter(name, *pinned), script, name]
        environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        found[pinned[0]] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(result: dict[str, Any]) -> str:
    """The results for people."""
    lines = [machine.describe(result["machine"])]
    for part in result["engine"]:
        searches = ", ".join(f"{limit} {seconds:.2f} s" for limit, seconds in part["search_s"].items())
        lines += [
            f"\n{part['backend']}, one core",
            f"  encrypt {part['encrypt_per_s']:12,} a second",
            f"  sum     {part['sum_per_s']:12,} a second",
            f"  search below {searches}; {part['peak_rss_mib']:.0f} MiB in all",
        ]
    lines.append(f"\n{'n x n':>12}{'wall s':>9}{'processor s':>13}{'bytes an item':>15}{'load':>7}")
    lines += [
        f"{one['n']:12,}{one['wall_s']:9.2f}{one['cpu_s']:13.2f}{one['bytes_per_item']:15.1f}"
        f"{one['load_1min']:7.2f}"
        for one in result["runs"]
    ]
    for library, schemes in result["beside"].items():
        lines.append(f"\n{library}{'':8}encryptions and additions a second, bytes")
        lines += [
            f"  {scheme:24}{row['encrypt']:12,}{row['add']:12,}{row['bytes']:8,}"
            for scheme, row in schemes.items()
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sum", description="Sums and their encryption."
    )
    parser.add_argument(
        "--n", type=size, nargs="+", default=[1 << 16, 1 << 18], help="items a side (default: 2^16 2^18)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each size (default: 3)")
    parser.add_argument("--peers", action="store_true", help="beside other libraries")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(engine()))
        return
    result = {
        "benchmark": "sum",
        "machine": machine.facts(),
        "engine": [on_one_core("benchmarks.sum", kernel) for kernel in ("", "portable")],
        "runs": [run(n) for n in arguments.n for _ in range(arguments.repeat)],
        "beside": beside() if arguments.peers else {},
    }
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
