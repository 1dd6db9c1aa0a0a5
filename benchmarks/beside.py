"""Ours beside packages that do a part of the same work: groups of subjects, in turn, with ratios in each."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.runs import sizes
from exchange.bench.hosts import Place
from exchange.bench.links import LOOPBACK, NAMED
from exchange.bench.record import Once
from exchange.bench.runner import document, in_turn, keep

HERE = Place(NAMED[LOOPBACK])


@dataclass(frozen=True, slots=True)
class Group:
    """What is run in turn.

    Attributes:
        subjects: ``SYSTEM, WHAT`` and how it is run. The first is the base of the ratios.
        alone: whether they are parts of one thing, which nobody compares.
    """

    subjects: Mapping[str, Once]
    alone: bool = False


def parser(about: str, n: str) -> argparse.ArgumentParser:
    """What every such benchmark can be told."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--n", type=sizes, default=sizes(n))
    made.add_argument("--repeat", type=int, default=3, help="rounds after the first")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--out", type=Path)
    return made


def measure(
    kind: str, args: argparse.Namespace, groups: Callable[[int], Iterable[Group]],
    systems: Mapping[str, Mapping[str, Any]], **facts: Any,
) -> dict[str, Any]:  # fmt: skip
    """Run all groups at all sizes; the file is written after each group.

    Args:
        kind: of the document.
        args: of ``parser``.
        groups: for a size.
        systems: by name, what stands beside their numbers: ``packages``, ``settings``, ``security``,
            ``missing``.
        facts: more for the head.
    """
    result = document(kind, args.seed, links=[], subjects=systems, **facts)
    bases: dict[str, str] = {}
    for n in args.n:
        for group in groups(n):
            bases |= dict.fromkeys(group.subjects, "" if group.alone else next(iter(group.subjects)))
            for run in in_turn(group.subjects, args.repeat, HERE):
                result["runs"].append({"n": n, "link": LOOPBACK, **run})
            keep(result, bases, args.out)
    return result


def told(result: Mapping[str, Any]) -> Sequence[str]:
    """The summary in lines."""
    lines = []
    for row in result["summary"]:
        seconds = row.get("gap") or f"{row['seconds']['median']:12.6f} s"
        ratio = f"{row['ratio']['median']:10.2f} x" if "ratio" in row else ""
        lines.append(f"{row['subject']:44} {row['n']:>10,} {seconds} {ratio}")
    return lines
