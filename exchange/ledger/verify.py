"""Recomputes a whole ledger from its entries and says what is wrong with it. Pure: rows in, findings out.

What makes one signature enough: every leaf holds the hash of the checkpoint note before it, so the newest
checkpoint's signature covers every leaf and every byte of every older checkpoint, their signatures included.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from exchange.errors import LedgerError
from exchange.ledger import note as notes
from exchange.ledger.leaf import FIRST, Kind, Leaf, decode, note_hash
from exchange.ledger.note import Checkpoint
from exchange.ledger.tree import Frontier, Node, leaf_hash

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


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a ledger found.

    Attributes:
        leaves: number of entries.
        sessions: number of sessions with an intent.
        open_intents: sessions without a result: running now, or interrupted. Not a problem by itself.
        problems: what is wrong; the first one of each sort is the earliest.
        warnings: what is odd but proves nothing, such as a clock that went back.
        head: the newest checkpoint, None in an empty log.
    """

    leaves: int
    sessions: int
    open_intents: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    head: Checkpoint | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(slots=True)
class History:
    """What the entries so far allow next: the rules of order, for the writer and for the verifier."""

    member: str = ""
    origin: str = ""
    log_key: str = ""
    alliance: str = ""
    epoch: int = -1
    committed: int = 0
    sessions: set[str] = field(default_factory=set)
    open: dict[str, Leaf] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def admit(self, leaf: Leaf) -> str:
        """Take in the next entry; return what is wrong with its place in the log, or ``""``."""
        if leaf.kind is not Kind.OPENED and not self.origin:
            return "the log does not begin with its opening entry"
        rule = {
            Kind.OPENED: self._opened,
            Kind.ROSTER: self._roster,
            Kind.INTENT: self._intent,
            Kind.DISCLOSED: self._result,
            Kind.ABORTED: self._result,
            Kind.RECEIPT: self._receipt,
            Kind.COMMITMENT: self._commitment,
        }.get(leaf.kind)
        return "" if rule is None else rule(leaf)

    def _opened(self, leaf: Leaf) -> str:
        if self.origin:
            return "the log is opened a second time"
        self.member, self.origin, self.log_key = (
            str(leaf.fields[name]) for name in ("member", "origin", "log_key")
        )
        self.alliance = self.origin.split("/")[1] if self.origin.count("/") > 1 else ""
        return "" if self.origin.endswith(f"/{self.member}") else "the log's name is not its member's"

    def _roster(self, leaf: Leaf) -> str:
        alliance, epoch = str(leaf.fields["alliance"]), leaf.fields["epoch"]
        assert isinstance(epoch, int)
        if self.alliance not in {"", alliance}:
            return "the roster is another alliance's"
        if epoch <= self.epoch:
            return "the roster is not newer than the one adopted before"
        self.alliance, self.epoch, self.origin = alliance, epoch, notes.origin(self.member, alliance)
        return ""

    def _intent(self, leaf: Leaf) -> str:
        if leaf.session in self.sessions:
            return "the session has an intent already"
        self.sessions.add(leaf.session)
        self.open[leaf.session] = leaf
        return ""

    def _receipt(self, leaf: Leaf) -> str:
        """A session that was cut off by a crash has no result, and may have a receipt that says so."""
        if leaf.session not in self.sessions:
            return "the receipt is of a session that has no intent"
        if leaf.session in self.settled:
            return "the session has a receipt already"
        self.settled.add(leaf.session)
        return ""

    def _commitment(self, leaf: Leaf) -> str:
        self.committed, before = _number(leaf.what["epoch"]), self.committed
        return "" if self.committed == before + 1 else "the commitment is not of the epoch that is due"

    def _result(self, leaf: Leaf) -> str:
        intent = self.open.pop(leaf.session, None)
        if intent is None:
            known = leaf.session in self.sessions
            return f"the session has a result {'already' if known else 'but no intent before it'}"
        pinned = {"peer", "direction", "agreement"} & intent.fields.keys()
        same = all(leaf.fields.get(name) == intent.fields[name] for name in pinned)
        return "" if same else "the result names another peer, direction or agreement than the intent"


def _number(value: object) -> int:
    assert isinstance(value, int)  # the schema says so
    return value


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
    run = _Run(nodes, checkpoints, public_key, known, every_signature=every_signature)
    for row in leaves:
        run.leaf(row)
    return run.finish()


