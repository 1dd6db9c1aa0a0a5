"""The rules, each a small pure object, and the decision: the first rule that objects refuses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from crypto.psi import Output
from exchange.agreement import Rung
from exchange.indicators import IndicatorType
from exchange.policy.terms import Bounds, Policy, Terms

RUNNABLE = frozenset({Rung.SIZE, Rung.OVERLAP})
"""The rungs that this version can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A session that somebody asks for, seen from our side. The initiator is the receiver.

    Attributes:
        peer: the other member.
        direction: our part: ``initiator`` or ``responder``.
        rung: what the receiver would learn.
        types: types of indicators that would go in.
        protocol: name of the protocol.
        output: whether the sender learns the result too.
        our_size: how many items we would put in, before padding; None to ask every other rule first, so that
            a refusal takes no time that depends on our set.
        peer_size_padded: what the peer declares, or None while we do not know.
        purpose: as stated, or ``""``.
    """

    peer: str
    direction: str
    rung: Rung
    types: tuple[IndicatorType, ...]
    protocol: str
    output: Output
    our_size: int | None
    peer_size_padded: int | None
    purpose: str = ""

    @property
    def learners(self) -> frozenset[str]:
        """Who would learn the result: ``us``, ``peer``."""
        receiver = "us" if self.direction == "initiator" else "peer"
        return frozenset({"us", "peer"}) if self.output is Output.BOTH else frozenset({receiver})


@dataclass(frozen=True, slots=True)
class History:
    """What the ledger says about a peer.

    Attributes:
        sessions_last_day: sessions that began in the last 24 hours, whatever became of them.
    """

    sessions_last_day: int = 0


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


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a rule refuses.

    Attributes:
        reason: what is not allowed, in words.
        remedy: the TOML line that would allow it, or ``""`` where none would.
    """

    reason: str
    remedy: str = ""


