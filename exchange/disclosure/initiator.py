"""Our side of a session that we start. The initiator is always the receiver."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import Any

from crypto.psi import DISCOVERED, Output, Params
from crypto.session import Role
from exchange.agreement import Agreement, Rung, Stage, size_class
from exchange.disclosure import epochs
from exchange.disclosure.alarms import alarm
from exchange.disclosure.books import Entry, closing
from exchange.disclosure.bringing import check_answer, material, put_in
from exchange.disclosure.contact import ATTEMPTS, Contact, Link, greet, settle_at_once, settle_due
from exchange.disclosure.deciding import allow, begin
from exchange.disclosure.desk import Answer, Desk, Found, Outcome, Proposal, agreement_of
from exchange.disclosure.drive import drive, in_thread
from exchange.disclosure.found import found_in
from exchange.disclosure.planting import planted_for
from exchange.disclosure.standing import Standing, set_in, standing
from exchange.disclosure.world import ItemSet, Ready
from exchange.errors import CosightError, PeerExceededLimit, PeerMisbehaved, PeerRefused
from exchange.indicators import PROFILE, IndicatorType
from exchange.ledger import note as notes
from exchange.policy import Admission, History, Offer, Policy, Request, decide
from exchange.policy import admission as admission_of

NONCE_BYTES = 32
_UNKNOWN = {"correlation-unknown", "state-unknown"}
"""A peer that has not what we would build on: then the session is a whole one."""
STAT_SEC = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What our operator wants to know.

    Attributes:
        rung: how much.
        types: of which types.
        protocol: with which protocol.
        output: whether the sender is to learn it too.
        purpose: why.
        below: the session that this one climbs from, 32 bytes or none.
        over: what is added up, should a sum be asked for.
        turned: whether the peer is to be the receiver.
    """

    rung: Rung
    types: tuple[IndicatorType, ...]
    protocol: str = "voprf"
    output: Output = Output.RECEIVER
    purpose: str = ""
    below: bytes = b""
    over: str = ""
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Ours:
    """What of ours may enter a set for a peer under one policy, and how much that is just now."""

    policy: Policy
    admission: Admission
    offer: Offer


def ours_for(desk: Desk, peer: str, types: Sequence[IndicatorType]) -> Ours:
    """What of ours may enter a set for a peer, by our policy and our ledger."""
    policy, now = desk.policy(), desk.clock()
    admission = admitted(policy, peer, desk.ledger.history(peer, now), now)
    return Ours(policy, admission, desk.items.offer(types, now=now, admission=admission))


def admitted(policy: Policy, peer: str, history: History, now: datetime) -> Admission:
    """Under what ours may enter a set for a peer. Without terms nothing runs, whatever may enter."""
    found = policy.terms(peer)
    return Admission() if found is None else admission_of(found[1], history, now)


async def match(
    desk: Desk, peer: str, wish: Wish, link: Link, *, ours: Ours | None = None, contact: Contact | None = None
) -> Outcome:
    """One session: decide, agree, run, write down. The outcome names the matches by their identifiers.

    Look up values once the link is closed: it takes the longer the more there are, which the peer would see.

    Args:
        desk: who we are and what we decide with.
        peer: the other member.
        wish: what we want to know.
        link: to the peer.
        ours: what we would put in, if somebody has counted just now.
        contact: the peer, if it was greeted just now.

    Raises:
        PolicyRefusal: our own policy does not allow it; nothing left.
        PeerError: the peer refused, is gone, lied, or exceeded a limit.
        LedgerError: the ledger cannot be written; nothing left.
    """
    start = perf_counter()
    contact = contact or await greet(desk, peer, link)
    await settle_due(desk, peer, contact)
    ours = ours or await asyncio.to_thread(ours_for, desk, peer, wish.types)
    entry = await in_thread(_entry, desk, peer, wish, contact, ours)
    try:
        outcome = await _match(entry, wish, contact)
    except PeerRefused as e:
        if not (entry.proposal.correlation or entry.proposal.base) or e.code not in _UNKNOWN:
            raise
        await in_thread(_drop, desk, entry)  # no use to anybody
        entry = await in_thread(_entry, desk, peer, wish, contact, ours, whole=True)
        outcome = await _match(entry, wish, contact)
    settled = await settle_at_once(desk, outcome.session, contact)
    return replace(outcome, total_s=perf_counter() - start, settled=settled)


def _entry(desk: Desk, peer: str, wish: Wish, contact: Contact, ours: Ours, *, whole: bool = False) -> Entry:
    """What we are about to ask for: with a correlation, if one is ready, unless it is to be the whole run."""
    policy = ours.policy
    planted = len(planted_for(desk, policy, peer, wish.types, wish.rung))
    padded = size_class(ours.offer.size + planted)
    ready = None if whole else _ready(desk, peer, wish, padded)
    proposal = proposal_of(desk, wish, policy, padded, ready=ready)
    entry = Entry(
        desk, peer, "initiator", proposal, policy,
        shown=contact.shown, admission=ours.admission, offer=ours.offer, planted=planted,
    )  # fmt: skip
    if not whole and epochs.can_go_on(proposal):
        _go_on(entry)
    return entry


