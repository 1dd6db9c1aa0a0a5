"""ATR/1 against plain oracles, any sets, any threshold, copies among them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import hashing, labels, oprf
from crypto.errors import DecodeError, ParameterError, VerificationError
from crypto.oprf import Mode
from crypto.secagg import batches, counting, discovery, helpers
from crypto.secagg.discovery import Setup
from tests.crypto.secagg.discoverers import Alliance, Items, item, number, own, wrong_share
from tests.reference import discovery as oracle
from tests.reference.arrays import fixed_rng, packed, unpacked
from tests.reference.ristretto import ORDER


@st.composite
def alliances(draw: st.DrawFn) -> tuple[int, list[Items]]:
    n = draw(st.integers(2, 6))
    members = st.dictionaries(
        st.integers(0, 9).map(item), st.none() | st.integers(0, 2).map(item), max_size=8
    )
    return draw(st.integers(2, n)), draw(st.lists(members, min_size=n, max_size=n))


@settings(deadline=None, max_examples=25)
@given(alliances(), st.integers(1, 3))
def test_it_is_exact(drawn: tuple[int, list[Items]], helper_count: int) -> None:
    """Any sets, any threshold, copies of reports among them: each member finds its items of enough voices."""
    threshold, members = drawn
    alliance = Alliance(len(members), threshold, helpers=min(helper_count, len(members)))
    outcome = alliance.count([alliance.batch(items) for items in members])
    expected = oracle.counts(members, threshold)
    for items in members:
        assert alliance.recognised(items, outcome) == {k: v for k, v in expected.items() if k in items}
    assert len(outcome.released) == len(expected)
    assert (outcome.batches, outcome.lies, outcome.unresolved) == (len(members), (), 0)


def test_copies_of_one_report_are_one_voice() -> None:
    report, other = item(100), item(101)
    members = [own(1), {item(1): report}, {item(1): report}, {item(1): other, item(2): report}]
    alliance = Alliance(4, 3)
    outcome = alliance.count([alliance.batch(items) for items in members])
    assert alliance.recognised(members[0], outcome) == {item(1): 3}
    alliance = Alliance(4, 4)
    assert not len(alliance.count([alliance.batch(items) for items in members]).released)


def test_the_outcome_of_nobody_is_empty() -> None:
    alliance = Alliance(3, 2)
    assert len(alliance.count([]).released) == 0
    sealed = [alliance.batch({}) for _ in range(3)]
    assert len(alliance.count(sealed).released) == 0
    assert {len(one) for one in sealed} == {batches.sealed_bytes(5, alliance.setup)}


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=3).filter(lambda keys: sum(keys) % ORDER))
def test_outputs_are_the_prf_under_the_sum_of_the_keys(secrets_: list[int]) -> None:
    keys = [oprf.generate_key(Mode.VOPRF, rng=fixed_rng([secret])) for secret in secrets_]
    whole = oprf.generate_key(Mode.VOPRF, rng=fixed_rng([sum(secrets_) % ORDER]))
    items = packed([item(n) for n in range(300)])
    question = helpers.ask(items, size=310)
    assert (len(question.blinded), question.count) == (310, 300)
    replies = [helpers.evaluate(key, question.blinded) for key in keys]
    found = helpers.learn(question, replies, [key.public_key for key in keys])
    assert np.array_equal(found, oprf.evaluate(whole, items))


def test_keys_that_cancel_each_other_out_are_refused() -> None:
    keys = [oprf.generate_key(Mode.VOPRF, rng=fixed_rng([secret])) for secret in (5, ORDER - 5)]
    question = helpers.ask(packed([item(1)]), size=1)
    replies = [helpers.evaluate(key, question.blinded) for key in keys]
    with pytest.raises(VerificationError, match="cancel"):
        helpers.learn(question, replies, [key.public_key for key in keys])


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9), st.lists(st.tuples(*[st.integers(0, oracle.P - 1)] * 2), min_size=1, max_size=5))
def test_shares_are_those_of_the_oracle(threshold: int, drawn: list[tuple[int, int]]) -> None:
    setup = Setup(context=bytes(32), threshold=threshold, members=9, helpers=1)
    table = [packed([n.to_bytes(16, "little") for n in column]) for column in zip(*drawn, strict=True)]
    key = hashing.derive_key(labels.DISCOVERY_POLYNOMIAL, bytes(32), threshold.to_bytes(2, "little"))
    expected = [oracle.share(key, secret, point, threshold) for secret, point in drawn]
    assert [number(row) for row in discovery.shares_of(*table, setup)] == expected


def test_records_share_the_secret_of_their_item() -> None:
    """Any ``t`` of them give it, by the oracle's interpolation, and fewer do not."""
    alliance = Alliance(5, 3)
    outputs = alliance.outputs([item(1)])
    pair = discovery.pairs(outputs, alliance.setup)[0]
    tables = [discovery.records(outputs, alliance.setup, alliance.token(), size=1) for _ in range(5)]
    assert {table[0, :16].tobytes() for table in tables} == {pair[:16].tobytes()}
    shares = [(number(table[0, 16:32]), number(table[0, 32:])) for table in tables]
    for chosen in (shares[:3], shares[2:], shares[::2]):
        assert oracle.at_zero(chosen) == number(pair[16:])
    assert oracle.at_zero(shares[:2]) != number(pair[16:])


