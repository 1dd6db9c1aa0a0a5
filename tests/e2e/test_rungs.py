"""Every rung of the ladder between real processes, through the command line; and what is left of it."""

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.config import Home
from exchange.ledger import Kind
from tests.e2e.nodes import cosight, entries, homeless, matching, members, serve, story
from tests.e2e.tap import Tap

pytestmark = pytest.mark.slow
OURS, THEIRS = range(1, 200), range(150, 400)
SHARED = sorted(set(OURS) & set(THEIRS))
SIGHTINGS = {n: 7 * n for n in THEIRS}


def fill(home: Home, numbers: range, tlp: str = "GREEN") -> None:
    """Domains with what is said of them."""
    feed = home.path / "feed.csv"
    with feed.open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["type", "value", "sightings", "confidence", "first_seen", "malware", "comment", "tlp"])
        rows.writerows(
            ["domain", f"d{n}.example.net", 7 * n, n % 101, "2026-01-05", "mirai", "seen at a customer", tlp]
            for n in numbers
        )
    assert cosight(home, "import", str(feed))["accepted"] == len(numbers)


@pytest.fixture(scope="module")
def ladder(tmp_path_factory):
    """Two homes, and what every rung gave."""
    alice, bob = members(tmp_path_factory.mktemp("ladder"), "alice", "bob")
    fill(alice, OURS)
    fill(bob, THEIRS)
    runs = {}
    with serve(bob) as node:
        for name, options in {
            "size": ["--reveal", "size"],
            "estimate": ["--reveal", "estimate"],
            "estimate again": ["--reveal", "estimate"],
            "count": ["--reveal", "cardinality"],
            "band": ["--reveal", "cardinality", "--protocol", "cardinality-banded"],
            "noisy": ["--reveal", "cardinality", "--protocol", "cardinality-noisy"],
            "sightings": ["--reveal", "sum"],
            "confidence": ["--reveal", "sum", "--over", "confidence"],
            "overlap": [],
            "strict": ["--both", "strict"],
            "strict count": ["--reveal", "cardinality", "--both", "strict"],
            "context": ["--reveal", "context", "-o", str(alice.path / "shared.stix.json")],
            "vole": ["--reveal", "context", "--protocol", "vole-context"],
            "asked": ["--reveal", "context", "--protocol", "context-asked", "--both"],
            "climbed": ["--if", "estimate >= 10"],
            "by sum": ["--if", "sum >= 10"],
        }.items():
            runs[name] = cosight(alice, "match", "bob", "--address", node.address, *options)
    return alice, bob, runs


def test_every_rung_tells_what_it_says(ladder) -> None:
    _, _, runs = ladder
    results = {name: run["result"] for name, run in runs.items()}
    count = len(SHARED)
    assert results["size"] == {"count": None, "items": None}
    shared = results["estimate"]["estimate"]["shared"]
    assert shared["low"] <= count <= shared["high"]
    assert results["estimate again"] == results["estimate"], "nobody averages it out by asking again"
    assert results["count"] == {"count": count, "items": None}
    assert results["band"] == {"count": None, "items": None, "band": {"low": 10, "high": 99}}
    assert abs(results["noisy"]["noisy"]["count"] - count) <= 40
    assert results["sightings"]["total"] == {"over": "sightings", "sum": sum(SIGHTINGS[n] for n in SHARED)}
    assert results["confidence"]["total"] == {"over": "confidence", "sum": sum(n % 101 for n in SHARED)}
    values = {item["value"] for item in results["overlap"]["items"]}
    assert values == {f"d{n}.example.net" for n in SHARED}
    for name in ("strict", "context", "vole", "asked", "climbed"):
        assert {item["value"] for item in results[name]["items"]} == values
    assert (runs["strict count"]["result"]["count"], runs["by sum"]["below"]["reveal"]) == (count, "sum")


def test_contexts_are_the_senders(ladder) -> None:
    _, _, runs = ladder
    for name in ("context", "vole", "asked"):
        for item in runs[name]["result"]["items"]:
            number = int(item["value"][1:].partition(".")[0])
            assert item["context"]["sightings"] == SIGHTINGS[number]
            assert item["context"]["malware"] == ["mirai"]
    assert runs["asked"]["output"] == "both"


