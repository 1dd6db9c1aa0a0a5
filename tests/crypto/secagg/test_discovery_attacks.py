"""ATR/1 attacked: every liar is stopped, and named where it can be."""

import secrets
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from crypto.errors import ParameterError, VerificationError
from crypto.rows import Rows
from crypto.secagg import batches, counting, discovery, helpers
from crypto.secagg.batches import BadBatch
from crypto.secagg.helpers import HelperFault
from tests.crypto.secagg.discoverers import Alliance, item, nonce, number, own, wrong_share
from tests.reference import discovery as oracle
from tests.reference.arrays import packed


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("threshold", [2, 3, 4])
def test_attack_garbage_share(threshold: int, *, first: bool) -> None:
    """It is found, its batch is named and left out, and what the others hold is counted without it."""
    alliance = Alliance(6, threshold)
    honest = [alliance.batch(own(1, 2, n)) for n in range(10, 10 + threshold)]
    bad = wrong_share(alliance, own(1, 2, 3), first=first)
    outcome = alliance.count([bad, *honest])
    assert [lie.batch for lie in outcome.lies] == [batches.name(bad)]
    assert counting.shows(outcome.lies[0], alliance.setup)
    assert alliance.recognised(own(1, 2, 3), outcome) == {item(1): threshold, item(2): threshold}
    assert outcome.root == alliance_root(alliance, honest)


def alliance_root(alliance: Alliance, sealed: list[bytes]) -> bytes:
    opened = [batches.open_batch(one, alliance.counter, alliance.setup) for one in sealed]
    return counting.count(opened, alliance.setup).root


def test_attack_garbage_share_below_the_threshold_releases_nothing() -> None:
    """Two that hold an item and one that guesses at shares are no three; nobody can say who lies."""
    alliance = Alliance(4, 3)
    sealed = [alliance.batch(own(1)), alliance.batch(own(1)), wrong_share(alliance, own(1))]
    outcome = alliance.count(sealed)
    assert (len(outcome.released), outcome.lies, outcome.unresolved) == (0, (), 1)


def test_attack_framing_an_honest_batch_with_another_polynomial() -> None:
    """Three members agree on shares of the right secret by a polynomial of their own: it is they who lie."""
    alliance = Alliance(5, 3)
    tokens = [alliance.token() for _ in range(3)]
    tables = [alliance.records(own(1), token).copy() for token in tokens]
    tag, secret = np.split(discovery.pairs(alliance.outputs([item(1)]), alliance.setup)[0], 2)
    for table in tables:
        row = table[np.all(table[:, :16] == tag, axis=1).argmax()]
        x = number(row[16:32])
        row[32:] = np.frombuffer(
            ((number(secret) + 7 * x + x * x) % oracle.P).to_bytes(16, "little"), np.uint8
        )
    liars = [alliance.seal(token, table) for token, table in zip(tokens, tables, strict=True)]
    honest = [alliance.batch(own(1)) for _ in range(2)]
    outcome = alliance.count(liars + honest)
    assert {lie.batch for lie in outcome.lies} == set(map(batches.name, liars))
    assert all(counting.shows(lie, alliance.setup) for lie in outcome.lies)
    assert len(outcome.released) == 0


def test_attack_a_lie_that_is_none_shows_nothing() -> None:
    alliance = Alliance(3, 2)
    token = alliance.token()
    record = discovery.records(alliance.outputs([item(1)]), alliance.setup, token, size=1)
    secret = discovery.pairs(alliance.outputs([item(1)]), alliance.setup)[0, 16:].tobytes()
    lie = counting.Lie(bytes(32), record.tobytes(), secret)
    assert not counting.shows(lie, alliance.setup)  # the record is right
    wrong = record.copy()
    wrong[0, 32] ^= 1
    assert counting.shows(replace(lie, record=wrong.tobytes()), alliance.setup)
    outside = wrong.copy()
    outside[0, 16:32] = 255
    for none in (
        {"secret": bytes(16)},
        {"secret": bytes([255]) * 16},
        {"secret": secret[:-1]},
        {"record": wrong.tobytes()[:-1]},
        {"record": outside.tobytes()},
    ):
        assert not counting.shows(replace(lie, **{"record": wrong.tobytes(), **none}), alliance.setup)