@pytest.mark.parametrize("other", [{"context": bytes(32)}, {"threshold": 4}])
def test_nothing_of_a_session_is_the_same_in_another(other: dict[str, object]) -> None:
    alliance = Alliance(5, 3)
    outputs, token = alliance.outputs([item(1)]), alliance.token()
    setups = (alliance.setup, replace(alliance.setup, **other))
    assert len({half.tobytes() for s in setups for half in np.split(discovery.pairs(outputs, s)[0], 2)}) == 4
    tables = [discovery.records(outputs, s, token, size=1)[0] for s in setups]
    assert len({part.tobytes() for table in tables for part in np.split(table, 3)}) == 6


def test_a_batch_shows_the_counter_no_difference_between_filling_and_items() -> None:
    """The same distribution: uniform tags, points and shares in one order; only equality says anything."""
    alliance = Alliance(3, 2)
    token = alliance.token()
    full = discovery.records(alliance.outputs([item(n) for n in range(40)]), alliance.setup, token, size=40)
    filling = discovery.records(np.empty((0, 64), np.uint8), alliance.setup, token, size=40)
    for table in (full, filling):
        assert unpacked(table) == sorted(unpacked(table))
        assert len(np.unique(table[:, 16:32], axis=0)) == 40
        assert np.all(table[:, [31, 47]] < 128)


def test_what_does_not_fit_is_our_mistake() -> None:
    alliance = Alliance(3, 2)
    token, outputs = alliance.token(), alliance.outputs([item(1), item(2)])
    copies = discovery.Copies
    origin = packed([item(5)])
    for wrong in (
        lambda: discovery.records(outputs, alliance.setup, token, size=1),
        lambda: discovery.records(outputs, alliance.setup, token[:-1], size=2),
        lambda: discovery.records(outputs[:, :63], alliance.setup, token, size=2),
        lambda: discovery.records(
            outputs, alliance.setup, token, size=4, copies=copies(np.array([2]), origin)
        ),
        lambda: discovery.records(
            outputs, alliance.setup, token, size=4, copies=copies(np.array([-1]), origin)
        ),
        lambda: discovery.records(
            outputs, alliance.setup, token, size=4, copies=copies(np.array([0, 1]), origin)
        ),
        lambda: helpers.ask(packed([item(1), item(2)]), size=1),
        lambda: helpers.spendable(helpers.ask(packed([item(1), item(2)]), size=2), [], []),
        lambda: helpers.learn(helpers.ask(origin, size=1), [], [bytes(32)]),
        lambda: batches.seal(token[:-1], alliance.records({}, token), bytes(32), alliance.setup),
        lambda: discovery.check_released(np.empty((0, 32), np.uint8), np.array([1]), alliance.setup),
    ):
        with pytest.raises(ParameterError):
            wrong()
    with pytest.raises(DecodeError):
        batches.seal(token, alliance.records({}, token), bytes(32), alliance.setup)


@pytest.mark.parametrize(
    "wrong",
    [
        {"context": bytes(31)},
        {"threshold": 1},
        {"threshold": 6},
        {"members": 256},
        {"helpers": 0},
        {"helpers": 6},
    ],
)
def test_a_setup_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        Setup(**{"context": bytes(32), "threshold": 3, "members": 5, "helpers": 2, **wrong})


def test_nothing_secret_is_printed() -> None:
    alliance = Alliance(3, 2)
    sealed = wrong_share(alliance, own(1))
    outcome = alliance.count([sealed, alliance.batch(own(1)), alliance.batch(own(1))])
    opened = batches.open_batch(sealed, alliance.counter, alliance.setup)
    lie = outcome.lies[0]
    shown = repr(lie) + repr(opened) + repr(helpers.ask(packed([item(7)]), size=1))
    for secret in (lie.record, lie.secret, opened.token, item(7)):
        assert repr(secret)[2:-1] not in shown


def test_traffic_is_what_is_sent() -> None:
    alliance = Alliance(3, 2)
    question = helpers.ask(packed([item(1)]), size=20)
    reply = helpers.evaluate(alliance.epoch_keys[0], question.blinded)
    answer = reply.evaluated.nbytes + len(reply.proof) + len(reply.public_key)
    assert helpers.traffic(20) == (question.blinded.nbytes, answer)


def test_twenty_members_and_wrong_shares_beyond_what_is_tried_in_full() -> None:
    """15 of 16 shares are 16 selections; 10 of 19 are 92,378, of which some are drawn."""
    for least, liars in ((15, 1), (10, 2)):
        alliance = Alliance(20, least)
        honest = [alliance.batch(own(1)) for _ in range(17 if least == 10 else 15)]
        bad = [wrong_share(alliance, own(1)) for _ in range(liars)]
        outcome = alliance.count(bad + honest)
        assert {lie.batch for lie in outcome.lies} == set(map(batches.name, bad))
        assert outcome.voices.tolist() == [len(honest)]


def test_the_search_ends_where_there_is_nothing_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colluding members fill many tags with garbage: it is tried as far as the work goes, and no farther."""
    alliance = Alliance(6, 3)
    items = own(*range(40))
    garbage = [wrong_share(alliance, items, first=False) for _ in range(5)]
    tried = []
    recover = counting.recover

    def watched(*arguments: Any, limit: int, **more: Any) -> Any:
        tried.append((limit, len(arguments[3])))
        return recover(*arguments, limit=limit, **more)

    monkeypatch.setattr(counting, "recover", watched)
    monkeypatch.setattr(counting, "MAX_WORK", 70)
    outcome = alliance.count(garbage)
    assert (len(outcome.released), outcome.lies, outcome.unresolved) == (0, (), 40)
    assert tried == [(1, 40), (counting.MAX_SELECTIONS, 7)]  # ten selections for each tag
