"""Rules on finding together: taking part in a discovery, and doing a part in those of others.

None looks at what we hold: everybody sees whether we take part, so that must say nothing about our set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple

from exchange.aggregation.round import Round, fewest, usual_minimum
from exchange.indicators import IndicatorType
from exchange.ledger.runs import DISCOVER, Runs
from exchange.policy import alliance
from exchange.policy.admission import Admission
from exchange.policy.budget import DAY
from exchange.policy.model import Policy
from exchange.policy.rule import Objection, Rule, listed
from exchange.policy.rules import Decision, Verdict, verdicts_of
from exchange.policy.terms import ANYONE
from exchange.policy.together import Discover
from exchange.policy.who import in_force, personal_among

PERSONAL_RULE, TYPES_RULE = "p16-personal-data", "d5-types"


@dataclass(frozen=True, slots=True, kw_only=True)
class Searching:
    """A discovery in which we are to take part.

    Attributes:
        of: what is asked of whom.
        us: our own id.
        roster_epoch: epoch of the roster in force here.
        roster_hash: its hash, 32 bytes.
    """

    of: Round
    us: str
    roster_epoch: int
    roster_hash: bytes

    @property
    def types(self) -> tuple[IndicatorType, ...]:
        """Types of indicators that are asked for; of ours, what may go in does: see ``entering``."""
        return self.of.types


@dataclass(frozen=True, slots=True)
class Before:
    """What the ledger says.

    Attributes:
        runs: those in which we have counted or searched with others, or meant to.
        quarantined: who of those that have a part in it is in quarantine, and why.
    """

    runs: Runs = field(default_factory=Runs)
    quarantined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """All that a rule may look at: see ``exchange.policy.rule.Case``."""

    policy: Policy
    terms: Discover
    request: Searching
    history: Before
    now: datetime

    table: ClassVar[str] = "discover"

    @property
    def asked(self) -> Round:
        """What is asked."""
        return self.request.of


@dataclass(frozen=True, slots=True)
class Part:
    """A part that we are to do in discoveries of others: ``relay``, ``counter`` or ``helper``."""

    name: str
    types: tuple[IndicatorType, ...] = ()


@dataclass(frozen=True, slots=True)
class Offered:
    """What a rule on such a part may look at."""

    policy: Policy
    terms: Discover
    request: Part
    now: datetime

    table: ClassVar[str] = "discover"


def decide(policy: Policy, asked: Searching, history: Before, now: datetime) -> Decision:
    """Decide whether we take part: only if the policy has a table for it and no rule objects."""
    return alliance.decided(RULES, _case(policy, asked, history, now))


def explain(policy: Policy, asked: Searching, history: Before, now: datetime) -> tuple[Verdict, ...]:
    """Say what every rule says, in the order in which they are asked; the first that objects decides."""
    return tuple(verdicts_of(RULES, _case(policy, asked, history, now), Case.table))


def offered(policy: Policy, part: str, now: datetime) -> Decision:
    """Decide whether we do a part in a discovery of others."""
    return alliance.decided(PARTS, Offered(policy, policy.discover or Discover(), Part(part), now))


class Entering(NamedTuple):
    """What of ours goes in.

    Attributes:
        types: of these types, those that are asked for and allowed.
        admission: under this.
    """

    types: tuple[IndicatorType, ...]
    admission: Admission


def entering(policy: Policy, of: Round, now: datetime) -> Entering:
    """Return what of ours goes in, where ``decide`` lets us take part.

    Whoever asks for all types does not know our policy. So what it does not let in stays out, and refuses
    nothing; personal data too, without a legal basis that holds. Into a strict discovery go our own sightings
    alone: its tables have no room for whose report a copy is of.
    """
    terms = policy.discover or Discover()
    basis = policy.legal_bases.get(terms.legal_basis or "")
    kept = frozenset() if basis is not None and basis.validity.covers(now) else policy.personal_data
    types = tuple(kind for kind in of.types if kind in terms.types - kept)
    admission = terms.admission()
    return Entering(types, replace(admission, own=True) if of.largest else admission)


def _case(policy: Policy, asked: Searching, history: Before, now: datetime) -> Case:
    return Case(policy, policy.discover or Discover(), asked, history, now)


def _stated(case: Case) -> Objection | None:
    if case.policy.discover is not None:
        return None
    return Objection("looking for what many hold is not allowed at all", listed("relays", _passing(case)))


def _passing(case: Case) -> set[str]:
    """Who would see batches, or the order in which they come."""
    return {case.asked.parts.relay, case.asked.parts.counter}


def _relays(case: Case) -> Objection | None:
    strangers = _passing(case) - case.terms.relays
    if not strangers or ANYONE in case.terms.relays:
        return None
    reason = f"{' and '.join(sorted(strangers))} may not relay or count"
    return Objection(reason, listed("relays", case.terms.relays | strangers))


def _quarantine(case: Case) -> Objection | None:
    for member, reason in sorted(case.history.quarantined.items()):
        return alliance.quarantine(member, reason)
    return None


def _purpose(case: Case) -> Objection | None:
    """Object to a purpose that is not stated; where the table states none, none may be."""
    if not case.asked.purpose and not case.terms.purposes:
        return None
    return alliance.purpose(case)


def _allowed(case: Case) -> frozenset[IndicatorType]:
    return case.terms.types.intersection(case.asked.types)


def _personal(case: Case) -> Objection | None:
    """Object where nothing but personal data could go in, and may not."""
    types = _allowed(case)
    return personal_among(case, types) if types <= case.policy.personal_data else None


def _learns(case: Case) -> Objection | None:
    word = str(case.asked.learns)
    if word in case.terms.learns:
        return None
    return Objection(f"what is found would be told: {word}", listed("learns", {*case.terms.learns, word}))


def _types(case: Case) -> Objection | None:
    if _allowed(case):
        return None
    wanted = set(case.asked.types)
    remedy = listed("types", case.terms.types | (wanted & {IndicatorType.DOMAIN} or wanted))
    return Objection("nothing of the types that are asked for may go in", remedy)


def _minimum(case: Case) -> Objection | None:
    """Object to counting the batches of fewer members than we hide among: all see that we came."""
    of, n = case.asked, len(case.asked.members)
    least = max(case.terms.least or usual_minimum(n, of.threshold), fewest(n, of.threshold))
    if of.minimum >= least:
        return None
    reason = f"the batches of {of.minimum} members are counted, and at least {least} of {n} are needed"
    remedy = f"least = {of.minimum}" if of.minimum >= fewest(n, of.threshold) else ""
    return Objection(reason, remedy, instead=f"ask with --minimum {least}" if least <= n else "")


def _threshold(case: Case) -> Objection | None:
    asked, least = case.asked.threshold, case.terms.threshold
    if least and asked >= least:
        return None
    wanted = f"at least {least} are" if least else "it is not stated how many are"
    return Objection(
        f"what {asked} hold is asked, and {wanted} needed", f"threshold = {asked}",
        instead=f"ask with --threshold {least}" if least else "",
    )  # fmt: skip


def _per_day(case: Case) -> Objection | None:
    """Count what told something of us: one discovery once, however often it was begun or gone on with."""
    since = (case.now - DAY).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    runs = (run for run in case.history.runs if run.key.measure == DISCOVER and run.left >= since)
    left = {run.plan: run.left for run in sorted(runs, key=lambda run: run.left)}
    left.pop(case.asked.plan.hex(), None)
    n, allowed = len(left), case.terms.per_day
    if n < allowed:
        return None
    reason = f"a batch of ours left in {n} other discoveries of the last 24 hours, {allowed} are allowed"
    return Objection(reason, f"per_day = {n + 1}", instead=alliance.room(left.values(), allowed))


RULES: tuple[Rule[Case], ...] = (
    Rule("p2-policy-validity", "the policy is in force on this day", in_force),
    Rule("p22-suspended", "nothing is suspended", alliance.suspended),
    Rule("d1-table", "looking for what many hold is allowed at all", _stated),
    Rule("d1-relays", "these members may relay and count", _relays),
    Rule("p22-quarantine", "nobody who has a part is in quarantine", _quarantine),
    Rule("d1-validity", "the table is in force on this day", alliance.validity),
    Rule("d2-roster", "we are among the members, by the roster in force here", alliance.roster),
    Rule("d3-purpose", "only these purposes are stated", _purpose),
    Rule(PERSONAL_RULE, "personal data go in on a legal basis that holds", _personal),
    Rule("p23-profile", "under the canonical profile of this version", alliance.profile),
    Rule("d4-learns", "what is found is told to these only", _learns),
    Rule(TYPES_RULE, "only these types go in", _types),
    Rule("p4-tlp", "a ceiling is stated for the markings of what goes in", alliance.tlp),
    Rule("d6-members", "so many members are asked", alliance.members),
    Rule("d6-minimum", "the batches of so many members are counted, and of no fewer", _minimum),
    Rule("d7-threshold", "what so many hold is asked, and of no fewer", _threshold),
    Rule("d8-per-day", "no more than so many discoveries in 24 hours", _per_day),
)
"""On taking part, in the order in which they are asked."""


def _in_use(case: Offered) -> Objection | None:
    part = case.request.name
    if part in case.terms.parts:
        return None
    return Objection(f"this node may not be a {part}", f"{part} = true")


PARTS: tuple[Rule[Offered], ...] = (
    Rule("p2-policy-validity", "the policy is in force on this day", in_force),
    Rule("p22-suspended", "nothing is suspended", alliance.suspended),
    Rule("d1-validity", "the table is in force on this day", alliance.validity),
    Rule("d9-part", "this node may do the part", _in_use),
)
"""On doing a part in discoveries of others."""