def _go_on(entry: Entry) -> None:
    """Ask for what is new alone, where an earlier session has left us something to go on from."""
    p = entry.proposal
    found = epochs.newest(entry.desk, entry.peer, p.types, lambda: put_in(entry), p.padded)
    if found is not None:
        entry.going_on = found
        entry.proposal = replace(p, base=found.base, initiator_new=found.new)


def _drop(desk: Desk, entry: Entry) -> None:
    """Take a correlation that the peer does not hold out of the stash."""
    for ready in desk.stash.ready("receiver", entry.peer):
        if ready.session == entry.proposal.correlation.hex():
            desk.stash.take(ready)


async def _match(entry: Entry, wish: Wish, contact: Contact) -> Outcome:
    """One session."""
    desk, proposal = entry.desk, entry.proposal
    found = Found()
    async with closing(entry):
        history = await in_thread(begin, entry)
        answer, agreement = await propose(entry, contact)
        await asyncio.to_thread(allow, entry, history, answer.padded)
        if wish.rung is not Rung.SIZE:
            async with asyncio.timeout(agreement.deadline_s):
                found = await _run(entry, agreement, contact.link)
    await in_thread(entry.disclosed, **found.facts())
    await in_thread(entry.keep, found)
    await in_thread(epochs.keep, desk, agreement, entry.going_on, entry.left)
    if found.canaries:
        await in_thread(
            alarm, desk, entry.peer, "canary", entry.policy,
            session=proposal.session.hex(), count=found.canaries,
        )  # fmt: skip
    assert entry.ours is not None
    return Outcome(
        session=proposal.session.hex(),
        peer=entry.peer,
        rung=wish.rung,
        output=wish.output,
        protocol=None if wish.rung is Rung.SIZE else proposal.protocol,
        types=proposal.types,
        ours=entry.ours - entry.planted,
        ours_padded=proposal.padded,
        peer_padded=answer.padded,
        found=found,
        over=proposal.over,
        count=found.count,
        ids=found.ids,
        total_s=0.0,
        crypto_s=entry.progress.crypto_s,
        offline_s=entry.progress.offline_s,
        sent=0 if entry.channel is None else entry.channel.sent,
        received=0 if entry.channel is None else entry.channel.received,
        ahead=bool(proposal.correlation),
        bytes_per_s=0.0 if entry.channel is None else entry.channel.bytes_per_s,
        canaries=found.canaries,
        delta=epochs.delta_of(agreement, desk.member),
    )


async def propose(entry: Entry, contact: Contact) -> tuple[Answer, Agreement]:
    """Propose what was begun, and put the agreement that comes of it into the entry.

    Raises:
        PeerError: the peer refused, is gone, or did not sign what we proposed.
        LedgerError: the ledger cannot be read.
    """
    desk = entry.desk
    for attempt in range(ATTEMPTS):
        ours = await in_thread(standing, desk, contact.log_size)
        try:
            answer = await contact.link.propose(entry.proposal, ours)
        except PeerRefused as e:
            if e.code != "log-stale" or attempt == ATTEMPTS - 1:
                raise
            contact.log_size = (await contact.link.greet(0)).log_size
            continue
        break
    contact.log_size = notes.parse(ours.note).size
    agreement = _agreed(entry, answer, ours)
    entry.agreement, entry.peer_signature = agreement, answer.signature
    return answer, agreement


async def _run(entry: Entry, agreement: Agreement, link: Link) -> Found:
    """Carry out the agreement: what it told us.

    The run is opened first, so that both sides load their sets at the same time.
    """
    entry.check_policy()
    desk = entry.desk
    async with link.run(agreement, desk.sign(agreement)) as channel:
        entry.channel = channel
        items, role = await asyncio.to_thread(role_of, entry, agreement)
        entry.check_policy()  # loading may have taken a while
        output = await drive(role, channel, entry.progress, DISCOVERED[agreement.protocol].offline)
        await channel.end()
    found, entry.left = epochs.split(output)
    return found_in(entry, items, found)


def role_of(entry: Entry, agreement: Agreement) -> tuple[ItemSet, Role[Any]]:
    """Our set for a session, and our role in it, ready to begin."""
    protocol, desk = DISCOVERED[agreement.protocol], entry.desk
    items, more = material(entry, agreement)
    receives = agreement.receiver == desk.member
    more |= taken(desk, entry.peer, "receiver" if receives else "sender", agreement)
    role = protocol.receiver if receives else protocol.sender
    return items, role(items.rows, params_of(agreement), **more)


