"""Every rule on counting together refuses alone, says what would allow it, and looks at nothing of ours."""

import re
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from exchange.ledger import Kind
from exchange.policy import parse
from exchange.policy.aggregation import RULES, Convening, decide, explain, key_of, may_convene
from exchange.policy.rules import OBJECTS, PASSES, PENDING, UNSTATED
from tests.exchange.aggregation.openings import OPENING, opening
from tests.exchange.policy.cases import NOW, helps_first
from tests.exchange.policy.together import (
    ADDING,
    BASE,
    CASES,
    DONE,
    MASKED,
    REFUSED,
    SUMMING,
    Alone,
    before,
    entry,
    history,
    joined,
    together,
)

HOUR = timedelta(hours=1)


def test_the_usual_run_is_allowed() -> None:
    decision = Alone().decision()
    assert decision.allowed
    assert decision.explanation == "allowed: no rule objects to it under [aggregate]"
    assert Alone({"coordinators": '["*"]'}).decision().allowed
    assert Alone({"epsilon": "1"}, {"slots": 1, "epsilon_milli": 1000}).decision().allowed


def test_a_sum_over_what_follows_from_a_count_is_allowed() -> None:
    assert before(joined(), *DONE, lines=SUMMING, **ADDING).decision().allowed


def test_a_failed_attempt_may_be_repeated_where_it_is_abandoned() -> None:
    assert before(joined(), abandons=(BASE,)).decision().allowed


def test_one_that_was_masked_may_be_repeated_by_enough_of_its_members() -> None:
    asked = {"given_up": {BASE.hex(): OPENING}}
    assert before(joined(), MASKED, asked=asked, abandons=(BASE,)).decision().allowed


def test_whoever_asks_would_have_to_join() -> None:
    """And a coordinator that takes no part has to be one by its own policy, and no more."""
    for rule, case in CASES:
        said = may_convene(parse(case.text()), case.request(), case.history(), case.now)
        outside = case.request().us not in case.opening.get("members", OPENING.members)
        assert said == case.decision() or outside, rule
    alone = replace(Alone().request(), us="host", opening=opening(coordinator="host"))
    for coordinators, rule in (('["host"]', "allowed"), ('["umbra"]', "a1-coordinator")):
        policy = parse(together(coordinators=coordinators, per_day=None, measures=None))
        assert may_convene(policy, alone, history(), NOW).rule == rule
    assert may_convene(parse("version = 1"), alone, history(), NOW).rule == "a1-table"


def test_an_attempt_that_ended_before_anything_left_does_not_spend_the_day() -> None:
    given_up = (joined(purpose="another", ago=HOUR), entry(Kind.BROKEN, BASE.hex(), HOUR))
    assert Alone(history=lambda: history(*given_up)).decision().allowed
    opened = (given_up[0], entry(Kind.MASKED, BASE.hex(), HOUR), given_up[1])
    spent = Alone(history=lambda: history(*opened), asked={"repeated": 0}).decision()
    assert spent.rule == "a12-per-day"


def test_without_a_table_nothing_is_allowed() -> None:
    """And what is shown can be pasted: it allows what was asked, at once."""
    decision = Alone().decision("version = 1")
    assert (decision.allowed, decision.rule) == (False, "a1-table")
    why, _, block = decision.explanation.partition(". To allow it, write in policy.toml:\n\n")
    assert why.endswith("; [aggregate] states no purposes, legal_basis, measures, types, tlp, members, "
                        "reporters, visibility, per_day, dictionary either")  # fmt: skip
    assert Alone().decision("version = 1\n" + block).allowed


def test_all_lines_that_are_wanting_are_named_at_once_and_no_others() -> None:
    """A number that is too high is another matter: it is named when its turn comes."""
    case = Alone({"measures": None, "tlp": None, "members": "6"})
    decision = case.decision()
    assert decision.rule == "a4-measure"
    assert decision.explanation.endswith(
        "; [aggregate] states no tlp either. To allow it, write in policy.toml:\n\n"
        '[aggregate]\nmeasures = ["count"]\ntlp = "AMBER"'
    )


