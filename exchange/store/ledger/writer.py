"""Appending to a ledger: one durable transaction per entry, safe between processes."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, insert
from sqlalchemy.dialects import sqlite

from exchange.errors import LedgerError
from exchange.ledger import Checkpoint, StoredLeaf, tree
from exchange.ledger.leaf import FIRST, Kind, Leaf, decode, note_hash, timestamp
from exchange.ledger.note import check, member_of, parse, sign
from exchange.ledger.verify import History
from exchange.store.engine import create_tables, open_engine, writing
from exchange.store.ledger.head import Head
from exchange.store.ledger.reader import LedgerReader, head_path
from exchange.store.ledger.schema import (
    CHECKPOINT,
    LEAF,
    NODE,
    OF_SESSION,
    SCHEMA_VERSION,
    TABLES,
    ledger_errors,
    lookup,
    newest_note,
    note_at,
    standing,
)

# Rendered once and handed to the driver as they are: that halves the time of an append.
_INSERT_LEAF, _INSERT_NODE, _INSERT_CHECKPOINT = (
    str(insert(table).compile(dialect=sqlite.dialect())) for table in (LEAF, NODE, CHECKPOINT)
)


@dataclass(slots=True)
class _Tail:
    """What appending needs of the log so far; kept between appends, good while ``size`` and ``note`` hold."""

    size: int = 0
    note: str = ""
    frontier: tree.Frontier = field(default_factory=tree.Frontier)
    standing: History = field(default_factory=History)


class LedgerStore(LedgerReader):
    """A member's ledger, open for appending."""

    def __init__(self, engine: Engine, head: Head, signer: Ed25519PrivateKey, origin: str) -> None:
        super().__init__(engine, head.path)
        self._head = head
        self._signer = signer
        self._public_key = signer.public_key().public_bytes_raw()
        self._origin = origin
        self._tail = _Tail()

    @classmethod
    def open(cls, path: Path, *, signer: Ed25519PrivateKey, origin: str) -> "LedgerStore":
        """Open a ledger, or begin one where there is none.

        Args:
            path: the database; the head file is beside it.
            signer: the member's log key.
            origin: ``exchange.ledger.origin(member, alliance)``. A log that exists keeps its own; it changes
                when the first roster is recorded.

        Raises:
            LedgerError: it cannot be opened, is another member's, has another key, or was tampered with.
        """
        member_of(origin)
        with ledger_errors():
            engine = open_engine(f"sqlite:///{path.absolute()}", durable=True)
            create_tables(engine, TABLES, part="ledger", version=SCHEMA_VERSION)
        head = Head(head_path(path), signer.public_key().public_bytes_raw())
        store = cls(engine, head, signer, origin)
        try:
            store._begin()
        except LedgerError:
            store.close()
            raise
        return store

    def _begin(self) -> None:
        """Check that the log is the one that was written here; begin the head file of an empty one."""
        with self._head.locked(), self._reading() as db:
            tail = self._load(db)
            if tail.size == 0 and self._head.newest() is None:
                self._head.write(sign(Checkpoint(self._origin, 0, tree.EMPTY_ROOT), self._signer), 0)
            self._check_head(db, tail)

    def append(self, kind: Kind | str, *, now: datetime, **fields: object) -> int:
        """Append one entry, durably, and sign the new state; the first append also opens the log.

        Args:
            kind: what is recorded.
            now: the time, with its zone.
            **fields: what ``docs/ledger.md`` lists for this kind; ``what`` is a dictionary.

        Returns:
            The entry's number.

        Raises:
            LedgerError: a field is wrong, the entry is out of order, or the disk or another process stands in
                the way. Nothing was written then, unless only the head file could not be.
        """
        if kind not in Kind.__members__.values():
            raise LedgerError("the ledger has no such kind of entry")
        with self._head.locked():
            with ledger_errors(), writing(self._engine) as db:
                tail = self._load(db)
                self._check_head(db, tail)
                if tail.size == 0:
                    tail = self._add(db, tail, self._opening(timestamp(now)))
                leaf = Leaf(tail.size, timestamp(now), Kind(kind), note_hash(tail.note), fields)
                tail = self._add(db, tail, leaf)
            self._tail = tail
            self._head.write(tail.note, tail.size)
        return leaf.seq

    def close(self) -> None:
        """Close the database and the head file."""
        super().close()
        self._head.close()

    def _opening(self, time: str) -> Leaf:
        fields = {
            "member": member_of(self._origin),
            "origin": self._origin,
            "log_key": self._public_key.hex(),
        }
        return Leaf(0, time, Kind.OPENED, FIRST, fields)

    def _add(self, db: Connection, tail: _Tail, leaf: Leaf) -> _Tail:
        """Write one entry with its tree hashes and checkpoint; return the tail after it."""
        body = leaf.encode()
        history = replace(tail.standing, sessions=set(), open={}, settled=set())
        if leaf.session:
            for earlier in db.scalars(OF_SESSION, {"session": leaf.session}):
                history.admit(decode(earlier))
        if fault := history.admit(leaf):
            raise LedgerError(f"this cannot be written to the ledger: {fault}", code="ledger-order")
        frontier = tail.frontier.copy()
        completed = frontier.append(tree.leaf_hash(body))
        note = sign(Checkpoint(history.origin, frontier.size, frontier.root()), self._signer)
        row = StoredLeaf(leaf.seq, leaf.time, leaf.kind, leaf.session, leaf.peer, body)
        db.exec_driver_sql(_INSERT_LEAF, row)
        for node in completed:
            db.exec_driver_sql(_INSERT_NODE, node)
        db.exec_driver_sql(_INSERT_CHECKPOINT, (frontier.size, note))
        return _Tail(frontier.size, note, frontier, history)

    def _load(self, db: Connection) -> _Tail:
        """Return the tail as the database holds it, from memory when no other process appended."""
        size, note = newest_note(db)
        if (size, note) == (self._tail.size, self._tail.note):
            return self._tail
        found, find = standing(db), lookup(db)
        if (found.member, found.log_key) != (member_of(self._origin), self._public_key.hex()):
            raise LedgerError(
                "this ledger was opened by another member or with another key",
                hint="check that the keys and the ledger belong to the same home",
            )
        frontier = tree.Frontier(size, [find(*peak) for peak in tree.peaks(size)])
        # Or the next signature would make somebody else's tree ours.
        if not check(note, Checkpoint(found.origin, size, frontier.root()), self._public_key):
            raise LedgerError(
                "the ledger's tree is not the one that its newest checkpoint signs",
                code="ledger-damaged",
                hint="see what is wrong: cosight ledger verify; then restore the newest copy of the ledger",
            )
        return _Tail(size, note, frontier, found)

    def _check_head(self, db: Connection, tail: _Tail) -> None:
        """Refuse to go on from a log that is not the one remembered in the head file.

        Going on would sign a second history beside the first, which any peer could prove against us.
        """
        head = self._head.newest()
        if head is None:
            raise LedgerError(
                f"{self._head.path} holds no checkpoint of this ledger",
                code="ledger-head",
                hint="restore it together with the ledger; see docs/ledger.md",
            )
        if head.size > tail.size:
            raise LedgerError(
                f"the ledger ends at {tail.size} entries, but had {head.size}: its end was cut off",
                code="ledger-cut",
                hint="restore the newest copy of the ledger",
            )
        note = tail.note if head.size == tail.size else note_at(db, head.size)
        if head.size and parse(note) != head:
            raise LedgerError("the ledger is not the one that was written here", code="ledger-forked")
