"""The auditor's verifier: exports in, findings out. No key, no network, no home; pure.

Read in this order: ``manifest``, ``sequence``, ``rosters`` (the files); in ``exchange.ledger``: ``note``,
``tree``, ``leaf``, ``order``, ``checks`` (the log); ``log``, ``papers``, ``receipts``, ``witness``,
``sessions``, ``dealings``, ``decisions`` (what entries say); ``exam`` (one export), ``between`` (several).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from exchange.audit.between import Between
from exchange.audit.exam import Exam, Finding


@dataclass(frozen=True, slots=True)
class Examined:
    """One export that was examined.

    Attributes:
        folder: its name.
        member: whose log it holds.
        alliance: its alliance, ``""`` where none.
        genesis: hash of the alliance's first roster, in hex: to be compared with what a member says.
        leaves: number of entries.
        sessions: number of sessions with an intent.
        receipts: how many of them have a receipt.
        runs: number of runs with the alliance that were joined or convened.
        discoveries: how many of them looked for what many hold.
        tallies: how many results of the others were checked with all their signatures.
        signers: whose signatures these were.
        time: when the export was made, by its own account.
    """

    folder: str
    member: str
    alliance: str
    genesis: str
    leaves: int
    sessions: int
    receipts: int
    runs: int
    discoveries: int
    tallies: int
    signers: frozenset[str]
    time: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found.

    Attributes:
        exports: what was examined.
        problems: what is wrong; the first one is the first in the order of the checks.
        warnings: what is odd but proves nothing.
    """

    exports: tuple[Examined, ...]
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def audit(
    exports: Mapping[str, Mapping[str, bytes]], progress: Callable[[str, int], None] = lambda _name, _n: None
) -> Audit:
    """Examine exports, each by itself and then all together.

    Args:
        exports: the files of each, by path, by the export's name.
        progress: called with an export's name and how many of its entries are done.
    """
    exams = [Exam(name, files, partial(progress, name)) for name, files in exports.items()]
    between = Between(exams)
    return Audit(
        exports=tuple(map(_examined, exams)),
        problems=(*(p for exam in exams for p in exam.problems), *between.problems),
        warnings=(*(w for exam in exams for w in exam.warnings), *between.warnings),
    )


def _examined(exam: Exam) -> Examined:
    sessions, runs, signed = exam.log.sessions.values(), exam.log.history.runs, exam.runs.signed
    return Examined(
        folder=exam.folder,
        member=exam.log.member,
        alliance=exam.log.history.alliance,
        genesis=exam.log.rosters.genesis,
        leaves=exam.leaves,
        sessions=len(sessions),
        receipts=sum(1 for session in sessions if session.receipt is not None),
        runs=len(runs.sessions),
        discoveries=len(runs.discoveries),
        tallies=len(signed),
        signers=frozenset().union(*signed.values()),
        time="" if exam.manifest is None else exam.manifest.time,
    )
