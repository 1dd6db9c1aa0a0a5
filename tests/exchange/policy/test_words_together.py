"""What a policy says in words about counting and finding together, and what of it deserves a second look."""

import pytest

from exchange.policy import Aggregate, Discover, Policy, doubts, parse, with_all
from tests.exchange.policy.cases import NOW
from tests.exchange.policy.full import FULL_POLICY
from tests.exchange.policy.searching import USUAL as FINDING
from tests.exchange.policy.searching import Alone as Finding
from tests.exchange.policy.searching import searching
from tests.exchange.policy.together import USUAL as COUNTING
from tests.exchange.policy.together import Alone as Counting
from tests.exchange.policy.together import together


def said(policy: Policy, about: str) -> list[str]:
    return [s.text for s in with_all(policy) if s.about == about]


def looks(**lines: str | None) -> list[str]:
    return [s.text for s in doubts(parse(together(**lines)), NOW)]


def test_what_may_be_counted() -> None:
    assert said(FULL_POLICY, "aggregate") == [
        "globex, umbra may convene us to measure count, sightings, 2 times a day at most, for: weekly count",
        "at least 5 members, no sum of fewer than 4 of them, no number with fewer than 3 reporters behind it",
        "dictionaries: 1,000 to 100,000 entries, at least 100 of each type in it",
        "of a dictionary, 25% may have been counted before on the same days",
        "no member behind more than 50% of a released sum",
        "only with noise, epsilon 1 at most",
        "released numbers may be shown to: everyone, reporters",
        "email go in, up to TLP GREEN, up to PAP AMBER, our own sightings alone",
        "legal_basis security; max_age_days email 30; suspended yes",
        "in force from 2026-02-01 until 2026-06-30",
    ]


def test_what_may_be_found() -> None:
    assert said(FULL_POLICY, "discover")[:6] == [
        "what at least 4 of at least 5 members hold may be found, 2 times a day at most, for: weekly search",
        (
            "nothing is counted before 5 of the members have brought a batch,"
            " one more than must hold it where there are so many"
        ),
        "every member may relay and count",
        "what is found is learned: individual",
        "this node may be drawn as counter, helper, relay",
        "as a helper it answers 1.5 times what a member declares, and no more",
    ]


def test_what_states_nothing_allows_nothing() -> None:
    empty = Policy(aggregate=Aggregate(), discover=Discover())
    wants = {
        "aggregate": "coordinators, purposes, measures, types, tlp, members, reporters, dictionary",
        "discover": "relays, types, tlp, members, threshold, learns",
    }
    assert said(empty, "aggregate")[:2] == [
        f"nothing may be counted together, for want of {wants['aggregate']}, visibility, per_day",
        "no sum of fewer than 3 of them",
    ]
    many = "nothing is counted before more than two thirds of the members have brought a batch"
    assert said(empty, "discover")[:3] == [
        f"nothing may be looked for together, for want of {wants['discover']}, per_day",
        f"{many}, one more than must hold it where there are so many",
        "this node serves no part of it",
    ]
    assert with_all(Policy()) == doubts(Policy(), NOW) == []


@pytest.mark.parametrize(
    ("lines", "about"),
    [
        ({"repeated": "0.01"}, "subtracted from one another"),
        ({"dictionary": "{ min = 99, max = 9999 }"}, "a dictionary of 99 entries"),
        ({"measures": '["sightings"]', "reporters": "3"}, "can work out the others'"),
        ({"tlp": None}, "states no tlp"),
        ({"legal_basis": None}, "states no legal_basis: runs with ipv4"),
        ({"members": None}, "states no members"),
        ({"valid_until": "2026-03-05"}, "ends within 30 days"),
        ({"valid_until": "2026-02-05"}, "is not in force now"),
    ],
)
def test_what_deserves_a_second_look(lines: dict[str, str | None], about: str) -> None:
    assert looks() == []
    (found,) = looks(**lines)
    assert found.startswith("[aggregate] ")
    assert about in found


def test_sums_of_four_need_no_second_look() -> None:
    assert looks(measures='["sightings"]', reporters="4", members="5") == []


@pytest.mark.parametrize(
    ("lines", "about"),
    [
        ({"tlp": None, "learns": None}, "states no tlp, learns: every run is refused"),
        ({"legal_basis": None}, "states no legal_basis: ipv4 stay out"),
        ({"threshold": "2"}, "a threshold of 2"),
        ({"least": "3"}, "the batches of 3 members be counted, of 5 or more"),
        ({"valid_until": "2026-03-05"}, "ends within 30 days"),
    ],
)
def test_discoveries_are_looked_at_too(lines: dict[str, str | None], about: str) -> None:
    assert doubts(parse(searching()), NOW) == []
    (found,) = [s.text for s in doubts(parse(searching(**lines)), NOW)]
    assert found.startswith("[discover] ")
    assert about in found


def test_without_a_purpose_is_said_too() -> None:
    (first, *_) = said(parse(searching(purposes=None)), "discover")
    assert first.endswith("may be found, 1 times a day at most, where no purpose is stated")


def test_what_a_table_lacks_is_what_is_refused_for_want_of_it() -> None:
    """Whatever is left out of a policy that allows something: it lacks it, or it is still allowed."""
    for text, usual, case in ((together, COUNTING, Counting()), (searching, FINDING, Finding())):
        assert {line for line in usual if not case.decision(text(**{line: None})).allowed} == {
            line for line in usual if lacking(parse(text(**{line: None})))
        } | ({"legal_basis"} if usual is COUNTING else {"purposes"})


def lacking(policy: Policy) -> list[str]:
    table = policy.aggregate or policy.discover
    assert table is not None
    return table.lacks
