"""Our keyed filters beside ``rbloom`` and ``bloom-filter2``, in one process, one after the other.

Run: ``python -m benchmarks.filters [--items N] [--queries Q] [--rounds R] [--json]``. Tags and values are
made before the clock runs; ``rbloom`` gets integers and no hash, the least it can do, a million at most; and
``bloom-filter2``, which is slow, twenty thousand. Times are medians of the rounds: of the clock, and of the
processor on all cores, which another load of the machine disturbs less.
"""

import argparse
import json
import math
import resource
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from time import perf_counter, process_time
from typing import Any

import bloom_filter2
import numpy as np
import rbloom

from crypto.filters import HEAD_BYTES, Bloom, Delta, Golomb, Sorted
from crypto.rows import Rows
from exchange.bench import machine
from exchange.interchange.bloom_filter2 import BloomFilter2
from exchange.interchange.dcso import DcsoFilter

_FEW = 20_000
_RATES = (2**-10, 2**-20, 2**-30, 2**-40, 2**-60)
_OURS = {"bloom": (Bloom, 2**-40), "golomb": (Golomb, 2**-56), "sorted": (Sorted, 2**-80)}
_CHANGED = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """One filter at one rate.

    Attributes:
        kind: which filter.
        fpr: the rate that was asked for.
        items: how many went in.
        actual: the rate that the filter says, or that was counted where it says none.
        bits_per_item: of the encoding without its head.
        build_per_s: items a second, wall.
        build_cpu_ns: processor time of an item.
        miss_per_s: questions a second about strangers, wall.
        miss_cpu_ns: processor time of such a question.
        hit_per_s: questions a second about what is in, wall.
    """

    kind: str
    fpr: float
    items: int
    actual: float
    bits_per_item: float
    build_per_s: float
    build_cpu_ns: float
    miss_per_s: float
    miss_cpu_ns: float
    hit_per_s: float


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: how it is made, how it is asked, and with what."""

    kind: str
    fpr: float
    items: int
    inside: Any
    outside: Any
    build: Callable[[], Any]
    ask: Callable[[Any, Any], Any]
    bits: Callable[[Any], float]
    ours: bool = False


def tags(n: int, seed: int) -> Rows:
    """Uniform tags."""
    return np.random.default_rng(seed).integers(0, 2**64, (n, 2), np.uint64).view(np.uint8)


def timed(work: Callable[[], Any], rounds: int) -> tuple[Any, float, float]:
    """What it gives, and median seconds: wall, and of the processor."""
    walls, cpus, result = [], [], None
    for _ in range(rounds):
        result = None  # the round before is freed first
        wall, cpu = perf_counter(), process_time()
        result = work()
        walls.append(perf_counter() - wall)
        cpus.append(process_time() - cpu)
    return result, statistics.median(walls), statistics.median(cpus)


def measured(subject: Subject, rounds: int) -> Row:
    """Build and ask one filter."""
    made, build_s, build_cpu = timed(subject.build, rounds)
    answers, miss_s, miss_cpu = timed(lambda: subject.ask(made, subject.outside), rounds)
    held, hit_s, _ = timed(lambda: subject.ask(made, subject.inside), rounds)
    assert all(held), "a filter forgets nothing"
    queries = len(answers)
    return Row(
        kind=subject.kind,
        fpr=subject.fpr,
        items=subject.items,
        actual=made.fpr if subject.ours else sum(answers) / queries,
        bits_per_item=subject.bits(made) / subject.items,
        build_per_s=subject.items / build_s,
        build_cpu_ns=build_cpu / subject.items * 1e9,
        miss_per_s=queries / miss_s,
        miss_cpu_ns=miss_cpu / queries * 1e9,
        hit_per_s=len(held) / hit_s,
    )


def ours(items: Rows, strangers: Rows) -> Iterator[Subject]:
    """All kinds at all their rates."""
    for name, (kind, lowest) in _OURS.items():
        for fpr in _RATES:
            if fpr >= lowest and (kind is not Golomb or len(items) / fpr < 2**64):
                yield Subject(
                    name,
                    fpr,
                    len(items),
                    inside=items[: len(strangers)],
                    outside=strangers,
                    build=lambda kind=kind, fpr=fpr: kind.build(items, fpr),
                    ask=lambda made, asked: made.contains(asked),
                    bits=lambda made: 8 * (len(made.to_bytes()) - HEAD_BYTES),
                    ours=True,
                )


def others(items: Rows, strangers: Rows) -> Iterator[Subject]:
    """``rbloom`` with the numbers of the tags; ``bloom-filter2`` and our files for others with texts."""
    inside, outside = (rows.view(np.int64)[:, 0].tolist() for rows in (items, strangers))
    for fpr in _RATES[:2]:
        yield Subject(
            "rbloom",
            fpr,
            len(inside),
            inside=inside[: len(outside)],
            outside=outside,
            build=lambda fpr=fpr: _rbloom(inside, fpr),
            ask=lambda made, asked: [number in made for number in asked],
            bits=lambda made: made.size_in_bits,
        )
    texts, asked = ([f"{n:x}" for n in numbers[:_FEW]] for numbers in (inside, outside))
    n, fpr = len(texts), _RATES[0]
    for name, build, bits in (
        ("bloom-filter2", lambda: _package(texts, fpr), lambda made: made.num_bits_m),
        (
            "our bloom-filter2",
            lambda: BloomFilter2.build(texts, capacity=n, error_rate=fpr),
            lambda made: 8 * len(made.bits),
        ),
        (
            "our dcso-v1",
            lambda: DcsoFilter.build(texts, capacity=n, fpr=fpr),
            lambda made: 8 * len(made.bits),
        ),
    ):
        ask = _asked_one_by_one if name == "bloom-filter2" else _asked_at_once
        yield Subject(name, fpr, n, inside=texts, outside=asked, build=build, ask=ask, bits=bits)


def _asked_one_by_one(made: Any, asked: Sequence[str]) -> list[bool]:
    return [text in made for text in asked]


def _asked_at_once(made: Any, asked: Sequence[str]) -> list[bool]:
    return list(made.contains(asked))


def _package(texts: Sequence[str], fpr: float) -> Any:
    made = bloom_filter2.BloomFilter(len(texts), fpr)
    for text in texts:
        made.add(text)
    return made


def _rbloom(numbers: list[int], fpr: float) -> Any:
    made = rbloom.Bloom(len(numbers), fpr, _itself)
    made.update(numbers)
    return made


def _itself(number: int) -> int:
    return number


def delta(items: Rows) -> dict[str, float]:
    """One item in a hundred leaves and another comes: what the delta weighs beside the table."""
    changed = max(1, int(_CHANGED * len(items)))
    old = Sorted.build(items, 2**-60)
    new = Sorted.build(np.concatenate([items[changed:], tags(changed, 7)]), 2**-60)
    made, between_s, _ = timed(lambda: Delta.between(old, new), 1)
    again, apply_s, _ = timed(lambda: made.apply(old), 1)
    assert again == new
    whole, part = len(new.to_bytes()), len(made.to_bytes())
    return {
        "changed": changed, "bytes": part, "whole_bytes": whole, "ratio": part / whole,
        "between_s": between_s, "apply_s": apply_s,
    }  # fmt: skip


def encodings(items: Rows) -> dict[str, dict[str, float]]:
    """How long it takes to write a filter at 2^-30 and to read and check it."""
    found = {}
    for name, (kind, _) in _OURS.items():
        made = kind.build(items, 2**-30)
        data, encode_s, _ = timed(made.to_bytes, 3)
        _, decode_s, _ = timed(lambda kind=kind, data=data: kind.from_bytes(data), 3)
        found[name] = {"bytes": len(data), "encode_s": encode_s, "decode_s": decode_s}
    return found


def measure(n: int, queries: int, rounds: int) -> dict[str, Any]:
    """Everything."""
    items, strangers = tags(n, 1), tags(queries, 2)
    subjects = chain(ours(items, strangers), others(items[: 10**6], strangers[:100_000]))
    return {
        "machine": machine.facts(),
        "rounds": rounds,
        "filters": [asdict(measured(subject, rounds)) for subject in subjects],
        "encodings": encodings(items),
        "delta": delta(items),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def table(found: dict[str, Any]) -> str:
    """For people: each row beside ``rbloom`` at 2^-10."""
    lines = [machine.describe(found["machine"]), ""]
    lines.append(
        "kind               rate   items  bits/item  Mbuild/s  cpu ns  Mmiss/s  cpu ns  Mhit/s  x rbloom"
    )
    base = next(row["build_per_s"] for row in found["filters"] if row["kind"] == "rbloom")
    lines += [
        f"{row['kind']:17} 2^{math.log2(row['fpr']):.0f} {row['items']:9,} {row['bits_per_item']:8.2f} "
        f"{row['build_per_s'] / 1e6:9.3f} {row['build_cpu_ns']:8.0f} {row['miss_per_s'] / 1e6:8.3f} "
        f"{row['miss_cpu_ns']:7.0f} {row['hit_per_s'] / 1e6:7.3f} {row['build_per_s'] / base:8.3f}"
        for row in found["filters"]
    ]
    lines += [
        f"{name}: {value}" for name, value in found.items() if name in {"encodings", "delta", "peak_rss_mib"}
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10**6)
    parser.add_argument("--queries", type=int, default=10**6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.items, arguments.queries, arguments.rounds)
    print(json.dumps(found, indent=1) if arguments.json else table(found))


if __name__ == "__main__":
    main()
