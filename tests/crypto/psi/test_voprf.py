"""What is particular to ``voprf``: one proven key, unlinkable tags, matches that cannot be invented."""

import dataclasses

import numpy as np
import pytest

from crypto import oprf, rows, session
from crypto.errors import DecodeError, PeerFault, VerificationError
from crypto.oprf import Mode
from crypto.psi import Output, voprf
from crypto.psi.base import pad
from crypto.session import Session
from tests.crypto.psi.parties import items, params

N = 16


def evaluated_by(*keys):
    """A sender that evaluates row i under key i modulo their number, and proves what it can."""

    def role(own, p):
        blinded = (yield from session.receive(voprf.Blinded, blinded=(p.n_r, 32))).blinded
        answers = [oprf.bulk_blind_evaluate(key, blinded) for key in keys]
        mixed = np.stack([answers[i % len(keys)][0][i] for i in range(p.n_r)])
        yield from session.send(voprf.Evaluated(keys[0].public_key, answers[0][1], mixed))
        outputs = oprf.evaluate(keys[0], pad(own, p.n_s, rng=np.random.default_rng(1).bytes).rows)
        yield from session.send(voprf.Tags(rows.sort(voprf._compared(outputs, p))))

    return role


def test_a_sender_with_two_keys_is_found_out() -> None:
    """With a key of its own for some rows, a sender could recognise them in the match proofs."""
    keys = [oprf.generate_key(Mode.VOPRF) for _ in range(2)]
    p = params(N, N)
    with pytest.raises(VerificationError):
        session.run(voprf.receiver(items(1, 2, 3), p), evaluated_by(*keys)(items(2, 3), p))
    mine, _ = session.run(voprf.receiver(items(1, 2, 3), p), evaluated_by(keys[0])(items(2, 3), p))
    assert mine.indices.tolist() == [1, 2]


@pytest.mark.parametrize("field", ["public_key", "proof", "evaluated"])
def test_any_bit_of_the_answer_is_proven(field) -> None:
    """Every bit flip in key, proof or evaluated rows ends the run; none gives a result."""
    p = params(4, 4)
    for bit in range(0, 512 if field != "public_key" else 256, 7):

        def flip(m, bit=bit):
            if type(m) is not voprf.Evaluated:
                return m
            value = getattr(m, field)
            changed = bytearray(bytes(value))
            changed[bit // 8] ^= 1 << bit % 8
            new = bytes(changed)
            if isinstance(value, np.ndarray):
                new = np.frombuffer(new, np.uint8).reshape(value.shape)
            return dataclasses.replace(m, **{field: new})

        with pytest.raises((VerificationError, DecodeError)):
            session.run(voprf.receiver(items(1, 2), p), voprf.sender(items(2, 3), p), on_message=flip)


@pytest.mark.parametrize(
    "row", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31)], ids=["identity", "ones", "one"]
)
def test_a_blinded_row_that_is_no_element_is_refused(row) -> None:
    def spoil(m):
        if type(m) is not voprf.Blinded:
            return m
        changed = m.blinded.copy()
        changed[-1] = np.frombuffer(row, np.uint8)
        return voprf.Blinded(changed)

    p = params(4, 4)
    with pytest.raises(DecodeError):
        session.run(voprf.receiver(items(1), p), voprf.sender(items(2), p), on_message=spoil)


def test_unsorted_tags_are_refused() -> None:
    def unsort(m):
        return voprf.Tags(m.tags[::-1].copy()) if type(m) is voprf.Tags else m

    p = params(4, 4)
    with pytest.raises(PeerFault, match="sorted"):
        session.run(voprf.receiver(items(1), p), voprf.sender(items(2), p), on_message=unsort)


def test_a_receiver_cannot_invent_a_match() -> None:
    """Every guess it can make without having evaluated an item: compared tags, random rows, old proofs."""
    p = params(4, 4, Output.BOTH)
    old = []

    def keep(m):
        if type(m) is voprf.MatchProofs:
            old.append(m)
        return m

    session.run(voprf.receiver(items(2, 3), p), voprf.sender(items(2, 3), p), on_message=keep)
    tags = []

    def forge(m):
        if type(m) is voprf.Tags:
            tags.append(np.pad(m.tags, ((0, 0), (0, 16 - p.tag_bytes))))
        if type(m) is voprf.MatchProofs:
            return next(forgeries)
        return m

    for forged in (lambda: voprf.MatchProofs(tags[-1]), lambda: old[0]):
        forgeries = (forged() for _ in range(1))
        _, its = session.run(voprf.receiver(items(8, 9), p), voprf.sender(items(2, 3), p), on_message=forge)
        assert its is not None
        assert not its.indices.size


def test_a_receiver_can_omit_a_match() -> None:
    """Said in the threat model: there is no fairness."""

    def omit(m):
        return voprf.MatchProofs(np.zeros_like(m.proofs)) if type(m) is voprf.MatchProofs else m

    p = params(4, 4, Output.BOTH)
    mine, its = session.run(voprf.receiver(items(2), p), voprf.sender(items(2), p), on_message=omit)
    assert mine.indices.size == 1
    assert its is not None
    assert not its.indices.size


def test_match_proofs_look_the_same_whatever_the_overlap() -> None:
    sizes = set()
    for theirs in (items(1, 2, 3), items(7, 8, 9)):
        p = params(5, 7, Output.BOTH)
        session.run(
            voprf.receiver(items(1, 2, 3), p),
            voprf.sender(theirs, p),
            on_message=lambda m: (sizes.add(str(m)) if type(m) is voprf.MatchProofs else None, m)[1],
        )
    assert len(sizes) == 1


def test_each_run_has_its_own_key() -> None:
    keys = set()
    for _ in range(3):
        p = params(1, 1)
        session.run(
            voprf.receiver(items(1), p),
            voprf.sender(items(1), p),
            on_message=lambda m: (keys.add(m.public_key) if type(m) is voprf.Evaluated else None, m)[1],
        )
    assert len(keys) == 3


def test_the_sender_computes_before_it_waits() -> None:
    """So that both parties work at the same time."""
    running = Session(voprf.sender(items(1), params(1, 1)))
    running.advance()
    assert running.step is not None
    assert type(running.step) is session.Receive
