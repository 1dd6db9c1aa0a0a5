"""Reading and verifying a ledger: for the commands, for the auditor, and for the writer itself."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import NamedTuple, Self

from sqlalchemy import Connection, Engine, select

from exchange.audit.dealings import Dealings, PeerCommitment
from exchange.audit.sessions import Session, grouped, quarantine_of
from exchange.errors import LedgerError
from exchange.ledger import (
    Checkpoint,
    Problem,
    Seen,
    Verification,
    tree,
)
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.leaf import RESULTS, Kind, Leaf, decode, timestamp
from exchange.ledger.runs import Runs
from exchange.policy.history import History
from exchange.store.engine import open_engine, reading
from exchange.store.ledger import dealings
from exchange.store.ledger.head import read_head
from exchange.store.ledger.recompute import verify_stored
from exchange.store.ledger.schema import (
    CHECKPOINT,
    COMMITMENT,
    DOCUMENT_AT,
    DOCUMENTS,
    INTENTS_SINCE,
    LEAF,
    OF_SESSION,
    has_documents,
    ledger_errors,
    lookup,
    newest_note,
    note_at,
    standing,
)


class Rows(NamedTuple):
    """A ledger at one moment.

    Attributes:
        size: number of entries.
        note: the newest checkpoint, ``""`` while the log is empty.
        bodies: the entries, oldest first.
        notes: the checkpoint after each.
        documents: what entries name by hash.
    """

    size: int
    note: str
    bodies: Iterable[bytes]
    notes: Iterable[str]
    documents: list[Document]


class LedgerReader:
    """Reads and verifies a ledger. Needs no private key and writes nothing."""

    def __init__(self, engine: Engine, head: Path) -> None:
        self._engine = engine
        self._head_path = head
        self._dealings: dict[str, Dealings] = {}
        self._turn = Lock()

    @classmethod
    def open_read_only(cls, path: Path) -> "LedgerReader":
        """Open an existing ledger for reading.

        Raises:
            LedgerError: there is none, or it cannot be opened.
        """
        if not path.exists():
            raise LedgerError(f"there is no ledger at {path}")
        with ledger_errors():
            engine = open_engine(f"sqlite:///{path.absolute()}", durable=True, read_only=True)
        return LedgerReader(engine, head_path(path))

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        """Everything that an export holds, as it stands at one moment.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._reading() as db:
            size, note = newest_note(db)
            streamed = db.execution_options(yield_per=1000)
            bodies = streamed.scalars(select(LEAF.c.body).order_by(LEAF.c.seq))
            notes = streamed.scalars(select(CHECKPOINT.c.note).order_by(CHECKPOINT.c.size))
            documents = db.execute(DOCUMENTS).all() if has_documents(db) else []
            yield Rows(size, note, bodies, notes, [Document(DocumentKind(k), bytes(b)) for k, b in documents])

    def entries(self, start: int = 0, limit: int | None = None) -> list[Leaf]:
        """Return entries in order, from number ``start``, at most ``limit``.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        statement = select(LEAF.c.body).where(LEAF.c.seq >= start).order_by(LEAF.c.seq).limit(limit)
        with self._reading() as db:
            return [decode(body) for body in db.scalars(statement)]

    def session(self, session: str) -> Session | None:
        """Return one session, None when no intent names it.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._reading() as db:
            leaves = [decode(body) for body in db.scalars(OF_SESSION, {"session": session})]
        return grouped(leaves).get(session)

    def sessions(self) -> list[Session]:
        """Return all sessions that have an intent, oldest first.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        kinds = {Kind.INTENT, *RESULTS, Kind.RECEIPT}
        statement = select(LEAF.c.body).where(LEAF.c.kind.in_(kinds)).order_by(LEAF.c.seq)
        with self._reading() as db:
            return list(grouped(map(decode, db.scalars(statement))).values())

    def document(self, name: str) -> bytes | None:
        """Return what entries name by this hash, in hex; None when it is not kept here.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._reading() as db:
            found = db.scalar(DOCUMENT_AT, {"hash": name}) if has_documents(db) else None
        return None if found is None else bytes(found)

    def documents(self) -> list[Document]:
        """Return everything that entries name by hash, in the order of the hashes.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._reading() as db:
            rows = db.execute(DOCUMENTS).all() if has_documents(db) else []
        return [Document(DocumentKind(kind), bytes(body)) for kind, body in rows]

    def has_session(self, session: str) -> bool:
        """Say whether any entry, a refusal included, names this session: it must not run again.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._reading() as db:
            return db.scalar(OF_SESSION, {"session": session}) is not None

    def intents_since(self, peer: str, since: datetime) -> int:
        """Return how many sessions with this peer began at or after ``since``, finished or not.

        Raises:
            LedgerError: the database cannot be read, or ``since`` has no time zone.
        """
        with self._reading() as db:
            return db.scalar(INTENTS_SINCE, {"peer": peer, "since": timestamp(since)}) or 0

    def history(self, peer: str, now: datetime) -> History:
        """Return what the policy asks about a peer: its sessions of the last 366 days, and what was decided.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._dealings_with(peer) as (db, known):
            return known.history(dealings.decided(db, peer), now)

    def unsettled(self, peer: str, direction: str) -> list[Session]:
        """Return the sessions of the last year that have an agreement and no receipt, oldest first.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._dealings_with(peer) as (_, known):
            found = list(known.unsettled.values())
        return [s for s in found if s.agreement and s.intent.fields["direction"] == direction]

    def seen(self, peer: str) -> Seen | None:
        """Return the longest state of a peer's log that it has shown us.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._dealings_with(peer) as (_, known):
            return known.seen

    def seen_at(self, peer: str) -> datetime | None:
        """Return when that state was shown to us.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._dealings_with(peer) as (_, known):
            return known.seen_at

    def peer_commitment(self, peer: str, by: datetime | None = None) -> PeerCommitment | None:
        """Return a peer's committed set as it was shown to us, None where none was.

        Args:
            peer: the other member.
            by: the newest that was shown by then, or the oldest where all came later; None for the newest.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._dealings_with(peer) as (_, known):
            return known.bound(by)

    @contextmanager
    def _dealings_with(self, peer: str) -> Iterator[tuple[Connection, Dealings]]:
        """The sessions with a peer, read up to now; one thread at a time."""
        with self._turn, self._reading() as db:
            known = self._dealings.setdefault(peer, Dealings())
            dealings.read(db, peer, known)
            yield db, known

    def commitment(self) -> Leaf | None:
        """Return our newest commitment to our set.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._reading() as db:
            body = db.scalar(COMMITMENT)
        return None if body is None else decode(body)

    def quarantined(self, peer: str) -> str:
        """Return why a peer is in quarantine, or ``""``.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._reading() as db:
            return quarantine_of(dealings.decided(db, peer))

    def approvals(self, peer: str) -> list[Leaf]:
        """Return the approvals recorded for a peer, oldest first, also those that have expired.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._reading() as db:
            return dealings.approvals(db, peer)

    def roster_epoch(self) -> int:
        """Return the epoch of the newest roster that was recorded, -1 when none was.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._reading() as db:
            return standing(db).epoch

    def policy(self) -> str:
        """Return the hash of the policy that was recorded last, in hex, ``""`` when none was.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._reading() as db:
            return standing(db).policy

    def runs(self) -> Runs:
        """Return the runs in which this member counted together with others, or meant to.

        Raises:
            LedgerError: the database or an entry cannot be read.
        """
        with self._reading() as db:
            return standing(db).runs

    def newest(self) -> str | None:
        """Return the newest checkpoint as a signed note, None while the log is empty.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._reading() as db:
            return newest_note(db)[1] or None

    def note(self, size: int) -> str:
        """Return the signed checkpoint over the first ``size`` entries, ``""`` where the log is shorter.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._reading() as db:
            return note_at(db, size)

    def root_at(self, size: int) -> bytes:
        """Return the root over the first ``size`` entries, 32 bytes.

        Raises:
            LedgerError: the database cannot be read, or the log is shorter.
        """
        with self._reading() as db:
            return tree.root(size, lookup(db))

    def inclusion_proof(self, seq: int, size: int) -> list[bytes]:
        """Return the RFC 6962 audit path of an entry in the log of the first ``size`` entries.

        Raises:
            IndexError: there is no such entry at that size.
            LedgerError: the database cannot be read, or the log is shorter.
        """
        with self._reading() as db:
            return tree.inclusion_proof(seq, size, lookup(db))

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Return the RFC 6962 proof that the log of ``old`` entries is the beginning of the one of ``new``.

        Raises:
            IndexError: ``old`` is larger than ``new``.
            LedgerError: the database cannot be read, or the log is shorter.
        """
        with self._reading() as db:
            return tree.consistency_proof(old, new, lookup(db))

    def verify(
        self,
        *,
        public_key: bytes | None = None,
        known: Sequence[Checkpoint] = (),
        every_signature: bool = False,
    ) -> Verification:
        """Recompute everything that is stored and compare, also with the head file beside the database.

        Args:
            public_key: the log's key from a place that whoever can write here cannot change, such as the
                roster. Without it the log proves to be whole, but not to be this member's.
            known: further checkpoints remembered elsewhere.
            every_signature: see ``exchange.ledger.verify``.
        """
        try:
            # The head is read before the rows: if another process appends meanwhile, the rows are newer.
            head = read_head(self._head_path, public_key or self._own_key())
            with self._reading() as db:
                seen = [*known, *([head] if head else [])]
                found = verify_stored(db, public_key, seen, every_signature=every_signature)
        except LedgerError as e:
            return Verification(0, 0, (), 0, (), (Problem(None, str(e)),), (), None)
        if head is None and found.leaves:
            missing = Problem(None, f"{self._head_path.name} holds no checkpoint of this log")
            return replace(found, problems=(*found.problems, missing))
        return found

    def _own_key(self) -> bytes:
        """The key that the log names, or nothing where that cannot be read: verifying says so then."""
        try:
            with self._reading() as db:
                return bytes.fromhex(standing(db).log_key)
        except LedgerError:
            return b""

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with ledger_errors(), reading(self._engine) as db:
            yield db


def head_path(path: Path) -> Path:
    """Return where the head file of a ledger is."""
    return path.with_suffix(".head")
