"""Runs with the alliance in a report: in words, from entries alone, naming nobody who must not be named."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange.aggregation import entries
from exchange.aggregation.leaks import statements
from exchange.aggregation.opening import Opening
from exchange.aggregation.round import Learns
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import Filled, fill
from exchange.ledger.draft import Draft
from exchange.report import Made, Scope, check, check_with, find
from tests.exchange.aggregation.openings import SUM, dictionary, over
from tests.exchange.aggregation.test_vector import COPY, OWN
from tests.exchange.report.homes import (
    KEYS,
    LOG_KEY,
    NOW,
    US,
    Book,
    Session,
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
    told = {(r["session"], *r["roles"]): " ".join(r["words"]) for r in report.content["together"]}
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


ASKED = {
    "measure": "discover", "types": ["ipv4"], "purpose": "b9" * 32, "first": "2026-03-01",
    "last": "2026-03-01", "members": 5, "threshold": 3, "visibility": "individual", "protocol": "atr-1",
}  # fmt: skip
ENTERED = {"entered": {"ipv4": 300}, "withheld": {"p4-tlp": {"ipv4": 7}}, "padded": 512}
DONE = {"survivors": 4, "digest": "d1" * 32}
D = "d0" * 32
SEARCHED = (
    "On 1 March 2026, 12:00:00 UTC the alliance of 5 members searched: which indicators at least 3 members "
    "hold (ipv4)."
)


def discovery(*entries: tuple[str, dict[str, Any]], folder: Path, scope: Scope | None = None) -> Made:
    """A ledger with these entries of one discovery, relayed by umbra unless ``peer`` is empty."""
    with book(folder) as b:
        for kind, fields in entries:
            named = {"session": D, "peer": "umbra"} | fields
            b.store.append(kind, now=NOW, **{k: v for k, v in named.items() if v != ""})
        report = made(b, scope or of_period())
        assert check_with(report.json, b.store, LOG_KEY, public(US), KEYS) == []
    return report


BROUGHT = ("brought", {"what": {"policy": "90" * 32}})


def joined(**what: Any) -> tuple[str, dict[str, Any]]:
    return "joined", {"what": ASKED | ENTERED | what}


def words(report: Made) -> str:
    (run,) = report.content["together"]
    return " ".join(run["words"])


def test_a_discovery_and_who_was_left_out(tmp_path: Path) -> None:
    end = ("counted", {"what": DONE | {"released": 9}, "culprits": ["umbra"]})
    report = discovery(joined(), BROUGHT, end, folder=tmp_path)
    assert words(report) == (
        f"{SEARCHED} 300 indicators of acme went in, shown as a set of at most 512; 7 were held back by "
        "rule. Others went on without umbra. It came to its end, with 4 batches. By the counter's word 9 "
        "indicators are held by so many; each member learned which of its own they are."
    )
    (liar,) = report.content["liars"]
    assert (liar["member"], liar["session"], liar["evidence"]) == ("umbra", D, "found")
    assert "Who broke the rules of a run" in report.html().decode()


def test_of_a_discovery_to_which_no_batch_left_nothing_went_in(tmp_path: Path) -> None:
    late = ("broken", {"what": {"reason": "too-late", "by": "peer"}})
    report = discovery(joined(), late, folder=tmp_path)
    assert "No batch of acme left. It was given up (too-late)" in words(report)
    assert "0 indicators of ours went in" in dict(report.page.summary)["Runs"]


@pytest.mark.parametrize(
    ("what", "end", "sentence"),
    [
        ({"visibility": "all"}, {"released": 9, "told": 4}, "acme said at most 4 of its own to all."),
        ({"visibility": "collective"}, {"released": 9}, "are held by so many; only their number was told."),
        (
            {"protocol": "atr-1s"},
            {},
            "How many are held by so many, nobody learned; each member learned which",
        ),
    ],
)
def test_what_a_discovery_came_to_is_told_as_it_was(
    tmp_path: Path, what: dict[str, Any], end: dict[str, Any], sentence: str
) -> None:
    assert sentence in words(
        discovery(joined(**what), BROUGHT, ("counted", {"what": DONE | end}), folder=tmp_path)
    )


def test_what_each_mode_told_whom_is_in_it_once(tmp_path: Path) -> None:
    done = ("counted", {"what": DONE})
    other = {"session": "d1" * 32}
    again = [(kind, fields | other) for kind, fields in (joined(), BROUGHT, done)]
    report = discovery(joined(), BROUGHT, done, *again, folder=tmp_path)
    told = [run["leaks"] for run in report.content["together"]]
    assert told == [statements(Learns.INDIVIDUAL, strict=False)] * 2
    page = report.html().decode()
    assert page.count("What a discovery told whom (atr-1, learned: individual)") == 1
    assert "also below the threshold" in page


def test_who_joined_and_served_is_told_of_one_run_with_all_its_parts(tmp_path: Path) -> None:
    parts = {"parts": ["helper", "relay"]}
    convened = ("convened", {"peer": "", "what": ASKED | parts})
    ours = ("joined", {"peer": "acme", "what": ASKED | ENTERED | parts})
    ends = [("counted", {"peer": peer, "what": DONE | {"released": 9}}) for peer in ("", "acme")]
    brought = ("brought", BROUGHT[1] | {"peer": "acme"})
    report = discovery(ours, convened, brought, *ends, folder=tmp_path)
    (run,) = report.content["together"]
    assert run["roles"] == ["helper", "relay", "member"]
    assert run["entered"] == {"ipv4": 300}
    assert "acme was key helper and relay in it." in run["words"]
    assert "helper, relay, member" in report.html().decode()


def test_a_run_that_was_begun_anew_says_so_and_where_sides_differ(tmp_path: Path) -> None:
    few = {"reason": "too-few-batches", "by": "us"}
    convened, over = ("convened", {"peer": "", "what": ASKED}), ("broken", {"peer": "", "what": few})
    member = ("broken", {"what": few | {"by": "peer"}})
    report = discovery(
        convened, joined(), over, member, convened, joined(), ("counted", {"what": DONE, "peer": ""}),
        ("broken", {"what": {"reason": "batch-left-out", "by": "us"}, "culprits": ["umbra"]}),
        folder=tmp_path,
    )  # fmt: skip
    said = words(report)
    assert "It was begun 2 times; before, it was given up (too-few-batches)." in said
    assert "It was given up (batch-left-out, caused by umbra); there is no result." in said
    assert "As acme served it, it was counted." in said
    assert [x["reason"] for x in report.content["liars"]] == ["batch-left-out"]


def test_summary_and_verdict_name_the_runs(tmp_path: Path) -> None:
    late = ("broken", {"what": {"reason": "too-late", "by": "peer"}})
    report = discovery(joined(), BROUGHT, late, folder=tmp_path)
    page = report.page
    ends = "1: 0 to their end, 1 given up, 0 without an end; 300 indicators of ours went in"
    assert dict(page.summary)["Runs"].startswith(ends)
    assert page.verdict[1].startswith("1 run with the alliance; all ")


def test_a_run_is_found_by_its_id_and_reported_alone(tmp_path: Path) -> None:
    with book(tmp_path, Session()) as b:
        for draft in drafts(b):
            b.store.append_all([draft], now=NOW)
        scope = find(b.store, AGAIN.name[:8])
        report = made(b, scope)
        assert check_with(report.json, b.store, LOG_KEY, public(US), KEYS) == []
    assert (scope.kind, scope.session) == ("run", AGAIN.name)
    assert [r["session"] for r in report.content["together"]] == [AGAIN.name]
    assert report.content["sessions"] == []
    assert report.page.title == "Disclosure report: one run with the alliance"
    assert dict(report.page.summary)["How it ended"] == "it ran to its end"


def test_for_whom_we_were_key_helper_and_when_the_key_went(tmp_path: Path) -> None:
    with book(tmp_path) as b:
        for count in (70, 140):
            what = {"epoch": 2930, "padded": 128, "count": count}
            b.store.append("helped", now=NOW, peer="umbra", what=what)
        b.store.append("erased", now=NOW + timedelta(days=9), what={"epoch": 2930})
        reports = [made(b, scope) for scope in (of_period("2026-03-01", "2026-03-02"), of_peer("umbra"))]
        nobody = made(b, of_period("2026-04-01", "2026-04-02"))
    (told,) = reports[0].content["helped"]
    assert told == reports[1].content["helped"][0]
    assert (told["member"], told["most"], told["erased"][:10]) == ("umbra", 140, "2026-03-10")
    assert nobody.content["helped"] == []
    assert "For whom we were key helper" in reports[0].html().decode()


def test_a_lie_that_was_refused_is_one_and_a_refusal_is_none(tmp_path: Path) -> None:
    refused = [
        ("refused", {"direction": "responder", "what": {"by": "us", "reason": reason}})
        for reason in ("second-batch", "too-late")
    ]
    report = discovery(joined(), *refused, folder=tmp_path)
    assert [(x["member"], x["reason"], x["evidence"]) for x in report.content["liars"]] == [
        ("umbra", "second-batch", "refused")
    ]


def test_a_report_on_a_member_has_the_runs_in_which_it_is_blamed(tmp_path: Path) -> None:
    end = ("broken", {"what": {"reason": "bad-proof", "by": "us"}, "culprits": ["globex"]})
    report = discovery(joined(), end, folder=tmp_path, scope=of_peer("globex"))
    assert [x["member"] for x in report.content["liars"]] == ["peer-1"], "it must not be named"
    assert [b["peer"] for b in report.content["budgets"]] == ["peer-1"]
    assert b"globex" not in report.json
