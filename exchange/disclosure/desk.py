"""Who decides and with what, and the words that the two sides exchange about a session."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from crypto.psi import Band, Noisy, Output
from exchange import agreement as agreements
from exchange.agreement import Agreement, Rung, Stage
from exchange.config import Limits
from exchange.disclosure.shelf import Shelf
from exchange.disclosure.world import EpochStates, Items, Ledger, Sketches, Stash
from exchange.errors import NotAuthorised
from exchange.identity.roster import Member
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.context import Context
from exchange.planning import Plan
from exchange.policy import Policy

SESSION_BYTES = 32


@dataclass(slots=True)
class Throttle:
    """Bounds what one peer can make us write: it must not be able to fill our disk.

    Attributes:
        per_hour: entries about refusals and alarms in any hour.
    """

    per_hour: int = 100
    _recent: dict[str, deque[datetime]] = field(default_factory=dict)

    def passes(self, peer: str, now: datetime) -> bool:
        """Say whether one more may be written about a peer, and count it."""
        recent = self._recent.setdefault(peer, deque(maxlen=self.per_hour))
        if len(recent) == self.per_hour and now - recent[0] < timedelta(hours=1):
            return False
        recent.append(now)
        return True


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a node decides with, whichever side it is on.

    Attributes:
        member: our id.
        alliance: the alliance's name.
        roster: gives ``(epoch, hash)`` of the roster that is in force.
        identity: our identity key.
        find: a member of that roster by its id, or None.
        policy: gives the policy that is in force.
        items: our set.
        ledger: our ledger.
        stash: what we have made ahead.
        sketches: sketches of our set that were made before.
        epochs: what sessions left for the next one.
        clock: the time, UTC.
        software: name and version, pinned in the agreement.
        limits: what a session may cost.
        guard_key: 32 secret bytes, from which canaries and the salts of our commitments come.
        throttle: what one peer can make us write.
        seal: what is done with the ledger after every session.
        keep: what is done with what a session told us.
        shelf: the filters that we publish; None where we publish none.
    """

    member: str
    alliance: str
    roster: Callable[[], tuple[int, bytes]]
    identity: Ed25519PrivateKey = field(repr=False)
    find: Callable[[str], Member | None]
    policy: Callable[[], Policy]
    items: Items
    ledger: Ledger
    stash: Stash
    sketches: Sketches
    epochs: EpochStates
    clock: Callable[[], datetime]
    software: str
    limits: Limits
    guard_key: bytes = field(repr=False)
    throttle: Throttle = field(default_factory=Throttle)
    seal: Callable[[], None] = lambda: None
    keep: Callable[["Learned"], None] = lambda _learned: None
    shelf: Shelf | None = None

    def member_named(self, peer: str) -> Member:
        """Somebody on the roster in force.

        Raises:
            NotAuthorised: nobody has this name.
        """
        member = self.find(peer)
        if member is None:
            raise NotAuthorised(f"{peer} is not on the roster", code="not-on-roster")
        return member

    def sign(self, agreement: Agreement) -> bytes:
        """Our signature over an agreement."""
        return agreements.sign(agreement, self.identity)

    def verify(self, peer: str, agreement: Agreement, signature: bytes) -> bool:
        """Whether a signature over an agreement is that member's."""
        member = self.find(peer)
        return member is not None and agreements.verify(agreement, signature, member.identity_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the initiator asks for. It is the receiver, unless the session is ``turned``."""

    session: bytes
    roster_epoch: int
    roster_hash: bytes
    rung: Rung
    output: Output
    protocol: str
    profile: str
    types: tuple[IndicatorType, ...]
    padded: int
    stat_sec: int
    purpose: str
    policy_hash: bytes
    software: str
    deadline_s: int
    stage: Stage = Stage.WHOLE
    correlation: bytes = b""
    below: bytes = b""
    policy_revision: int = 0
    base: bytes = b""
    initiator_new: int = 0
    over: str = ""
    turned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the responder adds. Its signature is over the agreement that both make of it."""

    nonce: bytes
    padded: int
    policy_hash: bytes
    software: str
    signature: bytes
    policy_revision: int = 0
    set: bytes = b""
    responder_new: int = 0
    label_bytes: int = 0
    bands: tuple[int, ...] = ()
    epsilon_milli: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """How similar two sets are, by what two sketches of them have in common.

    Attributes:
        equal: how many slots of the sketches are equal.
        slots: how many there are.
        confidence: how often such intervals hold the truth.
        jaccard: least, estimate, most: the shared part of all that either holds.
        shared: least, estimate, most: how many items both hold.
        of_ours: least, estimate, most: which part of our items that is.
        of_peers: the same of the peer's.
    """

    equal: int
    slots: int
    confidence: float
    jaccard: tuple[float, float, float]
    shared: tuple[int, int, int]
    of_ours: tuple[float, float, float]
    of_peers: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a run told us. What a rung does not tell is None.

    Attributes:
        count: how many items of ours matched.
        ids: which.
        canaries: how many canaries matched, where we can tell.
        total: the sum of the sender's numbers on them.
        band: between which bounds the number lies.
        noisy: the number, give or take noise.
        estimate: about how many.
        contexts: for each of ``ids`` what the sender says of it; None where that is nothing.
    """

    count: int | None = None
    ids: NDArray[np.int64] | None = field(default=None, repr=False)
    canaries: int = 0
    total: int | None = None
    band: Band | None = None
    noisy: Noisy | None = None
    estimate: Estimated | None = None
    contexts: list[Context | None] | None = field(default=None, repr=False)

    def facts(self) -> dict[str, int]:
        """What of it the ledger holds: numbers, and which kind of number each is."""
        numbers = {
            "matched": self.count,
            "total": self.total,
            "at_least": None if self.band is None else self.band.low,
            "estimated": None if self.noisy is None else max(self.noisy.count, 0),
        }
        if self.estimate is not None:
            numbers["estimated"] = self.estimate.shared[1]
        return {name: number for name, number in numbers.items() if number is not None}

    def known(self) -> dict[str, Any]:
        """The same in the words of a policy's history: see ``Past``."""
        facts = self.facts()
        numbers = (facts[name] for name in ("matched", "estimated", "at_least") if name in facts)
        return {
            "matched": next(numbers, None),
            "exact": "at_least" not in facts,
            "total": facts.get("total"),
        }


@dataclass(frozen=True, slots=True)
class Delta:
    """How much was new in a session that went on from another.

    Attributes:
        base: that one, in hex.
        new_ours: rows that we declared as new.
        new_peer: rows that the peer did.
    """

    base: str
    new_ours: int
    new_peer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What one session told us, to be kept until our operator has seen it.

    Attributes:
        session: its id, in hex.
        peer: the other member.
        direction: our part: ``initiator`` or ``responder``.
        time: when, RFC 3339.
        rung: of the ladder.
        protocol: its name.
        over: where a sum was asked for, what was added up.
        types: of which types.
        found: what we learned.
    """

    session: str
    peer: str
    direction: str
    time: str
    rung: Rung
    protocol: str
    over: str
    types: tuple[IndicatorType, ...]
    found: Found = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a session gave, for whoever started it.

    Attributes:
        found: all that the run told us.
        over: where a sum was asked for, what was added up.
        count: how many of our items matched, ``None`` where we do not learn the exact number.
        ids: which, ``None`` below the rung ``overlap``.
        matches: the indicators behind them, once they were looked up.
        bytes_per_s: at which the peer's bulk messages came, or 0 where there was none.
        ahead: whether what depends on nobody's items had been done before.
        settled: whether both sides signed the receipt; else it is asked for at the next contact.
        canaries: how many of the values matched that we planted for this peer: an alarm.
        alarms: what else no honest peer shares with us: kinds of findings.
        plan: why this protocol, where it was chosen for its speed.
        delta: how much was new, where the session went on from another.
    """

    session: str
    peer: str
    rung: Rung
    output: Output
    protocol: str | None
    types: tuple[IndicatorType, ...]
    ours: int
    ours_padded: int
    peer_padded: int
    count: int | None
    ids: NDArray[np.int64] | None = field(repr=False)
    matches: list[Indicator] | None = field(default=None, repr=False)
    total_s: float
    crypto_s: float
    offline_s: float
    sent: int
    received: int
    bytes_per_s: float
    ahead: bool
    found: Found = field(default_factory=Found)
    over: str = ""
    settled: bool = False
    canaries: int = 0
    alarms: tuple[str, ...] = ()
    plan: Plan | None = None
    delta: Delta | None = None


def agreement_of(
    desk: Desk, initiator: str, responder: str, proposal: Proposal, answer: Answer, initiator_set: bytes
) -> Agreement:
    """The one agreement that follows from a proposal and its answer; both sides compute it.

    Args:
        desk: who we are.
        initiator: who proposed.
        responder: who answered.
        proposal: what was asked for.
        answer: what was added.
        initiator_set: the commitment that the initiator has shown, or ``b""``.
    """
    return Agreement(
        alliance=desk.alliance,
        roster_epoch=proposal.roster_epoch,
        roster_hash=proposal.roster_hash,
        initiator=initiator,
        responder=responder,
        receiver=responder if proposal.turned else initiator,
        output=proposal.output,
        rung=proposal.rung,
        protocol=proposal.protocol,
        stage=proposal.stage,
        correlation=proposal.correlation,
        below=proposal.below,
        base=proposal.base,
        initiator_new=proposal.initiator_new,
        responder_new=answer.responder_new,
        over=proposal.over,
        label_bytes=answer.label_bytes,
        bands=answer.bands,
        epsilon_milli=answer.epsilon_milli,
        profile=proposal.profile,
        types=tuple(sorted(proposal.types)),
        initiator_padded=proposal.padded,
        responder_padded=answer.padded,
        initiator_nonce=proposal.session,
        responder_nonce=answer.nonce,
        stat_sec=proposal.stat_sec,
        purpose=proposal.purpose,
        initiator_policy=proposal.policy_hash,
        responder_policy=answer.policy_hash,
        initiator_revision=proposal.policy_revision,
        responder_revision=answer.policy_revision,
        initiator_set=initiator_set,
        responder_set=answer.set,
        deadline_s=proposal.deadline_s,
        initiator_software=proposal.software,
        responder_software=answer.software,
    )
