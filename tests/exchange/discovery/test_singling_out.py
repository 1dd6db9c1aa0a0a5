"""Attacks by which few who work together would learn what one member holds: it hides among enough others."""

import asyncio
from dataclasses import replace

import pytest

from exchange.discovery import signing
from exchange.discovery.world import Stage, pieces
from exchange.errors import PeerMisbehaved, PeerRefused, PolicyRefusal
from tests.exchange.disclosure.desks import KEYS
from tests.exchange.discovery.alliance import (
    ALL,
    HELD,
    NAMES,
    SEARCH,
    Alliance,
    Line,
    culprits,
    deposit_of,
    refused,
)

FRIENDS, TARGET = ("alice", "carol"), "erin"
"""A relay and as many members as, with it, are one fewer than the threshold; and whom they single out."""


@pytest.fixture
def alliance(tmp_path):
    return Alliance(tmp_path, HELD)


def drop_honest_batches(alliance, monkeypatch, stage):
    """The relay lists what its friends brought, and one batch besides."""
    relay = alliance.members["alice"].service._relaying
    close = relay._close

    def closing(kept):
        closed = close(kept)
        if kept.stage is not stage:
            return closed
        brought = relay.shelf.deposits(kept.round.context, stage)
        listed = tuple(sorted(digest for who, digest in brought.items() if who in {*FRIENDS, TARGET}))
        signature = signing.sign_list(KEYS["alice"].identity, kept.round, stage, listed)
        lying = replace(closed, listed=listed, list_signature=signature)
        relay.shelf.keep(lying)
        return lying

    monkeypatch.setattr(relay, "_close", closing)


def count_whatever_comes(alliance, monkeypatch):
    """A counter that checks nothing of what the relay brings."""
    counter = alliance.members["bob"].service._counting

    async def counting(kept):
        there = counter.shelf.deposits(kept.round.context, kept.stage)
        if set(there.values()) == set(kept.listed):
            outcome = await (counter._counted(kept) if kept.stage is Stage.BATCHES else counter._heard(kept))
            counter._end(kept, outcome)
            await counter.tell()

    monkeypatch.setattr(counter, "_check", lambda _caller, _deposit: None)
    monkeypatch.setattr(counter, "go_on", counting)


async def test_relay_with_friends_drops_all_honest_batches_but_one(alliance, monkeypatch):
    drop_honest_batches(alliance, monkeypatch, Stage.BATCHES)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.code for result in found.values()} == {"discovery-broken"}
    assert set(refused(alliance, "bob")) == {("alice", "too-few-batches")}
    assert not alliance.members["bob"].told("counted"), "nothing was counted"


async def test_relay_with_friends_and_a_counter_drop_all_honest_batches_but_one(alliance, monkeypatch):
    drop_honest_batches(alliance, monkeypatch, Stage.BATCHES)
    count_whatever_comes(alliance, monkeypatch)
    async with alliance.serving():
        found = await alliance.ask_all()
    for name, code in {TARGET: "too-few-batches", "bob": "batch-left-out", "dave": "batch-left-out"}.items():
        assert isinstance(found[name], PeerMisbehaved)
        assert found[name].code == code
        assert culprits(alliance, name, "broken") == ["alice"]


async def test_counter_denies_all_honest_batches_but_one(alliance, monkeypatch):
    count_whatever_comes(alliance, monkeypatch)
    counter = alliance.members["bob"].service._counting
    count = counter._count

    def denying(of, kept, counted, blamed):
        denied = list(counted)[:2]
        left = {digest: batch for digest, batch in counted.items() if digest not in denied}
        return count(of, kept, left, [*blamed, *((digest, "bad-token") for digest in denied)])

    monkeypatch.setattr(counter, "_count", denying)
    async with alliance.serving():
        found = await alliance.ask_all()
    for name, result in found.items():
        assert isinstance(result, PeerMisbehaved)
        assert result.code == "too-few-batches"
        assert culprits(alliance, name, "broken") == ["bob"]


async def test_relay_with_friends_drops_all_honest_words_but_those_of_one(alliance, monkeypatch):
    drop_honest_batches(alliance, monkeypatch, Stage.WORDS)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    assert {result.code for result in found.values()} == {"discovery-broken"}
    assert set(refused(alliance, "bob")) == {("alice", "too-few-batches")}


class Spoilt(Line):
    """A member that brings what was sealed to nobody."""

    async def deposit(self, deposit, chunks):
        data = b"".join(chunks)[::-1]
        await super().deposit(deposit_of(deposit.round, self.caller, data), pieces(data))


async def test_too_few_good_batches_are_not_counted(alliance):
    """Two of five are none: three are left, as many as the threshold and fewer than was agreed on."""
    for name in ("dave", "erin"):
        alliance.lines[name, "alice"] = Spoilt
    async with alliance.serving():
        found = await alliance.ask_all()
    for result in found.values():
        assert isinstance(result, PeerRefused)
        assert result.code == "discovery-broken"
        assert "too-few-batches" in str(result)
    assert not alliance.members["bob"].told("counted")


async def test_how_many_are_needed_is_agreed_on(alliance):
    async with alliance.serving():
        asking = asyncio.create_task(alliance.ask_all(replace(SEARCH, minimum=5, wait_s=1), names=NAMES[:4]))
        while not asking.done():
            await asyncio.sleep(0.2)
            for member in alliance.members.values():
                member.side.later(seconds=1)
        assert {result.code for result in (await asking).values()} == {"too-few-batches"}
        for minimum in (2, 6):
            with pytest.raises(PolicyRefusal, match="the minimum is at least"):
                await alliance.ask("erin", replace(SEARCH, minimum=minimum))
