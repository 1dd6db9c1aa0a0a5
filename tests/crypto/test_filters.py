"""Filters against their definition, their rates with stated confidence, and bytes that a stranger sent."""

import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import filters, hashing, oprf
from crypto.errors import DecodeError, ParameterError
from crypto.filters import Bloom, Delta, Golomb, Sorted
from crypto.filters.bloom import BLOCK_BITS
from tests.reference import filters as reference

KINDS = [Bloom, Golomb, Sorted]
SIZES = [0, 1, 2, 3, 31, 32, 33, 500]
Z99 = 2.5758  # of a normal variable, 99 % lie within so many deviations
LARGE = pytest.mark.parametrize("n", [100, 20_000])


def tags(n: int, seed: int = 1):
    return np.random.default_rng([n, seed]).integers(0, 256, (n, 16), dtype=np.uint8)


def numbers(rows) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def false_positives(filter_, queries: int, seed: int = 99) -> int:
    """Of so many random tags, which are none of a set but with a chance of 2^-100."""
    rng = np.random.default_rng(seed)
    parts = [min(10**6, queries - done) for done in range(0, queries, 10**6)]
    return sum(int(filter_.contains(rng.integers(0, 256, (n, 16), dtype=np.uint8)).sum()) for n in parts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("fpr", [1 / 2, 0.013, 2**-30])
def test_a_filter_holds_its_tags_and_survives_encoding(kind, n, fpr):
    rows = tags(n)
    made = kind.build(rows, fpr)
    again = filters.decode(made.to_bytes())
    assert again == made == kind.build(rows[::-1].copy(), fpr), "it does not depend on the order"
    assert again.contains(rows).tolist() == [True] * n
    assert made.fpr <= fpr
    assert made.items == n
    assert len(made.to_bytes()) == filters.HEAD_BYTES + made.bits_per_item * max(n, 1) / 8


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("fpr", [1 / 2, 0.013, 2**-20])
def test_the_bits_of_a_bloom_filter_are_those_of_the_definition(n, fpr):
    rows, queries = tags(n), tags(2000, seed=2)
    made = Bloom.build(rows, fpr)
    shape = (made.k_hashes, made.block_bits, made.blocks)
    assert made.bits == reference.bloom(numbers(rows), *shape)
    ones = int.from_bytes(made.bits, "little")
    expected = [all(ones >> p & 1 for p in reference.bloom_places(t, *shape)) for t in numbers(queries)]
    assert made.contains(queries).tolist() == expected


def test_several_blocks_are_those_of_the_definition():
    rows = tags(20_000)
    made = Bloom.build(rows, 2**-30)
    assert made.blocks > 1
    assert made.bits == reference.bloom(numbers(rows), made.k_hashes, made.block_bits, made.blocks)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("inverse", [2, 3, 77, 1000, 2**30, 2**55])
def test_a_golomb_coded_set_is_that_of_the_definition(n, inverse):
    rows, queries = tags(n), tags(2000, seed=2)
    made = Golomb.build(rows, 1 / inverse)
    held = reference.golomb_numbers(numbers(rows), inverse)
    assert made.inverse == inverse
    assert made.entries == len(held)
    assert made.code == reference.golomb(held, reference.rice(inverse))
    expected = [tag * max(n, 1) * inverse >> 128 in held for tag in numbers(queries)]
    assert made.contains(queries).tolist() == expected


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("fpr", [1 / 2, 0.013, 2**-20, 2**-60, 2**-80])
def test_a_table_is_that_of_the_definition(n, fpr):
    rows, queries = tags(n), tags(2000, seed=2)
    made = Sorted.build(rows, fpr)
    held = reference.truncated(numbers(rows), made.width)
    assert made.table == b"".join(held)
    assert made.contains(queries).tolist() == [q.tobytes()[: made.width] in held for q in queries]
    assert n <= fpr * 2.0 ** (8 * made.width)
    assert made.width == 1 or n > fpr * 2.0 ** (8 * made.width - 8)


@pytest.mark.parametrize("kind", KINDS)
@LARGE
@pytest.mark.parametrize("fpr", [0.2, 2**-8, 2**-13])
def test_random_tags_seem_to_be_in_as_often_as_the_filter_says(kind, n, fpr):
    """99 % interval of the rate the filter states of itself, which is at most the rate asked for."""
    made, queries = kind.build(tags(n), fpr), 10**6
    expected = queries * made.fpr
    seen = false_positives(made, queries)
    assert abs(seen - expected) <= Z99 * math.sqrt(expected * (1 - made.fpr)) + 1
    assert made.fpr <= fpr


@LARGE
def test_a_bloom_filter_is_no_larger_than_its_rate_asks_for(n):
    for fpr in (0.2, 2**-8, 2**-13, 2**-30):
        made = Bloom.build(tags(n), fpr)
        assert fpr / (4 if n < 1000 else 1.5) < made.fpr <= fpr


def test_the_blocks_of_a_large_filter_cost_hardly_a_bit():
    made = Bloom.build(tags(300_000), 2**-30)
    assert made.blocks == 50
    assert made.bits_per_item < 1.01 * 30 / math.log(2)


@pytest.mark.slow
def test_few_items_at_a_low_rate_have_no_floor():
    """Double hashing, ``a + i b mod m``, has 46 in a million here in place of 0.95, and would fail."""
    made, queries = Bloom.build(tags(1000), 2**-20), 20 * 10**6
    assert false_positives(made, queries) <= queries * made.fpr + 3 * math.sqrt(queries * made.fpr)


def test_the_code_is_near_the_floor_of_its_rate():
    for exponent in (8, 10, 20, 30, 40):
        made = Golomb.build(tags(20_000), 2.0**-exponent)
        assert exponent + 1.44 < made.bits_per_item < exponent + 1.56


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_arguments_are_our_own_mistake(kind):
    made = kind.build(tags(5), 0.1)
    for fpr in (0, -1, 0.51, 1, 2**-81, math.nan, math.inf):
        with pytest.raises(ParameterError):
            kind.build(tags(5), fpr)
    for call in (
        lambda: kind.build(tags(5)[:, :15].copy(), 0.1),
        lambda: kind.build(tags(5)[:, ::-1], 0.1),
        lambda: made.contains(tags(5)[:, :8].copy()),
        lambda: made.contains(tags(5).astype(np.int16)),
    ):
        with pytest.raises(ParameterError):
            call()


def test_tags_that_crowd_into_one_block_are_refused():
    rows = tags(50_000)
    rows[:, 8:] = 7
    with pytest.raises(ParameterError, match="not uniform"):
        Bloom.build(rows, 2**-20)


def test_what_passes_64_bits_is_no_golomb_coded_set():
    with pytest.raises(ParameterError, match="pass 64 bits"):
        Golomb.build(tags(500), 2**-56)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 40])
