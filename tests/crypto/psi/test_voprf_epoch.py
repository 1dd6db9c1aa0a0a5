"""Runs from a state: what comes out is plain set intersection, whatever has changed, and nothing stays."""

import dataclasses
import random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import session
from crypto.epochs import LEVELS, ROOM, Epoch, EpochEnded, ReceiverState, SenderState, change_level, reserve
from crypto.errors import DecodeError, ParameterError, PeerFault, ProtocolError, VerificationError
from crypto.psi import Params
from crypto.psi.voprf_epoch import PROTOCOL, Blinded, Evaluated, Fresh, Tags, receiver, sender
from crypto.session import Message
from tests.crypto.psi.parties import deterministic_rng, items

SIZES = 512, 640
NEW = 32, 64


class Day(NamedTuple):
    """What a run gave both parties, and its messages."""

    found: list[int]
    ours: ReceiverState
    theirs: SenderState
    seen: list[Message]


def params(new=(0, 0), sizes=SIZES, context=b"c" * 32) -> Params:
    return Params(n_r=sizes[0], n_s=sizes[1], context=context, new_r=new[0], new_s=new[1])


def run(ours, theirs, p=None, states: Any = (None, None), tamper=lambda m: m, rngs=({}, {})) -> Day:
    seen: list[Message] = []

    def tap(message):
        delivered = tamper(message)
        seen.append(delivered)
        return delivered

    ours = list(ours)
    mine, its = session.run(
        receiver(items(*ours), p or params(), state=states[0], **rngs[0]),
        sender(items(*theirs), p or params(), state=states[1] or Fresh(), **rngs[1]),
        on_message=tap,
    )
    return Day([ours[i] for i in mine.indices], mine.state, its, seen)


def following(day: Day, ours, theirs, new=NEW, **more: Any) -> Day:
    return run(ours, theirs, params(new, context=b"another agreement of a later day"), day[1:3], **more)


@pytest.fixture(scope="module")
def first() -> Day:
    return run(range(400), range(300, 900))


def rows_of(table) -> set[bytes]:
    return {row.tobytes() for row in table}


def honest(day: Day, ours, theirs) -> None:
    """What is kept is what the two sets and the key determine, and the table is the sender's."""
    assert sorted(day.found) == sorted(set(ours) & set(theirs))
    state, its = day.ours, day.theirs
    assert rows_of(state.items) == rows_of(items(*set(ours)))
    assert rows_of(its.items) == rows_of(items(*set(theirs)))
    assert rows_of(state.table) == rows_of(its.tags) | rows_of(its.fillers)
    assert len(state.table) == state.epoch.table == its.epoch.table
    assert state.epoch == its.epoch


def test_a_first_run_begins_an_epoch(first):
    honest(first, range(400), range(300, 900))
    assert (first.ours.epoch.runs, first.ours.epoch.rows_r) == (1, 512)


def test_nothing_is_kept_of_a_run_that_nobody_wants_to_go_on_from():
    _, its = session.run(receiver(items(1), params()), sender(items(1), params()))
    assert its is None


def test_what_came_and_went_on_both_sides(first):
    day = following(first, range(10, 420), range(330, 930))
    honest(day, range(10, 420), range(330, 930))


def test_equal_sets_give_a_run_of_the_same_shape(first):
    same, changed = (following(first, range(k, 400 + k), range(300 + k, 900 + k)) for k in (0, 30))
    assert [m.sizes() for m in same.seen] == [m.sizes() for m in changed.seen]
    measured = sum(s if isinstance(s, int) else s[0] * s[1] for m in same.seen for s in m.sizes().values())
    assert measured == sum(PROTOCOL.traffic(params(NEW)))


def test_a_removed_item_that_returns(first):
    gone = following(first, range(400), range(320, 900))
    assert not set(gone.found) & set(range(300, 320))
    back = following(gone, range(400), range(300, 900))
    honest(back, range(400), range(300, 900))
    assert rows_of(back.theirs.tags) == rows_of(first.theirs.tags), "one epoch, one tag for an item"


