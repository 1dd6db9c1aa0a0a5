"""``cosight policy``: what it prints, as JSON and for people, and what it writes into the ledger."""

import re
import shlex
import shutil
import stat
from pathlib import Path

import pytest

from exchange.config import Home
from exchange.policy import ADMISSION_RULES, RULES, Policy, parse
from exchange.store.ledger import LedgerReader
from tests.architecture.tree import ROOT
from tests.cli.command import cosight
from tests.cli.test_contract import documented
from tests.cli.transcript import BLOCK, Stage, lasting, steps
from tests.e2e.nodes import entries
from tests.exchange.policy.cases import FILE, written
from tests.exchange.policy.full import FULL

PAGE = ROOT / "docs/policy-transcripts.md"
OPEN = written(FILE, without="valid_from valid_until purposes").replace("valid_until = 2026-12-31\n", "", 1)
ASK = ("explain", "umbra", "--our-size", "1000", "--peer-size", "2000")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy that allows umbra something, without an end."""
    path = tmp_path / "policy.toml"
    path.write_text(re.sub("valid_(from|until) = .*\n", "", OPEN))
    return path


class TestCheck:
    def test_of_a_file(self, file: Path) -> None:
        done = cosight("policy", "check", file, "--json")
        assert done.code == 0
        assert set(done.json) == documented("policy check")
        umbra = done.json["peers"]["umbra"]
        assert set(umbra) == {"says", "sweep"}
        assert umbra["sweep"] is None
        assert done.json["hash"] == parse(file.read_text()).hash.hex()
        shown = cosight("policy", "check", file)
        assert (shown.code, shown.err) == (0, "")
        assert "revision 0, hash " + done.json["hash"][:16] in shown.out.replace("\n", "")
        assert "umbra cannot ask about single items of ours" in shown.out

    def test_prints_years(self, file: Path) -> None:
        file.write_text(written(file.read_text(), terms='directions = ["responder"]\nlearns = ["peer"]'))
        assert "sweeping all of IPv4 takes at least 1,432 days (3.9 years)" in cosight(
            "policy", "check", file
        ).out.replace("\n", " ")
        found = cosight("policy", "check", file, "--json").json
        assert found["peers"]["umbra"]["sweep"] == {
            "values_per_day": 3_000_000,
            "values_per_year": 1_095_000_000,
            "ipv4_days": 1432,
            "ipv4_years": 3.9,
            "slash16_days": 1,
        }
        assert {w["about"] for w in found["warnings"]} == {"quota", "share"}

    def test_of_a_home(self, lone: Path) -> None:
        done = cosight("policy", "check", "--json", home=lone)
        assert done.json["file"] == str(lone / "policy.toml")
        assert done.json["peers"] == {}
        assert "it allows nothing" in cosight("policy", "check", home=lone).out
        (lone / "policy.toml").unlink()
        missing = cosight("policy", "check", "--json", home=lone).error
        assert (missing["code"], "policy.toml is missing" in missing["message"]) == ("config", True)
        (lone / "policy.json").write_text(
            '{"id": "7", "name": "x", "iep_version": 2.0, "cosight": {"version": 1, "revision": 4}}'
        )
        as_json = cosight("policy", "check", "--json", home=lone).json
        assert (as_json["revision"], as_json["iep"]) == (4, "7")
        assert as_json["file"] == str(lone / "policy.json")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("version = 1\nreveals = 3\n", "line 2: reveals is not known here"),
            ("version = 2\n", "line 1: version must be 1"),
            ("[", "is not valid TOML"),
        ],
    )
    def test_a_fault_and_its_place(self, file: Path, text: str, message: str) -> None:
        file.write_text(text)
        error = cosight("policy", "check", file, "--json").error
        assert error["code"] == "config"
        assert message in error["message"]
        assert cosight("policy", "check", file).code == 1

    def test_what_is_no_text(self, file: Path) -> None:
        file.write_bytes(b"\xff\xfe")
        assert "is not UTF-8" in cosight("policy", "check", file, "--json").error["message"]
        gone = cosight("policy", "check", file.with_name("gone"), "--json").error
        assert gone["code"] == "file-unreadable"
        assert cosight("policy", "check", "--json").error["code"] == "no-home"


class TestExplain:
    def test_what_is_allowed(self, file: Path) -> None:
        done = cosight("policy", *ASK, "--policy", file, "--json")
        assert done.code == 0
        assert set(done.json) == documented("policy explain")
        assert (done.json["allowed"], done.json["rule"]) == (True, "allowed")
        assert [r["id"] for r in done.json["rules"]] == [*(rule.id for rule in RULES), *ADMISSION_RULES]
        assert all(set(r) == {"id", "about", "verdict", "reason", "remedy"} for r in done.json["rules"])

    def test_what_is_refused(self, file: Path) -> None:
        done = cosight("policy", *ASK, "--policy", file, "--type", "url", "--json")
        assert (done.code, done.err) == (1, "")
        assert (done.json["allowed"], done.json["rule"]) == (False, "p3-types")
        (decided,) = [r for r in done.json["rules"] if r["verdict"] == "objects"]
        assert decided["remedy"] == '[peers.umbra]\ntypes = ["domain", "ipv4", "url"]'
        shown = cosight("policy", *ASK, "--policy", file, "--type", "url")
        assert shown.code == 1
        assert shown.out.startswith(done.json["explanation"])
        marked = [line for line in shown.out.splitlines() if line.startswith("->")]
        assert len(marked) == 1
        assert "p3-types" in marked[0]

    def test_what_is_not_known_is_not_guessed(self, file: Path) -> None:
        done = cosight("policy", "explain", "umbra", "--policy", file, "--json")
        waiting = {r["id"] for r in done.json["rules"] if r["verdict"] == "not known yet"}
        assert (done.code, waiting) == (0, {"p7-our-size", "p7-peer-size"})

    @pytest.mark.parametrize(
        ("options", "rule"),
        [
            (["--answering"], "p1-direction"),
            (["--both"], "p8-output"),
            (["--reveal", "context"], "p8-rung"),
            (["--protocol", "vole"], "protocol"),
            (["--our-size", "9"], "p7-our-size"),
            (["--peer-size", "9"], "p7-peer-size"),
            (["--profile", "cti-c14n/9"], "p23-profile"),
            (["--role", "administrator"], "p1-role"),
            (["--purpose", "marketing"], "purpose"),
            (["--ahead-hours", "2"], "p20-ahead"),
            (["--attributed"], "p6-attribution"),
            (["--uncommitted"], "guard-commitment"),
            (["--growth", "2"], "guard-growth"),
        ],
    )
    def test_every_option_counts(self, file: Path, options: list[str], rule: str) -> None:
        more = (
            'roles = ["member"]\npurposes = ["war", "peace"]\nahead_hours = 1\nattribution = "must-not"\n'
            'commitment = "required"\ngrowth_per_day = 1'
        )
        file.write_text(written(file.read_text(), terms=more))
        usual = [*ASK, "--purpose", "peace", "--policy", file, "--json"]
        assert cosight("policy", *usual).json["rule"] == "allowed"
        assert cosight("policy", *usual, *options).json["rule"] == rule

    def test_the_ledger_and_the_roster_of_the_home_count(self, pair: tuple[Home, ...]) -> None:
        alice, _ = pair
        ask = ("policy", "explain", "bob", "--our-size", "9", "--peer-size", "9", "--json")
        assert cosight(*ask, home=alice.path).json["rule"] == "allowed"
        assert cosight("policy", "quarantine", "bob", home=alice.path).code == 0
        assert cosight(*ask, home=alice.path).json["rule"] == "p22-quarantine"
        assert cosight(*ask, "--policy", alice.policy_file, home=alice.path).json["rule"] == "p22-quarantine"
        cosight("policy", "lift", "bob", home=alice.path)
        text = alice.policy_file.read_text().replace("directions", 'roles = ["administrator"]\ndirections', 1)
        alice.policy_file.write_text(text)
        assert cosight(*ask, home=alice.path).json["rule"] == "p1-role"
        alice.policy_file.write_text(text.replace('"administrator"', '"member"'))
        assert cosight(*ask, home=alice.path).json["rule"] == "allowed"


class TestDiff:
    def test_in_words(self, file: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.toml"
        lines = 'protocols = ["voprf", "vole"]\nsessions_per_day = 2\nregion = "DE"'
        other.write_text(written(file.read_text(), terms=lines))
        done = cosight("policy", "diff", file, other, "--json")
        assert done.code == 0
        assert set(done.json) == documented("policy diff")
        assert done.json == {
            "allowed": ["umbra: protocols vole"],
            "forbidden": ["umbra: sessions_per_day 2, not 3"],
            "changed": ["umbra: region DE, not unstated"],
        }
        shown = cosight("policy", "diff", file, other).out.splitlines()
        assert shown == [
            "allowed now", "  umbra: protocols vole", "no longer allowed",
            "  umbra: sessions_per_day 2, not 3", "changed", "  umbra: region DE, not unstated",
        ]  # fmt: skip

    def test_of_the_same(self, file: Path) -> None:
        assert cosight("policy", "diff", file, file).out == "they mean the same\n"


class TestQuarantine:
    def test_begins_and_ends(self, pair: tuple[Home, ...]) -> None:
        alice, _ = pair
        begun = cosight("policy", "quarantine", "bob", "--reason", "ticket-7", "--json", home=alice.path)
        assert set(begun.json) == documented("policy quarantine")
        assert (begun.json["peer"], begun.json["reason"]) == ("bob", "ticket-7")
        with LedgerReader.open_read_only(alice.ledger_file) as reader:
            assert reader.quarantined("bob") == "ticket-7"
        ended = cosight("policy", "lift", "bob", "--json", home=alice.path)
        assert set(ended.json) == documented("policy lift")
        assert ended.json["was"] == "ticket-7"
        kinds = [(str(leaf.kind), leaf.peer, leaf.what.get("reason")) for leaf in entries(alice)]
        assert kinds[-2:] == [("quarantine", "bob", "ticket-7"), ("lift", "bob", "operator")]
        assert cosight("policy", "lift", "bob", "--json", home=alice.path).error["code"] == "not-quarantined"
        assert cosight("ledger", "verify", home=alice.path).code == 0

    def test_of_nobody(self, pair: tuple[Home, ...], lone: Path) -> None:
        before = len(entries(pair[0])) if pair[0].ledger_file.exists() else 0
        error = cosight("policy", "quarantine", "mallory", "--json", home=pair[0].path).error
        assert error["code"] == "unknown-member"
        bad = cosight("policy", "quarantine", "bob", "--reason", "10.0.0.1", "--json", home=pair[0].path)
        assert bad.code == 2
        assert cosight("policy", "quarantine", "bob", "--json", home=lone).error["code"] == "no-alliance"
        after = [leaf for leaf in entries(pair[0]) if str(leaf.kind) == "quarantine"]
        assert after == []
        assert before <= len(entries(pair[0]))


class TestApproval:
    @pytest.fixture
    def keyed(self, pair: tuple[Home, ...], tmp_path: Path) -> tuple[Home, Path, Path]:
        """alice's policy asks two people, ann and bo; and their keys."""
        alice, _ = pair
        lines, files = [], []
        for name in ("ann", "bo"):
            files.append(tmp_path / f"{name}.pem")
            made = cosight("policy", "approver", name, "--out", files[-1], "--json")
            assert set(made.json) == documented("policy approver")
            lines.append(made.json["line"])
        text = alice.policy_file.read_text()
        needs = 'approval = { rungs = ["overlap"], people = 2, days = 7 }'
        text = text.replace("directions", f"{needs}\ndirections", 1)
        alice.policy_file.write_text("\n".join([text, "[approvers]", *lines, ""]))
        return alice, files[0], files[1]

    def test_two_people_allow_what_one_does_not(self, keyed: tuple[Home, Path, Path]) -> None:
        alice, ann, bo = keyed
        ask = ("policy", "explain", "bob", "--type", "ipv4", "--purpose", "p", "--json")
        approve = ("policy", "approve", "bob", "--type", "ipv4", "--purpose", "p", "--json")
        assert cosight(*ask, home=alice.path).json["rule"] == "p19-approval"
        one = cosight(*approve, "--key", ann, "--as", "ann", home=alice.path)
        assert set(one.json) == documented("policy approve")
        assert (one.json["approved_by"], one.json["people"]) == (["ann"], 2)
        again = cosight(*approve, "--key", ann, "--as", "ann", home=alice.path)
        assert again.json["approved_by"] == ["ann"]
        refused = cosight(*ask, home=alice.path).json
        assert refused["rule"] == "p19-approval"
        assert "so far ann" in refused["explanation"]
        both = cosight(*approve, "--key", bo, "--as", "bo", home=alice.path)
        assert both.json["approved_by"] == ["ann", "bo"]
        assert cosight(*ask, home=alice.path).json["rule"] == "allowed"
        assert cosight(*ask, "--purpose", "q", home=alice.path).json["rule"] == "p19-approval"
        alice.policy_file.write_text(
            alice.policy_file.read_text().replace("version = 1", "version = 1\nrevision = 2")
        )
        assert cosight(*ask, home=alice.path).json["rule"] == "p19-approval", "it was another policy"
        assert cosight("ledger", "verify", home=alice.path).code == 0

    def test_the_purpose_is_not_in_the_ledger(self, keyed: tuple[Home, Path, Path]) -> None:
        alice, ann, _ = keyed
        purpose = "we look for bad.example.com"
        line = (
            "policy",
            "approve",
            "bob",
            "--type",
            "ipv4",
            "--purpose",
            purpose,
            "--key",
            ann,
            "--as",
            "ann",
        )
        done = cosight(*line, home=alice.path)
        assert done.code == 0
        assert "approved by ann: 1 more must" in done.out
        assert purpose.encode() not in alice.ledger_file.read_bytes()
        assert purpose not in str(entries(alice)[-1])

    def test_nobody_approves_for_another(self, keyed: tuple[Home, Path, Path], tmp_path: Path) -> None:
        alice, ann, _ = keyed
        approve = ("policy", "approve", "bob", "--type", "ipv4", "--json")
        for key, name, code in (
            (ann, "bo", "approver-unknown"),
            (ann, "carl", "approver-unknown"),
            (alice.key_file("identity"), "ann", "approver-unknown"),
            (alice.key_file("ca"), "ann", "config"),
        ):
            error = cosight(*approve, "--key", key, "--as", name, home=alice.path).error
            assert error["code"] == code
        (tmp_path / "no.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        (tmp_path / "no.pem").chmod(0o600)
        damaged = cosight(*approve, "--key", tmp_path / "no.pem", "--as", "ann", home=alice.path).error
        assert damaged["message"] == "the approver's key is damaged"
        ann.chmod(0o644)
        exposed = cosight(*approve, "--key", ann, "--as", "ann", home=alice.path).error
        assert exposed["code"] == "key-exposed"
        size = cosight(*approve, "--reveal", "size", "--key", ann, "--as", "ann", home=alice.path).error
        assert size["code"] == "approval-unneeded"
        assert not [leaf for leaf in entries(alice) if str(leaf.kind) == "approval"]

    def test_a_key_is_its_owners_alone_and_never_replaced(self, tmp_path: Path) -> None:
        out = tmp_path / "ann.pem"
        shown = cosight("policy", "approver", "ann", "--out", out).out
        assert re.fullmatch(r'\[approvers\]\nann = "[0-9a-f]{64}"\n', shown)
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        before = out.read_bytes()
        assert cosight("policy", "approver", "ann", "--out", out, "--json").error["code"] == "file-exists"
        assert out.read_bytes() == before
        assert cosight("policy", "approver", "Ann", "--out", tmp_path / "x", "--json").code == 2


class TestTranscripts:
    def test_every_rule_has_its_case(self) -> None:
        page = PAGE.read_text()
        shown = set(re.findall(r"^refused by ([a-z0-9-]+): ", page, re.MULTILINE))
        assert shown == {rule.id for rule in RULES}
        items = set(re.findall(r"^  ([a-z0-9-]+) +item by item", page, re.MULTILINE))
        assert items == set(ADMISSION_RULES)

    @pytest.mark.slow
    def test_the_page_shows_what_happens(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written_down = [step for block in BLOCK.findall(PAGE.read_text()) for step in steps(block)]
        assert written_down
        with Stage(tmp_path) as stage:
            for step in written_down:
                # What no shell is needed for runs here: fifty processes would take a minute to start.
                if re.fullmatch("cosight policy [^|>&;]+", step.command):
                    monkeypatch.setenv("COSIGHT_HOME", step.who or "none")
                    done = cosight(*shlex.split(step.command)[1:])
                    printed = done.out + done.err
                else:
                    printed = stage.run(step)
                assert lasting(printed) == lasting(step.printed), step.command


def test_the_full_policy_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "full.toml"
    path.write_text(FULL)
    assert cosight("policy", "check", path).code == 0
    shutil.copy(path, tmp_path / "copy.toml")
    assert "they mean the same" in cosight("policy", "diff", path, tmp_path / "copy.toml").out
    assert Policy.from_content(parse(FULL).content()) == parse(FULL)
