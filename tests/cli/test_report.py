"""``report`` on the ledger of a session that really ran, and its check, here and by others."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from exchange.config import Home
from tests.cli.command import Done, cosight
from tests.e2e.nodes import import_values, members, serve

SHARED, OURS_ALONE = ["8.8.8.3", "shared.example.org"], ["canary.example.net"]
KEYS = {
    "report", "digest", "scope", "sessions", "entries", "checkpoint", "unshown", "verdict", "summary",
    "words", "runs", "liars", "entry", "file", "html", "pdf", "out",
}  # fmt: skip
CHECKED = {"ok", "digest", "member", "problems", "unshown", "with_ledger", "first_roster"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home, dict[str, Any]]:
    """alice and bob after a session, and what ``match`` said."""
    alice, bob = members(tmp_path_factory.mktemp("members"), "alice", "bob")
    import_values(alice, SHARED + OURS_ALONE)
    import_values(bob, SHARED)
    with serve(bob) as served:
        match = cosight("match", "bob", "--address", served.address, "--json", home=alice.path)
    return alice, bob, match.json


@pytest.fixture
def alice(ran: tuple[Home, Home, dict[str, Any]], tmp_path: Path) -> Home:
    """A copy of alice's home, for one test to add to."""
    return Home.open(shutil.copytree(ran[0].path, tmp_path / "alice"))


@pytest.fixture
def bob(ran: tuple[Home, Home, dict[str, Any]], tmp_path: Path) -> Home:
    return Home.open(shutil.copytree(ran[1].path, tmp_path / "bob"))


@pytest.fixture
def session(ran: tuple[Home, Home, dict[str, Any]]) -> str:
    return str(ran[2]["session"])


def reported(home: Home, *what: str | Path) -> dict[str, Any]:
    done = cosight("report", *what, "--json", home=home.path)
    assert done.code == 0, done
    assert set(done.json) == KEYS
    assert done.err == ""
    return done.json


def checked(home: Home, file: Path | str, *options: str | Path) -> Done:
    done = cosight("report", "--check", file, *options, "--json", home=home.path)
    assert set(done.json) == CHECKED
    assert done.json["ok"] is (done.code == 0) is not bool(done.json["problems"])
    return done


def test_a_session(alice: Home, session: str, tmp_path: Path) -> None:
    out, html, pdf = (tmp_path / name for name in ("r.json", "r.html", "r.pdf"))
    found = reported(alice, session[:8], "--out", out, "--html", html, "--pdf", pdf)
    assert found["scope"] == {"kind": "session", "session": session, "peer": "bob", "since": "", "until": ""}
    assert found["digest"] == sha256(out.read_bytes()).hexdigest()
    assert Path(found["file"]).read_bytes() == out.read_bytes()
    assert Path(found["file"]) == alice.path / "reports" / f"{found['digest']}.json"
    assert found["digest"] in html.read_text()
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert found["sessions"] == 1
    content = json.loads(out.read_bytes())["content"]["sessions"][0]
    assert content["output"]["matched"] == 2
    assert content["input"]["entered"] == {"domain": 2, "ipv4": 1}
    assert content["policy"]["held"]
    assert content["receipt"]["state"] == "verified", content["receipt"]
    assert found["verdict"]["word"] == "good"


def test_no_indicator_of_either_side_is_in_a_report(
    alice: Home, bob: Home, session: str, tmp_path: Path
) -> None:
    for home in (alice, bob):
        out, html, pdf = (tmp_path / name for name in ("r.json", "r.html", "r.pdf"))
        done = cosight("report", session, "--out", out, "--html", html, "--pdf", pdf, home=home.path)
        assert done.code == 0
        told = "".join(page.extract_text() for page in PdfReader(pdf).pages) + done.out + done.err
        written = out.read_bytes() + html.read_bytes() + told.encode()
        for value in SHARED + OURS_ALONE:
            assert value.encode() not in written
            assert value.encode().hex().encode() not in written


def test_it_is_in_the_ledger(alice: Home, session: str) -> None:
    found = reported(alice, session)
    newest = cosight("ledger", "show", "--json", "--last", "1", home=alice.path).json["entries"][0]
    assert (newest["seq"], newest["kind"], newest["session"]) == (found["entry"], "report", session)
    assert newest["what"] == {"digest": found["digest"], "scope": "session"}
    assert cosight("ledger", "verify", "--json", home=alice.path).json["ok"]
    following = reported(alice, session)
    stored = json.loads(Path(following["file"]).read_bytes())
    assert stored["content"]["integrity"]["previous_report"] == found["digest"]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (["--peer", "bob"], "peer"),
        (["--since", "2020-01-01"], "period"),
        (["--since", "2020-01-01", "--until", "2100-01-01"], "period"),
        (["--peer", "bob", "--until", "2100-01-01"], "peer"),
    ],
)
def test_many_sessions(alice: Home, options: list[str], kind: str) -> None:
    found = reported(alice, *options)
    assert (found["scope"]["kind"], found["sessions"]) == (kind, 1)
    assert checked(alice, found["file"]).code == 0


