"""How large an outcome can be: as large as an honest one, and no larger."""

from dataclasses import replace

import pytest

from exchange.aggregation.round import Learns
from exchange.config import Limits
from exchange.discovery import sizes
from exchange.discovery.outcome import HEAD_BYTES, TOLD_BYTES
from exchange.discovery.sizes import LINE_BYTES, largest_brought, largest_deposit, largest_outcome
from exchange.discovery.world import Stage
from exchange.indicators.types import MAX_VALUE_CHARS
from tests.cli.test_discover import ROUND
from tests.exchange.discovery.alliance import ALL, NAMES, SEARCH, Alliance, culprits, values

SAME = [f"{number}.example" for number in range(200)]
"""What all hold: nothing can be released more."""
LONG = 1 << 20


@pytest.mark.parametrize(
    "search",
    [SEARCH, replace(SEARCH, threshold=5), ALL, replace(SEARCH, learns=Learns.COLLECTIVE),
     replace(SEARCH, largest=len(SAME))],
    ids=["tags", "by all", "words", "a number", "strict"],
)  # fmt: skip
async def test_what_all_hold_is_taken(tmp_path, monkeypatch, search):
    """By the relay too, whose bound is by what was brought."""
    monkeypatch.setattr(sizes, "HEAD_BYTES", 512)  # nobody is blamed
    alliance = Alliance(tmp_path, dict.fromkeys(NAMES, SAME))
    async with alliance.serving():
        found = await alliance.ask_all(search)
    if search.learns is not Learns.COLLECTIVE:
        assert values(found["alice"]) == set(SAME)
    assert {one.counted for one in found.values()} == {len(NAMES)}


def test_it_follows_from_our_limits_where_nothing_else_is_known():
    limits = Limits(max_rows=1 << 10, max_discovery_mib=1)
    each = largest_deposit(ROUND, Stage.BATCHES, 1 << 10)
    assert largest_brought(ROUND, Stage.BATCHES, limits) == len(ROUND.members) * each < 1 << 20
    assert largest_brought(ROUND, Stage.BATCHES, replace(limits, max_rows=1 << 20)) == 1 << 20


def test_it_follows_from_what_was_brought():
    """Of a threshold of three, three records for each that is told; of a number alone, nothing."""
    records = 48 * 3 * 10
    assert largest_outcome(ROUND, Stage.BATCHES, records, 0) == HEAD_BYTES + 10 * TOLD_BYTES
    assert largest_outcome(ROUND, Stage.BATCHES, records - 1, 0) == HEAD_BYTES + 9 * TOLD_BYTES
    counted = replace(ROUND, learns=Learns.COLLECTIVE)
    assert largest_outcome(counted, Stage.BATCHES, 1 << 40, 0) == HEAD_BYTES


def test_words_are_no_longer_than_what_was_released_can_be_said_in():
    told = replace(ROUND, learns=Learns.ALL)
    assert LINE_BYTES > MAX_VALUE_CHARS
    assert largest_outcome(told, Stage.WORDS, 1 << 40, 7) == HEAD_BYTES + 7 * LINE_BYTES
    assert largest_outcome(told, Stage.WORDS, 99, 7) == HEAD_BYTES + 99


@pytest.mark.parametrize("search", [SEARCH, ALL, replace(SEARCH, largest=64)], ids=["tags", "all", "strict"])
async def test_a_counter_whose_outcome_is_larger_than_what_it_was_brought(tmp_path, monkeypatch, search):
    """Its relay takes none of it, and it is the counter's lie."""
    alliance = Alliance(tmp_path, dict.fromkeys(NAMES, SAME[:1]))
    counter = alliance.members["bob"].service._counting
    count = counter._count

    def swollen(of, kept, counted, blamed):
        outcome, proofs = count(of, kept, counted, blamed)
        return replace(outcome, body=outcome.body + bytes(LONG)), proofs

    monkeypatch.setattr(counter, "_count", swollen)
    async with alliance.serving():
        found = await alliance.ask_all(search)
    assert {error.code for error in found.values()} == {"discovery-broken"}
    assert culprits(alliance, "alice", "broken")[0] == "bob"
    assert alliance.members["alice"].told("broken")[0].what["reason"] == "too-large"


async def test_an_outcome_that_is_over_our_own_limits_is_nobodys_lie(tmp_path, monkeypatch):
    """Who allows smaller sets than the others does not read it, and blames nobody for it."""
    alliance = Alliance(tmp_path, dict.fromkeys(NAMES, SAME))
    monkeypatch.setattr(sizes, "HEAD_BYTES", 0)
    erin = alliance.members["erin"].office.desk
    object.__setattr__(erin, "limits", replace(erin.limits, max_rows=32))
    async with alliance.serving():
        found = await alliance.ask_all()
        assert found["erin"].code == "too-large"
        assert not culprits(alliance, "erin", "broken")
        object.__setattr__(erin, "limits", replace(erin.limits, max_rows=1 << 10))
        assert values(await alliance.ask("erin")) == set(SAME)
