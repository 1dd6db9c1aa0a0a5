"""Exact sums of whoever is left, and a clean end where they are too few."""

import numpy as np
import pytest

from crypto.errors import ParameterError, TooFew
from crypto.secagg import ring
from crypto.secagg.base import Opened, Step, threshold
from crypto.secagg.masking import verify_receipt
from tests.crypto.secagg.alliance import Alliance, plain_sum, run, setup, vectors

STEPS = [step for step in Step if step is not Step.DONE]
FEW = [3, 4, 5, 10]


def check_exact(alliance: Alliance) -> None:
    """Coordinator and every member have the sum of the survivors, with a receipt that anybody can check."""
    agreed, outcome = alliance.setup, alliance.coordinator.outcome
    assert outcome is not None
    assert outcome.vector.tolist() == plain_sum(agreed, alliance.inputs, outcome.survivors)
    verify_receipt(agreed, outcome.survivors, outcome.digest, outcome.signatures)
    assert outcome.digest == ring.root(ring.digests(outcome.vector.view(agreed.words)))
    assert set(alliance.results) == set(range(agreed.n)) - set(alliance.drops)
    for result in alliance.results.values():
        assert result.vector.tolist() == outcome.vector.tolist()
        assert (result.survivors, result.digest) == (outcome.survivors, outcome.digest)
        assert result.signatures == outcome.signatures


@pytest.mark.parametrize("width", [8, 16, 32, 64])
@pytest.mark.parametrize("n", FEW)
def test_the_sum_of_all_is_exact(n: int, width: int) -> None:
    agreed = setup(n, width=width, cap=((1 << width) - 1) // n)
    alliance = run(agreed)
    assert alliance.errors == {}
    assert alliance.coordinator.survivors == tuple(range(n))
    check_exact(alliance)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("n", FEW)
def test_as_many_as_the_bound_allows_drop_out_at_one_step(n: int, step: Step) -> None:
    gone = list(range(n))[:: max(1, n // 3)][: n - threshold(n)]
    alliance = run(setup(n), drops=dict.fromkeys(gone, step))
    assert alliance.errors == {}
    expected = set(range(n)) - (set(gone) if step <= Step.MASKING else set())
    assert set(alliance.coordinator.survivors) == expected
    check_exact(alliance)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("n", FEW)
def test_one_more_than_the_bound_ends_the_run_with_nothing_opened(n: int, step: Step) -> None:
    gone = range(n - threshold(n) + 1)
    alliance = Alliance(setup(n), vectors(setup(n)), drops=dict.fromkeys(gone, step))
    with pytest.raises(TooFew):
        alliance.finish()
    assert alliance.step is step
    assert alliance.results == {}
    opened = [m for _, m in alliance.wire if isinstance(m, Opened)]
    assert bool(opened) == (step is Step.SIGNING), "then the sum is known already, but nobody certifies it"


def test_members_drop_out_one_after_the_other() -> None:
    alliance = run(setup(10), drops={0: Step.DEALING, 4: Step.MASKING, 9: Step.UNMASKING})
    assert alliance.coordinator.survivors == (1, 2, 3, 5, 6, 7, 8, 9)
    check_exact(alliance)


def test_a_result_with_room_for_noise_is_signed() -> None:
    agreed = setup(5, reserve=20, cap=1)
    inputs = [np.zeros(5, agreed.words) for _ in range(5)]
    inputs[0][2] = 1
    alliance = run(agreed, inputs=inputs, options={"noise": np.array([-3, 0, 1, -1, 2])})
    assert alliance.coordinator.outcome.vector.tolist() == [-15, 0, 6, -5, 10]
    assert alliance.results[0].vector.tolist() == [-15, 0, 6, -5, 10]


def test_a_vector_of_many_chunks_is_computed_anew_in_full_or_in_part() -> None:
    agreed = setup(4, size=3 * ring.CHUNK_BYTES // 4 + 5)
    check_exact(run(agreed))
    check_exact(run(agreed, options={"sample": 2}))


@pytest.mark.parametrize(
    "vector",
    [np.zeros(4, "<u4"), np.zeros(5, "<u2"), np.zeros(5, "<i4"), [0] * 5],
    ids=["short", "narrow", "signed", "a list"],
)
def test_a_vector_that_does_not_fit_is_refused_before_anything_is_said(vector) -> None:
    alliance = Alliance(setup(4), [vector, *vectors(setup(4))[1:]])
    assert isinstance(alliance.errors[0], ParameterError)
