"""What of ours may enter a set under a policy, and how much each rule holds back."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import event
from sqlalchemy.engine import Engine

from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Context, Pap
from exchange.policy.admission import ADMISSION_RULES, EVERYTHING, Admission, Offer
from exchange.store import Store
from tests.exchange.store.deliveries import ALL, DOMAIN, IPV4, NOW, put, travelling
from tests.exchange.store.test_indicators_travel import Lists

DAY = timedelta(days=1)
A, B, C, D = (f"8.8.8.{i}" for i in range(4))
NAME = "evil.com"
VALUES = [A, B, C, NAME]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


def withheld(store: Store, **asked) -> dict[str, int]:
    """How many each rule holds back, whatever their type; checked against what enters."""
    admission = Admission(**asked)
    offer = store.offer(ALL, now=NOW, admission=admission)
    assert offer.size == len(travelling(store, admission=admission))
    assert list(offer.withheld) == [rule for rule in ADMISSION_RULES if rule in offer.withheld]
    return {rule: sum(by_type.values()) for rule, by_type in offer.withheld.items()}


def test_an_empty_store_offers_nothing(store: Store) -> None:
    assert store.offer(ALL, now=NOW) == Offer()
    assert store.types(now=NOW) == []
    put(store, A)
    assert store.offer([], now=NOW) == store.offer([DOMAIN], now=NOW) == Offer()


def test_an_offer_is_counted_by_type(store: Store) -> None:
    put(store, A, (B, Context(tlp=Tlp.RED)), NAME, ("x.org", Context(tlp=Tlp.GREEN)))
    offer = store.offer(ALL, now=NOW, admission=Admission(tlp=Tlp.GREEN))
    assert offer == Offer({DOMAIN: 1}, {"p4-tlp": {IPV4: 2, DOMAIN: 1}})
    assert store.offer([IPV4], now=NOW) == Offer({IPV4: 1}, {"p4-tlp": {IPV4: 1}})


def test_permitted_actions_bind_what_is_marked(store: Store) -> None:
    put(
        store,
        A,
        *((v, Context(pap=p)) for v, p in zip((B, C, D), (Pap.GREEN, Pap.AMBER, Pap.RED), strict=True)),
    )
    assert withheld(store) == {}
    for most, entering in (
        (Pap.CLEAR, {A}),
        (Pap.GREEN, {A, B}),
        (Pap.AMBER, {A, B, C}),
        (Pap.RED, {A, B, C, D}),
    ):
        assert travelling(store, admission=Admission(pap=most)) == entering
        assert withheld(store, pap=most) == ({"p5-pap": 4 - len(entering)} if len(entering) < 4 else {})


def test_words_that_look_like_a_marking_are_none(store: Store) -> None:
    put(store, (A, Context(comment='","pap":"RED"')), (B, Context(tags=("pap:RED",))))
    assert withheld(store, pap=Pap.CLEAR) == {}


def test_copies_are_no_sightings_of_our_own(store: Store) -> None:
    put(store, A, B, source="bought")
    put(store, B, C, source="us", own=True)
    assert withheld(store) == {}
    assert travelling(store, admission=Admission(own=True)) == {B, C}
    assert withheld(store, own=True) == {"p18-provenance": 1}


def test_our_own_sighting_must_itself_be_free(store: Store) -> None:
    put(store, A, source="bought")
    put(store, (A, Context(not_before=NOW + DAY)), source="us", own=True)
    assert withheld(store) == {}
    assert withheld(store, own=True) == {"p14-embargo": 1}


def test_a_policy_may_ask_for_fresher_items_than_the_node(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", expiry={IPV4: 30})
    aged = [Context(last_seen=NOW - days * DAY) for days in (31, 11, 10)]
    put(store, *zip((A, B, C), aged, strict=True), (NAME, aged[0]), D)
    assert withheld(store) == {"expired": 1}
    assert withheld(store, max_age_days={IPV4: 10}) == {"expired": 1, "p13-age": 1}
    assert withheld(store, max_age_days={IPV4: 10, DOMAIN: 7}) == {"expired": 1, "p13-age": 2}
    assert travelling(store, admission=Admission(max_age_days={IPV4: 0})) == {D, NAME}
    store.close()


def test_an_import_is_the_age_of_what_was_never_sighted(store: Store) -> None:
    put(store, A, now=NOW - 9 * DAY)
    put(store, B, source="b", now=NOW - 2 * DAY)
    assert travelling(store, admission=Admission(max_age_days={IPV4: 5})) == {B}
    put(store, A, now=NOW - DAY)
    assert travelling(store, admission=Admission(max_age_days={IPV4: 5})) == {A, B}


def test_what_entered_often_enough_enters_no_more(store: Store) -> None:
    put(store, A, now=NOW - 3 * DAY)
    put(store, A, B, now=NOW - DAY)
    put(store, A, C, source="b")
    assert withheld(store, imported_after=NOW - 4 * DAY) == {}
    assert travelling(store, admission=Admission(imported_after=NOW - 3 * DAY)) == {B, C}
    assert travelling(store, admission=Admission(imported_after=NOW - DAY)) == {C}, (
        "another feed adds nothing"
    )
    assert withheld(store, imported_after=NOW) == {"p11-per-value": 3}


def test_types_are_those_that_enter(store: Store) -> None:
    put(store, (A, Context(tlp=Tlp.RED)), NAME, "http://evil.com/x")
    assert store.types(now=NOW) == [DOMAIN, IndicatorType.URL]
    assert store.types(now=NOW, admission=Admission(tlp=Tlp.CLEAR)) == []


def test_what_is_withdrawn_is_neither_in_nor_held_back(store: Store) -> None:
    put(store, A, B)
    put(store, B)
    assert store.offer(ALL, now=NOW, admission=Admission(tlp=Tlp.CLEAR)) == Offer({}, {"p4-tlp": {IPV4: 1}})


def test_what_binds_nothing_costs_nothing(store: Store) -> None:
    """No query over the indicators looks at an observation or a context, unless a rule binds something."""
    put(store, (A, Context(pap=Pap.GREEN, last_seen=NOW)), NAME, own=True)
    asked = Admission(
        pap=Pap.GREEN, own=True, max_age_days={IPV4: 1}, imported_after=NOW - DAY, tlp=Tlp.AMBER
    )
    said: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert store.offer(ALL, now=NOW, admission=asked) == store.offer(ALL, now=NOW)
        assert store.size(ALL, now=NOW, admission=asked) == len(
            store.item_set(ALL, now=NOW, admission=asked).ids
        )
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    over_all = [s for s in said if "indicator.type IN" in s]
    assert len(over_all) == 4
    assert not any("observation" in s or "context" in s for s in over_all)


@dataclass(frozen=True)
class Said:
    """What a feed says of a value, and when it first did."""

    value: str
    context: Context
    first: datetime


@dataclass(frozen=True)
class Told:
    """A feed with all that it says, and whether it is our own."""

    said: tuple[Said, ...]
    own: bool


def bars(said: Said, told: Told, asked: Admission) -> Iterator[str]:
    """Which rules bar an observation, in their order: as ``ADMISSION_RULES`` says it, value by value."""
    context = said.context
    if (context.tlp or Tlp.AMBER) not in asked.tlp.up_to():
        yield "p4-tlp"
    if asked.pap and context.pap and list(Pap).index(context.pap) > list(Pap).index(asked.pap):
        yield "p5-pap"
    if asked.own and not told.own:
        yield "p18-provenance"
    if context.not_before and context.not_before > NOW:
        yield "p14-embargo"
    if context.valid_until and context.valid_until <= NOW:
        yield "expired"
    kind = DOMAIN if said.value == NAME else IPV4
    if kind in asked.max_age_days:
        seen = context.last_seen or max(s.first for s in told.said)
        if seen < NOW - asked.max_age_days[kind] * DAY:
            yield "p13-age"


def verdict(value: str, feeds: list[Told], asked: Admission, blocked: set[str]) -> str:
    """The first rule with which no observation of the value is left; ``""`` if it enters."""
    if value in blocked:
        return "p15-warning-list"
    given = [(said, told) for told in feeds for said in told.said if said.value == value]
    firsts = [next(bars(said, told, asked), "") for said, told in given]
    if "" not in firsts:
        return max(firsts, key=ADMISSION_RULES.index)
    if asked.imported_after and min(said.first for said, _ in given) <= asked.imported_after:
        return "p11-per-value"
    return ""


moments = st.none() | st.sampled_from([-20, -5, 0, 5]).map(lambda days: NOW + days * DAY)
contexts = st.builds(
    Context, tlp=st.none() | st.sampled_from(Tlp), pap=st.none() | st.sampled_from(Pap),
    last_seen=moments, not_before=moments, valid_until=moments,
)  # fmt: skip
said = st.builds(
    Said, st.sampled_from(VALUES), contexts, st.sampled_from([-9, -2]).map(lambda d: NOW + d * DAY)
)
feeds = st.builds(
    Told, st.lists(said, min_size=1, max_size=4, unique_by=lambda s: s.value).map(tuple), st.booleans()
)
admissions = st.builds(
    Admission, tlp=st.sampled_from(Tlp), pap=st.none() | st.sampled_from(Pap), own=st.booleans(),
    max_age_days=st.dictionaries(st.sampled_from([IPV4, DOMAIN]), st.sampled_from([1, 7, 90])),
    imported_after=st.none() | st.sampled_from([-10, -9, -5, -2]).map(lambda d: NOW + d * DAY),
)  # fmt: skip


@given(st.lists(feeds, max_size=3), admissions, st.sets(st.sampled_from(VALUES), max_size=1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_offer_is_what_the_rules_say_value_by_value(
    tmp_path_factory: pytest.TempPathFactory, told: list[Told], asked: Admission, blocked: set[str]
) -> None:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('admission') / 'store.db'}")
    lists = Lists({"on": blocked}, {"on": "block"}, "1")
    for number, feed in enumerate(told):
        moments = sorted({s.first for s in feed.said})
        for moment in moments:
            given = [(s.value, s.context) for s in feed.said if s.first <= moment]
            put(store, *given, source=str(number), own=feed.own, now=moment, lists=lists)
    held = {s.value for feed in told for s in feed.said}
    found = {value: verdict(value, told, asked, blocked) for value in held}
    assert travelling(store, admission=asked) == {value for value, rule in found.items() if not rule}
    offer = store.offer(ALL, now=NOW, admission=asked)
    counted = Counter((rule, DOMAIN if value == NAME else IPV4) for value, rule in found.items())
    assert offer.entered == {kind: n for (rule, kind), n in counted.items() if not rule}
    flat = {(rule, kind): n for rule, by_type in offer.withheld.items() for kind, n in by_type.items()}
    assert flat == {key: n for key, n in counted.items() if key[0]}
    store.close()


def test_a_stricter_admission_never_lets_more_in(store: Store) -> None:
    for number, (tlp, pap, own) in enumerate(product(Tlp, (None, Pap.RED), (True, False))):
        put(store, (f"8.8.8.{number}", Context(tlp=tlp, pap=pap)), source=str(number), own=own)
    ladder = [
        EVERYTHING,
        Admission(tlp=Tlp.AMBER),
        Admission(tlp=Tlp.AMBER, pap=Pap.AMBER),
        Admission(tlp=Tlp.AMBER, pap=Pap.AMBER, own=True),
    ]
    entering = [travelling(store, admission=a) for a in ladder]
    assert [len(e) for e in entering] == [16, 12, 6, 3]
    assert all(looser > stricter for looser, stricter in pairwise(entering))
