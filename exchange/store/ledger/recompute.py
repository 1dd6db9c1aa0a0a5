"""Verifying a stored ledger; a long one in two processes, since hashing and reading share nothing."""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import starmap
from subprocess import PIPE, Popen
from typing import Any

from sqlalchemy import Connection, func, select

from exchange.errors import LedgerError
from exchange.ledger import Checkpoint, Problem, StoredCheckpoint, StoredLeaf, Verification, tree, verify
from exchange.ledger.checks import Entries, Findings, Roots, paired
from exchange.ledger.verify import concluded
from exchange.store.engine import open_engine, reading
from exchange.store.ledger.schema import LEAF, NODE, ledger_errors

APART_FROM = 50_000
"""Entries from which on a second process pays: it takes half a second to start."""

ALL = 2**62
Reader = Callable[..., Iterator[tuple[Any, ...]]]
"""From a query and its values to rows."""


def verify_stored(
    db: Connection, public_key: bytes | None, known: Sequence[Checkpoint], *, every_signature: bool
) -> Verification:
    """Recompute a ledger as one transaction sees it; see ``exchange.ledger.verify``.

    Raises:
        LedgerError: the database cannot be read.
    """
    size = db.scalar(select(func.count()).select_from(LEAF)) or 0
    url = str(db.engine.url)
    if size < APART_FROM or ":memory:" in url:
        with _reader(db) as rows:
            return verify(
                _leaves(rows), _nodes(rows), _checkpoints(rows),
                public_key=public_key, known=known, every_signature=every_signature,
            )  # fmt: skip
    # Not ``multiprocessing``, which would import the program that called us a second time.
    command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()", url, str(size)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as other, _reader(db) as rows:  # noqa: S603
        entries, whole = Entries(public_key, known, every_signature=every_signature), Findings()
        assert other.stdin is not None
        other.stdin.write(json.dumps([(c.origin, c.size, c.root.hex()) for c in known]))
        other.stdin.close()
        for row, note in paired(_leaves(rows), _checkpoints(rows), whole):
            entries.columns(row, entries.entry(row.body, note))
        # The other process looks at the first ``size`` entries alone: others may be appended meanwhile.
        stored = db.scalar(select(func.count()).select_from(NODE))
        if stored != sum(size >> level for level in range(size.bit_length())):
            whole.problem("tree hashes are missing, or stored beyond the last entry")
        assert other.stdout is not None
        said = other.stdout.read()
    if other.returncode:
        raise LedgerError("the process that hashes the ledger failed")
    return concluded(entries, [*whole.problems, *(Problem(*found) for found in json.loads(said))])


def roots(url: str, size: int, known: Sequence[Checkpoint]) -> list[Problem]:
    """Hash the first so many entries of a ledger.

    Raises:
        LedgerError: the database cannot be read.
    """
    with ledger_errors():
        engine = open_engine(url, durable=True, read_only=True)
        with reading(engine) as db, _reader(db) as rows:
            found = Roots(_nodes(rows, size), known)
            bodies = rows("SELECT body FROM leaf WHERE seq < ? ORDER BY seq", size)
            for (body,), note in paired(bodies, _checkpoints(rows, size), Findings()):
                found.entry(body, note)
            found.finish()
    return found.problems


@contextmanager
def _reader(db: Connection) -> Iterator[Reader]:
    """Rows as the driver gives them: as objects of SQLAlchemy they take as long as checking them does."""
    driver = db.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # the ledger is never elsewhere
    with ExitStack() as stack:

        def rows(query: str, *values: int) -> Iterator[tuple[Any, ...]]:
            return stack.enter_context(closing(driver.execute(query, values)))

        yield rows


def _leaves(rows: Reader) -> Iterator[StoredLeaf]:
    return starmap(StoredLeaf, rows("SELECT seq, time, kind, session, peer, body FROM leaf ORDER BY seq"))


def _nodes(rows: Reader, size: int = ALL) -> Iterator[tree.Node]:
    # A subtree is complete with its last leaf, and lower ones first: the order of appending.
    end = "(idx + 1) << level"
    query = f"SELECT level, idx, hash FROM node WHERE {end} <= ? ORDER BY {end}, level"  # noqa: S608
    return starmap(tree.Node, rows(query, size))


def _checkpoints(rows: Reader, size: int = ALL) -> Iterator[StoredCheckpoint]:
    query = "SELECT size, note FROM checkpoint WHERE size <= ? ORDER BY size"
    return starmap(StoredCheckpoint, rows(query, size))


def main() -> None:
    """Be the other process."""
    seen = [Checkpoint(name, size, bytes.fromhex(root)) for name, size, root in json.load(sys.stdin)]
    found = roots(sys.argv[1], int(sys.argv[2]), seen)
    json.dump([(p.seq, p.what) for p in found], sys.stdout)
