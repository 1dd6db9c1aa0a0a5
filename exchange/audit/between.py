"""What the logs of several members say of each other."""

from collections.abc import Iterator, Sequence
from itertools import permutations

from exchange.audit.exam import CHECKPOINTS, Exam, Finding
from exchange.audit.papers import LEAVES
from exchange.audit.rosters import name_of
from exchange.audit.sessions import Session
from exchange.ledger.leaf import Leaf


class Between:
    """Compares every two exports."""

    def __init__(self, exams: Sequence[Exam]) -> None:
        self.problems: list[Finding] = []
        self.warnings: list[Finding] = []
        for ours, theirs in permutations(exams, 2):
            self._rosters(ours, theirs)
            if ours.log.member == theirs.log.member:
                self._same(ours, theirs)
            else:
                self.problems += self._shown(ours, theirs)
                self.problems += _bound(ours, theirs)
                self._sessions(ours, theirs)
                self._runs(ours, theirs)

    def _rosters(self, ours: Exam, theirs: Exam) -> None:
        pairs = zip(ours.log.rosters.by_epoch, theirs.log.rosters.by_epoch, strict=False)
        for epoch, (a, b) in enumerate(pairs, start=1):
            if a.hash != b.hash:
                what = f"it is another roster than the one in {ours.folder}"
                self.problems.append(Finding(theirs.folder, name_of(epoch), None, what))
                return

    def _same(self, ours: Exam, theirs: Exam) -> None:
        """Two exports of one log: one continues the other."""
        shorter = min(ours.leaves, theirs.leaves)
        for size in range(1, shorter + 1):
            if ours.log.root(size) != theirs.log.root(size):
                what = f"the log is another one than in {ours.folder}"
                self.problems.append(Finding(theirs.folder, CHECKPOINTS, size - 1, what))
                return

    def _shown(self, ours: Exam, theirs: Exam) -> Iterator[Finding]:
        """What our entries witness of their log is what it is."""
        known = ours.witness.peers.get(theirs.log.member)
        for shown in [] if known is None else sorted(known.shown.values()):
            said = f"entry {shown.seq} of {ours.log.member} witnesses"
            if shown.size > theirs.leaves:
                # Told apart by nothing that its owner could not write: so it is not for us to excuse.
                what = f"the log ends at {theirs.leaves} entries, but {said} {shown.size}"
                yield Finding(
                    theirs.folder, LEAVES, None, f"{what}: its end was cut off, or the export is older"
                )
                return
            root = theirs.log.root(shown.size)
            if root is None or root.hex() != shown.root:
                what = f"{said} another log of {shown.size} entries"
                yield Finding(theirs.folder, CHECKPOINTS, shown.size - 1, what)
                return

    def _sessions(self, ours: Exam, theirs: Exam) -> None:
        """Every session that both agreed on is in both logs, and so is its receipt, with the same bytes."""
        for session in ours.log.sessions.values():
            if session.intent.peer != theirs.log.member or not session.agreement:
                continue
            said = f"of entry {session.intent.seq} of {ours.log.member}"
            other = theirs.log.sessions.get(session.session)
            if other is None:
                self._problem(theirs, None, f"the session {said} is missing")
            elif other.agreement not in {"", session.agreement}:
                self._problem(theirs, other.intent.seq, f"the session has another agreement than that {said}")
            elif session.receipt is not None:
                self._receipt(theirs, session.receipt, other, said)

    def _runs(self, ours: Exam, theirs: Exam) -> None:
        """Everybody that counted in a run has the same result of it, from the same members."""
        for session, (result, seq) in ours.runs.tallies.items():
            other, at = theirs.runs.tallies.get(session, (result, None))
            if other != result:
                what = f"the run has another result than that of entry {seq} of {ours.log.member}"
                self._problem(theirs, at, what)

    def _receipt(self, theirs: Exam, receipt: Leaf, other: Session, said: str) -> None:
        if other.receipt is not None:
            if other.receipt.fields["receipt"] != receipt.fields["receipt"]:
                self._problem(theirs, other.receipt.seq, f"the receipt is another one than that {said}")
        elif receipt.fields["direction"] == "initiator":  # the responder has it before the initiator
            self._problem(theirs, other.intent.seq, f"the receipt {said} is missing")
        else:
            what = f"the receipt {said} is missing"
            self.warnings.append(Finding(theirs.folder, LEAVES, other.intent.seq, what))

    def _problem(self, theirs: Exam, seq: int | None, what: str) -> None:
        self.problems.append(Finding(theirs.folder, LEAVES, seq, what))


def _bound(ours: Exam, theirs: Exam) -> Iterator[Finding]:
    """The sets that we were shown are those that they are bound to."""
    known = ours.witness.peers.get(theirs.log.member)
    for bound in [] if known is None else known.bound.values():
        if theirs.commitments.get(bound.epoch) != (bound.root, bound.padded):
            what = f"entry {bound.seq} of {ours.log.member} witnesses another set of epoch {bound.epoch}"
            yield Finding(theirs.folder, LEAVES, None, what)
