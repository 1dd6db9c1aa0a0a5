"""Rules on counting together: whose run, why, what, with how many, over which dictionary, how often.

None of them looks at what we hold. Everybody sees whether we join, so that must say nothing about our set.
"""

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime

from exchange.aggregation.budget import Budget, Release, admit
from exchange.aggregation.opening import Measure
from exchange.errors import PolicyRefusal
from exchange.indicators import IndicatorType
from exchange.ledger.runs import DISCOVER, Key
from exchange.policy import alliance
from exchange.policy.budget import DAY
from exchange.policy.convening import Case, Convening, Together, abandons, key_of, meeting
from exchange.policy.model import Policy
from exchange.policy.rule import Objection, Pending, Rule, listed
from exchange.policy.rules import Decision, Verdict, verdicts_of
from exchange.policy.terms import ANYONE
from exchange.policy.together import Aggregate
from exchange.policy.who import in_force, personal_data

__all__ = [
    "RULES",
    "Convening",
    "Together",
    "abandons",
    "decide",
    "explain",
    "key_of",
    "may_convene",
    "meeting",
]

TABLE = "aggregate"
_DICTIONARY = Pending("the dictionary is looked at once every other rule has passed")


def decide(policy: Policy, asked: Convening, history: Together, now: datetime) -> Decision:
    """Decide on a run: allowed only if the policy has a table for it and no rule objects."""
    return alliance.decided(RULES, _case(policy, asked, history, now))


def explain(
    policy: Policy, asked: Convening, history: Together, now: datetime, *, convening: bool = False
) -> tuple[Verdict, ...]:
    """Say what every rule says, in the order in which they are asked; the first that objects decides.

    Where we are ``convening``, those that ``may_convene`` asks.
    """
    rules = _on_convening(asked) if convening else RULES
    return tuple(verdicts_of(rules, _case(policy, asked, history, now), Case.table))


def may_convene(policy: Policy, asked: Convening, history: Together, now: datetime) -> Decision:
    """Decide whether we ask others to join a run: only if we would join it ourselves.

    Where we take no part, nothing of ours goes in: then it is asked whether we may convene anything.
    """
    return alliance.decided(_on_convening(asked), _case(policy, asked, history, now))


def _on_convening(asked: Convening) -> tuple[Rule[Case], ...]:
    return RULES if asked.us in asked.opening.members else RULES[:_ON_CONVENING]


def _case(policy: Policy, asked: Convening, history: Together, now: datetime) -> Case:
    return Case(policy, policy.aggregate or Aggregate(), asked, history, now)


def _stated(case: Case) -> Objection | None:
    if case.policy.aggregate is not None:
        return None
    return Objection("counting together is not allowed at all", listed("coordinators", {_coordinator(case)}))


def _coordinator(case: Case) -> str:
    return case.opening.coordinator


def _convenes(case: Case) -> Objection | None:
    who = _coordinator(case)
    if {who, ANYONE} & case.terms.coordinators:
        return None
    return Objection(f"{who} may not convene us", listed("coordinators", {*case.terms.coordinators, who}))


def _quarantine(case: Case) -> Objection | None:
    if not case.history.quarantined:
        return None
    return alliance.quarantine(_coordinator(case), case.history.quarantined)


def _measure(case: Case) -> Objection | None:
    measure = str(case.opening.measure)
    if measure in case.terms.measures:
        return None
    return Objection(f"{measure} may not be measured", listed("measures", {*case.terms.measures, measure}))


def _types(case: Case) -> Objection | None:
    excess = set(case.opening.types) - case.terms.types
    if not excess:
        return None
    return Objection(
        f"not of these types: {', '.join(sorted(excess))}", listed("types", case.terms.types | excess)
    )


def _minimum(case: Case) -> Objection | None:
    least = case.opening.minimum
    if least >= case.terms.minimum:
        return None
    reason = f"a sum of {least} members may be opened, and at least {case.terms.minimum} are needed"
    return Objection(reason, f"minimum = {least}", instead=f"ask for --minimum {case.terms.minimum}")


def _reporters(case: Case) -> Objection | None:
    k, least = case.opening.reporters, case.terms.reporters
    if least and k >= least:
        return None
    wanted = f"at least {least} are" if least else "it is not stated how many are"
    return Objection(
        f"numbers with {k} reporters behind them are released, and {wanted} needed", f"reporters = {k}",
        instead=f"ask for --reporters {least}" if least else "",
    )  # fmt: skip


