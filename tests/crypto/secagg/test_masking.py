"""Exact sums of whoever is left, and a clean end where they are too few."""

import gc
import weakref
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import ed25519
from crypto.errors import ParameterError, TooFew
from crypto.secagg import keys, masks, ring
from crypto.secagg.base import Opened, Step, threshold
from crypto.secagg.masking import member, verify_receipt
from crypto.session import Message
from tests.crypto.secagg.alliance import Alliance, identity, plain_sum, run, setup, vectors

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


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_thirty_members_lose_as_many_as_the_bound_allows_at_one_step(step: Step) -> None:
    agreed = setup(30, width=8, cap=8)
    alliance = run(agreed, drops=dict.fromkeys(range(1, 28, 3), step))
    assert len(alliance.coordinator.survivors) == (21 if step <= Step.MASKING else 30)
    check_exact(alliance)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_thirty_members_lose_one_more_than_the_bound_at_one_step(step: Step) -> None:
    alliance = Alliance(setup(30), vectors(setup(30)), drops=dict.fromkeys(range(10), step))
    with pytest.raises(TooFew) as few:
        alliance.finish()
    assert (few.value.left, few.value.needed, alliance.step) == (20, 21, step)
    assert alliance.results == {}


@pytest.fixture(scope="module")
def checked_once() -> Iterator[None]:
    """A hundred members check the same proofs and signatures; here whoever is first checks for all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ed25519, "verify", cache(ed25519.verify))
        patch.setattr(keys, "is_possessed", cache(keys.is_possessed))
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("checked_once")
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_hundred_members_lose_as_many_as_the_bound_allows_at_one_step_and_no_more(step: Step) -> None:
    agreed = setup(100, width=8, cap=2)
    gone = [3 * i for i in range(33)]
    alliance = Alliance(agreed, vectors(agreed), drops=dict.fromkeys(gone, step))
    one_less = []

    def last(position: int, message: Message) -> Message:
        if (alliance.step, position) == (step, 99):
            one_less.append(deepcopy(alliance.coordinator))  # all that there is but for the last message
        return message

    alliance.up = last
    check_exact(alliance.finish())
    assert len(alliance.coordinator.survivors) == (67 if step <= Step.MASKING else 100)
    [beyond] = one_less
    with pytest.raises(TooFew) as few:
        beyond.close()
    assert (few.value.left, few.value.needed, beyond.step, beyond.outcome) == (66, 67, step, None)
    told = [message for position in range(100) for message in beyond.replies(position)]
    opened = any(isinstance(message, Opened) for message in told)
    assert opened == (step is Step.SIGNING), "then the sum is known already, but nobody certifies it"


@pytest.mark.slow
@pytest.mark.usefixtures("checked_once")
def test_a_hundred_members_lose_some_at_every_step_up_to_the_bound() -> None:
    agreed = setup(100, width=64, cap=(1 << 57) - 1)
    drops = {3 * i: STEPS[i % len(STEPS)] for i in range(33)}
    alliance = run(agreed, drops=drops)
    assert len(alliance.coordinator.survivors) == 100 - sum(step <= Step.MASKING for step in drops.values())
    check_exact(alliance)


@pytest.mark.slow
@pytest.mark.usefixtures("checked_once")
def test_a_hundred_members_lose_one_more_than_the_bound() -> None:
    drops = {2 * i: STEPS[i % 4] for i in range(34)}
    alliance = Alliance(setup(100), vectors(setup(100)), drops=drops)
    with pytest.raises(TooFew) as few:
        alliance.finish()
    assert (few.value.left, few.value.needed, alliance.step) == (66, 67, Step.AGREEING)
    assert not [m for _, m in alliance.wire if isinstance(m, Opened)]


STILL_NEEDED = {Step.AGREEING, Step.UNMASKING, Step.SIGNING}


@settings(max_examples=40, deadline=None)
@given(
    st.integers(3, 8).flatmap(
        lambda n: st.tuples(
            st.just(n), st.integers(3, n), st.dictionaries(st.integers(0, n - 1), st.sampled_from(STEPS))
        )
    )
)
def test_any_dropouts_end_as_counting_says(case) -> None:
    """Exact where enough are left at the end of every step, and else too few at the first where not."""
    n, minimum, drops = case
    agreed = setup(n, minimum=minimum)
    alliance = Alliance(agreed, vectors(agreed), drops=drops)
    for step in STEPS:
        left = n - sum(gone <= step for gone in drops.values())
        needed = threshold(n) if step in STILL_NEEDED else max(threshold(n), minimum)
        if left < needed:
            with pytest.raises(TooFew) as few:
                alliance.finish()
            assert (alliance.step, few.value.left, few.value.needed) == (step, left, needed)
            assert alliance.results == {}
            return
    check_exact(alliance.finish())


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


@pytest.mark.parametrize(
    "noise",
    [np.full(5, 21), np.full(5, -21), np.zeros(4, int), np.zeros(5, np.uint64), np.zeros(5)],
    ids=["too much", "too little", "short", "unsigned", "float"],
)
def test_noise_that_does_not_fit_is_refused(noise) -> None:
    agreed = setup(5, reserve=20, cap=1)
    alliance = Alliance(agreed, vectors(agreed), options={"noise": noise})
    assert {type(error) for error in alliance.errors.values()} == {ParameterError}
    assert set(alliance.errors) == set(range(5))


def test_a_chunk_that_there_is_not() -> None:
    with pytest.raises(ParameterError):
        masks.chunk_words(setup(3), 1)


def test_a_position_or_sample_that_there_is_not() -> None:
    agreed = setup(3)
    for position, sample in ((3, None), (-1, None), (0, 0)):
        role = member(vectors(agreed)[0], agreed, position, identity(0).sign, sample=sample)
        with pytest.raises(ParameterError):
            next(role)


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


def test_a_coordinator_keeps_the_sum_and_no_vector() -> None:
    agreed = setup(3)
    alliance = Alliance(agreed, vectors(agreed)).finish(until=Step.MASKING)
    masked = alliance.sessions[0].step.message
    masked = replace(masked, vector=masked.vector.copy())
    vector = weakref.ref(masked.vector)
    alliance.coordinator.accept(0, masked)
    del masked
    gc.collect()
    assert vector() is None
