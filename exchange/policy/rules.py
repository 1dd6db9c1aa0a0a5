"""The decision: the first rule that objects refuses. And why: what every rule says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exchange.policy.admission import Admission
from exchange.policy.budget import BUDGET, admission
from exchange.policy.history import History
from exchange.policy.model import Policy
from exchange.policy.request import Request
from exchange.policy.rule import C, Case, Objection, Pending, Rule, header
from exchange.policy.terms import Terms
from exchange.policy.what import CLIMB, SIZES, WHAT
from exchange.policy.who import APPROVAL, WHO

ALLOWED = "allowed"
PASSES, OBJECTS, PENDING, UNSTATED, ITEMS = "passes", "objects", "not known yet", "not stated", "item by item"
"""What a rule can say in an explanation."""

RULES: tuple[Rule[Case], ...] = (*WHO, *WHAT, *SIZES, *BUDGET, CLIMB, APPROVAL)
"""In the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a request.

    Attributes:
        allowed: whether the session may run.
        rule: id of the rule that refused, or ``allowed``.
        explanation: for our own operator; never for the peer.
    """

    allowed: bool
    rule: str
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule says about a request.

    Attributes:
        rule: its id.
        about: what it holds to.
        verdict: ``passes``, ``objects``; ``not known yet`` where what it needs is not; ``not stated`` where
            the policy asks nothing of the kind; ``item by item`` where it decides on each item of ours.
        reason: why, where it does not simply pass.
        remedy: what to write in the policy, or ``""``.
    """

    rule: str
    about: str
    verdict: str
    reason: str = ""
    remedy: str = ""


class Explained(NamedTuple):
    """A decision, and what every rule says, in the order in which they are asked."""

    decision: Decision
    verdicts: tuple[Verdict, ...]


def decide(policy: Policy, request: Request, history: History, now: datetime) -> Decision:
    """Decide on a request: allowed only if there are terms for the peer and no rule objects."""
    case = _case(policy, request, history, now)
    return by_rules(RULES, case, header(case.name or request.peer))


def explain(policy: Policy, request: Request, history: History, now: datetime) -> tuple[Verdict, ...]:
    """Say what every rule says, in the order in which they are asked; the first that objects decides.

    The rules that decide item by item follow, with what they let in.
    """
    case = _case(policy, request, history, now)
    verdicts = verdicts_of(RULES, case, header(case.name or request.peer))
    return (*verdicts, *_by_item(case.terms, admission(case.terms, history, now)))


def _case(policy: Policy, request: Request, history: History, now: datetime) -> Case:
    name, terms = policy.terms(request.peer) or ("", Terms())
    return Case(policy, name, terms, request, history, now)


def by_rules(rules: Iterable[Rule[C]], case: C, table: str) -> Decision:
    """Decide by rules, the terms being in this table: the first that objects refuses."""
    for rule in rules:
        said = rule.check(case)
        if isinstance(said, Objection):
            return refusal(rule.id, said, table)
    explanation = f"allowed: no rule objects to it under [{table}]"
    return Decision(allowed=True, rule=ALLOWED, explanation=explanation)


def verdicts_of(rules: Iterable[Rule[C]], case: C, table: str) -> list[Verdict]:
    """Return what every rule says."""
    return [Verdict(rule=rule.id, about=rule.about, **_said(rule, case, table)) for rule in rules]


def refusal(rule: str, objection: Objection, table: str) -> Decision:
    """The refusal by a rule, with what to write into this table to allow it."""
    text = f"refused by {rule}: {objection.words}"
    if lines := objection.lines(table):
        anyway = " all the same" if objection.instead else ""
        text += f". To allow it{anyway}, write in policy.toml:\n\n{lines}"
    return Decision(allowed=False, rule=rule, explanation=text)


def _said(rule: Rule[C], case: C, table: str) -> Mapping[str, str]:
    answer = rule.check(case)
    if isinstance(answer, Pending):
        return {"verdict": PENDING, "reason": answer.reason}
    if isinstance(answer, Objection):
        return {"verdict": OBJECTS, "reason": answer.words, "remedy": answer.lines(table)}
    return {"verdict": PASSES if rule.is_stated(case) else UNSTATED}


def _by_item(terms: Terms, admitted: Admission) -> list[Verdict]:
    """What the rules let in that the store applies to each item."""
    repeats, ages = terms.entries_per_value, sorted(set(admitted.max_age_days.values()))
    spent = (
        "none has yet" if admitted.imported_after is None else f"since {admitted.imported_after:%F %T} UTC"
    )
    lines = {
        "p15-warning-list": ("what is on a warning list that blocks stays out", "always"),
        "p4-tlp": ("nothing more closed than the ceiling goes in", f"up to {admitted.tlp}, RED never"),
        "p5-pap": (
            "nothing more closed for actions goes in",
            f"up to {admitted.pap}, and what is not marked" if admitted.pap else "no ceiling is stated",
        ),
        "p18-provenance": ("copies from others stay out", "our own alone" if admitted.own else "any source"),
        "p14-embargo": ("what is under embargo stays out", "always"),
        "expired": ("what has expired stays out", "always"),
        "p13-age": ("what was not seen for so long stays out", _days(ages)),
        "p11-per-value": (
            "a value goes in only so often",
            f"{repeats.most} times in {repeats.days} days; {spent}" if repeats else "no limit is stated",
        ),
    }
    return [
        Verdict(rule=rule, about=about, verdict=ITEMS, reason=reason)
        for rule, (about, reason) in lines.items()
    ]


def _days(ages: list[int]) -> str:
    if not ages:
        return "no limit is stated"
    return f"{ages[0]} days" if len(ages) == 1 else f"{ages[0]} to {ages[-1]} days, by type"
