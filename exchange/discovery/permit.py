"""Whether our policy lets us take part in a discovery, and with what of ours. Default deny, pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from exchange.aggregation.lots import Parts
from exchange.aggregation.round import Learns
from exchange.discovery.office import may_relay
from exchange.errors import PolicyRefusal
from exchange.indicators import IndicatorType
from exchange.policy import Admission, Discover, Policy

RULES = (
    "d0-table",
    "d1-validity",
    "d2-suspended",
    "d3-relays",
    "p22-quarantine",
    "d4-members",
    "d5-threshold",
    "d6-learns",
    "d7-purposes",
    "d8-tlp",
    "d9-types",
    "d10-per-day",
)
"""In the order in which they are asked."""
_TABLE = "write in policy.toml under [discover]: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Under what we take part.

    Attributes:
        types: the types of which ours may enter, of those that are asked for.
        admission: what of these may enter.
        quota: how many times its declared size a member may ask us as a key helper.
    """

    types: tuple[IndicatorType, ...]
    admission: Admission
    quota: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What our policy is asked.

    Attributes:
        types: of indicators.
        threshold: how many members must hold what is found.
        purpose: why, or ``""``.
        learns: who would learn it.
        members: how many are on the roster.
        parts: who does what.
        joined: when we joined earlier discoveries, UTC.
        quarantined: those who have a part and are in quarantine.
    """

    types: tuple[IndicatorType, ...]
    threshold: int
    purpose: str
    learns: Learns
    members: int
    parts: Parts
    joined: Collection[datetime] = ()
    quarantined: Collection[str] = ()


def decide(policy: Policy, asked: Asked, now: datetime) -> Permit:
    """Decide whether we take part.

    Raises:
        PolicyRefusal: the policy does not allow it; the code is ``policy-refused``, the text names the rule.
    """
    terms = policy.discover
    if terms is None:
        raise _refusal(RULES[0], "there is no table [discover]", "policy.toml has to say what is allowed")
    for rule, reason, remedy in _objections(policy, terms, asked, now):
        raise _refusal(rule, reason, remedy and _TABLE + remedy)
    types = tuple(t for t in asked.types if t in _types(policy, terms, now))
    return Permit(types=types, admission=terms.admission(), quota=terms.quota)


def _objections(policy: Policy, terms: Discover, asked: Asked, now: datetime) -> list[tuple[str, str, str]]:
    """The rule, the reason and the remedy of everything that stands against it, in the order of the rules."""
    parts, day = asked.parts, sum((now - joined).total_seconds() < 86_400 for joined in asked.joined)  # noqa: PLR2004
    strangers = sorted({m for m in (parts.relay, parts.counter) if not may_relay(terms, m)})
    in_force = policy.validity.covers(now) and terms.validity.covers(now)
    checks = [
        (in_force, "the policy is not in force", ""),
        (
            not (policy.suspended or terms.suspended),
            "everything is suspended",
            "suspended = false",
        ),
        (
            not strangers,
            f"{' and '.join(strangers)} may not relay or count",
            f"relays = {strangers}",
        ),
        (
            not asked.quarantined,
            f"{' and '.join(sorted(asked.quarantined))} is in quarantine",
            "",
        ),
        (
            asked.members >= terms.members > 0,
            f"there are {asked.members} members",
            f"members = {asked.members}",
        ),
        (
            asked.threshold >= terms.threshold > 0,
            f"the threshold is {asked.threshold}",
            f"threshold = {asked.threshold}",
        ),
        (
            str(asked.learns) in terms.learns,
            f"the outcome would be {asked.learns}",
            f'learns = ["{asked.learns}"]',
        ),
        (
            asked.purpose in (terms.purposes or {""}),
            "the purpose is not one of those allowed",
            f'purposes = ["{asked.purpose}"]',
        ),
        (terms.tlp is not None, "no marking is allowed to enter", 'tlp = "GREEN"'),
        (
            bool(set(asked.types) & _types(policy, terms, now)),
            "nothing of the types that are asked for may enter",
            "types = [...], and legal_basis for personal data",
        ),
        (
            day < terms.per_day,
            f"{day} discoveries were joined within 24 hours",
            f"per_day = {day + 1}",
        ),
    ]
    return [
        (rule, reason, remedy)
        for rule, (holds, reason, remedy) in zip(RULES[1:], checks, strict=True)
        if not holds
    ]


def _types(policy: Policy, terms: Discover, now: datetime) -> frozenset[IndicatorType]:
    """The types that may enter: personal data only on a legal basis that holds."""
    basis = policy.legal_bases.get(terms.legal_basis or "")
    holds = basis is not None and basis.validity.covers(now)
    return terms.types if holds else terms.types - policy.personal_data


def _refusal(rule: str, reason: str, hint: str) -> PolicyRefusal:
    return PolicyRefusal(f"refused by {rule}: {reason}", code="policy-refused", hint=hint, rule=rule)
