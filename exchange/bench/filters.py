"""Keyed filters: building one, asking it about strangers and about what is in, and its encoding."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from crypto.filters import Bloom, Golomb, Sorted
from crypto.rows import Rows
from exchange.bench.measuring import measured
from exchange.bench.record import Gap, Once, Run

KINDS: Mapping[str, Any] = {"bloom": Bloom, "golomb": Golomb, "sorted": Sorted}
RATES = {"bloom": 2**-20, "golomb": 2**-30, "sorted": 2**-40}


def subjects(n: int, seed: int) -> dict[str, Once]:
    """``build``, ``miss``, ``hit``, ``encode``, ``decode`` of every kind, at a rate that it is used with."""
    items, strangers = _tags(n, seed), _tags(n, seed + 1)
    found: dict[str, Once] = {}
    for name, kind in KINDS.items():
        found |= _of_kind(f"{name} 2^-{round(-np.log2(RATES[name]))}", kind, RATES[name], items, strangers)
    return found


def _of_kind(name: str, kind: Any, rate: float, items: Rows, strangers: Rows) -> dict[str, Once]:
    made = kind.build(items, rate)
    data = made.to_bytes()

    def hits() -> Run | Gap:
        answers: list[Any] = []
        run = measured(lambda: answers.append(made.contains(items)))
        return run if all(answers[0]) else Gap("wrong: an item was forgotten")

    def build() -> Run:
        run = measured(lambda: kind.build(items, rate))
        return Run(run.seconds, bytes={"filter": len(data)}, cpu_s=run.cpu_s, peak_mib=run.peak_mib)

    return {
        f"{name} build": build,
        f"{name} miss": lambda: measured(lambda: made.contains(strangers)),
        f"{name} hit": hits,
        f"{name} encode": lambda: measured(made.to_bytes),
        f"{name} decode": lambda: measured(lambda: kind.from_bytes(data)),
    }


def _tags(n: int, seed: int) -> Rows:
    return np.random.default_rng(seed).integers(0, 2**64, (n, 2), np.uint64).view(np.uint8)