def test_attack_a_lie_is_proven_by_the_root_that_was_signed_and_by_no_other() -> None:
    alliance = Alliance(4, 2)
    token = alliance.token()
    table = alliance.records(own(1, 2), token)
    bad = table.copy()
    bad[:, 32] ^= 1
    bad[:, 47] &= 0x7F
    root = batches.root(token, bad, alliance.setup)
    opened = alliance.opened([alliance.seal(token, bad), *(alliance.batch(own(1)) for _ in range(2))])
    (lie,) = counting.count(opened, alliance.setup).lies
    proof = counting.prove(lie, opened[0], alliance.setup)
    assert counting.proves(proof, root, alliance.setup)
    others = [
        counting.proves(proof, batches.root(token, table, alliance.setup), alliance.setup),
        counting.proves(replace(proof, count=proof.count + 1), root, alliance.setup),
        counting.proves(replace(proof, secret=bytes(16)), root, alliance.setup),
        counting.proves(replace(proof, record=table[:1].tobytes()), root, alliance.setup),
    ]
    assert not any(others)
    true = next(row.tobytes() for row in table if row[:16].tobytes() == lie.record[:16])
    honest = replace(opened[0], records=table)
    right = counting.prove(counting.Lie(b"", true, lie.secret), honest, alliance.setup)
    assert not counting.proves(right, batches.root(token, table, alliance.setup), alliance.setup)


def test_attack_other_records_than_were_signed() -> None:
    alliance = Alliance(3, 2)
    token = alliance.token()
    table = alliance.records(own(1), token)
    sealed = alliance.seal(token, table)
    signed = batches.root(token, table, alliance.setup)
    assert batches.open_batch(sealed, alliance.counter, alliance.setup, signed=signed).token == token
    with pytest.raises(BadBatch) as bad:
        batches.open_batch(sealed, alliance.counter, alliance.setup, signed=bytes(32))
    assert bad.value.code == "bad-root"


def test_attack_the_token_of_one_batch_before_the_records_of_another() -> None:
    """A token opens alone, and belongs to its records."""
    alliance = Alliance(3, 2)
    one, other = alliance.batch(own(1)), alliance.batch(own(2))
    size = batches.head_bytes(alliance.setup)
    token = batches.open_token(one[:size], alliance.counter, alliance.setup)
    assert token == batches.open_batch(one, alliance.counter, alliance.setup).token
    with pytest.raises(BadBatch) as bad:
        batches.open_batch(one[:size] + other[size:], alliance.counter, alliance.setup)
    assert bad.value.code == "bad-seal"


def test_attack_sybil_batch_with_a_token_used_twice() -> None:
    alliance = Alliance(4, 3)
    token = alliance.token()
    twice = [alliance.seal(token, alliance.records(own(1, 2), token)) for _ in range(2)]
    outcome = alliance.count([alliance.batch(own(1)), *twice])
    assert (outcome.batches, len(outcome.released)) == (2, 0)
    assert (
        alliance.opened([alliance.seal(token, alliance.records(own(1), token))]) == []
    )  # later is twice too


def test_attack_sybil_batch_with_an_invented_token() -> None:
    """The relay stuffs batches of its own: their tokens are none, whichever helper is asked."""
    alliance = Alliance(4, 2)
    invented = [secrets.token_bytes(alliance.setup.token_bytes) for _ in range(2)]
    one_mark = alliance.token()[:64] + secrets.token_bytes(32)
    stuffed = [alliance.seal(token, alliance.records(own(1), token)) for token in (*invented, one_mark)]
    outcome = alliance.count([alliance.batch(own(1)), *stuffed])
    assert (outcome.batches, len(outcome.released)) == (1, 0)


