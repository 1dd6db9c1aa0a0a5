"""Those who have a part are met before anything is asked: who is away, who refuses, what is said of it."""

import asyncio
from dataclasses import replace

import pytest

from exchange.disclosure import patience
from exchange.discovery import bringing
from exchange.errors import CosightError, PeerRefused, PeerUnavailable
from tests.exchange.discovery.alliance import HELD, NAMES, SEARCH, Alliance, Line


@pytest.fixture
def alliance(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "PAUSES_S", (0.01,))
    return Alliance(tmp_path, HELD)


async def test_who_is_away_is_waited_for_by_name(alliance):
    told: list[str] = []

    def progress(what: str) -> None:
        told.append(what)
        if "cannot be reached" in what:
            alliance.away.clear()

    alliance.away = {"alice", "carol"}
    async with alliance.serving():
        found = await asyncio.gather(*(alliance.ask(name, SEARCH, progress) for name in NAMES))
    assert {one.counted for one in found} == {5}
    waits = [what for what in told if "cannot be reached; trying until " in what]
    assert waits
    assert all("relay alice" in what or "helper carol" in what for what in waits)
    assert not any("dave" in what or "bob" in what for what in waits)


@pytest.mark.parametrize(
    ("asker", "away", "named", "remedy"),
    [
        ("erin", {"alice"}, "relay alice cannot", "others are drawn tomorrow"),
        ("erin", {"bob", "alice"}, "relay alice and counter bob cannot", "others are drawn tomorrow"),
        ("erin", {"dave"}, "helper dave cannot", "other helpers are drawn on 20"),
        ("dave", {"dave"}, "helper dave cannot", "start `cosight serve`"),
    ],
)
async def test_who_stays_away_is_named_and_nothing_is_begun(alliance, asker, away, named, remedy):
    alliance.away = away
    async with alliance.serving():
        with pytest.raises(PeerUnavailable, match=named) as caught:
            await alliance.ask(asker, replace(SEARCH, wait_s=0))
    assert caught.value.code == "part-away"
    assert remedy in caught.value.hint
    assert not alliance.members[asker].told("joined")


@pytest.mark.parametrize(("member", "part"), [("alice", "relay"), ("bob", "counter"), ("dave", "helper")])
async def test_a_refusal_says_of_which_part_and_what_would_allow_it(alliance, member, part):
    side = alliance.members[member].side
    side.policy_text = side.policy_text.replace(f"{part} = true", f"{part} = false")
    async with alliance.serving():
        with pytest.raises(PeerRefused, match=f"{member}, drawn or named as {part}, refused") as caught:
            await alliance.ask("erin")
    assert caught.value.code == "policy-refused"
    assert f"says {part} = true" in caught.value.hint


async def test_whoever_waits_says_how_many_have_come_and_gives_up_in_time(alliance, monkeypatch):
    monkeypatch.setattr(bringing, "POLL_S", 0)
    told: list[str] = []
    async with alliance.serving():
        with pytest.raises(CosightError, match="1 of 5 batches have come to relay alice") as caught:
            await alliance.ask("erin", replace(SEARCH, wait_s=1), told.append)
    assert caught.value.code == "discovery-waits"
    assert any("have come to relay alice; the others are waited for until " in what for what in told)
    assert not any(name in what for what in told for name in ("dave", "carol") if "waited for" in what)


async def test_a_counter_that_is_out_of_reach_of_the_relay_is_named(alliance):
    told: list[str] = []

    class Cut(Line):
        async def deposit(self, deposit, chunks):
            if not any("words of counter bob" in what for what in told):
                raise PeerUnavailable("bob cannot be reached")
            await super().deposit(deposit, chunks)

    alliance.lines["alice", "bob"] = Cut
    async with alliance.serving():
        found = await asyncio.gather(*(alliance.ask(name, SEARCH, told.append) for name in NAMES))
    assert {one.counted for one in found} == {5}
    closed = "relay alice has closed with 5 batches; the words of counter bob are waited for until "
    assert any(what.startswith(closed) for what in told)