def test_a_period_without_sessions(alice: Home) -> None:
    assert reported(alice, "--since", "2020-01-01", "--until", "2020-01-02")["sessions"] == 0


def test_both_sides_report_the_same_session(alice: Home, bob: Home, session: str) -> None:
    ours, theirs = (
        json.loads(Path(reported(home, session)["file"]).read_bytes())["content"]["sessions"][0]
        for home in (alice, bob)
    )
    assert ours["receipt"]["transcript"] == theirs["receipt"]["transcript"] != ""
    assert ours["agreement"]["hash"] == theirs["agreement"]["hash"]
    assert ours["sizes"]["ours_padded"] == theirs["sizes"]["peer_padded"]
    assert (ours["policy"]["ours"], ours["policy"]["theirs"]) == (
        theirs["policy"]["theirs"], theirs["policy"]["ours"],
    )  # fmt: skip
    assert (ours["bounds"]["ours_learned_most"], theirs["bounds"]["ours_learned_most"]) == (0, 2)


def test_everybody_checks_it(alice: Home, bob: Home, session: str, tmp_path: Path) -> None:
    file = reported(alice, session)["file"]
    own = checked(alice, file).json
    assert (own["member"], own["with_ledger"], own["unshown"]) == ("alice", True, 0)
    by_peer = checked(bob, file).json
    assert (by_peer["ok"], by_peer["with_ledger"]) == (True, False)
    nobody = cosight("report", "--check", file, "--roster", bob.rosters, "--json", home=tmp_path / "none")
    assert nobody.json["ok"]
    assert nobody.json["first_roster"] == own["first_roster"]
    for_people = cosight("report", "--check", file, "--roster", bob.rosters, home=tmp_path / "none")
    assert "verified" in for_people.out
    assert own["first_roster"] in for_people.err


def test_what_was_changed_is_found(alice: Home, session: str, tmp_path: Path) -> None:
    whole = Path(reported(alice, session)["file"]).read_bytes()
    changed = tmp_path / "changed.json"
    changed.write_bytes(whole.replace(b'"matched":2', b'"matched":1'))
    assert checked(alice, changed).json["problems"] == [
        "the report is not signed by the member's identity key"
    ]
    for_people = cosight("report", "--check", changed, home=alice.path)
    assert for_people.code == 1
    assert "does not verify" in for_people.out
    changed.write_bytes(whole + b" ")
    assert cosight("report", "--check", changed, "--json", home=alice.path).error["code"] == "report-form"


def test_a_report_that_the_ledger_does_not_have(alice: Home, session: str, tmp_path: Path) -> None:
    before = shutil.copytree(alice.path, tmp_path / "before")
    file = reported(alice, session)["file"]
    assert checked(Home.open(before), file).json["problems"] == [
        "the ledger does not have the digest of this report"
    ]


def test_the_annex_is_named_by_its_digest_alone(alice: Home, session: str, tmp_path: Path) -> None:
    annex = tmp_path / "result.json"
    annex.write_text("what matched")
    stored = Path(reported(alice, session, "--result", annex)["file"]).read_bytes()
    assert json.loads(stored)["content"]["annex"] == {"result": sha256(b"what matched").hexdigest()}


def test_for_people(alice: Home, session: str) -> None:
    done = cosight("report", session, home=alice.path)
    assert done.code == 0
    for said in ("Disclosure report", "alice asked, bob answered", "2 indicators matched", "entry "):
        assert said in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--peer", "nobody"], "report-nothing"),
        (["00000000"], "report-session"),
        (["--check", "absent.json"], "file-unreadable"),
    ],
)
def test_what_is_not_there(alice: Home, arguments: list[str], code: str) -> None:
    done = cosight("report", *arguments, "--json", home=alice.path)
    assert (done.code, done.error["code"]) == (1, code)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["abc"],
        ["zzzzzzzz"],
        ["--since", "yesterday"],
        ["12345678", "--peer", "bob"],
        ["--check", "r.json", "--peer", "bob"],
        ["--peer", "bob", "--roster", "r"],
    ],
)
def test_wrong_usage(alice: Home, arguments: list[str]) -> None:
    done = cosight("report", *arguments, "--json", home=alice.path)
    assert (done.code, done.error["code"]) == (2, "usage")


def test_a_node_without_a_ledger(lone: Path) -> None:
    done = cosight("report", "--peer", "bob", "--json", home=lone)
    assert (done.code, done.error["code"]) == (1, "ledger")
    assert not (lone / "ledger.db").exists()


def test_a_file_that_cannot_be_written_spends_nothing(alice: Home, session: str, tmp_path: Path) -> None:
    before = cosight("ledger", "show", "--json", home=alice.path).json["leaves"]
    done = cosight("report", session, "--pdf", tmp_path / "absent" / "r.pdf", "--json", home=alice.path)
    assert (done.code, done.error["code"]) == (1, "config")
    assert cosight("ledger", "show", "--json", home=alice.path).json["leaves"] == before


def test_a_report_is_readable_by_its_owner_alone_in_the_home(alice: Home, session: str) -> None:
    file = Path(reported(alice, session)["file"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