def _dominance(case: Case) -> Objection | None:
    most = case.opening.dominance_milli / 1000
    if case.opening.measure is Measure.COUNT or most <= case.terms.dominance:
        return None
    reason = f"one member may stand behind {most:.1%} of a released sum: {case.terms.dominance:.1%} at most"
    return Objection(reason, f"dominance = {most:g}")


def _noise(case: Case) -> Objection | None:
    most, milli = case.terms.epsilon, case.opening.epsilon_milli
    if most is None or 0 < milli <= round(1000 * most):
        return None
    if not milli:
        return Objection(f"the numbers are exact, and noise of at most epsilon {most:g} is needed")
    return Objection(
        f"its noise has an epsilon of {milli / 1000:g}", f"epsilon = {milli / 1000:g}",
        instead=f"ask for --epsilon {most:g}",
    )  # fmt: skip


def _budget(case: Case) -> Objection | None:
    """What noisy numbers may tell of one indicator of ours, in all."""
    opening = case.opening
    if not opening.epsilon_milli:
        return None
    wanted = _release(case.now, opening.epsilon_milli, key_of(opening), opening.types)
    past = [
        _release(datetime.fromisoformat(run.time), run.epsilon_milli, run.key, map(IndicatorType, run.types))
        for run in case.history.runs
        if run.epsilon_milli and not run.harmless
    ]
    try:
        admit(wanted, past, Budget())
    except PolicyRefusal as e:
        return Objection(f"{e}: {e.hint}")
    return None


def _release(at: datetime, epsilon_milli: int, key: Key, types: Iterable[IndicatorType]) -> Release:
    window = (date.fromisoformat(key.first), date.fromisoformat(key.last))
    return Release(
        at=at, epsilon_milli=epsilon_milli, measure=key.measure, types=frozenset(types), window=window
    )


def _visibility(case: Case) -> Objection | None:
    word = str(case.opening.visibility)
    if word in case.terms.visibility:
        return None
    return Objection(
        f"numbers would be shown to: {word}", listed("visibility", {*case.terms.visibility, word})
    )


def _entries(case: Case) -> Objection | Pending | None:
    n, bounds = case.opening.entries, case.terms.dictionary
    if bounds is None or n not in bounds:
        within = "it is not stated how many are" if bounds is None else f"{bounds.least} to {bounds.most} are"
        first, last = (n, n) if bounds is None else (min(bounds.least, n), max(bounds.most, n))
        return Objection(
            f"the dictionary has {n} entries, and {within} allowed",
            f"dictionary = {{ min = {first}, max = {last} }}",
        )
    by_type = case.request.by_type
    if by_type is None:
        return _DICTIONARY
    if set(by_type) != set(case.opening.types) or sum(by_type.values()) != n:
        return Objection("the dictionary is not of the types and the length that the opening states")
    kind, fewest = min(by_type.items(), key=lambda item: (item[1], item[0]))
    if fewest >= case.terms.each_type:
        return None
    reason = f"the dictionary has {fewest} entries of the type {kind}: at least {case.terms.each_type} needed"
    return Objection(reason, f"each_type = {fewest}")


def _repeated(case: Case) -> Objection | Pending | None:
    """Another dictionary, or another purpose, must not make a second count of the same entries."""
    again, n = case.request.repeated, case.opening.entries
    if case.opening.epsilon_milli:  # what those tell together is within the budget
        return None
    if again is None and not meeting(case.opening, case.history.runs):
        return None
    if again is None:
        looked = case.request.by_type is not None
        return Objection("its dictionary was not compared with earlier ones") if looked else _DICTIONARY
    if again <= case.terms.repeated * n:
        return None
    reason = (
        f"{again} of its {n} entries may have been counted before on days of the window; where the members or"
        " what they hold differ, the difference of both counts tells of single ones"
    )
    remedy = f"repeated = {math.ceil(1000 * again / n) / 1000}"
    return Objection(reason, remedy, instead="ask for other days, or for a dictionary without these entries")


def _window(case: Case) -> Objection | None:
    if case.opening.window[1] <= case.now.astimezone(UTC).date():
        return None
    return Objection("the window has days that have not come yet")


