"""Writes a ledger out for an auditor: everything that can be checked, and nothing that need not be known."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.audit import folder as folders
from exchange.audit import papers, rosters, sequence
from exchange.audit.exam import CHECKPOINTS, REPORTS
from exchange.audit.manifest import Manifest
from exchange.errors import LedgerError
from exchange.ledger.leaf import timestamp
from exchange.ledger.note import parse
from exchange.store.ledger.reader import LedgerReader, Rows

README = """\
This folder is the disclosure ledger of one member of an alliance: what left the house, to whom, under which
policy. It holds names of members, counts, hashes and signatures, and no indicator.

To check it, on any machine, without keys and without a network:

    cosight verify THIS-FOLDER [FOLDERS OF OTHER MEMBERS...]

Together with the folders of the members it dealt with, it is also checked that both say the same.

  MANIFEST      SHA-256 of every other file, signed with the key of the log
  leaves        the entries
  checkpoints   the signed state of the log after each entry
  rosters/      who was in the alliance, signed by its administrators
  documents/    agreements, policies and evidence that entries name by hash
  reports/      reports that were made

The formats, and what each check shows and does not show, are in the documentation of cosight: verifying.md.
"""


def export(
    ledger: LedgerReader,
    folder: Path,
    *,
    signed_rosters: Iterable[bytes],
    reports: Mapping[str, Path],
    key: Ed25519PrivateKey,
    now: datetime,
    progress: Callable[[int], None] = lambda _n: None,
) -> Manifest:
    """Write a ledger into a folder that verifies offline; return what is in it.

    Args:
        ledger: the ledger.
        folder: where; it must not exist, or be empty.
        signed_rosters: every roster with its signatures, the first one first.
        reports: the file of each report that was made, by its digest.
        key: the log's key, which signs the manifest.
        now: the time, with its zone.
        progress: called with the number of entries written, now and then.

    Raises:
        LedgerError: the ledger is empty or cannot be read, or the folder cannot be written.
    """
    with ledger.rows() as rows:
        if not rows.size:
            raise LedgerError("the ledger has no entry yet: there is nothing to export", code="ledger-empty")
        made: list[Manifest] = []

        def manifest(files: dict[str, str]) -> bytes:
            made.append(Manifest(parse(rows.note).origin, rows.size, timestamp(now), files))
            return made[0].sign(key)

        folders.write(folder, _parts(rows, signed_rosters, reports, progress), manifest)
    return made[0]


def _parts(
    rows: Rows, signed_rosters: Iterable[bytes], reports: Mapping[str, Path], progress: Callable[[int], None]
) -> Iterator[folders.Part]:
    yield "README.txt", [README.encode()]
    yield papers.LEAVES, _counted(map(sequence.wrapped, rows.bodies), progress)
    yield CHECKPOINTS, (note.encode() for note in rows.notes)
    for epoch, signed in enumerate(signed_rosters, start=1):
        yield rosters.name_of(epoch), [signed]
    for document in rows.documents:
        yield papers.name_of(document.hash), [document.body]
    for digest, path in sorted(reports.items()):
        yield f"{REPORTS}{digest}.json", [path.read_bytes()]


def _counted(parts: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    for done, part in enumerate(parts, start=1):
        yield part
        if not done % 1000:
            progress(done)
