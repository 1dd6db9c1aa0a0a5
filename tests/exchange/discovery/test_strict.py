"""Attacks on a strict discovery."""

from dataclasses import replace

import numpy as np
import pytest

from exchange.discovery.world import Stage
from exchange.errors import CosightError, PeerMisbehaved
from tests.exchange.discovery.alliance import HELD, SEARCH, culprits, values


async def test_strict_gives_the_same_and_shows_no_other_count(alliance):
    strict = replace(SEARCH, largest=64)
    async with alliance.serving():
        found = await alliance.ask_all(strict)
    for name, result in found.items():
        assert values(result) == alliance.expected() & set(HELD[name])
        assert result.counted == 5


async def test_strict_lying_counter(alliance, monkeypatch):
    counter = alliance.members["bob"].service._counting
    count = counter._count

    def lying(of, kept, counted, blamed):
        """What it releases, it makes up: at places of real cells, hashes of what it does not know."""
        outcome, proofs = count(of, kept, counted, blamed)
        start = 1 + 8 * outcome.body[0]
        rows = np.frombuffer(outcome.body, np.uint8, offset=start).reshape(-1, 24).copy()
        rows[:, 8:] ^= 255
        rows = rows[np.lexsort(rows.T[::-1])]
        return replace(outcome, body=outcome.body[:start] + rows.tobytes()), proofs

    monkeypatch.setattr(counter, "_count", lying)
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, largest=64))
    assert {frozenset(values(result)) for result in found.values()} == {frozenset()}


async def test_strict_counter_that_leaves_a_batch_out_without_a_word(alliance, monkeypatch):
    counter = alliance.members["bob"].service._counting
    count = counter._count

    def lying(of, kept, counted, blamed):
        outcome, proofs = count(of, kept, dict(list(counted.items())[1:]), blamed)
        return replace(outcome, counted=len(kept.listed)), proofs

    monkeypatch.setattr(counter, "_count", lying)
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, largest=64))
    for name, result in found.items():
        assert isinstance(result, PeerMisbehaved)
        assert result.code == "bad-count"
        assert culprits(alliance, name, "broken") == ["bob"]


async def test_strict_refuses_what_takes_too_long(alliance):
    costly = replace(SEARCH, largest=1 << 22, max_seconds=0.1)
    async with alliance.serving():
        with pytest.raises(CosightError, match="the counter would take about") as fault:
            await alliance.ask("alice", costly)
    assert fault.value.code == "too-costly"
    assert not alliance.members["alice"].told("joined")


def _leaving_out(counter, monkeypatch, blamed_at):
    """A counter that leaves the first batch out, and says it of the one at a place."""
    count = counter._count
    whose = []

    def lying(of, kept, counted, blamed):
        whose[:] = counted
        outcome, proofs = count(of, kept, dict(list(counted.items())[1:]), blamed)
        return replace(outcome, blamed=((whose[blamed_at], "bad-token"),)), proofs

    monkeypatch.setattr(counter, "_count", lying)
    return whose


async def test_strict_counter_that_leaves_a_batch_out_and_blames_another(alliance, monkeypatch):
    whose = _leaving_out(alliance.members["bob"].service._counting, monkeypatch, 1)
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, largest=64))
    context = next(one for one in found.values() if not isinstance(one, CosightError)).round.context
    brought = alliance.members["alice"].service._shelf.deposits(context, Stage.BATCHES)
    refusing = {name for name, result in found.items() if isinstance(result, PeerMisbehaved)}
    assert {brought[name] for name in refusing} == {whose[0], whose[1]}, "missing, and blamed but counted"
    for name in refusing:
        assert found[name].code == "bad-count"
        assert culprits(alliance, name, "broken") == ["bob"]


async def test_strict_counter_that_leaves_a_batch_out_and_says_so(alliance, monkeypatch):
    _leaving_out(alliance.members["bob"].service._counting, monkeypatch, 0)
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, largest=64))
    for result in found.values():
        assert result.counted == 4
        assert not result.culprits
        assert [why for _, why in result.accused] == ["bad-token"]
