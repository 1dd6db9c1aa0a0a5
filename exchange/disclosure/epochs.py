"""Sessions of ``voprf-epoch`` that go on from an earlier one: from which, how much is new, what they leave.

The initiator names the session whose state it has; the responder answers from that very state or refuses with
``state-unknown``, and then the session is a whole one. What is kept is written when the session stands in the
ledger as disclosed: a session that died in between leaves nothing, and the next one goes on from before it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np

from crypto import rows
from crypto.epochs import EpochEnded, ReceiverState, SenderState, change_level
from crypto.errors import DecodeError
from crypto.psi import DISCOVERED, Brings, Result
from crypto.psi.voprf_epoch import Fresh, Updated
from exchange.agreement import Agreement, Rung, Stage
from exchange.disclosure.desk import Delta, Desk, Proposal
from exchange.disclosure.world import ItemSet, KeptState
from exchange.errors import CosightError, PeerMisbehaved, SessionRefused, StoreError
from exchange.indicators import IndicatorType

log = logging.getLogger(__name__)
ANSWERS = 2
"""How often we answer from one state: once more, for a peer that died. Each shows how far our set came, and
each that comes to nothing has loaded the state and our set: so it counts before."""
State = ReceiverState | SenderState
_NAME_BYTES = 32
_DAY_S = 86_400
_KINDS: dict[str, type[State]] = {"receiver": ReceiverState, "sender": SenderState}


@dataclass(frozen=True, slots=True)
class GoingOn:
    """What a session goes on from.

    Attributes:
        base: the session that left it, 32 bytes.
        state: what it left.
        began: when its epoch did.
        items: our set, as it is now.
        new: our level: how many rows we declare as new.
    """

    base: bytes
    state: State = field(repr=False)
    began: datetime
    items: ItemSet = field(repr=False)
    new: int


def can_go_on(asked: Proposal) -> bool:
    """Whether such a session can go on from an earlier one.

    Who dials names the state, and it is the receiver's to name: so a turned session never does.
    """
    protocol = DISCOVERED.get(asked.protocol)
    whole = asked.rung is Rung.OVERLAP and asked.stage is Stage.WHOLE and not asked.turned
    return whole and protocol is not None and protocol.brings is Brings.STATE


def newest(
    desk: Desk, peer: str, types: tuple[IndicatorType, ...], load: Callable[[], ItemSet], padded: int
) -> GoingOn | None:
    """What we, as the receiver, can go on from; None where the session has to be a whole one.

    Args:
        desk: who we are.
        peer: the sender.
        types: of what goes in.
        load: loads our set, where it is needed.
        padded: its declared size.

    Raises:
        StoreError: what was kept is damaged, or our set cannot be read.
    """
    for kept in desk.epochs.kept("receiver", peer):
        try:
            return _going_on(desk, kept, types, load, padded)
        except EpochEnded as e:
            log.info("the session with %s is a whole one: %s", peer, e)
    return None


def answering(desk: Desk, peer: str, asked: Proposal, load: Callable[[], ItemSet], padded: int) -> GoingOn:
    """What we, as the sender, answer from, where the peer names it.

    Args:
        desk: who we are.
        peer: the receiver.
        asked: what it proposes.
        load: loads our set, where it is needed.
        padded: its declared size.

    Raises:
        SessionRefused: we do not hold it, it has ended, or too much of ours has changed.
    """
    kept = next((k for k in desk.epochs.kept("sender", peer) if k.session == asked.base.hex()), None)
    if kept is None:
        raise SessionRefused("we hold no state of that session", code="state-unknown")
    if desk.epochs.answer(kept) > ANSWERS:
        raise SessionRefused("we have answered from that session too often", code="state-unknown")
    try:
        found = _going_on(desk, kept, asked.types, load, padded)
        found.state.epoch.after(asked.initiator_new, found.new)
    except (EpochEnded, StoreError) as e:
        raise SessionRefused(f"we cannot go on from that session: {e}", code="state-unknown") from e
    return found


def check_answer(going_on: GoingOn | None, responder_new: int) -> None:
    """Refuse an answer that no honest peer gives to what we go on from.

    Raises:
        PeerMisbehaved: it declares nothing as new, or more than the epoch has room for.
    """
    if bool(responder_new) is not (going_on is not None):
        raise PeerMisbehaved("the peer's answer is malformed: what is new has nothing to go on from")
    try:
        if going_on is not None:
            going_on.state.epoch.after(going_on.new, responder_new)
    except EpochEnded as e:
        raise PeerMisbehaved(f"the peer's answer is malformed: {e}") from e


def brought(going_on: GoingOn | None, agreement: Agreement, member: str) -> dict[str, Any]:
    """The state as an argument for our role; of a turned session nothing is kept."""
    if going_on is not None:
        return {"state": going_on.state}
    begins = member == agreement.responder and agreement.receiver == agreement.initiator
    return {"state": Fresh()} if begins else {}


def split(output: Any) -> tuple[Result | None, State | None]:
    """What a role returned: what it found, and what it leaves."""
    if isinstance(output, SenderState):
        return None, output
    return output, output.state if isinstance(output, Updated) else None


def delta_of(agreement: Agreement, member: str) -> Delta | None:
    """How much was new, where a session went on from another."""
    if not agreement.base:
        return None
    peer = agreement.responder if member == agreement.initiator else agreement.initiator
    return Delta(agreement.base.hex(), agreement.new_of(member), agreement.new_of(peer))


def keep(desk: Desk, agreement: Agreement, going_on: GoingOn | None, left: State | None) -> None:
    """Keep what a session left for the next one. What cannot be kept costs a whole run."""
    if left is None or agreement.receiver != agreement.initiator:
        return
    ours = desk.member == agreement.receiver
    role, peer = ("receiver", agreement.responder) if ours else ("sender", agreement.initiator)
    began = desk.clock() if going_on is None else going_on.began
    content = _name_of(agreement.types) + left.to_bytes()
    try:
        desk.epochs.put(role, peer, int(began.timestamp()), agreement.session, content)
    except CosightError as e:
        log.warning("what this session leaves is not kept, so the next one is a whole one: %s", e)


def expire(desk: Desk) -> None:
    """Delete what no session can go on from any more, because its epoch is over.

    Raises:
        StoreError: it cannot be deleted.
    """
    desk.epochs.expire(int(desk.clock().timestamp()) - desk.limits.epoch_days * _DAY_S)


def _going_on(
    desk: Desk, kept: KeptState, types: tuple[IndicatorType, ...], load: Callable[[], ItemSet], padded: int
) -> GoingOn:
    """Read a state and compare our set with it.

    Raises:
        EpochEnded: it is gone, of other types, or at its end, or too much has changed.
        StoreError: it is damaged.
    """
    data = desk.epochs.get(kept)
    if data is None:
        raise EpochEnded("the state is gone")
    began = datetime.fromtimestamp(kept.began, UTC)
    if data[:_NAME_BYTES] != _name_of(types):
        raise EpochEnded("the state is of other types")
    if (
        not timedelta(0)
        <= desk.clock() - began + timedelta(seconds=1)
        < timedelta(days=desk.limits.epoch_days)
    ):
        raise EpochEnded("the epoch is too old")
    try:
        state = _KINDS[kept.role].from_bytes(data[_NAME_BYTES:])
    except DecodeError as e:  # a state of another version
        raise EpochEnded("the state cannot be read") from e
    if state.epoch.runs >= desk.limits.epoch_runs:
        raise EpochEnded("the epoch has had all its runs")
    items = load()
    came, went = _changed(state, items)
    level = change_level(max(came, went) if isinstance(state, SenderState) else came, padded)
    if level is None:
        raise EpochEnded("too much has changed")
    if isinstance(state, SenderState):
        state.check(came, went, level)
    return GoingOn(bytes.fromhex(kept.session), state, began, items, level)


def _changed(state: State, items: ItemSet) -> tuple[int, int]:
    """How many rows of ours are new, and how many gone."""
    own = np.ascontiguousarray(items.rows[rows.unique(items.rows)])
    kept = len(rows.join(own, state.items)[0])
    return len(own) - kept, len(state.items) - kept


def _name_of(types: tuple[IndicatorType, ...]) -> bytes:
    return sha256(" ".join(sorted(map(str, types))).encode()).digest()
