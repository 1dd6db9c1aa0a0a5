"""Attacks on a discovery, each named after itself: it is stopped, and the culprit stands in a ledger."""

import asyncio
from copy import copy
from dataclasses import replace
from hashlib import sha256
from math import floor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from crypto.secagg import batches, helpers
from crypto.secagg import discovery as atr
from exchange.agreement import size_class
from exchange.discovery import signing, taking_part, words
from exchange.discovery.outcome import released_rows, voices_of
from exchange.discovery.relaying import Relaying
from exchange.discovery.tagging import SPARE
from exchange.discovery.world import Brought, State, pieces
from exchange.errors import CosightError, PeerMisbehaved, PeerRefused
from exchange.indicators import Indicator, IndicatorType
from tests.exchange.disclosure.desks import KEYS
from tests.exchange.discovery.alliance import (
    ALL,
    HELD,
    NAMES,
    SEARCH,
    Line,
    accused,
    culprits,
    deposit_of,
    refused,
    share_wrongly,
    values,
)


async def test_nobody_attacks(alliance):
    async with alliance.serving():
        found = await alliance.ask_all()
    assert alliance.expected() == {"c.example", "d.example"}
    for name, result in found.items():
        assert values(result) == alliance.expected() & set(HELD[name])
        assert (result.count, result.counted, result.culprits) == (2, 5, ())
        assert not culprits(alliance, name, "counted")
    assert not [entry for name in NAMES for entry in refused(alliance, name)]


async def test_copies_of_one_report_are_one_voice(alliance):
    for name in ("alice", "bob"):  # of those four that hold it, both have it from the same report
        alliance.members[name].side.items.copied["c.example"] = "some report"
    async with alliance.serving():
        found = await alliance.ask_all()
    shared = found["carol"].items
    voices = {one.value: int(n) for one, n in zip(shared.indicators, shared.voices, strict=True)}
    assert voices == {"c.example": 3, "d.example": 3}


class SecondBatch(Line):
    """A member that brings a second batch at once."""

    async def deposit(self, deposit, chunks):
        data = b"".join(chunks)
        await super().deposit(deposit, pieces(data))
        other = deposit_of(deposit, self.caller, data[::-1])
        with pytest.raises(PeerRefused, match="it said no"):
            await super().deposit(other, pieces(data[::-1]))


async def test_sybil_batch_of_a_member(alliance):
    alliance.lines["erin", "alice"] = SecondBatch
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.counted for result in found.values()} == {5}
    assert refused(alliance, "alice") == [("erin", "second-batch")]


class SecondToken(Line):
    """A member that asks a helper for one token more."""

    async def token(self, of, blinded):
        answer = await super().token(of, blinded)
        question = helpers.ask(np.ones((1, 32), np.uint8), size=1)
        with pytest.raises(PeerRefused) as fault:
            await super().token(of, question.blinded)
        assert fault.value.code == "second-token"
        return answer


async def test_sybil_batch_wants_a_second_token(alliance):
    alliance.lines["erin", "carol"] = SecondToken
    async with alliance.serving():
        await alliance.ask_all()
    assert refused(alliance, "carol") == [("erin", "second-token")]


class TokenOfAnotherBox(Line):
    """A member that names another counter's key, which no helper knows, to be given one token more."""

    async def token(self, of, blinded):
        answer = await super().token(of, blinded)
        question = helpers.ask(np.ones((1, 32), np.uint8), size=1)
        with pytest.raises(PeerRefused) as fault:
            await super().token(replace(of, box=bytes(range(32))), question.blinded)
        assert fault.value.code == "second-token"
        return answer


async def test_sybil_batch_wants_a_token_of_a_session_that_it_made_up(alliance):
    alliance.lines["erin", "carol"] = TokenOfAnotherBox
    async with alliance.serving():
        await alliance.ask_all()
    assert refused(alliance, "carol") == [("erin", "second-token")]


