"""With ``--json`` every command prints one object with the keys of ``docs/commands.md``, nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest

from exchange.config import Home
from tests.architecture.tree import ROOT
from tests.cli.command import Done, cosight
from tests.e2e.nodes import entries, import_values, serve

REFUSED = {"public-suffix", "not-global", "not-one-value"}


def documented(command: str) -> set[str]:
    """The keys that the page lists for a command."""
    page = (ROOT / "docs/commands.md").read_text()
    section = page.split(f"\n## `{command}`\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def holds(command: str, done: Done, *, optional: set[str] | None = None) -> dict[str, Any]:
    """Check a command's object against the page and give it back."""
    assert done.code == 0, done
    assert done.err == ""
    assert set(done.json) - (optional or set()) == documented(command) - (optional or set())
    return done.json


def feed(path: Path, *values: str) -> Path:
    path.write_text("".join(f"{value}\n" for value in values))
    return path


def test_init(tmp_path: Path) -> None:
    made = holds("init", cosight("init", "--member", "acme", "--json", home=tmp_path / "acme"))
    assert made == {"home": str(tmp_path / "acme"), "member": "acme", "listen": "127.0.0.1:7443"}


def test_import_counts_what_went_in_and_what_did_not(lone: Path, tmp_path: Path) -> None:
    file = feed(
        tmp_path / "feed.txt", "8.8.8.8", "hxxp://8[.]8[.]4[.]4/x", "8.8.8.8", "10.0.0.1", "co.uk", "a b"
    )
    done = cosight("import", file, "--source", "us", "--tlp", "RED", "--json", home=lone)
    counts = holds("import", done, optional={"files", "error"})
    assert (counts["read"], counts["accepted"], counts["duplicates"]) == (6, 2, 1)
    assert set(counts["refused"]) == REFUSED
    assert counts["by_type"] == {"ipv4": 1, "url": 1}

    held = holds("indicators", cosight("indicators", "--json", home=lone))
    assert {(r["type"], r["source"], r["tlp"], r["count"]) for r in held["indicators"]} == {
        ("ipv4", "us", "RED", 1),
        ("url", "us", "RED", 1),
    }
    only = cosight("indicators", "--type", "url", "--json", home=lone).json
    assert [r["type"] for r in only["indicators"]] == ["url"]


def test_import_of_several_files_takes_the_good_ones(lone: Path, tmp_path: Path) -> None:
    first, last = feed(tmp_path / "first.txt", "1.2.3.4"), feed(tmp_path / "last.txt", "1.2.3.4", "1.2.3.5")
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b'type,value\nipv4,"1.1.1.1\nipv4,9.9.9.9\n' + b"\xff\xfe\x00" * 50)
    done = cosight("import", first, bad, tmp_path / "gone.txt", last, "--json", home=lone)
    assert done.code == 1
    assert (done.json["accepted"], done.json["duplicates"]) == (2, 1)
    by_file = {Path(r["file"]).name: r for r in done.json["files"]}
    assert list(by_file) == ["first.txt", "bad.csv", "gone.txt", "last.txt"]
    assert by_file["last.txt"]["accepted"] == 1
    assert by_file["gone.txt"]["error"]["code"] == "input"
    assert set(done.json["error"]) == {"code", "message", "hint"}
    assert cosight("indicators", "--json", home=lone).json["in_a_match"]["ipv4"] >= 2

    for_people = cosight("import", first, tmp_path / "gone.txt", home=lone)
    assert for_people.code == 1
    assert "first.txt: of 1, 0 new, 1 known, 0 refused" in for_people.out
    assert "error (input)" in for_people.err


def test_import_of_no_indicators_wonders_about_the_format(lone: Path, tmp_path: Path) -> None:
    done = cosight("import", feed(tmp_path / "poem.txt", "shall I compare thee"), home=lone)
    assert done.code == 0
    assert "poem.txt: of 1, 0 new, 0 known, 1 refused" in done.out
    assert "is --format right?" in done.err


def test_a_later_state_of_a_feed_takes_the_place_of_the_earlier(lone: Path, tmp_path: Path) -> None:
    monday, tuesday = feed(tmp_path / "mon.txt", "1.2.3.4", "1.2.3.5"), feed(tmp_path / "tue.txt", "1.2.3.5")
    for file, kept in ((monday, 2), (tuesday, 1)):
        done = cosight("import", file, "--source", "daily", "--feed", "list", "--json", home=lone)
        assert done.json["added"] + done.json["unchanged"] == kept
    assert (done.json["removed"], done.json["unchanged"]) == (1, 1)
    again = cosight("import", monday, "--source", "daily", "--feed", "list", "--add", home=lone)
    assert "1 added, 0 removed, 1 unchanged" in again.out

    listed = holds("feeds", cosight("feeds", "--json", home=lone))["feeds"]
    assert [(f["source"], f["feed"], f["indicators"]) for f in listed] == [("daily", "list", 2)]
    assert "daily" in cosight("feeds", home=lone).out
    gone = holds("forget", cosight("forget", "daily", "--json", home=lone))
    assert (gone["given"], gone["erased"]) == (2, 2)
    assert cosight("forget", "daily", home=lone).code == 1


