"""What a disclosure needs from the world, and the words that the two sides exchange about it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crypto.psi import Output
from crypto.rows import Rows
from crypto.session import Message, Receive
from exchange.agreement import Agreement, Rung, Stage
from exchange.config import Limits
from exchange.indicators import Indicator, IndicatorType
from exchange.planning import Plan
from exchange.policy import History, Policy

SESSION_BYTES = 32


class ItemSet(Protocol):
    """What we put in: distinct rows, and for each the identifier of its indicator."""

    @property
    def rows(self) -> Rows:
        """``(n, 32)`` uint8."""

    @property
    def ids(self) -> NDArray[np.int64]:
        """``(n,)`` int64."""


class Items(Protocol):
    """Where our set comes from."""

    def types(self, *, now: datetime) -> list[IndicatorType]:
        """The types that we would put anything in of now, in their order."""

    def size(self, types: Collection[IndicatorType], /, *, now: datetime) -> int:
        """How many distinct items of these types we would put in now."""

    def item_set(self, types: Collection[IndicatorType], /, *, now: datetime) -> ItemSet:
        """The items themselves."""

    def values(self, ids: NDArray[np.int64]) -> list[Indicator]:
        """The indicators behind these identifiers, in their order."""


class Ledger(Protocol):
    """Where every decision is written before it takes effect."""

    def append(self, kind: str, *, now: datetime, **fields: Any) -> int:
        """Write one leaf, durably."""

    def has_session(self, session: str) -> bool:
        """Whether any leaf speaks of this session."""

    def history(self, peer: str, now: datetime) -> History:
        """What the policy needs to know of the past."""


class Ready(Protocol):
    """A correlation that was made ahead and not used yet."""

    @property
    def elements(self) -> int:
        """How many elements it has."""

    @property
    def session(self) -> str:
        """The session that made it, in hex."""


class Stash(Protocol):
    """Correlations that were made ahead, by peer and side: ``receiver`` or ``sender``."""

    def ready(self, role: str, peer: str, /) -> Sequence[Ready]:
        """What there is, the smallest first."""

    def put(self, role: str, peer: str, elements: int, session: str, rows: Rows, /) -> None:
        """Keep one."""

    def prune(self, role: str, peer: str, keep: int, /) -> None:
        """Drop all but the newest."""

    def take(self, ready: Any, /) -> Rows | None:
        """Take one for good, before it is used; ``None`` if somebody else has taken it."""


class Channel(Protocol):
    """Messages of one run, to and from the peer."""

    sent: int
    received: int
    bytes_per_s: float

    async def send(self, message: Message) -> None:
        """Hand one message to the peer."""

    async def receive(self, want: Receive) -> Message:
        """Wait for one message of this kind and size."""

    async def end(self) -> None:
        """Wait for the peer to close its side."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a node decides with, whichever side it is on.

    Attributes:
        member: our id.
        alliance: the alliance's name.
        roster: gives ``(epoch, hash)`` of the roster that is in force.
        sign: our identity key's signature over an agreement.
        verify: whether a signature over an agreement is that member's.
        policy: gives the policy that is in force.
        items: our set.
        ledger: our ledger.
        stash: what we have made ahead.
        clock: the time, UTC.
        software: name and version, pinned in the agreement.
        limits: what a session may cost.
    """

    member: str
    alliance: str
    roster: Callable[[], tuple[int, bytes]]
    sign: Callable[[Agreement], bytes]
    verify: Callable[[str, Agreement, bytes], bool]
    policy: Callable[[], Policy]
    items: Items
    ledger: Ledger
    stash: Stash
    clock: Callable[[], datetime]
    software: str
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the initiator asks for. It is always the receiver."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the responder adds. Its signature is over the agreement that both make of it."""

    nonce: bytes
    padded: int
    policy_hash: bytes
    software: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a session gave, for whoever started it.

    Attributes:
        ids: of our items that matched, ``None`` below the rung ``overlap``.
        matches: the indicators behind them, once they were looked up.
        bytes_per_s: at which the peer's bulk messages came, or 0 where there was none.
        ahead: whether what depends on nobody's items had been done before.
        plan: why this protocol, where it was chosen for its speed.
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
    ids: NDArray[np.int64] | None = field(repr=False)
    matches: list[Indicator] | None = field(default=None, repr=False)
    total_s: float
    crypto_s: float
    offline_s: float
    sent: int
    received: int
    bytes_per_s: float
    ahead: bool
    plan: Plan | None = None


def agreement_of(desk: Desk, initiator: str, responder: str, proposal: Proposal, answer: Answer) -> Agreement:
    """The one agreement that follows from a proposal and its answer; both sides compute it."""
    return Agreement(
        alliance=desk.alliance,
        roster_epoch=proposal.roster_epoch,
        roster_hash=proposal.roster_hash,
        initiator=initiator,
        responder=responder,
        receiver=initiator,
        output=proposal.output,
        rung=proposal.rung,
        protocol=proposal.protocol,
        stage=proposal.stage,
        correlation=proposal.correlation,
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
        deadline_s=proposal.deadline_s,
        initiator_software=proposal.software,
        responder_software=answer.software,
    )
