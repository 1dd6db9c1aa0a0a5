"""What is particular to ``cardinality-noisy``: noise of the sender, and a cheat that is rid of it."""

import dataclasses
import math

import numpy as np
import pytest

from crypto import curve25519, dp, rows, session, shuffled
from crypto.errors import ParameterError
from crypto.psi import Noisy, cardinality_noisy
from crypto.psi.base import pad
from tests.crypto.psi.parties import deterministic_rng, items, params

OURS, THEIRS, SHARED = [1, 2, 3, 4], [3, 4, 5], 2
SIZES = (4, 3)
BOUND = dp.bound(1000)


def run(ours=OURS, theirs=THEIRS, p=None, **rng) -> Noisy:
    p = p or params(max(1, len(ours)), max(1, len(theirs)))
    return session.run(
        cardinality_noisy.receiver(items(*ours), p), cardinality_noisy.sender(items(*theirs), p, **rng)
    )[0]


def against(receiver, theirs=THEIRS, p=None):
    return session.run(receiver, cardinality_noisy.sender(items(*theirs), p or params(*SIZES)))[0]


@pytest.mark.parametrize("epsilon_milli", [50, 1000, 16_000])
def test_the_answer_is_the_number_and_the_noise_that_the_sender_drew(epsilon_milli) -> None:
    p = dataclasses.replace(params(*SIZES), epsilon_milli=epsilon_milli)
    for seed in (b"a", b"b", b"c", b"d"):
        drawn = dp.noise(epsilon_milli, rng=deterministic_rng(seed))  # full sets: nothing is drawn before
        assert run(p=p, rng=deterministic_rng(seed)) == Noisy(SHARED + drawn, epsilon_milli / 1000)


def test_answers_are_spread_as_the_noise_is() -> None:
    """300 runs: mean within 4 standard errors, variance within 5 of its own. The sender's seeds are fixed."""
    p = math.exp(-1)
    variance, fourth = 2 * p / (1 - p) ** 2, 2 * p * (1 + 10 * p + p * p) / (1 - p) ** 4
    found = [run(rng=deterministic_rng(b"run %d" % n)).count - SHARED for n in range(300)]
    assert abs(np.mean(found)) <= 4 * math.sqrt(variance / 300)
    assert abs(np.var(found) - variance) <= 5 * math.sqrt((fourth - variance**2) / 300)


def test_an_answer_can_be_negative() -> None:
    assert min(run([1], [2]).count for _ in range(60)) < 0


def test_both_parties_tables_are_longer_by_the_dummies() -> None:
    """So that the noise shows in no size."""
    seen = []
    p = params(*SIZES)
    session.run(
        cardinality_noisy.receiver(items(*OURS), p),
        cardinality_noisy.sender(items(*THEIRS), p),
        on_message=lambda m: (seen.extend(m.sizes().values()), m)[1],
    )
    assert [size[0] for size in seen] == [4 + 2 * BOUND, 4 + 2 * BOUND, 3 + 2 * BOUND]


def test_dummies_are_of_one_run_and_distinct() -> None:
    ours = params(*SIZES)
    tables = [cardinality_noisy._dummies(p) for p in (ours, dataclasses.replace(ours, context=bytes(32)))]
    assert len({row.tobytes() for table in tables for row in table}) == 2 * 2 * BOUND


@pytest.mark.parametrize("seed", [b"1", b"2", b"3"])
def test_the_sender_puts_in_as_many_dummies_as_it_says(seed) -> None:
    p = params(*SIZES)
    dummies = cardinality_noisy._dummies(p)
    some = cardinality_noisy._some(dummies, p, deterministic_rng(seed))
    drawn = dp.noise(1000, rng=deterministic_rng(seed))
    assert some.shape == dummies.shape
    assert len(rows.positions_in(some, dummies)) == BOUND + drawn
    assert len(rows.unique(some)) == len(some)


def test_without_an_epsilon_nothing_is_sent() -> None:
    none = dataclasses.replace(params(4, 4), epsilon_milli=0)
    for role in (cardinality_noisy.receiver, cardinality_noisy.sender):
        with pytest.raises(ParameterError):
            next(role(items(1), none))


def test_a_receiver_that_leaves_out_the_dummies_has_the_exact_number() -> None:
    """Said on the page: there is no protection against it."""
    p = params(*SIZES)
    exchange = cardinality_noisy._exchange(p)
    for _ in range(5):
        own = pad(items(*OURS), exchange.n_r, rng=np.random.default_rng().bytes).rows
        assert against(shuffled.receiver(own, exchange)) == SHARED


def test_a_receiver_with_two_masks_tells_dummies_from_items() -> None:
    """Said on the page: so it would not help if the sender made the dummies alone."""
    p = params(*SIZES)
    exchange = cardinality_noisy._exchange(p)
    parts = shuffled.points(items(*OURS), exchange), shuffled.points(cardinality_noisy._dummies(p), exchange)

    def cheat():
        masks = [curve25519.generate_scalar() for _ in parts]
        sent = [curve25519.multiply(part, mask) for part, mask in zip(parts, masks, strict=True)]
        yield from session.send(shuffled.Masked(rows.sort(np.concatenate(sent))))
        remasked = (yield from session.receive(shuffled.Remasked, remasked=(exchange.n_r, 32))).remasked
        tags = (yield from session.receive(shuffled.Tags, tags=(exchange.n_s, exchange.tag_bytes))).tags
        return [len(rows.positions_in(shuffled.unmasked(remasked, mask, exchange), tags)) for mask in masks]

    exact, dummies = against(cheat())
    assert exact == SHARED
    assert 0 <= dummies <= 2 * BOUND


def test_a_sender_can_choose_its_noise() -> None:
    """Said on the page: up to the bound, either way."""
    p = params(*SIZES)
    exchange = cardinality_noisy._exchange(p)
    for chosen, said in ((cardinality_noisy._dummies(p), BOUND), (items(*range(50, 50 + 2 * BOUND)), -BOUND)):
        table = np.concatenate([items(*THEIRS), chosen])
        found, _ = session.run(cardinality_noisy.receiver(items(*OURS), p), shuffled.sender(table, exchange))
        assert found.count == SHARED + said
