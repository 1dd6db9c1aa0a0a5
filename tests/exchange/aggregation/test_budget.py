"""What noisy numbers may tell in all, against OpenDP's filter; and which are released, against the chance."""

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import opendp.prelude as opendp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import ParameterError
from crypto.secagg.noise import Noise
from exchange.aggregation.budget import (
    DELTA,
    MONTH,
    YEAR,
    Budget,
    Release,
    admit,
    least,
    left,
    released,
    spent,
)
from exchange.errors import PolicyRefusal
from exchange.indicators import IndicatorType

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
BUDGET = Budget()
IPV4, DOMAIN, URL = IndicatorType.IPV4, IndicatorType.DOMAIN, IndicatorType.URL
DAY = timedelta(days=1)
SPANS = ((MONTH, "month_milli"), (YEAR, "year_milli"))


def release(days_ago: float = 0, epsilon_milli: int = 1000, *, types=(IPV4,), measure="count", window=None):
    """A release; its window is the day on which it was made, unless another is given."""
    at = NOW - days_ago * DAY
    return Release(
        at=at,
        epsilon_milli=epsilon_milli,
        measure=measure,
        types=frozenset(types),
        window=window or (at.date(), at.date()),
    )


def code(wanted: Release, past, budget: Budget = BUDGET) -> str | None:
    try:
        admit(wanted, past, budget)
    except PolicyRefusal as refusal:
        return refusal.code
    return None


# What is lost in all


def test_the_defaults_are_those_of_the_documents() -> None:
    assert (BUDGET.release_milli, BUDGET.month_milli, BUDGET.year_milli) == (1000, 4000, 12_000)


def test_a_first_release_is_let_pass() -> None:
    assert code(release(), []) is None


@pytest.mark.parametrize("epsilon_milli", [1001, 0, -1, 10**9])
def test_one_release_loses_no_more_than_it_may_and_is_not_without_noise(epsilon_milli) -> None:
    assert code(release(epsilon_milli=epsilon_milli), []) == "release-epsilon"


def test_the_fifth_within_thirty_days_is_refused_and_says_when_there_is_room() -> None:
    past = [release(days) for days in (29, 20, 10, 1)]
    with pytest.raises(PolicyRefusal) as refusal:
        admit(release(), past, BUDGET)
    assert refusal.value.code == "release-budget"
    assert "epsilon 4 was spent on ipv4 in 30 days and would be 5: 4 is allowed" in str(refusal.value)
    assert refusal.value.hint == "there is room again after 2026-07-01 12:00 UTC"
    assert code(release(), past[1:]) is None


def test_the_hint_is_true() -> None:
    past = [release(days, 900) for days in (29.5, 20, 10, 1)]
    wanted = release(-0.5 - 1 / 1440)
    assert code(release(), past) == "release-budget"
    assert code(wanted, past) is None


def test_a_budget_without_room_says_so() -> None:
    with pytest.raises(PolicyRefusal) as refusal:
        admit(release(), [], Budget(month_milli=500))
    assert refusal.value.hint == "the budget of our policy has no room for such a release"


def test_the_thirteenth_within_a_year_is_refused() -> None:
    past = [release(days) for days in range(31, 31 + 12 * 27, 27)]
    assert code(release(), past) == "release-budget"
    assert code(release(), past[:-1]) is None


def test_what_is_as_old_as_the_span_counts_no_more() -> None:
    assert code(release(), [release(30, measure=str(i)) for i in range(4)]) is None
    assert code(release(), [release(29.999, measure=str(i)) for i in range(4)]) == "release-budget"


def test_what_lies_ahead_counts_as_after_a_clock_was_set_back() -> None:
    assert code(release(), [release(-1 - i) for i in range(4)]) == "release-budget"


def test_each_type_has_a_budget_of_its_own() -> None:
    past = [release(days, types=(IPV4, DOMAIN)) for days in (4, 3, 2, 1)]
    assert code(release(types=(URL,)), past) is None
    assert code(release(types=(URL, DOMAIN)), past) == "release-budget"


def test_every_measure_spends_of_one_budget() -> None:
    past = [release(1, measure=measure) for measure in ("a", "b", "c", "d")]
    assert code(release(), past) == "release-budget"


