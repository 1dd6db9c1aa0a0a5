"""What is particular to ``estimate``: sketches and nothing else are compared; what a cheat gets beyond."""

import numpy as np
import pytest

from crypto import curve25519, hashing, labels, rows, session, shuffled, sketch
from crypto.errors import ParameterError
from crypto.psi import Estimate, estimate
from crypto.sketch import SLOTS
from tests.crypto.psi.parties import CONTEXT, deterministic_rng, items, params

OURS, THEIRS = list(range(300)), list(range(200, 600))
SALT = b"a salt for long"
NOTHING = np.empty((0, 32), np.uint8)


def run(ours, theirs, sizes=(700, 700), tamper=lambda m: m, salts=(None, None)) -> Estimate:
    p = params(*sizes)
    made = [s and sketch.sketch(items(*n), s) for n, s in zip((ours, theirs), salts, strict=True)]
    return session.run(
        estimate.receiver(items(*ours), p, sketch=made[0]),
        estimate.sender(items(*theirs), p, sketch=made[1]),
        on_message=tamper,
    )[0]


def equal_rows(ours, theirs, salt: bytes) -> int:
    a, b = (sketch.sketch(items(*numbers), salt) for numbers in (ours, theirs))
    return int(np.all(a == b, axis=1).sum())


def test_the_number_is_that_of_slots_that_both_sketches_have_alike() -> None:
    assert run(OURS, THEIRS, salts=(SALT, SALT)) == Estimate(equal_rows(OURS, THEIRS, SALT), SLOTS)


def test_without_a_sketch_one_is_made_under_a_salt_of_the_run() -> None:
    salt = hashing.derive_key(labels.SKETCH_SALT, CONTEXT)
    assert run(OURS, THEIRS).equal == run(OURS, THEIRS, salts=(salt, None)).equal
    assert run(OURS, THEIRS).equal == equal_rows(OURS, THEIRS, salt)


def test_with_a_sketch_no_item_is_needed() -> None:
    p = params(700, 700)
    brought = [sketch.sketch(items(*numbers), SALT) for numbers in (OURS, THEIRS)]
    found, _ = session.run(
        estimate.receiver(NOTHING, p, sketch=brought[0]), estimate.sender(NOTHING, p, sketch=brought[1])
    )
    assert found == run(OURS, THEIRS, salts=(SALT, SALT))


def test_sketches_under_two_salts_have_nothing_in_common() -> None:
    """Said in the docstring: it is the caller's business, and the answer is low, not false."""
    assert run(OURS, OURS, salts=(SALT, b"another")).equal == 0


def test_messages_show_neither_sizes_nor_sets() -> None:
    seen = []
    for ours, theirs, sizes in (([], [1], (1, 1)), (OURS, THEIRS, (700, 800))):
        of_run: list = []
        run(ours, theirs, sizes, lambda m, of_run=of_run: (of_run.append(m.sizes()), m)[1])
        seen.append(of_run)
    assert seen[0] == seen[1]


def test_the_answer_is_about_right() -> None:
    """100 of 600 in either set; five standard deviations."""
    found = run(OURS, THEIRS)
    low, high = found.interval()
    assert low < 1 / 6 < high
    assert abs(found.jaccard - 1 / 6) < 5 * (1 / 6 * 5 / 6 / SLOTS) ** 0.5
    shared = found.shared(300, 380, 420)
    assert shared.low <= 100 <= shared.high
    assert 85 <= shared.estimate <= 115


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((SLOTS, 32), np.uint8),
        sketch.sketch(items(1), SALT, SLOTS - 1),
        sketch.sketch(items(1), SALT, SLOTS + 1),
        sketch.sketch(items(1), SALT)[:, :31].copy(),
        sketch.sketch(items(1), SALT).astype(np.uint16),
    ],
    ids=["repeats", "short", "long", "narrow", "dtype"],
)
def test_what_is_no_sketch_is_our_mistake(bad) -> None:
    for role in (estimate.receiver, estimate.sender):
        with pytest.raises(ParameterError):
            next(role(items(1), params(4, 4), sketch=bad))


def test_a_receiver_that_departs_learns_in_which_part_of_its_slots_the_equal_ones_are() -> None:
    """Said on the page: with masks enough it learns which they are, and the items that won them."""
    p = params(700, 700)
    exchange = estimate._exchange(p)
    own, its = (sketch.sketch(items(*numbers), SALT) for numbers in (OURS, THEIRS))
    parts = np.array_split(shuffled.points(own, exchange), 4)

    def cheat():
        masks = [curve25519.generate_scalar() for _ in parts]
        sent = [
            curve25519.multiply(np.ascontiguousarray(part), mask)
            for part, mask in zip(parts, masks, strict=True)
        ]
        yield from session.send(shuffled.Masked(rows.sort(np.concatenate(sent))))
        remasked = (yield from session.receive(shuffled.Remasked, remasked=(SLOTS, 32))).remasked
        tags = (yield from session.receive(shuffled.Tags, tags=(SLOTS, exchange.tag_bytes))).tags
        return [len(rows.positions_in(shuffled.unmasked(remasked, mask, exchange), tags)) for mask in masks]

    found, _ = session.run(cheat(), estimate.sender(NOTHING, p, sketch=its))
    alike = np.all(own == its, axis=1)
    assert found == [int(part.sum()) for part in np.array_split(alike, 4)]


def test_a_receiver_of_one_item_learns_whether_a_small_set_has_it() -> None:
    """Said on the page; a set of some hundreds of thousands would not show it."""
    assert run([1], list(range(50)), (1, 64)).equal > 20
    assert run([99], list(range(50)), (1, 64)).equal == 0


def test_the_empty_sets_of_two_runs_are_not_alike() -> None:
    seen = []
    for seed in (b"one", b"two"):
        role = estimate.receiver(NOTHING, params(4, 4), rng=deterministic_rng(seed))
        seen.append(next(role).message.masked.tobytes())
    assert seen[0] != seen[1]
    assert run([], []).equal == 0
