"""``discover``: what is printed of what came, why it is empty, and what is written into files."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from exchange.aggregation.lots import Parts
from exchange.aggregation.release import release
from exchange.aggregation.round import Learns, Round
from exchange.aggregation.tally import Tally
from exchange.cli.aggregate_view import as_outcome
from exchange.cli.discover_view import as_result, notes, show
from exchange.cli.export import selection
from exchange.counting.world import Counted
from exchange.discovery.search import Found, PutIn, Shared
from exchange.export import Format, MatchResult, render
from exchange.indicators import Indicator, IndicatorType
from exchange.policy.discovery import RULES
from exchange.together.outcome import Outcome
from tests.cli.command import cosight
from tests.cli.test_contract import documented
from tests.e2e.nodes import entries, members
from tests.exchange.aggregation.openings import dictionary, over
from tests.exchange.export.results import IDS

WORDS = dictionary(12)
NAMES = ("alice", "bob", "carol", "dave", "erin")
ROUND = Round(
    alliance="tests.example.com", roster_epoch=1, roster_hash=bytes(32), members=NAMES, day=20_000,
    types=(IndicatorType.DOMAIN, IndicatorType.IPV4), threshold=3, minimum=4, purpose="",
    learns=Learns.INDIVIDUAL, largest=0, parts=Parts(relay="alice", counter="bob", helpers=("carol", "dave")),
)  # fmt: skip
HELD = [
    Indicator(IndicatorType.IPV4, "8.8.8.9"),
    Indicator(IndicatorType.IPV4, "8.8.8.3"),
    Indicator(IndicatorType.DOMAIN, "bad.example.com"),
]
PUT_IN = PutIn(
    at=datetime(2026, 9, 1, 12, tzinfo=UTC), entered={"ipv4": 2, "domain": 1}, withheld={}, padded=32,
    copies=0,
)  # fmt: skip
NOTHING = Shared([], np.array([], np.int64))
FOUND = Found(
    round=ROUND, counted=5, count=7, items=Shared(HELD, np.array([3, 4, 4])), put_in=PUT_IN, resumed=False,
    asked=32, culprits=(), accused=(("dave", "bad-token"),), sent=1, received=1, crypto_s=0.1, total_s=0.2,
)  # fmt: skip


def test_what_most_members_hold_comes_first():
    told = [(row["members"], row["value"]) for row in as_result(FOUND)["result"]["items"]]
    assert told == [(4, "bad.example.com"), (4, "8.8.8.3"), (3, "8.8.8.9")]


def test_the_page_has_every_key():
    assert set(as_result(FOUND)) == documented("discover")


def test_an_aggregation_has_the_same_keys_for_the_same_things():
    opening = over(WORDS)
    tally = Tally(opening.context, (0, 1, 2, 3), b"d" * 32, {0: bytes(64)})
    sums, nothing = np.full(opening.size, 4, np.uint8), np.zeros(opening.entries, bool)
    released = release(opening, sums, len(tally.survivors))
    counted = as_outcome(Outcome(opening, WORDS, Counted(sums, tally, nothing), released, ~nothing))
    searched = as_result(FOUND)
    alike = {"session", "purpose", "types", "members", "minimum", "state", "counted", "result"}
    assert alike == set(counted) & set(searched)
    for key in alike - {"result"}:
        assert type(counted[key]) is type(searched[key]), key
    assert (counted["state"], counted["counted"], searched["counted"]) == ("counted", 4, 5)
    assert {"count", "items"} == set(counted["result"]) & set(searched["result"])
    assert counted["result"]["count"] == len(counted["result"]["items"]) == 12
    assert {"type", "value"} <= set(counted["result"]["items"][0]) & set(searched["result"]["items"][0])
    assert set(counted) <= documented("aggregate result") | documented("aggregate open")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (FOUND, []),
        (replace(FOUND, count=0, items=NOTHING), ["nothing is held by 3 of the 5 that asked"]),
        (replace(FOUND, count=0, items=NOTHING, counted=3), ["3 of the 3 that asked; 2 did not ask"]),
        (replace(FOUND, items=NOTHING), ["none of it is ours"]),
        (replace(FOUND, put_in=replace(PUT_IN, copies=3)), ["cosight import --own"]),
        (replace(FOUND, put_in=replace(PUT_IN, copies=2)), []),
        (replace(FOUND, resumed=True), ["chosen at 2026-09-01 12:00:00 UTC"]),
        (
            replace(FOUND, put_in=replace(PUT_IN, entered={}, withheld={"p16-personal-data": {"ipv4": 435}})),
            ["held back of ours: 435 by p16-personal-data", "legal_basis"],
        ),
    ],
)
def test_notes_say_why_it_is_empty_what_stayed_out_and_of_when_it_is(found, said):
    told = notes(found)
    assert len(told) == len(said)
    assert all(part in note for part, note in zip(said, told, strict=True))


def test_people_are_shown_the_same(capsys):
    show(
        replace(FOUND, put_in=replace(PUT_IN, copies=1, withheld={"p4-tlp": {"ipv4": 1, "domain": 1}})), None
    )
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "domain  bad.example.com  4 members"
    assert out.splitlines()[-1] == "7 indicators are held by at least 3 members; 3 of them are ours"
    assert "- held back of ours: 2 by p4-tlp" in err
    assert "3 of ours went in, 1 of it as copies, shown as 32" in err


def test_what_each_rule_says_is_explained_and_nobody_is_asked(tmp_path):
    home, *_ = members(tmp_path, "alice", "bob", "carol", reachable=True)
    asked = ("discover", "-t", "2", "--purpose", "nothing that is stated", "--explain", "--json")
    refused = cosight(*asked, home=home.path)
    assert (refused.code, set(refused.json)) == (1, documented("policy explain"))
    assert refused.json["rule"] == "d3-purpose"
    assert [one["id"] for one in refused.json["rules"]] == [one.id for one in RULES]
    assert cosight("discover", "-t", "2", "--explain", home=home.path).out.startswith("allowed: ")
    assert not {"refused", "joined"} & {str(leaf.kind) for leaf in entries(home)}


@pytest.mark.parametrize("form", list(Format))
def test_a_result_is_exported_and_names_nobody(pair, tmp_path, form):
    home, path = pair[0], tmp_path / "found.json"
    path.write_text(json.dumps(as_result(FOUND)))
    done = cosight("export", path, "--format", form, home=home.path)
    assert (done.code, done.err) == (0, "1 we hold no longer: marked AMBER, without context\n")
    assert all(one.value in done.out for one in HELD)
    assert not any(name in done.out for name in NAMES if name != home.member)
    assert "both hold" not in done.out


def test_what_nobody_learned_cannot_be_exported(pair, tmp_path):
    path = tmp_path / "found.json"
    path.write_text(json.dumps(as_result(replace(FOUND, items=None))))
    assert (
        cosight("export", path, "--json", "--out", tmp_path / "x.csv", home=pair[0].path).error["code"]
        == "input"
    )
    done = cosight(
        "discover", "-t", "3", "--learn", "collective", "--out", tmp_path / "x.csv", home=pair[0].path
    )
    assert done.code == 2


def test_the_file_of_a_discovery_is_that_of_the_export(pair):
    result = MatchResult.of(ROUND.session, "", HELD)
    selected = selection(pair[0], result)
    assert selected.about_peer is None
    assert b"8.8.8.3" in render(Format.CSV, selected, IDS)
