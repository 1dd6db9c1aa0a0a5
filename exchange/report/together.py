"""Runs in which we counted together with others: what went in, what it can tell of us, what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from exchange.ledger.leaf import RUNS, Kind, Leaf
from exchange.ledger.runs import DISCOVER
from exchange.report.words import count, day, listed, moment

MEASURES = {
    "count": "how many members hold each entry of a dictionary",
    "sightings": "how often members saw each entry of a dictionary",
    "severity": "how often members saw each entry of a dictionary, weighted by their confidence",
    DISCOVER: "which indicators many members hold",
}
"""What is measured."""
SEEN_BY = {
    "owner": "the coordinator alone",
    "reporters": "the coordinator, and for each entry those that put one in",
    "everyone": "all that took part",
    "owner-and-host": "the coordinator and the administrators of the alliance",
}
"""To whom released numbers are shown."""
_ASKED = (
    "measure", "types", "entries", "first", "last", "members", "minimum", "reporters", "visibility",
    "threshold", "policy", "purpose", "dictionary", "base", "epsilon_milli",
)  # fmt: skip
_ENDS = {Kind.COUNTED: "counted", Kind.BROKEN: "broken"}


def together(leaves: Sequence[Leaf], us: str, called: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the facts of every run, oldest first, and sentences on them.

    Args:
        leaves: the entries of the report that it is to speak of.
        us: who reports.
        called: what to call a member that must not be named.
    """
    found: dict[tuple[str, str], list[Leaf]] = {}
    for leaf in leaves:
        if leaf.kind in RUNS:
            found.setdefault((leaf.session, leaf.peer), []).append(leaf)
    runs = [_facts(of_run, us, called) for of_run in found.values() if _is_begun(of_run)]
    return [run | {"words": _words(run, us)} for run in runs]


def _is_begun(leaves: Sequence[Leaf]) -> bool:
    return leaves[0].kind in {Kind.CONVENED, Kind.JOINED}


def _facts(leaves: Sequence[Leaf], us: str, called: Mapping[str, str]) -> dict[str, Any]:
    first, by_kind = leaves[0], {leaf.kind: leaf for leaf in leaves}
    end = by_kind.get(Kind.COUNTED) or by_kind.get(Kind.BROKEN)
    masked, last = by_kind.get(Kind.MASKED), {} if end is None else end.what
    culprits = [] if end is None else end.fields.get("culprits", [])
    assert isinstance(culprits, list)  # the schema says so
    return {
        "session": first.session,
        "role": "coordinator" if first.kind is Kind.CONVENED else "member",
        "coordinator": called.get(first.peer, first.peer) or us,
        "began": first.time,
        "ended": "" if end is None else end.time,
        "outcome": "open" if end is None else _ENDS[end.kind],
        "asked": {name: first.what.get(name) for name in _ASKED},
        "brought": Kind.BROUGHT in by_kind,
        "entered": None if masked is None else dict(_counts(masked.what["entered"])),
        "withheld": {} if masked is None else dict(_counts(masked.what.get("withheld", {}))),
        "clipped": None if masked is None else masked.what.get("clipped"),
        "shared": Kind.SHARED in by_kind,
        "survivors": last.get("survivors"),
        "released": last.get("released"),
        "digest": last.get("digest", ""),
        "tally": last.get("tally", ""),
        "reason": last.get("reason", ""),
        "by": last.get("by", ""),
        "culprits": sorted(called.get(name, name) for name in culprits),
        "entry": first.seq,
    }


def _counts(value: object) -> Mapping[str, Any]:
    assert isinstance(value, dict)  # the schema says so
    return value


def _words(run: dict[str, Any], us: str) -> list[str]:
    asked = run["asked"]
    what = MEASURES.get(asked["measure"], asked["measure"])
    over = f" of {count(asked['entries'], 'entry', 'entries')}" if asked["entries"] else ""
    window = f"from {day(asked['first'])} to {day(asked['last'])} ({listed(asked['types'])})"
    who = f"{run['coordinator']} asked {count(asked['members'], 'member')}"
    said = [f"On {moment(run['began'])} {who}: {what}{over}, {window}."]
    if run["role"] == "member":
        said += _put_in(run, us)
    return [*said, *_ended(run, us)]


def _put_in(run: dict[str, Any], us: str) -> list[str]:
    if run["asked"]["measure"] == DISCOVER:
        return [f"A batch of {us} left." if run["brought"] else f"No batch of {us} left."]
    if run["entered"] is None:
        return [f"Nothing of {us} left."]
    total = sum(run["entered"].values())
    held = sum(sum(types.values()) for types in run["withheld"].values())
    said = [
        f"{us} put in something for {count(total, 'entry', 'entries')}"
        + (f"; {count(held, 'entry', 'entries')} that it holds were held back by rule." if held else ".")
    ]
    if run["clipped"]:
        said.append(f"{count(run['clipped'], 'number')} were cut down to the largest that is taken.")
    if not run["shared"]:
        said.append(f"Its numbers left masked, and {us} gave no share with which the sum could be opened.")
    return said


def _ended(run: dict[str, Any], us: str) -> list[str]:
    asked = run["asked"]
    if run["outcome"] == "open":
        return ["There is no end in the ledger: the run goes on, or the node was stopped in the middle."]
    if run["outcome"] == "broken":
        by = f", caused by {listed(run['culprits'])}" if run["culprits"] else ""
        return [f"It was given up ({run['reason']}{by}); there is no result."]
    said = [f"Others went on without {listed(run['culprits'])}."] if run["culprits"] else []
    if asked["measure"] == DISCOVER:
        return [*said, f"It came to its end, with {count(run['survivors'], 'batch', 'batches')}."]
    said += [f"The sum of {count(run['survivors'], 'member')} was opened, and nobody's own numbers."]
    if run["released"] is not None and asked["reporters"]:
        said.append(
            f"{count(run['released'], 'number')} with at least {asked['reporters']} reporters behind them "
            f"were released to {SEEN_BY.get(asked['visibility'], asked['visibility'])}."
        )
    if asked["epsilon_milli"]:
        said.append(f"Every number has noise, with an epsilon of {asked['epsilon_milli'] / 1000:g}.")
    if run["role"] == "member":
        said.append(
            "A member with altered software saw the numbers that were not released too: that so many hold an "
            f"entry, not that {us} does, unless all others that did not drop out worked together."
        )
    return said