def test_an_honest_receiver_keeps_nothing_of_what_went(first):
    day = following(first, range(400), range(300, 850))
    went = rows_of(first.theirs.tags) - rows_of(day.theirs.tags)
    assert len(went) == 50
    assert not any(tag in day.ours.to_bytes() for tag in went)


def test_what_is_kept_is_what_a_whole_run_of_that_day_would_leave_under_the_same_key(first):
    """Seen from the receiver: its rows, their tags, and of the sender's rows the tags, no other."""
    day = following(first, range(20, 410), range(340, 910))
    again = run(
        range(20, 410), range(340, 910),
        rngs=({}, {"rng": lambda n: first.theirs.seed if n == 32 else np.random.default_rng().bytes(n)}),
    )  # fmt: skip
    by_row = dict(zip(map(bytes, again.ours.items), map(bytes, again.ours.tags), strict=True))
    assert by_row == dict(zip(map(bytes, day.ours.items), map(bytes, day.ours.tags), strict=True))
    assert rows_of(again.theirs.tags) == rows_of(day.theirs.tags)
    assert rows_of(again.theirs.tags) < rows_of(day.ours.table)
    assert len(again.ours.table) == len(day.ours.table)
    assert again.found == day.found


histories = st.lists(
    st.tuples(*[st.sets(st.integers(0, 120), max_size=32) for _ in range(4)]), min_size=1, max_size=10
)


@settings(max_examples=25, deadline=None)
@given(
    ours=st.sets(st.integers(0, 120), max_size=100),
    theirs=st.sets(st.integers(0, 120), max_size=100),
    history=histories,
)
def test_ten_days_of_any_history_are_plain_intersections(ours, theirs, history):
    sizes = (128, 128)
    day = run(ours, theirs, params(sizes=sizes))
    for plus_r, minus_r, plus_s, minus_s in history:
        ours, theirs = (ours | plus_r) - minus_r, (theirs | plus_s) - minus_s
        stored = (
            ReceiverState.from_bytes(day.ours.to_bytes()), SenderState.from_bytes(day.theirs.to_bytes())
        )  # fmt: skip
        day = run(ours, theirs, params((32, 32), sizes=sizes), stored)
        honest(day, ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(range(33, 433), range(300, 900), id="the receiver's"),
        pytest.param(range(400), range(300, 965), id="what comes"),
        pytest.param(range(400), range(365, 900), id="what goes"),
        pytest.param(range(400), (), id="everything goes"),
    ],
)
def test_more_change_than_the_level_ends_the_epoch(first, ours, theirs):
    with pytest.raises(ParameterError):
        following(first, ours, theirs)


def test_the_largest_change_of_all_levels(first):
    day = following(first, range(32, 432), range(340, 940), new=(32, 40))
    honest(day, range(32, 432), range(340, 940))
    with pytest.raises(EpochEnded):
        following(first, range(400), range(341, 941), new=(32, 40))


def test_a_sender_may_grow_by_a_sixteenth_beyond_its_first_size():
    day, p = run(range(10), range(1000), params(sizes=(128, 1000))), params((32, 63), (128, 1200))
    for n in range(1000, 1084, 21):
        day = run(range(10), range(n + 21), p, day[1:3])
        honest(day, range(10), range(n + 21))
    with pytest.raises(EpochEnded, match="carry"):
        run(range(10), range(1105), p, day[1:3])


def test_a_receiver_may_grow_as_it_likes():
    day = run(range(100), range(100), params(sizes=(104, 128)))
    for n in (130, 160, 190):
        state = ReceiverState.from_bytes(day.ours.to_bytes())
        day = run(range(n), range(100), params((32, 32), (208, 128)), (state, day.theirs))
        honest(day, range(n), range(100))


