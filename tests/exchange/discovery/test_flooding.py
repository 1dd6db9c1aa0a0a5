"""Members and relays that take the room, the ledger or the time of others: each gets its share, no more."""

import asyncio
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from crypto.secagg import helpers
from exchange.aggregation.lots import Parts, epoch_of
from exchange.aggregation.round import Learns, day_of
from exchange.agreement import size_class
from exchange.discovery import counting, serving, signing
from exchange.discovery.keeping import GIVE_UP, MAX_OPEN, MAX_PASSED, MOST_WAIT_S
from exchange.discovery.preparing import plan_of
from exchange.discovery.world import Deposit, Stage, State, pieces
from exchange.errors import PeerRefused, SessionRefused
from tests.exchange.disclosure.desks import KEYS
from tests.exchange.discovery.alliance import SEARCH, Line, deposit_of

OTHER_PARTS = Parts(relay="bob", counter="alice", helpers=("carol", "dave"))
OTHER_RELAY = replace(SEARCH.parts, relay="erin")
KIB = 1 << 10


async def session(alliance, **asked):
    """A discovery with the keys of all who have a part, and what they announced."""
    erin = alliance.members["erin"]
    plan = plan_of(erin.office, replace(SEARCH, **asked))
    said = [
        await alliance.members[name].service.keys("erin", plan)
        for name in (*plan.parts.helpers, plan.parts.counter)
    ]
    return signing.keyed(erin.office.desk.find, plan, said), tuple(said)


async def bring(alliance, of, said, *, who="erin", size=2000, wait_s=86_400):
    """A batch of nothing, to the relay."""
    data = who[:1].encode() * size
    deposit = Deposit(
        round=of, stage=Stage.BATCHES, digest=b"", size=size, root=bytes(32), wait_s=wait_s, keys=said,
        signature=b"",
    )  # fmt: skip
    await Line(who, alliance.members[of.parts.relay].service).deposit(
        deposit_of(deposit, who, data), pieces(data)
    )


async def pass_on(alliance, of, said, *, size=2000, stalls=None):
    """One batch of nothing from the relay to the counter, with a list of as many as there must be.

    Where it ``stalls``, nothing of it comes before that event.
    """
    relay, data = of.parts.relay, b"x" * size
    listed = tuple(sorted([sha256(data).digest(), *(bytes([n]) * 32 for n in range(1, of.minimum))]))
    deposit = Deposit(
        round=of, stage=Stage.BATCHES, digest=sha256(data).digest(), size=size, root=bytes(32), keys=said,
        listed=listed, signature=signing.sign_list(KEYS[relay].identity, of, Stage.BATCHES, listed),
    )  # fmt: skip

    async def chunks():
        if stalls is not None:
            await stalls.wait()
        for chunk in pieces(data):
            yield chunk

    try:
        await alliance.members["bob"].service.deposit(relay, deposit, chunks())
    except SessionRefused as e:
        raise PeerRefused("it said no", code=e.code) from e


def allow(alliance, name, mib):
    """A member has so much room for batches."""
    service = alliance.members[name].service
    for keeper in (service._relaying, service._counting):
        keeper.desk = replace(keeper.desk, limits=replace(keeper.desk.limits, max_discovery_mib=mib))


async def until(true):
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  # what changes is on a disk
            await asyncio.sleep(0.05)


async def test_a_member_that_opens_many_discoveries_at_a_relay_that_counts_others(alliance, monkeypatch):
    monkeypatch.setattr(counting, "MAX_GOING", 1)
    async with alliance.serving():
        for number in range(MAX_OPEN):
            await bring(alliance, *await session(alliance, purpose=f"p{number}", parts=OTHER_PARTS))
        with pytest.raises(PeerRefused) as fault:
            await bring(alliance, *await session(alliance, purpose="one more", parts=OTHER_PARTS))
        found = await alliance.ask_all()
    assert fault.value.code == "busy"
    assert {one.counted for one in found.values()} == {5}
    bob = alliance.members["bob"].service._shelf
    assert len(bob.unfinished()) == MAX_OPEN
    assert {(one.closes - one.began).total_seconds() for one in bob.unfinished()} == {MOST_WAIT_S}


