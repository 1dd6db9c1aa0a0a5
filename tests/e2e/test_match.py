"""Two members match between real processes over mutual TLS, driven by the command line alone."""

import pytest

from tests.e2e.conftest import feed
from tests.e2e.nodes import configure, cosight, entries, import_values, members, receipts, serve, story

pytestmark = pytest.mark.slow


def values(result) -> set[str]:
    return {item["value"] for item in result["result"]["items"]}


def test_the_overlap_and_both_ledgers(filled):
    alice, bob = filled
    with serve(bob) as node:
        found = cosight(alice, "match", "bob", "--address", node.address)
    assert values(found) == set(feed(*range(31, 41)))
    assert found["result"]["count"] == 50
    assert found["sizes"] == {"ours": 200, "ours_padded": 208, "peer_padded": 256}
    assert (
        story(alice, found["session"]) == story(bob, found["session"]) == [("intent", ""), ("disclosed", "")]
    )
    ours, theirs = (next(e for e in entries(home) if e.kind == "disclosed") for home in filled)
    assert ours.fields["agreement"] == theirs.fields["agreement"]
    assert ours.what["matched"] == 50
    assert "matched" not in theirs.what
    assert theirs.what["learned_by_us"] == "size"
    assert ours.what["bytes_sent"] == theirs.what["bytes_received"] == found["bytes"]["sent"]
    assert ours.what["bytes_received"] == theirs.what["bytes_sent"] == found["bytes"]["received"]
    assert found["settled"]
    assert len(receipts(alice)) == 1
    assert receipts(alice) == receipts(bob)
    for home in filled:
        verified = cosight(home, "ledger", "verify")
        assert verified["ok"]
        assert verified["open_intents"] == []


def test_one_type_alone(filled):
    alice, bob = filled
    with serve(bob) as node:
        found = cosight(
            alice, "match", "bob", "--type", "sha256", "--type", "email", "--address", node.address
        )
    assert found["types"] == ["email", "sha256"]
    assert found["sizes"]["ours"] == 80
    assert values(found) == {v for v in feed(*range(31, 41)) if "@" in v or len(v) == 64}


def test_sizes_alone(filled):
    alice, bob = filled
    with serve(bob) as node:
        found = cosight(alice, "match", "bob", "--reveal", "size", "--address", node.address)
    assert found["result"] == {"count": None, "items": None}
    assert found["sizes"]["peer_padded"] == 256
    assert found["bytes"] == {"sent": 0, "received": 0}
    assert story(bob, found["session"])[-1] == ("disclosed", "")


def test_both_learn_where_both_are_to(filled):
    alice, bob = filled
    with serve(bob) as node:
        found = cosight(alice, "match", "bob", "--both", "--address", node.address)
    assert found["result"]["count"] == 50
    for home in filled:
        told = next(e.what for e in entries(home) if e.kind == "disclosed")
        assert told["matched"] == 50
        assert told["learned_by_us"] == told["learned_by_peer"] == "overlap"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param((1,), (), id="theirs empty"),
        pytest.param((1,), (1,), id="equal"),
        pytest.param((1,), (2,), id="disjoint"),
        pytest.param((1,), tuple(range(1, 301)), id="unequal"),
    ],
)
def test_any_sizes(homes, ours, theirs):
    alice, bob = homes
    import_values(alice, feed(*ours))
    if theirs:
        import_values(bob, feed(*theirs))
    with serve(bob) as node:
        found = cosight(alice, "match", "bob", "--address", node.address)
    assert values(found) == set(feed(*ours)) & set(feed(*theirs))


def test_nothing_to_match_is_said_and_nothing_leaves(homes):
    alice, bob = homes
    with serve(bob) as node:
        said = cosight(alice, "match", "bob", "--address", node.address, code=1)
    assert said["error"]["code"] == "empty-store"
    assert not [e for home in homes for e in entries(home) if e.session]


def test_what_the_peer_imports_while_it_serves_counts(filled):
    alice, bob = filled
    with serve(bob) as node:
        before = cosight(alice, "match", "bob", "--address", node.address)
        import_values(bob, feed(1, 2, 3))
        after = cosight(alice, "match", "bob", "--address", node.address)
    assert values(after) - values(before) == set(feed(1, 2, 3))


def test_a_policy_is_obeyed_from_the_moment_it_is_saved(filled):
    alice, bob = filled
    with serve(bob) as node:
        cosight(alice, "match", "bob", "--address", node.address)
        allowing = bob.policy_file.read_text()
        bob.policy_file.write_text(allowing.replace('reveal = "context"', 'reveal = "size"'))
        said = cosight(alice, "match", "bob", "--address", node.address, code=1)
        assert said["error"]["code"] == "policy-refused"
        assert "rung" not in said["error"]["message"]  # the peer is not told which rule
        cosight(alice, "match", "bob", "--reveal", "size", "--address", node.address)
        bob.policy_file.write_text(allowing)
        cosight(alice, "match", "bob", "--address", node.address)
    refused = [e for e in entries(bob) if e.kind == "refused"]
    assert [e.what["reason"] for e in refused] == ["policy-refused"]
    assert str(refused[0].what["rule"]).startswith("p")
    assert story(alice, refused[0].session) == [("intent", ""), ("aborted", "policy-refused")]


def test_our_own_policy_refuses_before_anything_leaves(filled):
    alice, bob = filled
    alice.policy_file.write_text(alice.policy_file.read_text().replace('"initiator", ', ""))
    with serve(bob) as node:
        said = cosight(alice, "match", "bob", "--address", node.address, code=1)
    assert said["error"]["code"] == "policy-refused"
    assert [e.kind for e in entries(alice) if e.session] == ["refused"]
    assert not [e for e in entries(bob) if e.session]


def test_a_peer_that_is_not_there(filled):
    alice, _ = filled
    said = cosight(alice, "match", "bob", "--address", "127.0.0.1:1", code=1)
    assert said["error"]["code"] == "peer-unavailable"
    assert not [e for e in entries(alice) if e.session]


def test_another_member_at_the_address_is_noticed(tmp_path):
    alice, bob, carol = members(tmp_path, "alice", "bob", "carol")
    import_values(alice, feed(1))
    with serve(carol) as node:
        said = cosight(alice, "match", "bob", "--address", node.address, code=1)
    assert said["error"]["code"] in {"peer-unavailable", "bad-identity"}
    assert not [e for home in (alice, bob, carol) for e in entries(home) if e.session]


def test_a_set_over_the_limit_is_refused(filled):
    alice, bob = filled
    with serve(configure(bob, max_rows=100)) as node:
        said = cosight(alice, "match", "bob", "--address", node.address, code=1)
    assert said["error"]["code"] == "too-large"
    assert [e.what["reason"] for e in entries(bob) if e.kind == "refused"] == ["too-large"]
