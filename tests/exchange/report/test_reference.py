"""A second reader, which knows the documents alone, finds the same numbers in every report."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange.report import Made, read
from exchange.report.signing import sign
from tests.exchange.report.homes import (
    LOG_KEY,
    NOW,
    US,
    Session,
    book,
    identity,
    made,
    many,
    of_peer,
    of_period,
    public,
)
from tests.reference import report as reference


def stated(report: Made) -> dict[str, Any]:
    """The numbers as the report states them, in the second reader's words."""
    c = report.content
    return {
        "sessions": {
            s["session"]: {
                "peer": s["peer"], "began": s["began"], "entered": s["input"]["entered_total"],
                "withheld": sum(row["total"] for row in s["input"]["withheld"]),
                "matched": s["output"]["matched"], "most": s["bounds"]["ours_learned_most"],
                "charge": s["bounds"]["charge"], "asked": s["bounds"]["asked"],
            }
            for s in c["sessions"]
        },
        "budgets": {b["peer"]: _budget(b) for b in c["budgets"]},
        "decisions": {name: len(c["decisions"][name]) for name in ("refusals", "approvals", "alarms")},
    }  # fmt: skip


def _budget(b: dict[str, Any]) -> dict[str, int]:
    spent = {line["rule"]: line["spent"] for line in b["lines"]}
    return {
        "day": spent["p11-sessions-per-day"],
        "asked_day": spent["p11-values-per-day"],
        "asked_year": spent["p11-values-per-year"],
        "charge_year": b["series"][-1]["charge_in_all"] if b["series"] else 0,
    }


def test_of_one_session(one: Made) -> None:
    assert reference.signed(one.json, public(US))
    assert reference.included(one.json, LOG_KEY)
    assert reference.numbers(one.json) == stated(one)


@pytest.mark.parametrize("scope", [of_peer(), of_period("2025-06-01", "2026-01-31"), of_period()])
def test_of_many_sessions(tmp_path: Path, scope: Any) -> None:
    sessions = [s for s in many(40) if s.peer == "umbra"]
    today = [Session(n=900 + n, direction="responder", began=NOW + timedelta(hours=n)) for n in range(3)]
    with book(tmp_path, *sessions, *today) as b:
        b.decisions()
        report = made(b, scope)
    assert len(report.content["sessions"]) > 2
    assert reference.signed(report.json, public(US))
    assert reference.included(report.json, LOG_KEY)
    assert reference.numbers(report.json) == stated(report)
    assert stated(report)["budgets"]["umbra"]["day"] == 3


def test_it_finds_what_was_changed(one: Made) -> None:
    assert not reference.signed(one.json.replace(b'"matched":7', b'"matched":8'), public(US))
    found = read(one.json)
    found["content"]["sessions"][0]["output"]["matched"] = 8
    lie = Made(sign(found["content"], found["evidence"], identity(US)), found["content"])
    assert reference.signed(lie.json, public(US))
    assert reference.numbers(lie.json) != stated(lie)
    entry = found["evidence"]["entries"][5]
    entry["body"] = entry["body"].replace(b"umbra".hex(), b"umbre".hex())
    assert not reference.included(sign(found["content"], found["evidence"], identity(US)), LOG_KEY)