async def test_a_relay_that_passes_on_many_discoveries_leaves_room_for_others(alliance):
    for number in range(MAX_PASSED):
        await pass_on(alliance, *await session(alliance, purpose=f"p{number}"))
    with pytest.raises(PeerRefused) as fault:
        await pass_on(alliance, *await session(alliance, purpose="one more"))
    assert fault.value.code == "busy"
    async with alliance.serving():
        found = await alliance.ask_all(replace(SEARCH, parts=OTHER_RELAY))
    assert {one.counted for one in found.values()} == {5}


async def test_a_relay_that_fills_the_disk_of_a_counter(alliance):
    """All that it passes on and is unfinished has one limit, and what was given up takes nothing."""
    allow(alliance, "bob", 1)
    bob = alliance.members["bob"]
    first, said = await session(alliance, purpose="first")
    await pass_on(alliance, first, said, size=600 * KIB)
    second = await session(alliance, purpose="second")
    with pytest.raises(PeerRefused) as fault:
        await pass_on(alliance, *second, size=600 * KIB)
    assert fault.value.code == "busy"
    bob.side.later(seconds=GIVE_UP.total_seconds() + 1)
    async with alliance.serving():
        await until(lambda: bob.service._shelf.kept(first.context, Stage.BATCHES).state is State.BROKEN)
        await until(lambda: not list(bob.home.path.glob("discoveries/*/batches.*")))
    await pass_on(alliance, *second, size=600 * KIB)


@pytest.mark.parametrize("stalls", [False, True], ids=["brought", "announced"])
async def test_a_relay_that_takes_all_its_room_leaves_that_of_others(alliance, stalls):
    """Whether its batches are there, or said to be coming for as long as the line stays open."""
    allow(alliance, "bob", 1)
    go_on = asyncio.Event()
    of, said = await session(alliance, purpose="first")
    full = asyncio.create_task(pass_on(alliance, of, said, size=1 << 20, stalls=go_on if stalls else None))
    counter = alliance.members["bob"].service._counting
    await until(lambda: counter._coming["alice"] if stalls else full.done())
    async with alliance.serving():
        with pytest.raises(PeerRefused) as fault:
            await pass_on(alliance, *await session(alliance, purpose="second"))
        found = await alliance.ask_all(replace(SEARCH, parts=OTHER_RELAY))
    assert fault.value.code == "busy"
    assert {one.counted for one in found.values()} == {5}
    go_on.set()
    await full
    assert counter._coming.total() == 0


async def test_all_relays_together_have_a_limit(alliance, monkeypatch):
    monkeypatch.setattr(counting, "MAX_RELAYS", 2)
    allow(alliance, "bob", 1)
    for relay in ("alice", "erin"):
        of, said = await session(alliance, parts=replace(SEARCH.parts, relay=relay))
        await pass_on(alliance, of, said, size=1 << 20)
    third = await session(alliance, parts=Parts(relay="dave", counter="bob", helpers=("carol", "erin")))
    with pytest.raises(PeerRefused) as fault:
        await pass_on(alliance, *third)
    assert fault.value.code == "busy"


async def test_batches_whose_tokens_are_not_good_are_not_opened(alliance, monkeypatch):
    class Refusing(Line):
        async def redeem(self, of, tokens, batches):
            return [False for _ in tokens]

    opened, counter = [], alliance.members["bob"].service._counting
    monkeypatch.setattr(counter, "_open", lambda *_: opened.append(1) or ({}, []))
    alliance.lines["bob", "carol"] = Refusing
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {one.code for one in found.values()} == {"discovery-broken"}
    assert opened == []


async def test_a_member_whose_batch_takes_the_room_of_the_others(alliance):
    allow(alliance, "alice", 1)
    allow(alliance, "bob", 1)
    async with alliance.serving():
        with pytest.raises(PeerRefused) as fault:
            await bring(alliance, *await session(alliance), size=250 * KIB)
        found = await alliance.ask_all()
    assert fault.value.code == "too-large"
    assert {one.counted for one in found.values()} == {5}


