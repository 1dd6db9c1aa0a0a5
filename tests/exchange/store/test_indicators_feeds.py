"""Deliveries as deltas: what a feed adds, repeats, drops and withdraws, what stays when it is forgotten."""

import random
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exchange.errors import InputError, StoreError
from exchange.indicators import Batch, Indicator, Tlp
from exchange.indicators.context import Context
from exchange.store import Store, importer
from tests.exchange.store.deliveries import DOMAIN, IPV4, NOW, batch, put, told, travelling

DAY = timedelta(days=1)
A, B, C, D = (f"8.8.8.{i}" for i in range(4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{path}")
    yield store
    store.close()


def delta(report) -> tuple[int, int, int]:
    return report.added, report.removed, report.unchanged


def test_a_delivery_replaces_the_one_before(store: Store) -> None:
    assert delta(put(store, A, B)) == (2, 0, 0)
    assert delta(put(store, B, C, B, now=NOW + DAY)) == (1, 1, 1)
    assert travelling(store) == {B, C}
    again = put(store, B, C, now=NOW + DAY)
    assert (*delta(again), again.accepted, again.duplicates) == (0, 0, 2, 0, 2)
    assert delta(put(store, now=NOW + DAY)) == (0, 2, 0), "an empty delivery empties the feed"
    assert travelling(store) == set()


def test_feeds_do_not_touch_each_other(store: Store) -> None:
    put(store, A, B, feed="x")
    report = put(store, B, C, feed="y")
    assert (*delta(report), report.accepted) == (2, 0, 0, 1), "new to the feed is not new to the store"
    assert delta(put(store, C, feed="x")) == (1, 2, 0)
    assert travelling(store) == {B, C}
    assert [h.feed for h in told(store, C)] == ["x", "y"]


def test_a_delivery_of_changes_keeps_the_rest(store: Store) -> None:
    put(store, A, B)
    assert delta(put(store, C, keep=True, revoked=(A,))) == (1, 1, 0)
    assert travelling(store) == {B, C}


def test_what_its_producer_withdrew_goes_wherever_it_stands(store: Store) -> None:
    put(store, A, B)
    report = put(store, A, B, C, D, revoked=(A, C, "8.8.8.200"))
    assert delta(report) == (1, 1, 1)
    assert (report.read, report.accepted, report.by_type) == (7, 1, {"ipv4": 1})
    assert report.read == report.accepted + report.duplicates + sum(report.refused.values())
    assert travelling(store) == {B, D}
    put(store, C, source="b")
    put(store, revoked=(C,))
    assert travelling(store) == {C}, "what another feed gives stays"


def test_a_withdrawn_indicator_can_be_named_for_a_day(store: Store, path: Path) -> None:
    put(store, A, B)
    ids = store.item_set([IPV4], now=NOW).ids
    put(store, B, now=NOW + DAY)
    assert {i.value for i in store.values(ids)} == {A, B}
    assert put(store, B, A, now=NOW + DAY).by_type == {"ipv4": 1}, "back again, it is new"
    assert set(store.item_set([IPV4], now=NOW + DAY).ids) == set(ids)
    put(store, B, now=NOW + 2 * DAY)
    put(store, B, now=NOW + 3 * DAY + timedelta(seconds=1))
    with pytest.raises(StoreError, match="does not hold"):
        store.values(ids)
    assert sqlite3.connect(path).execute("SELECT value FROM indicator").fetchall() == [(B,)]


def test_a_number_is_never_given_twice(store: Store) -> None:
    put(store, A, source="a")
    put(store, B, source="b")
    before = store.item_set([IPV4], now=NOW).ids
    store.forget("b")
    put(store, C, source="c")
    assert not set(store.item_set([IPV4], now=NOW).ids) - set(before) & set(before)
    [new] = set(store.item_set([IPV4], now=NOW).ids) - set(before)
    assert new > max(before)


def test_forgetting_erases(store: Store, path: Path) -> None:
    put(store, A, (B, Context(comment="they said so")), feed="x")
    put(store, B, C, feed="y")
    put(store, C, source="b")
    gone = store.forget("a", "x")
    assert (gone.given, gone.erased) == (2, 1)
    assert travelling(store) == {B, C}
    gone = store.forget("a")
    assert (gone.given, gone.erased) == (2, 1)
    assert travelling(store) == {C}
    rows = sqlite3.connect(path).execute
    assert rows("SELECT value FROM indicator").fetchall() == [(C,)]
    assert rows("SELECT count(*) FROM context").fetchone() == (0,)
    assert rows("SELECT name FROM source").fetchall() == [("b",)]
    with pytest.raises(InputError):
        store.forget("a")


def test_what_is_forgotten_is_in_no_file(store: Store, path: Path) -> None:
    def holding(what: str) -> int:
        return sum(what.encode() in file.read_bytes() for file in path.parent.iterdir())

    urls = [f"http://erased.com/{i}" for i in range(500)]
    put(store, *urls, (A, Context(comment="erased words")), source="b")
    put(store, "http://kept.com/", source="c")
    assert [bool(holding(what)) for what in ("erased.com", "erased words", "kept.com")] == [True] * 3
    store.forget("b")
    assert [bool(holding(what)) for what in ("erased.com", "erased words", "kept.com")] == [
        False,
        False,
        True,
    ]


def test_feeds_are_listed(store: Store) -> None:
    put(store, A, B, feed="x", own=True)
    put(store, source="b", now=NOW + DAY)
    put(store, A, feed="x", now=NOW + DAY)
    assert [(f.source, f.feed, f.own, f.last_imported, f.count) for f in store.feeds()] == [
        ("a", "x", False, NOW + DAY, 1),
        ("b", "", False, NOW + DAY, 0),
    ]


def test_a_cursor_is_kept_with_its_feed(store: Store) -> None:
    assert store.cursor("a", "x") is None
    put(store, A, feed="x", cursor=lambda: "2026-08-22T12:00:00.123456Z")
    put(store, B, feed="y")
    put(store, A, feed="x")
    assert store.cursor("a", "x") == "2026-08-22T12:00:00.123456Z"
    assert store.cursor("a", "y") is None

    def fails() -> str:
        raise InputError("the server lied")

    with pytest.raises(InputError):
        put(store, C, feed="x", keep=True, cursor=fails)
    assert travelling(store) == {A, B}


def test_a_stated_marking_is_only_tightened(store: Store) -> None:
    marked = [(f"8.8.8.{i}", Context(tlp=tlp)) for i, tlp in enumerate(Tlp)]
    unmarked = "8.8.8.9"
    for tlp, found in (
        (None, ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED", "AMBER"]),
        ("GREEN", ["GREEN", "GREEN", "AMBER", "AMBER+STRICT", "RED", "GREEN"]),
        ("red", ["RED"] * 6),
    ):
        put(store, *marked, unmarked, tlp=tlp)
        assert [told(store, v)[0].tlp for v in (*(v for v, _ in marked), unmarked)] == found
    assert told(store, A)[0].context.tlp is Tlp.CLEAR, "what was stated is still known"


def test_what_is_said_is_kept_and_replaced(store: Store, path: Path) -> None:
    first = Context(tlp=Tlp.GREEN, last_seen=NOW, tags=("x", "y"), comment="first")
    put(store, (A, first), (B, first), C)
    assert [h.context for h in told(store, A)] == [first]
    assert [bool(h.context) for h in told(store, C)] == [False]
    put(store, A, (B, Context(confidence=50)))
    assert [h.context for h in told(store, A)] == [Context()], "the last delivery says nothing of it any more"
    assert [h.context for h in told(store, B)] == [Context(confidence=50)]
    count = sqlite3.connect(path).execute("SELECT count(*) FROM context").fetchone()
    assert count == (1,), "nobody says the first any more"
    assert store.held([Indicator(DOMAIN, "not-held.com"), Indicator(IPV4, A)])[0] == []
    assert store.held([]) == []


SAID = [
    Context(tlp=Tlp.CLEAR, last_seen=NOW, tags=("x",), comment="short"),
    Context(first_seen=NOW - DAY, last_seen=NOW - DAY, not_before=NOW, tags=("y",), producer="b"),
    Context(tlp=Tlp.AMBER_STRICT, valid_until=NOW, sightings=3, comment="longer"),
    Context(not_before=NOW + DAY, confidence=10, producer="a", malware=("m",)),
    None,
]


@pytest.mark.parametrize("seed", range(8))
def test_neither_order_nor_pieces_matter(store: Store, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """The same value five times, said five different things of."""
    draw = random.Random(seed)
    monkeypatch.setattr(importer, "RUN_SIZE", draw.choice([1, 2, 100]))
    given = [(value, said) for said in SAID for value in (A, B)]
    draw.shuffle(given)
    pieces: list[list[tuple[str, Context | None]]] = [[]]
    for one in given:
        if draw.random() < 0.5:
            pieces.append([])
        pieces[-1].append(one)
    report = store.import_indicators([batch(*piece) for piece in pieces], source="a", now=NOW)
    assert (report.accepted, report.duplicates, report.added) == (2, 8, 2)
    for value in (A, B):
        [found] = told(store, value)
        assert found.tlp is Tlp.AMBER_STRICT
        assert found.context == Context(
            tlp=Tlp.AMBER_STRICT, first_seen=NOW - DAY, last_seen=NOW, not_before=NOW + DAY, valid_until=NOW,
            confidence=10, sightings=3, producer="a", malware=("m",), tags=("x", "y"), comment="longer",
        )  # fmt: skip


def test_hosts_made_from_urls_count_as_read(store: Store) -> None:
    made = Batch.of([("http://evil.com/a", None, None), ("http://evil.com/b", None, None)], url_hosts=True)
    report = store.import_indicators([made], source="a", now=NOW)
    assert (report.read, report.accepted, report.duplicates) == (4, 3, 1)
    assert report.by_type == {"url": 2, "url-host": 1}
