"""A light member from the command line: joining with one file, and what ends before anybody is asked."""

import stat
from pathlib import Path

import pytest

from exchange.identity import light
from tests.cli.command import Done, cosight
from tests.cli.test_contract import documented, holds

SECRET = "several words are better"


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(light, "SCRYPT_N", 1 << 4)


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """An administrator, who has invited globex."""
    home = tmp_path / "acme"
    for command in (
        ["init", "--member", "acme"],
        ["alliance", "create", "threats.example"],
        ["alliance", "invite"],
    ):
        assert cosight(*command, home=home).code == 0
    return home


def join(*options: str) -> Done:
    return cosight("light", "join", "invitation.cosight", "--member", "globex", *options)


@pytest.fixture
def joined(acme: Path) -> Path:
    """The file of globex, admitted."""
    assert join("--yes").code == 0
    assert cosight("alliance", "approve", "join-request.cosight", "--yes", home=acme).code == 0
    assert cosight("light", "join", "approval.cosight").code == 0
    return Path("member.cosight")


def lookup(*arguments: str, stdin: str | None = None) -> Done:
    return cosight("lookup", "--alliance", "member.cosight", "--json", *arguments, stdin=stdin)


def test_joining_with_one_file(acme: Path) -> None:
    unseen = join("--json").error
    assert unseen["code"] == "unconfirmed"
    assert not Path("member.cosight").exists(), "nothing is trusted before somebody looked"
    asked = holds("light join", join("--yes", "--json"))
    assert stat.S_IMODE(Path("member.cosight").stat().st_mode) == 0o600
    assert join("--yes", "--json").error["code"] == "file-exists"

    waiting = holds("light show", cosight("light", "show", "--json"))
    assert (waiting["admitted"], waiting["epoch"], waiting["sealed"]) == (False, 1, False)
    early = lookup("evil.example.com").error
    assert early["code"] == "not-a-member"
    assert "light join" in early["hint"]

    approved = cosight("alliance", "approve", "join-request.cosight", "--yes", home=acme)
    assert approved.code == 0
    there = cosight("alliance", "roster", "--json", home=acme).json
    took = holds("light show", cosight("light", "join", "approval.cosight", "--json"))
    assert (took["admitted"], took["epoch"]) == (True, 2)
    assert took["fingerprint"] == asked["fingerprint"] == there["members"][1]["fingerprint"]
    assert took["alliance_fingerprint"] == asked["alliance_fingerprint"] == there["fingerprint"]
    assert took["members"] == [{"member": "acme", "address": None}]
    assert "is in threats.example" in cosight("light", "show").out