def test_attack_sybil_batch_with_a_token_of_another_session() -> None:
    """A member that was given a token and did not spend it has none for the next session."""
    before = Alliance(3, 2)
    saved = before.token()
    now = Alliance(3, 2, seeds=before.seeds)
    outcome = now.count([now.batch(own(1)), now.seal(saved, now.records(own(1), saved))])
    assert (outcome.batches, len(outcome.released)) == (1, 0)


def test_attack_sybil_batch_that_holds_an_item_twice() -> None:
    alliance = Alliance(3, 2)
    token = alliance.token()
    table = alliance.records(own(1), token)
    twice = np.repeat(table, 2, axis=0)
    twice[1::2, 16:] = 1  # another point and another share under the same tag
    with pytest.raises(BadBatch, match="ascend") as bad:
        alliance.count([alliance.seal(token, twice)])
    assert bad.value.code == "bad-record"
    with pytest.raises(ParameterError, match="twice"):
        discovery.records(alliance.outputs([item(1), item(1)]), alliance.setup, token, size=2)


def test_attack_replay_of_a_batch_in_another_session() -> None:
    before = Alliance(3, 2)
    sealed = before.batch(own(1))
    now = Alliance(3, 2, seeds=before.seeds, counter=before.counter)
    with pytest.raises(BadBatch) as bad:
        now.opened([sealed])
    assert bad.value.code == "bad-seal"


def test_attack_replay_of_a_batch_in_the_same_session() -> None:
    alliance = Alliance(3, 2)
    sealed = alliance.batch(own(1))
    assert alliance.count([sealed, sealed]).batches == 1
    opened = batches.open_batch(sealed, alliance.counter, alliance.setup)
    with pytest.raises(ParameterError, match="one batch"):
        counting.count([opened, opened], alliance.setup)


def test_attack_relay_changes_a_batch() -> None:
    alliance = Alliance(3, 2)
    sealed = alliance.batch(own(1))
    for at in (0, 31, 40, len(sealed) - 1):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(BadBatch):
            alliance.opened([bytes(changed)])
    for cut in (sealed[:-1], sealed[:-48], sealed[:20], b""):
        with pytest.raises(BadBatch):
            alliance.opened([cut])


def test_attack_helper_with_a_wrong_key() -> None:
    """Another key than announced, or for one row only, or an answer that is none: the helper is named."""
    alliance = Alliance(3, 2)
    question = helpers.ask(packed([item(n) for n in range(5)]), size=8)
    replies = [helpers.evaluate(key, question.blinded) for key in alliance.epoch_keys]
    keys = [key.public_key for key in alliance.epoch_keys]
    stranger = helpers.evaluate(helpers.epoch_key(bytes(32), b"epoch"), question.blinded)
    row = replies[1].evaluated.copy()
    row[3] = stranger.evaluated[3]
    broken = replies[1].evaluated.copy()
    broken[2] = 255
    lies = [
        stranger,
        stranger._replace(public_key=keys[1]),
        replies[1]._replace(evaluated=row),
        replies[1]._replace(evaluated=broken),
        replies[1]._replace(proof=bytes(64)),
    ]
    for lie in lies:
        with pytest.raises(HelperFault) as fault:
            helpers.learn(question, [replies[0], lie], keys)
        assert fault.value.helper == 1


def test_attack_helper_marks_a_member_by_a_key_of_its_own() -> None:
    """A token under a key that is not the session's would be recognised; the member does not take it."""
    alliance = Alliance(3, 2)
    question = helpers.ask(nonce(), size=1)
    keys = [key.public_key for key in alliance.token_keys]
    own_key = helpers.evaluate(helpers.token_key(bytes(32), b"you"), question.blinded)
    good = helpers.evaluate(alliance.token_keys[1], question.blinded)
    for lie in (own_key, own_key._replace(public_key=keys[0])):
        with pytest.raises(HelperFault) as fault:
            helpers.spendable(question, [lie, good], keys)
        assert fault.value.helper == 0


