"""Rules on what goes in and what comes out: rungs, types, protocols, sizes."""

from collections.abc import Mapping
from datetime import timedelta

from exchange.agreement import OVER, Rung, size_class
from exchange.indicators import PROFILE
from exchange.policy.history import Past
from exchange.policy.request import BANDED, NOISY, Request
from exchange.policy.rule import Case, Objection, Pending, Rule, listed
from exchange.policy.terms import Bounds

CLIMBING = timedelta(hours=24)
"""How old the session of the rung below may be."""
_PEER_SIZE = Pending("the peer's size is known once it answers")
_OUR_SIZE = Pending("our size is looked up once every other rule has passed")


def _profile(case: Case) -> Objection | None:
    profiles, profile = case.terms.profiles, case.request.profile
    if profile in ({PROFILE} if profiles is None else profiles):
        return None
    return Objection(
        f"not under the canonical profile {profile}", listed("profiles", {*(profiles or {PROFILE}), profile})
    )


def _rung(case: Case) -> Objection | None:
    most, rung = case.terms.reveal, case.request.rung
    if most is not None and rung.level <= most.level:
        return None
    allowed = "nothing" if most is None else f"at most {most}"
    return Objection(f"{allowed} may be revealed, not {rung}", f'reveal = "{rung}"')


def _learners(case: Case) -> Objection | None:
    if not (excess := case.request.learners - case.terms.learns):
        return None
    who = " and ".join("we" if learner == "us" else "the peer" for learner in sorted(excess, reverse=True))
    return Objection(
        f"{who} may not learn the result", listed("learns", case.terms.learns | case.request.learners)
    )


def _types(case: Case) -> Objection | None:
    types = case.request.types
    if types and not (excess := set(types) - case.terms.types):
        return None
    if not types:
        return Objection("no types were asked for")
    return Objection(
        f"not of these types: {', '.join(sorted(excess))}", listed("types", case.terms.types | excess)
    )


def _tlp(case: Case) -> Objection | None:
    if case.terms.tlp is not None:
        return None
    return Objection("no ceiling is stated for the markings of what may go in", 'tlp = "AMBER"')


def _protocol(case: Case) -> Objection | None:
    protocol = case.request.protocol
    if protocol in case.terms.protocols:
        return None
    return Objection(
        f"not with the protocol {protocol}", listed("protocols", {*case.terms.protocols, protocol})
    )


def _sum(case: Case) -> Objection | None:
    request = case.request
    if request.rung is not Rung.SUM or not request.sends or request.over in case.terms.sums:
        return None
    return Objection(
        f"we give no sum of {request.over}", listed("sums", {*case.terms.sums, request.over or OVER[0]})
    )


def _bands(case: Case) -> Objection | None:
    if case.request.protocol != BANDED or not case.request.sends or case.terms.bands:
        return None
    return Objection("no bands are stated for a count", "bands = [0, 1, 10, 100, 1000]")


def _noise(case: Case) -> Objection | None:
    if case.request.protocol != NOISY or not case.request.sends:
        return None
    if (noise := case.terms.noise) is None:
        return Objection("no noise is stated for a count", "noise = { epsilon = 1.0, most = 10, days = 30 }")
    spent = sum(past.epsilon_milli for past in case.history.since(case.now - timedelta(days=noise.days)))
    total = (spent + noise.milli) / 1000
    if total <= noise.most:
        return None
    return Objection(
        f"epsilon {spent / 1000:g} was spent in {noise.days} days and would be {total:g}: "
        f"{noise.most:g} is allowed",
        f"noise = {{ epsilon = {noise.epsilon:g}, most = {total:g}, days = {noise.days} }}",
    )


def _context(case: Case) -> Objection | None:
    if case.request.rung is not Rung.CONTEXT or not case.request.sends or case.terms.context is not None:
        return None
    fields = '["confidence", "first_seen", "last_seen", "malware", "techniques", "tlp"]'
    return Objection(
        "nothing is stated that we say about what is shared",
        f"context = {{ fields = {fields}, bytes = 1024 }}",
    )


