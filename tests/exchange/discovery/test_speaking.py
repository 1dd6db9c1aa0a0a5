"""Attacks on words, where all learn the outcome: whose are heard, how many, and what they cost."""

import asyncio
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from crypto.errors import ParameterError
from crypto.secagg import words as sealing
from crypto.secagg.batches import BadBatch
from crypto.secagg.discovery import Setup
from exchange.aggregation.round import Learns, Round
from exchange.agreement import size_class
from exchange.disclosure.asking import rows_of
from exchange.discovery import keeping, signing, tagging, taking_part, words
from exchange.discovery.outcome import Outcome
from exchange.discovery.preparing import plan_of
from exchange.discovery.sizes import largest_words, words_size
from exchange.discovery.tagging import asked_of
from exchange.discovery.world import Deposit, Stage, pieces
from exchange.errors import CosightError, PeerRefused
from exchange.indicators import Indicator, IndicatorType, canonicalise
from exchange.store.discovery.helper import HelperBooks
from exchange.store.discovery.tables import open_tables
from tests.exchange.disclosure.desks import KEYS
from tests.exchange.discovery.alliance import (
    ALL,
    NAMES,
    SEARCH,
    Line,
    accused,
    list_otherwise,
    values,
)


def lie_about_words(alliance, monkeypatch, made_up):
    """The relay passes on other words than came; ``made_up`` gives what, of those that came."""

    def listed(shelf, kept):
        of, came = kept.round, shelf.deposits(kept.round.context, kept.stage)
        yield came["carol"]
        for sealed in made_up(of, came):
            digest = sha256(sealed).digest()
            shelf.batch(of.context, kept.stage, digest).write_bytes(sealed)
            yield digest

    list_otherwise(alliance, monkeypatch, Stage.WORDS, listed)


def counter_gave_up(alliance):
    """Why the counter ended the words of its one session."""
    home, shelf = alliance.members["bob"].home, alliance.members["bob"].service._counting.shelf
    (room,) = home.path.glob("discoveries/*/speakers")
    return shelf.kept(bytes.fromhex(room.parent.name), Stage.WORDS).code


def signed_words(alliance, monkeypatch):
    """What the counter signs of words, as soon as it does."""
    said: list[Outcome] = []
    sign = signing.sign_outcome

    def signing_outcome(identity, of, stage, encoded):
        if stage is Stage.WORDS:
            said.append(Outcome.decode(encoded))
        return sign(identity, of, stage, encoded)

    monkeypatch.setattr(signing, "sign_outcome", signing_outcome)
    return said


async def test_words_that_the_relay_makes_up_beside_those_of_one(alliance, monkeypatch):
    """Or it would learn what that one holds."""

    def empty(of, _came):
        token = bytes(of.setup().token_bytes)
        return [
            sealing.seal_words(b"", token, of.box, of.setup(), size=300 + n) for n in range(of.minimum - 1)
        ]

    lie_about_words(alliance, monkeypatch, empty)
    told = signed_words(alliance, monkeypatch)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    assert not told, "nothing is said of so few"
    assert found["carol"].code == "discovery-broken"
    assert counter_gave_up(alliance) == keeping.TOO_FEW


async def test_words_of_one_friend_many_times(alliance, monkeypatch):
    """A token speaks once."""
    token = {}
    seal = taking_part.seal_words

    def sealed(text, ours, *args, **how):
        token.setdefault(text, ours)
        return seal(text, ours, *args, **how)

    def repeated(of, _came):
        friend = token[b""]  # erin's, who has nothing to say
        return [
            sealing.seal_words(b"", friend, of.box, of.setup(), size=300 + n) for n in range(of.minimum - 1)
        ]

    monkeypatch.setattr(taking_part, "seal_words", sealed)
    lie_about_words(alliance, monkeypatch, repeated)
    told = signed_words(alliance, monkeypatch)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    assert not told
    assert found["carol"].code == "discovery-broken"
    assert counter_gave_up(alliance) == keeping.TOO_FEW


async def test_words_with_a_token_that_no_batch_came_with(alliance, monkeypatch):
    """The others are heard, and the relay says who that was."""
    seal = taking_part.seal_words

    def sealed(text, ours, *args, **how):
        return seal(text, ours if text else bytes(len(ours)), *args, **how)

    monkeypatch.setattr(taking_part, "seal_words", sealed)
    told = signed_words(alliance, monkeypatch)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    (said,) = told
    assert (said.counted, [code for _, code in said.blamed]) == (4, ["bad-token"])
    for name, result in found.items():
        assert values(result) == alliance.expected(), name
        assert "erin" in accused(alliance, name, "counted")


