"""Every rule on finding together refuses alone, says what would allow it, and looks at nothing of ours."""

import re
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from exchange.aggregation.lots import Parts
from exchange.indicators import IndicatorType
from exchange.ledger import Kind
from exchange.policy import parse
from exchange.policy.discovery import PARTS, RULES, Searching, decide, entering, explain, offered
from exchange.policy.rules import OBJECTS, PASSES
from tests.exchange.policy.cases import NOW, helps_first
from tests.exchange.policy.searching import (
    CASES,
    HOURS,
    OTHER,
    REFUSED,
    ROUND,
    Alone,
    discovered,
    history,
    searching,
)

THREE = Parts(relay="acme", counter="hooli", helpers=("acme", "globex"))
BOTH = (IndicatorType.DOMAIN, IndicatorType.IPV4)


def test_the_usual_discovery_is_allowed() -> None:
    decision = Alone().decision()
    assert decision.allowed
    assert decision.explanation == "allowed: no rule objects to it under [discover]"
    assert Alone({"relays": '["*"]'}).decision().allowed
    assert Alone({"purposes": None}, {"purpose": ""}).decision().allowed


@pytest.mark.parametrize(
    ("n", "threshold", "stated", "least"),
    [(5, 3, None, 4), (5, 4, None, 5), (5, 5, None, 5), (5, 2, "3", 3), (5, 4, "3", 5), (3, 2, None, 3)],
)
def test_so_many_have_to_come(n: int, threshold: int, stated: str | None, least: int) -> None:
    """Left out, two thirds and one more; always one more than must hold an item, where there are so many."""
    lines = {"members": "3", "threshold": "2", "least": stated}
    asked = {"members": ROUND.members[:n], "threshold": threshold, "parts": THREE}
    for minimum in range(max(3, threshold), n + 1):
        decision = Alone(lines | {"relays": '["*"]'}, asked | {"minimum": minimum}).decision()
        assert decision.allowed is (minimum >= least), minimum
        assert decision.allowed or decision.rule == "d6-minimum"


def test_without_a_table_nothing_is_allowed() -> None:
    decision = Alone().decision("version = 1")
    assert (decision.allowed, decision.rule) == (False, "d1-table")
    why, _, block = decision.explanation.partition(". To allow it, write in policy.toml:\n\n")
    assert why.endswith(
        "; [discover] states no purposes, learns, types, tlp, members, threshold, per_day either"
    )
    assert Alone().decision("version = 1\n" + block).allowed


@pytest.mark.parametrize(
    ("rule", "instead"),
    [
        ("d8-per-day", "there is room again after 2026-"),
        ("d7-threshold", "ask with --threshold "),
        ("d6-minimum", "ask with --minimum "),
    ],
)
def test_what_helps_without_opening_the_policy_comes_first(rule: str, instead: str) -> None:
    said = [case.decision().explanation for name, case in CASES if name == rule]
    assert any(helps_first(text, instead) for text in said), said


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[rule for rule, _ in CASES])
def test_each_rule_refuses_alone(rule: str, case: Alone) -> None:
    assert case.decision().rule == rule
    verdicts = explain(parse(case.text()), case.request(), case.history(), NOW)
    assert [v.rule for v in verdicts if v.verdict == OBJECTS] == [rule]
    assert {v.verdict for v in verdicts} == {OBJECTS, PASSES}


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in RULES} == {*REFUSED, "d1-table"}


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[rule for rule, _ in CASES])
def test_what_is_printed_as_a_remedy_allows_it(rule: str, case: Alone) -> None:
    *_, remedy = case.decision().explanation.partition("write in policy.toml:\n\n")
    if not remedy:
        by_dates = {"p2-policy-validity", "p22-suspended", "p22-quarantine", "d1-validity"}
        about_what_is_asked = {"d2-roster", "p23-profile", "d3-purpose", "p16-personal-data", "d6-minimum"}
        assert rule in by_dates | about_what_is_asked
        return
    lines = dict(re.findall(r"^(\w+) = (.*)$", remedy, re.MULTILINE))
    assert decide(parse(searching(**case.lines | lines)), case.request(), case.history(), NOW).allowed


