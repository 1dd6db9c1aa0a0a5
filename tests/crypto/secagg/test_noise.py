"""Shared noise against closed forms: computed where that can be, else by many samples; and against OpenDP."""

import math
from bisect import bisect_right
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import opendp.prelude as opendp
import pytest

from crypto.errors import ParameterError
from crypto.secagg import noise
from crypto.secagg.noise import Noise
from tests.reference.noise import (
    binned,
    chi_squared_beyond,
    discrete_laplace,
    masses,
    negative_binomial,
    sums,
)

LAWS = [(1000, 1, 4), (1000, 1, 1), (500, 1, 2), (4000, 1, 3), (16_000, 1, 34), (2000, 7, 5)]
UNIT = Fraction(1, 1 << 128)
SAMPLES = 100_000
ONE_IN_A_MILLION = 1e-6


def generator(seed: int):
    return np.random.default_rng(seed).bytes


def made(law, **changes) -> Noise:
    epsilon_milli, cap, honest = law
    return Noise(**({"epsilon_milli": epsilon_milli, "cap": cap, "honest": honest} | changes))


def table(law) -> list[Fraction]:
    """The law of one draw: exactly what the table of thresholds gives."""
    return masses(noise._thresholds(*law), 128)


def total(law, contributors: int, seed: int, samples: int = SAMPLES):
    """The noise of so many contributors on each word of a vector."""
    share, rng = made(law), generator(seed)
    return sum(share.draw(samples, rng=rng) for _ in range(contributors))


# One draw


@pytest.mark.parametrize("law", [*LAWS, (20, 1, 3), (1000, 100, 34)])
def test_a_draw_is_as_close_to_the_law_as_the_module_says(law) -> None:
    chances = table(law)
    with localcontext(prec=120):
        wanted = [Fraction(p) for p in negative_binomial(*law, most=len(chances) - 1)]
    distance = sum(abs(a - b) for a, b in zip(chances, wanted, strict=True)) + (1 - sum(wanted))
    assert 0 < distance / 2 <= len(chances) * UNIT
    assert len(chances) == made(law).furthest + 1


@pytest.mark.parametrize("law", LAWS)
def test_what_is_cut_off_is_less_than_one_in_two_to_the_128(law) -> None:
    with localcontext(prec=120):
        wanted = [Fraction(p) for p in negative_binomial(*law, most=made(law).furthest)]
    assert 1 - sum(wanted[:-1]) > UNIT >= 1 - sum(wanted)


def test_the_largest_table_is_made_and_stays_below_two_to_the_twenty() -> None:
    assert 800_000 < made((1, 10, 34)).furthest < 1 << 20


# What the honest add up to


@pytest.mark.parametrize("law", [law for law in LAWS if law[2] <= 5])
def test_the_noise_of_the_honest_is_discrete_laplace(law) -> None:
    """Computed from the table itself, without a sample: within the distance that ``delta`` is made of."""
    chances = sums(table(law), law[2])
    with localcontext(prec=120):
        wanted = {z: Fraction(discrete_laplace(law[0], law[1], z)) for z in chances}
    distance = sum(abs(chances[z] - wanted[z]) for z in chances) + (1 - sum(wanted.values()))
    assert distance / 2 <= 2 * law[2] * (made(law).furthest + 1) * UNIT


@pytest.mark.parametrize("law", [(1000, 1, 3), (500, 1, 2), (4000, 1, 3), (2000, 3, 2)])
@pytest.mark.parametrize("more", [0, 1])
def test_delta_is_what_the_definition_gives_or_more(law, more) -> None:
    """By how much a neighbour exceeds ``exp(epsilon)`` times the other, whoever adds noise besides."""
    chances = sums(table(law), law[2] + more)
    with localcontext(prec=120):
        grown = Fraction((Decimal(law[0]) / 1000).exp())
    for step in (law[1], -law[1], 1, -1):
        found = sum(max(Fraction(0), p - grown * chances.get(z - step, 0)) for z, p in chances.items())
        assert found <= made(law).delta
    assert made(law).delta < 2**-64


