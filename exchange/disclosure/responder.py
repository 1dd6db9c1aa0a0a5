"""Our side of a session that a peer starts. The responder is always the sender."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from crypto.psi import DISCOVERED, Params
from exchange.agreement import Agreement, Rung, Stage, size_class
from exchange.disclosure import epochs
from exchange.disclosure.alarms import alarm
from exchange.disclosure.books import Entry, closing
from exchange.disclosure.bringing import put_in
from exchange.disclosure.contact import Greeting
from exchange.disclosure.deciding import known
from exchange.disclosure.desk import Answer, Desk, Found, Proposal, agreement_of
from exchange.disclosure.drive import drive, in_thread
from exchange.disclosure.found import fits, found_in
from exchange.disclosure.initiator import NONCE_BYTES, admitted, params_of, role_of
from exchange.disclosure.judging import judge_peer
from exchange.disclosure.leases import Leases, check_words
from exchange.disclosure.planting import planted_for
from exchange.disclosure.settling import MAX_DUE, Settled, Settlement, countersign, overdue
from exchange.disclosure.standing import Standing, check, set_in, standing
from exchange.disclosure.world import Channel
from exchange.errors import ConfigError, LedgerError, PeerMisbehaved, SessionRefused, StoreError
from exchange.indicators import PROFILE
from exchange.ledger.document import Document, DocumentKind
from exchange.policy import History, Policy, decide
from exchange.policy.request import BANDED, NOISY, noise_milli
from exchange.publication import PROTOCOL

log = logging.getLogger(__name__)
OFFER_LIFE = timedelta(seconds=60)
"""How long an agreement that nobody carries out stays good."""
MAX_READY = 4
"""Correlations that we keep for one peer: it asks for them, and they take our disk. One more takes the place
of the oldest, which the peer may have lost."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An agreement that waits to be carried out, once, by the peer that proposed it."""

    entry: Entry
    agreement: Agreement
    expires: datetime