async def test_disk_of_the_counter_lets_nobody_speak_for_others(alliance, monkeypatch):
    """It keeps who is heard, so that a restart forgets nobody, and only as hashes."""
    stages = alliance.members["bob"].service._counting.shelf
    tokens = []
    seal = taking_part.seal_words

    def sealed(text, ours, *args, **how):
        tokens.append(ours)
        return seal(text, ours, *args, **how)

    monkeypatch.setattr(taking_part, "seal_words", sealed)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    of = found["bob"].round
    speakers = {sealing.speaker_of(token) for token in tokens}
    assert stages.admitted(of.context) == {sha256(speaker).digest() for speaker in speakers}
    assert len(speakers) == 5
    for path in stages.room(of.context).iterdir():
        data = path.read_bytes()
        assert not any(secret in data for secret in (*speakers, *tokens))


def test_words_sealed_with_another_token_have_another_speaker():
    key = X25519PrivateKey.generate()
    setup = _setup()
    public = key.public_key().public_bytes_raw()
    one, other = (bytes([n]) * setup.token_bytes for n in (1, 2))
    sealed = sealing.seal_words(b"said", one, public, setup, size=200)
    assert len(sealed) == 200
    assert sealing.open_words(sealed, key, setup) == (sealing.speaker_of(one), b"said")
    assert sealing.speaker_of(one) != sealing.speaker_of(other)
    with pytest.raises(ParameterError):
        sealing.seal_words(b"said", one, public, setup, size=sealing.least_size(4) - 1)
    for cut in (0, 31, 84, 199):
        with pytest.raises(BadBatch):
            sealing.open_words(sealed[:cut], key, setup)


def _setup():
    return Setup(context=b"c" * 32, threshold=3, members=5, helpers=2)


async def keyed(alliance, search) -> tuple[Round, tuple]:
    desk = alliance.members["alice"].office.desk
    plan = plan_of(alliance.members["alice"].office, search)
    said = tuple([await alliance.members[n].service.keys("alice", plan) for n in ("carol", "dave", "bob")])
    return signing.keyed(desk.find, plan, said), said


@pytest.mark.parametrize(
    ("learns", "code"), [(Learns.ALL, "session-unknown"), (Learns.INDIVIDUAL, "malformed")]
)
async def test_words_of_a_session_that_nobody_waits_for(alliance, learns, code):
    """They are refused before a byte is read; nothing is kept, and no end is written of what never began."""
    of, keys = await keyed(alliance, replace(SEARCH, learns=learns))
    bob, read = alliance.members["bob"], []
    data = [bytes([n]) * 300 for n in range(of.minimum)]
    listed = tuple(sorted(sha256(one).digest() for one in data))
    signature = signing.sign_list(KEYS["alice"].identity, of, Stage.WORDS, listed)

    def seen(one):
        read.append(one)
        yield from pieces(one)

    for one in data:
        deposit = Deposit(
            round=of, stage=Stage.WORDS, digest=sha256(one).digest(), size=len(one), signature=signature,
            listed=listed, keys=keys,
        )  # fmt: skip
        with pytest.raises(PeerRefused) as fault:
            await Line("alice", bob.service).deposit(deposit, seen(one))
        assert fault.value.code == code
    assert read == []
    assert bob.service._counting.shelf.unfinished() == []


async def test_end_of_what_was_never_begun_is_not_written(alliance):
    of, _ = await keyed(alliance, ALL)
    bob = alliance.members["bob"]
    bob.service._counting.broken(of, keeping.TOO_FEW)
    assert not bob.told("broken")
    bob.service._counting.convene(of)
    bob.service._counting.broken(of, keeping.TOO_FEW)
    assert len(bob.told("broken")) == 1


async def test_words_larger_than_what_was_released(alliance, monkeypatch):
    """Two values were: there is no use for the room of a thousand. The others are heard without them."""

    def large(text, released):
        return largest_words(2) + (1 if text == 0 else 0)  # erin alone has nothing to say

    monkeypatch.setattr(taking_part, "words_size", large)
    async with alliance.serving():
        others = asyncio.create_task(alliance.ask_all(ALL, names=NAMES[:4]))
        with pytest.raises(PeerRefused) as fault:
            await alliance.ask("erin", ALL)
        while not others.done():  # the relay waits for her until it closes
            alliance.members["alice"].side.later(seconds=5)
            await asyncio.sleep(0.2)
    assert fault.value.code == "too-large"
    for name, result in (await others).items():
        assert values(result) == alliance.expected(), name