def test_an_approval_of_another_alliance_is_not_taken_up(joined: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for command in (["init", "--member", "acme"], ["alliance", "create", "other.example"]):
        assert cosight(*command, home=other).code == 0
    assert cosight("alliance", "invite", home=other).code == 0
    assert (
        cosight("light", "join", "invitation.cosight", "--member", "x", "--alliance", "x", "--yes").code == 0
    )
    assert cosight("alliance", "approve", "join-request.cosight", "--yes", home=other).code == 0
    before = joined.read_bytes()
    assert cosight("light", "join", "approval.cosight", "--json").error["code"] == "roster-genesis"
    assert joined.read_bytes() == before


def test_the_folder_that_is_shown_is_the_one_that_is_used(
    joined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, other, third = cosight("light", "show", "--json").json["state"], tmp_path / "other", tmp_path / "3"
    assert Path(usual).is_relative_to(tmp_path / "state")
    monkeypatch.setenv("COSIGHT_STATE", str(other))
    for command in (["show"], ["join", "approval.cosight"]):
        assert cosight("light", *command, "--json").json["state"] == str(other)
        assert cosight("light", *command, "--state", third, "--json").json["state"] == str(third)
    assert lookup("evil.example.com").error["code"] == "no-address"
    assert [path.is_dir() for path in (other, third, Path(usual))] == [True, False, False]


def test_a_sealed_file_stays_sealed(acme: Path, tmp_path: Path) -> None:
    secret, wrong = tmp_path / "secret", tmp_path / "wrong"
    for path, text in ((secret, SECRET), (wrong, SECRET + "!")):
        path.write_text(f"{text}\n")
        path.chmod(0o600)
    assert join("--yes", "--passphrase-file", str(secret)).code == 0
    assert cosight("alliance", "approve", "join-request.cosight", "--yes", home=acme).code == 0
    take = ["light", "join", "approval.cosight", "--json"]
    assert cosight(*take).error["code"] == "passphrase-missing"
    assert cosight(*take, "--passphrase-file", wrong).error["code"] == "passphrase-wrong"
    assert cosight(*take, "--passphrase-file", secret).json["sealed"]
    assert b"PRIVATE" not in Path("member.cosight").read_bytes()
    ask = ["lookup", "--alliance", "member.cosight", "evil.example.com", "--json"]
    for options, code in (([], "passphrase-missing"), (["--passphrase-file", wrong], "passphrase-wrong")):
        done = cosight(*ask, *options)
        assert done.error["code"] == code
        assert SECRET not in done.out + done.err
    assert cosight(*ask, "--passphrase-file", secret).error["code"] == "no-address"
    secret.chmod(0o644)
    assert cosight(*ask, "--passphrase-file", secret).error["code"] == "key-exposed"


def test_a_passphrase_that_is_too_short_seals_nothing(acme: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("short\n")
    short.chmod(0o600)
    assert join("--yes", "--json", "--passphrase-file", str(short)).error["code"] == "passphrase-short"
    assert not Path("member.cosight").exists()


def test_a_policy_of_ones_own(acme: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("version = 1\nnonsense = 1\n")
    assert join("--yes", "--json", "--policy", "bad.toml").error["code"] == "config"
    assert not Path("member.cosight").exists()
    (tmp_path / "own.toml").write_text("version = 1\n")
    assert join("--yes", "--policy", "own.toml").code == 0
    assert cosight("alliance", "approve", "join-request.cosight", "--yes", home=acme).code == 0
    assert cosight("light", "join", "approval.cosight").code == 0
    done = lookup("evil.example.com", "--address", "acme=127.0.0.1:1")
    assert done.code == 1
    (only,) = done.json["members"]
    assert (only["status"], only["code"]) in {
        ("refused", "policy-refused"),
        ("unreachable", "peer-unavailable"),
    }


def test_a_home_becomes_a_light_member(joined: Path, acme: Path, tmp_path: Path) -> None:
    home = tmp_path / "initech"
    assert cosight("init", "--member", "initech", home=home).code == 0
    assert cosight("alliance", "invite", home=acme).code == 0
    early = cosight("light", "pack", "--alliance", "initech.cosight", "--json", home=home).error
    assert early["code"] == "no-alliance"
    for command, where in (
        (["alliance", "join", "invitation.cosight", "--yes"], home),
        (["alliance", "approve", "join-request.cosight", "--yes"], acme),
        (["alliance", "join", "approval.cosight"], home),
    ):
        assert cosight(*command, home=where).code == 0
    packed = holds(
        "light show", cosight("light", "pack", "--alliance", "initech.cosight", "--json", home=home)
    )
    assert (packed["member"], packed["admitted"]) == ("initech", True)
    again = cosight("light", "pack", "--alliance", "initech.cosight", "--json", home=home).error
    assert again["code"] == "file-exists"


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        ("", "there is nothing"),
        ("SRC=10.0.0.1 DST=192.168.3.4\nSRC=10.0.0.1 DST=127.0.0.1\n", "3 not-global"),
        ("resolver 8.8.8.8\n", "1 warning-list"),
        ("\0\1\2\377" * 5000, "nothing"),
        ("45.83.64.1 " * 1_000_000, "1 line-too-long"),
    ],
    ids=["empty", "private", "warning-list", "binary", "long"],
)
def test_logs_with_nothing_to_ask_about(joined: Path, stdin: str, words: str) -> None:
    error = lookup("-", stdin=stdin).error
    assert error["code"] == "nothing-to-ask"
    assert words in error["message"]


def test_nobody_who_can_be_reached_is_an_answer_of_its_own(joined: Path) -> None:
    assert lookup("evil.example.com").error["code"] == "no-address"
    done = lookup("evil.example.com", "bad", "1.1.1.999", "--address", "acme=127.0.0.1:1")
    assert done.code == 1
    assert set(done.json) == documented("lookup --alliance") - {
        "member", "status", "code", "message", "session", "asked_padded", "held", "seconds", "settled",
        "type", "value",
    }  # fmt: skip
    assert done.json["members"][0]["status"] == "unreachable"
    assert done.json["members"][0]["code"] == "peer-unavailable"
    assert done.json["skipped"] == {"bad-address": 1, "bad-domain": 1}
    unknown = lookup("evil.example.com", "--member", "umbra").json["members"]
    assert [(m["member"], m["code"]) for m in unknown] == [("umbra", "unknown-member")]


def test_options_that_only_asking_others_has(lone: Path) -> None:
    assert (
        cosight("lookup", "evil.example.com", "--member", "acme", "--json", home=lone).error["code"]
        == "usage"
    )
    bad = cosight("lookup", "x", "--alliance", "f", "--address", "acme", "--json").error
    assert bad["code"] == "usage"


@pytest.mark.parametrize("data", [b"", b"cosight light member 1\n", b"no file of ours", bytes(1000)])
def test_files_that_are_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "member.cosight").write_bytes(data)
    (tmp_path / "member.cosight").chmod(0o600)
    assert lookup("evil.example.com").error["code"] == "light-malformed"
    (tmp_path / "member.cosight").chmod(0o640)
    assert lookup("evil.example.com").error["code"] == "key-exposed"
    (tmp_path / "member.cosight").unlink()
    assert lookup("evil.example.com").error["code"] == "file-unreadable"
