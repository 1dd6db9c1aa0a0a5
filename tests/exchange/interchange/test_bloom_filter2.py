"""Files against the package itself: the same bytes, the same answers, in both directions."""

import bloom_filter2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.interchange.bloom_filter2 import WARNING, BloomFilter2, Probes

FUNCTIONS = {
    Probes.PRIMES: bloom_filter2.get_filter_bitno_probes,
    Probes.TWISTER: bloom_filter2.get_bitno_seed_rnd,
}
SHAPES = [(1, 0.5), (7, 0.3), (100, 0.1), (2000, 1e-3), (500, 1e-9), (1000, 0.999)]
BOTH = pytest.mark.parametrize("probes", Probes)


def values(n: int, name: str = "host") -> list[str]:
    return [f"{name}{i}.example.com" for i in range(n)]


def package(path, capacity: int, rate: float, probes: Probes):
    """What the package makes of a file, which it makes itself if there is none."""
    return bloom_filter2.BloomFilter(capacity, rate, FUNCTIONS[probes], filename=str(path))


@BOTH
@pytest.mark.parametrize(("capacity", "rate"), SHAPES)
def test_the_package_writes_the_same_file(tmp_path, probes, capacity, rate):
    held = values(capacity)
    with package(tmp_path / "filter", capacity, rate, probes) as theirs:
        for value in held:
            theirs.add(value)
    written = (tmp_path / "filter").read_bytes()
    ours = BloomFilter2.build(held, capacity=capacity, error_rate=rate, probes=probes)
    assert ours.to_bytes() == written
    assert BloomFilter2.from_bytes(written, capacity=capacity, error_rate=rate, probes=probes) == ours


@BOTH
@pytest.mark.parametrize(("capacity", "rate"), [(700, 0.2), (700, 1e-3)])
def test_the_package_opens_our_file_and_answers_the_same(tmp_path, probes, capacity, rate):
    ours = BloomFilter2.build(values(capacity), capacity=capacity, error_rate=rate, probes=probes)
    path, asked = tmp_path / "filter", [*values(capacity), *values(3000, "other"), "", "bücher.example", "😀"]
    path.write_bytes(ours.to_bytes())
    with package(path, capacity, rate, probes) as theirs:
        assert [value in theirs for value in asked] == ours.contains(asked)
    assert path.read_bytes() == ours.to_bytes(), "opening it changes nothing"
    assert all(ours.contains(values(capacity)))


@pytest.mark.parametrize("backend", [-1, 100, 10**6])
def test_the_other_backends_of_the_package_read_the_same_file(tmp_path, backend):
    ours = BloomFilter2.build(values(700), capacity=700, error_rate=1e-3)
    (tmp_path / "filter").write_bytes(ours.to_bytes())
    theirs = bloom_filter2.BloomFilter(700, 1e-3, filename=(str(tmp_path / "filter"), backend))
    asked = [*values(700), *values(700, "other")]
    assert [bool(value in theirs) for value in asked] == ours.contains(asked)
    theirs.close()


@BOTH
@settings(deadline=None)
@given(held=st.lists(st.text(max_size=30), max_size=20), asked=st.lists(st.text(max_size=30), max_size=20))
def test_any_text_probes_the_bits_that_the_package_probes(probes, held, asked):
    ours = BloomFilter2.build(held, capacity=20, error_rate=0.1, probes=probes)
    theirs = bloom_filter2.BloomFilter(20, 0.1, FUNCTIONS[probes])
    for value in held:
        theirs.add(value)
    assert [value in theirs for value in held + asked] == ours.contains(held + asked)


@pytest.mark.slow
def test_the_package_answers_identically_on_a_million_probes(tmp_path):
    """It looks at a million bits for a hundred thousand questions."""
    capacity, rate = 70_000, 1e-4
    ours = BloomFilter2.build(values(capacity), capacity=capacity, error_rate=rate)
    (tmp_path / "filter").write_bytes(ours.to_bytes())
    asked = [*values(capacity), *values(30_000, "other")]
    with package(tmp_path / "filter", capacity, rate, Probes.PRIMES) as theirs:
        probes, is_set = 0, theirs.backend.is_set

        def counted(place):
            nonlocal probes
            probes += 1
            return is_set(place)

        theirs.backend.is_set = counted
        assert [value in theirs for value in asked] == ours.contains(asked)
    assert probes >= 10**6


def test_another_shape_is_refused():
    data = BloomFilter2.build(values(100), capacity=100, error_rate=1e-3).to_bytes()
    for capacity, rate in [(101, 1e-3), (100, 2e-3), (100, 1e-300)]:
        with pytest.raises(InputError) as refused:
            BloomFilter2.from_bytes(data, capacity=capacity, error_rate=rate)
        assert refused.value.code == "filter-malformed"


def test_every_cut_and_every_bit_behind_the_last_is_refused():
    data = BloomFilter2.build(values(3), capacity=7, error_rate=0.01).to_bytes()
    for length in (*range(len(data)), len(data) + 1):
        with pytest.raises(InputError):
            BloomFilter2.from_bytes((data + b"\0")[:length], capacity=7, error_rate=0.01)
    for at in (-1, -2, -3):
        hostile = bytearray(data)
        hostile[at] |= 0x80
        with pytest.raises(InputError, match="behind the last"):
            BloomFilter2.from_bytes(bytes(hostile), capacity=7, error_rate=0.01)


@pytest.mark.parametrize(
    ("capacity", "rate"),
    [(0, 0.1), (-1, 0.1), (1, 0), (1, 1), (1, -0.1), (2**40, 0.1), (2**36, 0.01), (10**400, 0.1)],
)
def test_numbers_that_the_package_refuses_are_refused(capacity, rate):
    for call in (
        lambda: BloomFilter2.build([], capacity=capacity, error_rate=rate),
        lambda: BloomFilter2.from_bytes(b"", capacity=capacity, error_rate=rate),
    ):
        with pytest.raises(InputError) as refused:
            call()
        assert refused.value.code == "filter-parameters"


def test_more_values_than_the_capacity_are_refused():
    with pytest.raises(InputError, match="do not go into"):
        BloomFilter2.build(values(8), capacity=7, error_rate=0.1)


def test_the_warning_says_who_can_test_guesses():
    assert "no key" in WARNING
    assert "any guess" in WARNING


def test_nothing_of_a_filter_is_printed():
    assert len(repr(BloomFilter2.build(values(90), capacity=90, error_rate=1e-6))) < 120