def test_nothing_that_is_asked_depends_on_what_we_hold() -> None:
    """A refusal that did would tell everybody something about our set, again and again."""
    assert {f.name for f in fields(Searching)} == {"of", "us", "roster_epoch", "roster_hash"}


def test_what_goes_in_is_of_the_types_that_are_allowed_and_no_personal_data_without_a_basis() -> None:
    assert entering(parse(searching()), ROUND, NOW).types == BOTH
    for lapsed in (searching(legal_basis=None), searching(basis="valid_until = 2026-02-01")):
        assert entering(parse(lapsed), ROUND, NOW).types == BOTH[:1]
        assert decide(parse(lapsed), Alone().request(), history(), NOW).allowed
    assert entering(parse("version = 1"), ROUND, NOW).types == ()


def test_under_what_it_goes_in() -> None:
    policy = parse(searching(pap='"AMBER"'))
    admission = entering(policy, ROUND, NOW).admission
    assert (str(admission.tlp), str(admission.pap), admission.own) == ("AMBER", "AMBER", False)
    assert entering(policy, replace(ROUND, largest=9), NOW).admission == replace(admission, own=True)


class TestADay:
    """What counts is a discovery in which a batch of ours left, once."""

    def test_an_attempt_in_which_nothing_left_does_not_count(self) -> None:
        for kinds in ((), (Kind.BROKEN,)):
            assert (
                Alone(history=lambda k=kinds: history(*discovered(*k, ago=HOURS, of=OTHER)))
                .decision()
                .allowed
            )

    def test_the_same_discovery_counts_once(self) -> None:
        """Gone on with, begun anew after it failed, or under keys that were announced anew."""
        keyed = replace(ROUND, keys=(b"c" * 64, b"d" * 64), box=b"b" * 32)
        leaves = [
            *discovered(Kind.BROUGHT, Kind.BROKEN, ago=HOURS, of=ROUND),
            *discovered(Kind.BROUGHT, session="d1" * 32, ago=HOURS, of=keyed),
        ]
        assert Alone(history=lambda: history(*leaves)).decision().allowed
        case = Alone({"per_day": "2"}, {"purpose": "another"}, history=lambda: history(*leaves))
        assert replace(case, lines={"per_day": "2", "purposes": '["another"]'}).decision().allowed
        third = [
            *leaves,
            *discovered(Kind.BROUGHT, session="d2" * 32, ago=HOURS, of=replace(ROUND, threshold=4)),
        ]
        lines = {"per_day": "2", "purposes": '["another"]'}
        assert (
            Alone(lines, {"purpose": "another"}, history=lambda: history(*third)).decision().rule
            == "d8-per-day"
        )

    def test_it_has_24_hours(self) -> None:
        day = timedelta(hours=24, microseconds=1)
        assert Alone(history=lambda: history(*discovered(Kind.BROUGHT, ago=day, of=OTHER))).decision().allowed


class TestParts:
    """What this node does in the discoveries of others."""

    @pytest.mark.parametrize("part", ["relay", "counter", "helper"])
    def test_a_part_is_done_where_the_policy_says_so(self, part: str) -> None:
        assert offered(parse(searching(**{part: "true"})), part, NOW).allowed
        refused = offered(parse(searching()), part, NOW)
        assert (refused.allowed, refused.rule) == (False, "d9-part")
        assert refused.explanation.endswith(f"[discover]\n{part} = true")
        assert not offered(parse("version = 1"), part, NOW).allowed

    @pytest.mark.parametrize(
        ("rule", "lines"),
        [
            ("p2-policy-validity", {"top": "valid_until = 2026-02-28"}),
            ("p22-suspended", {"top": "suspended = true"}),
            ("p22-suspended", {"suspended": "true"}),
            ("d1-validity", {"valid_until": "2026-02-28"}),
        ],
    )
    def test_none_while_nothing_runs(self, rule: str, lines: dict[str, str]) -> None:
        assert offered(parse(searching(helper="true", **lines)), "helper", NOW).rule == rule

    def test_each_rule_was_seen(self) -> None:
        assert [rule.id for rule in PARTS] == [
            "p2-policy-validity",
            "p22-suspended",
            "d1-validity",
            "d9-part",
        ]
