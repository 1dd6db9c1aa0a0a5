"""Our keyed filters, and beside them ``rbloom`` and ``bloom-filter2`` at the same rate with as many items.

    python -m benchmarks.filters_beside [--n 10^6] [--repeat 3] [--out FILE]

What is run is what ``benchmarks.filters`` runs, at the rates of the packages; here they and ours take turns.
"""

import math
from collections.abc import Iterator, Mapping
from functools import cache, partial
from importlib.metadata import version
from itertools import groupby
from typing import Any

from benchmarks.beside import Group, measure, parser, told
from benchmarks.filters import Subject, others, ours, tags
from exchange.bench import filters
from exchange.bench.measuring import measured
from exchange.bench.record import Gap, Once, Run

MOST, QUESTIONS = 10**6, 10**5
_UNKEYED = "NONE: whoever has the filter can ask about any value"
SYSTEMS: Mapping[str, Mapping[str, Any]] = {
    "cosight": {
        "packages": ["cosight"],
        "settings": "on all cores; files in the form of others on one",
        "security": "keyed: who has no key cannot ask (docs/filters.md); files in the form of others are not",
    },
    "rbloom": {
        "packages": [f"rbloom=={version('rbloom')}"],
        "settings": "numbers that are their own hash, the least it can do; on one core",
        "security": _UNKEYED,
    },
    "bloom-filter2": {
        "packages": [f"bloom-filter2=={version('bloom-filter2')}"],
        "settings": "texts, one by one; on one core",
        "security": _UNKEYED,
    },
}


def groups(n: int, *, seed: int) -> Iterator[Group]:
    """All of ours; then building, asking about strangers and about members, of Bloom filters of all.

    The packages hold a million at most, so beyond that ours are alone.
    """
    yield Group({f"cosight, {name}": once for name, once in filters.subjects(n, seed).items()}, alone=True)
    if n > MOST:
        return
    items, strangers = tags(n, seed), tags(min(n, QUESTIONS), seed + 1)
    for (count, fpr), found in groupby(others(items, strangers), lambda one: (one.items, one.fpr)):
        them = list(found)
        blooms = ours(items[:count], strangers[: len(them[0].outside)])
        own = next(one for one in blooms if (one.kind, one.fpr) == ("bloom", fpr))
        told = f"2^{math.log2(fpr):.0f}, {count:,} items"
        yield from steps({_name(one): one for one in (own, *them)}, told)


def steps(subjects: Mapping[str, Subject], told: str) -> Iterator[Group]:
    """Each step of these, in turn."""
    made = {name: cache(one.build) for name, one in subjects.items()}
    asked = {name: partial(_ask, one, made[name]) for name, one in subjects.items()}
    doing: dict[str, dict[str, Once]] = {
        "build": {name: partial(_build, one) for name, one in subjects.items()},
        "strangers": {name: partial(ask, member=False) for name, ask in asked.items()},
        "members": {name: partial(ask, member=True) for name, ask in asked.items()},
    }
    for step, once in doing.items():
        yield Group({f"{name}, {step}, {told}": run for name, run in once.items()})


def _name(subject: Subject) -> str:
    if subject.ours:
        return f"cosight, {subject.kind}"
    return subject.kind.replace("our ", "cosight, file of ")


def _build(subject: Subject) -> Run:
    made: list[Any] = []
    run = measured(lambda: made.append(subject.build()), subject.items)
    size = math.ceil(subject.bits(made[0]) / 8)
    return Run(run.seconds, bytes={"filter": size}, cpu_s=run.cpu_s, peak_mib=run.peak_mib, items=run.items)


def _ask(subject: Subject, made: Any, *, member: bool) -> Run | Gap:
    answers: list[Any] = []
    asked, filled = subject.inside if member else subject.outside, made()
    run = measured(lambda: answers.append(subject.ask(filled, asked)), len(asked))
    return run if not member or all(answers[0]) else Gap("wrong: an item was forgotten")


def main() -> None:
    """Measure, print, and write."""
    args = parser(str(__doc__), "10^6").parse_args()
    print(*told(measure("filter", args, partial(groups, seed=args.seed), SYSTEMS)), sep="\n")


if __name__ == "__main__":
    main()
