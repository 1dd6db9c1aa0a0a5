"""Sessions that go on from one another: what the ledger charges, and what follows where a state is lost."""

import logging
import random
from dataclasses import replace

import pytest

from crypto.epochs import ReceiverState, SenderState
from exchange.agreement import Rung
from exchange.disclosure import Wish, match
from exchange.disclosure.epochs import _NAME_BYTES, ANSWERS
from exchange.errors import ConfigError, PeerMisbehaved, PeerRefused, SessionRefused, StoreError
from exchange.indicators import IndicatorType
from exchange.store.epochs import Kept
from tests.exchange.disclosure.desks import WISH, Side, Wire, pair
from tests.exchange.disclosure.test_disclosure import ask, proposal

DELTA = replace(WISH, protocol="voprf-epoch")
LEVEL = 32


def words(*numbers: int) -> list[str]:
    return [f"word{n}" for n in numbers]


def sides(**limits: int) -> tuple[Side, Side, Wire]:
    """Both hold 200 words, of which they share 100."""
    alice, bob, wire = pair(**limits)
    alice.items.words, bob.items.words = words(*range(200)), words(*range(100, 300))
    return alice, bob, wire


def states(side: Side) -> list[str]:
    return [kept.session for kept in side.epochs.states]


def shared(alice: Side, bob: Side) -> set[str]:
    return set(alice.items.words) & set(bob.items.words)


async def run(alice: Side, bob: Side, wire: Wire, wish: Wish = DELTA, **span: float):
    """A match some time later; what it finds is checked."""
    for side in (alice, bob):
        side.later(**span)
    outcome = await match(alice.desk, "bob", wish, wire)
    assert {alice.items.words[i] for i in outcome.ids} == shared(alice, bob)
    return outcome


