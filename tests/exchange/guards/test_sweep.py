"""Quotas make a sweep take so long, and stop it on the day that was foretold."""

from collections import deque

import hypothesis.strategies as st
import pytest
from hypothesis import given

from exchange.guards import days_to_sweep, in_words, stopped_on_day
from exchange.guards.sweep import IPV4

quotas = st.none() | st.integers(1, 400_000)


def test_a_sweep_of_ipv4_takes_years() -> None:
    days = days_to_sweep(IPV4, 1_000_000)
    assert (days, in_words(days)) == (4295, "11.8 years")
    assert in_words(days_to_sweep(IPV4, 2**16)) == "179.6 years"
    assert in_words(days_to_sweep(2**24, 2**16)) == "256 days"


def test_a_begun_day_is_a_day() -> None:
    assert [days_to_sweep(n, 100) for n in (1, 100, 101, 200)] == [1, 1, 2, 2]


def test_times_are_said_as_people_say_them() -> None:
    assert [in_words(n) for n in (0, 1, 2, 729, 730, 36_500, 4_000_000)] == [
        "0 days", "1 day", "2 days", "729 days", "2.0 years", "100.0 years", "10,958.9 years",
    ]  # fmt: skip


def test_a_sweeping_peer_is_stopped() -> None:
    """It walks through a /16 in daily sets of 1,024 under a quota of 20,000 a year."""
    assert stopped_on_day(1024, None, 20_000) == 20
    assert stopped_on_day(1024, 1000, None) == 1
    assert stopped_on_day(1000, 1000, None) is None
    assert stopped_on_day(1000, None, 365_000) is None
    assert stopped_on_day(1000, None, 364_999) == 365


@given(st.integers(1, 2000), quotas, quotas)
def test_that_is_the_day_on_which_the_quotas_refuse(
    daily: int, per_day: int | None, per_year: int | None
) -> None:
    """Day by day, with the rules as the policy has them."""
    spent: deque[int] = deque(maxlen=364)
    stopped = None
    for day in range(1, 1100):
        over_year = per_year is not None and sum(spent) + daily > per_year
        if over_year or (per_day is not None and daily > per_day):
            stopped = day
            break
        spent.append(daily)
    assert stopped_on_day(daily, per_day, per_year) == stopped


@pytest.mark.parametrize("wrong", [(0, 5), (5, 0), (-1, 5)])
def test_nothing_is_no_sweep(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="sweep"):
        days_to_sweep(*wrong)
    with pytest.raises(ValueError, match="stopped"):
        stopped_on_day(0, 1, 1)
