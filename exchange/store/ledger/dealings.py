"""What a ledger says about one peer: the sessions of the last year, and where its log and its set stood.

A busy pair has thousands of entries a year, so what was read once is kept, and only what is new is decoded.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select

from exchange.audit.sessions import REMEMBERED, Session, count, grouped, history_of, moment, past_of
from exchange.ledger.leaf import Kind, Leaf, decode, timestamp
from exchange.ledger.tree import Seen
from exchange.policy.history import History, Past
from exchange.store.ledger.schema import DEALINGS_FROM, DEALINGS_WITH, DECIDED, FIRST_SINCE, NEWEST_DEALING


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
        commitment: the peer's set as it was last shown.
    """

    next: int | None = None
    past: dict[str, Past] = field(default_factory=dict)
    unsettled: dict[str, Session] = field(default_factory=dict)
    seen: Seen | None = None
    commitment: PeerCommitment | None = None

    def read(self, db: Connection, peer: str) -> None:
        """Take in what was appended since the last reading; forget what is a year older than the newest.

        Raises:
            LedgerError: an entry cannot be read.
        """
        start = _start(db, peer) if self.next is None else self.next
        leaves = _decoded(db, DEALINGS_FROM, peer=peer, start=start)
        if self.next is None:
            self._begin(db, peer, leaves)
        for leaf in leaves:
            self._witness(leaf)
        touched = {leaf.session for leaf in leaves}
        for name, session in grouped(leaves, self.unsettled).items():
            if name in touched:
                self.past[name] = past_of(session)
                self.unsettled[name] = session
            if session.receipt is not None:
                del self.unsettled[name]
        self.next = leaves[-1].seq + 1 if leaves else start
        self._forget()

    def _begin(self, db: Connection, peer: str, leaves: list[Leaf]) -> None:
        """Look further back for what the last year does not say."""
        for name in ("log_size", "peer_epoch"):
            if not any(name in leaf.what for leaf in leaves):
                for leaf in _decoded(db, DEALINGS_WITH, peer=peer, field=name.encode()):
                    self._witness(leaf)

    def _witness(self, leaf: Leaf) -> None:
        what = leaf.what
        if what.keys() >= {"log_size", "log_root"}:
            size = count(what["log_size"])
            if self.seen is None or size > self.seen.size:  # a receipt may speak of an older state
                self.seen = Seen(size, bytes.fromhex(str(what["log_root"])))
        if what.keys() >= {"peer_epoch", "peer_set", "peer_set_padded"}:
            epoch, padded = count(what["peer_epoch"]), count(what["peer_set_padded"])
            if self.commitment is None or epoch >= self.commitment.epoch:
                root = bytes.fromhex(str(what["peer_set"]))
                self.commitment = PeerCommitment(epoch, root, padded, moment(leaf.time))

    def _forget(self) -> None:
        began = [past.began for past in self.past.values()]
        before = max(began) - REMEMBERED if began else None
        for name in [name for name, past in self.past.items() if before and past.began < before]:
            del self.past[name]
            self.unsettled.pop(name, None)


def _start(db: Connection, peer: str) -> int:
    """The number of the entry with which the last year of sessions with a peer begins."""
    newest = _decoded(db, NEWEST_DEALING, peer=peer)
    if not newest:
        return 0
    since = timestamp(moment(newest[0].time) - REMEMBERED)
    return db.scalar(FIRST_SINCE, {"peer": peer, "since": since}) or 0


def decided(db: Connection, peer: str) -> list[Leaf]:
    """Return the quarantines, their ends, and the approvals of a peer, oldest first.

    Raises:
        LedgerError: an entry cannot be read.
    """
    return _decoded(db, DECIDED, peer=peer)


def approvals(db: Connection, peer: str) -> list[Leaf]:
    """Return the approvals recorded for a peer, oldest first.

    Raises:
        LedgerError: an entry cannot be read.
    """
    return [leaf for leaf in decided(db, peer) if leaf.kind is Kind.APPROVAL]


def history(db: Connection, peer: str, known: Dealings, now: datetime) -> History:
    """Return what the policy asks about a peer.

    Raises:
        LedgerError: an entry cannot be read.
    """
    return history_of(known.past.values(), decided(db, peer), now)


def _decoded(db: Connection, statement: Select[tuple[Any]], **values: object) -> list[Leaf]:
    return [decode(body) for body in db.scalars(statement, values)]