def _base(case: Case) -> Objection | Pending | None:
    """A sum goes on from a count of ours, over the entries that its result gives and no others."""
    opening = case.opening
    if opening.measure is Measure.COUNT:
        return None
    base = case.history.runs.joined(opening.base.hex())
    if base is None or not base.counted or base.key.measure != Measure.COUNT:
        return Objection("the count that it goes on from is none that we have finished")
    asked, stray = key_of(opening), case.request.strays
    if base.key[3:] != asked[3:] or base.key.purpose != asked.purpose:
        stray = "another window or purpose"
    if stray:
        return Objection(f"the count that it goes on from had {stray}")
    if case.request.derived is None:
        return _DICTIONARY
    if case.request.derived != opening.dictionary:
        return Objection("its dictionary is not what follows from the count that it goes on from")
    return None


def _once(case: Case) -> Objection | None:
    if case.history.runs.abandoned(case.opening.name):
        return Objection("a run was joined since on the promise to say nothing in this one")
    found = case.history.runs.in_the_way(key_of(case.opening), abandons(case.opening))
    if not found:
        return _unburied(case)
    said = {
        "counted": "was counted",
        "shared": "may have been opened: our shares have left",
        "unfinished": "was begun, and is not among those that the opening abandons",
    }
    one = found[0]
    return Objection(f"the same window {said[one.reason]}, in the run {one.run.session[:16]}")


def _unburied(case: Case) -> Objection | None:
    """An attempt that has our vector must not be opened by those that do not join this one."""
    for session in sorted(abandons(case.opening)):
        run, before = case.history.runs.joined(session), case.request.given_up.get(session)
        if run is None or not run.masked:
            continue
        if before is None or not case.opening.buries(before):
            reason = f"too few of its members took part in the run {session[:16]}: that could still be opened"
            return Objection(reason)
    return None


def _per_day(case: Case) -> Objection | None:
    since = (case.now - DAY).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    runs = (run for run in case.history.runs if run.key.measure != DISCOVER and not run.harmless)
    joined, allowed = [run.time for run in runs if run.time >= since], case.terms.per_day
    if len(joined) < allowed:
        return None
    reason = f"{len(joined)} runs that may tell something were joined in the last 24 hours"
    reason = f"{reason}, {allowed} are allowed"
    return Objection(reason, f"per_day = {len(joined) + 1}", instead=alliance.room(joined, allowed))


RULES: tuple[Rule[Case], ...] = (
    Rule("p2-policy-validity", "the policy is in force on this day", in_force),
    Rule("p22-suspended", "nothing is suspended", alliance.suspended),
    Rule("a1-table", "counting together is allowed at all", _stated),
    Rule("a1-coordinator", "this member may convene us", _convenes),
    Rule("p22-quarantine", "the coordinator is not in quarantine", _quarantine),
    Rule("a1-validity", "the table is in force on this day", alliance.validity),
    Rule("a2-roster", "we are among the members, by the roster in force here", alliance.roster),
    Rule("a3-purpose", "only these purposes are stated", alliance.purpose),
    Rule("p16-personal-data", "personal data go in on a legal basis that holds", personal_data),
    Rule("p23-profile", "under the canonical profile of this version", alliance.profile),
    Rule("a4-measure", "only these measures are taken", _measure),
    Rule("a5-types", "only these types go in", _types),
    Rule("p4-tlp", "a ceiling is stated for the markings of what goes in", alliance.tlp),
    Rule("a6-members", "so many members are asked", alliance.members),
    Rule("a6-minimum", "the sum of so many members is opened, and of no fewer", _minimum),
    Rule("p9-reporters", "so many reporters are behind a released number", _reporters),
    Rule("p9-dominance", "no member is behind more than such a part of a released sum", _dominance),
    Rule("a7-noise", "numbers have noise", _noise, ("epsilon",)),
    Rule("a7-budget", "noisy numbers stay within what may be told of one indicator", _budget),
    Rule("a8-visibility", "numbers are shown to these only", _visibility),
    Rule("a9-window", "the window is over", _window),
    Rule("a10-once", "no window is counted twice", _once),
    Rule("a11-base", "a sum goes on from a count of ours", _base),
    Rule("a12-per-day", "no more than so many runs in 24 hours", _per_day),
    Rule("a13-dictionary", "the dictionary has so many entries, and so many of every type", _entries),
    Rule("a14-repeated", "its entries were not counted before on days of the window", _repeated),
)
"""In the order in which they are asked; ``p`` numbers are those of the compliance catalogue's controls."""
_ON_CONVENING = 1 + [rule.id for rule in RULES].index("a1-coordinator")
"""So many of them, the first ones, look at who convenes and when, not at what goes in."""
