"""Five members find what many of them hold, between real processes, driven by the command line alone."""

import json

import pytest

from tests.e2e.conftest import feed
from tests.e2e.discoveries import discover, discovering, held_by, serving, values
from tests.e2e.nodes import cosight, entries, homeless, import_values, members

pytestmark = pytest.mark.slow
NAMES = ("alice", "bob", "carol", "dave", "erin")
HELD = {
    "alice": feed(*range(1, 21)),
    "bob": feed(*range(11, 31)),
    "carol": feed(*range(16, 41)),
    "dave": feed(*range(19, 26), 50),
    "erin": feed(1, 2, 20, 50, 51),
}


@pytest.fixture
def five(tmp_path):
    homes = members(tmp_path, *NAMES, reachable=True)
    for home in homes:
        import_values(home, HELD[home.member], own=True)
    return homes


@pytest.mark.parametrize("threshold", [2, 3, 5])
def test_each_member_learns_which_of_its_own_enough_hold(five, threshold):
    with serving(five):
        found = discover(five, "--threshold", str(threshold), "--wait", "60")
    expected = held_by(HELD, threshold)
    for member, result in found.items():
        assert result["code"] == 0, result
        assert values(result) == expected & set(HELD[member])
        assert (result["result"]["count"], result["counted"]) == (len(expected), 5)
    assert len({result["session"] for result in found.values()}) == 1
    for home in five:
        kinds = [str(e.kind) for e in entries(home) if e.session == found["alice"]["session"] and e.peer]
        assert kinds == ["joined", "brought", "counted"]
        verified = cosight(home, "ledger", "verify")
        assert (verified["ok"], verified["runs"]) == (True, 1)
        roles = found[home.member]["roles"]
        ours = {part for part in ("relay", "counter") if roles[part] == home.member}
        ours |= {"helper"} if home.member in roles["helpers"] else set()
        reported = cosight(home, "report", found["alice"]["session"][:12])
        [run] = reported["runs"]
        assert (set(run["roles"]), run["outcome"]) == ({"member", *ours}, "counted")
        assert sum(run["entered"].values()) == len(HELD[home.member])
        assert run["released"] == len(expected)
    alice = five[0]
    account, session = alice.path / "account", found["alice"]["session"]
    cosight(alice, "ledger", "export", str(account))
    audited = homeless("verify", str(account))
    assert (audited["ok"], audited["runs"], audited["discoveries"]) == (True, 1, 1)
    (account / "documents" / session).unlink()  # what all agreed on
    problems = homeless("verify", str(account), code=1)["problems"]
    assert any(session in str(problem) for problem in problems)


def test_all_members_learn_all_of_it_where_all_are_to(five):
    with serving(five):
        found = discover(five, "--threshold", "3", "--learn", "all", "--wait", "60")
    for result in found.values():
        assert result["code"] == 0, result
        assert values(result) == held_by(HELD, 3)
        assert not result["culprits"]


def test_only_how_many_there_are_where_no_more_is_to_be_learned(five):
    with serving(five):
        found = discover(five, "--threshold", "2", "--learn", "collective", "--wait", "60")
    for result in found.values():
        assert (result["code"], result["result"]) == (0, {"count": len(held_by(HELD, 2)), "items": None})


def test_newer_rosters_reach_whoever_lacks_them_before_anything_is_asked(five):
    alice, bob, carol, *_ = five
    for epoch in (3, 4, 5):
        (bob.rosters / f"{epoch:06d}.roster").unlink()  # it knows alice and itself: too few to draw from
    (carol.rosters / "000005.roster").unlink()
    with serving(five):
        cosight(
            alice,
            "alliance",
            "change",
            "--admin",
            "bob",
            "--yes",
            "--out",
            str(alice.path / "approval.cosight"),
        )
        found = discover(five, "--threshold", "3", "--wait", "60")
    for home in five:
        assert found[home.member]["code"] == 0, found[home.member]
        assert cosight(home, "alliance", "roster")["epoch"] == 6
    assert len({result["session"] for result in found.values()}) == 1


def test_who_is_away_is_named_on_standard_error_and_in_the_error(five):
    *others, _ = five
    parts = ("--relay", "alice", "--counter", "bob", "--helper", "carol", "--helper", "erin")
    with serving(others), discovering(others[0], "--threshold", "3", "--wait", "1", *parts) as process:
        out, err = process.communicate(timeout_s=120)
    error = json.loads(out)["error"]
    assert (error["code"], error["message"]) == ("part-away", "helper erin cannot be reached")
    assert "greeting relay alice, counter bob, helper carol and helper erin" in err
    assert "helper erin cannot be reached; trying until " in err