async def test_relay_that_passes_on_words_larger_than_what_was_released(alliance, monkeypatch):
    def large(of, _came):
        token = bytes(of.setup().token_bytes)
        sealed = sealing.seal_words(b"", token, of.box, of.setup(), size=largest_words(2) + 1)
        return [sealed, *(sealed + bytes(n) for n in range(1, of.minimum - 1))]

    lie_about_words(alliance, monkeypatch, large)
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
    assert isinstance(found["carol"], CosightError)
    assert "counter-refused" in str(found["carol"])


def test_any_words_of_what_was_released_have_room():
    longest = canonicalise(IndicatorType.URL, "https://example.com/" + "a" * 8172)
    assert len(longest.value) == 8192
    name = canonicalise(IndicatorType.MUTEX, "\U0001f600" * 260)
    for said in ([], [longest], [longest, name]):
        text = words.encode(said)
        assert words_size(len(text), len(said)) <= largest_words(len(said))


def test_more_words_than_can_be_are_not_read(monkeypatch):
    """A line takes a byte, and an object a hundred times that."""
    text = words.encode(Indicator(IndicatorType.DOMAIN, f"w{n}.example") for n in range(100))
    assert len(words.decode(text, 100)) == 100
    monkeypatch.setattr(words, "_indicator", None)
    for data, most in ((text, 99), (b"\n" * 10**6, 99), (text, 0)):
        with pytest.raises(words.TooMany):
            words.decode(data, most)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (IndicatorType.MUTEX, "my\u00a0mutex"),
        (IndicatorType.FILE_NAME, "a\u3000b.exe"),
        (IndicatorType.URL, "https://example.com/" + "a" * 8000),
        (IndicatorType.CIDR, "8.8.0.0/16"),
        (IndicatorType.EMAIL, "a@example.com"),
    ],
)
def test_whatever_is_canonical_can_be_said(kind, text):
    one = canonicalise(kind, text)
    assert words.decode(words.encode([one])) == [one]


def test_a_domain_under_a_suffix_that_we_do_not_know_can_be_said():
    """The holder's list of suffixes may be newer."""
    one = Indicator(IndicatorType.DOMAIN, "a.newest")
    assert words.decode(words.encode([one])) == [one]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IndicatorType.DOMAIN, "A.example.com"),
        (IndicatorType.DOMAIN, "a\u200b.newest"),
        (IndicatorType.DOMAIN, "a[.]newest"),
        (IndicatorType.CIDR, "8.8.8.8/32"),
        (IndicatorType.URL, "https://example.com/#part"),
        (IndicatorType.URL, "https://example.com/" + "a" * 8173),
        (IndicatorType.MUTEX, "a\x9bb"),
        (IndicatorType.MUTEX, "a\u202eb"),
        (IndicatorType.FILE_NAME, "A.exe"),
        (IndicatorType.MUTEX, "e\u0301"),
    ],
)
def test_what_is_not_canonical_is_no_word(kind, value):
    with pytest.raises(ValueError, match="a word is none"):
        words.decode(words.encode([Indicator(kind, value)]))


async def test_busy_helper_has_the_other_charge_the_counter_again(alliance, monkeypatch):
    """What all is asked about is asked the same again: whoever answered it before counts it once."""
    monkeypatch.setattr(tagging, "AT_ONCE", 32)
    of, _ = await keyed(alliance, ALL)
    bob, calls = alliance.members["bob"], 0
    items = rows_of([Indicator(IndicatorType.DOMAIN, f"w{n}.example") for n in range(70)])

    class Busy(Line):
        async def evaluate(self, epoch, declared, blinded):
            nonlocal calls
            calls += 1
            if calls == 2:
                raise PeerRefused("it said no", code="busy")
            return await super().evaluate(epoch, declared, blinded)

    alliance.lines["bob", "dave"] = Busy

    async def ask(of):
        async with asked_of(bob.office.reach, of, bob.asked, None) as asking:
            return await asking.outputs(items, always=True)

    def used(helper):
        home = alliance.members[helper].home
        return HelperBooks(home, open_tables(home)).used(of.epoch)["bob"]

    def kept():
        return len(bob.asked.known(of.epoch, [pair[:32] for pair in of.keys]))

    with pytest.raises(PeerRefused):
        await ask(of)
    first = await ask(of)
    size = size_class(len(items))
    assert used("carol") == used("dave") == size <= kept()
    for _ in range(3):
        assert np.array_equal(await ask(of), first)
    assert used("carol") == used("dave") == size
    assert kept() <= 2 * size, "a question that costs nothing takes no more room each time"
    before = kept()
    other, _ = await keyed(alliance, replace(ALL, purpose="another"))
    await ask(other)
    assert used("carol") == 2 * size, "in another discovery nobody is to see that the same is asked about"
    assert kept() == before + size