def test_what_is_said_of_an_indicator_can_be_looked_up(lone: Path, tmp_path: Path) -> None:
    table = feed(
        tmp_path / "t.csv", "ip,tags,tlp,victim_ip", "1.2.3.4,apt,TLP:GREEN,1.2.3.9", "8.8.8.8,,RED,"
    )
    done = cosight("import", table, "--source", "us", "--own", "--tlp", "AMBER", "--json", home=lone)
    assert done.json["refused"] == {"victim-field": 1}
    assert done.json["places"] == {"victim-field": ["column victim_ip"]}
    assert done.json["blocked"] == {"public-dns-v4": 1}
    assert cosight("indicators", "--json", home=lone).json["held_back"] == {"warning-list": 1}
    looked = holds("lookup", cosight("lookup", "1[.]2[.]3[.]4", "1.2.3.9", "nothing", "--json", home=lone))
    known, unknown, no = looked["values"]
    (told,) = known["sources"]
    assert (told["source"], told["own"], told["tlp"], told["context"]["tags"]) == (
        "us",
        True,
        "AMBER",
        ["apt"],
    )
    assert (unknown["sources"], no["reason"]) == ([], "bad-domain")
    shown = cosight("lookup", "1.2.3.4", "1.2.3.9", home=lone).out
    assert "apt" in shown
    assert "we do not hold it" in shown
    assert "on a warning list that blocks" in cosight("indicators", home=lone).out


