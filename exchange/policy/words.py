"""What a policy says, in words: for whoever wrote it, and for whoever has to answer for it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange.agreement import Rung
from exchange.indicators import IndicatorType
from exchange.policy.model import Policy
from exchange.policy.rule import header
from exchange.policy.sweep import IPV4, SLASH_16, YEAR_DAYS, sweep
from exchange.policy.terms import ANYONE, Terms, Validity
from exchange.policy.what import STEPS

SOON = timedelta(days=30)
FEW = 100
"""A peer that declares fewer items asks about single ones."""
_TOLD = {
    Rung.SIZE: {"size"},
    Rung.ESTIMATE: {"size", "estimate"},
    Rung.CARDINALITY: {"size", "cardinality"},
    Rung.SUM: {"size", "cardinality", "sum"},
    Rung.OVERLAP: {"size", "cardinality"},
}
"""What is known after a session of each rung, in the words of conditions."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence on the terms for one peer, or on the policy.

    Attributes:
        peer: whose terms; ``""`` for the policy as a whole.
        about: what it is about, in one word.
        text: the sentence.
    """

    peer: str
    about: str
    text: str


def limits(policy: Policy) -> list[Sentence]:
    """Say what is allowed with each peer, how much it may ask, and how long a sweep takes."""
    return [
        Sentence(name, about, text)
        for name, terms in sorted(policy.peers.items())
        for about, text in _of(name, terms)
    ]


def called(name: str) -> str:
    """A peer in a sentence."""
    return "every other member" if name == ANYONE else name


def in_short(name: str, terms: Terms) -> str:
    """The first thing to say about terms."""
    return next(text for _, text in _of(name, terms))


def _of(name: str, terms: Terms) -> Iterator[tuple[str, str]]:
    who = called(name)
    if not terms.directions or terms.reveal is None or not terms.learns or not terms.types:
        yield "allowed", f"nothing is allowed with {who}"
        return
    acts = {"initiator": "dial", "responder": "answer"}
    dialling = " and ".join(acts[d] for d in sorted(terms.directions))
    learners = " and ".join(
        {"us": "we", "peer": "the peer"}[word] for word in sorted(terms.learns, reverse=True)
    )
    yield "allowed", f"we may {dialling} {who}, up to {terms.reveal}; {learners} may learn a result"
    ceiling = "nothing, for want of tlp" if terms.tlp is None else f"up to TLP {terms.tlp}"
    pap = "" if terms.pap is None else f", up to PAP {terms.pap}"
    own = ", our own sightings alone" if terms.provenance == "own" else ""
    yield "enters", f"{list_of(terms.types)} go in, {ceiling}{pap}{own}"
    sizes = [(text, b) for text, b in (("ours", terms.our_size), ("theirs", terms.peer_size)) if b]
    spans = "; ".join(f"{text} {b.least:,} to {b.most:,} items" for text, b in sizes)
    yield "sizes", f"{spans or 'no sizes are stated'}; protocols {list_of(terms.protocols) or 'none'}"
    yield from _conditions(terms)
    yield from _asking(who, terms)


def _conditions(terms: Terms) -> Iterator[tuple[str, str]]:
    """What else has to hold, as the file states it."""
    stated = terms.content()
    shown = (
        "purposes", "roles", "arrangement", "legal_basis", "region", "profiles", "attribution", "size_ratio",
        "max_age_days", "entries_per_value", "share", "climb", "climb_if", "approval", "ahead_hours",
        "commitment", "growth_per_day", "tell_count", "sums", "bands", "noise", "context", "canaries",
        "on_alarm", "suspended", "attestation",
    )  # fmt: skip
    said = [f"{line} {plainly(stated[line])}" for line in shown if line in stated]
    if said:
        yield "conditions", "; ".join(said)
    if validity := str(terms.validity):
        yield "validity", f"in force {validity}"


def _asking(who: str, terms: Terms) -> Iterator[tuple[str, str]]:
    found = sweep(terms)
    if found is None:
        yield "asks", f"{who} cannot ask about single items of ours"
        return
    product = found.sessions_per_day * found.per_session
    tighter = "" if found.per_day == product else f", of which {found.per_day:,} are allowed"
    sessions = f"{found.sessions_per_day:,} sessions x {found.per_session:,}"
    asks = f"{who} may ask {sessions} = {product:,} values a day at most{tighter}"
    yield "asks", f"{asks}; {found.per_year:,} in a year"
    if found.asked > 100:  # noqa: PLR2004
        yield "cheats", f"a cheating peer asks up to {found.asked} values with 100 that it declares"
    if IndicatorType.IPV4 not in terms.types:
        yield "sweep", "no IPv4 address goes in: there is nothing to sweep"
        return
    whole, part = found.days(IPV4), found.days(SLASH_16)
    if whole is None or part is None:
        yield "sweep", "nothing can be swept"
        return
    in_days = "1 day" if part == 1 else f"{part:,} days"
    yield (
        "sweep",
        f"sweeping all of IPv4 takes at least {whole:,} days ({years(whole)}); a /16 is swept in {in_days}",
    )


def years(days: int) -> str:
    """A number of days as years."""
    count = days / YEAR_DAYS
    return f"{count:,.1f} years" if count < FEW else f"{count:,.0f} years"


def warnings(policy: Policy, now: datetime) -> list[Sentence]:
    """Say what is allowed by the policy and yet deserves a second look."""
    found = [Sentence("", "validity", text) for text in ending("the policy", policy.validity, now)]
    if policy.iep is not None:
        found += [Sentence("", "validity", t) for t in ending("its IEP", policy.iep.validity, now)]
    if policy.suspended:
        found.append(Sentence("", "suspended", "everything is suspended"))
    for name, terms in sorted(policy.peers.items()):
        found += [Sentence(name, about, text) for about, text in _doubts(policy, name, terms, now)]
    return found


def _doubts(policy: Policy, name: str, terms: Terms, now: datetime) -> Iterator[tuple[str, str]]:
    table = f"[{header(name)}]"
    for text in ending(table, terms.validity, now):
        yield "validity", text
    if terms.legal_basis is not None:
        basis = policy.legal_bases[terms.legal_basis]
        for text in ending(f"the legal basis {terms.legal_basis}", basis.validity, now):
            yield "legal-basis", text
        if basis.basis == "cisa-2015" and basis.validity.last is None:
            yield (
                "legal-basis",
                f"{terms.legal_basis} states no valid_until, and its statute is limited in time",
            )
    if terms.arrangement is not None:
        arrangement = policy.arrangements[terms.arrangement]
        for text in ending(f"the arrangement {terms.arrangement}", arrangement.validity, now):
            yield "arrangement", text
    if terms.tlp is None:
        yield "refused", f"{table} states no tlp: every session is refused"
    if terms.legal_basis is None and (personal := policy.personal_data & terms.types):
        yield "refused", f"{table} states no legal_basis: sessions with {list_of(personal)} are refused"
    yield from _asks_too_much(table, terms)
    yield from _never(table, terms)


def _asks_too_much(table: str, terms: Terms) -> Iterator[tuple[str, str]]:
    found = sweep(terms)
    if found is None:
        return
    if terms.values_per_day is None and terms.values_per_year is None:
        yield (
            "quota",
            f"{table} states no values_per_day and no values_per_year: sessions alone limit guesses",
        )
    if terms.share is None:
        yield "share", f"{table} states no share: the peer may learn of all our set in time"
    if terms.peer_size is not None and terms.peer_size.least < FEW:
        yield "few", f"{table} lets the peer declare {terms.peer_size.least} items: it asks about single ones"
    days = found.days(IPV4)
    if IndicatorType.IPV4 in terms.types and days is not None and days < YEAR_DAYS:
        yield "sweep", f"{table} lets the peer sweep all of IPv4 in {days} days: less than a year"


def _never(table: str, terms: Terms) -> Iterator[tuple[str, str]]:
    """What can never be fulfilled."""
    if terms.attestation:
        yield "refused", f"{table} asks for attestation, which this version cannot: every session is refused"
    for rung, condition in terms.climb_if.items():
        if not any(condition.word in _TOLD[below] for below in STEPS[rung]):
            below = " or ".join(STEPS[rung])
            yield "climb", f"{table} never allows {rung}: a session of {below} tells no {condition.word}"


def ending(what: str, validity: Validity, now: datetime) -> Iterator[str]:
    """Say that something is not in force, or not for long."""
    if not validity.covers(now):
        yield f"{what} is not in force now: {validity}"
    elif not validity.covers(now + SOON):
        yield f"{what} ends within 30 days: {validity}"


def list_of(words: Iterable[str]) -> str:
    """Words in alphabetical order."""
    return ", ".join(sorted(words))


def plainly(value: object) -> str:
    """A value of the file in a sentence."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plainly(v)}" for key, v in value.items())
    if isinstance(value, list):
        numbers = all(isinstance(one, int) for one in value)
        return (", " if numbers else " or ").join(map(str, value))
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)
