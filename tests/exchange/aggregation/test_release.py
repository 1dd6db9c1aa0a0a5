"""What is released: enough voices, no dominance, not noise alone; and who is shown it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.aggregation.opening import Visibility
from exchange.aggregation.release import Released, goes_on, release, rows, shown, strays
from exchange.errors import InputError
from tests.exchange.aggregation.openings import MEMBERS, SUM, dictionary, over

WORDS = dictionary(4)
COUNT, TIMES = over(WORDS), over(WORDS, **SUM)


def counted(*entries: list[int], **change: Any) -> Released:
    table = np.zeros((4, 8), np.uint8)
    for at, words in enumerate(entries):
        table[at, : len(words)] = words
    return release(over(WORDS, **change), table.reshape(-1), 5)


def summed(*members: list[int], **change: Any) -> Released:
    """What the members put in for the first entry."""
    table = np.zeros((4, 3), np.uint64)
    for (value,) in members:
        table[0] += np.array([value, value * value, value > 0], np.uint64)
    return release(over(WORDS, **SUM | change), table.reshape(-1), 5)


class TestCount:
    def test_copies_of_one_report_are_one_voice(self) -> None:
        found = counted([0, 5], [1, 4], [2, 4], [1, 1, 0, 1])
        assert found.numbers.tolist() == [1, 2, 3, 3]
        assert found.released.tolist() == [False, False, True, True]
        assert found.own.tolist() == [0, 1, 2, 1]
        assert found.withheld == {"too-few": 2}
        assert found.count == 2

    def test_what_nobody_has_is_not_counted_as_withheld(self) -> None:
        assert counted().withheld == {}

    @pytest.mark.parametrize("k", [2, 3, 4])
    def test_k_is_the_one_of_the_opening(self, k: int) -> None:
        assert counted([k], [k - 1], reporters=k).released.tolist() == [True, False, False, False]


class TestSum:
    def test_numbers_of_enough_members_are_released(self) -> None:
        found = summed([5], [7], [9])
        assert (found.numbers[0], found.reporters[0], found.count) == (21, 3, 1)

    def test_a_member_that_put_in_nothing_is_no_reporter(self) -> None:
        found = summed([5], [7], [0], [0])
        assert (found.count, found.withheld) == (0, {"too-few": 1})

    def test_a_number_that_one_member_dominates_is_held_back(self) -> None:
        assert summed([100], [1], [1]).withheld == {"dominated": 1}
        assert summed([100], [1], [1], dominance_milli=1000).count == 1

    @given(st.lists(st.integers(1, 1 << 20), min_size=3, max_size=5), st.integers(1, 1000))
    def test_whatever_is_released_nobody_has_more_than_the_part_allowed(
        self, values: list[int], milli: int
    ) -> None:
        found = summed(*([value] for value in values), dominance_milli=milli)
        if found.count:
            assert 1000 * max(values) <= milli * sum(values)
        elif found.withheld == {"dominated": 1}:
            squares = sum(value * value for value in values)
            assert 1_000_000 * squares >= (1 - 1e-8) * (milli * sum(values)) ** 2

    def test_even_numbers_of_three_are_released_by_default(self) -> None:
        assert summed([1], [1], [1]).count == 1
        assert summed([1 << 20], [1 << 20], [1 << 20]).count == 1


class TestNoise:
    NOISY: dict[str, Any] = {"slots": 1, "width": 16, "epsilon_milli": 1000}  # noqa: RUF012

    def test_a_number_has_to_be_above_what_noise_explains(self) -> None:
        opening = over(WORDS, **self.NOISY)
        assert opening.noise is not None
        line = 3 + opening.noise.margin(5, 1e-6)
        assert line > 3 + 13
        found = release(opening, np.array([line, line - 1, 2, -4], np.int16), 5)
        assert found.released.tolist() == [True, False, False, False]
        assert found.numbers[0] == 5, "more than all of them there cannot be"
        assert found.withheld == {}

    def test_the_setup_has_room_for_it(self) -> None:
        opening = over(WORDS, **self.NOISY)
        assert opening.noise is not None
        agreed = opening.setup([bytes([i]) * 32 for i in range(5)])
        assert agreed.reserve == opening.noise.reserve(5) > 0
        assert opening.noise.honest == 4 - 1


class TestShown:
    OURS = np.array([True, False, False, True])

    @pytest.mark.parametrize(
        ("level", "coordinator", "administrator", "member", "outsider"),
        [
            (Visibility.OWNER, 4, 0, 0, 0),
            (Visibility.REPORTERS, 4, 2, 2, 2),
            (Visibility.EVERYONE, 4, 4, 4, 0),
            (Visibility.OWNER_AND_HOST, 4, 4, 0, 0),
        ],
    )
    def test_levels(
        self, level: Visibility, coordinator: int, administrator: int, member: int, outsider: int
    ) -> None:
        opening = over(WORDS, visibility=level)
        names = {"umbra": coordinator, "acme": administrator, "hooli": member, "stranger": outsider}
        for name, n in names.items():
            assert shown(opening, name, {"acme"}, self.OURS).sum() == n

    def test_reporters_see_what_they_reported(self) -> None:
        opening = over(WORDS, visibility=Visibility.REPORTERS)
        assert shown(opening, "hooli", (), self.OURS).tolist() == self.OURS.tolist()
        assert not shown(opening, "hooli", (), None).any()

    def test_rows_are_released_and_shown_the_largest_first(self) -> None:
        found = counted([3], [1], [4], [5])
        assert [row.number for row in rows(WORDS, found, self.OURS)] == [5, 3]
        everything = rows(WORDS, found, np.ones(4, bool))
        assert [(row.indicator, row.number) for row in everything] == [
            (WORDS[3], 5), (WORDS[2], 4), (WORDS[0], 3),
        ]  # fmt: skip


class TestGoesOn:
    VECTOR = np.array([[3, 0], [4, 9], [5, 0], [2, 9]], np.uint8).reshape(-1)
    EVERYBODY = (0, 1, 2, 3, 4)

    def test_own_sightings_of_enough_members_go_on(self) -> None:
        assert goes_on(over(WORDS, slots=2), self.VECTOR, 3).tolist() == [0, 1, 2]
        assert goes_on(over(WORDS, slots=2), self.VECTOR, 5).tolist() == [2]

    def test_nothing_follows_from_noise_or_from_a_sum(self) -> None:
        for opening in (over(WORDS, **TestNoise.NOISY), TIMES):
            with pytest.raises(InputError):
                goes_on(opening, np.zeros(opening.size), 3)

    def test_a_sum_is_of_those_that_were_counted_and_of_all_of_them(self) -> None:
        count, total = over(WORDS), over(WORDS, **SUM | {"minimum": 5})
        assert strays(total, count, self.EVERYBODY) == ""
        left = replace(total, members=MEMBERS[:4], minimum=4)
        assert strays(left, count, (0, 1, 2, 3)) == ""
        assert strays(left, count, self.EVERYBODY) == "other members than those that were counted"
        assert strays(total, count, (0, 1, 2, 3)) == "other members than those that were counted"
        assert strays(replace(total, minimum=4), count, self.EVERYBODY) == "fewer members in the end"

    def test_a_sum_is_over_the_days_that_were_counted(self) -> None:
        count, total = over(WORDS), over(WORDS, **SUM | {"minimum": 5})
        assert strays(replace(total, max_age_days=1), count, self.EVERYBODY) == "other days"
        assert strays(replace(total, window=(total.window[1],) * 2), count, self.EVERYBODY) == "other days"
        assert (
            strays(replace(total, profile="cti-c14n/2"), count, self.EVERYBODY) == "other canonical profile"
        )
