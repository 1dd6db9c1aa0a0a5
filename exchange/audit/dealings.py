"""What a log says of one peer, entry by entry: what the policy asks before a session, and after it. Pure.

The store reads it from the database, the auditor from an export: both decide on the same history.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from exchange.audit.sessions import REMEMBERED, Session, count, grouped, history_of, moment, past_of
from exchange.ledger.leaf import Leaf
from exchange.ledger.tree import Seen
from exchange.policy.history import History, Past


class PeerCommitment(NamedTuple):
    """A peer's committed set as it was shown to us.

    Attributes:
        epoch: its number.
        root: the commitment, 32 bytes.
        padded: size class of the set.
        time: when it was shown, UTC.
    """

    epoch: int
    root: bytes
    padded: int
    time: datetime


@dataclass(slots=True)
class Dealings:
    """What was read of the sessions with one peer.

    Attributes:
        next: number of the first entry that was not looked at yet; None before the first reading.
        past: what the policy asks, by session.
        unsettled: the sessions that have no receipt, by session.
        seen: the longest state of the peer's log.
        seen_at: when it was shown, UTC.
        commitments: the peer's set as it was shown, one for each of its epochs, oldest first.
    """

    next: int | None = None
    past: dict[str, Past] = field(default_factory=dict)
    unsettled: dict[str, Session] = field(default_factory=dict)
    seen: Seen | None = None
    seen_at: datetime | None = None
    commitments: list[PeerCommitment] = field(default_factory=list)

    def take(self, leaves: Sequence[Leaf]) -> None:
        """Take in entries that speak of sessions with the peer; forget what is a year older than the newest.

        Raises:
            LedgerError: an entry holds what no session of this version has.
        """
        for leaf in leaves:
            self.witness(leaf)
        known = {s: self.unsettled[s] for leaf in leaves if (s := leaf.session) in self.unsettled}
        for name, session in grouped(leaves, known).items():
            self.past[name] = past_of(session)
            self.unsettled[name] = session
            if session.receipt is not None:
                del self.unsettled[name]
        if leaves:
            self._forget(moment(leaves[-1].time) - REMEMBERED)

    def witness(self, leaf: Leaf) -> None:
        """Take in what an entry says of the peer's log and set."""
        what = leaf.what
        if what.keys() >= {"log_size", "log_root"}:
            size = count(what["log_size"])
            if self.seen is None or size > self.seen.size:  # a receipt may speak of an older state
                self.seen = Seen(size, bytes.fromhex(str(what["log_root"])))
                self.seen_at = moment(leaf.time)
        if what.keys() >= {"peer_epoch", "peer_set", "peer_set_padded"}:
            epoch, padded = count(what["peer_epoch"]), count(what["peer_set_padded"])
            if not self.commitments or epoch > self.commitments[-1].epoch:
                root = bytes.fromhex(str(what["peer_set"]))
                self.commitments.append(PeerCommitment(epoch, root, padded, moment(leaf.time)))

    def bound(self, by: datetime | None = None) -> PeerCommitment | None:
        """Return the peer's set as it was shown last; or by some moment, and if all came later, first."""
        shown = self.commitments
        if not shown or by is None:
            return shown[-1] if shown else None
        return next((one for one in reversed(shown) if one.time <= by), shown[0])

    def history(self, decided: Iterable[Leaf], now: datetime) -> History:
        """Return what the policy asks, with what was decided about the peer.

        Raises:
            LedgerError: an approval names a rung or a type that this cosight does not know.
        """
        return history_of(self.past.values(), list(decided), now)

    def _forget(self, before: datetime) -> None:
        while self.past and (oldest := next(iter(self.past.values()))).began < before:
            del self.past[oldest.session]
            self.unsettled.pop(oldest.session, None)
