"""How fast indicators get into the store, by type, in how much memory; how fast a million come out as items.

Run: ``python -m benchmarks.import_ [N] [--size 2GiB]``. Values are random, one a line. Times include reading
the file, the canonical form, hashing, the warning lists where it says so, and the commit. Rates are by CPU
time, all on one core, so that a busy machine changes them less; wall time is beside them. Each import has a
process of its own, whose peak of memory is the import's. ``--size`` imports one generated file of that size
instead, half addresses and half digests.
"""

import argparse
import multiprocessing
import random
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from exchange.indicators import IndicatorType, read
from exchange.indicators.warninglists import WarningLists
from exchange.store import Store

_RANDOM = random.Random(1)
_LOADS = 3
_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30}
_LINES_PER_WRITE = 10_000


class Cost(NamedTuple):
    """What one import took."""

    read: int
    accepted: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def _ipv4() -> str:
    bits = _RANDOM.getrandbits(24)
    return f"{_RANDOM.randrange(11, 99)}.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"


def _sha256() -> str:
    return f"{_RANDOM.getrandbits(256):064x}"


def _word() -> str:
    return f"{_RANDOM.getrandbits(40):x}"


_KINDS: dict[str, Callable[[], str]] = {
    "ipv4": _ipv4,
    "sha256": _sha256,
    "domain": lambda: f"{_word()}.example.com",
    "domain, defanged": lambda: f"{_word()}[.]Example[.]com",
    "url": lambda: f"http://{_word()}.example.com/{_word()}.php?id={_word()}",
    "email": lambda: f"{_word()}@{_word()}.com",
}


def _import(feed: Path, database: Path, *, screened: bool) -> Cost:
    lists = WarningLists.load() if screened else None
    store = Store.open(f"sqlite:///{database}")
    start, cpu = time.perf_counter(), time.process_time()
    report = store.import_indicators(read(feed), source="benchmark", now=datetime.now(UTC), lists=lists)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(report.read, report.accepted, seconds, cpu, peak)


def _show(name: str, cost: Cost) -> None:
    times = f"{cost.wall_s:7.2f} s wall {cost.cpu_s:7.2f} s CPU"
    print(
        f"import {name:28} {cost.read:>10,} lines {times} {cost.read / cost.cpu_s:>9,.0f} lines/s"
        f" {cost.peak_mib:>5,.0f} MiB",
        flush=True,
    )


def _timed_import(folder: Path, name: str, lines: Iterator[str], *, screened: bool = False) -> Path:
    feed, database = folder / "feed.txt", folder / f"{name}{' screened' * screened}.db"
    with feed.open("w") as file:
        file.writelines(lines)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as own_process:
        cost = own_process.submit(_import, feed, database, screened=screened).result()
    feed.unlink()
    _show(f"{name}{', warning lists' * screened}", cost)
    return database


def _lines(kind: str, count: int) -> Iterator[str]:
    return (f"{_KINDS[kind]()}\n" for _ in range(count))


def _each_type(folder: Path, count: int) -> None:
    for kind in _KINDS:
        for screened in (False, True):
            _timed_import(folder, kind, _lines(kind, count), screened=screened).unlink()
    store = Store.open(f"sqlite:///{_timed_import(folder, 'ipv4', _lines('ipv4', 5 * count))}")
    for _ in range(_LOADS):
        start, cpu = time.perf_counter(), time.process_time()
        items = store.item_set(list(IndicatorType), now=datetime.now(UTC))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(f"load   all types {len(items.ids):>31,} items {seconds:7.2f} s wall {cpu:7.2f} s CPU")
    store.close()


def _of_size(size: int) -> Iterator[str]:
    """Addresses, many of them repeated as there are not that many, and digests, all distinct."""
    while size > 0:
        block = "".join(f"{_ipv4()}\n{_sha256()}\n" for _ in range(_LINES_PER_WRITE))
        size -= len(block)
        yield block


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)(MiB|GiB)", text)
    if found is None:
        raise argparse.ArgumentTypeError("a size is a number and MiB or GiB, such as 2GiB")
    return int(found[1]) * _UNITS[found[2]]


def main() -> None:
    """Import N of each type (five times as many ``ipv4``) and load those; or import one large file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=200_000)
    parser.add_argument("--size", type=_size)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.size:
            database = _timed_import(
                Path(name), f"file of {arguments.size:,} bytes", _of_size(arguments.size)
            )
            print(f"store  {database.stat().st_size:,} bytes")
        else:
            _each_type(Path(name), arguments.count)


if __name__ == "__main__":
    main()