async def test_sybil_batch_that_the_relay_makes_up(alliance, monkeypatch):
    relay = alliance.members["alice"].service._relaying
    close, made, brought_by = relay._close, {}, relay.shelf.brought_by

    def with_one_more(context, stage):
        more = {"nobody": Brought(digest=made["digest"], root=made["root"], signature=b"")} if made else {}
        return brought_by(context, stage) | more

    def stuffed(kept):
        """One batch more than members brought, with a token that no helper gave."""
        of = kept.round
        setup = of.setup()
        records = atr.records(np.ones((1, 64), np.uint8), setup, bytes(setup.token_bytes), size=32)
        sealed = batches.seal(bytes(setup.token_bytes), records, of.box, setup)
        digest = sha256(sealed).digest()
        made.update(digest=digest, root=batches.root(bytes(setup.token_bytes), records, setup))
        relay.shelf.batch(of.context, kept.stage, digest).write_bytes(sealed)
        closed = close(kept)
        listed = tuple(sorted([*closed.listed[:-1], digest]))
        signature = signing.sign_list(KEYS["alice"].identity, of, kept.stage, listed)
        lying = replace(closed, listed=listed, list_signature=signature)
        relay.shelf.keep(lying)
        return lying

    def end(kept, said):
        done = replace(kept, state=State.DONE, signature=said.signature)
        relay.shelf.put_outcome(done, said.outcome)

    monkeypatch.setattr(relay, "_close", stuffed)
    monkeypatch.setattr(relay, "shelf", _With(relay.shelf, brought_by=with_one_more))
    monkeypatch.setattr(relay, "_end", end)
    async with alliance.serving():
        found = await alliance.ask_all()
    told = [result for result in found.values() if not isinstance(result, CosightError)]
    (left_out,) = (name for name, result in found.items() if isinstance(result, CosightError))
    assert found[left_out].code == "batch-left-out"
    assert culprits(alliance, left_out, "broken") == ["alice"]
    for result in told:
        assert (result.counted, result.culprits) == (4, (("alice", "nameless-batch"),))


async def test_replayed_batch_of_another_session(alliance):
    brought = []

    class Remembering(Line):
        async def deposit(self, deposit, chunks):
            brought.append(b"".join(chunks))
            await super().deposit(deposit, pieces(brought[-1]))

    class Replaying(Line):
        async def deposit(self, deposit, _chunks):
            await super().deposit(deposit_of(deposit, "erin", brought[0]), pieces(brought[0]))

    alliance.lines["erin", "alice"] = Remembering
    async with alliance.serving():
        await alliance.ask_all()
        alliance.lines["erin", "alice"] = Replaying
        found = await alliance.ask_all(replace(SEARCH, threshold=2))
    assert found.pop("erin").code == "batch-left-out"  # by its own account it brought another one
    for result in found.values():
        assert (result.culprits, result.accused) == ((), (("erin", "bad-seal"),))
        assert result.counted == 4
    for name in found:
        assert not culprits(alliance, name, "counted"), "nobody but the counter can open it"
        assert set(accused(alliance, name, "counted")) == {"erin"}


class _With:
    """An object with some of its methods replaced."""

    def __init__(self, of, **replaced) -> None:
        self._of = of
        self.__dict__.update(replaced)

    def __getattr__(self, name) -> Any:
        return getattr(self._of, name)


async def test_garbage_share(alliance, monkeypatch):
    share_wrongly(alliance, monkeypatch)
    async with alliance.serving():
        found = await alliance.ask_all()
    for result in found.values():
        assert result.culprits == (("erin", "bad-share"),)
    assert values(found["carol"]) == {"c.example", "d.example"}
    assert culprits(alliance, "bob", "counted") == ["erin"]  # as a member: the counter knows no names
    assert culprits(alliance, "alice", "counted") == ["erin", "erin"]  # as the relay, and as a member


@pytest.mark.parametrize("lie", ["invented", "inflated", "dropped", "suppressed"])
async def test_lying_counter(alliance, monkeypatch, lie):
    counter = alliance.members["bob"].service._counting
    count = counter._count

    def lying(of, kept, counted, blamed):
        outcome, proofs = count(of, kept, counted, blamed)
        released, voices = voices_of(outcome)
        if lie == "invented":
            released = np.concatenate([released, np.full((1, 32), 255, np.uint8)])
            voices = np.append(voices, 3)
        elif lie == "inflated":  # nobody holds what six of five hold
            voices = voices + 2
        elif lie == "dropped":  # it leaves a batch out, and says nothing of it
            outcome = replace(outcome, counted=outcome.counted - 1)
        else:
            released, voices = released[1:], voices[1:]
        return replace(outcome, released=len(released), body=released_rows(released, voices)), proofs

    monkeypatch.setattr(counter, "_count", lying)
    async with alliance.serving():
        found = await alliance.ask_all()
        if lie == "suppressed":  # nothing shows, until somebody else counts
            assert {result.count for result in found.values()} == {1}
            again = replace(SEARCH, parts=replace(SEARCH.parts, counter="erin"))
            recount = await alliance.ask_all(again)
            assert {result.count for result in recount.values()} == {2}
            assert recount["alice"].asked == 0
            return
    for name in NAMES:
        assert isinstance(found[name], PeerMisbehaved)
        assert found[name].code == "bad-count"
        assert culprits(alliance, name, "broken") == ["bob"]


