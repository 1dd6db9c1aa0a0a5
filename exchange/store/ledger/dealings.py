"""What a ledger says about one peer. A busy pair has thousands of entries a year: new ones alone are read."""

from typing import Any

from sqlalchemy import Connection, Select

from exchange.audit.dealings import Dealings
from exchange.audit.sessions import REMEMBERED, moment
from exchange.ledger.leaf import Kind, Leaf, decode, timestamp
from exchange.store.ledger.schema import DEALINGS_FROM, DEALINGS_WITH, DECIDED, FIRST_SINCE, NEWEST_DEALING


def read(db: Connection, peer: str, known: Dealings) -> None:
    """Take in what was appended about sessions with a peer since the last reading.

    Raises:
        LedgerError: an entry cannot be read.
    """
    start = _start(db, peer) if known.next is None else known.next
    leaves = _decoded(db, DEALINGS_FROM, peer=peer, start=start)
    if known.next is None:
        _look_back(db, peer, known, leaves)
    known.take(leaves)
    known.next = leaves[-1].seq + 1 if leaves else start


def _start(db: Connection, peer: str) -> int:
    """The number of the entry with which the last year of sessions with a peer begins."""
    newest = _decoded(db, NEWEST_DEALING, peer=peer)
    if not newest:
        return 0
    since = timestamp(moment(newest[0].time) - REMEMBERED)
    return db.scalar(FIRST_SINCE, {"peer": peer, "since": since}) or 0


def _look_back(db: Connection, peer: str, known: Dealings, leaves: list[Leaf]) -> None:
    """Look further back for what the last year does not say of the peer's log and set."""
    for name in ("log_size", "peer_epoch"):
        if not any(name in leaf.what for leaf in leaves):
            for leaf in _decoded(db, DEALINGS_WITH, peer=peer, field=name.encode()):
                known.witness(leaf)


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


def _decoded(db: Connection, statement: Select[tuple[Any]], **values: object) -> list[Leaf]:
    return [decode(body) for body in db.scalars(statement, values)]
