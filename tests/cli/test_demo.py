"""The demo: real nodes, real feeds, and for every pair and type what plain Python finds by itself."""

import re
from itertools import combinations

import pytest

from exchange.data import alliance_samples, samples
from exchange.indicators.readers import read
from tests.cli.command import cosight


def plain(feed) -> set[tuple[str, str]]:
    """The canonical indicators of a feed, as a set."""
    return {(str(kind), v) for batch in read(feed) for kind, values in batch.values.items() for v in values}


@pytest.mark.slow
def test_every_pair_finds_exactly_the_intersection():
    done = cosight("demo", "--json")
    assert (done.code, done.err) == (0, "")
    result = done.json
    assert set(result) == {"members", "matches", "ledger_verified"}
    assert result["ledger_verified"] is True

    held = {member: plain(feed) for member, feed in samples().items()}
    assert len(held) == 3
    assert {m["member"]: m["accepted"] for m in result["members"]} == {m: len(v) for m, v in held.items()}
    assert [tuple(m["pair"]) for m in result["matches"]] == list(combinations(held, 2))
    for match in result["matches"]:
        ours, peer = (held[member] for member in match["pair"])
        items = [(i["type"], i["value"]) for i in match["result"]["items"]]
        assert len(items) == len(set(items)) == match["result"]["count"]
        shared = ours & peer
        assert shared, "a demo in which nothing is shared shows nothing"
        for kind in match["types"]:
            assert {i for i in items if i[0] == kind} == {i for i in shared if i[0] == kind}
        assert set(items) == shared
        assert match["sizes"]["ours"] == len(ours)
        assert match["sizes"]["peer_padded"] >= len(peer)
        assert re.fullmatch(r"[0-9a-f]{64}", match["session"])


@pytest.mark.slow
def test_five_count_together_and_one_drops_out():
    done = cosight("demo", "--alliance", "--json")
    assert (done.code, done.err) == (0, "")
    result = done.json
    held = {member: plain(feed) for member, feed in alliance_samples().items()}
    assert {m["member"]: m["holds"] for m in result["members"]} == {m: len(v) for m, v in held.items()}
    assert result["lost"] == ["tweetfeed"]
    left = [held[member] for member in result["survivors"]]
    assert len(left) == 4
    for one in result["released"]:
        assert one["number"] == sum((one["type"], one["value"]) in own for own in left)
    assert (result["exact"], result["ledger_verified"]) == (True, True)