def test_import_reads_folders_and_standard_input(lone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "vendor"
    (folder / "sub").mkdir(parents=True)
    feed(folder / "a.txt", "1.2.3.4")
    feed(folder / "sub" / "b.txt", "evil[.]example[.]com")
    (folder / "LICENSE").write_text("as you like")
    done = cosight("import", folder, "--json", home=lone)
    assert done.json["accepted"] == 2
    told = {f["file"].removeprefix(str(folder)): f for f in done.json["files"]}
    assert {f.get("source") for f in told.values()} == {"vendor", None}
    assert "skipped" in told["/LICENSE"]
    nameless = cosight("import", "-", "--json", home=lone, stdin="1.2.3.4\n")
    assert nameless.json["error"]["hint"] == "say --source NAME"
    piped = cosight("import", "-", "--source", "pipe", "--json", home=lone, stdin="1.2.3.4\n1.2.3.5\n")
    assert (piped.json["accepted"], piped.json["added"]) == (1, 2)
    assert cosight("import", folder, "--feed", "x", "--json", home=lone).json["error"]["code"] == "input"


@pytest.mark.parametrize("transport", ["memory", "grpc"])
def test_psi(tmp_path: Path, transport: str) -> None:
    a = feed(tmp_path / "a", *(str(n) for n in range(60)), "1", "")
    b = feed(tmp_path / "b", *(str(n) for n in range(40, 140)))
    out = tmp_path / "shared"
    done = cosight("psi", a, b, "--transport", transport, "--out", out, "--json")
    result = holds("psi", done)
    assert (result["n_r"], result["n_s"], result["intersection"]) == (60, 100, {"count": 20})
    assert out.read_text().split() == [str(n) for n in range(40, 60)]
    assert set(result["seconds"]) == {"total", "offline", "online", "read", "write"}
    assert min(result["bytes"]["receiver_sent"], result["bytes"]["sender_sent"]) >= 60 * 32
    assert result["peak_rss_mib"] > 10
    assert "20 shared of 60 and 100" in cosight("psi", a, b).out


def test_psi_says_which_file_it_cannot_read(tmp_path: Path) -> None:
    error = cosight("psi", tmp_path / "gone", tmp_path / "gone", "--json").error
    assert error["code"] == "input"
    assert str(tmp_path / "gone") in error["message"]
    (tmp_path / "bin").write_bytes(b"a\n\xff\n")
    assert "not UTF-8" in cosight("psi", tmp_path / "bin", tmp_path / "bin", "--json").error["message"]
    out = tmp_path / "gone" / "out"
    error = cosight("psi", feed(tmp_path / "a", "1"), tmp_path / "a", "--out", out, "--json").error
    assert (error["code"], error["hint"]) == ("config", "choose another --out")


def test_psi_takes_lines_as_they_are(tmp_path: Path) -> None:
    """Empty sets, line ends of either kind, spaces that count."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"x\r\ny \r\n\xc3\xa9")
    b.write_bytes(b"x\ny\n\xc3\xa9\n")
    assert cosight("psi", a, b, "--json").json["intersection"]["count"] == 2
    assert cosight("psi", feed(a), b, "--json").json["intersection"]["count"] == 0


def test_match_and_ledger(pair: tuple[Home, ...], tmp_path: Path) -> None:
    alice, bob = pair
    import_values(bob, ["8.8.8.3", "bad.example.com", "other.example.com"])
    out = tmp_path / "shared.tsv"
    with serve(bob) as served:
        dial = ["match", "bob", "--address", served.address]
        result = holds(
            "match",
            cosight(*dial, "--out", out, "--json", home=alice.path),
            optional={"condition", "below", "turned"},
        )
        size = cosight(*dial, "--reveal", "size", "--type", "ipv4", "--json", home=alice.path).json
        both = cosight(*dial, "--both", home=alice.path)
        one = cosight(*dial, home=alice.path)
    items = {("ipv4", "8.8.8.3"), ("domain", "bad.example.com")}
    assert {(i["type"], i["value"]) for i in result["result"]["items"]} == items
    assert result["result"]["count"] == 2
    assert result["sizes"] == {"ours": 2, "ours_padded": 32, "peer_padded": 32}
    assert (result["peer"], result["reveal"], result["protocol"]) == ("bob", "overlap", "voprf")
    assert {tuple(line.split("\t")) for line in out.read_text().splitlines()} == items | {("type", "value")}
    assert (size["types"], size["protocol"]) == (["ipv4"], None)
    assert size["result"] == {"count": None, "items": None}
    assert "bob learned our size class, and which of its items we share" in both.err
    assert "bob learned our size class, and nothing of what we hold" in one.err

    shown = holds("ledger show", cosight("ledger", "show", "--last", "3", "--json", home=bob.path))
    assert shown["leaves"] == len(entries(bob))
    assert [leaf["seq"] for leaf in shown["entries"]] == list(range(shown["leaves"] - 3, shown["leaves"]))
    for home in pair:
        verified = holds("ledger verify", cosight("ledger", "verify", "--json", home=home.path))
        assert verified["ok"] is True
        assert (verified["sessions"], verified["open_intents"], verified["problems"]) == (4, [], [])
        assert (verified["runs"], verified["open_runs"]) == (0, [])
        assert cosight("ledger", "verify", home=home.path).out.startswith("verified: ")


def test_a_plan_predicts_and_runs_nothing(pair: tuple[Home, ...]) -> None:
    alice, bob = pair
    import_values(bob, ["8.8.8.3"])
    with serve(bob) as served:
        dial = ["match", "bob", "--address", served.address, "--plan"]
        planned = holds("match --plan", cosight(*dial, "--json", home=alice.path))
        told = cosight(*dial, "--reveal", "cardinality", home=alice.path)
    assert set(planned["predicted"]) == {"voprf", "vole"}
    assert planned["protocol"] in planned["predicted"]
    assert planned["sizes"] == {"ours_padded": 32, "peer_padded": 32, "peer_known": False}
    for cost in planned["predicted"].values():
        assert min(cost["seconds"], cost["bytes"]["sent"], cost["bytes"]["received"]) > 0
    assert "cardinality-banded" in told.out
    assert "nothing was proposed" in told.err
    assert not [e.kind for home in pair for e in entries(home) if e.session]


def test_what_is_warmed_up_is_used_by_the_next_bulk_match_alone(pair: tuple[Home, ...]) -> None:
    alice, bob = pair
    import_values(bob, ["8.8.8.3", "bad.example.com"])
    with serve(bob) as served:
        where = ["--address", served.address]
        made = holds("warm", cosight("warm", "bob", "--size", "500", *where, "--json", home=alice.path))
        told = cosight("warm", "bob", "--size", "40", *where, home=alice.path)
        refused = cosight("warm", "bob", "--size", "9", "--protocol", "voprf", *where, home=alice.path)
        dial = ["match", "bob", "--protocol", "vole", *where, "--json"]
        matches = [cosight(*dial, home=alice.path).json for _ in range(3)]
    assert (made["peer"], made["protocol"], made["size_padded"]) == ("bob", "vole", 512)
    assert "ready for one match of up to 40 of our indicators with bob" in told.out
    assert (refused.code, "can be done ahead" in refused.err) == (1, True)
    assert [m["ahead"] for m in matches] == [True, True, False]
    assert [m["result"]["count"] for m in matches] == [2] * 3
    assert matches[0]["bytes"]["received"] < matches[2]["bytes"]["received"] / 10
    assert list((bob.path / "correlations").iterdir()) == []


def test_serve_says_where_before_it_serves(pair: tuple[Home, ...]) -> None:
    with serve(pair[1], "--listen", "127.0.0.1:0") as served:
        assert served.address.startswith("127.0.0.1:")
        assert int(served.address.rpartition(":")[2]) > 0