Check = Callable[[Terms, Request, History, datetime], Objection | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on the terms for a peer.

    Attributes:
        id: stable and kebab-case; in refusals, in the ledger and in reports.
        about: what it holds to, in one line.
        check: objects, or returns None.
    """

    id: str
    about: str
    check: Check


def decide(policy: Policy, request: Request, history: History, now: datetime) -> Decision:
    """Decide on a request: allowed only if there are terms for the peer and no rule objects."""
    if not policy.validity.covers(now):
        days = policy.validity
        return _refusal(
            "p2-policy-validity", Objection(f"the policy is in force {_period(days.first, days.last)}")
        )
    found = policy.terms(request.peer)
    if found is None:
        start = Objection(f"there are no terms for {request.peer}", _terms_for(request))
        return _refusal("p1-peer", start, request.peer)
    name, terms = found
    for rule in RULES:
        if objection := rule.check(terms, request, history, now):
            return _refusal(rule.id, objection, name)
    return Decision(
        allowed=True, rule="allowed", explanation=f"allowed: no rule objects to it under [{_header(name)}]"
    )


def _refusal(rule: str, objection: Objection, name: str = "") -> Decision:
    text = f"refused by {rule}: {objection.reason}"
    if objection.remedy:
        text += f". To allow it, write in policy.toml:\n\n[{_header(name)}]\n{objection.remedy}"
    return Decision(allowed=False, rule=rule, explanation=text)


def _validity(terms: Terms, _r: Request, _h: History, now: datetime) -> Objection | None:
    if terms.validity.covers(now):
        return None
    period = _period(terms.validity.first, terms.validity.last)
    return Objection(f"the terms for this peer are in force {period}; renew valid_from and valid_until")


def _direction(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if request.direction in terms.directions:
        return None
    act = "dial" if request.direction == "initiator" else "answer"
    remedy = _list("directions", {*terms.directions, request.direction})
    return Objection(f"we may not {act} {request.peer} (be the {request.direction})", remedy)


def _rung(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if terms.reveal is not None and request.rung.level <= terms.reveal.level:
        return None
    most = "nothing" if terms.reveal is None else f"at most {terms.reveal}"
    return Objection(f"{most} may be revealed, not {request.rung}", f'reveal = "{request.rung}"')


def _runnable(_t: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if request.rung in RUNNABLE:
        return None
    able = " and ".join(rung for rung in Rung if rung in RUNNABLE)
    return Objection(f"this version of cosight runs {able}, not {request.rung}")


def _learners(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if not (excess := request.learners - terms.learns):
        return None
    who = " and ".join("we" if learner == "us" else "the peer" for learner in sorted(excess, reverse=True))
    return Objection(f"{who} may not learn the result", _list("learns", terms.learns | request.learners))


def _types(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if request.types and not (excess := set(request.types) - terms.types):
        return None
    if not request.types:
        return Objection("no types were asked for")
    remedy = _list("types", terms.types | excess)
    return Objection(f"not of these types: {', '.join(sorted(excess))}", remedy)


def _protocol(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if request.protocol in terms.protocols:
        return None
    remedy = _list("protocols", {*terms.protocols, request.protocol})
    return Objection(f"not with the protocol {request.protocol}", remedy)


def _our_size(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if request.our_size is None:
        return None
    return _size(terms.our_size, request.our_size, "our_size", "we may not put in")


def _peer_size(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if request.peer_size_padded is None:
        return None
    return _size(terms.peer_size, request.peer_size_padded, "peer_size", "the peer may not put in")


def _size(bounds: Bounds | None, n: int, name: str, refusal: str) -> Objection | None:
    if bounds is not None and n in bounds:
        return None
    stated = "no size is stated" if bounds is None else f"{bounds.least} to {bounds.most} are allowed"
    wider = Bounds(n, n) if bounds is None else bounds.widened(n)
    remedy = f"{name} = {{ min = {wider.least}, max = {wider.most} }}"
    return Objection(f"{refusal} {n} items: {stated}", remedy)


def _purpose(terms: Terms, request: Request, _h: History, _now: datetime) -> Objection | None:
    if terms.purposes is None or request.purpose in terms.purposes:
        return None
    if not request.purpose:
        return Objection("a purpose must be stated, one of those under purposes")
    remedy = _list("purposes", {*terms.purposes, request.purpose})
    return Objection("the stated purpose is not among those allowed", remedy)


def _quota(terms: Terms, request: Request, history: History, _now: datetime) -> Objection | None:
    if history.sessions_last_day < terms.sessions_per_day:
        return None
    reason = f"{history.sessions_last_day} sessions with {request.peer} began in the last 24 hours"
    remedy = f"sessions_per_day = {history.sessions_last_day + 1}"
    return Objection(f"{reason}, {terms.sessions_per_day} are allowed", remedy)


RULES = (
    Rule("p2-validity", "the terms for the peer are in force on this day", _validity),
    Rule("p1-direction", "we may dial, or answer, this peer", _direction),
    Rule("p8-rung", "no more than this rung of the ladder is revealed", _rung),
    Rule("rung-available", "this version can run the rung", _runnable),
    Rule("p8-output", "only these sides learn the result", _learners),
    Rule("p3-types", "only these types of indicators go in", _types),
    Rule("protocol", "only these protocols are run", _protocol),
    Rule("p7-our-size", "our set is neither too small nor too large", _our_size),
    Rule("p7-peer-size", "the peer's declared set is neither too small nor too large", _peer_size),
    Rule("purpose", "only these purposes are stated", _purpose),
    Rule("p11-sessions-per-day", "no more than so many sessions in 24 hours", _quota),
)
"""In the order in which they are asked, once ``p2-policy-validity`` and ``p1-peer`` have passed."""


def _terms_for(request: Request) -> str:
    """The narrowest terms that allow a request."""
    lines = [
        _list("directions", {request.direction}),
        f'reveal = "{request.rung}"',
        _list("learns", request.learners),
        _list("types", request.types),
        _list("protocols", {request.protocol}),
        *([] if (n := request.our_size) is None else [f"our_size = {{ min = {n}, max = {n} }}"]),
        *([] if (m := request.peer_size_padded) is None else [f"peer_size = {{ min = {m}, max = {m} }}"]),
        "sessions_per_day = 1",
    ]
    return "\n".join(lines)


def _list(name: str, words: Iterable[str]) -> str:
    """A TOML line; the words are names or a purpose, which holds what TOML needs escaped."""
    quoted = ('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in sorted(map(str, words)))
    return f"{name} = [{', '.join(quoted)}]"


def _header(name: str) -> str:
    return f'peers."{name}"' if name == "*" else f"peers.{name}"


def _period(first: object, last: object) -> str:
    return " ".join(f"{word} {day}" for word, day in (("from", first), ("until", last)) if day is not None)
