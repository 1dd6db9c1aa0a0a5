"""Tables of over-threshold discovery: plain Python as oracle, how often an item is missed, refusals."""

from collections import Counter
from itertools import combinations
from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crypto import _native
from crypto.errors import DecodeError, ParameterError
from crypto.rows import Rows
from crypto.secagg import threshold
from crypto.secagg.threshold import PRIME, Tables
from tests.reference import threshold as oracle

CONTEXT = bytes(range(32))
SEED = bytes(range(50, 82))


def items(*numbers: int) -> Rows:
    """PRF outputs, for these tests: any rows that differ."""
    table = np.zeros((len(numbers), 64), np.uint8)
    table[:, :8] = np.array(numbers, "<u8").reshape(-1, 1).view(np.uint8)
    return table


def points(n: int) -> list[int]:
    return [pow(7, 40 + at, PRIME) for at in range(n)]


def write(
    sets: list[list[int]], t: int, bins: int, *, count: int = threshold.TABLES, context: bytes = CONTEXT
) -> list[Tables]:
    return [
        threshold.tables(items(*numbers), point, context=context, threshold=t, bins=bins, count=count)
        for numbers, point in zip(sets, points(len(sets)), strict=True)
    ]


def shown(sets: list[list[int]], tables: list[Tables], t: int) -> dict[int, set[int]]:
    """Which items are found, and with whom; every holder takes its own from its own slots."""
    found = threshold.find([table.cells for table in tables], points(len(sets)), t)
    result: dict[int, set[int]] = {}
    for place, members in zip(found.places, found.members, strict=True):
        holders = np.flatnonzero(members).tolist()
        (number,) = {sets[member][tables[member].slots[place] // 2] for member in holders}
        result.setdefault(number, set()).update(holders)
    return result


@pytest.mark.parametrize(
    ("m", "t", "bins", "count"), [(0, 2, 3, 1), (1, 2, 1, 2), (12, 3, 36, 5), (30, 4, 31, 4)]
)
def test_tables_are_the_oracle_s(m: int, t: int, bins: int, count: int) -> None:
    rows = items(*range(m))
    made = threshold.tables(
        rows, 12_345, context=CONTEXT, threshold=t, bins=bins, count=count, rng=lambda n: SEED[:n]
    )
    expected = oracle.tables(
        CONTEXT, [row.tobytes() for row in rows], 12_345, SEED, threshold=t, bins=bins, count=count
    )
    assert (made.cells.tolist(), made.slots.tolist()) == expected


def test_all_but_the_cells_is_the_same_whatever_the_point_and_the_filler() -> None:
    a, b = write([list(range(50))] * 2, 3, 150)
    assert np.array_equal(a.slots, b.slots)
    assert not (a.cells == b.cells).any()


def test_tables_of_two_sessions_have_nothing_in_common() -> None:
    (a,), (b,) = (write([list(range(50))], 3, 150, context=bytes([at]) * 32) for at in (1, 2))
    assert not (a.cells == b.cells).any()
    assert not np.array_equal(a.slots, b.slots)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.integers(2, 7))
def test_what_is_found_is_what_lagrange_finds(data: st.DataObject, n: int) -> None:
    t = data.draw(st.integers(2, n))
    xs = data.draw(st.lists(st.integers(1, PRIME - 1), min_size=n, max_size=n, unique=True))
    width = data.draw(st.integers(1, 4))
    cells = data.draw(
        st.lists(st.lists(st.integers(0, PRIME - 1), min_size=width, max_size=width), min_size=n, max_size=n)
    )
    for place in range(width):  # some members have an item in common there
        for member in data.draw(st.sets(st.integers(0, n - 1))):
            cells[member][place] = oracle.cell(CONTEXT, bytes([place]) * 64, 0, 0, t, xs[member])
    expected = oracle.find(cells, xs, t)
    found = threshold.find([np.array(row, np.uint64) for row in cells], xs, t)
    largest = list(zip(found.places.tolist(), map(np.flatnonzero, found.members), strict=True))
    parts = [(place, frozenset(part)) for place, held in largest for part in combinations(held.tolist(), t)]
    assert set(parts) == expected
    assert len(parts) == len(expected)


@pytest.mark.parametrize(("n", "t"), [(3, 3), (5, 2), (6, 3), (6, 4), (5, 5)])
def test_exactly_the_items_of_enough_members_are_found(n: int, t: int) -> None:
    random = np.random.default_rng(n * t)
    m = 200
    sets = [sorted(map(int, random.choice(600, m, replace=False))) for _ in range(n)]
    held = Counter(number for numbers in sets for number in numbers)
    expected = {
        number: {at for at in range(n) if number in set(sets[at])}
        for number, times in held.items()
        if times >= t
    }
    assert expected
    assert shown(sets, write(sets, t, m * t), t) == expected


def test_below_the_threshold_nothing_is_found() -> None:
    """Every item is in two sets, no item in three; a chance of 2^-41 remains."""
    n, m = 10, 90
    pairs = list(combinations(range(n), 2))
    sets = [[number for number in range(n * m // 2) if at in pairs[number % 45]] for at in range(n)]
    assert {len(numbers) for numbers in sets} == {m}
    tables = write(sets, 3, 3 * m)
    assert len(threshold.find([table.cells for table in tables], points(n), 3).places) == 0


def missed(t: int, count: int, trials: int, m: int) -> int:
    """How often an item of ``t`` members is not found, where their sets have nothing else in common."""
    total = 0
    for trial in range(trials):
        sets = [[0, *range(1 + at * m, at * m + m)] for at in range(t)]
        tables = write(sets, t, m * t, count=count, context=trial.to_bytes(32, "little"))
        total += not shown(sets, tables, t)
    return total


def mean(fails: list[float]) -> float:
    return sum(fails) / len(fails)


PRIORITIES = [(k + 0.5) / 10_000 for k in range(10_000)]
SINGLE = mean([(1 - exp(-u)) * (1 - exp(u - 2)) for u in PRIORITIES])
PAIR = mean([(1 - exp(-u)) * (1 - exp(u - 2)) * (1 - exp(u - 1)) * (1 - exp(-1 - u)) for u in PRIORITIES])


@pytest.mark.parametrize("t", [2, 3, 5])
@pytest.mark.parametrize(("count", "chance"), [(1, SINGLE), (2, PAIR)], ids=["one-table", "a-pair"])
def test_an_item_is_missed_as_often_as_the_formula_says(t: int, count: int, chance: float) -> None:
    """By four standard deviations: a wrong test would be let through once in 16,000 times.

    The formula is for large sets; 60 items are as good as that to a hundredth. A pair whose second insertions
    do not meet would miss 0.10 instead of 0.061.
    """
    trials = 3000
    deviation = sqrt(trials * chance * (1 - chance))
    assert abs(missed(t, count, trials, 60) - trials * chance) < 4 * deviation


def test_twenty_tables_miss_less_than_a_millionth_of_a_millionth() -> None:
    assert pytest.approx(0.0614, abs=5e-5) == PAIR
    assert PAIR ** (threshold.TABLES // 2) < 2**-40


def test_a_holder_knows_what_the_cells_of_others_are() -> None:
    sets = [[*range(10), *range(100 * at, 100 * at + 20)] for at in range(1, 5)]
    t, bins = 3, 90
    tables = write(sets, t, bins, count=4)
    found = threshold.find([table.cells for table in tables], points(4), t)
    assert len(found.places) > 20
    for own, numbers in enumerate(sets):
        places = found.places[found.members[:, own]]
        rows = items(*numbers)
        known = threshold.values(
            rows, tables[own].slots, places, points(4), context=CONTEXT, threshold=t, bins=bins
        )
        for member in range(4):
            there = found.members[found.members[:, own], member]
            assert np.array_equal(known[there, member], tables[member].cells[places[there]])
            assert not (known[~there, member] == tables[member].cells[places[~there]]).any()


def forge(tables: list[Tables], member: int, value: int) -> list[NDArray[np.uint64]]:
    cells = [table.cells for table in tables]
    cells[member] = np.full_like(cells[member], value)
    return cells


def test_one_member_s_zeros_show_nothing() -> None:
    """A zero is the value of a polynomial of nobody: it completes no set of the others."""
    tables = write([list(range(30)), list(range(25, 60)), list(range(100, 130))], 3, 90)
    assert len(threshold.find(forge(tables, 2, 0), points(3), 3).places) == 0


def test_members_that_work_together_cannot_fill_the_memory() -> None:
    """Three that write zeros are a set at every place, and no more than one each."""
    zeros = np.zeros(1000, np.uint64)
    found = threshold.find([zeros] * 6, points(6), 3)
    assert found.places.tolist() == list(range(1000))
    assert found.members.all()


def test_more_sets_than_honest_members_can_make_are_refused() -> None:
    """Three lines through one of seven cells: honest sets of a place have no member in common."""
    xs = points(7)
    slopes = [0, 5, 5, 6, 6, 7, 7]
    divided = [(3 + slope * (x - xs[0])) % PRIME for slope, x in zip(slopes, xs, strict=True)]
    cells = [np.array([x * value % PRIME], np.uint64) for x, value in zip(xs, divided, strict=True)]
    with pytest.raises(DecodeError):
        threshold.find(cells, xs, 3)
    found = threshold.find(cells[:6], xs[:6], 3)
    assert [np.flatnonzero(row).tolist() for row in found.members] == [[0, 1, 2], [0, 3, 4]]


def test_a_cell_is_below_the_prime() -> None:
    fine = np.zeros(70, np.uint64)
    for value in (PRIME, 2**64 - 1):
        wrong = fine.copy()
        wrong[69] = value
        with pytest.raises(DecodeError):
            threshold.find([fine, wrong, fine], points(3), 3)


def test_what_does_not_fit_together_is_refused() -> None:
    rows, cells = items(1, 2), np.zeros(5, np.uint64)
    fine = {"context": CONTEXT, "threshold": 3, "bins": 9, "count": 2}
    for change in (
        {"threshold": 1}, {"threshold": 65}, {"bins": 0}, {"bins": 2**28 + 1}, {"count": 0},
        {"count": 2**13 + 1}, {"rng": lambda n: bytes(n - 1)}, {"bins": 2**28, "count": 5},
    ):  # fmt: skip
        with pytest.raises(ParameterError):
            threshold.tables(rows, 5, **fine | change)
    for point in (0, PRIME, -1, 2**64):
        with pytest.raises(ParameterError):
            threshold.tables(rows, point, **fine)
        with pytest.raises(ParameterError):
            threshold.find([cells] * 3, [1, 2, point], 3)
    with pytest.raises(ParameterError):
        threshold.tables(np.zeros((1, 32), np.uint8), 5, **fine)
    for tables, xs, t in (
        ([cells] * 3, [1, 2, 2], 3),
        ([cells] * 3, [1, 2], 2),
        ([cells] * 2, [1, 2], 3),
        ([cells] * 2, [1, 2], 1),
        ([cells, cells[:4]], [1, 2], 2),
        ([cells, cells.astype(np.int64)], [1, 2], 2),
        ([cells, np.zeros(10, np.uint64)[::2]], [1, 2], 2),
        ([cells] * 129, list(range(1, 130)), 2),
    ):
        with pytest.raises(ParameterError):
            threshold.find(tables, xs, t)


def test_values_are_for_places_of_ours() -> None:
    (table,) = write([[1, 2, 3]], 3, 9, count=2)
    empty = np.flatnonzero(table.slots == threshold.FILLER)[:1]
    held = np.flatnonzero(table.slots != threshold.FILLER)[:1]
    for places, xs in ((empty, [1]), (held - 1000, [1]), (held + 1000, [1]), (held, [0]), (held, [1, 1])):
        with pytest.raises(ParameterError):
            threshold.values(items(1, 2, 3), table.slots, places, xs, context=CONTEXT, threshold=3, bins=9)
    nothing = threshold.values(
        items(1, 2, 3), table.slots, held[:0], [1, 2], context=CONTEXT, threshold=3, bins=9
    )
    assert nothing.shape == (0, 2)


def test_work_is_counted() -> None:
    assert threshold.work(10, 3) == (45 + 10, 120)
    assert threshold.work(5, 2) == (5, 10)
    assert threshold.work(20, 4) == (20 + 190 + 1140, 4845)
    for n, t in ((3, 4), (3, 1)):
        with pytest.raises(ParameterError):
            threshold.work(n, t)


def test_the_module_itself_refuses_what_python_should_have() -> None:
    rows, one = items(1), np.ones(1, np.uint64)
    for call in (
        lambda: _native.threshold_tables(rows, bytes(31), 1, 3, 9, 2, SEED),
        lambda: _native.threshold_tables(rows, CONTEXT, 1, 3, 9, 2, SEED[1:]),
        lambda: _native.threshold_tables(rows, CONTEXT, 0, 3, 9, 2, SEED),
        lambda: _native.threshold_tables(rows[:, :32].copy(), CONTEXT, 1, 3, 9, 2, SEED),
        lambda: _native.threshold_tables(rows, CONTEXT, 1, 3, 2**62, 4, SEED),
        lambda: _native.threshold_values(rows, CONTEXT, np.zeros(2, np.uint32), one, 3),
        lambda: _native.threshold_values(rows, CONTEXT, np.zeros(1, np.uint32), one, 1),
        lambda: _native.threshold_find([], one[:0], 2),
        lambda: _native.threshold_find([one, one], one, 2),
    ):
        with pytest.raises(ParameterError):
            call()
