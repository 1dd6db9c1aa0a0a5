"""Random bytes that can be drawn again."""

from crypto import labels
from crypto.seeded import seeded

SEED = bytes(range(32))


def test_the_same_again_and_each_call_goes_on() -> None:
    rng = seeded(labels.DISCOVERY_NONCE, SEED)
    drawn = [rng(32), rng(5), rng(100)]
    assert seeded(labels.DISCOVERY_NONCE, SEED)(137) == b"".join(drawn)
    assert len({drawn[0], drawn[2][:32]}) == 2


def test_another_label_or_seed_gives_other_bytes() -> None:
    draws = {
        seeded(label, seed)(32)
        for label in (labels.DISCOVERY_NONCE, labels.DISCOVERY_BLIND)
        for seed in (SEED, SEED[::-1])
    }
    assert len(draws) == 4