def changed(alice: Side, bob: Side, number: int, many: int = 10) -> None:
    """Words come and go on both sides."""
    alice.items.words = alice.items.words[many:] + words(*range(number, number + many))
    bob.items.words = bob.items.words[many // 2 :] + words(*range(number, number + many, 2))


async def test_a_session_goes_on_from_the_one_before():
    alice, bob, wire = sides()
    first = await run(alice, bob, wire)
    assert first.delta is None
    assert states(alice) == states(bob) == [first.session]
    changed(alice, bob, 1000)
    second = await run(alice, bob, wire, days=1)
    assert second.delta is not None
    assert (second.delta.base, second.delta.new_ours, second.delta.new_peer) == (first.session, LEVEL, LEVEL)
    assert states(alice) == [second.session]
    assert states(bob) == [first.session, second.session]
    changed(alice, bob, 2000)
    third = await run(alice, bob, wire, days=1)
    assert third.delta.base == second.session
    assert states(bob) == [second.session, third.session]


async def test_the_ledger_charges_what_is_new():
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    await run(alice, bob, wire, days=1)
    charges = [past.charge for past in bob.books.history("alice", bob.now).past]
    assert charges == [200, 2 * LEVEL]
    asked = [past.asked for past in bob.books.history("alice", bob.now).past]
    assert asked == [208, 208]


async def test_a_budget_that_is_spent_refuses_a_session_that_goes_on_too():
    alice, bob, wire = sides()
    alice.items.words = words(*range(128))  # 128 and 64 is less than the 200 of ours, 256 is more
    line = "sessions_per_day = 1000\n"
    bob.policy_text = bob.policy_text.replace(line, f"{line}share = {{ most = 1.0, days = 30 }}\n")
    await run(alice, bob, wire)
    await run(alice, bob, wire)
    with pytest.raises(PeerRefused) as caught:
        await run(alice, bob, wire)
    assert caught.value.code == "policy-refused"
    assert bob.books.told[-1][1]["what"]["rule"] == "p12-share"


async def test_too_much_change_is_a_whole_run_under_a_new_key():
    alice, bob, wire = sides()
    first = await run(alice, bob, wire)
    alice.items.words = words(*range(33, 233))
    second = await run(alice, bob, wire)
    assert second.delta is None
    keys = {SenderState.from_bytes(s[_NAME_BYTES:]).seed for s in bob.epochs.states.values()}
    assert len(keys) == 2
    assert states(alice) == [second.session]
    assert first.session != second.session


async def test_where_the_senders_set_changed_too_much_it_refuses_and_the_run_is_whole():
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    bob.items.words = words(*range(150, 350))
    outcome = await run(alice, bob, wire)
    assert outcome.delta is None
    assert [reason for kind, reason in bob.books.story() if kind == "refused"] == ["state-unknown"]
    assert alice.books.story()[-3] == ("aborted", "state-unknown")


async def test_a_receiver_that_lost_the_last_session_goes_on_from_the_one_before():
    """It died before it wrote its state; the sender still has the one that it names."""
    alice, bob, wire = sides()
    first = await run(alice, bob, wire)
    before = dict(alice.epochs.states)
    changed(alice, bob, 1000)
    await run(alice, bob, wire)
    alice.epochs.states = before
    changed(alice, bob, 2000)
    again = await run(alice, bob, wire)
    assert again.delta.base == first.session
    assert states(bob)[-1] == again.session


async def test_a_state_is_answered_from_twice_and_no_more():
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    before = dict(alice.epochs.states)
    for _ in range(2):
        alice.epochs.states = dict(before)
        assert (await run(alice, bob, wire)).delta is not None
    alice.epochs.states = dict(before)
    assert (await run(alice, bob, wire)).delta is None


async def test_runs_that_end_early_count_too():
    """A peer that ends each run once it has seen what came would else see for ever how far our set came."""
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    wire.fault, wire.where = PeerRefused("gone", code="aborted"), "run"
    for n in range(2):
        changed(alice, bob, 1000 + 100 * n, many=2)
        with pytest.raises(PeerRefused):
            await match(alice.desk, "bob", DELTA, wire)
        assert bob.books.told[-1][1]["what"].get("protocol") == "voprf-epoch"
        bob.later(minutes=2)
        await wire.responder.expire()
    wire.fault = None
    last = await run(alice, bob, wire)
    assert last.delta is None, "twice is as often as a state is answered from, whatever became of it"


async def test_a_sender_that_lost_its_states_refuses_and_the_run_is_whole():
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    bob.epochs.states.clear()
    outcome = await run(alice, bob, wire)
    assert outcome.delta is None
    assert (await run(alice, bob, wire)).delta is not None


async def test_a_damaged_state_of_the_sender_is_a_whole_run(monkeypatch):
    alice, bob, wire = sides()
    await run(alice, bob, wire)

    def damaged(_kept):
        raise StoreError("it was damaged, and is deleted")

    monkeypatch.setattr(bob.epochs, "get", damaged)
    assert (await run(alice, bob, wire)).delta is None


async def test_a_full_disk_costs_the_next_session_and_no_result(caplog, monkeypatch):
    alice, bob, wire = sides()

    def full(*_):
        raise ConfigError("cannot write: the disk is full")

    monkeypatch.setattr(alice.epochs, "put", full)
    with caplog.at_level(logging.WARNING):
        await run(alice, bob, wire)
    assert "the next one is a whole one" in caplog.text
    assert (await run(alice, bob, wire)).delta is None


@pytest.mark.parametrize("limit", [{"epoch_days": 2}, {"epoch_runs": 2}], ids=["days", "runs"])
async def test_an_epoch_ends(limit):
    alice, bob, wire = sides(**limit)
    await run(alice, bob, wire)
    assert (await run(alice, bob, wire, days=1)).delta is not None
    assert (await run(alice, bob, wire, days=1)).delta is None


async def test_a_node_that_serves_forgets_an_epoch_that_is_over(caplog, monkeypatch):
    """However late the last of its sessions was."""
    alice, bob, wire = sides(epoch_days=2)
    await run(alice, bob, wire)
    second = await run(alice, bob, wire, days=1)
    assert second.delta is not None
    for span, left in (({"hours": 23}, 2), ({"hours": 2}, 0)):
        bob.later(**span)
        await wire.responder.expire()
        assert len(states(bob)) == left

    def stuck(_first):
        raise StoreError("cannot delete")

    monkeypatch.setattr(bob.epochs, "expire", stuck)
    await wire.responder.expire()
    assert "cannot delete" in caplog.text


async def test_the_sender_ends_an_epoch_by_its_own_settings():
    alice, bob, wire = sides()
    bob.desk = wire.responder._desk = replace(bob.desk, limits=replace(bob.desk.limits, epoch_days=2))
    await run(alice, bob, wire)
    assert (await run(alice, bob, wire, days=3)).delta is None
    assert [reason for kind, reason in bob.books.story() if kind == "refused"] == ["state-unknown"]


async def test_other_types_do_not_go_on():
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    other = replace(DELTA, types=(IndicatorType.DOMAIN, IndicatorType.URL))
    assert (await run(alice, bob, wire, other)).delta is None


async def test_a_clock_that_went_back_ends_an_epoch():
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    assert (await run(alice, bob, wire, hours=-1)).delta is None


async def test_what_is_kept_holds_no_tag_that_went():
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    old = SenderState.from_bytes(next(iter(bob.epochs.states.values()))[_NAME_BYTES:])
    bob.items.words = bob.items.words[:-20]  # alice does not hold these
    await run(alice, bob, wire)
    new = SenderState.from_bytes(list(bob.epochs.states.values())[-1][_NAME_BYTES:])
    went = {t.tobytes() for t in old.tags} - {t.tobytes() for t in new.tags}
    assert len(went) == 20
    (kept,) = alice.epochs.states.values()
    assert not any(tag in kept for tag in went)
    table = {t.tobytes() for t in ReceiverState.from_bytes(kept[_NAME_BYTES:]).table}
    assert table == {t.tobytes() for t in (*new.tags, *new.fillers)}


async def test_small_sets_and_one_off_protocols_go_on_from_nothing():
    alice, _, wire = pair()
    assert (await match(alice.desk, "bob", DELTA, wire)).delta is None
    assert (await match(alice.desk, "bob", DELTA, wire)).delta is None
    before = states(alice)
    assert (await match(alice.desk, "bob", WISH, wire)).delta is None
    assert states(alice) == before


@pytest.mark.parametrize("seed", range(4))
async def test_ten_days_of_chance(seed):
    """Words come and go, few or many; states are lost, or fall back to those of a day before."""
    chance = random.Random(seed)
    alice, bob, wire = sides()
    yesterday: list[dict[Kept, bytes]] = [{}, {}]
    went_on = 0
    for day in range(10):
        for side in (alice, bob):
            held, many = side.items.words, chance.choice([0, 3, 20, 32, 33, 120])
            gone = set(chance.sample(held, min(many, len(held) // 2)))
            new = words(*(chance.randrange(600) for _ in range(many)))
            side.items.words = list(dict.fromkeys([*(w for w in held if w not in gone), *new]))
        for side, before in zip((alice, bob), yesterday, strict=True):
            fate = chance.random()
            lost = {} if fate < 0.1 else before if fate < 0.25 else None
            yesterday[side is bob] = dict(side.epochs.states)
            side.epochs.states = side.epochs.states if lost is None else dict(lost)
        outcome = await run(alice, bob, wire, hours=day)
        went_on += outcome.delta is not None
    assert went_on


# --- a lying peer


@pytest.mark.parametrize("new", [0, 1 << 20])
async def test_an_answer_that_declares_nothing_or_far_too_much_is_refused(new):
    alice, bob, wire = sides()
    await run(alice, bob, wire)
    wire.answers = {"responder_new": new}
    with pytest.raises(PeerMisbehaved):
        await match(alice.desk, "bob", DELTA, wire)


async def test_an_answer_that_goes_on_from_nothing_is_refused():
    alice, _, wire = sides()
    wire.answers = {"responder_new": LEVEL}
    with pytest.raises(PeerMisbehaved):
        await match(alice.desk, "bob", DELTA, wire)


async def test_a_peer_that_asks_for_what_no_epoch_has_room_for_is_not_looked_up_for_ever(monkeypatch):
    """What a state holds, and our set beside it, are much to load for a refusal."""
    alice, bob, wire = sides()
    session, opened = bytes.fromhex((await run(alice, bob, wire)).session), []
    bob.epochs.states = {kept._replace(peer="carol"): left for kept, left in bob.epochs.states.items()}
    get = bob.epochs.get
    monkeypatch.setattr(bob.epochs, "get", lambda kept: opened.append(kept) or get(kept))
    asked = replace(proposal(protocol="voprf-epoch", padded=1 << 20), base=session, initiator_new=1 << 20)
    for n in range(5):
        with pytest.raises(SessionRefused) as caught:
            await ask(wire, "carol", replace(asked, session=bytes([n]) * 32))
        assert caught.value.code == "state-unknown"
    assert len(opened) == ANSWERS


async def test_the_state_of_another_peer_is_not_answered_from():
    alice, bob, wire = sides()
    session = bytes.fromhex((await run(alice, bob, wire)).session)
    asked = replace(proposal(protocol="voprf-epoch", padded=208), base=session, initiator_new=LEVEL)
    with pytest.raises(SessionRefused) as caught:
        await ask(wire, "carol", asked)
    assert caught.value.code == "state-unknown"


@pytest.mark.parametrize(
    "change",
    [
        {"initiator_new": 0},
        {"turned": True},
        {"protocol": "voprf"},
        {"protocol": "vole"},
        {"rung": Rung.SIZE},
    ],
    ids=str,
)
async def test_a_proposal_that_cannot_go_on_is_malformed(change):
    alice, bob, wire = sides()
    session = bytes.fromhex((await run(alice, bob, wire)).session)
    honest = {"protocol": "voprf-epoch", "padded": 208, "base": session, "initiator_new": LEVEL}
    asked = proposal(**honest | change)
    with pytest.raises(SessionRefused) as caught:
        await ask(wire, "dave", asked)
    assert caught.value.code in {"malformed", "policy-refused"}