def test_fewer_than_the_honest_do_not_give_epsilon() -> None:
    """So that the number of the honest is not a formality: the definition fails, not by a hair."""
    law = (1000, 1, 3)
    chances = sums(table(law), 2)
    excess = sum(max(0.0, float(p) - math.e * float(chances.get(z - 1, 0))) for z, p in chances.items())
    assert excess > 0.05


@pytest.mark.parametrize("epsilon_milli", [1, 16_000])
@pytest.mark.parametrize("honest", [1, 66])
def test_delta_is_below_two_to_the_minus_64_at_the_ends_of_all_ranges(epsilon_milli, honest) -> None:
    for cap in (1, epsilon_milli * noise.MOST_SCALE // 1000):
        assert 0 < made((epsilon_milli, cap, honest)).delta < 2**-64


# Samples


@pytest.mark.parametrize("law", [(1000, 1, 4), (1000, 1, 34), (500, 1, 2), (2000, 3, 5)])
def test_samples_of_the_honest_together_have_the_law(law) -> None:
    """Chi-squared: of right samplers one in a million fails. The seed stays."""
    edge = 3 * law[1] * 1000 // law[0] + 2
    found = binned(total(law, law[2], seed=law[2]), edge)
    inner = {z: float(discrete_laplace(*law[:2], z)) for z in range(-edge + 1, edge)}
    side = (1 - sum(inner.values())) / 2
    chances = inner | {-edge: side, edge: side}
    statistic = sum((found[z] - SAMPLES * p) ** 2 / (SAMPLES * p) for z, p in chances.items())
    assert min(chances.values()) * SAMPLES > 5
    assert chi_squared_beyond(statistic, len(chances) - 1) > ONE_IN_A_MILLION


def test_chi_squared_would_notice_a_missing_contributor() -> None:
    found = binned(total((1000, 1, 4), 3, seed=1), 5)
    inner = {z: float(discrete_laplace(1000, 1, z)) for z in range(-4, 5)}
    side = (1 - sum(inner.values())) / 2
    chances = inner | {-5: side, 5: side}
    statistic = sum((found[z] - SAMPLES * p) ** 2 / (SAMPLES * p) for z, p in chances.items())
    assert chi_squared_beyond(statistic, 10) < ONE_IN_A_MILLION


@pytest.mark.parametrize(("law", "contributors"), [((1000, 1, 4), 4), ((1000, 1, 4), 10), ((1000, 50, 3), 5)])
def test_the_moments_are_those_of_the_law(law, contributors) -> None:
    """Mean and variance within 5 standard deviations of what so many samples give."""
    share, found = made(law), total(law, contributors, seed=8).astype(float)
    deviation, p = share.deviation(contributors), math.exp(-law[0] / 1000 / law[1])
    assert deviation**2 == pytest.approx(2 * p / (1 - p) ** 2 * contributors / law[2])
    assert abs(found.mean()) < 5 * deviation / math.sqrt(SAMPLES)
    fourth = float(np.mean(found**4))
    assert abs(found.var() - deviation**2) < 5 * math.sqrt((fourth - deviation**4) / SAMPLES)


def test_the_tail_is_that_of_the_law() -> None:
    law, p = (1000, 1, 4), math.exp(-1)
    sizes = np.abs(total(law, law[2], seed=5, samples=400_000))
    for z in (3, 6, 8):
        expected = 400_000 * 2 * p**z / (1 + p)
        assert abs(int((sizes >= z).sum()) - expected) < 5 * math.sqrt(expected)


@pytest.mark.parametrize("law", [(1000, 1, 4), (500, 1, 2)])
def test_opendp_draws_the_same_noise(law) -> None:
    """Two samples in bins: of two right samplers one pair in a million fails. OpenDP has its own seed."""
    opendp.enable_features("contrib")
    space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.l1_distance(T=int)
    laplace = opendp.m.make_laplace(*space, scale=law[1] * 1000 / law[0])
    assert laplace.map(law[1]) == pytest.approx(law[0] / 1000)
    edge = 5
    theirs = binned(laplace([0] * SAMPLES), edge)
    ours = binned(total(law, law[2], seed=77), edge)
    bins = range(-edge, edge + 1)
    statistic = sum((ours[z] - theirs[z]) ** 2 / (ours[z] + theirs[z]) for z in bins)
    assert chi_squared_beyond(statistic, len(bins) - 1) > ONE_IN_A_MILLION


# How it is drawn


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)


