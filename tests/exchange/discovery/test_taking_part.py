"""A member's own part in a discovery: what its policy refuses, and what it tries again."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from itertools import product

import pytest

from exchange.aggregation.lots import EPOCH_DAYS
from exchange.aggregation.round import Learns
from exchange.disclosure import patience
from exchange.discovery import books
from exchange.errors import CosightError, PeerRefused, PolicyRefusal
from exchange.indicators import IndicatorType
from exchange.policy import Offer
from tests.exchange.discovery.alliance import NAMES, SEARCH, Alliance, Line, values


@pytest.fixture
def alliance(tmp_path):
    return Alliance(tmp_path, {name: ["a.example", f"{name}.example"] for name in NAMES})


async def test_what_our_own_policy_refuses_is_on_record(alliance):
    erin = alliance.members["erin"]
    erin.side.policy_text = "version = 1"
    with pytest.raises(PolicyRefusal, match="d1-table"):
        await alliance.ask("erin")
    told = [(entry.fields["direction"], entry.peer, entry.what) for entry in erin.told("refused")]
    what = {"by": "us", "reason": "policy-refused", "rule": "d1-table"}
    assert told == [("initiator", "alice", what)]
    assert not erin.told("joined")


async def test_a_batch_that_was_made_under_another_policy_does_not_leave(alliance, monkeypatch):
    """Whoever is killed goes on with the batch that it made: it could have what the policy holds back now."""
    erin = alliance.members["erin"]

    def die(*_args):
        raise asyncio.CancelledError

    with monkeypatch.context() as patch, suppress(asyncio.CancelledError):
        patch.setattr(books.Books, "brought", die)
        await alliance.ask("erin")
    erin.side.policy_text = erin.side.policy_text.replace('tlp = "AMBER"', 'tlp = "GREEN"')
    with pytest.raises(CosightError) as refused:
        await alliance.ask("erin")
    assert refused.value.code == "policy-changed"
    assert not erin.told("brought")
    assert erin.told("broken")[-1].what["reason"] == "policy-changed"


class Busy(Line):
    """A relay that has no time for what is asked first."""

    asked = 0

    async def deposit(self, deposit, chunks):
        Busy.asked += 1
        if Busy.asked <= 2:
            raise PeerRefused("it said no", code="busy")
        await super().deposit(deposit, chunks)


async def test_a_relay_that_is_busy_is_asked_again(alliance, monkeypatch):
    monkeypatch.setattr(patience, "PAUSES_S", (0.01,))
    monkeypatch.setattr(Busy, "asked", 0)
    alliance.lines["erin", "alice"] = Busy
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.counted for result in found.values()} == {5}
    assert Busy.asked == 3


async def test_helpers_that_are_told_the_values_do_not_see_who_holds_them(tmp_path):
    held = {name: ["a.example", "b.example"] if name in NAMES[:3] else ["c.example"] for name in NAMES}
    alliance = Alliance(tmp_path, held)
    asked: dict[str, list[int]] = {name: [] for name in NAMES}

    class Seen(Line):
        async def evaluate(self, epoch, declared, blinded):
            asked[self.caller].append(len(blinded))
            return await super().evaluate(epoch, declared, blinded)

    alliance.lines["*", "carol"] = Seen
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, learns=Learns.ALL))
    assert {frozenset(values(result)) for result in found.values()} == {frozenset({"a.example", "b.example"})}
    members = [sorted(sizes) for name, sizes in asked.items() if name != "bob"]  # who counts asks more
    assert all(sizes == members[0] for sizes in members)
    assert len(members[0]) == 2, "about what they hold, and about what they are told"


async def test_run_again_it_says_what_went_in_then_and_not_what_we_hold_now(alliance):
    erin = alliance.members["erin"].side.items
    async with alliance.serving():
        found = await alliance.ask_all()
        erin.words = [*erin.words, "new.example"]
        again = await alliance.ask("erin")
    assert (found["erin"].put_in.ours, found["erin"].resumed) == (2, False)
    assert (again.put_in, again.resumed) == (found["erin"].put_in, True)


async def test_what_stays_out_is_told_with_the_rule(alliance):
    for member in alliance.members.values():
        member.side.policy_text = member.side.policy_text.replace('legal_basis = "this-machine"', "")
    erin, both = alliance.members["erin"].side, (IndicatorType.DOMAIN, IndicatorType.IPV4)
    offered = erin.items.offer
    erin.items.offer = lambda types, **how: offered(types, **how) if set(types) == {both[1]} else Offer()
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, types=both))
    assert found["erin"].put_in.held_back == {"p16-personal-data": 2}
    (joined,) = alliance.members["erin"].told("joined")
    assert joined.what["withheld"] == {"p16-personal-data": {"domain": 2}}, "by type, in the ledger too"


async def test_copies_are_told_apart(alliance):
    erin = alliance.members["erin"].side.items
    erin.copied = {"a.example": "somebody else"}
    async with alliance.serving():
        found = await alliance.ask_all()
    assert (found["erin"].put_in.ours, found["erin"].put_in.copies) == (2, 1)
    assert found["dave"].put_in.copies == 0


async def test_a_small_set_that_grows_a_little_is_asked_about_on_every_day_of_an_epoch(alliance):
    erin = alliance.members["erin"].side
    async with alliance.serving():
        for day, (learns, threshold) in zip(range(EPOCH_DAYS), product(Learns, (2, 3, 4)), strict=False):
            erin.items.words = [*erin.items.words, f"day{day}.example"]
            found = await alliance.ask_all(replace(SEARCH, threshold=threshold, learns=learns))
            assert not [one for one in found.values() if isinstance(one, CosightError)], found
            assert found["erin"].asked >= 32


async def test_what_is_our_own_is_kept_apart_from_what_we_relay(alliance):
    alice = alliance.members["alice"]
    async with alliance.serving():
        await alliance.ask_all()
    (session,) = {leaf.session for leaf in alice.told("joined")}
    own, relayed = (alice.home.path / "discoveries" / name for name in (f"own/{session}", session))
    assert {"batches.digest", "entered"} <= {path.name for path in own.iterdir()}
    assert {path.name for path in relayed.iterdir()} == {"batches.outcome"}
