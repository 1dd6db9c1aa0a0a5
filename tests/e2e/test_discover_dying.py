"""Whoever dies in a discovery comes back and goes on; nothing is brought twice, and nothing is lost."""

import pytest

from tests.e2e.conftest import feed
from tests.e2e.discoveries import brought, discovering, held_by, said, serving, values
from tests.e2e.nodes import cosight, entries, import_values, members, until

pytestmark = pytest.mark.slow
HELD = {"alice": feed(1, 2, 3), "bob": feed(2, 3, 4), "carol": feed(3, 4, 5)}
ASKED = ("--threshold", "2", "--wait", "120")


@pytest.fixture
def three(tmp_path):
    homes = members(tmp_path, *HELD, reachable=True)
    for home in homes:
        import_values(home, HELD[home.member], own=True)
    return homes


def test_all_nodes_are_killed_and_so_is_a_member(three):
    alice, bob, carol = three
    with serving(three) as nodes, discovering(alice, *ASKED) as first, discovering(bob, *ASKED) as second:
        until(lambda: max(map(brought, three)) == 2, 60)
        for node in nodes.values():
            node.kill()
        second.kill()  # a member that is killed asks again
        second.wait()
        with serving(three), discovering(bob, *ASKED) as again, discovering(carol, *ASKED) as third:
            found = {"alice": said(first), "bob": said(again), "carol": said(third)}
            once_more = cosight(bob, "discover", *ASKED)
    for member, result in found.items():
        assert result["code"] == 0, result
        assert values(result) == held_by(HELD, 2) & set(HELD[member])
        assert result["counted"] == 3
        assert result["roles"]["overlap"], "of three members one has two parts, and that is said"
    assert once_more["result"] == found["bob"]["result"]
    assert once_more["sizes"]["asked"] == 0
    for home in three:
        told = [str(e.kind) for e in entries(home) if e.session == once_more["session"] and e.peer]
        cut_off = ["joined", "brought", "broken"] if home is bob else []
        assert told == [*cut_off, "joined", "brought", "counted"]
        assert cosight(home, "ledger", "verify")["ok"]


def test_too_few_members_are_told_so(three):
    alice, *_ = three
    with serving(three):
        result = cosight(alice, "discover", "--threshold", "2", "--wait", "1", code=1)
    assert result["error"]["code"] == "too-few-batches"
