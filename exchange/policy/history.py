"""What the ledger says about a peer, as far as the policy asks: sessions, quarantine, approvals."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from crypto.dp import bound
from crypto.sketch import SLOTS
from exchange.agreement import Rung
from exchange.indicators import IndicatorType


def askable(rung: Rung, padded: int, epsilon_milli: int, questions: int | None = None) -> int:
    """Return how many values a peer that declares so many can ask about in a session.

    One for each row that it sends, and a cheat sends what it likes in each: an estimate takes as many rows as
    a sketch has slots, whatever is declared, and a count with noise the dummies besides. Where it asks one
    by one, no more than its questions.
    """
    most = SLOTS if rung is Rung.ESTIMATE else padded + (2 * bound(epsilon_milli) if epsilon_milli else 0)
    return most if questions is None else min(most, questions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One session with the peer that began, whatever became of it.

    Attributes:
        session: its id, in hex.
        began: when, UTC.
        direction: our part: ``initiator`` or ``responder``.
        rung: what the receiver was to learn.
        types: types of indicators that went in.
        ours: how many items we put in.
        peer_padded: what the peer declared; None where it did not come so far.
        questions: how many values the peer asked about one by one; None where it was not so.
        charge: the most items of ours that the peer can have learned of.
        matched: how many matched, where we know it.
        exact: whether that is the number itself; else it is at least that.
        total: the sum over what matched, where we know it.
        turned: whether the responder was the receiver.
        epsilon_milli: privacy loss that our noise allowed, in thousandths.
        closed: whether it ran to its end.
    """

    session: str
    began: datetime
    direction: str
    rung: Rung
    types: tuple[IndicatorType, ...]
    ours: int
    peer_padded: int | None = None
    questions: int | None = None
    charge: int = 0
    matched: int | None = None
    exact: bool = True
    total: int | None = None
    turned: bool = False
    epsilon_milli: int = 0
    closed: bool = False

    @property
    def asked(self) -> int:
        """How many values the peer can have asked about, where it was to learn."""
        sent = (self.direction == "initiator") is self.turned
        answers = sent and self.rung is not Rung.SIZE
        most = askable(self.rung, self.peer_padded or 0, self.epsilon_milli, self.questions)
        return most if answers or self.charge else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's word that a request may run. Whether it counts, the policy decides.

    Attributes:
        request: hash of what was approved, in hex: see ``exchange.policy.approvals``.
        rung: what may be learned.
        types: types of indicators that may go in.
        approver: who approved, by the name in the policy.
        expires: when it ends, UTC.
        signature: Ed25519, 64 bytes.
    """

    request: str
    rung: Rung
    types: tuple[IndicatorType, ...]
    approver: str
    expires: datetime
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class History:
    """What the ledger says about a peer.

    Attributes:
        past: the sessions with it, in any order; as many days back as the policy asks.
        quarantined: why the peer is in quarantine, or ``""``.
        approvals: what was approved for it.
    """

    past: tuple[Past, ...] = ()
    quarantined: str = ""
    approvals: tuple[Approval, ...] = ()

    def since(self, moment: datetime) -> Iterator[Past]:
        """The sessions that began at or after a moment."""
        return (past for past in self.past if past.began >= moment)

    def sessions_since(self, moment: datetime) -> int:
        """Return how many sessions began at or after a moment."""
        return sum(1 for _ in self.since(moment))
