"""How fast indicators get into the store, by type, and how fast a million come out as items.

Run: ``python -m benchmarks.import_ [N]``. Values are random, one a line; times include reading the file, the
canonical form, hashing, and the commit. Rates are per second of CPU time, all of it on one core, so that a
busy machine changes them less; wall time stands beside them.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from exchange.indicators import IndicatorType, read
from exchange.store import Store

_RANDOM = random.Random(1)
_LOADS = 3


def _ipv4() -> str:
    bits = _RANDOM.getrandbits(24)
    return f"{_RANDOM.randrange(11, 99)}.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"


def _word() -> str:
    return f"{_RANDOM.getrandbits(40):x}"


_KINDS: dict[str, Callable[[], str]] = {
    "ipv4": _ipv4,
    "sha256": lambda: f"{_RANDOM.getrandbits(256):064x}",
    "domain": lambda: f"{_word()}.example.com",
    "domain, defanged": lambda: f"{_word()}[.]Example[.]com",
    "url": lambda: f"http://{_word()}.example.com/{_word()}.php?id={_word()}",
    "email": lambda: f"{_word()}@{_word()}.com",
}


def _timed_import(folder: Path, kind: str, count: int) -> Path:
    feed, database = folder / "feed.txt", folder / f"{kind}.db"
    feed.write_text("".join(f"{_KINDS[kind]()}\n" for _ in range(count)))
    store = Store.open(f"sqlite:///{database}")
    start, cpu = time.perf_counter(), time.process_time()
    report = store.import_indicators(read(feed), source="benchmark", tlp="AMBER", now=datetime.now(UTC))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    store.close()
    times = f"{seconds:6.2f} s wall {cpu:6.2f} s CPU"
    print(f"import {kind:17} {count:>9,} lines {times} {count / cpu:>9,.0f} lines/s")
    assert report.accepted + report.duplicates == count
    return database


def main() -> None:
    """Import N of each type (a million ``ipv4``), then load the million."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in _KINDS:
            if kind != "ipv4":
                _timed_import(folder, kind, count)
        store = Store.open(f"sqlite:///{_timed_import(folder, 'ipv4', 5 * count)}")
        for _ in range(_LOADS):
            start, cpu = time.perf_counter(), time.process_time()
            items = store.item_set(list(IndicatorType))
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            print(
                f"load   all types         {len(items.ids):>9,} items {seconds:6.2f} s wall {cpu:6.2f} s CPU"
            )
        store.close()


if __name__ == "__main__":
    main()
