"""Values in place of a store: the same rows as a store would give, and what warning lists keep out."""

from datetime import UTC, datetime

import numpy as np

from crypto.hashing import item_rows
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.warninglists import WarningLists
from exchange.light import Asked, sift
from exchange.light.asked import WARNED

NOW = datetime(2026, 3, 1, tzinfo=UTC)
T = IndicatorType
VALUES = [
    Indicator(T.DOMAIN, "b.example.com"),
    Indicator(T.IPV4, "45.83.64.1"),
    Indicator(T.DOMAIN, "a.example.com"),
    Indicator(T.URL, "https://a.example.com/"),
    Indicator(T.DOMAIN, "b.example.com"),
]


def test_each_value_is_there_once_under_its_place():
    asked = Asked.of(VALUES)
    assert len(asked.indicators) == 4
    assert asked.types(now=NOW) == [T.IPV4, T.DOMAIN, T.URL]
    held = asked.item_set(list(T))
    assert held.rows.shape == (4, 32)
    for row, one in zip(held.rows, asked.values(held.ids), strict=True):
        assert np.array_equal(row, item_rows(one.type, [one.value])[0])


def test_types_are_asked_apart():
    asked = Asked.of(VALUES)
    assert asked.size([T.DOMAIN]) == len(asked.item_set([T.DOMAIN]).rows) == 2
    assert asked.offer([T.DOMAIN, T.IPV4, T.MD5]).entered == {T.DOMAIN: 2, T.IPV4: 1}
    assert asked.item_set([T.MD5]).rows.shape == (0, 32)
    assert asked.state(now=NOW) is None


def test_the_order_tells_nothing_of_values():
    """The order is that of the digests: the same for any order of the values."""
    one, other = (Asked.of(some).item_set(list(T)) for some in (VALUES, VALUES[::-1]))
    assert np.array_equal(one.rows, other.rows)
    first = one.rows[:, :8].copy().view(np.uint64)[:, 0]
    assert np.array_equal(first, np.sort(first))


def test_what_a_list_blocks_is_left_out_and_counted():
    lists = WarningLists.load()
    inner = Indicator(T.IPV4, "8.8.8.8")  # a public resolver
    popular = Indicator(T.DOMAIN, "google.com")  # on a list that informs
    left, dropped = sift([*VALUES, inner, popular], lists)
    assert set(left) == {*VALUES, popular}
    assert dropped == {WARNED: 1}
