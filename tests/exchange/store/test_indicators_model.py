"""Any sequence of deliveries and erasures leaves what a dictionary of dictionaries would hold."""

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from pathlib import Path
from unittest.mock import patch

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from exchange.errors import InputError
from exchange.indicators import Indicator, Tlp
from exchange.indicators.context import Context, Pap
from exchange.policy.admission import Admission
from exchange.store import Store, importer
from exchange.store.sayings import merged
from tests.exchange.store.deliveries import ALL, IPV4, NOW, batch, travelling

VALUES = [f"8.8.8.{i}" for i in range(4)]
HOUR = timedelta(hours=1)
SAID = [
    None,
    Context(tlp=Tlp.CLEAR, tags=("x",)),
    Context(tlp=Tlp.RED, comment="closed"),
    Context(not_before=NOW + 30 * HOUR, last_seen=NOW),
    Context(valid_until=NOW + 20 * HOUR, confidence=5),
    Context(tlp=Tlp.GREEN, not_before=NOW + HOUR, valid_until=NOW + 60 * HOUR),
]

times = st.none() | st.integers(-1000, 1000).map(lambda days: NOW + timedelta(days, seconds=days))
counts = st.none() | st.integers(0, 100)
texts = st.text("abc", max_size=3)
words = st.lists(texts, max_size=3).map(lambda found: tuple(sorted(set(found))))
contexts = st.builds(
    Context, tlp=st.none() | st.sampled_from(Tlp), pap=st.none() | st.sampled_from(Pap), first_seen=times,
    last_seen=times, not_before=times, valid_until=times, confidence=counts, sightings=counts, producer=texts,
    malware=words, techniques=words, phases=words, tags=words, comment=texts,
)  # fmt: skip


@given(contexts, contexts, contexts)
@settings(max_examples=100, deadline=None)
def test_sayings_merge_in_any_order(a: Context, b: Context, c: Context) -> None:
    assert merged(a, b) == merged(b, a)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
    assert merged(a, a) == merged(a, Context()) == a
    assert Context.from_json(merged(a, b).to_json()) == merged(a, b)


@dataclass(frozen=True)
class Delivery:
    """One import."""

    source: str
    feed: str
    items: list[tuple[int, int]]
    revoked: list[int]
    tlp: str | None
    keep: bool
    pieces: int
    run: int
    later: timedelta


@dataclass(frozen=True)
class Erasure:
    """Forgetting a feed, or a source."""

    source: str
    feed: str | None


@dataclass(frozen=True)
class Known:
    """What a feed says of a value."""

    tlp: Tlp
    said: Context
    first: datetime
    last: datetime


@dataclass
class Model:
    """The store as it should be."""

    now: datetime = NOW
    feeds: dict[tuple[str, str], dict[str, Known]] = field(default_factory=dict)

    def all_values(self) -> set[str]:
        return {value for known in self.feeds.values() for value in known}

    def deliver(self, d: Delivery) -> tuple[int, int, int, int]:
        """What the import should report: accepted, added, removed, unchanged."""
        self.now += d.later
        held = self.all_values()
        before = self.feeds.get((d.source, d.feed), {})
        said: dict[str, list[Context | None]] = {}
        for value, context in d.items:
            said.setdefault(VALUES[value], []).append(SAID[context])
        after = dict(before) if d.keep else {}
        order = list(Tlp)
        for value, contexts in said.items():
            floor = Tlp(d.tlp) if d.tlp else Tlp.CLEAR
            stated = [(c.tlp if c else None) or (Tlp(d.tlp) if d.tlp else Tlp.AMBER) for c in contexts]
            tlp = max([floor, *stated], key=order.index)
            told = reduce(merged, [c for c in contexts if c], Context())
            first = before[value].first if value in before else self.now
            after[value] = Known(tlp, told, first, self.now)
        for value in d.revoked:
            after.pop(VALUES[value], None)
        self.feeds[d.source, d.feed] = after
        again = len(before.keys() & after.keys() & said.keys())
        counts = (len(after.keys() - before.keys()), len(before.keys() - after.keys()), again)
        return (len(self.all_values() - held), *counts)

    def travelling(self, ceiling: Tlp, at: datetime) -> set[str]:
        return {
            value
            for known in self.feeds.values()
            for value, k in known.items()
            if k.tlp in ceiling.up_to()
            and (k.said.not_before is None or k.said.not_before <= at)
            and (k.said.valid_until is None or k.said.valid_until > at)
        }