def test_a_receiver_that_emptied(first):
    honest(following(first, (), range(300, 900)), (), range(300, 900))


def test_the_room_of_an_epoch_is_bounded():
    day, ours = run(range(100), range(128), params(sizes=(128, 128))), 100
    for _ in range((ROOM - 1) * 4):
        day = run(range(ours, ours + 32), range(128), params((32, 32), (128, 128)), day[1:3])
        ours += 32
    with pytest.raises(EpochEnded, match="used up"):
        run(range(ours, ours + 32), range(128), params((32, 32), (128, 128)), day[1:3])
    assert day.ours.epoch.rows_r <= ROOM * 128
    assert day.ours.epoch.rows_s <= ROOM * day.ours.epoch.table


@pytest.mark.parametrize("new", [(0, 0), (0, 32), (32, 0)])
def test_parameters_that_are_not_of_a_run_from_a_state(first, new):
    for role, state in ((receiver, first.ours), (sender, first.theirs)):
        with pytest.raises(ParameterError):
            next(role(items(1), params(new), state=state))
    with pytest.raises(ParameterError):
        next(sender(items(1), params((32, 32)), state=Fresh()))
    with pytest.raises(ParameterError):
        next(receiver(items(1), params((32, 32))))


def test_who_is_answered_twice_sees_the_same_fillers(first):
    """Else what both answers have in common were the items, and the rest known to be fillers."""
    a, b = (following(first, range(400), range(310, 905)) for _ in range(2))
    assert [m.tags.tobytes() for m in a.seen[2:]] == [m.tags.tobytes() for m in b.seen[2:]]
    assert a.seen[0].blinded.tobytes() != b.seen[0].blinded.tobytes()


def test_what_fills_up_takes_its_turn_and_shows_no_order(first):
    day, gone = first, set()
    for _ in range(4):
        day = following(day, range(400), range(300, 900), new=(32, 32))
        part = day.seen[3].tags
        gone |= rows_of(part)
        ranks = np.searchsorted(first.ours.table[:, 0].astype(int), part[:, 0].astype(int)) / len(
            first.ours.table
        )
        assert 0.2 < ranks.mean() < 0.8
    assert len(gone) == 128
    assert not gone & rows_of(day.theirs.tags)


# --- the levels and the width


