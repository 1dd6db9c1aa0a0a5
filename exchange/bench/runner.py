"""Runs of several subjects in turn (A B A B), so that what disturbs the machine disturbs all of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from exchange.bench import machine
from exchange.bench.hosts import Place
from exchange.bench.record import Gap, Once, ratios, spread
from exchange.config import write_atomic
from exchange.version import SOFTWARE

FORMAT = 1


def in_turn(
    subjects: Mapping[str, Once], repeat: int, place: Place, *, budget_s: float = inf
) -> Iterator[dict[str, Any]]:
    """Runs as they are written down: ``subject``, ``repeat``, ``line``, and a run or a ``gap``.

    ``line`` is the bytes that left either side, ``a`` and ``b``, with all heads, where there is a link. The
    first round is cold, and told apart: ``repeat`` is 0. A subject with two gaps in a row is not run again,
    nor is one that took more than its budget.

    Args:
        subjects: by name.
        repeat: rounds after the first.
        place: where they run.
        budget_s: seconds of runs that a subject may take, the last one not counted.
    """
    gaps, spent = dict.fromkeys(subjects, 0), dict.fromkeys(subjects, 0.0)
    for number in range(repeat + 1):
        for name, once in subjects.items():
            if gaps[name] > 1 or spent[name] > budget_s:
                continue
            before, start = place.carried(), perf_counter()
            found = once()
            spent[name] += perf_counter() - start
            line = {side: count - before[side] for side, count in place.carried().items()}
            gaps[name] = gaps[name] + 1 if isinstance(found, Gap) else 0
            what = {"gap": found.why} if isinstance(found, Gap) else asdict(found)
            yield {"subject": name, "repeat": number, "line": line, **what}


def document(kind: str, seed: int, **facts: Any) -> dict[str, Any]:
    """The head of a file of measurements: what was measured, where, when, with what."""
    return {
        "format": FORMAT,
        "kind": kind,
        "software": SOFTWARE,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "machine": machine.facts(),
        **facts,
        "runs": [],
    }


def place_facts(place: Place) -> dict[str, Any]:
    """A link as it is written down: as asked for and, but for loopback, as it is found to be."""
    facts = {name: getattr(place.link, name) for name in ("name", "bits_per_s", "round_trip_s", "loss")}
    return facts | ({"measured": place.measured()} if place.hosts else {})


def rounds(runs: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """Seconds by round."""
    return {run["repeat"]: run["seconds"]["total"] for run in runs if "gap" not in run}


def times(runs: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """The same without the first, which was cold, unless there is no other."""
    found = rounds(runs)
    return {number: seconds for number, seconds in found.items() if number} or found


def summary(runs: Sequence[Mapping[str, Any]], base: str | Mapping[str, str]) -> list[dict[str, Any]]:
    """What runs come to: a row for each subject, size and link, with its ratio to its base, round by round.

    A row has ``subject``, ``n``, ``link``, ``runs``, and ``seconds``, ``bytes``, ``peak_mib``, ``ratio``, or
    a ``gap``, where a link cannot be made with what was ``predicted`` for it.
    """
    cells: dict[tuple[str, int, str], list[Mapping[str, Any]]] = {}
    for run in runs:
        cells.setdefault((run["subject"], run["n"], run["link"]), []).append(run)
    rows = []
    for (subject, n, link), mine in cells.items():
        beside = base if isinstance(base, str) else base[subject]
        seconds, ours = times(mine), rounds(cells.get((beside, n, link), []))
        row: dict[str, Any] = {"subject": subject, "n": n, "link": link, "runs": len(seconds)}
        if not seconds:
            said = next(run for run in mine if "gap" in run)
            rows.append(row | {key: said[key] for key in ("gap", "predicted") if key in said})
            continue
        good = [run for run in mine if "gap" not in run]
        row["cold"] = 0 in seconds
        row["seconds"] = spread(list(seconds.values()))
        row["bytes"] = good[-1]["bytes"] or good[-1]["line"]
        row["items"] = good[-1]["items"] or n
        row["peak_mib"] = {
            party: max(run["peak_mib"][party] for run in good) for party in good[-1]["peak_mib"]
        }
        both = sorted(ours.keys() & seconds.keys())
        if both and subject != beside:
            row["ratio"] = ratios([ours[i] for i in both], [seconds[i] for i in both])
        rows.append(row)
    return rows


def keep(result: dict[str, Any], base: str | Mapping[str, str], out: Path | None) -> None:
    """Sum up what was measured so far and write it down, so that it is there whatever comes next.

    Args:
        result: the document; gets its ``summary``.
        base: of the ratios, of all or by subject.
        out: the file; none if None.

    Raises:
        ConfigError: it cannot be written; the file is as it was after the last time.
    """
    result["summary"] = summary(result["runs"], base)
    if out is not None:
        write_atomic(out, json.dumps(result, indent=1).encode() + b"\n", mode=0o644)
