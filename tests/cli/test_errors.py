"""What goes wrong is said in a code, a sentence and a hint: as lines for people, as JSON for scripts."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.config import Home
from tests.cli.command import cosight
from tests.e2e.nodes import entries, serve


def exposed(alice: Home) -> None:
    alice.key_file("identity").chmod(0o644)


def no_policy(alice: Home) -> None:
    alice.policy_file.unlink()


def bad_policy(alice: Home) -> None:
    alice.policy_file.write_text('version = 1\n[peers.bob]\nreveal = "everything"\n')


def strict_policy(alice: Home) -> None:
    alice.policy_file.write_text("version = 1\n")


def bad_config(alice: Home) -> None:
    alice.config_file.write_text('member = "alice"\ncolour = "blue"\n')


def no_store(alice: Home) -> None:
    (alice.path / "store.db").unlink()


def nothing(_alice: Home) -> None:
    pass


ENDS = {"refused", "aborted", "disclosed"}
CASES = [
    (nothing, ["match", "nobody"], "unknown-member", "on it besides us: bob"),
    (nothing, ["match", "bob"], "no-address", "under [peers]: bob ="),
    (nothing, ["match", "bob", "--address", "127.0.0.1:1"], "peer-unavailable", "cosight serve"),
    (nothing, ["match", "alice"], "config", "cosight alliance roster"),
    (no_store, ["match", "bob"], "empty-store", "cosight import"),
    (exposed, ["match", "bob"], "key-exposed", "chmod 600"),
    (exposed, ["serve"], "key-exposed", "chmod 600"),
    (no_policy, ["match", "bob"], "config", "docs/policy.md"),
    (bad_policy, ["match", "bob"], "config", "reveal"),
    (bad_config, ["indicators"], "config", "unknown key colour"),
    (nothing, ["alliance", "create", "other.example"], "alliance-exists", "choose another --home"),
    (nothing, ["alliance", "join", "missing.cosight"], "file-unreadable", "missing.cosight"),
    (nothing, ["alliance", "approve", "missing.cosight"], "file-unreadable", "missing.cosight"),
    (nothing, ["alliance", "revoke", "nobody", "--yes"], "unknown-member", "besides us: bob"),
    (nothing, ["alliance", "revoke", "bob"], "unconfirmed", "--yes"),
    (nothing, ["alliance", "change", "--yes"], "no-change", "changes nothing"),
    (nothing, ["alliance", "change", "--yes", "--quorum", "3"], "roster-invalid", "quorum"),
    (nothing, ["import", "missing.txt"], "input", "missing.txt"),
    (nothing, ["import", "cut.gz"], "input", "cut.gz"),
    (nothing, ["serve", "--listen", "nowhere"], "config", "HOST:PORT"),
    (nothing, ["serve", "--listen", "127.0.0.1:99999"], "config", "HOST:PORT"),
    (nothing, ["match", "bob", "--address", "bob.example.com"], "config", "HOST:PORT"),
    (nothing, ["match", "bob", "--out", "gone/shared.tsv"], "config", "gone/shared.tsv"),
]


@pytest.mark.parametrize(("prepare", "command", "code", "says"), CASES)
def test_an_error_is_said_twice_the_same(
    pair: tuple[Home, ...], prepare: Callable[[Home], None], command: list[str], code: str, says: str
) -> None:
    alice = pair[0]
    prepare(alice)
    Path("cut.gz").write_bytes(gzip.compress(b"8.8.8.3\n" * 1000)[:-20])

    for_people = cosight(*command, home=alice.path)
    assert for_people.code == 1
    assert for_people.out == ""
    assert f"error ({code}) " in for_people.err
    assert says in for_people.err
    assert "Traceback" not in for_people.err

    for_scripts = cosight(*command, "--json", home=alice.path)
    assert for_scripts.code == 1
    assert for_scripts.error["code"] == code
    assert says in for_scripts.error["message"] + for_scripts.error["hint"]
    assert for_scripts.err == ""


@pytest.mark.parametrize(
    "command",
    [
        ["serve"], ["match", "bob"], ["indicators"], ["import", "x"], ["ledger", "show"],
        ["ledger", "verify"], ["alliance", "roster"], ["alliance", "invite"], ["alliance", "join", "x"],
        ["alliance", "approve", "x"], ["alliance", "revoke", "x"], ["alliance", "create", "x.example"],
        ["alliance", "renew"], ["alliance", "change"],
    ],
)  # fmt: skip
def test_without_a_home_every_command_says_how_to_make_one(command: list[str], tmp_path: Path) -> None:
    found = cosight(*command, "--json").error
    assert found["code"] == "no-home"
    assert str(tmp_path / "no-home") in found["message"]
    assert "cosight init" in found["hint"]


@pytest.mark.parametrize(
    "command", [["match", "bob", "--type", "ipv4"], ["serve"], ["alliance", "roster"], ["alliance", "invite"]]
)
def test_without_an_alliance_it_says_how_to_get_into_one(lone: Path, command: list[str]) -> None:
    found = cosight(*command, "--json", home=lone).error
    assert found["code"] == "no-alliance"
    assert "cosight alliance join" in found["hint"]


def test_a_home_is_not_made_twice(lone: Path) -> None:
    before = (lone / "config.toml").read_bytes()
    assert cosight("init", "--member", "other", "--json", home=lone).error["code"] == "home-exists"
    assert (lone / "config.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["nonsense"], "No such command"),
        (["alliance", "nonsense"], "No such command"),
        (["match"], "Missing argument 'peer'"),
        (["match", "bob", "--type", "colour"], "'colour' is not one of"),
        (["match", "bob", "--plan", "--reveal", "size"], "a greeting and a proposal"),
        (["match", "bob", "--plan", "--both", "strict"], "one session at a time"),
        (["match", "bob", "--plan", "--out", "x.tsv"], "nothing is matched"),
        (["match", "bob", "--reveal", "everything"], "'everything' is not one of"),
        (["match", "bob", "--protocol", "rot13"], "no protocol 'rot13'"),
        (["match", "bob", "--purpose", "x" * 201], "at most 200 printable characters"),
        (["psi", "a", "b", "--transport", "pigeon"], "'pigeon' is not one of"),
        (["init"], "Missing option '--member'"),
        (["alliance", "invite", "--days", "0"], "greater than or equal to 1"),
        (["alliance", "change", "--address", "bob"], "MEMBER=HOST:PORT"),
        (["ledger", "show", "--last", "many"], "Invalid value for '--last'"),
        (["demo", "--colour"], "No such option: --colour"),
    ],
)
def test_wrong_usage_exits_with_2(command: list[str], says: str) -> None:
    for_people = cosight(*command)
    assert (for_people.code, for_people.out) == (2, "")
    assert "Usage: cosight" in for_people.err
    for_scripts = cosight(*command, "--json")
    assert (for_scripts.code, for_scripts.err) == (2, "")
    assert for_scripts.error["code"] == "usage"
    assert says in for_scripts.error["message"]


def test_a_refusal_prints_the_lines_that_would_allow_it(pair: tuple[Home, ...]) -> None:
    """What it prints, written down each time, is in the end enough; no rule objects twice."""
    alice, bob = pair
    strict_policy(alice)
    rules: list[str] = []
    with serve(bob) as served:
        while (done := cosight("match", "bob", "--address", served.address, home=alice.path)).code:
            assert done.out == ""
            assert "error (policy-refused) refused by " in done.err
            rules.append(done.err.split("refused by ")[1].split(":")[0])
            assert len(rules) == len(set(rules)), rules
            _merge(alice.policy_file, done.err.split("write in policy.toml:\n\n")[1])
    assert done.out.startswith("0 shared with bob")
    assert rules == ["p1-peer", "p7-peer-size", "p11-sessions-per-day"]
    ends = [(entry.kind, entry.what.get("rule")) for entry in entries(alice) if entry.kind in ENDS]
    assert ends[0] == ("refused", "p1-peer")
    assert ends[2:] == [("refused", "p11-sessions-per-day"), ("disclosed", None)]
    assert ends[1][0] == "aborted"  # the peer's size is known only after the intent


def test_a_refusal_of_the_peer_tells_no_rule(pair: tuple[Home, ...]) -> None:
    alice, bob = pair
    strict_policy(bob)
    with serve(bob) as served:
        error = cosight("match", "bob", "--address", served.address, "--json", home=alice.path).error
    assert error["code"] == "policy-refused"
    assert error["message"] == "bob refused: its policy does not allow this"


def _merge(policy: Path, printed: str) -> None:
    """Do as an operator does: put the lines in, in place of those of the same name."""
    header, *lines = [line for line in printed.splitlines() if line.strip()]
    names = [line.split(" = ")[0] for line in lines]
    kept = [
        line
        for line in policy.read_text().splitlines()
        if line != header and line.split(" = ")[0] not in names
    ]
    policy.write_text("\n".join([kept[0], header, *lines, *kept[1:]]) + "\n")
