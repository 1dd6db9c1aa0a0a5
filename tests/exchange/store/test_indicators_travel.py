"""What may leave, and what holds the rest back: markings, embargoes, age, warning lists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Context
from exchange.policy.admission import Admission, Offer
from exchange.store import Store, screening
from tests.exchange.store.deliveries import ALL, DOMAIN, IPV4, MD5, NOW, put, travelling

DAY = timedelta(days=1)
A, B, C, D = (f"8.8.8.{i}" for i in range(4))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()


def barred(store: Store, **how) -> dict[str, int]:
    how = {"now": NOW, **how}
    offer = store.offer(ALL, **how)
    found = {rule: sum(by_type.values()) for rule, by_type in offer.withheld.items()}
    assert offer.size == store.size(ALL, **how)
    assert sum(found.values()) + offer.size == sum(f.count for f in store.feeds())
    return found


def test_an_embargo_ends(store: Store) -> None:
    put(store, (A, Context(not_before=NOW)), (B, Context(not_before=NOW + timedelta(milliseconds=1))), C)
    assert travelling(store) == {A, C}
    assert barred(store) == {"p14-embargo": 1}
    assert travelling(store, now=NOW + timedelta(seconds=1)) == {A, B, C}


def test_validity_ends(store: Store) -> None:
    put(store, (A, Context(valid_until=NOW)), (B, Context(valid_until=NOW + DAY)), C)
    assert travelling(store) == {B, C}
    assert barred(store) == {"expired": 1}
    assert travelling(store, now=NOW - DAY) == {A, B, C}


def test_one_feed_that_lets_it_go_is_enough(store: Store) -> None:
    put(store, (A, Context(not_before=NOW + DAY)), source="a")
    put(store, (A, Context(tlp=Tlp.RED)), source="b")
    assert travelling(store) == set()
    put(store, A, source="c")
    assert travelling(store) == {A}
    assert travelling(store, admission=Admission(tlp=Tlp.GREEN)) == set()
    put(store, source="c")
    assert travelling(store) == set()


def test_the_rules_of_one_feed_hold_together(store: Store) -> None:
    """Each feed is barred by another rule: that none bars both does not open it."""
    put(store, (A, Context(not_before=NOW + DAY, tlp=Tlp.CLEAR)), source="a")
    put(store, (A, Context(tlp=Tlp.AMBER)), source="b")
    assert travelling(store, admission=Admission(tlp=Tlp.CLEAR)) == set()
    offer = store.offer(ALL, admission=Admission(tlp=Tlp.CLEAR), now=NOW)
    assert (offer.entered, offer.withheld) == ({}, {"p14-embargo": {IPV4: 1}})


def test_types_grow_old(url: str) -> None:
    store = Store.open(url, expiry={IPV4: 10, DOMAIN: 3})
    old, fresh = Context(last_seen=NOW - 11 * DAY), Context(last_seen=NOW - 9 * DAY)
    put(store, (A, old), (B, fresh), C, ("evil.com", fresh), ("5d41402abc4b2a76b9719d911017c592", old))
    assert travelling(store) == {B, C, "5d41402abc4b2a76b9719d911017c592"}
    assert barred(store) == {"expired": 2}
    assert travelling(store, [IPV4], now=NOW + 2 * DAY) == {C}, "without a sighting, the import counts"
    assert travelling(store, now=NOW + 11 * DAY) == {"5d41402abc4b2a76b9719d911017c592"}
    put(store, C, source="b", now=NOW + 11 * DAY)
    assert travelling(store, [IPV4], now=NOW + 11 * DAY) == {C}
    store.close()


def test_rules_are_counted_in_their_order(store: Store) -> None:
    closed = Context(tlp=Tlp.RED, not_before=NOW + DAY, valid_until=NOW - DAY)
    put(store, (A, closed), (B, Context(not_before=NOW + DAY)), (C, Context(valid_until=NOW - DAY)), D)
    assert barred(store) == {"p4-tlp": 1, "p14-embargo": 1, "expired": 1}
    assert barred(store, admission=Admission(tlp=Tlp.GREEN)) == {"p4-tlp": 4}
    assert store.offer([MD5], now=NOW) == Offer()


@dataclass
class Lists:
    """Warning lists that are sets of values; they count what they are asked."""

    entries: dict[str, set[str]]
    modes: dict[str, str]
    digest: str
    asked: list[str] = field(default_factory=list)

    def screen(self, kind: IndicatorType, values: Sequence[str]) -> Mapping[str, Sequence[int]]:
        assert kind is (DOMAIN if values[0].endswith("com") else IPV4)
        self.asked += values
        hits = {name: [i for i, v in enumerate(values) if v in on] for name, on in self.entries.items()}
        return {name: positions for name, positions in hits.items() if positions}


def lists(mode: str = "block", digest: str = "1") -> Lists:
    entries = {"resolvers": {A, B}, "top": {"evil.com", A}}
    return Lists(entries, {"resolvers": mode, "top": "inform"}, digest)


def test_what_is_blocked_never_enters_a_set(store: Store) -> None:
    report = put(store, A, C, "evil.com", A, lists=lists())
    assert (report.blocked, report.informed) == ({"resolvers": 1}, {"top": 2})
    assert report.accepted == 3
    assert travelling(store) == {C, "evil.com"}
    assert barred(store) == {"p15-warning-list": 1}


def test_each_indicator_is_looked_up_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_IDS_PER_SLICE", 2)
    known = lists()
    put(store, A, C, "evil.com", lists=known)
    report = put(store, A, C, "evil.com", B, source="b", lists=known)
    assert sorted(known.asked) == sorted([A, B, C, "evil.com"])
    assert (report.blocked, report.informed) == ({"resolvers": 2}, {"top": 2})
    assert store.screen(known) == {"block": {"resolvers": 2}, "inform": {"top": 2}}
    assert len(known.asked) == 4


def test_changed_lists_are_asked_again(store: Store) -> None:
    put(store, A, C, lists=lists())
    milder = lists(mode="inform", digest="2")
    told: list[int] = []
    assert store.screen(milder, progress=told.append) == {"inform": {"resolvers": 1, "top": 1}}
    assert (travelling(store), told) == ({A, C}, [2])
    report = put(store, A, B, C, lists=lists(digest="3"))
    assert report.blocked == {"resolvers": 2}, "an import under changed lists looks everything up"
    assert travelling(store) == {C}


def test_an_import_without_lists_is_caught_up_on(store: Store) -> None:
    known = lists()
    put(store, C, lists=known)
    put(store, A, source="b")
    assert travelling(store) == {A, C}
    assert store.screen(known) == {"block": {"resolvers": 1}, "inform": {"top": 1}}
    assert travelling(store) == {C}


def test_what_is_withdrawn_or_forgotten_is_on_no_list(store: Store) -> None:
    known = lists()
    put(store, A, B, lists=known)
    put(store, B, lists=known)
    assert store.screen(known) == {"block": {"resolvers": 1}}
    put(store, B, lists=known, now=NOW + 2 * DAY)
    assert put(store, A, B, lists=known, now=NOW + 2 * DAY).blocked == {"resolvers": 2}
    store.forget("a")
    assert store.screen(known) == {}
