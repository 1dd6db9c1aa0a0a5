"""Whether what a peer shares with us, or what we hold ourselves, was made by counting instead of observed."""

import logging
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from exchange.disclosure.alarms import alarm
from exchange.disclosure.desk import Desk
from exchange.disclosure.initiator import admitted
from exchange.guards import Finding, judge, judge_matches
from exchange.indicators import IndicatorType
from exchange.policy import EVERYTHING

log = logging.getLogger(__name__)
JUDGED = (IndicatorType.IPV4, IndicatorType.DOMAIN, IndicatorType.URL_HOST, IndicatorType.URL)
"""The types whose space somebody could count through."""
_AT_ONCE = 1 << 14
LEAST = 32
"""With fewer addresses shared, no finding can come of it."""
_REST = IndicatorType.URL
"""Stands for all types but addresses: how many there are is all that is asked of them."""


def judge_peer(desk: Desk, peer: str, session: str, ids: NDArray[np.int64]) -> tuple[Finding, ...]:
    """Look at what matched in a session that is over; what no honest peer shares with us is an alarm.

    Args:
        desk: who we are.
        peer: the other member.
        session: its id, in hex.
        ids: of our items that matched.

    Raises:
        StoreError, LedgerError: our set cannot be read, or the ledger cannot be written.
    """
    booked = desk.ledger.session(session)
    matched = desk.items.values(ids)
    addresses = [one.value for one in matched if one.type is IndicatorType.IPV4]
    if booked is None or len(addresses) < LEAST:
        return ()
    policy, now = desk.policy(), desk.clock()
    entered = booked.intent.what.get("entered", {})
    assert isinstance(entered, dict)  # the schema says so
    admission = admitted(policy, peer, desk.ledger.history(peer, now), now)
    items = desk.items.item_set([IndicatorType.IPV4], now=now, admission=admission)
    ours = _values(desk, items.ids)
    rest = sum(entered.values()) - entered.get(str(IndicatorType.IPV4), 0)
    found = judge_matches(
        {IndicatorType.IPV4: ours, _REST: [""] * rest},
        {IndicatorType.IPV4: addresses, _REST: [""] * (len(matched) - len(addresses))},
    )
    for finding in found:
        alarm(desk, peer, finding.kind, policy, session=session)
    return found


def judge_ours(desk: Desk, now: datetime) -> tuple[Finding, ...]:
    """Look at our own set: a peer, or an auditor, would find the same.

    Raises:
        StoreError, LedgerError: our set cannot be read, or the ledger cannot be written.
    """
    sets = ((kind, desk.items.item_set([kind], now=now, admission=EVERYTHING).ids) for kind in JUDGED)
    found = [finding for kind, ids in sets for finding in judge({kind: _values(desk, ids)})]
    for finding in found:
        log.warning("our own set looks counted, not observed: %s of %s", finding.kind, finding.type)
        what = {"guard": finding.kind, "count": 1}
        desk.ledger.append("alarm", now=now, peer=desk.member, what=what)
    return tuple(found)


def _values(desk: Desk, ids: NDArray[np.int64]) -> list[str]:
    """Our values behind some identifiers; in parts, since an object for each of a million takes much more."""
    ordered = np.sort(ids)
    parts = (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))
    return [one.value for part in parts for one in desk.items.values(part)]