class Responder:
    """Answers proposals and carries out what was agreed.

    Args:
        desk: who we are and what we decide with.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._offers: dict[bytes, Offer] = {}
        self._running: dict[bytes, str] = {}
        self._judging: set[asyncio.Task[Any]] = set()
        self._lock = asyncio.Lock()
        self.leases = Leases(desk)

    def greet(self, peer: str, log_size: int) -> Greeting:
        """Show our log from the length on that the peer has seen, and say how much we have seen of its own.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        try:
            shown = standing(self._desk, log_size)
        except LedgerError as e:  # it says that it saw what we do not have: no proof can satisfy it
            log.warning("cannot show our log to %s as it asks: %s", peer, e)
            shown = standing(self._desk, 0)
        seen = self._desk.ledger.seen(peer)
        return Greeting(shown, 0 if seen is None else seen.size)

    async def propose(self, peer: str, proposal: Proposal, shown: Standing) -> Answer:
        """Decide on a proposal.

        Args:
            peer: whose it is.
            proposal: what it asks for.
            shown: the peer's log, as it shows it.

        Raises:
            SessionRefused: no; the code may be told to the peer, the text may not.
            LedgerError: the ledger cannot be written, so there is no session.
        """
        async with self._lock:
            return await in_thread(self._propose, peer, proposal, shown)

    def _propose(self, peer: str, proposal: Proposal, shown: Standing) -> Answer:
        self._expire()
        entry = Entry(self._desk, peer, "responder", proposal, self._policy())
        try:
            self._accept(entry, shown)
        except SessionRefused as refusal:
            self._record(entry, refusal)
            raise
        padded = size_class(entry.ours or 0)
        commitment = self._desk.ledger.commitment()
        unsigned = Answer(
            nonce=secrets.token_bytes(NONCE_BYTES),
            padded=padded,
            policy_hash=entry.policy.hash,
            policy_revision=entry.policy.revision,
            set=b"" if commitment is None else bytes.fromhex(str(commitment.what["root"])),
            software=self._desk.software,
            signature=b"",
            responder_new=0 if entry.going_on is None else entry.going_on.new,
            **_stated(entry),
        )
        if padded * unsigned.label_bytes > self._desk.limits.max_context_mib << 20:
            too_large = SessionRefused("our contexts would take more than our limit", code="too-large")
            self._record(entry, too_large)
            raise too_large
        agreement = agreement_of(self._desk, peer, self._desk.member, proposal, unsigned, set_in(shown))
        entry.agreement = agreement
        lease = self.leases.make(entry, agreement) if proposal.protocol == PROTOCOL else None
        self._intend(entry, padded)
        if lease is not None:
            self.leases.open(lease)
        elif proposal.rung is Rung.SIZE and proposal.stage is not Stage.AHEAD:
            entry.disclosed()
        else:
            self._offers[proposal.session] = Offer(entry, agreement, self._desk.clock() + OFFER_LIFE)
        return replace(unsigned, signature=self._desk.sign(agreement))

    def _intend(self, entry: Entry, padded: int) -> None:
        """Write our intent, if our policy still allows it: what was begun since counts as well."""
        desk = self._desk
        try:
            with desk.ledger.turn():
                self._allow(entry, desk.ledger.history(entry.peer, desk.clock()))
                entry.intend(padded)
        except SessionRefused as refusal:
            self._record(entry, refusal)
            raise

    def _policy(self) -> Policy:
        """Our policy; where our operator has made it unreadable, the peer need not guess why nothing runs."""
        try:
            return self._desk.policy()
        except ConfigError as e:
            log.error("every proposal is refused: %s", e)  # noqa: TRY400  for our operator, without a trace
            raise SessionRefused("our policy cannot be read", code="not-ready") from e

    async def settle(self, peer: str, asked: Settlement) -> Settled:
        """Sign the receipt of a session that is over.

        Raises:
            SessionRefused: there is no such session, it is not over, or it was not as the peer says.
            Stale: the peer has to show its log again.
            LedgerError: the ledger cannot be written.
        """
        async with self._lock:
            running = asked.session in self._running or self._is_open(asked.session)
            return await in_thread(countersign, self._desk, peer, asked, running=running)

    async def run(
        self, peer: str, session: bytes, signature: bytes, open_channel: Callable[[Agreement], Channel]
    ) -> None:
        """Carry out an agreement.

        Raises:
            SessionRefused: there is no such offer for this peer.
            PeerError: the peer lied, stalled or left; the session is burnt.
            CosightError: we failed; the session is burnt.
        """
        async with self._lock:
            await in_thread(self._expire)
            offer = self._offers.get(session)
            if offer is None or offer.entry.peer != peer:
                raise await in_thread(self._unknown, session)
            del self._offers[session]  # nothing waits from here to ``closing``: no offer is lost on the way
            self._running[session] = peer
        entry, agreement, desk = offer.entry, offer.agreement, self._desk
        try:
            async with closing(entry), asyncio.timeout(agreement.deadline_s):
                if not desk.verify(peer, agreement, signature):
                    raise PeerMisbehaved("the peer did not sign the agreement", code="bad-signature")
                entry.peer_signature = signature
                entry.check_policy()
                part = self._ahead if agreement.stage is Stage.AHEAD else self._whole
                found = await part(entry, agreement, open_channel)
            await in_thread(entry.disclosed, **found.facts())
            await in_thread(entry.keep, found)
            await in_thread(epochs.keep, desk, agreement, entry.going_on, entry.left)
            if found.canaries:
                await in_thread(
                    alarm, desk, peer, "canary", entry.policy,
                    session=agreement.session, count=found.canaries,
                )  # fmt: skip
            if found.ids is not None:  # only when the run is over: it takes the longer the more we hold
                task = asyncio.create_task(
                    asyncio.to_thread(judge_peer, desk, peer, agreement.session, found.ids)
                )
                self._judging.add(task)
                task.add_done_callback(self._judged)
        finally:
            del self._running[session]

    def _judged(self, task: asyncio.Task[Any]) -> None:
        self._judging.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("cannot look at what matched: %s", error)

    async def _whole(
        self, entry: Entry, agreement: Agreement, open_channel: Callable[[Agreement], Channel]
    ) -> Found:
        """Play our role. Returns what it told us."""
        items, role = await asyncio.to_thread(role_of, entry, agreement)
        entry.channel = open_channel(agreement)
        found, entry.left = epochs.split(await drive(role, entry.channel, entry.progress))
        return found_in(entry, items, found)

    async def _ahead(
        self, entry: Entry, agreement: Agreement, open_channel: Callable[[Agreement], Channel]
    ) -> Found:
        """Make the sender's half of a correlation, and keep it. Nobody learns anything."""
        ahead, params = DISCOVERED[agreement.protocol].ahead, params_of(agreement)
        assert ahead is not None  # ``_accept`` saw it
        entry.channel = open_channel(agreement)
        made = await drive(ahead.sender(params), entry.channel, entry.progress)

        def keep() -> None:
            stash = self._desk.stash
            stash.put("sender", entry.peer, ahead.elements(params), agreement.session, ahead.dump(made))
            stash.prune("sender", entry.peer, MAX_READY)

        await in_thread(keep)
        return Found()

    async def expire(self) -> None:
        """Close the offers that nobody took up in time, and delete states whose epoch is over.

        The server calls it now and then.
        """
        async with self._lock:
            await in_thread(self._expire)
        try:
            await in_thread(epochs.expire, self._desk)
        except StoreError as e:  # it is tried again, and what the server does besides must not wait for it
            log.error("states whose epoch is over cannot be deleted: %s", e)  # noqa: TRY400

    def _expire(self) -> None:
        now = self._desk.clock()
        for session in [s for s, offer in self._offers.items() if offer.expires <= now]:
            self._offers.pop(session).entry.aborted("expired")
        self.leases.expire()

    async def close(self) -> None:
        """Close every offer: the node stops."""
        if self._judging:
            await asyncio.wait(self._judging)
        async with self._lock:
            await in_thread(self._close)

    def _close(self) -> None:
        for session in list(self._offers):
            self._offers.pop(session).entry.aborted("stopped")
        self.leases.close()

    def _is_open(self, session: bytes) -> bool:
        """Whether an agreement waits for the peer."""
        return session in self._offers or self.leases.holds(session)

    def _record(self, entry: Entry, refusal: SessionRefused) -> None:
        """Write a refusal down, within bounds: a peer must not be able to fill our disk."""
        if self._desk.throttle.passes(entry.peer, self._desk.clock()):
            entry.refused(refusal.code, refusal.rule)
        else:
            log.warning("refused %s again (%s); not recorded, it was too often", entry.peer, refusal.code)

    def _accept(self, entry: Entry, shown: Standing) -> None:
        """Every check of a proposal, cheap ones first; and what we would put in goes into the entry."""
        desk, p = self._desk, entry.proposal
        if len(p.session) != NONCE_BYTES or not p.types or len(set(p.types)) != len(p.types):
            raise SessionRefused("the proposal is malformed", code="malformed")
        if (p.roster_epoch, p.roster_hash) != desk.roster():
            raise SessionRefused("the peer holds another roster", code="roster-mismatch")
        _check_words(p)
        limits = desk.limits
        if not 1 <= p.padded <= limits.max_rows or not 1 <= p.deadline_s <= limits.deadline_s:
            raise SessionRefused("the declared size or deadline is over our limit", code="too-large")
        if self._is_open(p.session) or desk.ledger.has_session(p.session.hex()):
            raise SessionRefused("the session was seen before", code="session-replayed")
        self._check_room(entry)
        now = desk.clock()
        history = desk.ledger.history(entry.peer, now)
        self._allow(entry, history)  # first without our size: to refuse takes no time that depends on it
        self._check_log(entry, shown)
        self._allow(entry, history)  # now that we know what the peer is bound to
        self._check_stage(entry)
        if overdue(desk, entry.peer, now) > MAX_DUE:
            raise SessionRefused("the peer owes the receipts of earlier sessions", code="receipt-due")
        if p.stage is Stage.AHEAD:
            return  # our set does not matter, and nothing of it shows
        if p.protocol == PROTOCOL:
            self.leases.offer(entry, history, now)
            self._allow(entry, history)
            return
        entry.admission = admitted(entry.policy, entry.peer, history, now)
        entry.offer = desk.items.offer(p.types, now=now, admission=entry.admission)
        entry.planted = len(planted_for(desk, entry.policy, entry.peer, p.types, p.rung))
        if p.base:
            padded = size_class(entry.ours or 0)
            entry.going_on = epochs.answering(desk, entry.peer, p, lambda: put_in(entry), padded)
        self._allow(entry, history)

    def _check_room(self, entry: Entry) -> None:
        """Refuse what would be too much at once."""
        if entry.proposal.protocol == PROTOCOL:
            self.leases.check_room(entry.peer)
            return
        limits = self._desk.limits
        busy = [offer.entry.peer for offer in self._offers.values()] + list(self._running.values())
        if len(busy) >= limits.max_sessions or busy.count(entry.peer) >= limits.max_sessions_per_peer:
            raise SessionRefused("too many sessions at once", code="busy")

    def _check_log(self, entry: Entry, shown: Standing) -> None:
        """Refuse a peer whose log does not continue the one that we saw."""
        try:
            entry.shown = check(self._desk, entry.peer, shown)
        except PeerMisbehaved as e:
            note = Document(DocumentKind.NOTE, shown.note.encode())
            alarm(self._desk, entry.peer, e.code, entry.policy, evidence=note)
            raise SessionRefused(f"{e}", code="log-refused") from e

    def _check_stage(self, entry: Entry) -> None:
        """Refuse to make ahead what cannot be, and to use what there is not."""
        p = entry.proposal
        if p.turned and (
            p.stage is not Stage.WHOLE or p.rung is Rung.CONTEXT or p.protocol in {BANDED, NOISY}
        ):
            raise SessionRefused("the proposal is malformed", code="malformed")  # that needs more of a sender
        if p.base and not (epochs.can_go_on(p) and p.initiator_new):
            raise SessionRefused("the proposal is malformed", code="malformed")
        if p.stage is Stage.WHOLE:
            return
        if (ahead := DISCOVERED[p.protocol].ahead) is None:
            raise SessionRefused("nothing of this protocol can be done ahead", code="protocol-unknown")
        if p.stage is Stage.AHEAD:
            if p.rung is not Rung.SIZE:
                raise SessionRefused("the proposal is malformed", code="malformed")
            return
        stored = self._desk.stash.ready("sender", entry.peer)
        least = ahead.elements(Params(n_r=p.padded, n_s=1, context=bytes(NONCE_BYTES)))
        if not any(r.session == p.correlation.hex() and r.elements >= least for r in stored):
            raise SessionRefused("we do not hold this correlation", code="correlation-unknown")

    def _allow(self, entry: Entry, history: History) -> None:
        """Ask our own policy."""
        padded = entry.proposal.padded
        request = entry.request(padded, **known(entry, history, padded))
        decision = decide(entry.policy, request, history, self._desk.clock())
        if not decision.allowed:
            raise SessionRefused(decision.explanation, code="policy-refused", rule=decision.rule)

    def _unknown(self, session: bytes) -> SessionRefused:
        """Why there is no offer of this session."""
        if session in self._running or self._desk.ledger.has_session(session.hex()):
            return SessionRefused("the session was run before", code="session-replayed")
        return SessionRefused("there is no such session", code="session-unknown")


def _stated(entry: Entry) -> dict[str, Any]:
    """What a rung needs of us as the sender, by our policy."""
    found = entry.policy.terms(entry.peer)
    if found is None or entry.receives:
        return {}
    terms, protocol = found[1], entry.proposal.protocol
    return {
        "label_bytes": terms.context.bytes if entry.proposal.rung is Rung.CONTEXT and terms.context else 0,
        "bands": terms.bands if protocol == BANDED else (),
        "epsilon_milli": noise_milli(entry.policy, entry.peer, protocol),
    }


def _check_words(p: Proposal) -> None:
    """Refuse what we do not speak."""
    if p.profile != PROFILE:
        raise SessionRefused("the peer uses another canonical profile", code="profile-mismatch")
    if p.protocol == PROTOCOL:
        check_words(p)
        return
    if p.protocol not in DISCOVERED:
        raise SessionRefused("the peer asks for a protocol that we do not have", code="protocol-unknown")
    if not fits(DISCOVERED[p.protocol], p.rung, p.output):
        raise SessionRefused("the protocol does not reveal what is asked for", code="malformed")