def test_attack_lying_counter_invents_a_result() -> None:
    """Of a tag it does not know the secret; of a secret that it invents nobody has the item."""
    alliance = Alliance(3, 2)
    items = own(1, 2)
    outcome = alliance.count([alliance.batch(items), alliance.batch(own(2)), alliance.batch(own(3))])
    pair = discovery.pairs(alliance.outputs([item(1)]), alliance.setup)
    made_up = np.frombuffer(secrets.token_bytes(15) + b"\0", np.uint8).reshape(1, 16)
    bait = np.concatenate([pair[:, :16], made_up], axis=1)
    with pytest.raises(VerificationError, match="secret"):
        alliance.recognised(items, with_release(outcome, bait, 2))
    of_nothing = np.concatenate([discovery.tags_of(made_up, alliance.setup), made_up], axis=1)
    assert alliance.recognised(items, with_release(outcome, of_nothing, 2)) == {item(2): 2}


def with_release(outcome: counting.Outcome, pair: Rows, voices: int) -> counting.Outcome:
    table = np.concatenate([outcome.released, pair])
    order = np.lexsort(table[:, :16].T[::-1])
    numbers = np.append(outcome.voices, voices)[order]
    return replace(outcome, released=np.ascontiguousarray(table[order]), voices=numbers)


def test_attack_lying_counter_is_found_by_a_recount() -> None:
    """Who counts the same, sealed for it, has the digest of an honest counter, and of no other."""
    alliance, second = Alliance(4, 2), X25519PrivateKey.generate()
    tokens = [alliance.token() for _ in range(3)]
    tables = [alliance.records(own(1, 2), token) for token in tokens]
    sealed = [alliance.seal(*both) for both in zip(tokens, tables, strict=True)]
    public = second.public_key().public_bytes_raw()
    again = [batches.seal(*both, public, alliance.setup) for both in zip(tokens, tables, strict=True)]
    honest = alliance.count(sealed)
    opened = [batches.open_batch(one, second, alliance.setup) for one in reversed(again)]
    recount = counting.count(opened, alliance.setup).digest(alliance.setup)
    assert honest.digest(alliance.setup) == recount

    suppressed = replace(honest, released=honest.released[1:].copy(), voices=honest.voices[1:])
    inflated = replace(honest, voices=honest.voices + 1)
    overheard = counting.count(opened[1:], alliance.setup)
    hidden = replace(honest, unresolved=1)
    for lie in (suppressed, inflated, overheard, hidden, replace(honest, root=overheard.root)):
        discovery.check_released(lie.released, lie.voices, alliance.setup)  # by itself it looks right
        assert lie.digest(alliance.setup) != recount


def test_attack_lying_counter_counts_out_of_range() -> None:
    alliance = Alliance(3, 2)
    outcome = alliance.count([alliance.batch(own(1)) for _ in range(3)])
    for voices in (1, 4, -1):
        with pytest.raises(VerificationError, match="counts"):
            alliance.recognised(own(1), replace(outcome, voices=np.array([voices])))
    with pytest.raises(VerificationError, match="twice"):
        alliance.recognised(
            own(1),
            replace(
                outcome, released=np.repeat(outcome.released, 2, axis=0), voices=np.repeat(outcome.voices, 2)
            ),
        )


def test_attack_poisoned_announcement() -> None:
    """Others accept an announced item only if their own question to the helpers gives a released pair."""
    alliance = Alliance(3, 2)
    outcome = alliance.count([alliance.batch(own(1, 2)), alliance.batch(own(1)), alliance.batch(own(3))])
    said = [item(1), item(2), item(99)]
    accepted = discovery.announced(alliance.outputs(said), outcome.released, alliance.setup)
    assert accepted.tolist() == [True, False, False]
    assert discovery.announced(np.empty((0, 64), np.uint8), outcome.released, alliance.setup).tolist() == []
