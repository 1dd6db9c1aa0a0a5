"""What the store says of a dictionary: own or copied, from whom, when, and nothing that may not enter."""

from datetime import UTC, datetime, timedelta

import pytest

from exchange.aggregation.dictionary import Dictionary
from exchange.indicators import Indicator, Tlp
from exchange.indicators.context import Context
from exchange.policy import Admission
from exchange.store import Store
from tests.exchange.store.deliveries import IPV4, NOW, put

SEEN = datetime(2026, 8, 1, 6, tzinfo=UTC)
VALUES = [f"8.8.8.{i}" for i in range(8)]
WORDS = Dictionary.of(Indicator(IPV4, value) for value in VALUES)
AMBER = Admission(tlp=Tlp.AMBER)


@pytest.fixture
def indicators() -> Store:
    return Store.open("sqlite://")


def test_nothing_is_known_of_what_we_do_not_hold(indicators: Store) -> None:
    put(indicators, "9.9.9.9", own=True)
    assert indicators.known(WORDS, now=NOW, admission=AMBER).seen == []


def test_what_each_feed_says(indicators: Store) -> None:
    told = Context(sightings=7, confidence=60, first_seen=SEEN, last_seen=SEEN + timedelta(days=3))
    put(indicators, (VALUES[2], told), VALUES[5], source="sensors", own=True)
    put(indicators, (VALUES[2], Context(producer="First Reporter")), source="broker")
    later = NOW + timedelta(days=2)
    put(indicators, VALUES[2], source="broker", now=later)
    found = indicators.known(WORDS, now=later, admission=AMBER)
    assert [position for position, _ in found.seen] == [2, 5]
    own, copied = found.seen[0][1]
    assert (own.own, own.sightings, own.confidence, own.origin) == (True, 7, 60, "sensors")
    assert (own.first, own.last) == (SEEN, SEEN + timedelta(days=3))
    assert (copied.own, copied.sightings, copied.first, copied.last) == (False, None, NOW, later)
    assert found.withheld == {}


def test_the_origin_of_a_copy_is_its_producer_or_else_its_source(indicators: Store) -> None:
    put(indicators, (VALUES[0], Context(producer="First Reporter")), VALUES[1], source="broker")
    found = dict(indicators.known(WORDS, now=NOW, admission=AMBER).seen)
    assert [found[at][0].origin for at in (0, 1)] == ["First Reporter", "broker"]


def test_what_the_policy_holds_back_is_counted_and_stays(indicators: Store) -> None:
    closed = Context(tlp=Tlp.AMBER_STRICT)
    embargoed = Context(not_before=NOW + timedelta(days=1))
    put(indicators, (VALUES[0], closed), (VALUES[1], embargoed), VALUES[2], own=True)
    found = indicators.known(WORDS, now=NOW, admission=AMBER)
    assert [position for position, _ in found.seen] == [2]
    assert found.withheld == {"p4-tlp": {IPV4: 1}, "p14-embargo": {IPV4: 1}}


def test_a_feed_that_may_not_enter_says_nothing_beside_one_that_may(indicators: Store) -> None:
    put(indicators, (VALUES[0], Context(tlp=Tlp.RED, sightings=99)), source="closed", own=True)
    put(indicators, VALUES[0], source="open")
    ((_, said),) = indicators.known(WORDS, now=NOW, admission=AMBER).seen
    assert [(one.own, one.sightings) for one in said] == [(False, None)]


def test_a_dictionary_of_more_than_one_query(indicators: Store) -> None:
    values = [f"9.{i >> 8}.{i & 255}.1" for i in range(1, 12_000)]
    put(indicators, *values[::2], own=True)
    words = Dictionary.of(Indicator(IPV4, value) for value in values)
    found = indicators.known(words, now=NOW, admission=AMBER)
    positions = [position for position, _ in found.seen]
    assert positions == sorted(positions)
    assert {words[position].value for position in positions} == {*values[::2]}
