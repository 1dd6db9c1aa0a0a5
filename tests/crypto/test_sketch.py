"""Sketches against their definition, and their errors with stated confidence."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto import sketch as sketches
from crypto.errors import ParameterError
from crypto.sketch import SLOTS, interval, shared, sketch
from tests.reference import sketch as oracle
from tests.reference.arrays import packed, unpacked

SALT = b"one alliance, one epoch"
some_items = st.lists(st.integers(0, 300), min_size=1, max_size=40)


def item(number: int) -> bytes:
    return number.to_bytes(4, "little") * 8


def table(numbers):
    return packed([item(n) for n in numbers], 32)


def random_sets(n: int, common: int, seed: int):
    """Two sets of ``n`` rows, ``common`` of them in both."""
    pool = np.random.default_rng([n, common, seed]).integers(0, 256, (2 * n - common, 32), np.uint8)
    return pool[:n].copy(), pool[n - common :].copy()


def equal_slots(ours, theirs, salt: bytes = SALT) -> int:
    return int(np.all(sketch(ours, salt) == sketch(theirs, salt), axis=1).sum())


@settings(deadline=None, max_examples=60)
@given(some_items, st.binary(max_size=40), st.integers(1, 20))
@example([1], b"", 1)
@example(list(range(300)), SALT, 3)
def test_a_sketch_is_what_its_definition_says(numbers, salt, slots) -> None:
    assert unpacked(sketch(table(numbers), salt, slots)) == oracle.sketch(
        [item(n) for n in numbers], salt, slots
    )


@pytest.mark.parametrize("block", [1, 7, 64])
def test_how_the_work_is_cut_into_parts_changes_nothing(monkeypatch, block) -> None:
    for n in (1, 2, 9, 100, 300):
        whole = sketch(table(range(n)), SALT, 16)
        with monkeypatch.context() as patch:
            patch.setattr(sketches, "_BLOCK", block)
            assert np.array_equal(sketch(table(range(n)), SALT, 16), whole)


@settings(deadline=None, max_examples=60)
@given(some_items, st.randoms())
def test_neither_order_nor_repetition_matters(numbers, random) -> None:
    other = [*numbers, *random.choices(numbers, k=5)]
    random.shuffle(other)
    assert np.array_equal(sketch(table(numbers), SALT, 64), sketch(table(other), SALT, 64))


@settings(deadline=None, max_examples=60)
@given(some_items, some_items)
def test_the_winner_of_a_union_is_a_winner_of_one_of_both(ours, theirs) -> None:
    """And it wins in both where they are equal, which is all that a comparison rests on."""
    a, b, union = (sketch(table(set_), SALT, 64) for set_ in (ours, theirs, ours + theirs))
    in_a, in_b = np.all(union == a, axis=1), np.all(union == b, axis=1)
    assert np.all(in_a | in_b)
    assert np.array_equal(np.all(a == b, axis=1), in_a & in_b)


def test_a_slot_is_won_by_a_shared_item_if_and_only_if_it_is_equal() -> None:
    ours, theirs = range(30), range(20, 70)
    union = oracle.winners([item(n) for n in range(70)], SALT, 128)
    expected = [20 <= int.from_bytes(won[:4], "little") < 30 for won in union]
    a, b = sketch(table(ours), SALT, 128), sketch(table(theirs), SALT, 128)
    assert np.all(a == b, axis=1).tolist() == expected
    assert 0 < sum(expected) < 128


@pytest.mark.parametrize("n", [0, 1, 2, 50, 5000])
def test_rows_are_distinct_and_those_of_other_salts_are_others(n) -> None:
    one, other = sketch(table(range(n)), SALT), sketch(table(range(n)), b"another")
    assert one.shape == (SLOTS, 32)
    assert len({*unpacked(one), *unpacked(other)}) == 2 * SLOTS


def test_the_empty_set_equals_nothing() -> None:
    empty = table([])
    assert equal_slots(empty, empty) == equal_slots(empty, table([1])) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("n", "common"), [(2000, 20), (2000, 400), (2000, 1000), (2000, 1900), (9, 3)])
def test_the_similarity_lies_in_its_interval(n, common) -> None:
    """Each interval fails one time in 100; more than 5 of 100 would once in 2,000. The sets never change."""
    truth = Fraction(common, 2 * n - common)
    inside = 0
    for seed in range(100):
        low, high = interval(equal_slots(*random_sets(n, common, seed)), SLOTS)
        inside += low <= truth <= high
    assert inside >= 95


@pytest.mark.slow
@pytest.mark.parametrize(("n", "common"), [(3000, 60), (3000, 1500), (4, 1)])
def test_the_estimate_is_unbiased_and_no_wider_than_that_of_independent_slots(n, common) -> None:
    """Over 100 salts: the mean within 4 standard errors, the variance below its upper 99.99 % quantile."""
    j, trials = common / (2 * n - common), 100
    ours, theirs = random_sets(n, common, 7)
    found = [equal_slots(ours, theirs, b"%d" % trial) / SLOTS for trial in range(trials)]
    variance = j * (1 - j) / SLOTS
    assert abs(np.mean(found) - j) <= 4 * math.sqrt(variance / trials)
    quantile = 1 + 3.72 * math.sqrt(2 / trials)  # of chi-squared over its degrees, by the normal law
    assert np.var(found, ddof=1) <= variance * quantile


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.data(), st.sampled_from([0.5, 0.9, 0.99]))
def test_intervals_are_those_of_exact_binomial_tails(slots, data, confidence) -> None:
    equal = data.draw(st.integers(0, slots))
    low, high = interval(equal, slots, confidence=confidence)
    outside = (1 - confidence) / 2

    def tail(p: float, counts) -> Fraction:
        q = Fraction(p)
        return sum((math.comb(slots, k) * q**k * (1 - q) ** (slots - k) for k in counts), Fraction())

    assert low <= equal / slots <= high
    assert (low == 0) == (equal == 0)
    assert (high == 1) == (equal == slots)
    if equal:
        assert float(tail(low, range(equal, slots + 1))) == pytest.approx(outside, rel=1e-6)
    if equal < slots:
        assert float(tail(high, range(equal + 1))) == pytest.approx(outside, rel=1e-6)


@pytest.mark.parametrize(
    ("own", "peer", "common"), [(500, 500, 250), (2000, 300, 100), (800, 800, 0), (9, 9, 9)]
)
def test_what_is_shared_lies_between_its_bounds_whatever_the_peers_true_size(own, peer, common) -> None:
    pool = np.random.default_rng(own).integers(0, 256, (own + peer - common, 32), np.uint8)
    ours, theirs = pool[:own].copy(), pool[own - common :].copy()
    low, estimate, high = shared(
        equal_slots(ours, theirs), SLOTS, own=own, peer_low=peer - peer // 10, peer_high=peer + peer // 10
    )
    assert low <= common <= high
    assert low <= estimate <= high
    assert abs(estimate - common) <= 0.1 * common + 1


def test_bounds_are_whole_and_never_more_than_a_set_holds() -> None:
    assert shared(SLOTS, SLOTS, own=7, peer_low=7, peer_high=7) == (7, 7, 7)
    assert shared(0, SLOTS, own=7, peer_low=0, peer_high=9) == (0, 0, 0)
    assert shared(SLOTS, SLOTS, own=100, peer_low=3, peer_high=3) == (3, 3, 3), (
        "a peer that lies about its size"
    )
    assert 0 < shared(1, SLOTS, own=10**7, peer_low=10**7, peer_high=10**7).low < 100


def test_wider_bounds_and_more_confidence_make_wider_answers() -> None:
    near, far = ((900, 1100), (500, 2000))
    inner = shared(900, SLOTS, own=1000, peer_low=near[0], peer_high=near[1])
    outer = shared(900, SLOTS, own=1000, peer_low=far[0], peer_high=far[1])
    surer = shared(900, SLOTS, own=1000, peer_low=near[0], peer_high=near[1], confidence=0.9999)
    for wider in (outer, surer):
        assert wider.low < inner.low <= inner.high < wider.high


def test_what_is_out_of_range_is_our_mistake() -> None:
    rows = table([1])
    for call in (
        lambda: sketch(rows, SALT, 0),
        lambda: sketch(rows, SALT, sketches.MAX_SLOTS + 1),
        lambda: sketch(rows[:, :31].copy(), SALT),
        lambda: interval(5, 4),
        lambda: interval(-1, 4),
        lambda: interval(0, 0),
        lambda: interval(1, 4, confidence=1.0),
        lambda: shared(1, 4, own=-1, peer_low=0, peer_high=0),
        lambda: shared(1, 4, own=1, peer_low=3, peer_high=2),
    ):
        with pytest.raises(ParameterError):
            call()
