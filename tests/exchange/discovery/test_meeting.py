"""Those who have a part are met before anything is asked: who is away, who refuses, what is said of it."""

import asyncio
from dataclasses import replace

import pytest

from exchange.disclosure import patience
from exchange.discovery import bringing
from exchange.discovery.preparing import cost_of
from exchange.errors import CosightError, PeerRefused, PeerUnavailable
from tests.exchange.discovery.alliance import NAMES, SEARCH, Line
from tests.exchange.policy.searching import ROUND


@pytest.fixture
def alliance(alliance, monkeypatch):
    monkeypatch.setattr(patience, "PAUSES_S", (0.01,))
    return alliance


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


@pytest.mark.parametrize("question", ["keys", "evaluate", "token"])
async def test_a_helper_that_cannot_answer_just_now_is_waited_for_by_name(alliance, question):
    """As one whose disk is full for a moment; the same question is asked again, and counted once."""
    told: list[str] = []
    left = iter(["not-ready", "busy"])

    class Unready(Line):
        async def refused(self, *asked):
            if (code := next(left, None)) is not None:
                raise PeerRefused("it cannot", code=code, peer="dave")
            return await getattr(Line, question)(self, *asked)

    setattr(Unready, question, Unready.refused)
    alliance.lines["erin", "dave"] = Unready
    async with alliance.serving():
        found = await asyncio.gather(
            *(alliance.ask(name, SEARCH, told.append if name == "erin" else lambda _: None) for name in NAMES)
        )
    assert {one.counted for one in found} == {5}
    waits = [what for what in told if what.startswith("helper dave cannot answer just now; trying until ")]
    assert len(waits) == 2


async def test_a_helper_that_stays_so_ends_it_in_time(alliance):
    class Unready(Line):
        async def token(self, of, blinded):
            raise PeerRefused("it cannot", code="not-ready", peer="dave")

    alliance.lines["erin", "dave"] = Unready
    async with alliance.serving():
        with pytest.raises(PeerRefused, match="it cannot") as caught:
            await alliance.ask("erin", replace(SEARCH, wait_s=0))
    assert caught.value.code == "not-ready"


async def test_what_a_strict_discovery_takes_here_and_there_is_told_before(alliance):
    told: list[str] = []
    async with alliance.serving():
        with pytest.raises(CosightError):
            await alliance.ask("erin", replace(SEARCH, wait_s=0, largest=64), told.append)
    cost = "strict takes about 0 s here, 0 s at the counter, 1 MiB to the relay"
    assert told.index(cost) < told.index("asking for keys")


def test_what_a_strict_discovery_takes_is_what_was_measured():
    """The rows of the table in docs/protocols/discovery-strict.md."""
    ten = tuple(sorted({*ROUND.members, *(f"member{n}" for n in range(5))}))
    of = replace(ROUND, members=ten, minimum=7, largest=100_000)
    assert cost_of(of) == "strict takes about 1 s here, 1 s at the counter, 46 MiB to the relay"
    assert "about 4 s here" in cost_of(replace(of, largest=400_000))


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