@pytest.mark.parametrize(
    ("rule", "instead"),
    [
        ("a14-repeated", "ask for other days, or for a dictionary without these entries"),
        ("a12-per-day", "there is room again after 2026-03-01 "),
        ("a6-minimum", "ask for --minimum "),
        ("p9-reporters", "ask for --reporters "),
    ],
)
def test_what_helps_without_opening_the_policy_comes_first(rule: str, instead: str) -> None:
    said = [case.decision().explanation for name, case in CASES if name == rule]
    assert any(helps_first(text, instead) for text in said), said


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[rule for rule, _ in CASES])
def test_each_rule_refuses_alone(rule: str, case: Alone) -> None:
    assert case.decision().rule == rule
    verdicts = explain(parse(case.text()), case.request(), case.history(), case.now)
    assert [v.rule for v in verdicts if v.verdict == OBJECTS] == [rule]
    assert {v.verdict for v in verdicts} <= {OBJECTS, PASSES, UNSTATED}


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in RULES} == {*REFUSED, "a1-table"}


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[rule for rule, _ in CASES])
def test_what_is_printed_as_a_remedy_allows_it(rule: str, case: Alone) -> None:
    *_, remedy = case.decision().explanation.partition("write in policy.toml:\n\n")
    if not remedy:
        by_dates = {
            "p2-policy-validity",
            "p22-suspended",
            "p22-quarantine",
            "a1-validity",
            "p16-personal-data",
        }
        about_the_run = {
            "a2-roster",
            "p23-profile",
            "a7-noise",
            "a7-budget",
            "a9-window",
            "a10-once",
            "a11-base",
            "a13-dictionary",
            "a14-repeated",
        }
        assert rule in by_dates | about_the_run
        return
    lines = dict(re.findall(r"^(\w+) = (.*)$", remedy, re.MULTILINE))
    lines = {name: value for name, value in lines.items() if name not in {"basis", "balancing_test"}}
    if rule == "p16-personal-data":
        lines["legal_basis"] = '"security"'
    assert decide(parse(together(**case.lines | lines)), case.request(), case.history(), case.now).allowed


def test_while_the_dictionary_is_not_there_it_is_not_judged() -> None:
    case = before(joined(), *DONE, lines=SUMMING, **ADDING)
    request = replace(case.request(), by_type=None, derived=None, repeated=None)
    said = explain(parse(case.text()), request, case.history(), NOW)
    assert {v.rule for v in said if v.verdict == PENDING} == {"a11-base", "a13-dictionary"}
    assert decide(parse(case.text()), request, case.history(), NOW).allowed


def test_where_entries_could_have_been_counted_before_that_is_looked_at() -> None:
    case = before(joined(purpose="another"), *DONE)
    unseen = replace(case.request(), by_type=None, repeated=None)
    said = explain(parse(case.text()), unseen, case.history(), NOW)
    assert {v.rule for v in said if v.verdict == PENDING} == {"a13-dictionary", "a14-repeated"}
    assert (
        before(joined(purpose="another"), *DONE, asked={"repeated": 2500}, lines={"repeated": "0.5"})
        .decision()
        .allowed
    )


def test_nothing_that_is_asked_depends_on_what_we_hold() -> None:
    """A refusal that did would tell the coordinator something about our set, adaptively and without noise."""
    assert {f.name for f in fields(Convening)} == {
        "opening", "us", "roster_epoch", "roster_hash", "by_type", "derived", "repeated", "strays",
        "given_up",
    }  # fmt: skip


def test_a_day_has_24_hours() -> None:
    old = Alone(history=lambda: history(joined(ago=timedelta(hours=24, microseconds=1), purpose="another")))
    assert old.decision().allowed


def test_the_key_is_the_one_of_the_ledger() -> None:
    assert key_of(OPENING).overlaps(key_of(opening(members=OPENING.members[:4])))
    assert not key_of(OPENING).overlaps(key_of(opening(dictionary=b"x" * 32)))
