"""The report as data: every section, from the evidence and nothing else, so that it can be made again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from exchange.ledger import Kind, Leaf
from exchange.ledger.note import parse
from exchange.report.budget import budget, policy_now
from exchange.report.evidence import Evidence
from exchange.report.runs import Keys, Run, runs
from exchange.report.scope import Given, Scope
from exchange.report.sessions import Background, session
from exchange.report.together import helped, liars, together

NOT_THERE = {
    "erasure_requests": "This version of cosight has no messages that ask a peer to erase or correct. Such "
    "requests are handled outside of it and are not counted here.",
    "aggregates": "Which numbers of a run with the alliance were released, and which were held back, is in "
    "its result, which is kept apart. The ledger holds how many, and under which k.",
    "per_type_output": "How many of each type matched is in no ledger by design. The list of what matched is "
    "the annex, which is kept apart under its own access control.",
    "repeated_values": "No ledger holds values, so how often one value was offered is not counted here. "
    "Where the policy limits it (p11-per-value), what it held back is counted above.",
    "peer_policy": "The peer's policy is pinned by its hash. Its text is the peer's own and is not here.",
}
"""What a report does not hold, and why."""


def content(
    scope: Scope, given: Given, evidence: Evidence, own_key: bytes, called: Mapping[str, str]
) -> dict[str, Any]:
    """Return the sections of a report.

    Args:
        scope: what it is about.
        given: what it states beside the ledger.
        evidence: what it rests on, in full.
        own_key: our identity key, 32 bytes.
        called: what to call a peer that must not be named.

    Raises:
        LedgerError: an entry is no leaf of a ledger.
    """
    leaves = evidence.leaves()
    at = Background(
        us=given.member, leaves=leaves, documents=evidence.documents, called=called,
    )  # fmt: skip
    everything = runs(leaves, evidence.documents, Keys(own_key, evidence.keys))
    told = [run for run in everything if scope.covers(run.intent)]
    return {
        "scope": scope.as_json(called),
        "given": given.as_json(),
        "identity": _identity(leaves),
        "sessions": [session(run, at) for run in told],
        "budgets": _budgets(scope, given, everything, at),
        "together": together(leaves, at.us, called),
        "liars": liars(leaves, called),
        "helped": helped(leaves, called),
        "decisions": _decisions(leaves, at),
        "retention": {"expiry": dict(sorted(given.expiry.items()))},
        "annex": {"result": given.result},
        "integrity": _integrity(leaves, evidence),
        "not_there": NOT_THERE,
    }


def _identity(leaves: Sequence[Leaf]) -> dict[str, Any]:
    opened = next((x for x in leaves if x.kind is Kind.OPENED), None)
    rosters = [x for x in leaves if x.kind is Kind.ROSTER]
    newest = rosters[-1].fields if rosters else {}
    return {
        "alliance": str(newest.get("alliance", "")),
        "roster_epoch": newest.get("epoch"),
        "roster_hash": str(newest.get("roster", "")),
        "log_key": "" if opened is None else str(opened.fields["log_key"]),
    }


def _budgets(scope: Scope, given: Given, everything: Sequence[Run], at: Background) -> list[dict[str, Any]]:
    terms = policy_now(at.leaves, at.documents)
    now = datetime.fromisoformat(given.made_at)
    peers = sorted({run.peer for run in everything} | ({scope.peer} - {""}))
    return [
        budget(peer, at.name(peer), [run for run in everything if run.peer == peer], terms, now)
        for peer in peers
    ]


def _decisions(leaves: Sequence[Leaf], at: Background) -> dict[str, list[dict[str, Any]]]:
    def rows(kind: Kind, *names: str) -> list[dict[str, Any]]:
        return [
            {"time": x.time, "entry": x.seq, "peer": at.name(x.peer), "session": x.session}
            | {name: x.what.get(name) for name in names}
            for x in leaves
            if x.kind is kind
        ]

    refused = [x for x in leaves if x.kind is Kind.REFUSED]
    # What our own policy kept us from asking never left.
    asked = [at.us if x.fields["direction"] == "initiator" else at.name(x.peer) for x in refused]
    refusals = zip(rows(Kind.REFUSED, "by", "reason", "rule"), asked, strict=True)
    return {
        "refusals": [row | {"asked_by": who} for row, who in refusals],
        "approvals": rows(Kind.APPROVAL, "rung", "types", "approver", "expires"),
        "alarms": rows(Kind.ALARM, "guard", "count"),
        "quarantines": rows(Kind.QUARANTINE, "reason"),
        "lifts": rows(Kind.LIFT, "reason"),
    }


def _integrity(leaves: Sequence[Leaf], evidence: Evidence) -> dict[str, Any]:
    head = parse(evidence.checkpoint)
    before = [x for x in leaves if x.kind is Kind.REPORT]
    return {
        "log": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "entries": len(evidence.entries),
        "previous_report": str(before[-1].what["digest"]) if before else "",
        "verify": [
            "cosight report --check REPORT.json --roster ROSTERS",
            "cosight verify EXPORT",
        ],
    }
