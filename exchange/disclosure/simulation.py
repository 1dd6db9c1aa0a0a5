"""What a session would put at stake, computed on our own data before any byte leaves.

The numbers are those that the session itself would write into the ledger: they come from the same functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exchange.agreement import size_class
from exchange.disclosure.desk import Desk
from exchange.disclosure.initiator import Ours, Wish, ours_for, over_of
from exchange.disclosure.planting import planted_for
from exchange.indicators import IndicatorType, Tlp
from exchange.policy import (
    Decision,
    History,
    Offer,
    Policy,
    Request,
    Terms,
    Verdict,
    at_stake,
    decide,
    explain,
)
from exchange.policy.budget import DAY, YEAR, asked_since, learned_since
from exchange.policy.request import NOISY, noise_milli

Marked = Mapping[IndicatorType, Mapping[Tlp, int]]
UNKNOWN, TOLD, LAST, MOST = "unknown", "told", "last-session", "policy-maximum"
"""Where the peer's size comes from."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit, and how much of it is used.

    Attributes:
        rule: which rule holds to it.
        before: what was used before the session.
        after: what would be used after it, at the worst.
        most: the limit; None where the policy states none.
    """

    rule: str
    before: float
    after: float
    most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a session would put at stake.

    Attributes:
        request: what the policy is asked.
        offer: what of ours would enter, and what is held back by which rule.
        marked: what would enter, by type and by the most open marking that it has.
        canaries: how many values enter that we plant for this peer.
        ours_padded: the size class that the peer would see.
        peer_from: where the peer's size comes from.
        at_stake: the most items of ours that the peer could learn of; None while its size is not known.
        budgets: the limits on repetition.
        decision: whether our policy would allow it.
        verdicts: what each rule says.
    """

    request: Request
    offer: Offer
    marked: Marked
    canaries: int
    ours_padded: int
    peer_from: str
    at_stake: int | None
    budgets: tuple[Budget, ...]
    decision: Decision
    verdicts: tuple[Verdict, ...]


def simulate(desk: Desk, peer: str, wish: Wish, *, answering: bool, peer_padded: int | None) -> Simulation:
    """Compute what a session would put at stake. Nothing is sent, and nothing is written.

    Args:
        desk: who we are.
        peer: the other member.
        wish: what is wanted; where we answer, by the peer.
        answering: whether the peer dials.
        peer_padded: its size class, where somebody knows it; else that of the last session with it counts,
            else the largest that our policy allows.

    Raises:
        StoreError, LedgerError: our set or our ledger cannot be read.
    """
    now, ours = desk.clock(), ours_for(desk, peer, wish.types)
    policy, history = ours.policy, desk.ledger.history(peer, now)
    canaries = len(planted_for(desk, policy, peer, wish.types, wish.rung))
    padded, source = _peer_size(policy, peer, history, peer_padded)
    member = desk.find(peer)
    request = Request(
        peer=peer,
        direction="responder" if answering else "initiator",
        rung=wish.rung,
        types=wish.types,
        protocol=wish.protocol,
        output=wish.output,
        our_size=ours.offer.size + canaries,
        peer_size_padded=padded,
        purpose=wish.purpose,
        over=over_of(wish),
        turned=wish.turned,
        epsilon_milli=noise_milli(policy, peer, wish.protocol) if answering is not wish.turned else 0,
        role="member" if member is None else str(member.role),
    )
    found = policy.terms(peer)
    return Simulation(
        request=request,
        offer=ours.offer,
        marked=_marked(desk, ours, wish),
        canaries=canaries,
        ours_padded=size_class(ours.offer.size + canaries),
        peer_from=source,
        at_stake=at_stake(request),
        budgets=() if found is None else _budgets(found[1], request, history, now),
        decision=decide(policy, request, history, now),
        verdicts=explain(policy, request, history, now),
    )


def _peer_size(policy: Policy, peer: str, history: History, told: int | None) -> tuple[int | None, str]:
    if told is not None:
        return told, TOLD
    known = [past for past in history.past if past.peer_padded]
    if known:
        return max(known, key=lambda past: past.began).peer_padded, LAST
    found = policy.terms(peer)
    if found is not None and found[1].peer_size is not None:
        return found[1].peer_size.most, MOST
    return None, UNKNOWN


def _marked(desk: Desk, ours: Ours, wish: Wish) -> Marked:
    """What enters, by marking: what one ceiling lets in and the next closed one did not."""
    now, below, found = desk.clock(), Offer(), dict[IndicatorType, dict[Tlp, int]]()
    for marking in ours.admission.tlp.up_to():
        admission = replace(ours.admission, tlp=marking)
        offer = desk.items.offer(wish.types, now=now, admission=admission)
        for kind, count in offer.entered.items():
            if more := count - below.entered.get(kind, 0):
                found.setdefault(kind, {})[marking] = more
        below = offer
    return found


def _budgets(terms: Terms, request: Request, history: History, now: datetime) -> tuple[Budget, ...]:
    today = history.sessions_since(now - DAY)
    used = [Budget("p11-sessions-per-day", today, today + 1, terms.sessions_per_day)]
    asked = (request.asks or 0) if request.answers else 0
    for rule, span, most in (
        ("p11-values-per-day", DAY, terms.values_per_day),
        ("p11-values-per-year", YEAR, terms.values_per_year),
    ):
        before = asked_since(history, now - span)
        used.append(Budget(rule, before, before + asked, most))
    if terms.noise is not None and request.protocol == NOISY:
        begun = history.since(now - timedelta(days=terms.noise.days))
        spent = sum(past.epsilon_milli for past in begun) / 1000
        used.append(Budget("p10-noise", spent, spent + request.epsilon_milli / 1000, terms.noise.most))
    share, size = terms.share, request.our_size or 0
    before = learned_since(history, now - timedelta(days=365 if share is None else share.days))
    after = before + (at_stake(request) or 0)
    used.append(Budget("p12-share", before, after, None if share is None else share.most * size))
    return tuple(used)
