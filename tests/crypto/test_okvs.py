"""The random-band store against dense elimination, and the argument for its size against measurements."""

import copy
import pickle
import random
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import okvs
from crypto.errors import EncodingFailed, ParameterError
from crypto.rows import Rows
from tests.reference import okvs as oracle
from tests.reference.arrays import packed, unpacked

SALT = bytes(range(16))
SEED = bytes(range(100, 116))


def random_rows(n: int, width: int = 32, seed: int = 1) -> Rows:
    return np.random.default_rng([n, width, seed]).integers(0, 256, (n, width), np.uint8)


def rng(n: int) -> bytes:
    assert n == len(SEED)
    return SEED


def number(row: bytes) -> int:
    return int.from_bytes(row, "little")


def words(values: list[int]) -> Rows:
    return packed([value.to_bytes(16, "little") for value in values], 16)


def expected_keys(items: Rows, capacity: int, salt: bytes = SALT) -> list[oracle.Key]:
    shape = oracle.layout(capacity)
    return [oracle.hash_item(item, number(salt), shape) for item in unpacked(items)]


@pytest.mark.parametrize("n", [0, 1, 2, 17, 250, 700])
def test_a_table_is_the_one_of_dense_elimination(n: int) -> None:
    items, values = random_rows(n), random_rows(n, 16)
    keys = okvs.hash_items(items, capacity=n, salt=SALT)
    reference = expected_keys(items, n)
    table = oracle.encode(reference, [number(v) for v in unpacked(values)], number(SEED), oracle.layout(n))
    assert table is not None
    assert np.array_equal(okvs.encode(keys, values, rng=rng), words(table))
    hashed = oracle.encode(reference, [key.value for key in reference], number(SEED), oracle.layout(n))
    assert hashed is not None
    assert np.array_equal(okvs.encode(keys, rng=rng), words(hashed))


@given(st.binary(min_size=16, max_size=16), st.integers(1, 300), st.integers(0, 5000))
@settings(max_examples=30, deadline=None)
def test_keys_and_decoding_are_those_of_the_reference(salt: bytes, n: int, capacity: int) -> None:
    items = random_rows(n)
    keys = okvs.hash_items(items, capacity=capacity, salt=salt)
    reference = expected_keys(items, capacity, salt)
    order = keys.order.tolist()
    assert len(keys) == n
    assert sorted(order) == list(range(n))
    assert [reference[item].start for item in order] == sorted(key.start for key in reference)
    assert np.array_equal(keys.digests(), words([reference[item].digest for item in order]))
    assert np.array_equal(keys.values(), words([reference[item].value for item in order]))

    table = random_rows(keys.slots, 16)
    slots = [number(slot) for slot in unpacked(table)]
    decoded = okvs.decode(table, keys)
    assert np.array_equal(decoded, words([oracle.decode(slots, key) for key in reference]))
    assert np.array_equal(okvs.decode_sorted(table, keys), decoded[keys.order])


@pytest.mark.parametrize("n", [0, 1, 1000, 1024, 1025, 5000, 2**20, 2**20 + 1, 2**24 - 7, 2**26])
def test_slots_are_those_of_the_reference(n: int) -> None:
    assert okvs.slots(n) == oracle.layout(n).slots


@pytest.mark.parametrize("n", [3000, 200_000])
def test_every_key_decodes_to_its_value_and_no_other_does(n: int) -> None:
    items, values = random_rows(n), random_rows(n, 16)
    keys = okvs.hash_items(items, capacity=n, salt=SALT)
    table = okvs.encode(keys, values)
    assert table.shape == (okvs.slots(n), 16)
    assert np.array_equal(okvs.decode(table, keys), values)
    others = okvs.hash_items(random_rows(n, 32, 2), capacity=n, salt=SALT)
    assert not (okvs.decode(table, others) == values).all(axis=1).any()


def test_tables_differ_where_they_are_free_and_decode_alike() -> None:
    keys = okvs.hash_items(random_rows(2000), capacity=2000, salt=SALT)
    one, two = okvs.encode(keys), okvs.encode(keys)
    assert (one != two).any(axis=1).mean() > 0.9
    assert np.array_equal(okvs.decode(one, keys), okvs.decode(two, keys))
    assert np.array_equal(okvs.encode(keys, rng=rng), okvs.encode(keys, rng=rng))


def test_misaligned_and_read_only_arrays_are_read_the_same() -> None:
    items = random_rows(500)
    shifted = np.empty(500 * 32 + 1, np.uint8)[1:].reshape(500, 32)
    shifted[:] = items
    shifted.flags.writeable = False
    keys, same = (okvs.hash_items(rows, capacity=500, salt=SALT) for rows in (items, shifted))
    table = okvs.encode(keys, rng=rng)
    moved = np.empty(table.size + 3, np.uint8)[3:].reshape(table.shape)
    moved[:] = table
    assert np.array_equal(okvs.encode(same, rng=rng), table)
    assert np.array_equal(okvs.decode(moved, same), okvs.decode(table, keys))


