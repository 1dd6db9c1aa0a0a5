"""Asking a published filter: right answers, true accounts, nothing twice, and no lie believed."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from crypto import oprf, publishing, rows
from exchange.disclosure.leases import MAX_DOWNLOADS
from exchange.disclosure.publishing import Edition, publish
from exchange.disclosure.questions import Questions, Wanted
from exchange.errors import (
    CosightError,
    PeerMisbehaved,
    PeerRefused,
    PeerUnavailable,
    PolicyRefusal,
)
from exchange.indicators import IndicatorType
from exchange.policy import parse
from exchange.publication import Kind
from tests.exchange.disclosure.publishers import ALLOWED, HELD, Pair, breaks

STRANGERS = [f"x{i}" for i in range(300)]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair.make(tmp_path)


def values(answered) -> set[str]:
    return {one.value for one in answered.positives}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("confirm", [False, True])
async def test_it_finds_what_the_filter_holds(pair: Pair, kind, confirm):
    pair.publish(kind=kind)
    answered = await pair.ask(*STRANGERS, *HELD[:30], confirm=confirm)
    assert values(answered) == set(HELD[:30])
    assert (answered.asked, answered.confirmed, answered.uncovered, answered.settled) == (
        330,
        confirm,
        (),
        True,
    )
    assert answered.false_each <= answered.publication.fpr
    assert answered.fetched == answered.publication.size
    assert [len(asked.blinded) for asked in pair.line.asked if len(asked.blinded)] == [256, 74]
    assert pair.told() == [("intent", None), ("disclosed", 330)]
    what = pair.bob.books.told[-1][1]["what"]
    assert (what["at_stake"], what["learned_by_peer"], what["peer_padded"]) == (330, "overlap", 336)
    ours = pair.alice.books.told[-1][1]["what"]
    assert (ours["asked"], ours["matched"], ours["transcript"]) == (330, 30, what["transcript"])
    assert pair.bob.books.kinds()[-1] == pair.alice.books.kinds()[-1] == "receipt"


async def test_what_was_not_asked_does_not_count(pair: Pair):
    pair.publish()
    await pair.ask("w1")
    (past,) = pair.bob.books.history("alice", pair.bob.now).past
    assert (past.asked, past.charge, past.peer_padded) == (1, 1, 32)


async def test_confirmation_removes_what_is_false(pair: Pair):
    pair.publish(kind=Kind.GOLOMB, fpr=0.5)
    lossy = await pair.ask(*STRANGERS, *HELD[:5])
    assert 100 < len(lossy.positives) < 220
    assert lossy.false_each * lossy.asked == pytest.approx(150, abs=40)
    sure = await pair.ask(*STRANGERS, *HELD[:5], confirm=True)
    assert values(sure) == set(HELD[:5])


async def test_the_filter_is_fetched_once(pair: Pair):
    pair.publish(kind=Kind.BLOOM)
    first, second = await pair.ask("w1"), await pair.ask("w2", "x")
    assert (first.fetched > 0, second.fetched, values(second)) == (True, 0, {"w2"})
    assert [form for _, form in pair.line.fetched] == ["whole", "nothing"]


async def test_both_ledgers_count_the_same_bytes(pair: Pair):
    pair.publish()
    answered = await pair.ask("w1", confirm=True)
    ours, theirs = (side.books.told[-1][1]["what"] for side in (pair.alice, pair.bob))
    assert ours["bytes_received"] == theirs["bytes_sent"] == answered.received > answered.fetched > 0
    assert ours["bytes_sent"] == theirs["bytes_received"] == answered.sent


async def test_only_changes_are_fetched(pair: Pair):
    pair.publish(kind=Kind.SORTED)
    await pair.ask("w1")
    for number in range(3):
        pair.bob.items.words = [f"new{number}", *HELD[number + 1 :]]
        pair.publish()
    answered = await pair.ask("w0", "w5", "new0", "new2")
    assert [form for _, form in pair.line.fetched] == ["whole", "delta", "delta", "delta"]
    assert values(answered) == {"w5", "new2"}
    assert answered.fetched < answered.publication.size


async def test_a_new_epoch_is_fetched_whole(pair: Pair):
    pair.publish(kind=Kind.SORTED)
    await pair.ask("w1")
    pair.publish(renew=True)
    assert values(await pair.ask("w1")) == {"w1"}
    assert [form for _, form in pair.line.fetched] == ["whole", "whole"]


async def test_what_broke_off_is_gone_on_with(tmp_path: Path, monkeypatch):
    from exchange.rpc import filters  # noqa: PLC0415

    monkeypatch.setattr(filters, "CHUNK_BYTES", 500)
    pair = Pair.make(tmp_path)
    pair.publish(kind=Kind.SORTED)
    pair.line.chunk = breaks(3)
    with pytest.raises(PeerUnavailable):
        await pair.ask("w1")
    assert pair.cache.begun("bob")[1] == 1500
    pair.line.chunk = lambda _number, data: data
    answered = await pair.ask("w1")
    assert answered.fetched == answered.publication.size - 1500
    assert values(answered) == {"w1"}
    assert pair.cache.begun("bob") == (b"", 0)


@pytest.mark.parametrize("damage", ["beginning", "whole", "said"])
async def test_what_is_damaged_is_fetched_again(pair: Pair, damage):
    pair.publish(kind=Kind.SORTED)
    folder = pair.cache.home.path / "filters/bob"
    if damage == "beginning":
        folder.mkdir(parents=True)
        digest = pair.shelf.current().publication.digest
        (folder / f"part-{digest.hex()}").write_bytes(os.urandom(100))
    else:
        await pair.ask("w1")
        (path,) = folder.glob("filter-*" if damage == "whole" else "current.json")
        path.write_bytes(b"{" + path.read_bytes()[1:-1])
    assert values(await pair.ask("w1", "x")) == {"w1"}
    assert pair.cache.begun("bob") == (b"", 0)


async def test_types_that_the_filter_does_not_hold_are_not_asked(pair: Pair):
    pair.publish()
    answered = await pair.ask("w1", kind=IndicatorType.URL)
    assert (answered.asked, len(answered.uncovered), answered.positives) == (0, 1, ())
    assert pair.told()[-1] == ("disclosed", 0)


async def test_nothing_is_published(pair: Pair):
    with pytest.raises(PeerRefused) as caught:
        await pair.ask("w1")
    assert caught.value.code == "nothing-published"
    assert pair.bob.books.story() == [("refused", "nothing-published")]
    assert pair.alice.books.story() == [("intent", ""), ("aborted", "nothing-published")]


@pytest.mark.parametrize("reason", ["audience", "expired", "stricter", "types", "spent"])
async def test_a_filter_is_not_for_everybody_and_not_for_ever(pair: Pair, reason):
    pair.publish(audience=("carol",) if reason == "audience" else ())
    code = "nothing-published"
    if reason == "expired":
        for side in (pair.alice, pair.bob):
            side.later(days=8)
    elif reason == "stricter":
        pair.bob.policy_text = ALLOWED.replace('tlp = "AMBER+STRICT"', 'tlp = "GREEN"')
    elif reason == "spent":
        pair.bob.policy_text = ALLOWED.replace(
            "tlp =", "entries_per_value = { most = 1, days = 9 }\ntlp =", 1
        )
        await pair.ask("w1")
        pair.bob.later(minutes=1)
        pair.alice.later(minutes=1)
    elif reason == "types":
        stated = next(line for line in ALLOWED.splitlines() if line.startswith("types"))
        pair.bob.policy_text = ALLOWED.replace(stated, 'types = ["url"]')
        code = "policy-refused"
    with pytest.raises(PeerRefused) as caught:
        await pair.ask("w1", kind=IndicatorType.URL if reason == "types" else IndicatorType.DOMAIN)
    assert caught.value.code == code
    assert pair.bob.books.story()[-1] == ("refused", code)


async def test_policies_decide_on_questions_as_on_a_set(pair: Pair):
    pair.publish()
    pair.alice.policy_text = ALLOWED.replace("our_size = { min = 0", "our_size = { min = 10")
    with pytest.raises(PolicyRefusal):
        await pair.ask("w1")
    pair.alice.policy_text = ALLOWED.replace(', "filter"', "")
    with pytest.raises(PolicyRefusal):
        await pair.ask(*HELD[:20])
    assert pair.bob.books.told == []
    pair.alice.policy_text = ALLOWED
    pair.bob.policy_text = ALLOWED.replace("tlp =", "values_per_day = 40\ntlp =", 1)
    await pair.ask(*HELD[:30])
    with pytest.raises(PeerRefused):
        await pair.ask(*HELD[:30])


async def leased(pair: Pair) -> Wanted:
    """A lease of 32 questions that alice has agreed on and not begun."""
    held: list[Wanted] = []

    async def stop(questions: Questions) -> None:
        held.append(Wanted(session=questions.session, signature=questions.signature))
        raise PeerUnavailable("it is gone")

    pair.publish()
    pair.line.ask, honest = stop, pair.line.ask  # type: ignore[method-assign,assignment]
    with pytest.raises(PeerUnavailable):
        await pair.ask("w1")
    pair.line.ask = honest  # type: ignore[method-assign]
    return held[0]


def questions(wanted: Wanted, count: int, **more) -> Questions:
    items = np.frombuffer(os.urandom(32 * count), np.uint8).reshape(count, 32)
    blinded = oprf.bulk_blind(items)[1] if count else items
    return Questions(session=wanted.session, signature=wanted.signature, blinded=blinded, **more)


async def test_a_lease_gives_what_was_agreed_and_no_more(pair: Pair):
    wanted = await leased(pair)
    await pair.line.ask(questions(wanted, 30))
    for more in (3, 256):
        with pytest.raises(PeerRefused) as caught:
            await pair.line.ask(questions(wanted, more))
        assert caught.value.code == "lease-spent"
    await pair.line.ask(questions(wanted, 2, done=True))
    with pytest.raises(PeerRefused) as caught:
        await pair.line.ask(questions(wanted, 1))
    assert caught.value.code == "session-unknown"
    assert pair.told() == [("intent", None), ("disclosed", 32)]


async def test_no_more_buckets_than_questions(pair: Pair):
    wanted = await leased(pair)
    await pair.line.ask(questions(wanted, 1))
    await pair.line.ask(questions(wanted, 0, buckets=(0,)))
    for buckets, code in (((1,), "lease-spent"), ((2,), "malformed"), (((1 << 32) - 1,), "malformed")):
        with pytest.raises(PeerRefused) as caught:
            await pair.line.ask(questions(wanted, 0, buckets=buckets))
        assert caught.value.code == code


async def test_a_lease_is_of_one_peer(pair: Pair):
    wanted = await leased(pair)
    leases = pair.line.responder.leases
    for call in (leases.ask("carol", questions(wanted, 1)), leases.download("carol", wanted)):
        with pytest.raises(CosightError) as caught:
            await call
        assert caught.value.code == "session-unknown"
    await pair.line.ask(questions(wanted, 1))


async def test_a_wrong_signature_ends_it(pair: Pair):
    wanted = await leased(pair)
    with pytest.raises(PeerMisbehaved):
        await pair.line.ask(questions(replace(wanted, signature=bytes(64)), 1))
    with pytest.raises(PeerRefused):
        await pair.line.ask(questions(wanted, 1))
    assert pair.told()[-1] == ("disclosed", 0)  # it had fetched the filter


async def test_what_is_no_element_is_counted_and_not_answered(pair: Pair):
    wanted = await leased(pair)
    for bad in (np.zeros((4, 32), np.uint8), np.full((4, 32), 255, np.uint8)):
        with pytest.raises(PeerRefused) as caught:
            await pair.line.ask(replace(questions(wanted, 1), blinded=bad))
        assert caught.value.code == "malformed"
    await pair.line.ask(questions(wanted, 1, done=True))
    assert pair.told()[-1] == ("disclosed", 9)


async def test_a_lease_ends_by_itself_and_with_the_node(pair: Pair):
    wanted = await leased(pair)
    await pair.line.ask(questions(wanted, 5))
    pair.bob.later(seconds=601)
    pair.alice.later(seconds=601)
    with pytest.raises(PeerRefused):
        await pair.line.ask(questions(wanted, 1))
    assert pair.told() == [("intent", None), ("disclosed", 5)]
    other = await leased(pair)
    await pair.line.responder.close()
    with pytest.raises(PeerRefused):
        await pair.line.ask(questions(other, 1))
    assert pair.told()[2:] == [("intent", None), ("disclosed", 0)]


async def test_a_lease_ends_when_the_policy_changes(pair: Pair):
    wanted = await leased(pair)
    pair.bob.policy_text = ALLOWED.replace("1000", "999")
    pair.bob.later(seconds=6)
    with pytest.raises(CosightError) as caught:
        await pair.line.ask(questions(wanted, 1))
    assert caught.value.code == "policy-changed"
    with pytest.raises(PeerRefused):
        await pair.line.ask(questions(wanted, 1))
    assert pair.told()[-1] == ("disclosed", 0)


@pytest.mark.parametrize("reason", ["another epoch", "over", "quarantine"])
async def test_nothing_is_answered_under_a_key_that_is_over(pair: Pair, reason):
    wanted = await leased(pair)
    await pair.line.ask(questions(wanted, 1))
    if reason == "another epoch":
        publish(pair.bob.desk, pair.shelf, Edition(renew=True), ["alice"])
    elif reason == "quarantine":
        what = {"reason": "canary"}
        pair.bob.books.append("quarantine", now=pair.bob.now, peer="alice", what=what)
    lease = pair.line.responder.leases._leases[wanted.session]
    if reason == "over":  # the lease outlives the epoch
        ends = lease.published.publication.expires
        lease.expires = datetime.fromtimestamp(ends, UTC) + timedelta(days=1)
        pair.bob.now = datetime.fromtimestamp(ends, UTC) + timedelta(seconds=1)
    pair.bob.later(seconds=6)
    for _ in range(2):
        with pytest.raises(PeerRefused) as caught:
            await pair.line.ask(questions(wanted, 1))
        assert caught.value.code == "session-unknown"
    assert pair.told()[-1] == ("disclosed", 1)


async def test_leases_are_few_for_one_and_for_all(pair: Pair, monkeypatch):
    from exchange.disclosure import leases  # noqa: PLC0415

    monkeypatch.setattr(leases, "MAX_LEASES_EACH", 2)
    for _ in range(2):
        await leased(pair)
    with pytest.raises(PeerRefused) as caught:
        await pair.ask("w1")
    assert caught.value.code == "busy"


async def test_the_filter_is_not_fetched_for_ever(pair: Pair):
    wanted = await leased(pair)
    for _ in range(MAX_DOWNLOADS - 1):
        async with pair.line.download(wanted):
            pass
    with pytest.raises(PeerRefused) as caught:
        await pair.line.download(wanted).__aenter__()
    assert caught.value.code == "lease-spent"


@pytest.mark.parametrize("offset", [0, 1, 100, 5000, 10**9, (1 << 36)])
async def test_odd_offsets_give_the_file_or_its_rest(pair: Pair, offset):
    wanted = await leased(pair)
    publication = pair.shelf.current().publication
    whole = pair.shelf.filter(publication)
    async with pair.line.download(replace(wanted, partial=publication.digest, offset=offset)) as (
        described,
        pieces,
    ):
        data = b"".join([piece async for piece in pieces])
    assert data == whole[described.offset :]
    assert described.offset == (offset if offset <= len(whole) else 0)


async def test_another_build_meanwhile_does_not_hurt_a_lease(pair: Pair):
    wanted = await leased(pair)
    old = pair.shelf.current().publication
    pair.bob.items.words = HELD[:200]
    publish(pair.bob.desk, pair.shelf, Edition(), ["alice"])
    async with pair.line.download(wanted) as (described, pieces):
        assert described.publication == old
        assert b"".join([piece async for piece in pieces]) == pair.shelf.filter(old)
    answer = await pair.line.ask(questions(wanted, 1, buckets=(0,)))
    tags = pair.shelf.tags(old)
    bits = publishing.bucket_bits(old.items)
    assert np.array_equal(answer.buckets[0], publishing.in_bucket(tags, 0, bits))
    assert len(rows.unique(answer.buckets[0])) >= publishing.BUCKET
    publish(pair.bob.desk, pair.shelf, Edition(renew=True), ["alice"])
    for call in (pair.line.ask(questions(wanted, 1, buckets=(1,))), pair.line.download(wanted).__aenter__()):
        with pytest.raises(PeerRefused) as caught:
            await call
        assert caught.value.code == "not-ready"
    await pair.line.ask(questions(wanted, 1))


def test_the_policy_of_these_tests_allows_filters():
    assert "filter" in parse(ALLOWED).peers["*"].protocols