def test_every_cut_and_every_byte_more_is_refused(kind, n):
    data = kind.build(tags(n), 2**-10).to_bytes()
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            filters.decode(data[:length])
    with pytest.raises(DecodeError):
        filters.decode(data + b"\0")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 40])
def test_whatever_decodes_encodes_to_the_same_bytes(kind, n):
    data = kind.build(tags(n), 2**-10).to_bytes()
    for at in range(min(len(data), 400)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            try:
                read = filters.decode(bytes(changed))
            except DecodeError:
                continue
            assert read.to_bytes() == bytes(changed)
            assert read.contains(tags(100, seed=3)).shape == (100,)
            assert 0 <= read.fpr <= 1


HEADS = st.tuples(
    st.sampled_from([1, 2, 3, 4, 9]), st.integers(0, 255),
    *3 * (st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1), st.sampled_from([2**32, 2**18, 64])),),
)  # fmt: skip


@settings(deadline=None)
@given(HEADS, st.binary(max_size=300))
def test_any_head_before_any_body_is_refused_or_read_in_little_memory(head, body):
    kind, parameter, *three = head
    data = struct.pack("<4sBBBxQQQ", b"CSFT", 1, kind, parameter, *three) + body
    tracemalloc.start()
    try:
        read = Delta.from_bytes(data) if kind == 4 else filters.decode(data)
        assert read.to_bytes() == data
    except DecodeError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 200_000


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    with pytest.raises(DecodeError):
        filters.decode(data)


