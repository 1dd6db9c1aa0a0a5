"""What is left of sessions between real processes: receipts, witnesses, exports; and what nobody can undo."""

import shutil
from pathlib import Path

import pytest

from exchange.config import Home
from exchange.ledger import Kind
from tests.e2e.nodes import cosight, entries, homeless, receipts, serve

pytestmark = pytest.mark.slow


def saved(home: Home, folder: Path) -> None:
    """A copy of a ledger as it is now."""
    shutil.copytree(
        home.path, folder, ignore=lambda _, names: [n for n in names if not n.startswith("ledger.")]
    )


def restored(home: Home, folder: Path) -> None:
    """Put an old ledger into the place of the newer one, with all that belongs to it."""
    for path in home.path.glob("ledger.*"):
        path.unlink()
    for path in folder.glob("ledger.*"):
        shutil.copy(path, home.path / path.name)


def test_a_rung_is_climbed_on_a_condition(filled):
    alice, bob = filled
    with serve(bob) as node:
        dial = ["match", "bob", "--address", node.address]
        stopped = cosight(alice, *dial, "--if", "size >= 10000")
        climbed = cosight(alice, *dial, "--if", "cardinality >= 50")
        count = cosight(alice, *dial, "--reveal", "cardinality")
    assert (stopped["reveal"], stopped["condition"]) == ("size", {"text": "size >= 10000", "held": False})
    assert stopped["result"] == {"count": None, "items": None}
    assert (climbed["reveal"], climbed["condition"]["held"], climbed["result"]["count"]) == (
        "overlap",
        True,
        50,
    )
    assert climbed["below"]["session"] != climbed["session"]
    assert (count["result"], count["protocol"]) == ({"count": 50, "items": None}, "cardinality")
    intents = [e.what for e in entries(bob) if e.kind is Kind.INTENT]
    assert [what["rung"] for what in intents] == ["size", "cardinality", "overlap", "cardinality"]
    assert [what.get("below") for what in intents] == [None, None, climbed["below"]["session"], None]
    for wrong in ("size", "context >= 20", "size >= -1"):
        cosight(alice, "match", "bob", "--if", wrong, code=2)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_ledger_that_was_put_back_is_found(filled, tmp_path, who):
    """Also where the owner put its head file back too, so that it does not notice itself."""
    alice, bob = filled
    liar = alice if who == "alice" else bob
    with serve(bob) as node:
        cosight(alice, "match", "bob", "--address", node.address)
    saved(liar, tmp_path / "old")
    with serve(bob) as node:
        cosight(alice, "match", "bob", "--address", node.address)
    restored(liar, tmp_path / "old")
    assert cosight(liar, "ledger", "verify")["ok"], "by itself it is a correct, shorter log"
    with serve(bob) as node:
        said = cosight(alice, "match", "bob", "--address", node.address, code=1)
    assert said["error"]["code"] == ("ledger-cut" if who == "alice" else "log-forked")
    if who == "bob":
        guards = [e.what["guard"] for e in entries(alice) if e.kind is Kind.ALARM]
        assert guards == ["log-forked"]
        said = cosight(alice, "policy", "explain", "bob", "--type", "domain", code=1)
        assert said["rule"] == "p22-quarantine"


def test_the_receipts_of_one_member_convict_another(filled, tmp_path):
    """Whoever drops its last entries and signs the rest anew is found by what the peer holds."""
    alice, bob = filled
    with serve(bob) as node:
        cosight(alice, "match", "bob", "--address", node.address)
        saved(bob, tmp_path / "old")
        cosight(alice, "match", "bob", "--address", node.address)
    assert receipts(alice) == receipts(bob)
    cosight(alice, "ledger", "export", str(tmp_path / "a"))
    cosight(bob, "ledger", "export", str(tmp_path / "b"))
    assert homeless("verify", str(tmp_path / "a"), str(tmp_path / "b"))["ok"]
    restored(bob, tmp_path / "old")
    cosight(bob, "ledger", "export", str(tmp_path / "c"))
    assert homeless("verify", str(tmp_path / "c"))["ok"], "alone it cannot be seen"
    found = homeless("verify", str(tmp_path / "a"), str(tmp_path / "c"), code=1)
    assert found["problems"]


def test_two_people_approve_before_a_session_runs(filled, tmp_path):
    alice, bob = filled
    keys = {name: tmp_path / f"{name}.pem" for name in ("ann", "bo")}
    lines = [homeless("policy", "approver", name, "--out", str(keys[name]))["line"] for name in keys]
    before = alice.policy_file.read_text()
    asked = 'approval = { rungs = ["overlap"], people = 2, days = 7 }'
    needs = before.replace('reveal = "context"\n', f'reveal = "context"\n{asked}\n')
    alice.policy_file.write_text(needs + "\n[approvers]\n" + "\n".join(lines) + "\n")
    with serve(bob) as node:
        match = ["match", "bob", "--type", "domain", "--address", node.address]
        for name in (None, *keys):
            if name is not None:
                approve = ["policy", "approve", "bob", "--reveal", "overlap", "--type", "domain"]
                cosight(alice, *approve, "--key", str(keys[name]), "--as", name)
            if name != "bo":
                assert cosight(alice, *match, code=1)["error"]["code"] == "policy-refused"
        assert cosight(alice, *match)["result"]["count"] == 10
        others = ["match", "bob", "--type", "email", "--address", node.address]
        assert cosight(alice, *others, code=1)["error"]["code"] == "policy-refused"
    refused = [e.what["rule"] for e in entries(alice) if e.kind is Kind.REFUSED]
    assert refused == ["p19-approval"] * 3
    cosight(alice, "ledger", "export", str(tmp_path / "a"))
    assert homeless("verify", str(tmp_path / "a"))["ok"]


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_switch_that_stops_everything_with_a_peer(filled, who):
    alice, bob = filled
    stopped, other = (alice, "bob") if who == "alice" else (bob, "alice")
    cosight(stopped, "policy", "quarantine", other, "--reason", "under-inquiry")
    with serve(bob) as node:
        dial = ["match", "bob", "--address", node.address]
        assert cosight(alice, *dial, code=1)["error"]["code"] == "policy-refused"
        cosight(stopped, "policy", "lift", other, "--reason", "explained")
        assert cosight(alice, *dial)["settled"]
    assert [e.what["rule"] for e in entries(stopped) if e.kind is Kind.REFUSED] == ["p22-quarantine"]
