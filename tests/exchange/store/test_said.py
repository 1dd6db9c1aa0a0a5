"""What is said of what enters a set: by the feeds that let it enter, and by no other."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from exchange.indicators import Tlp
from exchange.indicators.context import Context, Pap
from exchange.policy.admission import Admission
from exchange.store import Store
from tests.exchange.store.deliveries import IPV4, NOW, put

A, B, C = (f"8.8.8.{i}" for i in range(3))
LIMITS = {
    "tlp": ({"tlp": Tlp.AMBER}, Context(tlp=Tlp.RED, malware=("emotet",))),
    "pap": ({"pap": Pap.GREEN}, Context(pap=Pap.RED, malware=("emotet",))),
    "embargo": ({}, Context(not_before=NOW + timedelta(days=1), malware=("emotet",))),
    "expired": ({}, Context(valid_until=NOW - timedelta(days=1), malware=("emotet",))),
    "age": ({"max_age_days": {IPV4: 9}}, Context(last_seen=NOW - timedelta(days=10), malware=("emotet",))),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


def said(store: Store, **asked) -> dict[str, Context]:
    admission = Admission(**asked)
    items = store.item_set([IPV4], now=NOW, admission=admission)
    contexts = store.said([IPV4], now=NOW, admission=admission).of(items.ids)
    return {one.value: context for one, context in zip(store.values(items.ids), contexts, strict=True)}


def test_of_nothing_nothing_is_said(store: Store) -> None:
    assert said(store) == {}
    put(store, A)
    assert said(store) == {A: Context()}
    assert store.said([IPV4], now=NOW).of(np.array([99, -1])) == [Context()] * 2


def test_what_two_feeds_say_is_said_together(store: Store) -> None:
    put(store, (A, Context(malware=("mirai",), sightings=3)), (B, Context(confidence=7)), C)
    put(store, (A, Context(malware=("zeus",), sightings=9)), source="b")
    assert said(store) == {
        A: Context(malware=("mirai", "zeus"), sightings=9),
        B: Context(confidence=7),
        C: Context(),
    }


@pytest.mark.parametrize("limit", LIMITS)
def test_a_feed_that_keeps_an_indicator_back_says_nothing_of_it(store: Store, limit: str) -> None:
    asked, closed = LIMITS[limit]
    put(store, (A, Context(malware=("mirai",), last_seen=NOW)), (B, closed))
    put(store, (A, closed), (B, Context(confidence=7, last_seen=NOW)), source="b")
    found = said(store, **asked)
    assert found == {
        A: Context(malware=("mirai",), last_seen=NOW),
        B: Context(confidence=7, last_seen=NOW),
    }


def test_most_indicators_share_what_is_said_of_them(store: Store) -> None:
    put(store, *((f"9.9.{i // 256}.{i % 256}", Context(malware=(f"m{i % 3}",))) for i in range(3000)))
    found = store.said([IPV4], now=NOW)
    assert (len(found.ids), len(found.contexts)) == (3000, 3)
    assert len({id(context) for context in found.of(found.ids)}) == 3
