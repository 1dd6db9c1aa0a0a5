"""What a peer learned over time, and what is left of the budget that the policy gives it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from exchange.ledger import Kind, Leaf, timestamp
from exchange.report.evidence import WINDOW
from exchange.report.policies import Stated, stated
from exchange.report.runs import Run

_DAY = timedelta(days=1)
SHARE = "p12-share"
PARTS = 10_000
"""Shares are whole numbers of hundredths of a percent."""


def budget(peer: str, name: str, runs: Sequence[Run], terms: Stated, now: datetime) -> dict[str, Any]:
    """Return what a report states of one peer over time.

    Args:
        peer: its member id.
        name: what the report calls it.
        runs: the sessions with it, oldest first.
        terms: our policy now.
        now: the time of the report.
    """
    year = [run for run in runs if run.intent.time >= timestamp(now - WINDOW)]
    day = [run for run in year if run.intent.time >= timestamp(now - _DAY)]
    ours = _our_set(runs)
    return {
        "peer": name,
        "sessions": len(runs),
        "sessions_year": len(year),
        "our_set": ours,
        "series": _series(year),
        "lines": _lines(terms.terms(peer), day, year, ours, now),
        "policy": terms.hash,
        "policy_held": terms.held,
        "suspended": bool(terms.content.get("suspended") or terms.terms(peer).get("suspended")),
    }


def policy_now(leaves: Sequence[Leaf], documents: Mapping[str, bytes]) -> Stated:
    """Our newest policy: the newest that an entry names."""
    names = [
        str(x.fields["policy"]) if x.kind is Kind.POLICY else str(x.what.get("policy", "")) for x in leaves
    ]
    named = [name for name in names if name]
    return stated(named[-1], documents) if named else Stated()


def _our_set(runs: Sequence[Run]) -> int | None:
    """The size of our set in the newest session that says it; the size class where none does."""
    sizes = [size for run in runs if (size := run.ours if run.ours is not None else run.ours_padded)]
    return sizes[-1] if sizes else None


def _series(year: Sequence[Run]) -> list[dict[str, Any]]:
    asked = charged = 0
    series = []
    for run in year:
        asked, charged = asked + run.asked, charged + run.charge
        series.append(
            {"time": run.intent.time, "session": run.session, "asked": run.asked, "charge": run.charge}
            | {"asked_in_all": asked, "charge_in_all": charged}
        )
    return series


def _lines(
    terms: Mapping[str, Any], day: Sequence[Run], year: Sequence[Run], ours: int | None, now: datetime
) -> list[dict[str, Any]]:
    """Each limit with what is spent of it; a limit that is not stated is null."""
    share = terms.get("share") if isinstance(terms.get("share"), dict) else {}
    assert isinstance(share, dict)
    days = share.get("days", WINDOW.days)
    window = [run for run in year if run.intent.time >= timestamp(now - timedelta(days=days))]
    charge = sum(run.charge for run in window)
    parts = None if not ours else min(charge, ours) * PARTS // ours
    return [
        _line("p11-sessions-per-day", "sessions in 24 hours", len(day), terms.get("sessions_per_day")),
        _line("p11-values-per-day", "values asked in 24 hours", _asked(day), terms.get("values_per_day")),
        _line("p11-values-per-year", "values asked in 365 days", _asked(year), terms.get("values_per_year")),
        _line(
            SHARE,
            f"share of our set learned in {days} days",
            parts,
            round(share["most"] * PARTS) if "most" in share else None,
        ),
    ]


def _line(rule: str, what: str, spent: int | None, limit: object) -> dict[str, Any]:
    most = limit if isinstance(limit, int) and not isinstance(limit, bool) else None
    left = None if most is None or spent is None else max(0, most - spent)
    unit = "hundredths of a percent" if rule == SHARE else "count"
    return {"rule": rule, "what": what, "unit": unit, "spent": spent, "limit": most, "left": left}


def _asked(runs: Sequence[Run]) -> int:
    return sum(run.asked for run in runs)
