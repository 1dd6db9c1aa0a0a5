"""A whole run's wire capture says nothing of the honest inputs but their sum.

Fixed are all inputs and secrets but those of two honest survivors ``h`` and ``p``. Their inputs are
``x_h, x_p`` in one world and ``x_h + delta, x_p - delta`` in the other: the sum is the same. Of all that the
two draw, one thing differs: the mask that they have with each other, ``M`` in one world and ``M - delta`` in
the other (added by the lower position, subtracted by the higher). Nothing else depends on it, for its seed is
never opened while both survive. Then every byte of both captures is the same. ``M -> M - delta`` is a
bijection of the ring's vectors: if masks are uniform, both worlds give every capture with the same chance.
That masks, which AES makes of a hidden seed, look uniform is the assumption (docs/protocols/masking.md).
"""

from collections import Counter

import numpy as np
import pytest

from crypto.secagg import keys, masks, ring
from crypto.secagg.base import Masked, Setup, Step
from crypto.session import Message
from tests.crypto.secagg.alliance import Alliance, setup, vectors

N, H, P = 7, 1, 4
DELTA = np.array([5, 0, 1 << 31, 77, 12345], "<u4")


def capture(run: Alliance) -> list[tuple[int, str, list[bytes]]]:
    """All that was on the wire, in order: whose link, which message, which bytes."""
    return [(i, type(m).__name__, [bytes(getattr(m, field)) for field in m.sizes()]) for i, m in run.wire]


def pair_seed(agreed: Setup, h: int, p: int) -> bytes:
    """The seed that two members have in common, from what both drew."""
    mine, its = (Alliance(agreed, vectors(agreed)).secrets(i) for i in (h, p))
    [seed] = keys.pair_seeds(agreed.context, mine.mask, h, {p: keys.public_key(its.mask)})
    return seed


def programmed(monkeypatch, seed: bytes, shift: np.ndarray) -> None:
    """From here on the generator gives for this seed what it gives, plus a shift: another mask."""
    add_masks = ring.add_masks

    def shifted(vector, seeds, signs, *, offset=0):
        add_masks(vector, seeds, signs, offset=offset)
        for found, sign in zip(seeds, signs, strict=True):
            if found.tobytes() == seed:
                part = shift[offset : offset + len(vector)]
                ring.add(vector, part if sign > 0 else (0 - part).astype(vector.dtype))

    monkeypatch.setattr(masks.ring, "add_masks", shifted)


def world(agreed: Setup, inputs: list[np.ndarray], **how) -> Alliance:
    return Alliance(agreed, inputs, **how).finish()


