"""Runs with the alliance in a report: in words, from entries alone, naming nobody who must not be named."""

from datetime import timedelta
from pathlib import Path

import pytest

from exchange.aggregation import entries
from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import Filled, fill
from exchange.ledger.draft import Draft
from exchange.report import Made, check, check_with
from tests.exchange.aggregation.openings import SUM, dictionary, over
from tests.exchange.aggregation.test_vector import COPY, OWN
from tests.exchange.report.homes import (
    KEYS,
    LOG_KEY,
    NOW,
    US,
    Book,
    book,
    identity,
    made,
    of_peer,
    of_period,
    public,
)

WORDS = dictionary(20)
FIRST = over(WORDS)
AGAIN = over(WORDS, session=b"2" * 32, abandons=(FIRST.context,))
MINE = over(WORDS, session=b"3" * 32, coordinator="acme", purpose="monthly count")
TIMES = over(WORDS, **SUM | {"base": AGAIN.context})
HELD = {"p4-tlp": dict.fromkeys(AGAIN.types, 3)}


def filled(opening: Opening) -> Filled:
    return fill(opening, WORDS, [(0, [OWN]), (3, [COPY]), (5, [OWN])])


def tally(opening: Opening) -> Tally:
    return Tally(opening.context, (0, 1, 2, 4), b"d" * 32, {0: bytes(64)})


def drafts(b: Book) -> list[Draft]:
    policy = b.policy.hash
    return [
        entries.joined(FIRST, policy), entries.masked(FIRST, filled(FIRST)),
        entries.broken(FIRST, "bad-share", ["globex"]),
        entries.joined(AGAIN, policy), entries.masked(AGAIN, filled(AGAIN), HELD), entries.shared(AGAIN, 4),
        entries.counted(AGAIN, tally(AGAIN), 9),
        entries.convened(MINE), entries.broken(MINE, "too-few", by="us", as_coordinator=True),
        entries.joined(TIMES, policy),
    ]  # fmt: skip


@pytest.fixture
def report(tmp_path: Path) -> Made:
    with book(tmp_path) as b:
        for n, draft in enumerate(drafts(b)):
            b.store.append_all([draft], now=NOW + timedelta(seconds=n))
        report = made(b, of_period())
        assert check_with(report.json, b.store, LOG_KEY, public(US), KEYS) == []
    return report


def test_every_run_is_told_in_words(report: Made) -> None:
    told = {(r["session"], r["role"]): " ".join(r["words"]) for r in report.content["together"]}
    days = "from 1 February 2026 to 28 February 2026 (domain and ipv4)"
    many = "how many members hold each entry of a dictionary of 20 entries"
    often = "how often members saw each entry of a dictionary of 20 entries"
    assert told == {
        (FIRST.name, "member"): (
            f"On 1 March 2026, 12:00:00 UTC umbra asked 5 members: {many}, {days}. acme put in "
            "something for 3 entries. Its numbers left masked, and acme gave no share with which the "
            "sum could be opened. It was given up (bad-share, caused by peer-1); there is no result."
        ),
        (AGAIN.name, "member"): (
            f"On 1 March 2026, 12:00:03 UTC umbra asked 5 members: {many}, {days}. acme put in "
            "something for 3 entries; 6 entries that it holds were held back by rule. The sum of 4 "
            "members was opened, and nobody's own numbers. 9 numbers with at least 3 reporters behind"
            " them were released to all that took part. A member with altered software saw the "
            "numbers that were not released too: that so many hold an entry, not that acme does, "
            "unless all others that did not drop out worked together."
        ),
        (MINE.name, "coordinator"): (
            f"On 1 March 2026, 12:00:07 UTC acme asked 5 members: {many}, {days}. It was given up "
            "(too-few); there is no result."
        ),
        (TIMES.name, "member"): (
            f"On 1 March 2026, 12:00:09 UTC umbra asked 5 members: {often}, {days}. Nothing of acme "
            "left. There is no end in the ledger: the run goes on, or the node was stopped in the "
            "middle."
        ),
    }


def test_the_page_shows_them_and_nobody_who_must_not_be_named(report: Made) -> None:
    page = report.html().decode()
    assert "Counted together with the alliance" in page
    assert AGAIN.name[:16] in page
    assert b"globex" not in report.json
    assert b"globex".hex().encode() not in report.json
    assert "globex" not in page
    assert check(report.json, LOG_KEY, public(US), keys=KEYS) == []


def test_no_entry_of_the_dictionary_is_in_it(report: Made) -> None:
    assert not any(one.value.encode() in report.json for one in WORDS)
    assert identity(US).private_bytes_raw().hex().encode() not in report.json


def test_a_report_on_a_member_has_the_runs_that_it_convened(tmp_path: Path) -> None:
    with book(tmp_path) as b:
        for draft in drafts(b):
            b.store.append_all([draft], now=NOW)
        ours = made(b, of_peer("umbra")).content["together"]
        assert {r["session"] for r in ours} == {FIRST.name, AGAIN.name, TIMES.name}


def test_without_runs_there_is_no_such_chapter(tmp_path: Path) -> None:
    with book(tmp_path) as b:
        report = made(b, of_period())
    assert report.content["together"] == []
    assert "Counted together" not in report.html().decode()


def test_a_discovery_and_who_was_left_out(tmp_path: Path) -> None:
    asked = {
        "measure": "discover", "types": ["ipv4"], "purpose": "b9" * 32, "first": "2026-03-01",
        "last": "2026-03-01", "members": 5, "threshold": 3,
    }  # fmt: skip
    session = {"session": "d0" * 32, "peer": "umbra"}
    with book(tmp_path) as b:
        b.store.append("joined", now=NOW, what=asked, **session)
        (before,) = made(b, of_period()).content["together"]
        b.store.append("brought", now=NOW, what={"policy": "90" * 32}, **session)
        b.store.append("counted", now=NOW, what={"survivors": 4, "digest": "d1" * 32}, **session)
        (run,) = made(b, of_period()).content["together"]
    assert before["words"][1] == "No batch of acme left."
    first, left, second = run["words"]
    assert left == "A batch of acme left."
    assert first.endswith(
        "umbra asked 5 members: which indicators many members hold, from 1 March 2026 to 1 March 2026 (ipv4)."
    )
    assert second == "It came to its end, with 4 batches."