class Script:
    """Randomness that was written beforehand; it must not be asked for more."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def __call__(self, size: int) -> bytes:
        taken, self.left = self.left[:size], self.left[size:]
        assert len(taken) == size
        return taken


@pytest.mark.parametrize("law", [(1000, 1, 4), (1, 1, 3)])
def test_a_draw_inverts_the_table_at_each_threshold(law) -> None:
    """A threshold belongs to the number after it, what is one below to the one before: all bits count."""
    share, thresholds = made(law), list(noise._thresholds(*law))
    middle = range(0, len(thresholds), max(1, len(thresholds) // 50))
    for k in {*middle, len(thresholds) - 1}:
        for drawn in (thresholds[k], thresholds[k] - 1):
            script = Script(words(drawn >> 64, drawn & (1 << 64) - 1) + words(0))
            assert share._binomials(1, script)[0] == bisect_right(thresholds, drawn)
            assert script.left == words(0), "the lower half is drawn where the upper does not decide"


def test_where_the_upper_half_decides_no_more_is_drawn() -> None:
    script = Script(words(0, 1 << 63))
    assert (made((1000, 1, 4))._binomials(2, script) == [0, 0]).all()
    assert script.left == b""


def test_no_draw_is_further_than_the_bound() -> None:
    share = made((1000, 1, 4))
    highest = words(2**64 - 1)
    assert share.draw(1, rng=Script(highest + highest + words(0))) == [share.furthest]
    assert share.draw(1, rng=Script(words(0) + highest + highest)) == [-share.furthest]


def test_the_same_bytes_give_the_same_noise_and_fresh_ones_do_not() -> None:
    share, many = made((1000, 1, 4)), noise._CHUNK + 1000
    once, again = (share.draw(many, rng=generator(4)) for _ in range(2))
    assert (once == again).all()
    assert len(once) == many
    assert (share.draw(many) != share.draw(many)).any()
    assert (once[:1000] != once[-1000:]).any()


def test_nothing_is_drawn_for_no_words() -> None:
    assert made((1000, 1, 4)).draw(0, rng=Script(b"")).shape == (0,)


def test_noise_adds_up_in_the_ring() -> None:
    """As a word is masked: modulo 2^w, and the sum read with its sign."""
    law, n = (1000, 1, 4), 10
    share, rng = made(law), generator(2)
    dtype = np.dtype(f"u{share.width(n) // 8}")
    drawn = [share.draw(5000, rng=rng) for _ in range(n)]
    inputs = [np.frombuffer(generator(i)(5000), np.uint8) % 2 for i in range(n)]
    ring = np.zeros(5000, dtype)
    for x, z in zip(inputs, drawn, strict=True):
        ring += x.astype(dtype) + z.astype(dtype)
    read = ring.view(np.dtype(f"i{dtype.itemsize}"))
    assert (read == sum(x.astype(int) for x in inputs) + sum(drawn)).all()
    assert (read < 0).any()


def test_the_table_does_not_show() -> None:
    assert repr(made((1000, 1, 4))) == "Noise(epsilon_milli=1000, cap=1, honest=4)"


# What it takes and what it means for a release


@pytest.mark.parametrize("law", [(1000, 1, 2), (4000, 1, 3), (3000, 2, 2), (16_000, 1, 2)])
@pytest.mark.parametrize("contributors", [2, 4])
def test_noise_leaves_its_room_in_the_ring_less_than_once_in_two_to_the_64(law, contributors) -> None:
    """Computed from the table itself; and with one less it would be more often."""
    share, chances = made(law), sums(table(law), contributors)

    def outside(room: int) -> Fraction:
        return sum(p for z, p in chances.items() if abs(z) > room)

    room = share.reserve(contributors)
    assert outside(room) < Fraction(1, 1 << 64) < outside(room - 1)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("contributors", [3, 10, 100])
def test_the_ring_is_the_narrowest_that_holds_the_sum(law, contributors) -> None:
    share = made(law)
    most = contributors * law[1] + share.reserve(contributors)
    width = share.width(contributors)
    assert most < 2 ** (width - 1)
    assert width == 8 or most >= 2 ** (width // 2 - 1)


def test_a_noisy_count_of_sixty_members_fits_a_byte() -> None:
    n = 60
    share = made((1000, 1, noise.honest(2 * n // 3 + 1, (n - 1) // 3)))
    assert share.width(n) == 8


def test_thirty_two_bits_hold_every_sum() -> None:
    share = made((16_000, 160_000, 1))
    assert share.width(noise.MOST_CONTRIBUTORS) == 32


@pytest.mark.parametrize("law", [(1000, 1, 4), (500, 1, 2), (2000, 3, 2)])
@pytest.mark.parametrize("more", [0, 1, 3])
@pytest.mark.parametrize("delta", [1e-6, 0.01])
def test_the_margin_is_where_the_chance_falls_below_delta(law, more, delta) -> None:
    found = made(law).margin(law[2] + more, delta)
    chances = sums(table(law), law[2] + more)

    def beyond(m: int) -> float:
        return float(sum(p for z, p in chances.items() if z >= m))

    least = math.ceil(law[1] * 1000 / law[0] * math.log(1 / delta))
    assert beyond(found) <= delta
    assert found == least or beyond(found - 1) > delta
    assert found >= least


def test_more_noise_needs_more_margin() -> None:
    share = made((1000, 1, 34))
    margins = [share.margin(n, 1e-6) for n in (34, 50, 67, 100)]
    assert margins == sorted(set(margins))
    assert margins[0] == 14


@pytest.mark.parametrize(
    ("contributors", "colluding", "left"), [(3, 0, 2), (3, 1, 2), (4, 1, 3), (7, 3, 4), (67, 33, 34)]
)
def test_the_honest_are_those_that_are_left(contributors, colluding, left) -> None:
    assert noise.honest(contributors, colluding) == left


@pytest.mark.parametrize(("contributors", "colluding"), [(1, 0), (1, 1), (3, 3), (3, -1), (0, 0)])
def test_where_nobody_is_left_there_is_no_promise(contributors, colluding) -> None:
    with pytest.raises(ParameterError):
        noise.honest(contributors, colluding)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon_milli": 0}, {"epsilon_milli": -1}, {"epsilon_milli": 16_001}, {"cap": 0}, {"honest": 0},
        {"cap": 10_001},
    ],
)  # fmt: skip
def test_numbers_outside_their_range_are_refused(wrong) -> None:
    with pytest.raises(ParameterError):
        made((1000, 1, 4), **wrong)


def test_calls_outside_their_range_are_refused() -> None:
    share = made((1000, 1, 4))
    for call in (
        lambda: share.draw(-1),
        lambda: share.reserve(0),
        lambda: share.reserve(256),
        lambda: share.width(0),
        lambda: share.deviation(0),
        lambda: share.margin(0, 0.1),
        lambda: share.margin(3, 2.0**-65),
        lambda: share.margin(3, 1.0),
    ):
        with pytest.raises(ParameterError):
            call()
