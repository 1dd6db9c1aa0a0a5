"""Noise against the closed form of its distribution: computed where that can be, else by many samples."""

import contextlib
import math
from collections import Counter
from decimal import Decimal, localcontext

import numpy as np
import pytest

from crypto import dp
from crypto.errors import ParameterError

LOSSES = [1, 7, 100, 693, 1000, 4000, 16_000]
SAMPLES = 20_000


def cut(epsilon_milli: int) -> dict[int, Decimal]:
    """The chance of every noise: discrete Laplace, and what lies beyond the bound at the bound."""
    p, furthest = (-Decimal(epsilon_milli) / 1000).exp(), dp.bound(epsilon_milli)
    inner = {z: (1 - p) / (1 + p) * p ** abs(z) for z in range(-furthest + 1, furthest)}
    edge = p**furthest / (1 + p)
    return inner | {-furthest: edge, furthest: edge}


def generator(seed: int):
    return np.random.default_rng(seed).bytes


@pytest.mark.parametrize("epsilon_milli", LOSSES)
def test_delta_is_below_what_the_module_says_and_below_two_to_the_minus_forty(epsilon_milli) -> None:
    """From the definition: by how much one of two neighbours exceeds ``exp(epsilon)`` times the other."""
    with localcontext(prec=60):
        chances = cut(epsilon_milli)
        assert abs(sum(chances.values()) - 1) < Decimal(10) ** -50
        loss, furthest = (Decimal(epsilon_milli) / 1000).exp(), dp.bound(epsilon_milli)
        for step in (1, -1):
            said = [
                max(Decimal(0), chances.get(z, Decimal(0)) - loss * chances.get(z - step, Decimal(0)))
                for z in range(-furthest - 1, furthest + 2)
            ]
            stated = loss**-furthest
            assert stated / 4 < sum(said) <= stated < Decimal(2) ** -40


@pytest.mark.parametrize("epsilon_milli", LOSSES)
def test_no_smaller_bound_has_that_delta(epsilon_milli) -> None:
    p = math.exp(-epsilon_milli / 1000)
    assert p ** dp.bound(epsilon_milli) < 2**-40 < p ** (dp.bound(epsilon_milli) - 1)


@pytest.mark.parametrize("epsilon_milli", [100, 693, 1000, 4000])
def test_samples_have_the_distribution(epsilon_milli) -> None:
    """Each frequency within 5 standard deviations: of right samplers one in 10,000 fails. The seed stays."""
    rng = generator(epsilon_milli)
    found = Counter(dp.noise(epsilon_milli, rng=rng) for _ in range(SAMPLES))
    chances = {z: float(p) for z, p in cut(epsilon_milli).items()}
    assert set(found) <= set(chances)
    for z, p in chances.items():
        deviation = math.sqrt(SAMPLES * p * (1 - p))
        assert abs(found[z] - SAMPLES * p) <= 5 * deviation + 1, z


def test_scales_that_are_no_whole_numbers_are_right_too() -> None:
    rng, scale, divisor = generator(3), 10, 7
    found = Counter(dp.laplace(scale, divisor, rng=rng) for _ in range(SAMPLES))
    p = math.exp(-divisor / scale)
    for z in range(-8, 9):
        expected = SAMPLES * (1 - p) / (1 + p) * p ** abs(z)
        assert abs(found[z] - expected) <= 5 * math.sqrt(expected) + 1, z


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 1), (1, 3), (999, 1000)])
def test_a_coin_falls_as_the_exponential_says(numerator, denominator) -> None:
    rng, p = generator(numerator), math.exp(-numerator / denominator)
    heads = sum(dp._exp_minus(numerator, denominator, rng) for _ in range(SAMPLES))
    assert abs(heads - SAMPLES * p) <= 5 * math.sqrt(SAMPLES * p * (1 - p))


@pytest.mark.parametrize("limit", [2, 3, 5, 128, 200, 256])
def test_numbers_below_a_limit_are_uniform(limit) -> None:
    """Every byte once gives every number equally often."""
    left = list(range(256))

    def rng(n: int) -> bytes:
        assert n == 1
        return bytes([left.pop()])

    drawn = []
    with contextlib.suppress(IndexError):  # none is left
        while True:
            drawn.append(dp._below(limit, rng))
    assert len(set(Counter(drawn).values())) == 1
    assert set(drawn) == set(range(limit))


def test_below_one_there_is_nothing_to_draw() -> None:
    assert dp._below(1, bytes) == 0


def test_a_large_limit_takes_as_many_bytes_as_it_needs() -> None:
    asked = []

    def rng(n: int) -> bytes:
        asked.append(n)
        return b"\xff" * n if len(asked) == 1 else bytes(n - 1) + b"\x01"

    assert dp._below((1 << 16) + 1, rng) == 1 << 16
    assert asked == [3, 3]


def test_noise_stops_at_the_bound(monkeypatch) -> None:
    for drawn, kept in ((10**6, 28), (-(10**6), -28), (28, 28), (-3, -3)):
        monkeypatch.setattr(dp, "laplace", lambda *_, drawn=drawn, **__: drawn)
        assert dp.noise(1000) == kept


def test_fresh_noise_differs() -> None:
    assert len({dp.noise(10) for _ in range(40)}) > 10


def test_losses_add_up() -> None:
    assert dp.spent([]) == (0, 0)
    assert dp.spent([1000, 500, 1]) == (1.501, 3 * 2**-40)
    assert dp.spent([100] * 10).epsilon == 1.0


@pytest.mark.parametrize("none", [0, -1])
def test_without_a_loss_there_is_no_noise(none) -> None:
    for call in (dp.bound, dp.noise):
        with pytest.raises(ParameterError):
            call(none)