values = st.integers(0, len(VALUES) - 1)
names = st.sampled_from("ab"), st.sampled_from("xy")
deliveries = st.builds(
    Delivery, source=names[0], feed=names[1], tlp=st.sampled_from([None, None, "CLEAR", "GREEN", "RED"]),
    items=st.lists(st.tuples(values, st.integers(0, len(SAID) - 1)), max_size=12),
    revoked=st.lists(values, max_size=2), keep=st.booleans(), pieces=st.integers(1, 4),
    run=st.sampled_from([1, 3, 100]), later=st.sampled_from([timedelta(0), HOUR, 25 * HOUR]),
)  # fmt: skip
erasures = st.builds(Erasure, source=names[0], feed=st.none() | names[1])


def check(store: Store, model: Model) -> None:
    """The store answers as the model does."""
    assert {(f.source, f.feed): f.count for f in store.feeds()} == {k: len(v) for k, v in model.feeds.items()}
    for at in (model.now, model.now + 24 * HOUR):
        for ceiling in (Tlp.GREEN, Tlp.RED):
            assert travelling(store, admission=Admission(tlp=ceiling), now=at) == model.travelling(
                ceiling, at
            )
    offer = store.offer(ALL, admission=Admission(tlp=Tlp.GREEN), now=model.now)
    withheld = sum(sum(by_type.values()) for by_type in offer.withheld.values())
    assert withheld + offer.size == len(model.all_values())
    for value, known in zip(VALUES, store.held([Indicator(IPV4, v) for v in VALUES]), strict=True):
        found = {
            (h.source, h.feed): Known(h.tlp, h.context, h.first_imported, h.last_imported) for h in known
        }
        assert found == {name: known[value] for name, known in model.feeds.items() if value in known}


@given(st.lists(st.one_of(deliveries, deliveries, deliveries, erasures), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_store_is_what_was_delivered(steps: list[Delivery | Erasure]) -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{Path(folder) / 'store.db'}")
        for step in steps:
            if isinstance(step, Erasure):
                names = [n for n in model.feeds if n[0] == step.source and step.feed in (None, n[1])]
                if not names:
                    with pytest.raises(InputError):
                        store.forget(step.source, step.feed)
                    continue
                given = {value for name in names for value in model.feeds.pop(name)}
                gone = store.forget(step.source, step.feed)
                assert (gone.given, gone.erased) == (len(given), len(given - model.all_values()))
            else:
                size = -(-len(step.items) // step.pieces) or 1
                cuts = [step.items[i : i + size] for i in range(0, len(step.items), size)] or [[]]
                batches = [batch(*((VALUES[v], SAID[c]) for v, c in cut)) for cut in cuts]
                batches.insert(len(batches) // 2, batch(revoked=tuple(VALUES[v] for v in step.revoked)))
                counts = model.deliver(step)
                with patch.object(importer, "RUN_SIZE", step.run):
                    report = store.import_indicators(
                        batches,
                        source=step.source,
                        feed=step.feed,
                        tlp=step.tlp,
                        keep=step.keep,
                        now=model.now,
                    )
                assert (report.accepted, report.added, report.removed, report.unchanged) == counts
                total = report.accepted + report.duplicates + sum(report.refused.values())
                assert report.read == total == len(step.items) + len(step.revoked)
            check(store, model)
        store.close()
