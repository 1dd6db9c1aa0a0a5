"""What a member puts in: one voice for an entry, copies together, numbers cut to the cap, nothing too old."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from exchange.aggregation.opening import Measure
from exchange.aggregation.vector import Filled, Seen, fill, slot_of
from exchange.errors import PeerMisbehaved
from exchange.indicators import IndicatorType
from tests.exchange.aggregation.openings import SUM, dictionary, over

DAY = datetime(2026, 2, 14, 12, tzinfo=UTC)
OWN = Seen(own=True, origin="ours", sightings=None, confidence=None, first=DAY, last=DAY)
COPY = replace(OWN, own=False, origin="ThreatFeed")
WORDS = dictionary(10)
COUNT = over(WORDS)
TIMES = over(WORDS, **SUM)


def put(said: list[Seen], change: dict[str, Any] | None = None, at: int = 3) -> Filled:
    return fill(over(WORDS, **(change or {})), WORDS, [(at, said)])


def entry(filled: Filled, words: int, at: int = 3) -> list[int]:
    table = filled.words.reshape(-1, words)
    assert not np.delete(table, at, axis=0).any()
    return table[at].tolist()


class TestCount:
    def test_our_own_sighting_is_a_voice_of_its_own(self) -> None:
        filled = put([COPY, OWN, COPY])
        assert entry(filled, 8) == [1, 0, 0, 0, 0, 0, 0, 0]
        assert (filled.entered, filled.clipped) == ({IndicatorType.DOMAIN: 1}, 0)
        assert filled.words.dtype == np.uint8
        assert np.flatnonzero(filled.ours(8)).tolist() == [3]

    def test_copies_of_one_report_meet_in_one_slot(self) -> None:
        slot = slot_of(COUNT, [COPY])
        for name in ("threatfeed", " Threatfeed ", "\uff34hreatFeed"):
            assert slot_of(COUNT, [replace(COPY, origin=name)]) == slot
        assert slot_of(COUNT, [COPY, COPY]) == slot
        assert slot is not None
        assert entry(put([COPY]), 8)[slot] == 1
        assert sum(entry(put([COPY]), 8)) == 1

    def test_whoever_has_the_same_origins_takes_the_same(self) -> None:
        origins = [replace(COPY, origin=f"feed {i}") for i in range(9)]
        assert slot_of(COUNT, origins) == slot_of(COUNT, origins[::-1])
        assert slot_of(COUNT, origins) in {slot_of(COUNT, [one]) for one in origins}

    def test_origins_fall_into_all_slots_and_anew_in_every_run(self) -> None:
        origins = [replace(COPY, origin=f"feed {i}") for i in range(200)]
        slots = [slot_of(COUNT, [one]) for one in origins]
        assert set(slots) == set(range(1, 8))
        assert slots != [slot_of(replace(COUNT, session=b"x" * 32), [one]) for one in origins]

    def test_with_one_slot_copies_are_no_voice(self) -> None:
        assert slot_of(replace(COUNT, slots=1), [COPY]) is None
        assert slot_of(replace(COUNT, slots=1), [COPY, OWN]) == 0
        filled = put([COPY], {"slots": 1})
        assert not filled.words.any()
        assert filled.entered == {}

    def test_nothing_known_is_nothing_put_in(self) -> None:
        filled = fill(COUNT, WORDS, [])
        assert filled.words.shape == (80,)
        assert not filled.words.any()


class TestTimes:
    @pytest.mark.parametrize(
        ("first", "last", "counts"),
        [
            (date(2026, 2, 1), date(2026, 2, 1), True),
            (date(2026, 2, 28), date(2026, 2, 28), True),
            (date(2026, 1, 31), date(2026, 1, 31), False),
            (date(2026, 3, 1), date(2026, 3, 1), False),
            (date(2026, 1, 1), date(2026, 3, 1), True),
            (date(2026, 3, 1), date(2026, 2, 3), True),
        ],
    )
    def test_what_was_not_seen_in_the_window_does_not_count(
        self, first: date, last: date, counts: bool
    ) -> None:
        seen = replace(OWN, first=at(first), last=at(last))
        assert bool(put([seen]).words.any()) is counts
        assert bool(put([seen], SUM).words.any()) is counts

    @pytest.mark.parametrize(("day", "counts"), [(22, True), (21, False), (28, True)])
    def test_nor_what_is_too_old(self, day: int, counts: bool) -> None:
        seen = replace(OWN, first=at(date(2026, 2, day)), last=at(date(2026, 2, day)))
        assert bool(put([seen], {"max_age_days": 7}).words.any()) is counts

    def test_a_long_age_does_not_widen_the_window(self) -> None:
        assert over(WORDS, max_age_days=3000).earliest == date(2026, 2, 1)
        assert over(WORDS, max_age_days=1).earliest == date(2026, 2, 28)

    def test_days_are_utc(self) -> None:
        east = datetime.fromisoformat("2026-02-01T03:00:00+09:00")
        assert not put([replace(OWN, first=east, last=east)]).words.any()


class TestSum:
    @pytest.mark.parametrize(
        ("measure", "said", "value"),
        [
            (Measure.SIGHTINGS, [OWN], 1),
            (Measure.SIGHTINGS, [replace(OWN, sightings=40)], 40),
            (Measure.SIGHTINGS, [replace(OWN, sightings=40), replace(OWN, sightings=7)], 40),
            (Measure.SIGHTINGS, [replace(COPY, sightings=40)], 0),
            (Measure.SIGHTINGS, [OWN, replace(COPY, sightings=40)], 1),
            (Measure.SEVERITY, [replace(OWN, sightings=40, confidence=50)], 2000),
            (Measure.SEVERITY, [replace(OWN, confidence=50)], 50),
            (Measure.SEVERITY, [replace(OWN, sightings=40)], 40),
            (Measure.SIGHTINGS, [replace(OWN, sightings=0)], 1),
        ],
    )
    def test_our_own_numbers_count_and_no_others(
        self, measure: Measure, said: list[Seen], value: int
    ) -> None:
        filled = put(said, SUM | {"measure": measure})
        assert entry(filled, 3) == [value, value * value, int(value > 0)]
        assert filled.entered == ({IndicatorType.DOMAIN: 1} if value else {})
        assert filled.words.dtype == np.uint64

    def test_a_number_over_the_cap_is_cut_down_to_it(self) -> None:
        cap = TIMES.cap
        filled = put([replace(OWN, sightings=cap + 1)], SUM)
        assert entry(filled, 3) == [cap, cap * cap, 1]
        assert filled.clipped == 1
        assert put([replace(OWN, sightings=cap)], SUM).clipped == 0
        assert filled.words.max() <= TIMES.word_cap


def test_the_dictionary_of_another_run_is_refused() -> None:
    with pytest.raises(PeerMisbehaved):
        fill(COUNT, dictionary(12), [])


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
