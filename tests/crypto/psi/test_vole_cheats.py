"""What ``vole`` promises beyond the contract: nothing can be changed, replayed or revised unnoticed."""

import dataclasses
import secrets

import numpy as np
import pytest

from crypto import session
from crypto.errors import PeerFault, VerificationError
from crypto.psi import PROTOCOLS, Params
from crypto.psi.vole import MatchProofs, Opening, Tags
from tests.crypto.psi.parties import items

VOLE = PROTOCOLS["vole"]
OURS, THEIRS = items(*range(12)), items(*range(8, 20))
BEFORE_TAGS = [kind for kind in VOLE.messages if kind not in {Tags, MatchProofs}]
FIELDS = [
    pytest.param(kind, field.name, id=f"{kind.__name__}-{field.name}")
    for kind in BEFORE_TAGS
    for field in dataclasses.fields(kind)  # type: ignore[arg-type]
]


def params(context: bytes = bytes(32)) -> Params:
    return Params(n_r=32, n_s=32, context=context)


def run(tamper=lambda message: message, agreed: Params | None = None):
    agreed = agreed or params()
    receiver, sender = VOLE.receiver(OURS, agreed), VOLE.sender(THEIRS, agreed)
    return session.run(receiver, sender, on_message=tamper)[0]


def flip(value, bit: int):
    changed = bytearray(value if isinstance(value, bytes) else value.tobytes())
    changed[bit // 8] ^= 1 << bit % 8
    return (
        bytes(changed) if isinstance(value, bytes) else np.frombuffer(changed, np.uint8).reshape(value.shape)
    )


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_bit_that_is_flipped_anywhere_before_the_tags_ends_the_run(kind, field):
    """Also where it changes nothing, such as a sum of a tree that the receiver did not ask for."""

    def tamper(message):
        if type(message) is not kind:
            return message
        value = getattr(message, field)
        bits = 8 * (len(value) if isinstance(value, bytes) else value.size)
        return dataclasses.replace(message, **{field: flip(value, secrets.randbelow(bits))})

    for _ in range(8):
        with pytest.raises(PeerFault):
            run(tamper)


@pytest.mark.parametrize("kind", BEFORE_TAGS)
def test_a_message_of_another_session_is_worth_nothing(kind):
    kept = []

    def keep(message):
        kept.extend([message] if type(message) is kind else [])
        return message

    run(keep, params(b"a" * 32))
    with pytest.raises(PeerFault):
        run(lambda message: kept[0] if type(message) is kind else message, params(b"b" * 32))


def test_a_receiver_that_replays_a_whole_session_learns_nothing():
    said = []

    def keep(message):
        said.append(message)
        return message

    run(keep)
    mine = [m for m in said if type(m).__name__ in {"Transfers", "Challenge", "Salt", "Store"}]
    sender = session.Session(VOLE.sender(THEIRS, params()))
    sender.advance()
    answers = []

    def replay() -> None:
        while sender.step is not None:
            if isinstance(sender.step, session.Send):
                answers.append(type(sender.step.message))
                sender.advance()
            else:
                sender.advance(mine.pop(0))

    with pytest.raises(PeerFault):
        replay()
    assert Tags not in answers


@pytest.mark.parametrize(("opened", "field", "what"), [(Opening, "salt", "salt"), (Tags, "coin", "coin")])
def test_a_sender_cannot_revise_its_share(opened, field, what):
    def tamper(message):
        fresh = {field: secrets.token_bytes(32)}
        return dataclasses.replace(message, **fresh) if type(message) is opened else message

    with pytest.raises(VerificationError, match=f"share of the {what}"):
        run(tamper)


def test_a_correlation_that_is_too_short_is_our_own_mistake():
    agreed = params()
    ahead = VOLE.ahead
    made = session.run(ahead.receiver(agreed), ahead.sender(agreed))
    large = Params(n_r=1 << 16, n_s=32, context=bytes(32))
    with pytest.raises(Exception, match="shorter than the store"):
        session.run(
            VOLE.receiver(OURS, large, correlation=made[0]), VOLE.sender(THEIRS, large, correlation=made[1])
        )


def test_halves_that_do_not_belong_together_find_nothing():
    agreed = params()
    ahead = VOLE.ahead
    (ours, _), (_, theirs) = (session.run(ahead.receiver(agreed), ahead.sender(agreed)) for _ in range(2))
    found, _ = session.run(
        VOLE.receiver(OURS, agreed, correlation=ours), VOLE.sender(THEIRS, agreed, correlation=theirs)
    )
    assert len(found.indices) == 0


def test_what_was_dumped_is_loaded():
    agreed = params()
    ahead = VOLE.ahead
    received, sent = session.run(ahead.receiver(agreed), ahead.sender(agreed))
    halves = ahead.load_receiver(ahead.dump(received)), ahead.load_sender(ahead.dump(sent))
    found, _ = session.run(
        VOLE.receiver(OURS, agreed, correlation=halves[0]), VOLE.sender(THEIRS, agreed, correlation=halves[1])
    )
    assert found.indices.tolist() == [8, 9, 10, 11]
    assert ahead.elements(agreed) == len(received.a) == len(sent.b)
