"""What is agreed on, how it is refused, and what prints."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import Blamed, ParameterError, ProtocolError, VerificationError
from crypto.secagg import boxes
from crypto.secagg.base import (
    Agreed,
    Join,
    Masked,
    Setup,
    Step,
    pack_roll,
    roll_bytes,
    threshold,
    unpack_roll,
)
from crypto.secagg.keys import Secrets
from crypto.secagg.masking import verify_receipt
from crypto.session import Send
from tests.crypto.psi.parties import deterministic_rng
from tests.crypto.secagg.alliance import CONTEXT, Alliance, identity, run, setup, vectors

TABLE = {3: 3, 4: 3, 5: 4, 7: 5, 10: 7, 15: 11, 20: 14, 30: 21, 50: 34, 100: 67}


def test_thresholds_are_those_of_the_table() -> None:
    assert {n: threshold(n) for n in TABLE} == TABLE


@pytest.mark.parametrize("n", range(3, 101))
def test_thresholds_are_safe(n: int) -> None:
    """No two lists can be agreed on, the liars open nothing, two honest inputs are in each sum."""
    agreed = setup(n)
    t, c = agreed.threshold, agreed.tolerated
    assert 2 * t > n + c
    assert t > c
    assert agreed.least - c >= 2
    assert 3 * c < n <= 3 * (c + 1)


REFUSED = {
    "short context": {"context": bytes(31)},
    "an identity twice": {"identities": (bytes(32),) * 3},
    "a short identity": {"identities": (bytes(32), bytes(31), b"1" * 32)},
    "two members": {"identities": (bytes(32), b"1" * 32)},
    "101 members": {"identities": tuple(i.to_bytes(32, "big") for i in range(101))},
    "a minimum below 3": {"minimum": 2},
    "a minimum above all": {"minimum": 6},
    "no words": {"size": 0},
    "odd width": {"width": 24},
    "no cap": {"cap": 0},
    "negative reserve": {"reserve": -1},
    "a sum too large": {"width": 8, "cap": 52},
    "a sum too large with noise": {"width": 8, "cap": 20, "reserve": 28},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_agreed_on_is_refused(changes) -> None:
    with pytest.raises(ParameterError):
        setup(5, **changes)


@pytest.mark.parametrize("changes", [{"width": 8, "cap": 51}, {"width": 8, "cap": 20, "reserve": 27}])
def test_the_largest_sum_that_fits_is_taken(changes) -> None:
    assert isinstance(setup(5, **changes), Setup)


@given(st.integers(3, 100).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_rolls_have_one_encoding(case) -> None:
    n, positions = case
    packed = pack_roll(positions, n)
    assert len(packed) == roll_bytes(n)
    assert unpack_roll(packed, n) == tuple(sorted(positions))


def test_a_roll_holds_no_bit_too_many() -> None:
    with pytest.raises(Blamed) as lie:
        unpack_roll(b"\x20", 5)
    assert (lie.value.positions, str(lie.value)) == ((), "the coordinator: bad-roll")
    assert str(Blamed([4, 2], "bad-share")) == "position 2, 4: bad-share"


def test_nothing_secret_prints() -> None:
    secrets = Secrets.draw(deterministic_rng(b"secrets"))
    alliance = run(setup(3, size=1, width=8, cap=80))
    result = alliance.coordinator.outcome
    shown = repr((setup(3), secrets, result, Masked(np.zeros((5, 4), np.uint8), bytes(64))))
    for hidden in (secrets.mask, secrets.own, secrets.box.public_key, result.digest):
        assert repr(bytes(hidden)) not in shown
        assert bytes(hidden).hex() not in shown
    assert "vector" not in repr(result)
    assert "signature=64" in shown


def test_secrets_are_overwritten_when_a_run_ends_or_is_abandoned() -> None:
    ends = (
        lambda session: session.close(),
        lambda session: session.advance(Agreed(bytes(64))),  # another message than is due
    )
    for end in ends:
        session = Alliance(setup(4), vectors(setup(4))).sessions[0]
        secrets = session._role.gi_frame.f_locals["secrets"]
        assert all(map(any, (secrets.mask, secrets.own)))
        session.advance()
        with suppress(ProtocolError):
            end(session)
        assert not any(map(any, (secrets.mask, secrets.own)))


def test_shares_are_overwritten_when_they_are_given(monkeypatch) -> None:
    held = []
    open_all = boxes.open_all
    monkeypatch.setattr(
        boxes, "open_all", lambda *given, rng: (held.append(open_all(*given, rng=rng)), held[-1])[1]
    )
    alliance = Alliance(setup(4), vectors(setup(4))).finish(until=Step.UNMASKING)
    assert all(shares.any() for shares, _ in held)
    alliance.finish()
    assert not any(shares.any() for shares, _ in held)


def test_a_receipt_stands_for_one_result_of_one_run() -> None:
    agreed = setup(4)
    outcome = run(agreed).coordinator.outcome
    good = (agreed, outcome.survivors, outcome.digest, outcome.signatures)
    verify_receipt(*good)
    first = next(iter(outcome.signatures))
    others = {
        "another run": (setup(4, context=bytes(32)), *good[1:]),
        "other survivors": (agreed, (0, 1, 2), *good[2:]),
        "another result": (agreed, outcome.survivors, bytes(32), outcome.signatures),
        "too few": (*good[:3], dict(list(outcome.signatures.items())[:2])),
        "swapped": (*good[:3], outcome.signatures | {0: outcome.signatures[1], 1: outcome.signatures[0]}),
        "a bad one": (*good[:3], outcome.signatures | {first: bytes(64)}),
        "of nobody": (*good[:3], outcome.signatures | {9: bytes(64)}),
    }
    for receipt in others.values():
        with pytest.raises(VerificationError):
            verify_receipt(*receipt)


def test_a_member_that_begins_anew_with_the_same_randomness_says_the_same() -> None:
    """A killed process goes on by running again and hearing again what the coordinator sent."""
    heard: list = []
    alliance = Alliance(
        setup(5), vectors(setup(5)), down=lambda i, m: (heard.append(m) if i == 2 else 0, m)[1]
    )
    alliance.finish()
    said = [m for i, m in alliance.wire if i == 2 and m not in heard]

    again = Alliance(setup(5), vectors(setup(5))).sessions[2]
    repeated, left = [], list(heard)
    while again.step is not None:
        if isinstance(again.step, Send):
            repeated.append(again.step.message)
            again.advance()
        else:
            again.advance(left.pop(0))
    assert [_bytes(m) for m in repeated] == [_bytes(m) for m in said]
    assert len(repeated) == len(Step) - 1
    assert again.result.digest == alliance.coordinator.outcome.digest


def test_a_member_that_is_told_of_other_survivors_the_second_time_says_something_else() -> None:
    """So whoever drives it, and keeps a digest of each message that left, sees it and lets none leave."""
    first = Alliance(setup(5), vectors(setup(5))).finish(until=Step.AGREEING)
    second = Alliance(setup(5), vectors(setup(5)), drops={4: Step.MASKING}).finish(until=Step.AGREEING)
    agreed = [run.sessions[2].step.message for run in (first, second)]
    assert all(isinstance(m, Agreed) for m in agreed)
    assert agreed[0].signature != agreed[1].signature


def test_keys_are_bound_to_context_and_position() -> None:
    """The same randomness in another run, or at another position, gives nothing that is taken there."""
    joins = [
        Alliance(agreed, vectors(agreed)).sessions[0].step.message
        for agreed in (setup(4), setup(4, context=bytes(32)))
    ]
    assert all(isinstance(join, Join) for join in joins)
    assert joins[0].key == joins[1].key
    assert joins[0].commitment != joins[1].commitment
    assert joins[0].possession != joins[1].possession
    assert bytes(32) != CONTEXT
    assert identity(0).public_key().public_bytes_raw() == setup(4).identities[0]


def _bytes(message) -> list[bytes]:
    return [bytes(getattr(message, field)) for field in message.sizes()]