@st.composite
def histories(draw):
    """Releases that are asked for one after the other, of windows that do not meet."""
    times = draw(st.lists(st.integers(0, 800 * 24), min_size=1, max_size=60))
    return [
        Release(
            at=NOW + timedelta(hours=hours),
            epsilon_milli=draw(st.integers(1, 1000)),
            measure=str(i),
            types=frozenset(draw(st.sets(st.sampled_from([IPV4, DOMAIN]), min_size=1))),
            window=(date(2026, 1, 1), date(2026, 1, 1)),
        )
        for i, hours in enumerate(times)
    ]


@settings(max_examples=100, deadline=None)
@given(histories())
def test_in_no_span_is_more_spent_than_may_be(wanted) -> None:
    """In whatever order they come: a clock may jump."""
    past: list[Release] = []
    for each in wanted:
        if code(each, past) is None:
            past.append(each)
    for kind in (IPV4, DOMAIN):
        of_kind = [r for r in past if kind in r.types]
        for span, name in SPANS:
            for start in of_kind:
                inside = sum(r.epsilon_milli for r in of_kind if start.at <= r.at < start.at + span)
                assert inside <= getattr(BUDGET, name)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_what_is_left_can_be_spent_and_no_more(wanted) -> None:
    past: list[Release] = []
    for each in wanted:
        if code(each, past) is None:
            past.append(each)
    most = left(past, IPV4, BUDGET, NOW)
    assert 0 <= most <= BUDGET.release_milli
    assert code(release(epsilon_milli=most, measure="new"), past) == (None if most else "release-epsilon")
    assert (
        most == BUDGET.release_milli or code(release(epsilon_milli=most + 1, measure="new"), past) is not None
    )


# Against OpenDP


def odometer(budget: float):
    """OpenDP's filter over adaptively chosen releases of integers, for pure differential privacy."""
    opendp.enable_features("contrib")
    space = opendp.atom_domain(T=int), opendp.absolute_distance(T=int)
    adding = opendp.c.make_fully_adaptive_composition(*space, output_measure=opendp.max_divergence())
    return opendp.c.make_privacy_filter(adding, d_in=1, d_out=budget)(0), space


@pytest.mark.parametrize("seed", range(20))
def test_opendp_refuses_the_same_release(seed) -> None:
    """Random losses within a month: both let the same pass, up to the same one that they refuse."""
    random = np.random.default_rng(seed)
    filtered, space = odometer(BUDGET.month_milli / 1000 * (1 + 1e-12))  # its losses are floats
    past: list[Release] = []
    for i in range(1000):
        epsilon_milli = int(random.integers(1, 500))
        question = opendp.m.make_laplace(*space, scale=1000 / epsilon_milli)
        wanted = release(1 - i / 1000, epsilon_milli, measure=str(i))
        if code(wanted, past) is not None:
            break
        filtered(question)
        past.append(wanted)
    with pytest.raises(opendp.OpenDPException, match="would exceed privacy budget"):
        filtered(question)
    assert len(past) > 4


def test_opendp_lets_the_budget_be_spent_to_the_last() -> None:
    filtered, space = odometer(BUDGET.month_milli / 1000)
    past: list[Release] = []
    for i in range(8):
        past.append(release(1, 500, measure=str(i)))
        assert code(past[-1], past[:-1]) is None
        filtered(opendp.m.make_laplace(*space, scale=2.0))
    assert code(release(epsilon_milli=1), past) == "release-budget"
    with pytest.raises(opendp.OpenDPException, match="would exceed privacy budget"):
        filtered(opendp.m.make_laplace(*space, scale=1000.0))


@pytest.mark.parametrize("epsilons_milli", [[1000], [1000, 500, 1], [7] * 50])
def test_opendp_adds_up_losses_as_we_do(epsilons_milli) -> None:
    opendp.enable_features("contrib")
    space = opendp.atom_domain(T=int), opendp.absolute_distance(T=int)
    each = [opendp.m.make_laplace(*space, scale=1000 / milli) for milli in epsilons_milli]
    theirs = opendp.c.make_composition(each).map(1)
    ours = spent([release(1, milli) for milli in epsilons_milli], IPV4, NOW - MONTH)
    assert ours.epsilon == pytest.approx(theirs, rel=1e-9)
    assert ours.delta == pytest.approx(len(epsilons_milli) * DELTA)


