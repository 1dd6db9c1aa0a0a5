"""Indicators from a file into a store, and a store's items into memory."""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from exchange.bench.measuring import measured
from exchange.bench.record import Gap, Once, Run
from exchange.indicators import IndicatorType, read
from exchange.indicators.warninglists import WarningLists
from exchange.store import Store


def _ipv4(rng: random.Random) -> str:
    bits = rng.getrandbits(24)
    return f"{rng.randrange(11, 99)}.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"


def _word(rng: random.Random) -> str:
    return f"{rng.getrandbits(40):x}"


VALUES: dict[str, Callable[[random.Random], str]] = {
    "ipv4": _ipv4,
    "sha256": lambda rng: f"{rng.getrandbits(256):064x}",
    "domain": lambda rng: f"{_word(rng)}.example.com",
    "domain, defanged": lambda rng: f"{_word(rng)}[.]Example[.]com",
    "url": lambda rng: f"http://{_word(rng)}.example.com/{_word(rng)}.php?id={_word(rng)}",
    "email": lambda rng: f"{_word(rng)}@{_word(rng)}.com",
}
"""How a value of each kind is written."""


@contextmanager
def subjects(n: int, seed: int) -> Iterator[dict[str, Once]]:
    """``n`` lines of every kind into a store of its own, with warning lists; and loading the items of one."""
    with tempfile.TemporaryDirectory(prefix="cosight-bench-") as name:
        folder, rng = Path(name), random.Random(seed)
        found: dict[str, Once] = {}
        for kind, value in VALUES.items():
            feed = folder / f"{len(found)}.txt"
            feed.write_text("".join(f"{value(rng)}\n" for _ in range(n)))
            found[f"import {kind}"] = partial(_import, feed, folder)
        store = Store.open(f"sqlite:///{folder / 'held.db'}")
        try:
            store.import_indicators(read(folder / "1.txt"), source="benchmark", now=datetime.now(UTC))
            found["load items"] = partial(_load, store)
            yield found
        finally:
            store.close()


def _import(feed: Path, folder: Path) -> Run | Gap:
    database = folder / "new.db"
    store = Store.open(f"sqlite:///{database}")
    lists = WarningLists.load()
    try:
        return measured(
            lambda: store.import_indicators(
                read(feed), source="benchmark", now=datetime.now(UTC), lists=lists
            )
        )
    finally:
        store.close()
        for left in folder.glob(f"{database.name}*"):
            left.unlink()


def _load(store: Store) -> Run | Gap:
    return measured(lambda: store.item_set(list(IndicatorType), now=datetime.now(UTC)))