def other_inputs(inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The same sum, in the ring, with ``delta`` moved from one honest member to the other."""
    moved = [v.copy() for v in inputs]
    moved[H] += DELTA
    moved[P] -= DELTA
    return moved


DROPS = {
    "nobody drops out": {},
    "one before it deals": {0: Step.DEALING},
    "one before its vector is there": {6: Step.MASKING},
    "one that does not agree": {2: Step.AGREEING},
    "one that gives no shares": {3: Step.UNMASKING},
    "two, at two steps": {0: Step.MASKING, 6: Step.SIGNING},
    "one of the two, when its vector is there": {H: Step.AGREEING},
}


@pytest.mark.parametrize("drops", DROPS.values(), ids=DROPS)
def test_two_inputs_with_the_same_sum_give_the_same_capture(drops, monkeypatch) -> None:
    agreed = setup(N, cap=(1 << 32) // 8)
    inputs = vectors(agreed)
    monkeypatch.setattr(
        masks.ring, "checked", lambda *_: None
    )  # any two inputs, not only those below the cap
    first = world(agreed, inputs, drops=drops)

    programmed(monkeypatch, pair_seed(agreed, H, P), (0 - DELTA).astype("<u4"))
    second = world(agreed, other_inputs(inputs), drops=drops)
    assert capture(first) == capture(second)
    assert first.coordinator.outcome.vector.tolist() == second.coordinator.outcome.vector.tolist()


def test_without_the_other_mask_the_captures_differ(monkeypatch) -> None:
    """What is compared is not blind: the same change alone shows in both vectors and all that follows."""
    agreed = setup(N, cap=(1 << 32) // 8)
    inputs = vectors(agreed)
    monkeypatch.setattr(masks.ring, "checked", lambda *_: None)
    first, second = (capture(world(agreed, given)) for given in (inputs, other_inputs(inputs)))
    differing = {(i, name) for (i, name, a), (_, _, b) in zip(first, second, strict=True) if a != b}
    assert {i for i, name in differing if name == "Masked"} == {H, P}
    assert {name for _, name in differing} == {
        "Masked", "Roots", "Agreed", "Agreements", "Shares", "Digests", "Chunk",
    }  # fmt: skip


def test_another_sum_shows_in_the_result() -> None:
    """With one input changed alone, no mask between honest members makes up for it."""
    agreed = setup(N)
    inputs = vectors(agreed)
    changed = [v.copy() for v in inputs]
    changed[H][0] ^= 1
    first, second = (world(agreed, given).coordinator.outcome.vector for given in (inputs, changed))
    assert [i for i in range(5) if first[i] != second[i]] == [0]


def test_every_mask_is_met_by_one_of_the_other_world() -> None:
    """All 256 masks of a word of 8 bits: both worlds give each pair of masked words equally often."""
    agreed = setup(N, width=8, size=1, cap=36)
    run = Alliance(agreed, vectors(agreed)).finish(until=Step.MASKING)
    view = run.coordinator._view
    seed = pair_seed(agreed, H, P)

    def seen(x_h: int, x_p: int) -> Counter:
        found: Counter = Counter()
        for mask in range(256):
            with pytest.MonkeyPatch.context() as patch:
                programmed(patch, seed, np.array([mask], np.uint8))
                pair = []
                for member, x in ((H, x_h), (P, x_p)):
                    words = np.array([x], np.uint8)
                    masks.put_on(view, member, run.secrets(member), words)
                    pair.append(int(words[0]))
            found[tuple(pair)] += 1
        return found

    first, second = seen(3, 30), seen(33, 0)
    assert first == second
    assert set(first.values()) == {1}
    assert first != seen(4, 30), "another sum gives other pairs"


@pytest.mark.parametrize("taken", [False, True], ids=["in time for nobody", "kept by the coordinator"])
def test_the_vector_of_a_member_that_is_counted_out_says_nothing_at_all(taken: bool, monkeypatch) -> None:
    """A vector that comes late, or is called late: its mask key is opened, its own mask still hides it."""
    agreed = setup(N)
    late = 3

    def lose(i: int, message: Message) -> Message | None:
        if i == late and isinstance(message, Masked):
            kept.append(bytes(message.vector))
            return None
        return message

    runs = []
    inputs = vectors(agreed)
    for shift in (np.zeros(5, "<u4"), DELTA):
        kept: list[bytes] = []
        given = [v.copy() for v in inputs]
        given[late] = (given[late] + shift) % np.uint32(agreed.cap)
        moved = (inputs[late] - given[late]).astype("<u4")
        with pytest.MonkeyPatch.context() as patch:
            programmed(patch, bytes(Alliance(agreed, inputs).secrets(late).own), moved)
            run = Alliance(agreed, given, up=lose)
            run.finish()
        assert late not in run.coordinator.survivors
        runs.append((capture(run), kept if taken else []))
    assert runs[0] == runs[1]


def test_a_masked_vector_of_zeros_looks_uniform() -> None:
    """Chi-square over bytes: 255 degrees of freedom, one false alarm in 10^6; the draws are fixed."""
    agreed = setup(3, size=1 << 18, width=8, cap=1)
    run = Alliance(agreed, [np.zeros(1 << 18, "<u1")] * 3).finish(until=Step.AGREEING)
    for vector in run.vectors.values():
        counts = np.bincount(vector.reshape(-1), minlength=256)
        assert ((counts - 1024) ** 2 / 1024).sum() < 376.9
