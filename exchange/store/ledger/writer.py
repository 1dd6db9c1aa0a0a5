"""Appending to a ledger: durable, safe between processes and threads.

Whoever has its turn writes what all threads are waiting to write, in one transaction: the disk is what takes
time, and it takes the same for one entry as for fifty. Each entry has its own checkpoint all the same.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Event, Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from sqlalchemy import Connection, Engine, insert
from sqlalchemy.dialects import sqlite

from exchange.errors import LedgerError
from exchange.ledger import Checkpoint, StoredCheckpoint, StoredLeaf, tree
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.draft import Draft
from exchange.ledger.leaf import FIRST, RUNS, Kind, Leaf, decode, note_hash, timestamp
from exchange.ledger.note import check, member_of, parse, sign
from exchange.ledger.seal import seal
from exchange.ledger.verify import History
from exchange.store.engine import create_tables, open_engine, writing
from exchange.store.ledger.head import Head
from exchange.store.ledger.reader import LedgerReader, head_path
from exchange.store.ledger.schema import (
    CHECKPOINT,
    DOCUMENT,
    LEAF,
    NODE,
    OF_SESSION,
    SCHEMA_VERSION,
    TABLES,
    ledger_errors,
    lookup,
    migrate,
    newest_note,
    note_at,
    standing,
)

# Rendered once and handed to the driver as they are: that halves the time of an append.
_INSERT_LEAF, _INSERT_NODE, _INSERT_CHECKPOINT = (
    str(insert(table).compile(dialect=sqlite.dialect())) for table in (LEAF, NODE, CHECKPOINT)
)
_OF_SESSION = str(OF_SESSION.compile(dialect=sqlite.dialect()))
_INSERT_DOCUMENT = (
    f"INSERT INTO {DOCUMENT.name} SELECT ?1, ?2, ?3 "  # noqa: S608
    f"WHERE NOT EXISTS (SELECT 1 FROM {DOCUMENT.name} WHERE hash = ?1)"
)


@dataclass(slots=True)
class _Tail:
    """What appending needs of the log so far; kept between appends, good while ``size`` and ``note`` hold."""

    size: int = 0
    note: str = ""
    frontier: tree.Frontier = field(default_factory=tree.Frontier)
    standing: History = field(default_factory=History)


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Entries that one caller waits for."""

    drafts: tuple[Draft, ...]
    time: str
    seqs: Future[list[int]] = field(default_factory=Future)
    turn: Event = field(default_factory=Event)


@dataclass(slots=True)
class _Rows:
    """What goes into the tables."""

    leaves: list[StoredLeaf] = field(default_factory=list)
    nodes: list[tree.Node] = field(default_factory=list)
    checkpoints: list[StoredCheckpoint] = field(default_factory=list)
    documents: list[tuple[str, str, bytes]] = field(default_factory=list)
    sessions: dict[str, list[Leaf]] = field(default_factory=dict)

    def add(self, more: "_Rows") -> None:
        """Take over the rows of one caller."""
        self.leaves += more.leaves
        self.nodes += more.nodes
        self.checkpoints += more.checkpoints
        self.documents += more.documents
        for session, leaves in more.sessions.items():
            self.sessions.setdefault(session, []).extend(leaves)

    def write(self, db: Connection) -> None:
        """Insert them."""
        for statement, rows in (
            (_INSERT_LEAF, self.leaves),
            (_INSERT_NODE, self.nodes),
            (_INSERT_CHECKPOINT, self.checkpoints),
            (_INSERT_DOCUMENT, self.documents),
        ):
            if rows:
                db.exec_driver_sql(statement, rows)


