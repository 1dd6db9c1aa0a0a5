"""Markings decide: what is written, how it is marked, and whose words go along."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.export.selection import closed
from exchange.indicators import Indicator, IndicatorType, Tlp
from exchange.indicators.context import Context, Pap
from tests.exchange.export.results import NOW, RICH, SINCE, Told, selected

ITEM = Indicator(IndicatorType.IPV4, "8.8.4.4")
LATER = NOW + timedelta(seconds=1)


def one(*said: Told, **how):
    return selected(ITEM, said=[list(said)], **how)


def test_the_most_open_source_marks_and_more_closed_ones_stay_silent() -> None:
    open_, shut = Context(tags=("open",)), Context(tags=("shut",), confidence=99)
    (item,) = one(Told(Tlp.AMBER, shut, own=True), Told(Tlp.GREEN, open_), Told(Tlp.RED, shut)).items
    assert (item.tlp, item.context, item.own) == (Tlp.GREEN, open_, False)


def test_a_floor_closes_and_lets_the_more_closed_speak() -> None:
    said = (Told(Tlp.GREEN, Context(tags=("a",))), Told(Tlp.AMBER, Context(tags=("b",)), own=True))
    (item,) = one(*said, floor=Tlp.AMBER_STRICT).items
    assert (item.tlp, item.context.tags, item.own) == (Tlp.AMBER_STRICT, ("a", "b"), True)
    assert one(*said, floor=Tlp.CLEAR).items[0].tlp is Tlp.GREEN


def test_red_and_embargo_are_left_out_and_counted() -> None:
    embargoed = Told(Tlp.CLEAR, Context(not_before=LATER))
    assert one(Told(Tlp.RED)).left_out == {"tlp": 1}
    assert one(embargoed).left_out == {"embargo": 1}
    assert one(Told(Tlp.RED), embargoed).left_out == {"embargo": 1}
    both = one(embargoed, Told(Tlp.AMBER))
    assert both.left_out == {}
    assert both.items[0].tlp is Tlp.AMBER
    assert one(Told(Tlp.CLEAR, Context(not_before=NOW))).left_out == {}


def test_the_ceiling_leaves_out_what_is_more_closed_and_the_peer() -> None:
    assert one(Told(Tlp.AMBER_STRICT), ceiling=Tlp.AMBER).left_out == {"tlp": 1}
    amber = one(Told(Tlp.GREEN), ceiling=Tlp.AMBER)
    green = one(Told(Tlp.GREEN), ceiling=Tlp.GREEN)
    assert (len(amber.items), amber.about_peer) == (1, Tlp.AMBER)
    assert (len(green.items), green.about_peer) == (1, None)


@pytest.mark.parametrize(
    ("floor", "ceiling"), [(Tlp.CLEAR, Tlp.RED), (Tlp.AMBER, Tlp.GREEN), (Tlp.RED, Tlp.AMBER_STRICT)]
)
def test_impossible_bounds_are_refused(floor: Tlp, ceiling: Tlp) -> None:
    with pytest.raises(ValueError, match="nothing can be marked"):
        one(Told(), floor=floor, ceiling=ceiling)


def test_what_we_hold_no_longer_is_unmarked_and_told_nothing_of() -> None:
    export = one()
    assert export.not_held == 1
    (item,) = export.items
    assert (item.tlp, bool(item.context), item.since, item.own) == (Tlp.AMBER, False, None, False)
    assert one(ceiling=Tlp.GREEN).left_out == {"tlp": 1}
    assert one(ceiling=Tlp.GREEN).not_held == 0


def test_several_say_more_than_one() -> None:
    earlier = RICH.first_seen - timedelta(days=9)
    other = Context(
        pap=Pap.RED, first_seen=earlier, confidence=20, sightings=9, malware=("redline", "zeus"),
        comment="again",
    )  # fmt: skip
    late = Told(Tlp.GREEN, other, first_imported=SINCE + timedelta(days=1))
    (item,) = one(late, Told(Tlp.GREEN, RICH), Told(Tlp.GREEN)).items
    told = item.context
    assert (told.pap, told.first_seen, told.last_seen) == (Pap.RED, earlier, RICH.last_seen)
    assert (told.confidence, told.sightings, told.valid_until) == (80, 9, RICH.valid_until)
    assert told.malware == ("agent tesla", "redline", "zeus")
    assert told.comment == "again; seen in June"
    assert item.since == SINCE
    assert (told.producer, told.tlp, told.not_before) == ("", None, None), "ours to know, not to pass on"


TOLD = st.builds(
    Told,
    st.sampled_from(Tlp),
    st.none() | st.builds(Context, not_before=st.sampled_from((None, NOW, LATER)), tags=st.just(("x",))),
)


@given(
    st.lists(TOLD, max_size=4),
    st.sampled_from(list(Tlp)[:4]),
    st.sampled_from(list(Tlp)[:4]),
)
def test_nothing_is_ever_opened(said: list[Told], floor: Tlp, ceiling: Tlp) -> None:
    """Whatever feeds say: left out, or between floor and ceiling and no more open than some who may speak."""
    if closed(floor) > closed(ceiling):
        return
    export = one(*said, floor=floor, ceiling=ceiling)
    assert len(export.items) + sum(export.left_out.values()) == 1
    may_speak = [
        s for s in said if s.tlp is not Tlp.RED and not (s.context and s.context.not_before == LATER)
    ]
    for item in export.items:
        assert closed(floor) <= closed(item.tlp) <= closed(ceiling)
        assert not said or any(closed(s.tlp) <= closed(item.tlp) for s in may_speak)
    if export.about_peer is not None:
        assert closed(Tlp.AMBER) <= closed(export.about_peer) <= closed(ceiling)