def test_repeated_items_are_the_callers_mistake() -> None:
    items = random_rows(1000)
    items[999] = items[0]
    keys = okvs.hash_items(items, capacity=1000, salt=SALT)
    with pytest.raises(ParameterError, match="twice"):
        okvs.encode(keys)
    assert okvs.decode(random_rows(keys.slots, 16), keys).shape == (1000, 16)


def test_more_keys_than_slots_have_no_encoding() -> None:
    keys = okvs.hash_items(random_rows(2000), capacity=1000, salt=SALT)
    with pytest.raises(EncodingFailed):
        okvs.encode(keys)


def test_what_does_not_fit_is_refused() -> None:
    items = random_rows(10)
    keys = okvs.hash_items(items, capacity=10, salt=SALT)
    table = okvs.encode(keys)
    for call in (
        lambda: okvs.slots(-1),
        lambda: okvs.slots(2**26 + 1),
        lambda: okvs.hash_items(random_rows(10, 31), capacity=10, salt=SALT),
        lambda: okvs.hash_items(items, capacity=2**26 + 1, salt=SALT),
        lambda: okvs.hash_items(items, capacity=10, salt=SALT[1:]),
        lambda: okvs.encode(keys, random_rows(9, 16)),
        lambda: okvs.encode(keys, random_rows(10, 15)),
        lambda: okvs.encode(keys, rng=lambda n: bytes(n - 1)),
        lambda: okvs.decode(table[1:], keys),
        lambda: okvs.decode_sorted(np.ascontiguousarray(table[:, 1:]), keys),
    ):
        with pytest.raises(ParameterError):
            call()


def test_keys_show_nothing_and_do_not_travel() -> None:
    keys = okvs.hash_items(random_rows(10), capacity=10, salt=SALT)
    assert {str(keys), repr(keys)} == {"<OkvsKeys>"}
    for call in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            call(keys)


# The size of a store: docs/okvs.md. A store for n keys fails with chance at most
# 2 * starts * begins * E[busy_period], and the logarithm of that is linear in the band.

PER_START = {16: -10.07, 24: -14.15, 32: -18.21, 40: -22.29, 48: -26.38, 64: -34.55, 96: -50.89, 128: -67.29}
"""log2(begins * E[busy_period]) at 200 more starts a thousand keys, by the example ``okvs_failure``."""
PER_START_AT_128 = {
    140: -50.81, 150: -53.56, 160: -56.36, 170: -59.12, 180: -61.87, 190: -64.58, 200: -67.29, 210: -69.93,
}  # fmt: skip
BEGINS = 0.218


def test_the_chance_falls_by_the_rate_that_theory_gives() -> None:
    slope = log2(oracle.conjugate(1 / 1.2) * 1.2)
    for band, measured in PER_START.items():
        assert measured == pytest.approx(PER_START[16] - slope * (band - 16), abs=0.1), band


@pytest.mark.parametrize("log_n", range(10, 27))
def test_every_layout_fails_with_chance_below_two_to_the_minus_forty(log_n: int) -> None:
    starts = okvs.slots(2**log_n) - 127
    more = 1000 * (starts / 2**log_n - 1)
    chance = np.interp(more, list(PER_START_AT_128), list(PER_START_AT_128.values()))
    assert 1 + log2(starts) + chance < -41 + 0.05


def test_a_busy_period_fails_as_rarely_as_measured() -> None:
    """The slow sampler against the fast one; 4 deviations of a mean of 3000."""
    generator, rate = random.Random(7), 1 / 1.2
    samples = [oracle.busy_period(generator, 16, rate, oracle.conjugate(rate)) for _ in range(3000)]
    mean, deviation = np.mean(samples), np.std(samples) / len(samples) ** 0.5
    assert abs(mean * BEGINS - 2 ** PER_START[16]) < 4 * deviation * BEGINS + 0.02 * 2 ** PER_START[16]


@pytest.mark.slow
@pytest.mark.parametrize(("band", "n", "trials"), [(16, 256, 1500), (24, 2048, 300)])
def test_random_systems_fail_no_more_often_than_the_bound_and_not_much_less(
    band: int, n: int, trials: int
) -> None:
    """Counts beyond four deviations of the binomial have a chance below 2^-13 each."""
    starts = round(1.2 * n)
    bound = starts * 2 ** PER_START[band]
    generator = random.Random(band)
    failures = sum(not oracle.solvable(generator, n, starts, band) for _ in range(trials))
    slack = 4 * (trials * bound) ** 0.5
    assert trials * bound / 2 - slack < failures < trials * 2 * bound + slack