async def test_poisoned_announcement_of_a_member(alliance, monkeypatch):
    def poisoned(indicators):
        """Erin, who alone has nothing to say, says something."""
        return words.encode(indicators or [Indicator(IndicatorType.DOMAIN, "innocent.example")])

    monkeypatch.setattr(taking_part, "words", SimpleNamespace(encode=poisoned, decode=words.decode))
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    for name, result in found.items():
        assert values(result) == alliance.expected(), name
        assert (result.culprits, result.accused) == ((), (("erin", "poisoned-word"),))
        assert "erin" in accused(alliance, name, "counted")


async def test_poisoned_announcement_of_the_counter(alliance, monkeypatch):
    counter = alliance.members["bob"].service._counting
    heard = counter._heard

    async def lying(kept):
        outcome, proofs = await heard(kept)
        said = [words.decode(outcome.body)[0], Indicator(IndicatorType.DOMAIN, "innocent.example")]
        return replace(outcome, body=words.encode(said), released=len(said)), proofs

    monkeypatch.setattr(counter, "_heard", lying)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    del found["bob"]  # it lies to itself as well, and asks what it has not asked
    for name, result in found.items():
        assert values(result) == {"c.example"} | (alliance.expected() & set(HELD[name]))
        assert result.culprits == (("bob", "poisoned-word"),)
        assert culprits(alliance, name, "counted") == ["bob"]


class Greedy(Line):
    """A member that asks more than it declared."""

    async def evaluate(self, epoch, declared, blinded):
        answer = await super().evaluate(epoch, declared, blinded)
        for seed in range(2):
            size = 2 * declared
            items = np.full((size, 32), seed + 1, np.uint8)
            items[:, :2] = np.arange(size, dtype=">u2").view(np.uint8).reshape(-1, 2)
            question = helpers.ask(items, size=size)
            with pytest.raises(PeerRefused) as fault:
                await super().evaluate(epoch, declared, question.blinded)
            assert fault.value.code == "quota-spent"
        return answer


async def test_quota_exceeded(alliance):
    alliance.lines["erin", "dave"] = Greedy
    async with alliance.serving():
        await alliance.ask_all()
    assert refused(alliance, "dave") == [("erin", "quota-spent"), ("erin", "quota-spent")]
    declared = {
        leaf.peer: (leaf.what["padded"], leaf.what["count"])
        for leaf in alliance.members["dave"].told("helped")
    }
    size = size_class(3 + SPARE)
    assert declared == dict.fromkeys(NAMES, (size, floor(1.1 * size)))


async def test_helper_with_another_key(alliance):
    class Forged(Line):
        async def evaluate(self, epoch, declared, blinded):
            await super().evaluate(epoch, declared, blinded)
            reply = helpers.evaluate(helpers.epoch_key(bytes(32), b"another"), blinded)
            return reply.evaluated, reply.proof

    alliance.lines["erin", "dave"] = Forged
    async with alliance.serving():
        with pytest.raises(PeerMisbehaved, match="dave broke the protocol"):
            await alliance.ask("erin")
    assert culprits(alliance, "erin", "broken") == ["dave"]


async def test_relay_that_leaves_a_batch_out(alliance, monkeypatch):
    relay = alliance.members["alice"].service._relaying
    deposits = relay.shelf.deposits

    def without_erin(context, stage):
        return {who: digest for who, digest in deposits(context, stage).items() if who != "erin"}

    def closing(kept):
        """Another one, with the same shelf for whoever asks meanwhile."""
        liar = copy(relay)
        liar.shelf = _With(relay.shelf, deposits=without_erin)
        return Relaying._close(liar, kept)

    monkeypatch.setattr(relay, "_close", closing)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert found["erin"].code == "batch-left-out"
    assert culprits(alliance, "erin", "broken") == ["alice"]
    assert {found[name].counted for name in NAMES[:4]} == {4}


async def test_too_few_and_then_enough(alliance):
    search = replace(SEARCH, wait_s=1)
    async with alliance.serving():
        early = asyncio.create_task(alliance.ask_all(search, names=NAMES[:2]))
        while not early.done():
            await asyncio.sleep(0.2)
            for member in alliance.members.values():
                member.side.later(seconds=1)
        assert {result.code for result in (await early).values()} == {"too-few-batches"}
        found = await alliance.ask_all(search)
    assert {result.count for result in found.values()} == {2}
