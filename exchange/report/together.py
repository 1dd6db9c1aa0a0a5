"""Runs with the alliance, each once: what we were in it, what of ours went in, what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exchange.aggregation.leaks import statements
from exchange.aggregation.round import STRICT, Learns
from exchange.ledger.leaf import RUNS, Kind, Leaf
from exchange.ledger.runs import DISCOVER
from exchange.report.together_words import words

BEGINS = frozenset({Kind.CONVENED, Kind.JOINED})
ENDS = {Kind.COUNTED: "counted", Kind.BROKEN: "broken"}
LIES = frozenset({"second-batch", "second-token", "second-list", "quota-spent", "spoken-otherwise"})
"""Refusals of what no honest member asks."""
_ASKED = (
    "measure", "types", "entries", "first", "last", "members", "minimum", "reporters", "visibility",
    "threshold", "policy", "purpose", "dictionary", "base", "epsilon_milli", "protocol",
)  # fmt: skip
_COORDINATOR, _MEMBER = "coordinator", "member"


def together(leaves: Sequence[Leaf], us: str, called: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the facts of every run, oldest first, and sentences on them.

    Args:
        leaves: the entries of the report that it is to speak of.
        us: who reports.
        called: what to call a member that must not be named.
    """
    found: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        if leaf.kind in RUNS:
            found.setdefault(leaf.session, []).append(leaf)
    runs = [_facts(of_run, us, called) for of_run in found.values() if of_run[0].kind in BEGINS]
    return [run | {"words": words(run, us)} for run in runs]


def liars(leaves: Sequence[Leaf], called: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return whom entries blame for breaking the rules of a run, and what that rests on, oldest first.

    Args:
        leaves: the entries of the report that it is to speak of.
        called: what to call a member that must not be named.
    """
    runs = {leaf.session for leaf in leaves if leaf.kind in BEGINS}
    return [
        {
            "member": called.get(name, name), "session": leaf.session, "time": leaf.time, "entry": leaf.seq,
            "reason": str(leaf.what.get("reason", "")), "evidence": evidence,
        }
        for leaf in leaves
        for name, evidence in _blamed(leaf, runs)
    ]  # fmt: skip


def _blamed(leaf: Leaf, runs: set[str]) -> Iterable[tuple[str, str]]:
    if leaf.kind in RUNS:
        yield from ((name, "found") for name in leaf.named("culprits"))
        yield from ((name, "said") for name in leaf.named("accused"))
    elif leaf.kind is Kind.REFUSED and leaf.session in runs and leaf.what["reason"] in LIES:
        yield leaf.peer, "refused"


def helped(leaves: Sequence[Leaf], called: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return for whom we were key helper of discoveries, by epoch: the most each may have asked, and the end.

    Args:
        leaves: the entries of the report that it is to speak of.
        called: what to call a member that must not be named.
    """
    erased = {leaf.what["epoch"]: leaf.time for leaf in leaves if leaf.kind is Kind.ERASED}
    most: dict[tuple[object, str], dict[str, Any]] = {}
    for leaf in leaves:
        if leaf.kind is Kind.HELPED:  # the newest entry on a member states the largest size
            epoch, member = leaf.what["epoch"], called.get(leaf.peer, leaf.peer)
            told = {"padded": leaf.what["padded"], "most": leaf.what["count"], "entry": leaf.seq}
            most[epoch, member] = {"epoch": epoch, "member": member, "erased": erased.get(epoch, "")} | told
    return list(most.values())


def _facts(leaves: Sequence[Leaf], us: str, called: Mapping[str, str]) -> dict[str, Any]:
    """What the entries of one run say. A run that we joined is told as its member saw it."""
    joined = [leaf for leaf in leaves if leaf.peer]
    convened = [leaf for leaf in leaves if not leaf.peer]
    attempts = _attempts(joined or convened)
    first, by_kind = attempts[-1][0], {leaf.kind: leaf for leaf in attempts[-1]}
    discovery, brought = first.what["measure"] == DISCOVER, any(x.kind is Kind.BROUGHT for x in joined)
    put_in = first if discovery else by_kind.get(Kind.MASKED)
    entered = put_in.what.get("entered") if put_in and (brought or not discovery) else None
    served = _attempts(convened)[-1:] if joined else []
    coordinator = next((leaf.peer for leaf in joined), us)
    return {
        "session": first.session,
        "roles": _roles(leaves),
        "coordinator": called.get(coordinator, coordinator),
        "began": first.time,
        "asked": {name: first.what.get(name) for name in _ASKED},
        "entered": dict(entered) if isinstance(entered, dict) and joined else None,
        "withheld": _map(put_in.what.get("withheld", {})) if put_in and joined else {},
        "brought": brought,
        "padded": first.what.get("padded"),
        "clipped": put_in and put_in.what.get("clipped"),
        "shared": Kind.SHARED in by_kind,
        **_ended(attempts[-1], called),
        "as_server": next((_ended(attempt, called) for attempt in served), None),
        "before": [_ended(attempt, called) for attempt in attempts[:-1]],
        "leaks": _leaks(first) if discovery else {},
        "entry": leaves[0].seq,
        "entries": [leaf.seq for leaf in leaves],
    }


def _leaks(first: Leaf) -> dict[str, str]:
    """What a discovery told whom, as it was counted and told."""
    visibility = first.what.get("visibility")
    if visibility not in set(Learns):
        return {}
    return statements(Learns(str(visibility)), strict=first.what.get("protocol") == STRICT)


def _attempts(leaves: Sequence[Leaf]) -> list[list[Leaf]]:
    """The entries of one side, by beginning: a discovery that was given up may be begun anew."""
    attempts: list[list[Leaf]] = []
    for leaf in leaves:
        if leaf.kind in BEGINS:
            attempts.append([])
        attempts[-1].append(leaf)
    return attempts


def _roles(leaves: Sequence[Leaf]) -> list[str]:
    """What we were in a run: of a discovery the entries name our parts."""
    discovery = leaves[0].what["measure"] == DISCOVER
    said = [part for leaf in leaves if leaf.kind in BEGINS for part in leaf.listed("parts")]
    kinds = {leaf.kind for leaf in leaves}
    roles = [_COORDINATOR] if Kind.CONVENED in kinds and not discovery else []
    return [*roles, *sorted(set(said)), *([_MEMBER] if Kind.JOINED in kinds else [])]


def _ended(leaves: Sequence[Leaf], called: Mapping[str, str]) -> dict[str, Any]:
    """How an attempt ended, as one side has it."""
    end = next((leaf for leaf in leaves if leaf.kind in ENDS), None)
    what = {} if end is None else end.what
    return {
        "began": leaves[0].time,
        "ended": "" if end is None else end.time,
        "outcome": "open" if end is None else ENDS[end.kind],
        "survivors": what.get("survivors"),
        "released": what.get("released"),
        "told": what.get("told"),
        "digest": what.get("digest", ""),
        "tally": what.get("tally", ""),
        "reason": what.get("reason", ""),
        "by": what.get("by", ""),
        "culprits": _names(end, "culprits", called),
        "accused": _names(end, "accused", called),
    }


def _names(leaf: Leaf | None, field: str, called: Mapping[str, str]) -> list[str]:
    return sorted(called.get(name, name) for name in (() if leaf is None else leaf.named(field)))


def _map(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)  # the schema says so
    return dict(value)
