"""The tables of the ledger, which refuse every change but appending, and the queries on them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    DDL,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    event,
    func,
    select,
    text,
)

from exchange.errors import LedgerError, StoreError
from exchange.ledger import tree
from exchange.ledger.leaf import RUNS, decode
from exchange.ledger.verify import History

SCHEMA_VERSION = 3

_STANDING = "kind IN ('opened', 'roster', 'commitment', 'policy')"
_RUNS = f"kind IN {tuple(sorted(map(str, RUNS)))}"
_DECIDED = "kind IN ('quarantine', 'lift', 'approval')"

TABLES = MetaData()
LEAF = Table(
    "leaf",
    TABLES,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("time", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("leaf_session", "session", sqlite_where=text("session <> ''")),
    Index("leaf_quota", "peer", "time", sqlite_where=text("kind = 'intent'")),
    Index("leaf_standing", "seq", sqlite_where=text(_STANDING)),
    Index("leaf_runs", "seq", sqlite_where=text(_RUNS)),
    Index("leaf_dealings", "peer", "seq", sqlite_where=text("session <> ''")),
    Index("leaf_decided", "peer", "seq", sqlite_where=text(_DECIDED)),
    sqlite_strict=True,
)
NODE = Table(
    "node",
    TABLES,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
CHECKPOINT = Table(
    "checkpoint",
    TABLES,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    sqlite_strict=True,
)
DOCUMENT = Table(
    "document",
    TABLES,
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
# REPLACE deletes without a delete trigger firing, hence the insert triggers: rows go to the end only.
_AT_THE_END = {
    LEAF: "NEW.seq <> coalesce((SELECT max(seq) + 1 FROM leaf), 0)",
    CHECKPOINT: "NEW.size <> coalesce((SELECT max(size) + 1 FROM checkpoint), 1)",
    NODE: "EXISTS (SELECT 1 FROM node WHERE level = NEW.level AND idx = NEW.idx)",
    DOCUMENT: "EXISTS (SELECT 1 FROM document WHERE hash = NEW.hash)",
}
for _table, _misplaced in _AT_THE_END.items():
    for _verb, _when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", f"WHEN {_misplaced}")):
        event.listen(
            _table,
            "after_create",
            DDL(  # type: ignore[no-untyped-call]
                f"CREATE TRIGGER {_table.name}_{_verb.lower()} BEFORE {_verb} ON {_table.name} {_when} "
                "BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END"
            ),
        )


# Built once: SQLAlchemy then finds each compiled form by identity. The literals let partial indexes be used.
OF_SESSION = select(LEAF.c.body).where(LEAF.c.session == bindparam("session"), text("session <> ''"))
NEWEST = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1"  # as text: every append asks it
NOTE_AT = select(CHECKPOINT.c.note).where(CHECKPOINT.c.size == bindparam("size"))
STANDING = select(LEAF.c.body).where(text(_STANDING)).order_by(LEAF.c.seq)
OF_RUNS = select(LEAF.c.body).where(text(_RUNS)).order_by(LEAF.c.seq)
NODE_AT = select(NODE.c.hash).where(NODE.c.level == bindparam("level"), NODE.c.idx == bindparam("idx"))
_OF_PEER = LEAF.c.peer == bindparam("peer")
_INTENTS_SINCE = (_OF_PEER, LEAF.c.time >= bindparam("since"), text("kind = 'intent'"))
INTENTS_SINCE = select(func.count()).select_from(LEAF).where(*_INTENTS_SINCE)
FIRST_SINCE = select(func.min(LEAF.c.seq)).where(*_INTENTS_SINCE)
_DEALINGS = (_OF_PEER, text("session <> ''"))
NEWEST_DEALING = select(LEAF.c.body).where(*_DEALINGS).order_by(LEAF.c.seq.desc()).limit(1)
DEALINGS_FROM = select(LEAF.c.body).where(*_DEALINGS, LEAF.c.seq >= bindparam("start")).order_by(LEAF.c.seq)
DEALINGS_WITH = (
    select(LEAF.c.body)
    .where(*_DEALINGS, func.instr(LEAF.c.body, bindparam("field")) > 0)
    .order_by(LEAF.c.seq)
)
DECIDED = select(LEAF.c.body).where(_OF_PEER, text(_DECIDED)).order_by(LEAF.c.seq)
COMMITMENT = (
    select(LEAF.c.body)
    .where(text(_STANDING), text("kind = 'commitment'"))
    .order_by(LEAF.c.seq.desc())
    .limit(1)
)
DOCUMENTS = select(DOCUMENT.c.kind, DOCUMENT.c.body).order_by(DOCUMENT.c.hash)
DOCUMENT_AT = select(DOCUMENT.c.body).where(DOCUMENT.c.hash == bindparam("hash"))


def migrate(db: Connection, version: int) -> bool:
    """Bring older tables up to these: version 2 had no index of runs, version 1 no documents either."""
    if version not in {1, 2}:
        return False
    if version == 1:
        db.exec_driver_sql("DROP INDEX IF EXISTS leaf_standing")  # it left out kinds that are new
        DOCUMENT.create(db)
    for index in LEAF.indexes:
        index.create(db, checkfirst=True)
    return True


def newest_note(db: Connection) -> tuple[int, str]:
    """The newest checkpoint's size and note; ``(0, "")`` in an empty log."""
    row = db.exec_driver_sql(NEWEST).first()
    return (row[0], row[1]) if row else (0, "")


def note_at(db: Connection, size: int) -> str:
    """The note over the first ``size`` entries, or ``""``."""
    return db.scalar(NOTE_AT, {"size": size}) or ""


def standing(db: Connection) -> History:
    """What holds for the log as a whole: whose it is, roster and policy, and the runs that count together."""
    history = History()
    for statement in (STANDING, OF_RUNS):
        for body in db.scalars(statement):
            history.admit(decode(body))
    return history


def has_documents(db: Connection) -> bool:
    """Whether the log is of the version that keeps documents; reading an older one does not change it."""
    return db.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'document'").first() is not None


def lookup(db: Connection) -> tree.Lookup:
    """Return the function that finds stored tree hashes."""

    def find(level: int, index: int) -> bytes:
        found = db.scalar(NODE_AT, {"level": level, "idx": index})
        if found is None:
            raise LedgerError("the ledger lacks a tree hash: it is shorter than asked for, or damaged")
        return bytes(found)

    return find


@contextmanager
def ledger_errors() -> Iterator[None]:
    """Raise ``LedgerError`` for whatever the database refuses."""
    try:
        yield
    except StoreError as e:
        raise LedgerError(str(e), hint=e.hint) from e
