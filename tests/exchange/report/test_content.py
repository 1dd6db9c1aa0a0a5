"""Every field of a report comes from the entry or the document that states it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto.psi import Output
from exchange.agreement import Rung, size_class
from exchange.audit.sessions import Session as Audited
from exchange.audit.sessions import charge, past_of
from exchange.errors import LedgerError
from exchange.ledger.note import parse
from exchange.report import Made, Scope, ScopeKind, collect, find
from exchange.report.runs import Keys, runs, smallest
from tests.exchange.report.homes import (
    ALLIANCE,
    GIVEN,
    KEYS,
    LOG_KEY,
    MADE,
    NOW,
    POLICY,
    ROSTER,
    SOFTWARE,
    US,
    Book,
    Session,
    book,
    identity,
    made,
    many,
    of_peer,
    of_period,
    of_session,
    public,
)


def facts(folder: Path, s: Session) -> dict[str, Any]:
    """What a report says of one session."""
    with book(folder, s) as b:
        (found,) = made(b, of_session(s)).content["sessions"]
    assert isinstance(found, dict)
    return found


def test_identity(one: Made, ledger: Book) -> None:
    c = one.content
    assert c["scope"] == {
        "kind": "session", "session": Session().id, "peer": "umbra", "since": "", "until": "",
    }  # fmt: skip
    assert c["given"] == GIVEN.as_json()
    assert c["identity"] == {
        "alliance": ALLIANCE, "roster_epoch": 3, "roster_hash": ROSTER, "log_key": LOG_KEY.hex(),
    }  # fmt: skip
    (s,) = c["sessions"]
    assert s["agreement"]["software_ours"] == s["agreement"]["software_peer"] == SOFTWARE
    assert s["agreement"]["profile"] == "cti-c14n/1"
    assert s["agreement"]["roster_epoch"] == 3
    assert (s["began"], s["ended"]) == ("2026-03-01T12:00:00.000000Z", "2026-03-01T12:00:03.000000Z")
    assert s["policy"]["ours"] == ledger.policy.hash.hex()
    assert (s["policy"]["id"], s["policy"]["revision"]) == ("acme-sharing-2026", 7)
    assert (s["policy"]["valid_from"], s["policy"]["valid_until"]) == ("2026-01-01", "2026-12-31")
    assert s["policy"]["terms"] == "umbra"
    assert len(s["policy"]["theirs"]) == 64
    assert s["policy"]["theirs"] != s["policy"]["ours"]


def test_parties_purpose_and_legal_basis(one: Made) -> None:
    (s,) = one.content["sessions"]
    assert (s["direction"], s["roles"]["us"], s["roles"]["peer"]) == ("initiator", "receiver", "sender")
    assert s["region"] == "EU"
    assert s["arrangement"]["id"] == "nis2"
    assert s["arrangement"]["parties"] == ["acme", "globex", "umbra"]
    assert s["arrangement"]["valid_until"] == "2027-01-11"
    assert s["purpose"]["stated"] == "ransomware working group"
    assert s["purpose"]["legal_basis"]["basis"] == "gdpr-6-1-f"
    assert s["purpose"]["legal_basis"]["balancing_test"] == "DPO-2026-014"
    assert s["purpose"]["legal_basis"]["valid_until"] == "2026-12-31"
    assert s["purpose"]["controllers"].startswith("acme and umbra are separate controllers")


def test_input(one: Made) -> None:
    (s,) = one.content["sessions"]
    given = s["input"]
    assert given["entered"] == {"domain": 1310, "ipv4": 612, "sha256": 63}
    assert given["entered_total"] == 1985
    by_rule = {row["rule"]: row for row in given["withheld"]}
    assert by_rule["p15-warning-list"]["types"] == {"domain": 31, "ipv4": 9}
    assert by_rule["p15-warning-list"]["total"] == 40
    assert "warning list" in by_rule["p15-warning-list"]["reason"]
    assert given["canaries"] == 8
    assert s["sizes"] == {"ours_padded": size_class(1985), "peer_padded": size_class(4000)}
    assert given["commitment"]["root"] == "5c" * 32
    assert given["commitment"]["epoch"] == 1
    assert given["peer_commitment"] == {"epoch": 4, "root": "6d" * 32, "padded": size_class(4000)}


def test_protocol_and_output(one: Made) -> None:
    (s,) = one.content["sessions"]
    p, out = s["protocol"], s["output"]
    assert (p["name"], p["rung"], p["output"], p["stage"]) == ("voprf", "overlap", "receiver", "whole")
    assert (p["stat_sec"], p["deadline_s"]) == (40, 600)
    assert "2^-40" in p["errors"]
    assert (p["bytes_sent"], p["bytes_received"]) == (181_344, 402_112)
    assert out["matched"] == 7
    assert (out["learned_by_us"], out["learned_by_peer"]) == ("overlap", "size")
    assert (out["attribution"], out["tlp"], out["pap"]) == ("may", "AMBER", "AMBER")
    assert out["iep"] == {
        "permitted_actions": "internally-visible-actions", "unmodified_resale": "must-not",
    }  # fmt: skip


def test_decisions(one: Made) -> None:
    d = one.content["decisions"]
    assert [(x["rule"], x["by"], x["peer"]) for x in d["refusals"]] == [("p3-types", "us", "umbra")]
    assert [x["asked_by"] for x in d["refusals"]] == ["umbra"]
    assert [(x["approver"], x["rung"]) for x in d["approvals"]] == [("dana", "overlap")]
    assert [(x["guard"], x["count"]) for x in d["alarms"]] == [("canary", 1)]
    assert [x["reason"] for x in d["quarantines"] + d["lifts"]] == ["canary", "explained"]


def test_what_our_policy_kept_us_from_asking_is_not_told_as_asked_by_the_peer(tmp_path: Path) -> None:
    refused = {"by": "us", "reason": "policy-refused", "rule": "d3-purpose"}
    with book(tmp_path) as b:
        b.store.append("refused", now=NOW, peer="umbra", direction="initiator", what=refused)
        report = made(b, of_peer())
    (refusal,) = report.content["decisions"]["refusals"]
    assert (refusal["peer"], refusal["asked_by"], refusal["by"]) == ("umbra", US, "us")


def test_retention_and_what_is_not_there(one: Made) -> None:
    assert one.content["retention"] == {"expiry": {"domain": 365, "ipv4": 90}}
    assert set(one.content["not_there"]) >= {"erasure_requests", "aggregates", "per_type_output"}


def test_integrity(one: Made, ledger: Book) -> None:
    head = parse(ledger.store.newest() or "")
    i = one.content["integrity"]
    assert (i["size"], i["root"], i["log"]) == (head.size, head.root.hex(), head.origin)
    assert i["previous_report"] == ""
    (s,) = one.content["sessions"]
    assert s["receipt"]["state"] == "verified"
    assert s["receipt"]["transcript"] == "7a" * 32
    assert s["receipt"]["initiator_log"] == {"size": 57, "root": "57" * 32}
    assert s["entries"] == {"intent": 4, "result": 5, "receipt": 6}


def test_a_report_names_the_one_before(tmp_path: Path) -> None:
    s = Session()
    with book(tmp_path, s) as b:
        first = made(b, of_session(s))
        b.store.append("report", now=NOW, session=s.id, what={"digest": first.digest, "scope": "session"})
        assert made(b, of_session(s)).content["integrity"]["previous_report"] == first.digest


def test_what_a_peer_signed_bounds_what_it_learned(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(direction="responder", matched=None, told=40))
    assert s["bounds"]["ours_learned_most"] == 1985
    assert s["bounds"]["ours_learned_stated"] == s["bounds"]["charge"] == 40
    assert s["output"]["matched"] is None
    assert s["output"]["matched_at_most"] == 40
    assert "At worst umbra learned of 1,985 indicators of acme" in " ".join(s["words"])
    assert "By the receipt that umbra signed, it was at most 40." in s["words"]


def test_what_we_gave_back_is_what_the_peer_learned(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(output=Output.BOTH, matched=12))
    assert (s["bounds"]["ours_learned_stated"], s["bounds"]["stated_from"]) == (12, "result")
    assert s["bounds"]["charge"] == s["bounds"]["ours_learned_most"] == 1985, (
        "the policy counts the worst case"
    )
    assert any(word.startswith("In this run it was 12: acme gave back no more.") for word in s["words"])


def test_what_a_peer_gave_back_is_no_bound_on_what_it_saw(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(output=Output.BOTH, matched=12, direction="responder"))
    assert (s["bounds"]["ours_learned_stated"], s["bounds"]["ours_learned_most"]) == (None, 1985)


def test_without_a_word_of_the_peer_the_worst_case_counts(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(direction="responder", matched=None))
    assert (s["bounds"]["charge"], s["bounds"]["ours_learned_stated"]) == (1985, None)
    assert "did not have to say" in s["words"][-2]


def test_a_session_that_was_cut_off_counts_as_the_worst_case(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(direction="responder", matched=None, outcome="open"))
    assert (s["outcome"], s["ended"], s["bounds"]["charge"]) == ("open", None, 1985)
    assert (s["receipt"]["state"], s["receipt"]["reason"]) == ("absent", "the session has not ended")


def test_a_session_that_ended_early_says_why(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(outcome="aborted", matched=None, receipt=False))
    assert (s["outcome"], s["reason"]) == ("aborted", "peer-unavailable")
    assert "(peer-unavailable)" in " ".join(s["words"])


def test_the_count_that_we_told_is_reported(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(told=9))
    assert s["output"]["told_peer"] == 9
    assert "acme told umbra that at most 9 matched." in s["words"]


@pytest.mark.parametrize("direction", ["initiator", "responder"])
def test_a_receipt_that_somebody_else_signed_counts_for_nothing(tmp_path: Path, direction: str) -> None:
    s = Session(direction=direction, matched=None, told=1)
    with book(tmp_path, s) as b:
        evidence = collect(b.store, of_session(s), MADE, KEYS | {"umbra": public("globex")})
        keys = Keys(public(US), evidence.keys)
        (run,) = runs(evidence.leaves(), evidence.documents, keys)
    assert (run.state, run.told) == ("wrong", None)
    assert run.charge == run.at_stake


def test_a_ledger_without_documents_still_has_its_report(tmp_path: Path) -> None:
    """Of older sessions the ledger holds neither agreement nor policy, nor counts by type."""
    with book(tmp_path) as b:
        b.store.append(
            "intent", now=NOW, session="01" * 32, peer="umbra", direction="initiator",
            what={"rung": "overlap", "output": "receiver", "types": ["ipv4"], "protocol": "voprf",
                  "ours_padded": 1024},
        )  # fmt: skip
        b.store.append(
            "disclosed", now=NOW, session="01" * 32, peer="umbra", direction="initiator",
            agreement="a9" * 32,
            what={"learned_by_us": "overlap", "learned_by_peer": "size", "matched": 7, "peer_padded": 2048},
        )  # fmt: skip
        report = made(b, Scope(kind=ScopeKind.SESSION, session="01" * 32, peer="umbra"))
        (s,) = report.content["sessions"]
        assert report.html()
        assert report.pdf()
    assert not s["agreement"]["held"]
    assert not s["policy"]["held"]
    assert s["input"]["entered"] is None
    assert (s["bounds"]["charge"], s["output"]["matched"]) == (0, 7)


def test_budgets_are_counted_as_the_policy_counts_them(tmp_path: Path) -> None:
    """What a report says is spent is what the next session will be refused by."""
    sessions = [s for s in many(60) if s.peer == "umbra"]
    with book(tmp_path, *sessions) as b:
        report = made(b, of_peer())
        history = b.store.history("umbra", MADE)
        audited = [charge(Audited(*parts)) for parts in b.store.sessions()]
        charges = {past.session: past.charge for past in history.past}
    (budget,) = report.content["budgets"]
    by_session = {x["session"]: x["charge"] for x in budget["series"]}
    assert by_session == charges
    assert sorted(by_session.values()) == sorted(audited)
    assert [x["asked"] for x in budget["series"]] == [
        past.asked for past in sorted(history.past, key=lambda past: past.began)
    ]
    year = next(line for line in budget["lines"] if line["rule"] == "p11-values-per-year")
    assert year["spent"] == sum(past.asked for past in history.past)
    assert year["left"] == 2_000_000 - year["spent"]
    share = next(line for line in budget["lines"] if line["rule"] == "p12-share")
    assert share["limit"] == 2500


def test_a_period_has_the_sessions_of_its_days_alone(tmp_path: Path) -> None:
    days = [Session(n=n, began=NOW + timedelta(days=n)) for n in range(4)]
    with book(tmp_path, *days) as b:
        report = made(b, of_period("2026-03-02", "2026-03-03"))
        nothing = made(b, of_period("2020-01-01", "2020-01-02"))
    assert [s["session"] for s in report.content["sessions"]] == [days[1].id, days[2].id]
    assert nothing.content["sessions"] == []


def test_a_session_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    with book(tmp_path, Session(n=1), Session(n=2)) as b:
        assert find(b.store, Session(n=2).id[:8]) == of_session(Session(n=2))
        for beginning in ("ffffffff", ""):
            with pytest.raises(LedgerError) as e:
                find(b.store, beginning)
            assert e.value.code == "report-session"


def test_where_there_is_nothing_there_is_no_report(tmp_path: Path) -> None:
    with book(tmp_path) as b, pytest.raises(LedgerError) as e:
        made(b, of_peer("globex"))
    assert e.value.code == "report-nothing"


def test_a_rung_that_is_not_known_is_named_by_its_entry(tmp_path: Path) -> None:
    what = {"rung": "later", "output": "receiver", "types": ["ipv4"], "protocol": "voprf", "ours_padded": 32}
    with book(tmp_path) as b:
        b.store.append(
            "intent", now=NOW, session="01" * 32, peer="umbra", direction="initiator", what=what
        )  # fmt: skip
        with pytest.raises(LedgerError, match="entry 4 has a rung"):
            made(b, of_peer())


@pytest.mark.parametrize("padded", [32, 36, 416, 2048, 90_112, 1 << 20])
def test_the_smallest_set_of_a_class(padded: int) -> None:
    least = smallest(padded)
    assert size_class(least) == padded
    assert least == 0 or size_class(least - 1) < padded


def test_roles_follow_the_agreement(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(output=Output.BOTH, direction="responder", matched=12))
    assert (s["roles"]["us"], s["roles"]["we_learn"]) == ("sender", True)
    assert s["learned"][0]["learned"].startswith("Which of its own indicators the other side says")
    assert s["learned"][1]["who"] == "umbra"


def test_the_size_rung_reveals_no_item(tmp_path: Path) -> None:
    s = facts(tmp_path, Session(rung=Rung.SIZE, matched=None, receipt=False))
    assert (s["bounds"]["ours_learned_most"], s["bounds"]["asked"]) == (0, 0)
    assert s["learned"][0]["learned"].startswith("The size class")


def test_the_fixture_is_what_a_node_would_write(ledger: Book) -> None:
    """Its policy is read by the policy's own reader, and its sessions by the auditor's."""
    assert ledger.policy.revision == 7
    assert POLICY.count("[peers.") == 2
    found = ledger.store.session(Session().id)
    assert found is not None
    assert past_of(Audited(*found)).charge == 0
    assert identity(US).public_key().public_bytes_raw() == KEYS[US]
    assert replace(Session(), n=2).id != Session().id
