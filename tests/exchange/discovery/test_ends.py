"""Every discovery that a ledger says was begun has an end in it; and what it says went in did."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from exchange.aggregation.lots import EPOCH_DAYS
from exchange.aggregation.round import Learns, Round
from exchange.discovery import taking_part
from exchange.errors import CosightError, LedgerError, PeerRefused, StoreError
from exchange.ledger.runs import CUT_OFF
from exchange.store.discovery.stages import Stages
from exchange.store.discovery.tables import STAGES
from exchange.store.engine import writing
from tests.exchange.discovery.alliance import ALL, HELD, NAMES, SEARCH, Line, until, values

SOON = replace(SEARCH, wait_s=1)


def told(alliance, member, *, own=True):
    """What a ledger says of runs: as a member, or as relay or counter."""
    entries = [leaf for leaf in alliance.members[member].side.books.entries() if leaf.session]
    kinds = {"joined", "convened", "counted", "broken"}
    return [
        (str(leaf.kind), leaf.what.get("reason", ""))
        for leaf in entries if leaf.kind in kinds and bool(leaf.peer) is own
    ]  # fmt: skip


def assert_sound(alliance):
    for member in alliance.members.values():
        books = member.side.books
        found = books.verify()
        assert (found.problems, found.warnings) == ((), ())
        assert (books.runs().going(), books.runs().convening()) == ([], [])


async def later(alliance, work):
    """Let time pass at all members until something is done."""

    def done():
        for member in alliance.members.values():
            member.side.later(seconds=1)
        return work.done()

    await until(done)
    return await work


async def test_too_few_is_an_end_and_enough_begins_anew(alliance):
    async with alliance.serving():
        early = asyncio.create_task(alliance.ask_all(SOON, names=NAMES[:2]))
        assert {error.code for error in (await later(alliance, early)).values()} == {"too-few-batches"}
        await alliance.ask_all(SOON)
    twice = [("broken", "too-few-batches"), ("joined", ""), ("counted", "")]
    assert told(alliance, "bob") == [("joined", ""), *twice]
    assert told(alliance, "alice", own=False) == [("convened", ""), twice[2]]
    assert_sound(alliance)


@pytest.mark.parametrize("code", ["policy-refused", "roster-mismatch", "too-late", "too-large"])
async def test_what_another_refuses_is_an_end(alliance, code):
    class Refusing(Line):
        async def deposit(self, deposit, chunks):
            raise PeerRefused("it said no", code=code)

    alliance.lines["erin", "alice"] = Refusing
    async with alliance.serving():
        with pytest.raises(PeerRefused):
            await alliance.ask("erin")
    assert told(alliance, "erin") == [("joined", ""), ("broken", code)]
    assert alliance.members["erin"].told("broken")[0].what["by"] == "peer"
    assert_sound(alliance)


async def killed(alliance, monkeypatch, name):
    """A member whose process is killed when its batch is kept, and before it leaves."""

    async def die(self, *_args):
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(taking_part._Member, "_collected", die)
        with suppress(asyncio.CancelledError):
            await alliance.ask(name)
    assert told(alliance, name) == [("joined", "")]


async def test_a_member_that_was_killed_is_closed_at_the_next_start(alliance, monkeypatch):
    await killed(alliance, monkeypatch, "erin")
    erin = alliance.members["erin"]
    erin.service._books.close_cut_off()  # what a node does when it starts, and every few minutes
    assert told(alliance, "erin") == [("joined", ""), ("broken", CUT_OFF)]
    assert_sound(alliance)


async def test_nobody_closes_what_another_process_is_at(alliance, monkeypatch):
    await killed(alliance, monkeypatch, "erin")
    erin = alliance.members["erin"]
    with erin.asked.taking_part():
        erin.service._books.close_cut_off()
    assert told(alliance, "erin") == [("joined", "")]


async def test_what_went_in_is_what_the_kept_batch_has(alliance, monkeypatch):
    async with alliance.serving():
        await killed(alliance, monkeypatch, "erin")
        erin = alliance.members["erin"]
        erin.side.items.words.pop()
        await alliance.ask_all()
    assert told(alliance, "erin") == [("joined", ""), ("broken", CUT_OFF), ("joined", ""), ("counted", "")]
    assert [leaf.what["entered"] for leaf in erin.told("joined")] == [{"domain": 3}] * 2
    assert_sound(alliance)


@pytest.mark.parametrize("name", ["alice", "bob"])
async def test_relay_and_counter_say_it_once_however_often_they_come_there(alliance, monkeypatch, name):
    service = alliance.members[name].service
    put, failed = Stages.put_outcome, []

    def full(shelf, *args):
        if shelf is service._shelf and not failed:
            failed.append(1)
            raise StoreError("the disk is full")
        put(shelf, *args)

    monkeypatch.setattr(Stages, "put_outcome", full)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert not any(isinstance(one, CosightError) for one in found.values())
    assert failed
    assert told(alliance, name, own=False) == [("convened", ""), ("counted", "")]


async def test_a_discovery_of_which_a_relay_has_lost_everything_is_closed(alliance):
    async with alliance.serving():
        asked = asyncio.create_task(alliance.ask("bob"))
        alice = alliance.members["alice"]
        shelf = alice.service._shelf
        await until(shelf.unfinished)
        alice.service._relaying.convene(shelf.unfinished()[0].round)  # killed when it closes
        asked.cancel()
    with writing(alice.service._shelf.engine) as connection:
        connection.execute(STAGES.delete())
    await alice.service._sweep()
    alice.service._relaying.close_lost()
    assert told(alliance, "alice", own=False) == [("convened", ""), ("broken", CUT_OFF)]


async def test_words_that_come_to_nothing_do_not_undo_what_was_counted(alliance, monkeypatch):
    alice = alliance.members["alice"].service._relaying

    async def give_up(kept):
        if kept.stage == "words":
            await alice.give_up(kept, "counter-gone")
        else:
            await go_on(kept)

    go_on = alice.go_on
    monkeypatch.setattr(alice, "go_on", give_up)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    assert {error.code for error in found.values()} <= {"discovery-broken", "too-late"}
    assert told(alliance, "alice", own=False) == [("convened", ""), ("counted", "")]
    assert_sound(alliance)


async def test_an_epochs_end_is_written_however_often_the_helper_is_killed(alliance, monkeypatch):
    async with alliance.serving():
        await alliance.ask_all()
    carol = alliance.members["carol"]
    carol.side.later(days=2 * EPOCH_DAYS)
    with monkeypatch.context() as patch:
        patch.setattr(carol.side.books, "failing", True)
        with pytest.raises(LedgerError):
            carol.service.helping.expire()
    assert not carol.told("erased")
    carol.service.helping.expire()
    carol.service.helping.expire()
    helped = {leaf.what["epoch"] for leaf in carol.told("helped")}
    assert [leaf.what["epoch"] for leaf in carol.told("erased")] == sorted(helped)


async def test_of_a_strict_discovery_copies_are_held_back_and_not_entered(alliance):
    alliance.members["erin"].side.items.copied["a.example"] = "somebody"
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, largest=8))
    (joined,) = alliance.members["erin"].told("joined")
    assert (joined.what["entered"], joined.what["withheld"]) == (
        {"domain": 2}, {"p18-provenance": {"domain": 1}}
    )  # fmt: skip
    assert found["erin"].put_in.ours == 2
    assert joined.what["protocol"] == "atr-1s"
    assert all("released" not in leaf.what for leaf in alliance.members["erin"].told("counted"))


@pytest.mark.parametrize("learns", Learns)
async def test_what_the_end_says_is_true_in_each_mode(alliance, learns):
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, learns=learns))
    assert values(found["bob"]) if learns is not Learns.COLLECTIVE else found["bob"].items is None
    expected = alliance.expected()
    for name in NAMES:
        member = alliance.members[name]
        (joined,), counted = member.told("joined"), [x for x in member.told("counted") if x.peer]
        assert joined.what["visibility"] == learns
        assert joined.what["entered"] == {"domain": 3}
        said = len(expected & set(HELD[name])) if learns is Learns.ALL else None
        assert [(x.what["released"], x.what.get("told")) for x in counted] == [(len(expected), said)]
        assert isinstance(Round.decode(member.side.books.document(joined.session)), Round)