def test_levels():
    assert [change_level(n, 4096) for n in (0, 32, 33, 64, 65, 256, 257)] == [32, 32, 64, 64, 256, 256, None]
    assert [change_level(0, n) for n in (32, 127, 128)] == [None, None, 32]
    assert [change_level(33, n) for n in (512, 528, 2048)] == [None, 33, 128]
    for padded in (128, 1000, 20_480, 188_416):
        assert change_level(-(-padded // LEVELS[-1]), padded) in {reserve(padded) // 2, None}


@given(n_r=st.integers(1, 1 << 22), n_s=st.integers(1, 1 << 22))
def test_a_tag_is_wide_enough_for_all_that_an_epoch_compares(n_r, n_s):
    epoch = Epoch(bytes(32), n_r, n_s, 40)
    rows_r, rows_s = ROOM * n_r, ROOM * epoch.table
    assert (rows_r * rows_s + rows_s * (rows_s - 1) // 2) * 2**40 <= 256**epoch.width


# --- a lying peer


def changing(kind, nth, change):
    count = -1

    def tamper(message):
        nonlocal count
        count += type(message) is kind
        return change(message) if type(message) is kind and count == nth else message

    return tamper


def with_first(message: Message, field: str, row) -> Message:
    changed = getattr(message, field).copy()
    changed[0] = row
    return dataclasses.replace(message, **{field: changed})  # type: ignore[type-var]


LIES = {
    "another key": (Evaluated, 0, lambda m: dataclasses.replace(m, public_key=bytes(32)), VerificationError),
    "a wrong proof": (
        Evaluated, 0, lambda m: dataclasses.replace(m, proof=m.proof[32:] + m.proof[:32]), PeerFault,
    ),
    "a row of another": (
        Evaluated, 0, lambda m: with_first(m, "evaluated", m.evaluated[1]), VerificationError,
    ),
    "what comes unsorted": (Tags, 0, lambda m: Tags(m.tags[::-1].copy()), ProtocolError),
    "what comes twice": (Tags, 0, lambda m: with_first(m, "tags", m.tags[1]), ProtocolError),
    "what goes unsorted": (Tags, 1, lambda m: Tags(m.tags[::-1].copy()), ProtocolError),
    "what was never there goes": (Tags, 1, lambda m: with_first(m, "tags", 0), ProtocolError),
    "one less": (Tags, 1, lambda m: Tags(m.tags[1:].copy()), ProtocolError),
    "blinds that are none": (Blinded, 0, lambda m: Blinded(np.zeros_like(m.blinded)), DecodeError),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_a_run_from_a_state_is_the_peers_fault(first, lie):
    kind, nth, change, error = LIES[lie]
    with pytest.raises(error):
        following(first, range(10, 410), range(310, 910), tamper=changing(kind, nth, change))


def test_what_is_there_cannot_come_again(first):
    there = first.ours.table[: NEW[1]]
    with pytest.raises(ProtocolError, match="adds tags that are there"):
        following(first, range(400), range(300, 900), tamper=changing(Tags, 0, lambda m: Tags(there.copy())))


def test_a_sender_with_the_state_of_another_peer_is_found_out(first):
    other = run(range(400), range(300, 900))
    mixed = Day(first.found, first.ours, other.theirs, [])
    with pytest.raises(VerificationError, match="another key"):
        following(mixed, range(400), range(300, 900))


def test_a_sender_that_is_a_day_behind_is_found_out(first):
    """Its fillers and its changes are of another table."""
    ahead = following(first, range(400), range(330, 930))
    with pytest.raises(ProtocolError):
        following(Day([], ahead.ours, first.theirs, []), range(400), range(330, 930))


# --- states as bytes


@pytest.mark.parametrize("which", ["ours", "theirs"])
def test_a_state_is_bytes_and_nothing_of_it_is_printed(first, which):
    state = getattr(first, which)
    data = state.to_bytes()
    assert type(state).from_bytes(data).to_bytes() == data
    assert all(table[0].tobytes().hex() not in repr(state) for table in (state.items, state.tags))
    secret = state.public_key if which == "ours" else state.seed
    assert secret.hex() not in repr(state)
    assert repr(secret) not in repr(state)
    other = SenderState if which == "ours" else ReceiverState
    with pytest.raises(DecodeError):
        other.from_bytes(data)


@pytest.mark.parametrize("which", ["ours", "theirs"])
def test_damaged_bytes_are_no_state(first, which):
    kind, data = type(getattr(first, which)), getattr(first, which).to_bytes()
    for cut in (0, 1, 100, len(data) - 1):
        with pytest.raises(DecodeError):
            kind.from_bytes(data[:cut])
    with pytest.raises(DecodeError):
        kind.from_bytes(data + b"\0")
    rnd = random.Random(5)
    for _ in range(300):
        changed = bytearray(data)
        changed[rnd.randrange(120)] ^= 1 << rnd.randrange(8)
        try:
            state = kind.from_bytes(bytes(changed))
        except DecodeError:
            continue
        assert state.to_bytes() == bytes(changed)


def test_the_same_randomness_gives_the_same_run(first):
    seeds = [({"rng": deterministic_rng(b"r")}, {"rng": deterministic_rng(b"s")}) for _ in range(2)]
    a, b = (following(first, range(9, 400), range(300, 909), rngs=rngs) for rngs in seeds)
    assert [m.sizes() for m in a.seen] == [m.sizes() for m in b.seen]
    assert a.seen[1].proof == b.seen[1].proof
