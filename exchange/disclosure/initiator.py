"""Our side of a session that we start. The initiator is always the receiver."""

import asyncio
import secrets
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crypto.psi import PROTOCOLS, Output, Params
from exchange.agreement import Agreement, Rung, Stage, size_class
from exchange.disclosure.books import Entry, closing
from exchange.disclosure.desk import Answer, Channel, Desk, Outcome, Proposal, Ready, agreement_of
from exchange.disclosure.drive import drive, in_thread
from exchange.errors import CosightError, PeerExceededLimit, PeerMisbehaved, PeerRefused, PolicyRefusal
from exchange.indicators import PROFILE, IndicatorType
from exchange.policy import History, Policy, Request, decide

NONCE_BYTES = 32
STAT_SEC = 40


class Link(Protocol):
    """The peer, as the initiator reaches it."""

    async def propose(self, proposal: Proposal) -> Answer:
        """Ask; raises ``PeerRefused`` with the code if it says no."""

    def run(self, agreement: Agreement, signature: bytes) -> AbstractAsyncContextManager[Channel]:
        """Open the run of an agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What our operator wants to know."""

    rung: Rung
    types: tuple[IndicatorType, ...]
    protocol: str = "voprf"
    output: Output = Output.RECEIVER
    purpose: str = ""


async def match(desk: Desk, peer: str, wish: Wish, link: Link, *, ours: int | None = None) -> Outcome:
    """One session: decide, agree, run, write down.

    The outcome names the matches by their identifiers. Whoever wants the values looks them up once the link
    is closed: the time it takes grows with their number, and the peer and the network would see it.

    Args:
        desk: who we are and what we decide with.
        peer: the other member.
        wish: what we want to know.
        link: to the peer.
        ours: how many items we hold, if somebody has counted just now.

    Raises:
        PolicyRefusal: our own policy does not allow it; nothing left.
        PeerError: the peer refused, is gone, lied, or exceeded a limit.
        LedgerError: the ledger cannot be written; nothing left.
    """
    start = perf_counter()
    if ours is None:
        ours = await asyncio.to_thread(desk.items.size, wish.types, now=desk.clock())
    ready = await in_thread(_ready, desk, peer, wish, size_class(ours))
    try:
        outcome = await _match(desk, peer, wish, link, ours, ready)
    except PeerRefused as e:
        if ready is None or e.code != "correlation-unknown":
            raise
        await in_thread(desk.stash.take, ready)  # no use to anybody
        outcome = await _match(desk, peer, wish, link, ours, None)
    return replace(outcome, total_s=perf_counter() - start)


async def _match(desk: Desk, peer: str, wish: Wish, link: Link, ours: int, ready: Ready | None) -> Outcome:
    """One session, with a correlation that is ready or without."""
    policy = desk.policy()
    proposal = proposal_of(desk, wish, policy, size_class(ours), ready=ready)
    entry = Entry(desk, peer, "initiator", proposal, policy)
    history = await asyncio.to_thread(desk.ledger.history, peer, desk.clock())
    await asyncio.to_thread(allow, entry, history, ours, None)
    ids: NDArray[np.int64] | None = None
    async with closing(entry):
        answer, agreement = await propose(entry, link)
        await asyncio.to_thread(allow, entry, history, ours, answer.padded)
        if wish.rung is not Rung.SIZE:
            async with asyncio.timeout(agreement.deadline_s):
                ids = await _run(entry, agreement, link)
    await in_thread(
        entry.disclosed,
        learned_by_us=wish.rung,
        learned_by_peer=wish.rung if ids is not None and wish.output is Output.BOTH else Rung.SIZE,
        matched=None if ids is None else len(ids),
    )
    return Outcome(
        session=proposal.session.hex(),
        peer=peer,
        rung=wish.rung,
        output=wish.output,
        protocol=None if ids is None else proposal.protocol,
        types=proposal.types,
        ours=ours,
        ours_padded=proposal.padded,
        peer_padded=answer.padded,
        ids=ids,
        total_s=0.0,
        crypto_s=entry.progress.crypto_s,
        offline_s=entry.progress.offline_s,
        sent=0 if entry.channel is None else entry.channel.sent,
        received=0 if entry.channel is None else entry.channel.received,
        ahead=ready is not None,
        bytes_per_s=0.0 if entry.channel is None else entry.channel.bytes_per_s,
    )


