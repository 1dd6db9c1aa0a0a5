"""Attacks by which a relay or a counter would have an honest one blamed, or itself blamed by nobody."""

import asyncio
from dataclasses import replace

import pytest

from exchange.discovery import signing
from exchange.discovery.keeping import GIVE_UP
from exchange.discovery.proof import Blame
from exchange.discovery.world import Collected, State, pieces
from exchange.errors import PeerMisbehaved
from exchange.rpc import discovery as wire
from tests.exchange.disclosure.desks import KEYS
from tests.exchange.discovery.alliance import (
    NAMES,
    SEARCH,
    Line,
    accused,
    culprits,
    deposit_of,
    share_wrongly,
    until,
)

KINDS = ("counted", "broken")


def blamed_in(alliance, member):
    """Everybody whom a ledger calls a culprit, and everybody who is accused in it."""
    return tuple({who for kind in KINDS for who in of(alliance, member, kind)} for of in (culprits, accused))


def _another_signature(_of, _stage, said):
    return replace(said, signature=bytes(64))


def _another_outcome(_of, _stage, said):
    return replace(said, outcome=said.outcome[:-1] + bytes([said.outcome[-1] ^ 1]))


def _another_list(of, stage, said):
    listed = said.listed[::-1]
    signature = signing.sign_list(KEYS["alice"].identity, of, stage, listed)
    return replace(said, listed=listed, list_signature=signature)


@pytest.mark.parametrize("spoilt", [_another_signature, _another_outcome, _another_list])
async def test_relay_that_has_the_counter_blamed(alliance, spoilt):
    class Lying(Line):
        async def collect(self, of, stage, wait_s, *, most):
            said = await super().collect(of, stage, wait_s, most=most)
            return spoilt(of, stage, said) if said.outcome else said

    alliance.lines["*", "alice"] = Lying
    async with alliance.serving():
        found = await alliance.ask_all()
    for name in NAMES:
        assert found[name].code == "bad-outcome"
        assert culprits(alliance, name, "broken") == ["alice"]
        assert blamed_in(alliance, name) == ({"alice"}, set())


async def test_counter_that_has_the_relay_blamed(alliance, monkeypatch):
    """It blames a batch with a word that only relays use, so that no member would belong to it."""
    counter = alliance.members["bob"].service._counting
    count = counter._counted

    async def lying(kept):
        outcome, proofs = await count(kept)
        blamed = ((kept.listed[0], "split-keys"),)
        return replace(outcome, counted=outcome.counted - 1, blamed=blamed), proofs

    monkeypatch.setattr(counter, "_counted", lying)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {error.code for error in found.values()} == {"discovery-broken"}
    assert culprits(alliance, "alice", "broken") == ["bob"], "the relay has it from the counter itself"
    for name in NAMES[1:]:
        assert blamed_in(alliance, name) == (set(), {"bob"})


async def test_counter_that_blames_one_batch_often(alliance, monkeypatch):
    """So often that what the relay passes on would be malformed."""
    counter = alliance.members["bob"].service._counting
    count = counter._counted

    async def lying(kept):
        outcome, proofs = await count(kept)
        blamed = ((kept.listed[0], "bad-token"),) * 201
        return replace(outcome, counted=outcome.counted - 1, blamed=blamed), proofs

    monkeypatch.setattr(counter, "_counted", lying)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {error.code for error in found.values()} == {"discovery-broken"}
    assert culprits(alliance, "alice", "broken") == ["bob"]


async def test_relay_whose_batches_do_not_come_is_no_culprit(alliance):
    class Losing(Line):
        async def deposit(self, deposit, chunks):
            if deposit.digest != deposit.listed[-1]:
                await super().deposit(deposit, chunks)

    alliance.lines["alice", "bob"] = Losing
    bob = alliance.members["bob"]
    async with alliance.serving():
        asked = asyncio.create_task(alliance.ask_all())
        await until(lambda: [leaf for leaf in bob.told("convened") if not leaf.peer])
        bob.side.later(seconds=GIVE_UP.total_seconds() + 60)
        found = await asked
    assert all("relay-gone" in str(error) for error in found.values())
    assert [leaf.what["reason"] for leaf in bob.told("broken") if not leaf.peer] == ["relay-gone"]
    for name in NAMES:
        assert blamed_in(alliance, name) == (set(), set())


class Garbage(Line):
    """A member whose batch is none."""

    async def deposit(self, deposit, chunks):
        data = b"".join(chunks)[::-1]
        await super().deposit(deposit_of(deposit, self.caller, data), pieces(data))


async def test_garbage_that_leaves_too_few_is_told_with_a_name(alliance):
    alliance.lines["erin", "alice"] = Garbage
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, minimum=5))
    for name in NAMES:
        assert found[name].code == "discovery-broken"
        assert "too-few-batches; accused: erin (bad-seal)" in str(found[name])
        assert blamed_in(alliance, name) == (set(), {"erin"})
    of_the_parts = [leaf for leaf in alliance.members["bob"].told("broken") if not leaf.peer]
    assert ["accused" in leaf.fields for leaf in of_the_parts] == [False], "the counter knows no names"


async def test_wrong_share_that_leaves_too_few_is_proven(alliance, monkeypatch):
    share_wrongly(alliance, monkeypatch)
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, minimum=5))
    for name in NAMES:
        assert "to blame: erin (bad-share)" in str(found[name])
        assert blamed_in(alliance, name) == ({"erin"}, set())


async def test_counter_that_gives_up_and_blames_a_batch_that_is_not(alliance, monkeypatch):
    class Lying(Line):
        async def collect(self, of, stage, wait_s, *, most):
            said = await super().collect(of, stage, wait_s, most=most)
            if said.state is not State.DONE:
                return said
            blame = Blame(digest=bytes(32), why="bad-seal").encode()
            return Collected(state=State.BROKEN, code="too-few-batches", proofs=(blame,))

    alliance.lines["alice", "bob"] = Lying
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {error.code for error in found.values()} == {"discovery-broken"}
    assert culprits(alliance, "alice", "broken") == ["bob"]


_MADE_UP = tuple((f"x{number:03}", "bad-seal") for number in range(150))


@pytest.mark.parametrize("state", [State.DONE, State.BROKEN])
async def test_relay_that_names_whom_nobody_knows(alliance, state):
    class Lying(Line):
        async def collect(self, of, stage, wait_s, *, most):
            said = await super().collect(of, stage, wait_s, most=most)
            return replace(said, state=state, code="gone", culprits=_MADE_UP) if said.outcome else said

    alliance.lines["erin", "alice"] = Lying
    async with alliance.serving():
        found = await alliance.ask_all()
    assert found["erin"].code == "bad-names"
    assert blamed_in(alliance, "erin") == ({"alice"}, set())


async def test_relay_that_gives_up_without_a_word(alliance):
    class Lying(Line):
        async def collect(self, of, stage, wait_s, *, most):
            await super().collect(of, stage, wait_s, most=most)
            return Collected(state=State.BROKEN)

    alliance.lines["erin", "alice"] = Lying
    async with alliance.serving():
        found = await alliance.ask_all()
    assert found["erin"].code == "bad-names"
    assert culprits(alliance, "erin", "broken") == ["alice"]
    (message, *_) = wire.collected_to_wire(Collected(state=State.BROKEN))
    with pytest.raises(PeerMisbehaved, match="malformed"):
        wire.collected_from_wire(message)