class _Run:
    """One verification, entry by entry, with memory for open things only."""

    def __init__(
        self,
        nodes: Iterable[Node],
        checkpoints: Iterable[StoredCheckpoint],
        public_key: bytes | None,
        known: Iterable[Checkpoint],
        *,
        every_signature: bool,
    ) -> None:
        self.nodes: Iterator[Node] | None = iter(nodes)
        self.checkpoints: Iterator[StoredCheckpoint] | None = iter(checkpoints)
        self.public_key = public_key
        self.known = sorted((c for c in known if c.size), key=lambda c: c.size)
        self.every_signature = every_signature
        self.tree = Frontier()
        self.history = History()
        self.prev, self.time = FIRST, ""
        self.head: Checkpoint | None = None
        self.head_note = ""
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def problem(self, what: str, seq: int | None = None) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(seq, what))

    def leaf(self, row: StoredLeaf) -> None:
        seq = self.tree.size
        if row.seq != seq:
            self.problem("the entry's number is not the one that is due", seq)
        # Whatever the row holds enters the tree, so that one bad entry does not hide the state of the rest.
        body = row.body if isinstance(row.body, bytes) else b""
        completed = self.tree.append(leaf_hash(body))
        try:
            self._content(row, decode(row.body), seq)
        except LedgerError as e:
            self.problem(str(e), seq)
        self._nodes(completed, seq)
        self._checkpoint(seq)

    def _content(self, row: StoredLeaf, leaf: Leaf, seq: int) -> None:
        if leaf.seq != seq:
            self.problem("the entry was written for another place in the log", seq)
        if tuple(row[1:5]) != (leaf.time, leaf.kind, leaf.session, leaf.peer):
            self.problem("a search column differs from the entry", seq)
        if self.checkpoints is not None and leaf.prev != self.prev:
            self.problem("the entry does not follow the checkpoint that is stored before it", seq)
        if leaf.time < self.time:
            self.warnings.append(Problem(seq, "the clock went back before this entry"))
        self.time = leaf.time
        if fault := self.history.admit(leaf):
            self.problem(fault, seq)

    def _nodes(self, completed: list[Node], seq: int) -> None:
        for node in completed:
            if self.nodes is not None and next(self.nodes, None) != node:
                self.problem("a stored tree hash is missing or wrong", seq)
                self.nodes = None  # the following ones are out of step: one finding is enough

    def _checkpoint(self, seq: int) -> None:
        expected = Checkpoint(self.history.origin, seq + 1, self.tree.root())
        while self.known and self.known[0].size == expected.size:
            if self.known.pop(0) != expected:
                self.problem("the log differs from a checkpoint that was seen before", seq)
        if self.checkpoints is None:
            return
        row = next(self.checkpoints, None)
        if row is None or row[0] != expected.size or not isinstance(row[1], str):
            self.problem("the checkpoint after this entry is missing or out of order", seq)
            self.checkpoints = None
            return
        self.head, self.head_note = expected, row[1]
        self.prev = note_hash(self.head_note)
        if not self.head_note.startswith(expected.text() + "\n"):
            self.problem("the checkpoint after this entry does not match the entries", seq)
        elif self.every_signature and not self._signed():
            self.problem("the checkpoint after this entry is not signed by the log's key", seq)

    def _signed(self) -> bool:
        key = self.public_key or bytes.fromhex(self.history.log_key)
        return self.head is not None and notes.check(self.head_note, self.head, key)

    def finish(self) -> Verification:
        size = self.tree.size
        if self.nodes is not None and next(self.nodes, None) is not None:
            self.problem("tree hashes are stored beyond the last entry")
        if self.checkpoints is not None and next(self.checkpoints, None) is not None:
            self.problem("checkpoints are stored beyond the last entry")
        if size and self.public_key not in {None, bytes.fromhex(self.history.log_key)}:
            self.problem("the log was opened with another key than this member's", 0)
        if size and not self.every_signature and not self._signed():
            self.problem("the newest checkpoint is not signed by the log's key", size - 1)
        if self.known:
            seen = self.known[-1].size
            self.problem(f"the log ends at {size} entries, but {seen} were seen: its end was cut off")
        return Verification(
            leaves=size,
            sessions=len(self.history.sessions),
            open_intents=tuple(self.history.open),
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            head=self.head,
        )
