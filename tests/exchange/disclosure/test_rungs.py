"""What stands between the sizes and the overlap, and above it, on both desks; and who dials as the sender."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from crypto.psi import DISCOVERED, Brings, Output, Reveals
from crypto.sketch import SLOTS
from exchange.agreement import Rung
from exchange.disclosure import Learned, Responder, bringing, match
from exchange.disclosure.bringing import encoded, numbers
from exchange.errors import PeerExceededLimit, PeerMisbehaved, PeerRefused
from exchange.indicators import Tlp
from exchange.indicators.context import Context
from exchange.policy.terms import Told
from tests.exchange.disclosure.desks import WISH, Side, Wire, pair

SAID = {
    "b": Context(tlp=Tlp.GREEN, confidence=80, sightings=3, malware=("mirai",), comment="on a honeypot"),
    "c": Context(sightings=70_000, first_seen=datetime(2026, 1, 5, tzinfo=UTC)),
}
OF = {rung: [p.name for p in DISCOVERED.values() if p.reveals == str(rung)] for rung in Rung}


def desks() -> tuple[Side, Side, Wire]:
    alice, bob, wire = pair()
    bob.items.known = SAID
    return alice, bob, wire


def wished(rung: Rung, protocol: str, **more: object):
    output = min(DISCOVERED[protocol].outputs, key=list(Output).index)
    return replace(WISH, rung=rung, protocol=protocol, output=output, over="sightings", **more)


CASES = [(rung, name) for rung in Rung for name in OF[rung]]


@pytest.mark.parametrize(("rung", "protocol"), CASES, ids=[name for _, name in CASES])
async def test_every_protocol_of_every_rung_runs(rung: Rung, protocol: str) -> None:
    alice, bob, wire = desks()
    outcome = await match(alice.desk, "bob", wished(rung, protocol), wire)
    assert (outcome.settled, outcome.rung, outcome.protocol) == (True, rung, protocol)
    ours, theirs = alice.books.told[-1][1]["what"], bob.books.told[-1][1]["what"]
    both = outcome.output is Output.BOTH
    assert (ours["learned_by_us"], ours["learned_by_peer"]) == (str(rung), str(rung) if both else "size")
    assert (theirs["learned_by_peer"], theirs["learned_by_us"]) == (str(rung), str(rung) if both else "size")
    assert theirs["at_stake"] == len(bob.words), "no rung puts less at stake than what a cheat could learn"
    assert ours["at_stake"] == (len(alice.words) if both else 0)


def test_every_rung_has_a_protocol() -> None:
    assert [rung for rung in Rung if not OF[rung]] == [Rung.SIZE]
    assert {str(rung) for rung in Rung} == {*map(str, Reveals), "size"}


class TestSums:
    async def test_of_what_the_policy_lets_be_added_up(self) -> None:
        alice, bob, wire = desks()
        outcome = await match(alice.desk, "bob", wished(Rung.SUM, "sum"), wire)
        assert (outcome.found.count, outcome.found.total) == (2, 3 + bringing.MOST)
        assert alice.books.told[-1][1]["what"]["total"] == 3 + bringing.MOST
        assert bob.books.told[0][1]["what"]["over"] == "sightings"
        bob.policy_text = bob.policy_text.replace('["sightings", "confidence"]', '["confidence"]')
        with pytest.raises(PeerRefused):
            await match(alice.desk, "bob", wished(Rung.SUM, "sum"), wire)
        assert bob.books.told[-1][1]["what"]["rule"] == "p8-sum"

    def test_what_nobody_counted(self) -> None:
        assert numbers([Context(), Context(sightings=9)], "sightings").tolist() == [1, 9]
        assert numbers([Context(), Context(confidence=9)], "confidence").tolist() == [0, 9]
        assert numbers([], "sightings").dtype == np.uint64


class TestContexts:
    @pytest.mark.parametrize("protocol", OF[Rung.CONTEXT])
    async def test_are_those_that_the_policy_names(self, protocol: str) -> None:
        alice, bob, wire = desks()
        fields = 'context = { fields = ["confidence", "malware"], bytes = 128 }'
        lines = [x for x in bob.policy_text.splitlines() if not x.startswith("context")]
        bob.policy_text = "\n".join(lines).replace('reveal = "context"', f'reveal = "context"\n{fields}')
        outcome = await match(alice.desk, "bob", wished(Rung.CONTEXT, protocol), wire)
        assert outcome.ids is not None
        told = dict(zip((alice.words[i] for i in outcome.ids), outcome.found.contexts or [], strict=True))
        assert told == {"b": Context(confidence=80, malware=("mirai",)), "c": None}
        assert "honeypot" not in repr(outcome)

    def test_of_a_long_one_whole_fields_stay_at_home(self) -> None:
        fields = frozenset({"comment", "tags", "malware", "confidence"})
        long = Context(comment="x" * 300, tags=("y" * 200,), malware=("mirai",), confidence=7)
        whole, cut, least = (encoded([long], Told(fields, size))[0] for size in (1024, 512, 64))
        assert bringing.read(whole) == long
        assert bringing.read(cut) == replace(long, comment="")
        assert b'"cut":true' in cut
        assert b"cut" not in whole
        assert bringing.read(least) == Context(malware=("mirai",), confidence=7)
        assert all(len(made) <= size for made, size in ((whole, 1024), (cut, 512), (least, 64)))
        assert encoded([Context()], Told(fields, 64)) == [b""]

    @pytest.mark.parametrize(
        "data",
        [b"", b"{", b"[]", b"7", b"null", b"\xff", b"[" * 60_000, b'{"malware": 7}', b'{"cut": true}'],
    )
    def test_what_cannot_be_read_says_nothing(self, data: bytes) -> None:
        assert bringing.read(data) is None

    def test_a_liars_fields_are_taken_one_by_one(self) -> None:
        data = b'{"confidence": 101, "tlp": "PURPLE", "malware": ["a", 7, "b\\u0000c"], "first_seen": "soon"}'
        assert bringing.read(data) == Context(tlp=Tlp.RED, malware=("a", "b c")), "unreadable is RED"
        assert bringing.read('{"comment": "a\u202eb\u2028c"}'.encode()) == Context(comment="a b c")


class TestEstimates:
    async def test_a_sketch_is_made_once_until_the_set_changes(self, monkeypatch) -> None:
        alice, bob, wire = desks()
        made = []
        real = bringing.sketch
        monkeypatch.setattr(bringing, "sketch", lambda *a: made.append(1) or real(*a))
        first, second = [
            await match(alice.desk, "bob", wished(Rung.ESTIMATE, "estimate"), wire) for _ in range(2)
        ]
        assert len(made) == 2, "one each"
        assert first.found.estimate == second.found.estimate
        assert first.found.estimate is not None
        assert first.found.estimate.slots == SLOTS
        bob.items.version += 1
        await match(alice.desk, "bob", wished(Rung.ESTIMATE, "estimate"), wire)
        assert len(made) == 3

    async def test_what_is_at_stake_does_not_grow_with_the_sets(self) -> None:
        alice, bob = (
            Side("alice", [f"w{n}" for n in range(5000)]),
            Side("bob", [f"w{n}" for n in range(6000)]),
        )
        wire = Wire(alice, bob, Responder(bob.desk))
        await match(alice.desk, "bob", wished(Rung.ESTIMATE, "estimate"), wire)
        assert bob.books.told[-1][1]["what"]["at_stake"] == SLOTS


class TestTurned:
    async def test_the_peer_is_the_receiver(self) -> None:
        alice, bob, wire = desks()
        kept: list[Learned] = []
        object.__setattr__(bob.desk, "keep", kept.append)
        outcome = await match(alice.desk, "bob", wished(Rung.OVERLAP, "voprf", turned=True), wire)
        assert (outcome.count, outcome.ids, outcome.settled) == (None, None, True)
        assert [bob.words[i] for i in kept[0].found.ids] == ["b", "c"]
        ours, theirs = alice.books.told[-1][1]["what"], bob.books.told[-1][1]["what"]
        assert (ours["learned_by_us"], ours["learned_by_peer"], ours["at_stake"]) == ("size", "overlap", 3)
        assert (theirs["learned_by_us"], theirs["learned_by_peer"], theirs["at_stake"]) == (
            "overlap",
            "size",
            0,
        )
        history = alice.books.history("bob", alice.now)
        assert [(past.asked, past.charge) for past in history.past] == [(32, 3)]
        assert [past.asked for past in bob.books.history("alice", bob.now).past] == [0]

    async def test_our_policy_decides_on_what_the_peer_learns(self) -> None:
        alice, _, wire = desks()
        alice.policy_text = alice.policy_text.replace('learns = ["us", "peer"]', 'learns = ["us"]')
        assert (await match(alice.desk, "bob", wished(Rung.OVERLAP, "voprf"), wire)).count == 2
        with pytest.raises(Exception, match="the peer may not learn"):
            await match(alice.desk, "bob", wished(Rung.OVERLAP, "voprf", turned=True), wire)

    @pytest.mark.parametrize("protocol", ["voprf-context", "cardinality-banded", "cardinality-noisy"])
    async def test_not_where_more_is_needed_of_the_sender(self, protocol: str) -> None:
        alice, bob, wire = desks()
        rung = Rung.CONTEXT if "context" in protocol else Rung.CARDINALITY
        with pytest.raises(PeerRefused):
            await match(alice.desk, "bob", wished(rung, protocol, turned=True), wire)
        assert bob.books.told[-1][0] == "refused"


@pytest.mark.parametrize(
    ("rung", "protocol", "answer"),
    [
        (Rung.CARDINALITY, "cardinality-banded", {"bands": ()}),
        (Rung.CARDINALITY, "cardinality-banded", {"bands": (1, 2)}),
        (Rung.CARDINALITY, "cardinality-noisy", {"epsilon_milli": 0}),
        (Rung.CARDINALITY, "cardinality-noisy", {"epsilon_milli": 1 << 30}),
        (Rung.CONTEXT, "voprf-context", {"label_bytes": 63}),
        (Rung.CONTEXT, "voprf-context", {"label_bytes": 1 << 17}),
    ],
)
async def test_an_answer_that_the_rung_cannot_use_is_the_peers_fault(rung, protocol, answer) -> None:
    alice, _, wire = desks()
    wire.answers = answer
    with pytest.raises(PeerMisbehaved, match=r"does not say|malformed"):
        await match(alice.desk, "bob", wished(rung, protocol), wire)
    assert alice.books.told[-1][0] == "aborted"


async def test_a_responder_says_only_what_the_rung_needs() -> None:
    alice, _, wire = desks()
    seen = []
    real = wire.responder.propose

    async def propose(*a):
        seen.append(await real(*a))
        return seen[-1]

    wire.responder.propose = propose
    for rung, protocol in CASES:
        await match(alice.desk, "bob", wished(rung, protocol), wire)
        answer = seen[-1]
        brings = DISCOVERED[protocol].brings
        assert bool(answer.label_bytes) is (brings is Brings.CONTEXTS)
        assert bool(answer.bands) is (protocol == "cardinality-banded")
        assert bool(answer.epsilon_milli) is (protocol == "cardinality-noisy")


async def test_contexts_that_would_take_too_much_are_refused_on_either_side() -> None:
    alice, bob, wire = desks()
    object.__setattr__(bob.desk, "limits", replace(bob.limits, max_context_mib=0))
    with pytest.raises(PeerRefused):
        await match(alice.desk, "bob", wished(Rung.CONTEXT, "voprf-context"), wire)
    assert bob.books.story()[-1] == ("refused", "too-large")
    object.__setattr__(bob.desk, "limits", bob.limits)
    object.__setattr__(alice.desk, "limits", replace(alice.limits, max_context_mib=0))
    with pytest.raises(PeerExceededLimit):
        await match(alice.desk, "bob", wished(Rung.CONTEXT, "voprf-context"), wire)
    assert alice.books.story()[-1] == ("aborted", "too-large")


@pytest.mark.parametrize(
    ("protocol", "asked"),
    [
        ("estimate", SLOTS),
        ("cardinality", 32),
        ("cardinality-banded", 32),
        ("cardinality-noisy", 32 + 2 * 28),
    ],
)
async def test_every_row_that_a_cheat_could_fill_is_charged(protocol: str, asked: int) -> None:
    """Who declares little sends as many rows as a sketch or the dummies take, with what it likes in them."""
    alice, bob = Side("alice", ["w1"]), Side("bob", [f"w{n}" for n in range(6000)])
    wire = Wire(alice, bob, Responder(bob.desk))
    await match(alice.desk, "bob", wished(Rung(DISCOVERED[protocol].reveals), protocol), wire)
    assert bob.books.told[-1][1]["what"]["at_stake"] == asked
    (past,) = bob.books.history("alice", bob.now).past
    assert (past.asked, past.charge) == (asked, asked)
    bob.policy_text = bob.policy_text.replace(
        "sessions_per_day = 1000", f"sessions_per_day = 1000\nvalues_per_day = {2 * asked - 1}"
    )
    with pytest.raises(PeerRefused):
        await match(alice.desk, "bob", wished(Rung(DISCOVERED[protocol].reveals), protocol), wire)
    assert bob.books.told[-1][1]["what"]["rule"] == "p11-values-per-day"
