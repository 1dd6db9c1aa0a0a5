"""What is asked, who is drawn, what is said: the pure parts of a discovery."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exchange.aggregation.lots import EPOCH_DAYS, HELPERS, Parts, draw, epoch_of
from exchange.aggregation.round import Learns, Round, day_of
from exchange.config import Limits
from exchange.discovery import words
from exchange.discovery.office import Office
from exchange.discovery.outcome import Outcome, list_hash, released_rows, voices_of
from exchange.discovery.preparing import plan_of
from exchange.discovery.search import Search
from exchange.errors import ConfigError, PeerMisbehaved, SessionRefused
from exchange.identity import encoding
from exchange.indicators import Indicator, IndicatorType
from tests.exchange.disclosure.desks import NOON
from tests.exchange.discovery.alliance import NAMES, PARTS, ROSTER

ROUND = Round(
    alliance=ROSTER.alliance, roster_epoch=1, roster_hash=ROSTER.hash, members=NAMES, day=day_of(NOON),
    types=(IndicatorType.DOMAIN, IndicatorType.URL), threshold=3, minimum=4, purpose="weekly",
    learns=Learns.INDIVIDUAL, largest=0, parts=PARTS,
)  # fmt: skip
LOT: dict[str, Any] = {"alliance": ROSTER.alliance, "before": ROSTER.hash}
KEYED = ROUND.with_keys((b"c" * 64, b"d" * 64), b"b" * 32)
LIES = {
    "alliance": "nodot",
    "roster_epoch": 0,
    "roster_hash": b"short",
    "members": ("alice", "bob"),
    "day": -1,
    "types": (IndicatorType.URL, IndicatorType.DOMAIN),
    "threshold": 6,
    "minimum": 6,
    "purpose": "two\nlines",
    "largest": -1,
    "keys": (b"c" * 64,),
    "box": b"",
    "parts": Parts(relay="alice", counter="nobody", helpers=("carol", "dave")),
}


def test_a_round_is_the_same_after_its_way() -> None:
    for one in (ROUND, KEYED):
        assert Round.decode(one.encoded) == one
    assert KEYED.plan == ROUND.plan == ROUND.context != KEYED.context


@pytest.mark.parametrize("field", LIES)
def test_a_round_that_cannot_be(field: str) -> None:
    with pytest.raises(ValueError, match=r"a|the"):
        replace(KEYED, **{field: LIES[field]})


def test_whatever_is_asked_differently_is_another_session() -> None:
    others = [
        replace(ROUND, **change)
        for change in (
            {"day": ROUND.day + 1},
            {"types": (IndicatorType.URL,)},
            {"threshold": 2},
            {"minimum": 3},
            {"purpose": "daily"},
            {"learns": Learns.ALL},
            {"largest": 10},
            {"parts": replace(PARTS, counter="erin")},
        )
    ]
    keyed = [replace(KEYED, keys=(b"x" * 64, b"d" * 64)), replace(KEYED, box=b"x" * 32)]
    assert len({one.context for one in (ROUND, KEYED, *others, *keyed)}) == 2 + len(others) + len(keyed)


def test_a_round_in_another_form_is_none() -> None:
    table = encoding.decode(ROUND.encoded, limit=1 << 14)
    for lie in (
        {"version": 2},
        {"members": [1]},
        {"keys": ["text"]},
        {"learns": "nobody"},
        {"types": ["none"]},
    ):
        with pytest.raises(SessionRefused):
            Round.decode(encoding.encode(table | lie))


def test_a_round_is_for_its_roster_and_its_day() -> None:
    ROUND.check(ROSTER, NOON)
    ROUND.check(ROSTER, NOON + timedelta(days=1))  # a run at midnight, a clock that is behind
    for lie, moment in (({}, NOON + timedelta(days=2)), ({"roster_hash": b"h" * 32}, NOON)):
        with pytest.raises(SessionRefused):
            replace(ROUND, **lie).check(ROSTER, moment)


def test_lots_are_the_same_for_all_and_fall_on_all() -> None:
    drawn = [draw(NAMES, **LOT, day=day) for day in range(700)]
    assert drawn == [draw(NAMES[::-1], **LOT, day=day) for day in range(700)]
    assert not [parts.fault() or parts.overlap for parts in drawn if parts.fault() or parts.overlap]
    for part in ("relay", "counter"):
        counts = Counter(getattr(parts, part) for parts in drawn)
        # Each of five 140 times, with a standard deviation of 15: helpers are drawn for seven days at once.
        assert set(counts) == set(NAMES)
        assert all(abs(count - 140) < 75 for count in counts.values())


def test_whoever_asks_or_drafts_the_roster_cannot_try_until_the_draw_pleases() -> None:
    """Nothing that it states for all, and nothing of the roster that it drafts, changes who is drawn."""
    desk = SimpleNamespace(clock=lambda: NOON, limits=Limits())
    search = Search(threshold=3, types=(IndicatorType.DOMAIN,))
    asked = [
        search,
        replace(search, threshold=2),
        replace(search, minimum=5),
        replace(search, types=(IndicatorType.URL,)),
        replace(search, learns=Learns.ALL),
        replace(search, largest=10),
        *(replace(search, purpose=f"try {number}") for number in range(20)),
    ]
    rosters = [ROSTER, *(replace(ROSTER, issued_at=number, epoch=2) for number in range(2, 20))]
    assert len({roster.hash for roster in rosters}) == len(rosters)
    drawn = {
        plan_of(Office(desk, lambda roster=roster: roster, None), one).parts
        for roster in rosters
        for one in asked
    }
    assert len(drawn) == 1


def test_helpers_stay_for_an_epoch_and_the_others_do_not() -> None:
    first = EPOCH_DAYS * 1000
    week = [draw(NAMES, **LOT, day=first + day) for day in range(EPOCH_DAYS)]
    assert len({parts.helpers for parts in week}) == 1
    assert len({(parts.relay, parts.counter) for parts in week}) > 1
    assert epoch_of(first - 1) + 1 == epoch_of(first) == epoch_of(first + EPOCH_DAYS - 1)


@pytest.mark.parametrize("count", [3, 4, 5, 30])
def test_parts_of_alliances_of_any_size(count: int) -> None:
    names = [f"m{number:02}" for number in range(count)]
    parts = draw(names, **LOT, day=20_000)
    assert parts.fault() == ""
    assert bool(parts.overlap) is (count == 3)
    assert len(parts.helpers) == HELPERS


def test_two_members_draw_nothing() -> None:
    with pytest.raises(ConfigError, match="3 members"):
        draw(NAMES[:2], **LOT, day=20_000)


@pytest.mark.parametrize(
    "parts",
    [
        Parts(relay="alice", counter="alice", helpers=("carol", "dave")),
        Parts(relay="alice", counter="carol", helpers=("carol", "dave")),
        Parts(relay="alice", counter="bob", helpers=("carol",)),
    ],
)
def test_parts_that_would_see_too_much(parts: Parts) -> None:
    assert parts.fault()


OUTCOME = Outcome(
    listed=list_hash([b"a" * 32]), counted=4, blamed=((b"a" * 32, "bad-share"),), root=b"r" * 32, released=2,
    body=released_rows(np.arange(64, dtype=np.uint8).reshape(2, 32), np.array([3, 300])),
)  # fmt: skip


def test_an_outcome_is_the_same_after_its_way() -> None:
    found = Outcome.decode(OUTCOME.encode())
    assert found == OUTCOME
    released, voices = voices_of(found)
    assert released.tobytes() == bytes(range(64))
    assert voices.tolist() == [3, 300]


@pytest.mark.parametrize(
    "lie",
    [
        {"listed": b"short"},
        {"counted": 101},
        {"released": -1},
        {"blamed": ((b"a" * 31, "bad-share"),)},
        {"blamed": ((b"a" * 32, "two words"),)},
        {"blamed": ((b"a" * 32, "x" * 32),)},
    ],
)
def test_an_outcome_that_cannot_be(lie: dict) -> None:
    with pytest.raises(PeerMisbehaved):
        Outcome.decode(replace(OUTCOME, **lie).encode())


def test_an_outcome_that_is_cut_or_longer() -> None:
    encoded = OUTCOME.encode()
    for data in (b"", encoded[:3], encoded[:40], b"\xff" * 100):
        with pytest.raises(PeerMisbehaved):
            Outcome.decode(data)
    for data in (encoded[:-1], encoded + b"\0"):
        with pytest.raises(PeerMisbehaved):
            voices_of(Outcome.decode(data))


def test_words_are_the_same_after_their_way() -> None:
    said = [Indicator(IndicatorType.DOMAIN, "b.example"), Indicator(IndicatorType.DOMAIN, "a.example")]
    text = words.encode([*said, said[0]])
    assert words.decode(text) == said[::-1]
    assert words.decode(words.encode([])) == []


@pytest.mark.parametrize(
    "text",
    [
        b"domain\x1fb.example\ndomain\x1fa.example",
        b"domain\x1fa.example\ndomain\x1fa.example",
        b"domain\x1fa.example\n",
        b"domain a.example",
        b"domain\x1f",
        b"nothing\x1fa.example",
        b"domain\x1fa\x1b[2Jb",
        b"domain\x1f\xff",
        b"domain\x1f" + b"a" * 5000,
    ],
)
def test_words_that_are_none(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        words.decode(text)


def test_days_are_those_of_utc() -> None:
    assert day_of(datetime(1970, 1, 2, 23, 59, tzinfo=UTC)) == 1