def test_a_filter_of_ones_says_what_it_is_worth():
    made = Bloom.build(tags(50), 2**-20)
    hostile = Bloom(made.items, made.k_hashes, made.block_bits, made.blocks, b"\xff" * len(made.bits))
    assert filters.decode(hostile.to_bytes()).fpr == 1


@pytest.mark.parametrize("kind", KINDS)
def test_tags_that_are_all_alike_are_held_too(kind):
    rows = np.repeat(tags(1), 300, axis=0)
    made = filters.decode(kind.build(rows, 2**-20).to_bytes())
    assert made.contains(rows).all()
    assert not made.contains(tags(1000, seed=8)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_of_a_filter_is_printed(kind):
    made = kind.build(tags(40), 2**-10)
    assert len(repr(made)) < 120


def test_the_largest_block_fits_a_first_cache():
    assert BLOCK_BITS // 8 == 32 * 1024


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_the_oprf_are_tags_and_another_key_finds_nothing(kind):
    """As members use it: the publisher evaluates its set, an asker has a few items evaluated blindly."""
    held = hashing.item_rows("domain", [f"host{i}.example.com" for i in range(300)])
    asked = hashing.item_rows("domain", [f"host{i}.example.com" for i in range(290, 320)])
    key, other = (oprf.derive_key(bytes([i] * 32), b"filter", oprf.Mode.OPRF) for i in (1, 2))
    made = kind.build(oprf.evaluate(key, held)[:, :16].copy(), 2**-30)
    for evaluator, expected in ((key, [True] * 10 + [False] * 20), (other, [False] * 30)):
        blinds, blinded = oprf.blind(asked, mode=oprf.Mode.OPRF)
        evaluated, _ = oprf.blind_evaluate(evaluator, blinded)
        outputs = oprf.finalize(asked, blinds, evaluated, mode=oprf.Mode.OPRF)
        assert made.contains(outputs[:, :16].copy()).tolist() == expected
    assert not made.contains(asked[:, :16].copy()).any(), "hashes without the key are no tags"


def changed(rows, gone: int, more: int):
    return np.concatenate([rows[gone:], tags(more, seed=7)])


@pytest.mark.parametrize(("n", "gone", "more"), [(0, 0, 0), (0, 0, 9), (9, 9, 0), (500, 0, 0), (500, 17, 30)])
def test_a_delta_leads_from_one_table_to_the_next(n, gone, more):
    rows = tags(n)
    old = Sorted.build(rows, 2**-60)
    new = Sorted.build(changed(rows, gone, more), 2**-60)
    if old.width != new.width:
        with pytest.raises(ParameterError):
            Delta.between(old, new)
        return
    delta = Delta.from_bytes(Delta.between(old, new).to_bytes())
    assert delta == Delta.between(old, new)
    assert delta.apply(old) == new
    assert (len(delta.removed), len(delta.added)) == (gone * old.width, more * old.width)
    if old != new:
        with pytest.raises(ParameterError, match="another table"):
            delta.apply(new)


def test_a_delta_that_lies_gives_nothing():
    rows = tags(500)
    old, new = Sorted.build(rows, 2**-60), Sorted.build(changed(rows, 17, 30), 2**-60)
    delta = Delta.between(old, new)
    fields = {name: getattr(delta, name) for name in ("base", "result", "items", "width", "removed", "added")}
    other = Delta.between(new, old)
    for lie in (
        {"items": 514}, {"removed": b""}, {"added": b""}, {"removed": other.removed}, {"added": other.added},
        {"result": old.digest}, {"removed": delta.removed[old.width :]}, {"width": 4}, {"width": 16},
        {"items": 1, "result": Sorted(1, new.width, new.table).digest},
    ):  # fmt: skip
        with pytest.raises(DecodeError):
            Delta(**fields | lie).apply(old)


def test_deltas_of_strangers_are_refused_whole():
    rows = tags(60)
    old, new = Sorted.build(rows, 2**-20), Sorted.build(changed(rows, 5, 5), 2**-20)
    data = Delta.between(old, new).to_bytes()
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            Delta.from_bytes(data[:length])
    for at in range(len(data)):
        hostile = bytearray(data)
        hostile[at] ^= 1
        try:
            read = Delta.from_bytes(bytes(hostile))
        except DecodeError:
            continue
        with pytest.raises((DecodeError, ParameterError)):
            read.apply(old)
