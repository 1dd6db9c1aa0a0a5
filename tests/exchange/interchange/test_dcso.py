"""Filters against two other implementations and a published file, and bytes that a stranger sent."""

import io
import struct
from hashlib import sha256

import flor
import poppy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.interchange.dcso import WARNING, DcsoFilter

SHAPES = [(3, 0.3), (64, 0.3), (2500, 1e-3), (2500, 1e-6), (500, 1e-15), (1000, 0.9)]


def values(n: int, name: str = "host") -> list[str]:
    return [f"{name}{i}.example.com" for i in range(n)]


def as_flor(held: list[str], capacity: int, fpr: float, data: bytes = b"") -> bytes:
    made = flor.BloomFilter(capacity, fpr, data)
    for value in held:
        made.add(value.encode())
    out = io.BytesIO()
    made.write(out)
    return out.getvalue()


def as_poppy(held: list[str], capacity: int, fpr: float) -> bytes:
    made = poppy.BloomFilter.with_version(1, capacity, fpr)
    for value in held:
        made.insert_str(value)
    return bytes(made.dumps())


@pytest.mark.parametrize(("capacity", "fpr"), SHAPES)
def test_others_write_the_same_file(capacity, fpr):
    held = values(2 * capacity // 3)  # flor refuses to be full
    written = as_flor(held, capacity, fpr)
    ours = DcsoFilter.build(held, capacity=capacity, fpr=fpr)
    assert ours.to_bytes() == written == as_poppy(held, capacity, fpr)
    assert DcsoFilter.from_bytes(written) == ours


@pytest.mark.parametrize(("capacity", "fpr"), SHAPES)
def test_others_answer_the_same(capacity, fpr):
    ours = DcsoFilter.build(values(capacity), capacity=capacity, fpr=fpr)
    theirs, florist = poppy.loads(ours.to_bytes()), flor.BloomFilter(1, 0.1)
    florist.read(io.BytesIO(ours.to_bytes()))
    asked = [*values(200), *values(5000, "other"), "", "bücher.example", "x" * 5000]
    answers = ours.contains(asked).tolist()
    assert answers == [theirs.contains_str(value) for value in asked]
    assert answers == [value.encode() in florist for value in asked]
    assert ours.contains(values(capacity)).all()


def test_the_file_that_the_go_tool_is_tested_with_is_ours_for_its_three_values():
    """``testdata/test.bloom`` of DCSO/bloom, by its digest."""
    made = DcsoFilter.build(["foo", "bar", "baz"], capacity=1000, fpr=1e-6)
    assert sha256(made.to_bytes()).hexdigest() == GO_TESTDATA


GO_TESTDATA = "f49c7cd2901831410a329738ba98c3d193e2921e52133b6d67b885b17cfc89ab"


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=30), st.lists(st.text(max_size=40), max_size=30), st.binary())
def test_any_text_gives_the_bytes_of_the_others(held, asked, data):
    ours = DcsoFilter.build(held, capacity=40, fpr=0.05, data=data)
    assert ours.to_bytes() == as_flor(held, 40, 0.05, data)
    theirs = flor.BloomFilter(1, 0.1)
    theirs.read(io.BytesIO(ours.to_bytes()))
    assert ours.contains(asked).tolist() == [value.encode() in theirs for value in asked]


def test_values_are_counted_as_the_tools_count():
    held = values(50) * 2 + values(50, "more")
    made = DcsoFilter.build(held, capacity=200, fpr=0.4)
    assert made.to_bytes() == as_flor(held, 200, 0.4)
    assert made.count < 100


@pytest.mark.slow
def test_many_values_are_counted_in_their_order_too():
    """More than go in at a time, and a filter that gets full."""
    held = [*values(40_000), *values(5_000)]
    assert DcsoFilter.build(held, capacity=45_001, fpr=0.5).to_bytes() == as_poppy(held, 45_001, 0.5)


def test_strangers_seem_to_be_in_about_as_often_as_wished():
    made = DcsoFilter.build(values(20_000), capacity=20_000, fpr=0.01)
    assert 0.008 < made.contains(values(100_000, "other")).mean() < 0.012


def test_every_cut_is_refused_or_is_a_filter_with_fewer_data():
    data = DcsoFilter.build(values(5), capacity=5, fpr=0.01, data=b"six by").to_bytes()
    for length in range(len(data)):
        if length >= len(data) - 6:
            assert DcsoFilter.from_bytes(data[:length]).to_bytes() == data[:length]
            continue
        with pytest.raises(InputError) as refused:
            DcsoFilter.from_bytes(data[:length])
        assert refused.value.code == "filter-malformed"


WORDS = st.one_of(st.integers(0, 200), st.integers(0, 2**64 - 1), st.sampled_from([2**63, 2**32]))


@settings(deadline=None)
@given(st.tuples(WORDS, st.floats(), WORDS, WORDS, WORDS), st.binary(max_size=100))
def test_any_head_is_refused_or_read(head, body):
    data = struct.pack("<QQdQQQ", 1, *head) + body
    try:
        read = DcsoFilter.from_bytes(data)
    except InputError:
        return
    assert read.to_bytes() == data
    assert read.contains(["a", "b"]).shape == (2,)


def test_bits_behind_the_last_are_refused():
    data = bytearray(DcsoFilter.build(values(5), capacity=5, fpr=0.01).to_bytes())
    data[-1] |= 0x80
    with pytest.raises(InputError, match="behind the last"):
        DcsoFilter.from_bytes(bytes(data))


@pytest.mark.parametrize("version", [0, 2, 257, 1 << 63 | 1])
def test_other_versions_are_refused_by_name(version):
    data = DcsoFilter.build([], capacity=5, fpr=0.01).to_bytes()
    with pytest.raises(InputError) as refused:
        DcsoFilter.from_bytes(struct.pack("<Q", version) + data[8:])
    assert refused.value.code == "filter-unsupported"


def test_poppys_own_format_is_refused_by_name():
    with pytest.raises(InputError) as refused:
        DcsoFilter.from_bytes(bytes(poppy.BloomFilter(100, 0.01).dumps()))
    assert refused.value.code == "filter-unsupported"


@pytest.mark.parametrize(
    ("capacity", "fpr"),
    [(0, 0.1), (-1, 0.1), (5, 0), (5, 1), (5, -1), (2**40, 0.1), (2**36, 0.01), (10**400, 0.1)],
)
def test_numbers_of_no_filter_are_refused(capacity, fpr):
    with pytest.raises(InputError) as refused:
        DcsoFilter.build([], capacity=capacity, fpr=fpr)
    assert refused.value.code == "filter-parameters"


def test_more_values_than_the_capacity_are_refused():
    with pytest.raises(InputError, match="do not go into"):
        DcsoFilter.build(values(6), capacity=5, fpr=0.1)


def test_the_warning_says_who_can_test_guesses():
    assert "no key" in WARNING


def test_nothing_of_a_filter_is_printed():
    assert len(repr(DcsoFilter.build(values(90), capacity=90, fpr=1e-6, data=b"secret"))) < 120
