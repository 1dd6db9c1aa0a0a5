"""From what five stores say to what is released, through the protocol itself: exactly a plain count."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crypto.secagg.base import Aggregate, Step
from exchange.aggregation import entries
from exchange.aggregation.opening import Opening
from exchange.aggregation.release import goes_on, release, rows
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import Filled, Seen, fill
from exchange.errors import PeerMisbehaved
from exchange.ledger import Kind, Leaf, decode, timestamp
from exchange.ledger.leaf import FIRST
from exchange.ledger.runs import Runs
from exchange.policy.aggregation import key_of
from tests.crypto.secagg.alliance import Alliance, identity
from tests.exchange.aggregation.openings import MEMBERS, SUM, dictionary, over
from tests.exchange.aggregation.test_vector import COPY, OWN
from tests.exchange.policy.cases import NOW

WORDS = dictionary(40)
KEYS = [identity(i).public_key().public_bytes_raw() for i in range(5)]


def stores(seed: int = 3) -> list[dict[int, list[Seen]]]:
    """What each of five members knows: own sightings with numbers, and copies from three feeds."""
    rng = np.random.default_rng(seed)
    feeds = [replace(COPY, origin=name) for name in ("one", "two", "three")]
    return [
        {
            at: [replace(OWN, sightings=int(rng.integers(1, 50)))]
            if rng.random() < 0.5
            else [feeds[rng.integers(3)]]
            for at in sorted(rng.choice(40, 24, replace=False).tolist())
        }
        for _ in MEMBERS
    ]


def run(opening: Opening, known: list[dict[int, list[Seen]]], **how: Any) -> tuple[Aggregate, list[Filled]]:
    filled = [fill(opening, dictionary_of(opening), said.items()) for said in known]
    alliance = Alliance(opening.setup(KEYS), [one.words for one in filled], **how).finish()
    assert set(alliance.errors) == set()
    first, *others = alliance.results.values()
    assert all(one.digest == first.digest for one in others)
    return first, filled


def dictionary_of(opening: Opening) -> Any:
    return WORDS if opening.entries == len(WORDS) else WORDS.subset(np.array(SECOND))


SECOND: list[int] = []


@pytest.mark.parametrize("drops", [{}, {2: Step.MASKING}, {4: Step.UNMASKING}])
def test_a_count_is_the_plain_count_of_those_that_are_left(drops: dict[int, Step]) -> None:
    opening, known = over(WORDS), stores()
    aggregate, _ = run(opening, known, drops=drops)
    assert aggregate.survivors == tuple(i for i in range(5) if drops.get(i) is not Step.MASKING)
    left = [known[i] for i in aggregate.survivors]
    own: Counter[int] = Counter(at for said in left for at, seen in said.items() if seen[0].own)
    copied = {(at, seen[0].origin) for said in left for at, seen in said.items() if not seen[0].own}
    found = release(opening, aggregate.vector, len(aggregate.survivors))
    assert {at: n for at, n in enumerate(found.own.tolist()) if n} == own
    origins = Counter(at for at, _ in copied)
    for at in range(40):  # two origins may meet in a slot: then they are one voice, never more
        assert own[at] + bool(origins[at]) <= found.numbers[at] <= own[at] + origins[at]


def test_a_sum_goes_on_from_a_count_over_what_enough_saw_themselves() -> None:
    count, known = over(WORDS, minimum=5), stores()
    aggregate, _ = run(count, known)
    positions = goes_on(count, aggregate.vector, 3)
    SECOND[:] = positions.tolist()
    part = WORDS.subset(positions)
    times = over(part, **SUM | {"base": count.context, "minimum": 5})
    places = {at: place for place, at in enumerate(SECOND)}
    again = [{places[at]: seen for at, seen in said.items() if at in places} for said in known]
    total, _ = run(times, again)
    result = release(times, total.vector, 5)
    assert 0 < len(SECOND) < 40
    for place, at in enumerate(SECOND):
        values = [said[at][0].sightings for said in known if at in said and said[at][0].own]
        assert result.numbers[place] == sum(v or 1 for v in values)
        assert result.reporters[place] == len(values) >= 3
    assert {row.indicator for row in rows(part, result, np.ones(len(part), bool))} <= {*part}


class TestTally:
    def tally(self) -> tuple[Opening, Tally]:
        opening = over(WORDS)
        aggregate, _ = run(opening, stores())
        return opening, Tally.of(opening.context, aggregate)

    def test_any_member_and_any_auditor_can_check_it(self) -> None:
        opening, tally = self.tally()
        read = Tally.decode(tally.document.body)
        assert read == tally
        assert read.check(opening.setup(KEYS))

    def test_whatever_is_altered_does_not_check(self) -> None:
        opening, tally = self.tally()
        agreed = opening.setup(KEYS)
        few = dict(sorted(tally.signatures.items())[:3])
        forged = dict(tally.signatures) | {0: bytes(64)}
        for other in (
            replace(tally, digest=bytes(32)),
            replace(tally, survivors=tally.survivors[:4], signatures=few),
            replace(tally, signatures=few),
            replace(tally, signatures=forged),
            replace(tally, context=bytes(32)),
        ):
            assert not Tally.decode(other.document.body).check(agreed)
        strangers = [bytes([7 + i]) * 32 for i in range(5)]
        assert not tally.check(opening.setup(strangers))
        assert not tally.check(over(WORDS, purpose="another").setup(KEYS))

    def test_what_is_malformed_is_refused(self) -> None:
        _, tally = self.tally()
        body = tally.document.body
        for other in (
            b"", body[:-1], body + b"\0",
            replace(tally, context=b"short").document.body,
            replace(tally, survivors=(1, 0, 2, 3, 4)).document.body,
            replace(tally, survivors=(0, 1, 2)).document.body,
            replace(tally, signatures={0: b"short"}).document.body,
            replace(tally, survivors=(0, 1, 2, 3, 100)).document.body,
        ):  # fmt: skip
            with pytest.raises(PeerMisbehaved):
                Tally.decode(other)


def test_entries_are_what_the_ledger_takes_and_reads() -> None:
    opening = over(WORDS, abandons=(b"1" * 32,), slots=1, width=16, epsilon_milli=500)
    times = over(WORDS, **SUM)
    filled = fill(opening, WORDS, stores()[0].items())
    tally = Tally(opening.context, (0, 1, 2, 4), b"d" * 32, {0: bytes(64)})
    held = {"p4-tlp": dict.fromkeys(opening.types, 3)}
    drafts = [
        entries.convened(opening), entries.joined(opening, b"p" * 32), entries.masked(opening, filled, held),
        entries.shared(opening, 4), entries.counted(opening, tally, 7),
        entries.counted(opening, tally, 7, ["umbra"], as_coordinator=True), entries.joined(times, b"p" * 32),
        entries.broken(times, "bad-share", ["hooli", "acme"]),
    ]  # fmt: skip
    runs = Runs()
    for draft in drafts:
        leaf = Leaf(0, timestamp(NOW), Kind(draft.kind), FIRST, dict(draft.fields))
        assert decode(leaf.encode()) == leaf
        assert runs.admit(leaf) == ""
        assert {document.hash for document in draft.documents} <= {leaf.session, leaf.what.get("tally")}
    run_ = runs.joined(opening.name)
    assert run_ is not None
    assert run_.key == key_of(opening)
    assert drafts[-1].fields["culprits"] == ["acme", "hooli"]
    closed = Leaf(
        0, timestamp(NOW), Kind.BROKEN, FIRST,
        dict(entries.broken(times, "too-few", by="us", as_coordinator=True).fields),
    )  # fmt: skip
    assert "not convened here" in runs.admit(closed)
