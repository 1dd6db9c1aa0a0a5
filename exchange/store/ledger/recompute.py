"""Verifying a stored ledger; a long one in two processes, since hashing and reading share nothing."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import starmap
from subprocess import PIPE, Popen

from sqlalchemy import Connection, func, select

from exchange.errors import LedgerError
from exchange.ledger import Checkpoint, Problem, StoredCheckpoint, StoredLeaf, Verification, tree, verify
from exchange.ledger.checks import Entries, Findings, Roots, paired
from exchange.ledger.verify import concluded
from exchange.store.engine import open_engine, reading
from exchange.store.ledger.schema import CHECKPOINT, LEAF, NODE, ledger_errors

APART_FROM = 50_000
"""Entries from which on a second process pays: it takes half a second to start."""

ALL = 2**62


def verify_stored(
    db: Connection, public_key: bytes | None, known: Sequence[Checkpoint], *, every_signature: bool
) -> Verification:
    """Recompute a ledger as one transaction sees it; see ``exchange.ledger.verify``.

    Raises:
        LedgerError: the database cannot be read.
    """
    size = db.scalar(select(func.count()).select_from(LEAF)) or 0
    url = str(db.engine.url)
    db = db.execution_options(yield_per=1000)
    if size < APART_FROM or ":memory:" in url:
        return verify(
            _leaves(db), _nodes(db), _checkpoints(db),
            public_key=public_key, known=known, every_signature=every_signature,
        )  # fmt: skip
    # Not ``multiprocessing``, which would import the program that called us a second time.
    command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()", url, str(size)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as other:  # noqa: S603
        entries, whole = Entries(public_key, known, every_signature=every_signature), Findings()
        assert other.stdin is not None
        other.stdin.write(json.dumps([(c.origin, c.size, c.root.hex()) for c in known]))
        other.stdin.close()
        for row, note in paired(_leaves(db), _checkpoints(db), whole):
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
        with reading(engine) as stored:
            db = stored.execution_options(yield_per=1000)
            found = Roots(_nodes(db, size), known)
            bodies = db.scalars(select(LEAF.c.body).where(LEAF.c.seq < size).order_by(LEAF.c.seq))
            for body, note in paired(bodies, _checkpoints(db, size), Findings()):
                found.entry(body, note)
            found.finish()
    return found.problems


def _leaves(db: Connection) -> Iterator[StoredLeaf]:
    return starmap(StoredLeaf, db.execute(select(LEAF).order_by(LEAF.c.seq)))


def _nodes(db: Connection, size: int = ALL) -> Iterator[tree.Node]:
    # A subtree is complete with its last leaf, and lower ones first: the order of appending.
    completed = (NODE.c.idx + 1).bitwise_lshift(NODE.c.level)
    statement = select(NODE).where(completed <= size).order_by(completed, NODE.c.level)
    return starmap(tree.Node, db.execute(statement))


def _checkpoints(db: Connection, size: int = ALL) -> Iterator[StoredCheckpoint]:
    statement = select(CHECKPOINT).where(CHECKPOINT.c.size <= size).order_by(CHECKPOINT.c.size)
    return starmap(StoredCheckpoint, db.execute(statement))


def main() -> None:
    """Be the other process."""
    seen = [Checkpoint(name, size, bytes.fromhex(root)) for name, size, root in json.load(sys.stdin)]
    found = roots(sys.argv[1], int(sys.argv[2]), seen)
    json.dump([(p.seq, p.what) for p in found], sys.stdout)