def test_what_the_sender_says_is_a_note_on_each_item(ladder, tmp_path: Path) -> None:
    alice, _, runs = ladder
    kept = tmp_path / "kept.stix.json"
    cosight(alice, "results", runs["vole"]["session"], "--out", str(kept))
    for path in (alice.path / "shared.stix.json", kept):
        notes = [o for o in json.loads(path.read_text())["objects"] if o["type"] == "note"]
        assert len(notes) == len(SHARED)
        assert all(o["authors"] == ["bob"] and "malware mirai" in o["content"] for o in notes)


def test_who_answered_finds_what_it_learned(ladder) -> None:
    alice, bob, runs = ladder
    theirs = {one["session"]: one for one in cosight(bob, "results")["results"]}
    turned = [runs[name]["turned"]["session"] for name in ("strict", "strict count")]
    assert list(theirs) == [*turned, runs["asked"]["session"]], "in the order in which it learned them"
    assert theirs[turned[1]]["result"] == {"count": len(SHARED)}
    whole = cosight(bob, "results", turned[0][:12])
    assert {item["value"] for item in whole["result"]["items"]} == {f"d{n}.example.net" for n in SHARED}
    out = bob.path / "shared.csv"
    cosight(bob, "results", turned[0], "--out", str(out))
    assert "d170.example.net" in out.read_text()
    assert len(cosight(alice, "results")["results"]) == len(runs) - 1 + 2, "all but the size, and two below"
    cosight(bob, "results", turned[0], "--drop")
    assert cosight(bob, "results", turned[0], code=1)["error"]["code"] == "input"


def test_the_ledgers_say_so_and_verify(ladder, tmp_path: Path) -> None:
    alice, bob, runs = ladder
    for home in (alice, bob):
        cosight(home, "ledger", "export", str(tmp_path / home.member))
    assert homeless("verify", str(tmp_path / "alice"), str(tmp_path / "bob"))["problems"] == []
    told = {e.session: e.what for e in entries(alice) if e.kind is Kind.DISCLOSED}
    asked = {e.session: e.what for e in entries(bob) if e.kind is Kind.INTENT}
    of = {name: run["session"] for name, run in runs.items()}
    assert told[of["band"]]["at_least"] == 10
    assert "matched" not in told[of["noisy"]].keys() | told[of["estimate"]].keys()
    assert told[of["sightings"]]["total"] == sum(SIGHTINGS[n] for n in SHARED)
    assert (asked[of["sightings"]]["over"], asked[of["noisy"]]["epsilon_milli"]) == ("sightings", 1000)
    assert asked[of["estimate"]]["at_stake"] == len(THEIRS), "4,096 rows ask, whatever was declared"
    turned = runs["strict"]["turned"]["session"]
    assert (asked[turned]["turned"], asked[turned]["at_stake"]) == ("yes", 0)
    assert told[turned]["learned_by_peer"] == "overlap"
    assert told[turned]["learned_by_us"] == "size"
    assert told[turned]["at_stake"] == len(OURS), "it is ours that the peer learned of"


def test_every_session_has_its_report(ladder, tmp_path: Path) -> None:
    alice, bob, runs = ladder
    for home in (alice, bob):
        for name in runs:
            page = tmp_path / f"{home.member}.html"
            cosight(home, "report", runs[name]["session"], "--html", str(page))
            assert "no statement" not in page.read_text().lower()


def test_what_the_policy_does_not_state_is_refused(tmp_path: Path) -> None:
    alice, bob = members(tmp_path, "alice", "bob")
    fill(alice, OURS)
    fill(bob, THEIRS)
    text = bob.policy_file.read_text()
    lines = text.splitlines()
    kept = [x for x in lines if not x.startswith(("sums", "bands", "noise", "context"))]
    bob.policy_file.write_text("\n".join(kept))
    with serve(bob) as node:
        dial = ["match", "bob", "--address", node.address]
        for options in (
            ["--reveal", "sum"],
            ["--reveal", "context"],
            ["--reveal", "cardinality", "--protocol", "cardinality-banded"],
            ["--reveal", "cardinality", "--protocol", "cardinality-noisy"],
        ):
            assert cosight(alice, *dial, *options, code=1)["error"]["code"] == "policy-refused"
        refused = [e.what["rule"] for e in entries(bob) if e.kind is Kind.REFUSED]
        assert refused == ["p8-sum", "p8-context", "p10-bands", "p10-noise"]
        # A count that says less is given where one that says more is not, without being asked by name.
        bob.policy_file.write_text(text.replace('"cardinality", ', ""))
        assert "band" in cosight(alice, *dial, "--reveal", "cardinality")["result"]
        # And the budget of noise ends.
        bob.policy_file.write_text(text.replace("most = 1000", "most = 2"))
        noisy = [*dial, "--reveal", "cardinality", "--protocol", "cardinality-noisy"]
        for _ in range(2):
            assert "noisy" in cosight(alice, *noisy)["result"]
        assert cosight(alice, *noisy, code=1)["error"]["code"] == "policy-refused"