async def test_a_member_that_floods_the_ledger_of_a_relay(alliance):
    alice = alliance.members["alice"]
    kept = alice.service._shelf.kept
    async with alliance.serving():
        for number in range(3):
            of, said = await session(alliance, purpose=f"p{number}")
            await bring(alliance, of, said, wait_s=1)
            alice.side.later(seconds=10)
            await until(lambda of=of: getattr(kept(of.context, Stage.BATCHES), "code", ""))
    assert alice.told("convened") + alice.told("broken") == []


async def test_a_member_that_declares_a_larger_set_with_every_question(alliance):
    """The ledger of a helper has one entry for each size class at most, also where all come at once."""
    carol = alliance.members["carol"]
    epoch = epoch_of(day_of(carol.side.desk.clock()))
    question = helpers.ask(np.ones((1, 32), np.uint8), size=1)

    async def ask(declared):
        try:
            await Line("erin", carol.service).evaluate(epoch, declared, question.blinded)
        except PeerRefused as e:
            return e.code
        return ""

    sizes = range(1, 200)
    said = await asyncio.gather(*(ask(size) for size in sizes for _ in range(3)))
    classes = [size for size in sizes if size == size_class(size)]
    assert said == ["" if size in classes else "malformed" for size in sizes for _ in range(3)]
    entries = [leaf.what["padded"] for leaf in carol.told("helped")]
    assert sorted(set(entries)) == sorted(entries)
    assert set(entries) <= set(classes)
    assert max(entries) == classes[-1]


async def test_who_comes_late_is_waited_for_as_long_as_it_says_but_within_the_hour(alliance):
    alice = alliance.members["alice"]
    of, said = await session(alliance)

    def left():
        (kept,) = alice.service._shelf.unfinished()
        return (kept.closes - alice.side.desk.clock()).total_seconds()

    await bring(alliance, of, said, wait_s=60)
    assert left() == pytest.approx(60, abs=1)
    alice.side.later(seconds=50)
    await bring(alliance, of, said, who="carol", wait_s=30)
    assert left() == pytest.approx(30, abs=1)
    await bring(alliance, of, said, who="dave", wait_s=86_400)
    assert left() == pytest.approx(MOST_WAIT_S - 50, abs=1)


async def test_a_stage_that_ended_since_it_was_read_is_left_alone(alliance, monkeypatch):
    alice = alliance.members["alice"].service
    of, said = await session(alliance)
    await bring(alliance, of, said)
    (stale,) = alice._shelf.unfinished()
    alice._shelf.keep(replace(stale, state=State.DONE))
    gone_on = []

    async def go_on(kept):
        gone_on.append(kept)

    monkeypatch.setattr(alice._relaying, "go_on", go_on)
    for state in (State.DONE, State.CLOSED):
        alice._shelf.keep(replace(stale, state=state))
        alice._go_on(stale)
        await asyncio.gather(*alice._going.values())
    assert [kept.state for kept in gone_on] == [State.CLOSED]


async def test_a_fault_of_ours_does_not_end_all_discoveries(alliance, monkeypatch, caplog):
    monkeypatch.setattr(serving, "RETRY_S", 0.05)
    shelf = type(alliance.members["alice"].service._shelf)
    unfinished, failed = shelf.unfinished, []

    def failing(self):
        if len(failed) < 10:
            failed.append(1)
            raise RuntimeError("secret.example")
        return unfinished(self)

    monkeypatch.setattr(shelf, "unfinished", failing)
    async with alliance.serving():
        await until(lambda: len(failed) == 10)
        found = await alliance.ask_all()
    assert {one.counted for one in found.values()} == {5}
    assert "RuntimeError" in caplog.text
    assert "secret.example" not in caplog.text


async def test_a_strict_discovery_with_a_threshold_that_none_can_count(alliance):
    of, _ = await session(alliance)
    many = {
        "members": tuple(sorted([*(f"m{number:03}" for number in range(95)), *of.members])),
        "minimum": 90,
    }
    assert replace(of, **many, threshold=64, largest=8).threshold == 64
    for threshold, largest in ((65, 0), (65, 8)):
        asked = dict(many, threshold=threshold, largest=largest, learns=Learns.INDIVIDUAL)
        if largest:
            with pytest.raises(ValueError, match="at most 64"):
                replace(of, **asked)
        else:
            assert replace(of, **asked).setup()
