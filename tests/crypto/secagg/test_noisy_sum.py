"""A whole run with noise: what is opened is the sum of those that are left, and their noise together."""

import math

import numpy as np
import pytest

from crypto.secagg.base import Setup, Step
from crypto.secagg.noise import Noise, honest
from tests.crypto.psi.parties import deterministic_rng
from tests.crypto.secagg.alliance import Alliance, plain_sum, setup, vectors
from tests.reference.noise import chi_squared_beyond, discrete_laplace

SIZE = 40_000
ONE_IN_A_MILLION = 1e-6


def opening(n: int, epsilon_milli: int) -> tuple[Setup, Noise]:
    """A noisy count: ``h`` follows from the fewest that can be left, the ring from all members."""
    exact = setup(n, cap=1)
    noise = Noise(epsilon_milli=epsilon_milli, cap=1, honest=honest(exact.least, exact.tolerated))
    return setup(n, cap=1, size=SIZE, width=noise.width(n), reserve=noise.reserve(n)), noise


class Noisy(Alliance):
    """Each member draws noise of its own, from randomness that is its own."""

    noise: Noise

    def role(self, i, vector, **options):
        drawn = self.noise.draw(SIZE, rng=deterministic_rng(b"noise%d" % i))
        return super().role(i, vector, noise=drawn, **options)


def opened(n: int, epsilon_milli: int, drops) -> tuple[Noisy, Noise, np.ndarray]:
    agreed, noise = opening(n, epsilon_milli)
    run = type("Run", (Noisy,), {"noise": noise})(agreed, vectors(agreed), drops=drops).finish()
    assert run.errors == {}
    outcome = run.coordinator.outcome
    return run, noise, outcome.vector - np.array(plain_sum(agreed, run.inputs, outcome.survivors))


def test_of_the_fewest_the_honest_alone_make_discrete_laplace_noise() -> None:
    """Three of ten are gone; of the seven left, the noise of four would do, and seven added theirs."""
    run, noise, found = opened(10, 1000, dict.fromkeys((1, 4, 8), Step.MASKING))
    assert len(run.coordinator.survivors) == 7
    assert noise.honest == 4
    assert run.setup.width == 8
    deviation = noise.deviation(7)
    assert abs(found.mean()) < 5 * deviation / math.sqrt(SIZE)
    fourth = float(np.mean(found.astype(float) ** 4))
    assert abs(found.var() - deviation**2) < 5 * math.sqrt((fourth - deviation**4) / SIZE)


@pytest.mark.parametrize("epsilon_milli", [1000, 500])
def test_what_h_members_add_in_a_run_is_discrete_laplace(epsilon_milli) -> None:
    """The seven took off all noise but that of four: what a coordinator does that three members help."""
    run, noise, found = opened(10, epsilon_milli, dict.fromkeys((1, 4, 8), Step.MASKING))
    for i in run.coordinator.survivors[:3]:
        found = found - noise.draw(SIZE, rng=deterministic_rng(b"noise%d" % i))
    edge = 2500 // epsilon_milli + 2
    inner = {z: float(discrete_laplace(epsilon_milli, 1, z)) for z in range(-edge + 1, edge)}
    side = (1 - sum(inner.values())) / 2
    chances = inner | {-edge: side, edge: side}
    clipped = np.clip(found, -edge, edge)
    statistic = sum((int((clipped == z).sum()) - SIZE * p) ** 2 / (SIZE * p) for z, p in chances.items())
    assert chi_squared_beyond(statistic, len(chances) - 1) > ONE_IN_A_MILLION


def test_a_member_that_runs_again_adds_the_same_noise() -> None:
    """Else a member that was killed would send a second masked vector, which shows the difference."""
    _, noise = opening(4, 1000)
    once, again = (noise.draw(SIZE, rng=deterministic_rng(b"a seed")) for _ in range(2))
    assert (once == again).all()
