"""Attacks by which few who work together would learn what one member holds: it hides among enough others."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from crypto.secagg import batches, counting, helpers
from crypto.secagg.discovery import tags_of
from exchange.aggregation.announced import Split as Evidence
from exchange.discovery import signing
from exchange.discovery.announcing import announced
from exchange.discovery.helping import epoch_key
from exchange.discovery.kept import Lines
from exchange.discovery.outcome import voices_of
from exchange.discovery.proof import WrongShare
from exchange.discovery.world import Deposit, PartMisbehaved, Stage, pieces
from exchange.errors import PeerMisbehaved, PeerRefused, PolicyRefusal
from tests.exchange.disclosure.desks import ALLIANCE, KEYS
from tests.exchange.discovery.alliance import (
    ALL,
    NAMES,
    SEARCH,
    Line,
    accused,
    culprits,
    deposit_of,
    list_otherwise,
    refused,
)

FRIENDS, TARGET = ("alice", "carol"), "erin"
"""A relay and as many members as, with it, are one fewer than the threshold; and whom they single out."""


def drop_honest_batches(alliance, monkeypatch, stage):
    """The relay lists what its friends brought, and one batch besides."""

    def listed(shelf, kept):
        brought = shelf.deposits(kept.round.context, stage)
        return [digest for who, digest in brought.items() if who in {*FRIENDS, TARGET}]

    list_otherwise(alliance, monkeypatch, stage, listed)


def count_whatever_comes(alliance, monkeypatch):
    """A counter that checks nothing of what the relay brings."""
    counter = alliance.members["bob"].service._counting

    async def counting(kept):
        there = counter.shelf.deposits(kept.round.context, kept.stage)
        if set(there.values()) == set(kept.listed):
            count = counter._counted if kept.stage is Stage.BATCHES else counter._heard
            counter._end(kept, *await count(kept))
            await counter.tell()

    monkeypatch.setattr(counter, "_check", lambda _caller, _deposit: None)
    monkeypatch.setattr(counter, "go_on", counting)


async def test_relay_with_friends_drops_all_honest_batches_but_one(alliance, monkeypatch):
    drop_honest_batches(alliance, monkeypatch, Stage.BATCHES)
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.code for result in found.values()} == {"discovery-broken"}
    assert set(refused(alliance, "bob")) == {("alice", "too-few-batches")}
    assert not alliance.members["bob"].told("counted"), "nothing was counted"


async def test_relay_with_friends_and_a_counter_drop_all_honest_batches_but_one(alliance, monkeypatch):
    drop_honest_batches(alliance, monkeypatch, Stage.BATCHES)
    count_whatever_comes(alliance, monkeypatch)
    async with alliance.serving():
        found = await alliance.ask_all()
    for name, code in {TARGET: "too-few-batches", "bob": "batch-left-out", "dave": "batch-left-out"}.items():
        assert isinstance(found[name], PeerMisbehaved)
        assert found[name].code == code
        assert culprits(alliance, name, "broken") == ["alice"]


async def test_counter_denies_all_honest_batches_but_one(alliance, monkeypatch):
    count_whatever_comes(alliance, monkeypatch)
    counter = alliance.members["bob"].service._counting
    count = counter._count

    def denying(of, kept, counted, blamed):
        denied = list(counted)[:2]
        left = {digest: batch for digest, batch in counted.items() if digest not in denied}
        return count(of, kept, left, [*blamed, *((digest, "bad-token") for digest in denied)])

    monkeypatch.setattr(counter, "_count", denying)
    async with alliance.serving():
        found = await alliance.ask_all()
    for name, result in found.items():
        assert isinstance(result, PeerMisbehaved)
        assert result.code == "too-few-batches"
        assert culprits(alliance, name, "broken") == ["bob"]


async def test_relay_with_friends_drops_all_honest_words_but_those_of_one(alliance, monkeypatch):
    drop_honest_batches(alliance, monkeypatch, Stage.WORDS)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    assert {result.code for result in found.values()} == {"discovery-broken"}
    assert set(refused(alliance, "bob")) == {("alice", "too-few-batches")}


class Spoilt(Line):
    """A member that brings what was sealed to nobody."""

    async def deposit(self, deposit, chunks):
        data = b"".join(chunks)[::-1]
        await super().deposit(deposit_of(deposit, self.caller, data), pieces(data))


async def test_too_few_good_batches_are_not_counted(alliance):
    """Two of five are none: three are left, as many as the threshold and fewer than was agreed on."""
    for name in ("dave", "erin"):
        alliance.lines[name, "alice"] = Spoilt
    async with alliance.serving():
        found = await alliance.ask_all()
    for result in found.values():
        assert isinstance(result, PeerRefused)
        assert result.code == "discovery-broken"
        assert "too-few-batches" in str(result)
    assert not alliance.members["bob"].told("counted")


async def test_how_many_are_needed_is_agreed_on(alliance):
    async with alliance.serving():
        asking = asyncio.create_task(alliance.ask_all(replace(SEARCH, minimum=5, wait_s=1), names=NAMES[:4]))
        await gone_by(alliance, asking)
        assert {result.code for result in (await asking).values()} == {"too-few-batches"}
        for minimum in (2, 6):
            with pytest.raises(PolicyRefusal, match="the minimum is at least"):
                await alliance.ask("erin", replace(SEARCH, minimum=minimum))


class Split(Line):
    """Carol, a key helper, shows other keys to whom this line is of, and answers under them."""

    another_secret = False

    def _other(self, of):
        seed = bytes(range(32))
        helper, token = epoch_key(seed, of.epoch), helpers.token_key(seed, of.plan)
        return helper, token

    async def keys(self, of):
        told = signing.Announced.decode((await super().keys(of)).body)
        helper, token = self._other(of)
        secret = bytes(32) if self.another_secret else told.secret
        other = replace(told, helper=helper.public_key, token=token.public_key, secret=secret)
        return signing.announce(KEYS["carol"].identity, other)

    async def evaluate(self, epoch, declared, blinded):
        reply = helpers.evaluate(epoch_key(bytes(range(32)), epoch), blinded)
        return reply.evaluated, reply.proof

    async def token(self, of, blinded):
        reply = helpers.evaluate(self._other(of)[1], blinded)
        return reply.evaluated, reply.proof


class OtherSecret(Split):
    """She says that the one from which the first keys came is lost."""

    another_secret = True


async def asked_first(alliance, names, **asked):
    """Some ask; the task, once all of their batches are at the relay."""
    asking = asyncio.create_task(alliance.ask_all(replace(SEARCH, **asked), names=names))
    relay = alliance.members["alice"].service._relaying.shelf
    while not any(
        len(relay.deposits(kept.round.context, kept.stage)) == len(names) for kept in relay.unfinished()
    ):
        assert not asking.done(), asking.result()
        await asyncio.sleep(0.05)
    return asking


@pytest.mark.parametrize("first", ["the target", "the others"])
async def test_split_announcements(alliance, first):
    """Carol leaves erin in a session of its own; her two announcements prove it to everybody."""
    alliance.lines[TARGET, "carol"] = Split
    others = [name for name in NAMES if name != TARGET]
    async with alliance.serving():
        asking = await asked_first(alliance, [TARGET] if first == "the target" else others[:3])
        late = await alliance.ask_all(SEARCH, others if first == "the target" else [TARGET])
        found = late | await asking
    for name, result in found.items():
        assert isinstance(result, PeerRefused), (name, result)
        assert result.code == "discovery-broken"
        assert "to blame: carol (split-keys)" in str(result)
        assert culprits(alliance, name, "broken") == ["carol"] * (1 + (name == "alice"))
    assert ("carol", "split-keys") in refused(alliance, "alice")
    assert evidence(alliance, "alice") == "carol"


def evidence(alliance, member):
    """Whose lie the document shows that is kept beside the first refusal for one, if it shows any."""
    books = alliance.members[member].side.books
    leaf = next(leaf for leaf in alliance.members[member].told("refused") if "digest" in leaf.what)
    (body,) = [one.body for one in books.documents() if one.hash == leaf.what["digest"]]
    split = Evidence.decode(body)
    assert split.plan(alliance.members[member].office.desk.find, ALLIANCE)
    return split.member


async def test_split_announcements_under_another_secret(alliance):
    """She may have lost the first one, so it is no proof; what stands is one session all the same."""
    alliance.lines[TARGET, "carol"] = OtherSecret
    others = [name for name in NAMES if name != TARGET]
    async with alliance.serving():
        asking = await asked_first(alliance, others[:3])
        alone = (await alliance.ask_all(SEARCH, [TARGET]))[TARGET]
        late = asyncio.create_task(alliance.ask_all(SEARCH, others[3:]))
        await gone_by(alliance, late)
        found = await late | await asking
    assert isinstance(alone, PeerRefused)
    assert "split-keys" in str(alone)
    assert ("carol", "keys-changed") in refused(alliance, "alice")
    assert {result.counted for result in found.values()} == {4}
    assert not [name for name in NAMES if "carol" in culprits(alliance, name, "broken")]


async def test_split_announcements_that_a_relay_passes_on(alliance, monkeypatch):
    """The relay keeps silent about it; the counter counts one session of a plan."""
    alliance.lines[TARGET, "carol"] = Split
    relay = alliance.members["alice"].service._relaying
    monkeypatch.setattr(relay, "check_stands", lambda _deposit: None)
    async with alliance.serving():
        asking = asyncio.create_task(alliance.ask_all(replace(SEARCH, wait_s=5), NAMES[:4]))
        await gone_by(alliance, asking)
        found = await asking
        shelf = relay.shelf
        of = found["bob"].round
        kept = shelf.kept(of.context, Stage.BATCHES)
        erin = alliance.members[TARGET]
        alone, said = await announced(erin.office, Lines(erin.office), erin.asked, of.with_keys((), b""))
        listed = tuple(sorted([*kept.listed[:3], bytes(32)]))
        signature = signing.sign_list(KEYS["alice"].identity, alone, Stage.BATCHES, listed)
        deposit = Deposit(
            round=alone, stage=Stage.BATCHES, digest=bytes(32), size=3000, signature=signature, listed=listed,
            root=bytes(32), keys=said,
        )  # fmt: skip
        with pytest.raises(PeerRefused) as fault:
            await Line("alice", alliance.members["bob"].service).deposit(deposit, [])
    assert fault.value.code == "split-keys"
    assert {("carol", "split-keys"), ("alice", "second-list")} <= set(refused(alliance, "bob"))


async def test_keys_that_were_not_announced_are_no_session(alliance):
    """A member makes up a session with a key of its own in it: it stands for no plan."""

    class MadeUp(Line):
        async def deposit(self, deposit, chunks):
            data = b"".join(chunks)
            of = replace(deposit.round, box=bytes(range(32)))
            lie = deposit_of(replace(deposit, round=of), self.caller, data)
            with pytest.raises(PeerRefused) as fault:
                await super().deposit(lie, pieces(data))
            assert fault.value.code == "malformed"
            await super().deposit(deposit, pieces(data))

    alliance.lines[TARGET, "alice"] = MadeUp
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.counted for result in found.values()} == {5}


async def test_a_part_that_shows_a_member_other_keys_the_second_time(alliance):
    async with alliance.serving():
        await alliance.ask_all()
        alliance.lines[TARGET, "carol"] = Split
        with pytest.raises(PartMisbehaved) as fault:
            await alliance.ask(TARGET)
    assert (fault.value.member, fault.value.code) == ("carol", "split-keys")
    assert ("carol", "split-keys") in refused(alliance, TARGET)
    assert evidence(alliance, TARGET) == "carol"


async def test_a_helper_that_lost_its_secret_begins_anew(alliance):
    """No lie, and nobody is blamed: once the first session is given up, all meet in the second."""
    for helper in ("carol", "dave"):  # what was asked under the key that is lost counts as asked
        side = alliance.members[helper].side
        side.policy_text = with_quota(side.policy_text)
    search = replace(SEARCH, wait_s=1)
    async with alliance.serving():
        early = await asked_first(alliance, NAMES[:3], wait_s=1)
        (key,) = (alliance.members["carol"].home.path / "keys").glob("discovery-*.key")
        key.unlink()
        with pytest.raises(PeerRefused, match="split-keys"):
            await alliance.ask(TARGET, search)  # the first session still stands
        await gone_by(alliance, early)
        assert {result.code for result in (await early).values()} == {"too-few-batches"}
        found = await alliance.ask_all(search)
    assert {(result.counted, result.culprits, result.accused) for result in found.values()} == {(5, (), ())}
    told = [entry for name in NAMES for entry in refused(alliance, name)]
    assert told == [("carol", "keys-changed")], "what the relay saw, and it names no lie"


def with_quota(policy):
    """The same policy, and as a helper twice the questions."""
    assert policy.count("[discover]\n") == 1
    return policy.replace("[discover]\n", "[discover]\nquota = 2.2\n")


async def gone_by(alliance, asking):
    """Time passes until it is done."""
    while not asking.done():
        await asyncio.sleep(0.2)
        for member in alliance.members.values():
            member.side.later(seconds=1)


@pytest.mark.parametrize("evidence", ["none", "made up", "a right share"])
async def test_lying_counter_accuses_an_honest_member(alliance, monkeypatch, evidence):
    counter = alliance.members["bob"].service._counting
    count = counter._count

    def accusing(of, kept, counted, blamed):
        outcome, _ = count(of, kept, counted, blamed)
        setup, released = of.setup(), voices_of(outcome)[0]
        secrets = {row[:16].tobytes(): row[16:].tobytes() for row in released}
        digest, batch, at = next(
            (digest, batch, at)
            for digest, batch in counted.items()
            for at, row in enumerate(batch.records)
            if row[:16].tobytes() in secrets
        )
        record = batch.records[at : at + 1].copy()
        opening = batches.open_root(batch, record, setup)
        true = record.tobytes(), secrets[record[0, :16].tobytes()]
        shown = counting.Proof(*true, len(batch.records), opening)
        if evidence == "made up":  # a wrong share of a secret that it chose, in the place of a true record
            secret = np.full((1, 16), 7, np.uint8)
            lie = np.concatenate([tags_of(secret, setup), record[:, 16:]], axis=1)
            shown = replace(shown, record=lie.tobytes(), secret=secret.tobytes())
            assert counting.shows(counting.Lie(b"", shown.record, shown.secret), setup)
        said = () if evidence == "none" else (WrongShare(digest=digest, shown=shown).encode(),)
        blamed = tuple(sorted([*outcome.blamed, (digest, "bad-share")]))
        return replace(outcome, counted=outcome.counted - 1, blamed=blamed), said

    monkeypatch.setattr(counter, "_count", accusing)
    async with alliance.serving():
        found = await alliance.ask_all()
    (honest,) = (name for name, result in found.items() if isinstance(result, PeerMisbehaved))
    assert found.pop(honest).code == "bad-count", "whoever sealed the batch knows better"
    assert culprits(alliance, honest, "broken") == ["bob"]
    for name, result in found.items():
        assert (result.culprits, result.accused) == ((), ((honest, "bad-share"),))
        assert not culprits(alliance, name, "counted")
        assert set(accused(alliance, name, "counted")) == {honest}
    relayed = alliance.members["alice"].service._relaying.shelf.kept(
        next(iter(found.values())).round.context, Stage.BATCHES
    )
    assert relayed.proofs == (), "what proves nothing is handed to nobody"


async def test_a_share_that_is_not_among_those_signed_is_no_proof(alliance):
    """A member signs another root than its batch has: what it holds counts for nothing."""

    class Lying(Line):
        async def deposit(self, deposit, chunks):
            data = b"".join(chunks)
            lie = replace(deposit, root=bytes(32))
            await super().deposit(deposit_of(lie, self.caller, data), pieces(data))

    alliance.lines[TARGET, "alice"] = Lying
    async with alliance.serving():
        found = await alliance.ask_all()
    for result in found.values():
        assert (result.counted, result.culprits, result.accused) == (4, (), ((TARGET, "bad-root"),))
