"""Asking our own policy about a session, and writing our intent, as one step."""

from datetime import datetime, timedelta
from typing import Any

from exchange.disclosure.books import Entry
from exchange.errors import PolicyRefusal
from exchange.guards.growth import growth_per_day
from exchange.policy import History, decide


def begin(entry: Entry) -> History:
    """Ask our own policy and write our intent, as one step: two at once must not pass a limit together.

    Returns:
        What was between us and the peer before this session.

    Raises:
        PolicyRefusal: it does not allow it.
        LedgerError: the ledger cannot be written; nothing left.
    """
    desk = entry.desk
    with desk.ledger.turn():
        history = desk.ledger.history(entry.peer, desk.clock())
        allow(entry, history, None)
        entry.intend(entry.proposal.padded)
    return history


def allow(entry: Entry, history: History, peer_padded: int | None) -> None:
    """Ask our own policy; a refusal is written down and raised.

    ``history`` ends before this session, also once the peer's size is known: our own intent does not count.
    """
    desk = entry.desk
    request = entry.request(peer_padded, **known(entry, history, peer_padded))
    decision = decide(entry.policy, request, history, desk.clock())
    if decision.allowed:
        return
    if peer_padded is None:  # no session was opened yet
        entry.refused("policy-refused", decision.rule)
    raise PolicyRefusal(decision.explanation, code="policy-refused")


def known(entry: Entry, history: History, peer_padded: int | None) -> dict[str, Any]:
    """What our policy asks besides: what the peer is bound to, what was made ahead, what this climbs on."""
    desk, p = entry.desk, entry.proposal
    facts: dict[str, Any] = {
        "below": next((past for past in history.past if past.session == p.below.hex()), None)
    }
    made = desk.ledger.session(p.correlation.hex()) if p.correlation else None
    if made is not None:
        facts["ahead_age_s"] = (desk.clock() - datetime.fromisoformat(made.intent.time)).total_seconds()
    if entry.shown is None:
        return facts
    committed, yesterday = entry.shown.committed, desk.clock() - timedelta(days=1)
    before = desk.ledger.peer_commitment(entry.peer, yesterday)
    facts["peer_commitment"] = committed is not None and (peer_padded or 0) <= committed.padded
    if committed is not None and before is not None:
        days = before[3].toordinal(), desk.clock().toordinal()
        facts["peer_growth"] = growth_per_day((days[0], before[2]), (days[1], committed.padded))
    return facts
