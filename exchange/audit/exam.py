"""One export, examined by itself: manifest, rosters, log, documents, receipts, decisions, reports."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import TypeVar

from exchange.audit import sequence
from exchange.audit.bases import Bases
from exchange.audit.decisions import Decisions
from exchange.audit.helping import Helping
from exchange.audit.log import Log
from exchange.audit.manifest import NAME, Manifest
from exchange.audit.papers import FOLDER, LEAVES, Found, Papers, misnamed, name_of
from exchange.audit.receipts import Receipts
from exchange.audit.rosters import Rosters
from exchange.audit.rosters import name_of as roster_file
from exchange.audit.runs import RunPapers
from exchange.audit.seals import Seals
from exchange.audit.witness import Witness
from exchange.errors import LedgerError
from exchange.ledger.checks import Entries, Findings, Problem, Roots, StoredCheckpoint, paired
from exchange.ledger.leaf import Kind, Leaf, decode
from exchange.ledger.note import member_of
from exchange.report.verify import check as check_report

CHECKPOINTS = "checkpoints"
REPORTS = "reports/"
MOST = 50
"""Findings of one sort that are listed."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or odd.

    Attributes:
        folder: the export it is in, as it was given.
        file: the file in it.
        seq: the number of the entry, from 0; None where it is about the file as a whole.
        what: in words.
    """

    folder: str
    file: str
    seq: int | None
    what: str


class Exam:
    """One export.

    Args:
        folder: its name.
        files: what is in it, by path.
        progress: called with the number of entries done, now and then.

    Attributes:
        problems: what is wrong, in the order of the checks.
        warnings: what is odd but proves nothing.
        manifest: None where it cannot be read.
        log: what the entries say.
        witness: what they say of other logs.
        commitments: the member's own, by epoch: its root in hex and its size class.
        runs: what the entries say of runs with the alliance.
    """

    def __init__(
        self, folder: str, files: Mapping[str, bytes], progress: Callable[[int], None] = lambda _n: None
    ) -> None:
        self.folder = folder
        self.problems: list[Finding] = []
        self.warnings: list[Finding] = []
        self.commitments: dict[int, tuple[str, int]] = {}
        self.witness = Witness()
        self._files = files
        self._progress = progress
        self._rosters = Rosters.read(files)
        self._bodies, self._cut = _all_of(sequence.bodies(files.get(LEAVES, b"")))
        self._notes, self._torn = _all_of(sequence.notes(files.get(CHECKPOINTS, b"")))
        self.manifest, blamed = self._read_manifest()
        self._entries = Entries(self._log_key())
        documents = {p.removeprefix(f"{FOLDER}/"): files[p] for p in files if p.startswith(f"{FOLDER}/")}
        self.log = Log(self._member(), self._rosters, documents, self._notes, self._entries.history)
        self.runs, self._helping = RunPapers(self.log), Helping()
        self._add((file, None, what) for file, what in self._rosters.problems)
        if self._rosters.by_epoch and self._rosters.entry(self._member()) is None:
            newest = roster_file(len(self._rosters.by_epoch))
            self._add([(newest, None, "the member whose log this is stands in no roster")])
        self._read_log(blamed)
        self._read_reports()

    @property
    def leaves(self) -> int:
        """How many entries there are."""
        return len(self._bodies)

    def _add(self, found: Iterable[tuple[str, int | None, str]]) -> None:
        self.problems += [Finding(self.folder, *one) for one in list(found)[:MOST]]

    def _warn(self, found: Iterable[tuple[int | None, str]]) -> None:
        self.warnings += [Finding(self.folder, LEAVES, *one) for one in list(found)[:MOST]]

    # Whose log it is

    def _opened(self) -> Leaf | None:
        try:
            first = decode(self._bodies[0])
        except (LedgerError, IndexError):
            return None
        return first if first.kind is Kind.OPENED else None

    def _member(self) -> str:
        if self.manifest is not None:
            return member_of(self.manifest.origin)
        opened = self._opened()
        return "" if opened is None else str(opened.fields["member"])

    def _log_key(self) -> bytes:
        """The log's key by the roster; where none says so, by the log itself."""
        entry, opened = self._rosters.entry(self._member()), self._opened()
        if entry is not None:
            return entry.log_key
        return b"" if opened is None else bytes.fromhex(str(opened.fields["log_key"]))

    # The files

    def _read_manifest(self) -> tuple[Manifest | None, dict[str, str]]:
        """Compare the files with the manifest; return what of it is for the log to explain."""
        data = self._files.get(NAME)
        try:
            if data is None:
                raise LedgerError("it is missing")  # noqa: TRY301
            self.manifest = manifest = Manifest.parse(data)
        except LedgerError as e:
            self.manifest = None
            self._add([(NAME, None, str(e))])
            return None, {}
        if not manifest.signed_by(data, self._log_key()):
            self._add([(NAME, None, "it is not signed by the member's log key")])
        wrong = manifest.differences(self._files)
        self._add((file, None, what) for file, what in wrong.items() if file not in {LEAVES, CHECKPOINTS})
        return manifest, {file: wrong[file] for file in (LEAVES, CHECKPOINTS) if file in wrong}

    # The log

    def _read_log(self, blamed: dict[str, str]) -> None:
        roots, whole = Roots(None), Findings()
        papers, receipts, decisions = Papers(self.log), Receipts(self.log), Decisions(self.log)
        seals, bases, runs = Seals(self.log), Bases(self.log), self.runs
        faults: dict[str, list[tuple[str, int | None, str]]] = {sort: [] for sort in _SORTS}
        for body, note in paired(self._bodies, _stored(self._notes), whole):
            leaf = self._entries.entry(body, note)
            roots.entry(body, note)
            if leaf is None:
                continue
            session = self.log.take(leaf)
            faults["papers"] += _at(leaf, papers.entry(leaf, session))
            faults["seals"] += _at(leaf, seals.entry(leaf, note))
            faults["runs"] += _at(leaf, runs.entry(leaf))
            self._helping.entry(leaf)
            faults["bases"] += _at(leaf, ((LEAVES, what) for what in bases.entry(leaf, session)))
            faults["receipts"] += _at(leaf, ((LEAVES, what) for what in receipts.entry(leaf, session)))
            faults["witness"] += _at(leaf, ((LEAVES, what) for what in self.witness.entry(leaf)))
            faults["decisions"] += [(LEAVES, seq, what) for seq, what in decisions.entry(leaf, session)]
            if leaf.kind is Kind.COMMITMENT:
                self._commitment(leaf)
            self._progress(leaf.seq + 1)
        faults["decisions"] += [(LEAVES, seq, what) for seq, what in decisions.finish()]
        self._entries.finish()
        self._add_log([*self._entries.problems, *roots.problems, *whole.problems], blamed)
        self._add((file, None, what) for file, what in misnamed(dict(self.log.documents)))
        for sort in _SORTS:
            self._add(faults[sort])
        self._odd(papers.named | seals.named | runs.named)

    def _add_log(self, found: list[Problem], blamed: dict[str, str]) -> None:
        """Add what is wrong with the log itself, and name the file that is not the manifest's, if one is."""
        file = next(iter(blamed), LEAVES)
        if self._cut:
            found.insert(0, Problem(len(self._bodies), self._cut))
        if self.manifest is not None and self.manifest.size != len(self._bodies):
            counted = f"there are {len(self._bodies)} entries, the manifest says {self.manifest.size}"
            found.append(Problem(min(len(self._bodies), self.manifest.size), counted))
        ordered = sorted(dict.fromkeys(found), key=lambda p: inf if p.seq is None else p.seq)
        self._add((file, p.seq, p.what) for p in ordered)
        if self._torn:
            self._add([(CHECKPOINTS, None, self._torn)])
        self._add((name, None, what) for name, what in blamed.items())

    def _commitment(self, leaf: Leaf) -> None:
        epoch, padded = leaf.what["epoch"], leaf.what["padded"]
        assert isinstance(epoch, int)  # the schema says so
        assert isinstance(padded, int)
        self.commitments[epoch] = (str(leaf.what["root"]), padded)

    def _odd(self, named: set[str]) -> None:
        self._warn((p.seq, p.what) for p in self._entries.warnings)
        if self.manifest is not None and self.manifest.time < self._entries.time:
            self._warn([(None, "the export says that it was made before the newest entry")])
        sessions = self.log.sessions.values()
        self._warn(
            (s.intent.seq, "the session has no result: it runs, or was cut off")
            for s in sessions
            if not s.result
        )
        runs = self.log.history.runs
        self._warn(
            (None, f"the run {run.session[:16]} has no end: it goes on, or was cut off")
            for run in (*runs.going(), *runs.convening())
        )
        self._warn(self._helping.kept(self._entries.time) if self._entries.time else ())
        self._warn(
            (s.intent.seq, "the session has no receipt")
            for s in sessions if s.result and s.agreement and not s.receipt
        )  # fmt: skip
        unnamed = sorted(self.log.documents.keys() - named)
        self.warnings += [Finding(self.folder, name_of(n), None, "no entry names it") for n in unnamed[:MOST]]

    # The reports

    def _read_reports(self) -> None:
        made = {str(leaf.what["digest"]): leaf.seq for leaf in self._of_kind(Kind.REPORT)}
        there = {path: data for path, data in self._files.items() if path.startswith(REPORTS)}
        entry, keys = self._rosters.entry(self.log.member), self._identity_keys()
        for path, data in sorted(there.items()):
            digest = sha256(data).hexdigest()
            if path != f"{REPORTS}{digest}.json":
                self._add([(path, None, "its name is not the hash of its bytes")])
            elif digest not in made:
                self._add([(path, None, "no entry says that it was made")])
            elif entry is not None:
                found = check_report(
                    data, entry.log_key, entry.identity_key,
                    bodies=self._bodies, documents=self.log.documents, keys=keys,
                )  # fmt: skip
                self._add((path, made[digest], what) for what in found)
        lost = [seq for digest, seq in made.items() if f"{REPORTS}{digest}.json" not in there]
        self._warn((seq, "the report is not in the export") for seq in lost)

    def _of_kind(self, kind: Kind) -> Iterator[Leaf]:
        needle = str(kind).encode()  # decoding them all a second time would take as long as everything else
        for body in self._bodies:
            if needle in body:
                try:
                    leaf = decode(body)
                except LedgerError:
                    continue  # said before
                if leaf.kind is kind:
                    yield leaf

    def _identity_keys(self) -> dict[str, bytes]:
        entries = self._rosters.by_epoch[-1].entries if self._rosters.by_epoch else ()
        return {entry.id: entry.identity_key for entry in entries}


_SORTS = ("papers", "receipts", "witness", "decisions", "bases", "seals", "runs")
"""In the order in which they are listed."""


def _at(leaf: Leaf, found: Iterable[Found]) -> list[tuple[str, int | None, str]]:
    return [(file, leaf.seq, what) for file, what in found]


def _all_of(parts: Iterator[T]) -> tuple[list[T], str]:
    """Everything up to the first fault, and the fault."""
    found: list[T] = []
    try:
        found.extend(parts)
    except LedgerError as e:
        return found, str(e)
    return found, ""


def _stored(notes: Iterable[str]) -> Iterator[StoredCheckpoint]:
    return (StoredCheckpoint(size, note) for size, note in enumerate(notes, start=1))
