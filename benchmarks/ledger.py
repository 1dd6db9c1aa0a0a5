"""How many durable appends a ledger takes a second, and how long verifying and exporting one takes.

Run: ``python -m benchmarks.ledger [--leaves N] [--folder DIR]``. Every append is on the disk when it returns,
entry and head file both: put ``--folder`` where the node's home would be. Prints JSON.
"""

import argparse
import json
import resource
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.bench import machine
from exchange.bench.ledgers import NOW, intent
from exchange.store.ledger import Draft, LedgerReader, LedgerStore

_KEY = Ed25519PrivateKey.generate()
_END = {
    "learned_by_us": "size", "learned_by_peer": "overlap", "matched": 7, "at_stake": 900, "ours_padded": 1024,
    "peer_padded": 2048, "transcript": "7a" * 32, "peer_signature": "5e" * 64, "bytes_sent": 32768,
    "bytes_received": 81920, "messages_sent": 1,
}  # fmt: skip
_APPENDS = 2000
_BATCH = 50


def _session(n: int) -> list[Draft]:
    begun = intent(n)
    fields = {**begun.fields, "agreement": "a9" * 32, "what": _END}
    return [begun, Draft("disclosed", fields)]


def _rate(store: LedgerStore, first: int, threads: int) -> float:
    """Appends a second of so many threads, each entry by itself."""

    def work(part: int) -> None:
        for n in range(first + part, first + _APPENDS, threads):
            store.append_all([intent(n)], now=NOW)

    start = perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return _APPENDS / (perf_counter() - start)


def _fill(store: LedgerStore, first: int, count: int, batch: int) -> float:
    """Entries a second, so many in a transaction: sessions with their results."""
    start = perf_counter()
    for n in range(first, first + count, batch):
        store.append_all([draft for k in range(n, n + batch, 2) for draft in _session(k)], now=NOW)
    return count / (perf_counter() - start)


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _cpu_s() -> float:
    """Processor time of this process and of those that it waited for."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def measure(folder: Path, leaves: int) -> dict[str, Any]:
    """Everything, in a folder of its own."""
    path = folder / "ledger.db"
    with LedgerStore.open(path, signer=_KEY, origin="cosight/acme") as store:
        store.append_all([intent(0)], now=NOW)
        appends = {
            f"threads_{threads}": _rate(store, 10_000 * turn, threads)
            for turn, threads in enumerate((1, 2, 8, 16), start=1)
        }
        appends[f"batches_of_{_BATCH}"] = _fill(store, 1_000_000, _APPENDS, _BATCH)
        held = store.verify().leaves
        _fill(store, 10_000_000, max(0, leaves - held), 1000)
    with LedgerReader.open_read_only(path) as reader:
        before = _cpu_s()
        verify_s = _seconds(reader.verify)
        verify_cpu_s = _cpu_s() - before
        cold_s = _seconds(lambda: reader.history("member-1", NOW))
        warm_s = _seconds(lambda: reader.history("member-1", NOW))
        sessions = len(reader.history("member-1", NOW).past)
        count = reader.verify().leaves if leaves <= held else leaves
    return {
        "appends_per_second": {name: round(rate) for name, rate in appends.items()},
        "leaves": count,
        "verify_s": round(verify_s, 2),
        "verify_s_per_million": round(verify_s / count * 1e6, 1),
        "verify_cpu_s": round(verify_cpu_s, 2),
        "history_sessions": sessions,
        "history_cold_s": round(cold_s, 3),
        "history_warm_s": round(warm_s, 3),
        "bytes_per_leaf": round(path.stat().st_size / count),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leaves", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        print(json.dumps({"machine": machine.facts()} | measure(folder, args.leaves), indent=2))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
