"""What a guard found: written into the ledger, and answered as the policy says."""

import logging

from exchange.disclosure.desk import Desk
from exchange.ledger.document import Document
from exchange.ledger.draft import Draft
from exchange.policy import Policy

log = logging.getLogger(__name__)


def alarm(
    desk: Desk,
    peer: str,
    guard: str,
    policy: Policy,
    *,
    session: str = "",
    count: int = 1,
    evidence: Document | None = None,
) -> None:
    """Write an alarm down, within bounds; where the policy says so, the peer is in quarantine from now on.

    Args:
        desk: who we are.
        peer: whom it is about.
        guard: which guard, a short word: no value ever stands in the ledger.
        policy: ours.
        session: where it was found.
        count: how often it was found in that.
        evidence: what proves it.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    log.warning("alarm about %s: %s (%d)", peer, guard, count)
    found = {"session": session} if session else {}
    now = desk.clock()
    if not desk.throttle.passes(peer, now):
        return
    what: dict[str, object] = {"guard": guard, "count": count}
    if evidence is not None:
        what["digest"] = evidence.hash
    documents = () if evidence is None else (evidence,)
    drafts = [Draft("alarm", {"peer": peer, "what": what, **found}, documents)]
    terms = policy.terms(peer)
    quarantines = terms is None or terms[1].on_alarm == "quarantine"
    if quarantines and not desk.ledger.history(peer, now).quarantined:
        drafts.append(Draft("quarantine", {"peer": peer, "what": {"reason": guard}}))
    desk.ledger.append_all(drafts, now=now)  # a node that dies here has both in its ledger, or neither
