"""The two halves of verifying a ledger, which share nothing and so can run side by side.

``Entries`` reads what the entries say, ``Roots`` hashes them. Each is fed every entry with the checkpoint
that is stored after it.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from exchange.errors import LedgerError
from exchange.ledger import note as notes
from exchange.ledger.leaf import FIRST, Leaf, decode, note_hash
from exchange.ledger.note import Checkpoint
from exchange.ledger.order import History
from exchange.ledger.tree import Frontier, Node, leaf_hash

Row = TypeVar("Row")
WAITS = timedelta(minutes=1)
"""An entry has the time of its decision and waits for its turn: so much before the last one it may be."""
_MAX_PROBLEMS = 50  # one missing row puts all the following out of step


class StoredLeaf(NamedTuple):
    """A row of the leaf table: the body, and the columns that repeat parts of it for searching."""

    seq: int
    time: str
    kind: str
    session: str
    peer: str
    body: bytes


class StoredCheckpoint(NamedTuple):
    """A row of the checkpoint table."""

    size: int
    note: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        seq: the entry it is found at, or None when it concerns the whole log.
        what: in words, for the operator and the auditor.
    """

    seq: int | None
    what: str


class Findings:
    """What a half found."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, what: str, seq: int | None = None) -> None:
        """Add one, unless there are very many already."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(seq, what))


class Entries(Findings):
    """Reads the entries: their form, their order, their place in the chain, and who signed.

    Args:
        public_key: the log's key from a trusted place, or None.
        known: checkpoints remembered elsewhere.
        every_signature: whether older signatures are checked, too.
    """

    def __init__(
        self, public_key: bytes | None, known: Iterable[Checkpoint] = (), *, every_signature: bool = False
    ) -> None:
        super().__init__()
        self.history = History()
        self.warnings: list[Problem] = []
        self.size = 0
        self.head: Checkpoint | None = None
        self._public_key = public_key
        self._names = {c.size: c.origin for c in known if c.size}
        self._every_signature = every_signature
        self.time = ""
        self._note = ""
        self._prev: str | None = FIRST

    def entry(self, body: bytes, note: str | None) -> Leaf | None:
        """Look at the next entry and the checkpoint after it; return the entry if it can be read."""
        seq, self.size = self.size, self.size + 1
        leaf = None
        try:
            leaf = decode(body)
        except LedgerError as e:
            self.problem(str(e), seq)
        else:
            self._content(leaf, seq)
        self._signed_by(note, seq)
        return leaf

    def _content(self, leaf: Leaf, seq: int) -> None:
        if leaf.seq != seq:
            self.problem("the entry was written for another place in the log", seq)
        if self._prev is not None and leaf.prev != self._prev:
            self.problem("the entry does not follow the checkpoint that is stored before it", seq)
        if leaf.time < self.time and _apart(leaf.time, self.time) > WAITS:
            self.warnings.append(Problem(seq, "the clock went back before this entry"))
        self.time = leaf.time
        if fault := self.history.admit(leaf):
            self.problem(fault, seq)

    def columns(self, row: StoredLeaf, leaf: Leaf | None) -> None:
        """Compare the columns of a database with the entry just looked at, which they repeat."""
        if row.seq != self.size - 1:
            self.problem("the entry's number is not the one that is due", self.size - 1)
        if leaf is not None and tuple(row[1:5]) != (leaf.time, leaf.kind, leaf.session, leaf.peer):
            self.problem("a search column differs from the entry", self.size - 1)

    def _signed_by(self, note: str | None, seq: int) -> None:
        if self._names.get(self.size, self.history.origin) != self.history.origin:
            self.problem("the log differs from a checkpoint that was seen before", seq)
        if note is None:
            self._prev = None
            return
        self._note, self._prev = note, note_hash(note)
        if not note.startswith(f"{self.history.origin}\n{self.size}\n"):
            self.problem("the checkpoint after this entry does not match the entries", seq)
        elif self._every_signature and not self._signed():
            self.problem("the checkpoint after this entry is not signed by the log's key", seq)

    def _signed(self) -> bool:
        try:
            self.head = notes.parse(self._note)
        except LedgerError:
            return False
        key = self._public_key or bytes.fromhex(self.history.log_key)
        return notes.check(self._note, self.head, key)

    def finish(self) -> None:
        """Look at what concerns the log as a whole."""
        if self.size and self._public_key not in {None, bytes.fromhex(self.history.log_key)}:
            self.problem("the log was opened with another key than this member's", 0)
        if self.size and not self._every_signature and not self._signed():
            self.problem("the newest checkpoint is not signed by the log's key", self.size - 1)
        if self._names and (seen := max(self._names)) > self.size:
            self.problem(f"the log ends at {self.size} entries, but {seen} were seen: its end was cut off")


def _apart(earlier: str, later: str) -> timedelta:
    return datetime.fromisoformat(later) - datetime.fromisoformat(earlier)


class Roots(Findings):
    """Hashes the entries: the tree as it is stored, and the root in every checkpoint.

    Args:
        nodes: the stored tree hashes in the order in which appending completes them; None where none are.
        known: checkpoints remembered elsewhere.
    """

    def __init__(self, nodes: Iterable[Node] | None, known: Iterable[Checkpoint] = ()) -> None:
        super().__init__()
        self.tree = Frontier()
        self._nodes: Iterator[Node] | None = None if nodes is None else iter(nodes)
        self._known = {c.size: c.root for c in known if c.size}

    def entry(self, body: object, note: str | None) -> None:
        """Take in the next entry and the checkpoint after it.

        Whatever the body is enters the tree, so that one bad entry does not hide the state of the rest.
        """
        seq = self.tree.size
        completed = self.tree.append(leaf_hash(body if isinstance(body, bytes) else b""))
        for node in completed:
            if self._nodes is not None and next(self._nodes, None) != node:
                self.problem("a stored tree hash is missing or wrong", seq)
                self._nodes = None  # the following ones are out of step: one finding is enough
        root = self.tree.root()
        if self._known.get(seq + 1, root) != root:
            self.problem("the log differs from a checkpoint that was seen before", seq)
        if note is not None and note.split("\n", 3)[2:3] != [base64.b64encode(root).decode()]:
            self.problem("the checkpoint after this entry does not match the entries", seq)

    def finish(self) -> None:
        """Look for tree hashes that belong to no entry."""
        if self._nodes is not None and next(self._nodes, None) is not None:
            self.problem("tree hashes are stored beyond the last entry")


def paired(
    leaves: Iterable[Row], checkpoints: Iterable[StoredCheckpoint], found: Findings
) -> Iterator[tuple[Row, str | None]]:
    """Give each entry with the checkpoint after it; None from the first one on that is missing."""
    notes_left: Iterator[StoredCheckpoint] | None = iter(checkpoints)
    for seq, leaf in enumerate(leaves):
        row = None if notes_left is None else next(notes_left, None)
        if notes_left is not None and (row is None or row[0] != seq + 1 or not isinstance(row[1], str)):
            found.problem("the checkpoint after this entry is missing or out of order", seq)
            notes_left = row = None
        yield leaf, None if row is None else row[1]
    if notes_left is not None and next(notes_left, None) is not None:
        found.problem("checkpoints are stored beyond the last entry")
