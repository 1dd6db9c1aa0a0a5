"""The peer, as the initiator reaches it: greeted first, its log checked, and its receipts asked for."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from exchange.agreement import Agreement
from exchange.disclosure.alarms import alarm
from exchange.disclosure.desk import Answer, Desk, Proposal
from exchange.disclosure.drive import in_thread
from exchange.disclosure.settling import MAX_AT_ONCE, SettlingLink, accept, due, settlement
from exchange.disclosure.standing import Shown, Stale, Standing, check
from exchange.disclosure.world import Channel
from exchange.errors import CosightError, LedgerError, PeerMisbehaved, PeerRefused, PeerUnavailable
from exchange.ledger import receipt
from exchange.ledger.document import Document, DocumentKind

log = logging.getLogger(__name__)
ATTEMPTS = 5
"""How often we show our log again because the peer has seen more of it in another session meanwhile."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the peer shows when it is greeted.

    Attributes:
        standing: of its log.
        log_size: how long our log was when it last saw it.
    """

    standing: Standing
    log_size: int


class Link(SettlingLink, Protocol):
    """The peer, as the initiator reaches it."""

    async def greet(self, log_size: int) -> Greeting:
        """Have it show its log, from the length on that we saw last."""

    async def propose(self, proposal: Proposal, standing: Standing) -> Answer:
        """Ask, and show our log; raises ``PeerRefused`` with the code if it says no."""

    def run(self, agreement: Agreement, signature: bytes) -> AbstractAsyncContextManager[Channel]:
        """Open the run of an agreement."""


@dataclass(slots=True)
class Contact:
    """A peer that was greeted.

    Attributes:
        link: to it.
        shown: its log and its committed set, checked.
        log_size: how long our log was when it last saw it.
    """

    link: Link
    shown: Shown
    log_size: int


async def greet(desk: Desk, peer: str, link: Link) -> Contact:
    """Have the peer show its log, and check that it continues what we saw of it.

    Raises:
        PeerMisbehaved: it does not; the alarm is in our ledger.
        PeerError: the peer is gone.
    """
    for _ in range(ATTEMPTS):
        seen = await asyncio.to_thread(desk.ledger.seen, peer)
        asked = 0 if seen is None else seen.size
        greeting = await link.greet(asked)
        try:
            shown = await in_thread(check, desk, peer, greeting.standing, asked=asked)
        except Stale:
            continue  # another session of ours with this peer was faster
        except PeerMisbehaved as e:
            note = Document(DocumentKind.NOTE, greeting.standing.note.encode())
            await in_thread(alarm, desk, peer, e.code, desk.policy(), evidence=note)
            raise
        return Contact(link, shown, greeting.log_size)
    raise PeerUnavailable(f"{peer} shows its log from another entry on than we ask for", code="log-stale")


async def settle_due(desk: Desk, peer: str, contact: Contact) -> None:
    """Ask for the receipts that were not given when their sessions ended, as far as the peer gives them."""
    waiting = await asyncio.to_thread(due, desk, peer, "initiator", desk.clock())
    for booked in waiting[:MAX_AT_ONCE]:
        await settle(desk, booked.session, contact)


async def settle_at_once(desk: Desk, session: str, contact: Contact) -> bool:
    """``settle`` for a session that has just ended: its result is ours, whatever becomes of the receipt."""
    try:
        return await settle(desk, session, contact)
    except CosightError as e:  # a full disk, a peer that was just revoked: the receipt stays due
        log.warning("the receipt of a session is still due: %s", e)
        return False


async def settle(desk: Desk, session: str, contact: Contact) -> bool:
    """Ask for the receipt of a session. Returns whether there is one now: a peer that is gone owes it."""
    booked = await asyncio.to_thread(desk.ledger.session, session)
    if booked is None or booked.receipt is not None or "log_size" not in booked.intent.what:
        return False
    for _ in range(ATTEMPTS):
        asked = await in_thread(settlement, desk, booked, contact.log_size)
        try:
            answer = await contact.link.settle(asked)
        except PeerRefused as e:
            if e.code != "log-stale":
                return False
            contact.log_size = (await contact.link.greet(0)).log_size
            continue
        except PeerUnavailable:
            return False
        contact.log_size = max(contact.log_size, receipt.initiator_part(asked.part).size)
        try:
            await in_thread(accept, desk, booked, asked, answer)
        except PeerMisbehaved as e:
            await in_thread(alarm, desk, booked.intent.peer, e.code, desk.policy(), session=session)
            return False
        except LedgerError:  # another session of ours with this peer may have been first
            known = await asyncio.to_thread(desk.ledger.session, session)
            if known is None or known.receipt is None:
                raise
        return True
    return False