async def propose(entry: Entry, link: Link) -> tuple[Answer, Agreement]:
    """Write our intent, propose, and put the agreement that comes of it into the entry.

    Raises:
        PeerError: the peer refused, is gone, or did not sign what we proposed.
        LedgerError: the ledger cannot be written; nothing left.
    """
    await in_thread(entry.intend, entry.proposal.padded)
    answer = await link.propose(entry.proposal)
    agreement = entry.agreement = _agreed(entry.desk, entry.peer, entry.proposal, answer)
    entry.peer_signature = answer.signature
    return answer, agreement


async def _run(entry: Entry, agreement: Agreement, link: Link) -> NDArray[np.int64]:
    """Carry out the agreement as the receiver: the identifiers of our items that matched.

    The run is opened first, so that both sides load their sets at the same time.
    """
    entry.check_policy()
    protocol, desk = PROTOCOLS[agreement.protocol], entry.desk
    async with link.run(agreement, desk.sign(agreement)) as channel:
        entry.channel = channel
        items = await asyncio.to_thread(desk.items.item_set, agreement.types, now=desk.clock())
        if len(items.rows) > agreement.initiator_padded:
            raise CosightError(
                "our set outgrew its size class since the proposal",
                code="set-changed",
                hint="an import has ended meanwhile: run the match again",
            )
        entry.check_policy()  # loading may have taken a while
        correlation = await in_thread(taken, desk, entry.peer, "receiver", agreement)
        role = protocol.receiver(items.rows, params_of(agreement), **correlation)
        found = await drive(role, channel, entry.progress, protocol.offline)
        await channel.end()
    return items.ids[found.indices]


def _ready(desk: Desk, peer: str, wish: Wish, padded: int) -> Ready | None:
    """The smallest correlation that was made ahead and is large enough."""
    ahead = PROTOCOLS[wish.protocol].ahead if wish.protocol in PROTOCOLS else None
    if ahead is None or wish.rung is Rung.SIZE:
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
    ahead = PROTOCOLS[agreement.protocol].ahead
    if rows is None or ahead is None:
        raise CosightError(
            "the correlation was used by another session meanwhile", code="correlation-gone",
            hint="run the match again",
        )  # fmt: skip
    load = ahead.load_receiver if role == "receiver" else ahead.load_sender
    return {"correlation": load(rows)}


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
    )


def allows(desk: Desk, peer: str, wish: Wish, ours: int) -> bool:
    """Whether our own policy would allow a session, as far as that can be told before the peer is asked."""
    request = Request(
        peer=peer, direction="initiator", rung=wish.rung, types=wish.types, protocol=wish.protocol,
        output=wish.output, our_size=ours, peer_size_padded=None, purpose=wish.purpose,
    )  # fmt: skip
    now = desk.clock()
    return decide(desk.policy(), request, desk.ledger.history(peer, now), now).allowed


def allow(entry: Entry, history: History, ours: int | None, peer_padded: int | None) -> None:
    """Ask our own policy; a refusal is written down and raised.

    ``history`` ends before this session, also once the peer's size is known: our own intent does not count.
    """
    desk, p = entry.desk, entry.proposal
    request = Request(
        peer=entry.peer, direction="initiator", rung=p.rung, types=p.types, protocol=p.protocol,
        output=p.output, our_size=ours, peer_size_padded=peer_padded, purpose=p.purpose,
    )  # fmt: skip
    decision = decide(entry.policy, request, history, desk.clock())
    if decision.allowed:
        return
    if peer_padded is None:  # no session was opened yet
        entry.refused("policy-refused", decision.rule)
    raise PolicyRefusal(decision.explanation, code="policy-refused")


def _agreed(desk: Desk, peer: str, proposal: Proposal, answer: Answer) -> Agreement:
    """The agreement, once the peer has signed the very same one."""
    if len(answer.nonce) != NONCE_BYTES:
        raise PeerMisbehaved("the peer's answer is malformed")
    if not 1 <= answer.padded <= desk.limits.max_rows:
        raise PeerExceededLimit(
            f"the peer's size class {answer.padded} is over our limit of {desk.limits.max_rows} rows",
            code="too-large",
            hint="raise limits.max_rows in config.toml if this machine has the memory",
        )
    agreement = agreement_of(desk, desk.member, peer, proposal, answer)
    if not desk.verify(peer, agreement, answer.signature):
        raise PeerMisbehaved("the peer did not sign the agreement that we proposed", code="bad-signature")
    return agreement