def _ready(desk: Desk, peer: str, wish: Wish, padded: int) -> Ready | None:
    """The smallest correlation that was made ahead and is large enough."""
    ahead = DISCOVERED[wish.protocol].ahead if wish.protocol in DISCOVERED else None
    if ahead is None or wish.rung is Rung.SIZE or wish.turned:
        return None
    least = ahead.elements(Params(n_r=padded, n_s=1, context=bytes(NONCE_BYTES)))
    return next((r for r in desk.stash.ready("receiver", peer) if r.elements >= least), None)


def taken(desk: Desk, peer: str, role: str, agreement: Agreement) -> dict[str, Any]:
    """The correlation that an agreement names, as an argument for a role; it is in the stash no more.

    Raises:
        CosightError: somebody else has taken it since.
    """
    if agreement.stage is not Stage.ONLINE:
        return {}
    named = agreement.correlation.hex()
    ready = next((r for r in desk.stash.ready(role, peer) if r.session == named), None)
    rows = None if ready is None else desk.stash.take(ready)
    ahead = DISCOVERED[agreement.protocol].ahead
    if rows is None or ahead is None:
        raise CosightError(
            "the correlation was used by another session meanwhile", code="correlation-gone",
            hint="run the match again",
        )  # fmt: skip
    load = ahead.load_receiver if role == "receiver" else ahead.load_sender
    return {"correlation": load(rows)}


def over_of(wish: Wish) -> str:
    """What a sum would be over; ``""`` where none is asked for."""
    return wish.over if wish.rung is Rung.SUM else ""


def proposal_of(
    desk: Desk, wish: Wish, policy: Policy, padded: int, *, ready: Ready | None = None
) -> Proposal:
    """What we ask for."""
    roster_epoch, roster_hash = desk.roster()
    return Proposal(
        session=secrets.token_bytes(NONCE_BYTES),
        roster_epoch=roster_epoch,
        roster_hash=roster_hash,
        rung=wish.rung,
        output=wish.output,
        protocol=wish.protocol,
        profile=PROFILE,
        types=tuple(sorted(wish.types)),
        padded=padded,
        stat_sec=STAT_SEC,
        purpose=wish.purpose,
        policy_hash=policy.hash,
        policy_revision=policy.revision,
        below=wish.below,
        over=over_of(wish),
        turned=wish.turned,
        software=desk.software,
        deadline_s=desk.limits.deadline_s,
        stage=Stage.WHOLE if ready is None else Stage.ONLINE,
        correlation=b"" if ready is None else bytes.fromhex(ready.session),
    )


def params_of(agreement: Agreement) -> Params:
    """The protocol parameters that an agreement fixes; its hash is the context of every tag."""
    receiver = agreement.receiver
    sender = agreement.responder if receiver == agreement.initiator else agreement.initiator
    return Params(
        n_r=agreement.padded_of(receiver),
        n_s=agreement.padded_of(sender),
        context=agreement.hash,
        output=Output(agreement.output),
        stat_sec=agreement.stat_sec,
        label_bytes=agreement.label_bytes,
        epsilon_milli=agreement.epsilon_milli,
        bands=agreement.bands,
        new_r=agreement.new_of(receiver),
        new_s=agreement.new_of(sender),
    )


def allows(desk: Desk, peer: str, wish: Wish, ours: int) -> bool:
    """Whether our own policy would allow a session, as far as that can be told before the peer is asked."""
    request = Request(
        peer=peer, direction="initiator", rung=wish.rung, types=wish.types, protocol=wish.protocol,
        output=wish.output, our_size=ours, peer_size_padded=None, purpose=wish.purpose, over=over_of(wish),
        turned=wish.turned,
    )  # fmt: skip
    now = desk.clock()
    return decide(desk.policy(), request, desk.ledger.history(peer, now), now).allowed


def _agreed(entry: Entry, answer: Answer, ours: Standing) -> Agreement:
    """The agreement, once the peer has signed the very same one."""
    desk, peer = entry.desk, entry.peer
    if len(answer.nonce) != NONCE_BYTES:
        raise PeerMisbehaved("the peer's answer is malformed")
    if not 1 <= answer.padded <= desk.limits.max_rows:
        raise PeerExceededLimit(
            f"the peer's size class {answer.padded} is over our limit of {desk.limits.max_rows} rows",
            code="too-large",
            hint="raise limits.max_rows in config.toml if this machine has the memory",
        )
    epochs.check_answer(entry.going_on, answer.responder_new)
    check_answer(entry.proposal.protocol, answer, desk.limits.max_context_mib << 20)
    committed = None if entry.shown is None else entry.shown.committed
    if answer.set != (b"" if committed is None else committed.root):
        raise PeerMisbehaved("the peer is bound to another set than it has shown", code="set-changed")
    agreement = agreement_of(desk, desk.member, peer, entry.proposal, answer, set_in(ours))
    if not desk.verify(peer, agreement, answer.signature):
        raise PeerMisbehaved("the peer did not sign the agreement that we proposed", code="bad-signature")
    return agreement
