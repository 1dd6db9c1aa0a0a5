"""Five members find what many of them hold, between real processes, driven by the command line alone."""

import pytest

from tests.e2e.conftest import feed
from tests.e2e.discoveries import discover, held_by, serving, values
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
        assert (result["result"]["count"], result["batches"], result["members"]) == (len(expected), 5, 5)
    assert len({result["session"] for result in found.values()}) == 1
    for home in five:
        kinds = [str(e.kind) for e in entries(home) if e.session == found["alice"]["session"] and e.peer]
        assert kinds == ["joined", "counted"]
        assert cosight(home, "ledger", "verify")["ok"]
    alice = five[0]
    account, session = alice.path / "account", found["alice"]["session"]
    cosight(alice, "ledger", "export", str(account))
    assert homeless("verify", str(account))["ok"]
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