def test_what_is_marked_more_closed_stays_at_home(tmp_path: Path) -> None:
    """What two feeds say: only the one that lets the indicator travel has its context sent."""
    alice, bob = members(tmp_path, "alice", "bob")
    fill(alice, OURS)
    fill(bob, THEIRS)
    closed = bob.path / "closed.csv"
    closed.write_text("type,value,malware,tlp\ndomain,d170.example.net,emotet,RED\n")
    cosight(bob, "import", str(closed), "--source", "closed")
    with serve(bob) as node:
        run = cosight(alice, "match", "bob", "--address", node.address, "--reveal", "context")
    context = next(i["context"] for i in run["result"]["items"] if i["value"] == "d170.example.net")
    assert context["malware"] == ["mirai"]


def test_what_was_made_ahead_verifies_whatever_sets_are_to_be_like(tmp_path: Path) -> None:
    """No set goes into it: a policy on the size of ours has nothing to say, before it and afterwards."""
    alice, bob = members(tmp_path, "alice", "bob")
    for home, numbers in ((alice, OURS), (bob, THEIRS)):
        fill(home, numbers)
        text = home.policy_file.read_text()
        home.policy_file.write_text(text.replace("our_size = { min = 0", "our_size = { min = 100"))
    with serve(bob) as node:
        cosight(alice, "warm", "bob", "--size", "200", "--type", "domain", "--address", node.address)
        cosight(alice, "match", "bob", "--protocol", "vole", "--address", node.address)
    for home in (alice, bob):
        cosight(home, "ledger", "export", str(tmp_path / f"of-{home.member}"))
    assert homeless("verify", str(tmp_path / "of-alice"), str(tmp_path / "of-bob"))["problems"] == []


def test_a_second_run_that_is_refused_costs_no_result(tmp_path: Path) -> None:
    alice, bob = members(tmp_path, "alice", "bob")
    fill(alice, OURS)
    fill(bob, THEIRS)
    text = bob.policy_file.read_text()
    bob.policy_file.write_text(text.replace('learns = ["us", "peer"]', 'learns = ["peer"]'))
    with serve(bob) as node:
        dial = ["match", "bob", "--both", "strict", "--address", node.address]
        run = cosight(alice, *dial, code=1)
    assert run["result"]["count"] == len(SHARED)
    assert (run["turned"]["session"], run["turned"]["error"]["code"]) == (None, "policy-refused")


def test_a_policy_that_was_broken_while_the_node_runs(tmp_path: Path) -> None:
    alice, bob = members(tmp_path, "alice", "bob")
    fill(alice, OURS)
    fill(bob, THEIRS)
    with serve(bob) as node:
        bob.policy_file.write_text("version = 1\nreveal = ")
        said = cosight(alice, "match", "bob", "--reveal", "size", "--address", node.address, code=1)
    assert said["error"]["code"] == "not-ready"
    assert "every proposal is refused" in node.log.read_text()


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["terminal", "script"])
def interrupts(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a process is started with: a shell without job control has its background ignore interrupts."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("interrupts")
def test_a_match_that_is_stopped_writes_it_down(tmp_path: Path, number: signal.Signals) -> None:
    alice, bob = members(tmp_path, "alice", "bob")
    fill(alice, OURS)
    fill(bob, THEIRS)
    with (
        serve(bob) as node,
        Tap(node.address, stop_after=6000) as tap,
        matching(alice, "bob", tap.address) as match,
    ):
        tap.wait_stopped()
        match.send_signal(number)
        match.wait()
    (session,) = {e.session for e in entries(alice) if e.kind is Kind.INTENT}
    assert story(alice, session) == [("intent", ""), ("aborted", "cancelled")]
