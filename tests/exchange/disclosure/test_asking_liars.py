"""A publisher that lies about its filter, its key or its answers is found out, and nothing of it is kept."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crypto import oprf
from crypto.filters import Bloom, Golomb, Sorted
from exchange import publication as publications
from exchange.errors import PeerExceededLimit, PeerMisbehaved
from exchange.publication import Kind
from tests.exchange.disclosure.desks import KEYS
from tests.exchange.disclosure.publishers import HELD, Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair.make(tmp_path)


def signed(pair: Pair, **lies):
    """A description that bob signs though it is not so."""

    def describe(described):
        lying = dataclasses.replace(described.publication, **lies)
        return replace(described, publication=lying, signature=publications.sign(lying, KEYS["bob"].identity))

    pair.line.describe = describe


async def caught_lying(pair: Pair, *words: str, code: str = "bad-publication", **how) -> None:
    with pytest.raises((PeerMisbehaved, PeerExceededLimit)) as caught:
        await pair.ask(*words or ("w1",), **how)
    assert caught.value.code == code
    assert pair.alice.books.story()[-1] == ("aborted", code)


@pytest.mark.parametrize(
    "lies",
    [
        {"member": "carol"}, {"alliance": "other.example.com"}, {"digest": bytes(32)}, {"items": 512},
        {"kind": Kind.BLOOM}, {"fpr": 2.0**-31}, {"expires": 1_767_268_801}, {"made": 1_767_300_000},
    ],
    ids=lambda lies: next(iter(lies)),
)  # fmt: skip
async def test_a_description_that_is_not_so(pair: Pair, lies):
    pair.publish()
    if "expires" in lies:
        pair.alice.later(seconds=5)
    signed(pair, **lies)
    await caught_lying(pair)
    assert pair.cache.publication("bob") is None


async def test_a_description_that_is_not_signed(pair: Pair):
    pair.publish()
    pair.line.describe = lambda described: replace(described, signature=bytes(64))
    await caught_lying(pair)


async def test_an_older_filter_or_another_key_than_before(pair: Pair):
    pair.publish()
    pair.bob.items.words = HELD[:100]
    pair.publish()
    await pair.ask("w1")
    signed(pair, number=1)
    await caught_lying(pair)
    signed(pair, public_key=oprf.generate_key(oprf.Mode.VOPRF).public_key)
    await caught_lying(pair)
    signed(pair, expires=pair.shelf.current().publication.expires + 1)
    await caught_lying(pair)


@pytest.mark.parametrize(
    "piece", [b"", b"x", lambda data: data[:-1], lambda data: data + b"x", lambda data: data[1:] + b"x"]
)
async def test_another_file(pair: Pair, piece):
    pair.publish()
    pair.line.chunk = lambda _number, data: piece(data) if callable(piece) else piece
    await caught_lying(pair)
    assert pair.cache.whole("bob") is None


@pytest.mark.parametrize("kind", Kind)
async def test_a_filter_of_ones(pair: Pair, kind, monkeypatch):
    """One that holds whatever is asked, with a description that fits it but for the rate."""
    from exchange.disclosure import publishing as module  # noqa: PLC0415

    def ones(tags, _fpr):
        if kind is Kind.BLOOM:
            made = Bloom.build(tags, 2**-10)
            return replace(made, bits=b"\xff" * len(made.bits))
        return Golomb.build(tags, 0.5) if kind is Kind.GOLOMB else Sorted.build(tags, 0.5)

    pair.publish(kind=kind, fpr=2.0**-30)
    await pair.ask("w1")
    held = pair.cache.publication("bob")
    monkeypatch.setitem(module._BUILDERS, kind, ones)
    pair.publish(kind=kind, fpr=2.0**-30)
    await caught_lying(pair)
    assert pair.cache.publication("bob") == held, "it is still held to what it signed before"
    assert pair.cache.whole("bob") is None
    signed(pair, public_key=oprf.generate_key(oprf.Mode.VOPRF).public_key)
    await caught_lying(pair)


@pytest.mark.parametrize("lie", ["proof", "row", "key", "swapped"])
async def test_an_answer_that_is_not_under_the_key(pair: Pair, lie):
    pair.publish()
    other = oprf.generate_key(oprf.Mode.VOPRF)

    def answer(said):
        if not len(said.evaluated):
            return said
        if lie == "proof":
            return replace(said, proof=bytes(32) + said.proof[32:])
        if lie == "key":
            evaluated, proof = oprf.bulk_blind_evaluate(other, pair.line.asked[-1].blinded)
            return replace(said, evaluated=evaluated, proof=proof)
        changed = said.evaluated.copy()
        if lie == "row":
            changed[0] = 255
        else:
            changed[[0, 1]] = changed[[1, 0]]
        return replace(said, evaluated=changed)

    pair.line.answer = answer
    await caught_lying(pair, "w1", "w2", code="peer-misbehaved")


@pytest.mark.parametrize("lie", ["strange", "elsewhere", "twice"])
async def test_a_confirmation_that_contradicts_the_filter(pair: Pair, lie):
    pair.publish()

    def answer(said):
        if not said.buckets:
            return said
        tags = said.buckets[0]
        named = {
            "strange": np.concatenate([tags, tags[:1] ^ np.uint8([0] * 15 + [1])]),
            "elsewhere": pair.shelf.tags(pair.shelf.current().publication)[:],
            "twice": np.concatenate([tags, tags[:1]]),
        }[lie]
        return replace(said, buckets=(np.ascontiguousarray(named), *said.buckets[1:]))

    pair.line.answer = answer
    await caught_lying(pair, *HELD[:20], confirm=True)


async def test_a_change_that_leads_nowhere(pair: Pair):
    pair.publish(kind=Kind.SORTED)
    await pair.ask("w1")
    pair.bob.items.words = HELD[5:]
    pair.publish()
    pair.line.chunk = lambda _number, data: data[:-1] + bytes([data[-1] ^ 1])
    await caught_lying(pair)
    pair.line.chunk = lambda _number, data: data
    assert {one.value for one in (await pair.ask("w1", "w9")).positives} == {"w9"}