def _ahead(case: Case) -> Objection | None:
    most, age_s = case.terms.ahead_hours, case.request.ahead_age_s
    if most is None or age_s is None or age_s <= most * 3600:
        return None
    hours = -(-age_s // 3600)
    return Objection(
        f"what was made ahead is {hours:.0f} hours old, {most:g} are allowed", f"ahead_hours = {hours:.0f}"
    )


def _our_size(case: Case) -> Objection | Pending | None:
    if case.request.our_size is None:
        return _OUR_SIZE
    return _size(case.terms.our_size, case.request.our_size, "our_size", "we may not put in")


def _peer_size(case: Case) -> Objection | Pending | None:
    if case.request.peer_size_padded is None:
        return _PEER_SIZE
    return _size(case.terms.peer_size, case.request.peer_size_padded, "peer_size", "the peer may not put in")


def _size(bounds: Bounds | None, n: int, name: str, refusal: str) -> Objection | None:
    if bounds is not None and n in bounds:
        return None
    stated = "no size is stated" if bounds is None else f"{bounds.least} to {bounds.most} are allowed"
    wider = Bounds(n, n) if bounds is None else bounds.widened(n)
    remedy = f"{name} = {{ min = {wider.least}, max = {wider.most} }}"
    return Objection(f"{refusal} {n} items: {stated}", remedy)


def _ratio(case: Case) -> Objection | Pending | None:
    most, ours, theirs = case.terms.size_ratio, case.request.our_size, case.request.peer_size_padded
    if most is None:
        return None
    if ours is None or theirs is None:
        return _OUR_SIZE if ours is None else _PEER_SIZE
    small, large = sorted((size_class(ours), max(theirs, 1)))
    if large <= most * small:
        return None
    return Objection(
        f"the sets are declared as {small} and {large} items: a ratio of {most:g} at most is allowed",
        f"size_ratio = {-(-large // small)}",
    )


def _commitment(case: Case) -> Objection | Pending | None:
    if case.terms.commitment != "required" or case.request.peer_commitment:
        return None
    if case.request.peer_commitment is None:
        return Pending("whether the peer is committed to its set is known once it answers")
    return Objection("the peer is not committed to its set", 'commitment = "optional"')


def _growth(case: Case) -> Objection | Pending | None:
    most, growth = case.terms.growth_per_day, case.request.peer_growth
    if most is None:
        return None
    if growth is None:
        return Pending("how fast the peer's set grew is known once it answers, if it is committed to one")
    if growth <= most:
        return None
    reason = f"the peer's set grew by {growth:.0%} of itself in a day, {most:.0%} are allowed"
    return Objection(reason, f"growth_per_day = {growth!r}")


STEPS: Mapping[Rung, tuple[Rung, ...]] = {
    Rung.SIZE: (),
    Rung.ESTIMATE: (Rung.SIZE,),
    Rung.CARDINALITY: (Rung.SIZE, Rung.ESTIMATE),
    Rung.SUM: (Rung.ESTIMATE, Rung.CARDINALITY),
    Rung.OVERLAP: (Rung.ESTIMATE, Rung.CARDINALITY, Rung.SUM),
    Rung.CONTEXT: (Rung.OVERLAP,),
}
"""From which rungs one climbs to the next: nobody needs a sum before an overlap, or an estimate before a
count."""


def find_below(case: Case) -> Past | None:
    """The newest session of a rung to climb from, with the same types, that ran to its end in 24 hours."""
    request = case.request
    known = case.history.past if request.below is None else (request.below,)
    fitting = [past for past in known if _fits(past, request) and past.began >= case.now - CLIMBING]
    return max(fitting, key=lambda past: past.began, default=None)


def _fits(past: Past, request: Request) -> bool:
    return past.closed and past.rung in STEPS[request.rung] and frozenset(past.types) == {*request.types}


def _climb(case: Case) -> Objection | None:
    rung = case.request.rung
    condition, below = case.terms.climb_if.get(rung), " or ".join(STEPS[rung])
    if not below or not (case.terms.climb or condition):
        return None
    past = find_below(case)
    if past is None:
        return Objection(f"{rung} needs a session of the rung {below} with the same types in 24 hours before")
    if condition is None or (holds := condition.holds(past)):
        return None
    outcome = "its result is not known here" if holds is None else "it was not so"
    return Objection(f"{rung} needs {condition} in the session of {past.rung} before, and {outcome}")


WHAT = (
    Rule("p23-profile", "both sides write indicators in one of these forms", _profile),
    Rule("p8-rung", "no more than this rung of the ladder is revealed", _rung),
    Rule("p8-output", "only these sides learn the result", _learners),
    Rule("p3-types", "only these types of indicators go in", _types),
    Rule("p4-tlp", "a ceiling is stated for the markings of what goes in", _tlp),
    Rule("protocol", "only these protocols are run", _protocol),
    Rule("p8-sum", "we let only these be added up", _sum, ("sums",)),
    Rule("p8-context", "it is stated what we say about what is shared", _context, ("context",)),
    Rule("p10-bands", "a count in bands has bands", _bands, ("bands",)),
    Rule("p10-noise", "a count with noise keeps to its budget", _noise, ("noise",)),
    Rule("p20-ahead", "what was made ahead is not too old", _ahead, ("ahead_hours",)),
)
SIZES = (
    Rule("p7-our-size", "our set is neither too small nor too large", _our_size),
    Rule("p7-peer-size", "the peer's declared set is neither too small nor too large", _peer_size),
    Rule("p7-ratio", "neither set is so many times as large as the other", _ratio, ("size_ratio",)),
    Rule(
        "guard-commitment",
        "the peer is committed to one set, the same for everybody",
        _commitment,
        ("commitment",),
    ),
    Rule("guard-growth", "the peer's set does not grow faster than this", _growth, ("growth_per_day",)),
)
CLIMB = Rule(
    "p8-climb", "the rung below was run before, and its result was so", _climb, ("climb", "climb_if")
)