def test_what_is_spent_is_of_the_type_and_the_time() -> None:
    past = [release(1, 100), release(2, 10, types=(DOMAIN, URL)), release(40, 1, types=(IPV4, URL))]
    assert spent(past, IPV4, NOW - MONTH).epsilon == 0.1
    assert spent(past, URL, NOW - YEAR).epsilon == 0.011
    assert spent([], URL, NOW - YEAR) == (0, 0)


# A window once


@pytest.mark.parametrize(
    ("first", "last", "allowed"),
    [
        (date(2026, 5, 1), date(2026, 5, 31), False),  # the same
        (date(2026, 5, 31), date(2026, 6, 5), False),  # one day of it
        (date(2026, 4, 1), date(2026, 5, 1), False),
        (date(2026, 5, 10), date(2026, 5, 10), False),  # within it
        (date(2026, 1, 1), date(2026, 12, 31), False),  # around it
        (date(2026, 6, 1), date(2026, 6, 5), True),
        (date(2026, 4, 1), date(2026, 4, 30), True),
    ],
)
def test_no_day_is_in_two_releases(first, last, allowed) -> None:
    """Whatever the budget would allow, and however long ago."""
    past = [release(400, window=(date(2026, 5, 1), date(2026, 5, 31)))]
    assert code(release(window=(first, last)), past) == (None if allowed else "release-window")


def test_another_measure_or_type_of_the_same_days_may_be_released() -> None:
    may = (date(2026, 5, 1), date(2026, 5, 31))
    past = [release(1, window=may)]
    assert code(release(window=may, measure="another"), past) is None
    assert code(release(window=may, types=(DOMAIN,)), past) is None
    assert code(release(window=may, types=(DOMAIN, IPV4)), past) == "release-window"


def test_the_refusal_names_days_and_types_alone() -> None:
    may = (date(2026, 5, 1), date(2026, 5, 31))
    with pytest.raises(PolicyRefusal) as refusal:
        admit(release(window=may), [release(29, window=may)], BUDGET)
    assert str(refusal.value) == (
        "numbers of ipv4 from 2026-05-01 to 2026-05-31 were released on 2026-06-01: of each day once, "
        "whatever the dictionary and the purpose"
    )
    assert refusal.value.hint == "ask for a window that begins after 2026-05-31"


# What is released


def test_the_bar_is_that_of_one_laplace_where_no_more_noise_was_added() -> None:
    noise = Noise(epsilon_milli=1000, cap=1, honest=4)
    assert least(3, noise, 4) == 3 + math.ceil(math.log(1 / DELTA)) == 17


def test_more_contributors_raise_the_bar() -> None:
    noise = Noise(epsilon_milli=1000, cap=1, honest=4)
    assert [least(3, noise, n) for n in (4, 7, 10)] == [17, 19, 20]


@pytest.mark.parametrize("reporters", [2, 3])
def test_what_too_few_hold_is_released_no_more_often_than_the_chance(reporters) -> None:
    """With a chance that a test can see: one reporter is missing, and more add noise than are counted on."""
    noise, n, d = Noise(epsilon_milli=1000, cap=1, honest=4), 10, 400_000
    margin = noise.margin(n, 0.001)
    rng = np.random.default_rng(reporters).bytes
    sums = np.full(d, reporters - 1) + sum(noise.draw(d, rng=rng) for _ in range(n))
    chosen, _ = released(sums, reporters + margin, n)
    assert 0 < len(chosen) < 0.001 * d


def test_numbers_at_the_bar_are_released_in_order_and_no_larger_than_can_be() -> None:
    chosen, numbers = released(np.array([16, 17, -4, 99, 0, 18]), 17, 20)
    assert chosen.tolist() == [1, 3, 5]
    assert numbers.tolist() == [17, 20, 18]


def test_of_nothing_nothing_is_released() -> None:
    chosen, numbers = released(np.array([], np.int64), 3, 10)
    assert len(chosen) == len(numbers) == 0


def test_a_bar_is_for_counts_of_members() -> None:
    with pytest.raises(ParameterError, match="each once"):
        least(3, Noise(epsilon_milli=1000, cap=2, honest=4), 10)
    with pytest.raises(ParameterError):
        least(0, Noise(epsilon_milli=1000, cap=1, honest=4), 10)
