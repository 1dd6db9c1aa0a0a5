"""Checks a report by itself: its form, its signature, and that everything in it follows from its evidence.

Pure, and for the auditor: bytes in, findings out. What it cannot show is that no entry was left out of the
report; for that the ledger is needed, see ``docs/report.md``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from exchange.errors import CosightError
from exchange.ledger import Kind
from exchange.ledger.note import Checkpoint, parse, read
from exchange.ledger.tree import leaf_hash, verify_inclusion
from exchange.report import signing
from exchange.report.content import content
from exchange.report.evidence import Evidence, Ledger, collect, pseudonyms
from exchange.report.scope import Given, Scope


def check(
    report: bytes,
    log_key: bytes,
    identity_key: bytes,
    *,
    bodies: Iterable[bytes] = (),
    documents: Mapping[str, bytes] | None = None,
    keys: Mapping[str, bytes] | None = None,
) -> list[str]:
    """Return what is wrong with a report; nothing where it verifies.

    Args:
        report: the file's bytes.
        log_key: the member's log key from a trusted place, such as the roster, 32 bytes.
        identity_key: its identity key from there, 32 bytes.
        bodies: entries of the member's ledger, where they are at hand: a report that does not name a peer
            holds hashes of them alone.
        documents: what entries name, by hash in hex, for the same case.
        keys: identity keys of all members, from the roster. Without them those in the report are believed,
            which the member signed.
    """
    try:
        found = signing.read(report)
    except CosightError as e:
        return [str(e)]
    if not signing.signed_by(found, identity_key):
        return ["the report is not signed by the member's identity key"]
    try:
        evidence = Evidence.from_json(found["evidence"])
        problems = _included(evidence, log_key) + _keys(evidence, keys)
        evidence = _complete(evidence, bodies, documents or {}, keys or {})
        if not problems and evidence.whole:
            problems = _follows(found["content"], evidence, log_key, identity_key)
    except CosightError as e:
        return [str(e)]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, AssertionError):
        return ["the report is signed, but malformed"]  # by software that is not ours
    return problems


def check_with(
    report: bytes, ledger: Ledger, log_key: bytes, identity_key: bytes, keys: Mapping[str, bytes]
) -> list[str]:
    """Return what is wrong with a report, with the member's ledger at hand; nothing where it verifies.

    Besides what ``check`` does, the checkpoint must be of this very ledger, every entry must be there that
    belongs into the report, and a report that does not name a peer is checked in full.

    Args:
        report: the file's bytes.
        ledger: the member's.
        log_key: see ``check``.
        identity_key: see ``check``.
        keys: identity keys of all members, from the roster.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if problems := check(report, log_key, identity_key, keys=keys):
        return problems
    found = signing.read(report)
    evidence = Evidence.from_json(found["evidence"])
    if ledger.note(parse(evidence.checkpoint).size) != evidence.checkpoint:
        return ["the checkpoint is not one of this ledger"]
    bodies = [leaf.encode() for entry in evidence.entries for leaf in ledger.entries(entry.seq, 1)]
    documents = {name: ledger.document(name) or b"" for name in evidence.documents}
    full = _complete(evidence, bodies, documents, keys)
    if not full.whole:
        return ["the entries of the report are not those of this ledger"]
    scope = Scope.from_json(found["content"]["scope"], _known_as(full))
    made_at = datetime.fromisoformat(found["content"]["given"]["made_at"])
    again = collect(ledger, scope, made_at, keys, evidence.checkpoint)
    seqs = {entry.seq for entry in evidence.entries}
    if missing := [entry.seq for entry in again.entries if entry.seq not in seqs]:
        return [f"entry {seq} belongs into the report and is not in it" for seq in missing]
    return check(report, log_key, identity_key, bodies=bodies, documents=documents, keys=keys)


def unshown(report: bytes) -> int:
    """Return how many entries a report gives by their hash alone: without them its numbers cannot be checked.

    Raises:
        InputError: it is no report.
    """
    entries = signing.read(report)["evidence"]["entries"]
    return sum("body" not in entry for entry in entries)


def _included(evidence: Evidence, log_key: bytes) -> list[str]:
    try:
        head = read(evidence.checkpoint, log_key)
    except CosightError as e:
        return [str(e)]
    seqs = [entry.seq for entry in evidence.entries]
    if seqs != sorted(set(seqs)):
        return ["the entries are not in the order of the log"]
    return [
        f"entry {entry.seq} is not in the ledger that the checkpoint signs"
        for entry in evidence.entries
        if not _in_tree(entry.seq, entry.hash, entry.path, head)
    ]


def _in_tree(seq: int, hashed: bytes, path: tuple[bytes, ...], head: Checkpoint) -> bool:
    return verify_inclusion(seq, head.size, hashed, path, head.root)


def _keys(evidence: Evidence, keys: Mapping[str, bytes] | None) -> list[str]:
    """Compare the identity keys in the report with those of the roster."""
    if keys is None:
        return []
    return [
        f"the identity key of {member} is not the one in the roster"
        for member, key in evidence.keys.items()
        if key and keys.get(member) != key
    ]


def _complete(
    evidence: Evidence, bodies: Iterable[bytes], documents: Mapping[str, bytes], keys: Mapping[str, bytes]
) -> Evidence:
    """Put in what the report gives by its hash alone, as far as it is at hand."""
    if evidence.whole:
        return evidence
    by_hash = {leaf_hash(body): body for body in bodies}
    entries = tuple(replace(e, body=e.body or by_hash.get(e.hash, b"")) for e in evidence.entries)
    held = {name: body or documents.get(name, b"") for name, body in evidence.documents.items()}
    full = replace(evidence, entries=entries, documents=held)
    if not full.whole:
        return full
    parties = {leaf.peer for leaf in full.leaves() if leaf.kind is Kind.RECEIPT}
    known = {name: key for name, key in keys.items() if name in parties}
    return replace(full, keys={n: k for n, k in evidence.keys.items() if k} | known)


def _follows(stated: dict[str, Any], evidence: Evidence, log_key: bytes, identity_key: bytes) -> list[str]:
    """Make the content again from the evidence and compare, section by section."""
    given = Given(**stated["given"])
    called = pseudonyms(evidence.leaves(), evidence.documents)
    scope = Scope.from_json(stated["scope"], _known_as(evidence))
    again = content(scope, given, evidence, identity_key, called)
    wrong = [
        f"the section “{name}” does not follow from the entries"
        for name in sorted(again.keys() | stated.keys())
        if signing.canonical(again.get(name)) != signing.canonical(stated.get(name))
    ]
    if again["identity"]["log_key"] != log_key.hex():
        wrong.append("the ledger was opened with another key than this member's")
    if parse(evidence.checkpoint).origin.rpartition("/")[2] != given.member:
        wrong.append("the checkpoint is of another member's ledger")
    return wrong


def _known_as(evidence: Evidence) -> dict[str, str]:
    """The peers by their pseudonyms."""
    return {name: peer for peer, name in pseudonyms(evidence.leaves(), evidence.documents).items()}