class LedgerStore(LedgerReader):
    """A member's ledger, open for appending."""

    def __init__(self, engine: Engine, head: Head, signer: Ed25519PrivateKey, origin: str) -> None:
        super().__init__(engine, head.path)
        self._head = head
        self._signer = signer
        self._public_key = signer.public_key().public_bytes_raw()
        self._origin = origin
        self._tail = _Tail()
        self._orders: deque[_Order] = deque()
        self._ordering = Lock()
        self._writing = False

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
            create_tables(engine, TABLES, part="ledger", version=SCHEMA_VERSION, migrate=migrate)
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

    def append(
        self, kind: Kind | str, *, now: datetime, documents: Sequence[Document] = (), **fields: object
    ) -> int:
        """Append one entry, durably, and sign the new state; the first append also opens the log.

        Args:
            kind: what is recorded.
            now: the time, with its zone.
            documents: what the entry names by hash, to be kept beside it.
            **fields: what ``docs/ledger.md`` lists for this kind; ``what`` is a dictionary.

        Returns:
            The entry's number.

        Raises:
            LedgerError: a field is wrong, the entry is out of order, or the disk or another process stands in
                the way. Nothing was written then, unless only the head file could not be.
        """
        return self.append_all([Draft(kind, fields, documents)], now=now)[0]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the right to decide on a run and to append what was decided, as one step. Waits for its turn.

        Appending alone needs none: what it waits for is decided by rules that look at the log, and a second
        decision must not be made before the first one is in it.

        Raises:
            LedgerError: another process did not let go in time, or the file system has no locks.
        """
        with self._head.turn():
            yield

    def seal(self, key: MLDSA44PrivateKey, *, now: datetime) -> int:
        """Append a seal of the log as it is now; see ``exchange.ledger.seal``.

        Returns:
            The entry's number.

        Raises:
            LedgerError: the log is empty; or see ``append``.
        """
        newest = self.newest()
        if newest is None:
            raise LedgerError("there is nothing to seal: the ledger has no entry yet")
        checkpoint, public = parse(newest), Document(DocumentKind.KEY, key.public_key().public_bytes_raw())
        what = {"size": checkpoint.size, "root": checkpoint.root.hex()}
        sealed = seal(checkpoint, int(now.timestamp()), key)
        return self.append(Kind.SEAL, now=now, documents=[public], key=public.hash, seal=sealed, what=what)

    def append_all(self, drafts: Sequence[Draft], *, now: datetime) -> list[int]:
        """Append several entries, all or none; see ``append``.

        Returns:
            The entries' numbers.

        Raises:
            LedgerError: see ``append``.
        """
        if any(draft.kind not in Kind.__members__.values() for draft in drafts):
            raise LedgerError("the ledger has no such kind of entry")
        if not drafts:
            return []
        order = _Order(tuple(drafts), timestamp(now))
        with self._ordering:
            self._orders.append(order)
            first, self._writing = not self._writing, True
        if not first:
            order.turn.wait()  # until it is written, or is the oldest that is not
        if not order.seqs.done():
            try:
                self._carry_out()
            finally:
                self._pass_on()
        return order.seqs.result()

    def _taken(self) -> list[_Order]:
        with self._ordering:
            orders = list(self._orders)
            self._orders.clear()
        return orders

    def _pass_on(self) -> None:
        """Let the next thread write, if one waits."""
        with self._ordering:
            self._writing = bool(self._orders)
            if self._orders:
                self._orders[0].turn.set()

    def _carry_out(self) -> None:
        """Write what was ordered. Each caller gets the numbers of its entries, or what went wrong."""
        orders: list[_Order] = []
        done: list[tuple[_Order, list[int]]] = []
        try:
            with self._head.locked():
                orders = self._taken()
                self._write(orders, done)
        except BaseException as e:  # noqa: BLE001  # every caller raises it, this one too
            orders = orders or self._taken()
            for order in orders:
                if not order.seqs.done():
                    order.seqs.set_exception(e)
        else:
            for order, seqs in done:
                order.seqs.set_result(seqs)
        for order in orders:
            order.turn.set()

    def _write(self, orders: Sequence[_Order], done: list[tuple[_Order, list[int]]]) -> None:
        """Write orders in one transaction; add those that are written to ``done``."""
        rows = _Rows()
        with ledger_errors(), writing(self._engine) as db:
            tail = self._load(db)
            self._check_head(db, tail)
            for order in orders:
                try:
                    tail, own = self._planned(db, tail, order, rows.sessions)
                except LedgerError as e:
                    order.seqs.set_exception(e)
                    continue
                rows.add(own)
                done.append((order, [row.seq for row in own.leaves[-len(order.drafts) :]]))
            rows.write(db)
        if done:
            self._tail = tail
            self._head.write(tail.note, tail.size)

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

    def _planned(
        self, db: Connection, tail: _Tail, order: _Order, begun: Mapping[str, list[Leaf]]
    ) -> tuple[_Tail, _Rows]:
        """The rows of one order, and the tail after them.

        Args:
            db: the database.
            tail: the tail before.
            order: what is to be written.
            begun: what others write in this transaction, by session.
        """
        rows = _Rows()
        if tail.size == 0:
            tail = self._add(db, tail, self._opening(order.time), rows, begun)
        for draft in order.drafts:
            fields = dict(draft.fields)
            leaf = Leaf(tail.size, order.time, Kind(draft.kind), note_hash(tail.note), fields)
            tail = self._add(db, tail, leaf, rows, begun)
            rows.documents += [(d.hash, str(d.kind), d.body) for d in draft.documents]
        return tail, rows

    def _add(
        self, db: Connection, tail: _Tail, leaf: Leaf, rows: _Rows, begun: Mapping[str, list[Leaf]]
    ) -> _Tail:
        """Add one entry with its tree hashes and checkpoint; return the tail after it."""
        body, session = leaf.encode(), leaf.session
        runs = tail.standing.runs.copy() if leaf.kind in RUNS else tail.standing.runs
        history = replace(tail.standing, sessions=set(), open={}, settled=set(), runs=runs)
        if session:
            stored = [decode(earlier) for (earlier,) in db.exec_driver_sql(_OF_SESSION, (session,))]
            for earlier in (*stored, *begun.get(session, ()), *rows.sessions.get(session, ())):
                if earlier.kind not in RUNS:  # those are in the tail already
                    history.admit(earlier)
        if fault := history.admit(leaf):
            raise LedgerError(f"this cannot be written to the ledger: {fault}", code="ledger-order")
        frontier = tail.frontier.copy()
        rows.nodes += frontier.append(tree.leaf_hash(body))
        note = sign(Checkpoint(history.origin, frontier.size, frontier.root()), self._signer)
        rows.leaves.append(StoredLeaf(leaf.seq, leaf.time, leaf.kind, session, leaf.peer, body))
        rows.checkpoints.append(StoredCheckpoint(frontier.size, note))
        if session:
            rows.sessions.setdefault(session, []).append(leaf)
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
