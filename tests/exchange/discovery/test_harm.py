"""Attacks on a discovery that would stop it for all, or have honest members pay or be blamed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from crypto.errors import DecodeError
from exchange.disclosure.asking import rows_of
from exchange.discovery import counting, taking_part, words
from exchange.discovery.keeping import GIVE_UP
from exchange.discovery.world import Kept, Stage, State, pieces
from exchange.errors import PeerMisbehaved, PeerRefused
from exchange.indicators import Indicator, IndicatorType
from tests.exchange.discovery.alliance import (
    ALL,
    Line,
    culprits,
    deposit_of,
    refused,
    values,
)


class Copying(Line):
    """Two members that bring the same bytes."""

    async def deposit(self, deposit, chunks):
        data = b"".join(chunks)
        await super().deposit(deposit, pieces(data))
        carol = Line("carol", self.service)
        with pytest.raises(PeerRefused) as fault:
            await carol.deposit(deposit_of(deposit, "carol", data), pieces(data))
        assert fault.value.code == "second-batch"


async def test_two_members_that_bring_the_same_bytes(alliance):
    alliance.lines["erin", "alice"] = Copying
    async with alliance.serving():
        found = await alliance.ask_all()
    for result in found.values():
        assert (result.counted, result.culprits) == (5, ())
    assert ("carol", "second-batch") in refused(alliance, "alice")


async def test_batch_that_comes_when_the_session_is_over(alliance, monkeypatch):
    relay = alliance.members["alice"].service._relaying
    spool, over = relay.spool, []

    async def slow(deposit, chunks):
        path = await spool(deposit, chunks)
        now = relay.desk.clock()
        dead = Kept(
            round=deposit.round, stage=deposit.stage, began=now, closes=now, state=State.BROKEN, code="gone"
        )
        relay.shelf.keep(dead)
        over.append(dead)
        return path

    monkeypatch.setattr(relay, "spool", slow)
    async with alliance.serving():
        with pytest.raises(PeerRefused) as fault:
            await alliance.ask("erin")
    assert fault.value.code == "too-late"
    kept = relay.shelf.kept(over[0].round.context, Stage.BATCHES)
    assert (kept.state, kept.code) == (State.BROKEN, "gone")
    assert relay.shelf.deposits(over[0].round.context, Stage.BATCHES) == {}


async def test_batches_that_cannot_be_counted(alliance, monkeypatch):
    counter, times = alliance.members["bob"].service._counting, []

    def failing(*_):
        times.append(1)
        raise DecodeError("no such value")

    monkeypatch.setattr(counter, "_count", failing)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.code for result in found.values()} == {"discovery-broken"}
    assert "uncountable" in str(found["erin"])
    assert len(times) == 1


async def test_stage_that_always_fails_is_given_up(alliance, monkeypatch):
    counter = alliance.members["bob"].service._counting

    async def failing(_kept):
        bob = alliance.members["bob"].side
        bob.later(seconds=GIVE_UP.total_seconds() / 2 + 1)
        raise RuntimeError

    monkeypatch.setattr(counter, "_counted", failing)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.code for result in found.values()} == {"discovery-broken"}
    assert "failed" in str(found["erin"])


async def test_more_words_than_were_released_are_not_asked_about(alliance, monkeypatch):
    many = [Indicator(IndicatorType.DOMAIN, f"w{number}.example") for number in range(100)]

    def flooding(indicators):
        return words.encode(indicators or many)

    monkeypatch.setattr(taking_part, "words", SimpleNamespace(encode=flooding, decode=words.decode))
    asked = []
    monkeypatch.setattr(counting, "rows_of", lambda items: asked.extend(items) or rows_of(items))
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    assert {one.value for one in asked} == alliance.expected()
    for name, result in found.items():
        assert values(result) == alliance.expected(), name
        assert result.accused == (("erin", "poisoned-word"),)


async def test_counter_that_passes_on_more_words_than_it_released(alliance, monkeypatch):
    counter = alliance.members["bob"].service._counting
    heard = counter._heard

    async def lying(kept):
        outcome, proofs = await heard(kept)
        said = [*words.decode(outcome.body), Indicator(IndicatorType.DOMAIN, "innocent.example")]
        return replace(outcome, body=words.encode(said), released=len(said)), proofs

    monkeypatch.setattr(counter, "_heard", lying)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    for name, result in found.items():
        assert isinstance(result, PeerMisbehaved)
        assert result.code == "poisoned-word"
        assert culprits(alliance, name, "broken") == ["bob"]
