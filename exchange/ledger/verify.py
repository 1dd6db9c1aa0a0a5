"""Recomputes a whole ledger from its entries and says what is wrong with it. Pure: rows in, findings out.

What makes one signature enough: every leaf holds the hash of the checkpoint note before it, so the newest
checkpoint's signature covers every leaf and every byte of every older checkpoint, their signatures included.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exchange.ledger.checks import Entries, Findings, Problem, Roots, StoredCheckpoint, StoredLeaf, paired
from exchange.ledger.note import Checkpoint
from exchange.ledger.order import History
from exchange.ledger.tree import Node

__all__ = ["History", "Problem", "StoredCheckpoint", "StoredLeaf", "Verification", "concluded", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a ledger found.

    Attributes:
        leaves: number of entries.
        sessions: number of sessions with an intent.
        open_intents: sessions without a result: running now, or interrupted. Not a problem by itself.
        runs: number of runs with others that were joined or convened.
        open_runs: those without an end: the same.
        problems: what is wrong; the first one of each sort is the earliest.
        warnings: what is odd but proves nothing, such as a clock that went back.
        head: the newest checkpoint, None in an empty log.
    """

    leaves: int
    sessions: int
    open_intents: tuple[str, ...]
    runs: int
    open_runs: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    head: Checkpoint | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(
    leaves: Iterable[StoredLeaf],
    nodes: Iterable[Node],
    checkpoints: Iterable[StoredCheckpoint],
    *,
    public_key: bytes | None = None,
    known: Iterable[Checkpoint] = (),
    every_signature: bool = False,
) -> Verification:
    """Recompute a ledger from its rows and compare everything that is stored.

    Args:
        leaves: in ascending order of ``seq``.
        nodes: complete subtrees in the order in which appending completes them.
        checkpoints: in ascending order of ``size``.
        public_key: the log's Ed25519 key from a trusted place (a roster), 32 bytes. Without it the key that
            the log itself names is used, which proves that the log is whole, not whose it is.
        known: checkpoints remembered elsewhere. Only these can show that the end of a log was cut off.
        every_signature: also check the signatures of all older checkpoints, at about 0.1 ms each. The newest
            one covers their bytes already; this also shows that the writer's software signed each rightly.
    """
    known = tuple(known)
    entries = Entries(public_key, known, every_signature=every_signature)
    roots, whole = Roots(nodes, known), Findings()
    for row, note in paired(leaves, checkpoints, whole):
        entries.columns(row, entries.entry(row.body, note))
        roots.entry(row.body, note)
    roots.finish()
    return concluded(entries, [*whole.problems, *roots.problems])


def concluded(entries: Entries, others: Iterable[Problem]) -> Verification:
    """Put together what both halves found, in the order of the entries."""
    entries.finish()
    runs = entries.history.runs
    going = (run.session for run in (*runs.going(), *runs.convening()))
    problems = dict.fromkeys([*entries.problems, *others])  # both may say the same of one checkpoint
    return Verification(
        leaves=entries.size,
        sessions=len(entries.history.sessions),
        open_intents=tuple(entries.history.open),
        runs=len(runs.sessions),
        open_runs=tuple(dict.fromkeys(going)),
        problems=tuple(sorted(problems, key=lambda p: entries.size if p.seq is None else p.seq)),
        warnings=tuple(entries.warnings),
        head=entries.head,
    )
