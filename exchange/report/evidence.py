"""What a report rests on: entries of the ledger with their inclusion proofs, and the documents they name.

A peer that must not be named is not named here either: its entries, and every document that names it, are
given by their hashes alone. Who holds the ledger can still check that they are the ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from exchange.errors import LedgerError
from exchange.ledger import RESULTS, Kind, Leaf, decode, timestamp
from exchange.ledger.leaf import RUNS
from exchange.ledger.note import parse
from exchange.ledger.tree import leaf_hash
from exchange.report.policies import MUST_NOT, stated
from exchange.report.scope import Scope, ScopeKind
from exchange.report.together import BEGINS

WINDOW = timedelta(days=365)
"""How far back budgets are counted."""
_SESSION = RESULTS | {Kind.INTENT, Kind.RECEIPT}
_ABOUT_PEERS = frozenset({Kind.REFUSED, Kind.ALARM, Kind.QUARANTINE, Kind.LIFT, Kind.APPROVAL})
_CHUNK = 10_000


class Ledger(Protocol):
    """What is read of a ledger: ``exchange.store.ledger.LedgerReader`` is one."""

    def entries(self, start: int = 0, limit: int | None = None) -> list[Leaf]:
        """Entries in order."""

    def inclusion_proof(self, seq: int, size: int) -> list[bytes]:
        """The audit path of an entry."""

    def newest(self) -> str | None:
        """The newest checkpoint."""

    def note(self, size: int) -> str:
        """The checkpoint at a size, or ``""``."""

    def document(self, name: str, /) -> bytes | None:
        """What a hash names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger with its audit path.

    Attributes:
        seq: its number.
        body: its bytes, or ``b""`` where it is given by its hash alone.
        hash: its hash in the tree.
        path: from the leaf upwards.
    """

    seq: int
    body: bytes
    hash: bytes
    path: tuple[bytes, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as the report holds it."""
        shown = {"body": self.body.hex()} if self.body else {"hash": self.hash.hex()}
        return {"seq": self.seq, **shown, "path": [step.hex() for step in self.path]}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read it back.

        Raises:
            ValueError, KeyError, TypeError: it is malformed.
        """
        body = bytes.fromhex(raw["body"]) if "body" in raw else b""
        hashed = leaf_hash(body) if body else bytes.fromhex(raw["hash"])
        return cls(raw["seq"], body, hashed, tuple(map(bytes.fromhex, raw["path"])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a report rests on.

    Attributes:
        checkpoint: the signed note that the audit paths lead to.
        entries: in the order of the log.
        documents: by hash in hex; ``b""`` where the document is not given.
        keys: identity keys of those who signed receipts, as the roster says; ``b""`` where it is not given.
    """

    checkpoint: str
    entries: tuple[Entry, ...]
    documents: Mapping[str, bytes] = field(default_factory=dict)
    keys: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every entry is given in full, so that all of the report follows from it."""
        return all(entry.body for entry in self.entries)

    def leaves(self) -> list[Leaf]:
        """The entries, read.

        Raises:
            LedgerError: one is no leaf of a ledger.
        """
        return [decode(entry.body) for entry in self.entries]

    def without(self, hidden: Mapping[str, str]) -> "Evidence":
        """Return it as it may be shown: what names one of these peers by its hash alone."""
        if not hidden:
            return self
        entries = tuple(
            replace(entry, body=b"") if hidden.keys() & _members(decode(entry.body)) else entry
            for entry in self.entries
        )
        return replace(
            self,
            entries=entries,
            documents=dict.fromkeys(self.documents, b""),
            keys={hidden.get(name, name): b"" if name in hidden else key for name, key in self.keys.items()},
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as the report holds it."""
        return {
            "checkpoint": self.checkpoint,
            "entries": [entry.as_json() for entry in self.entries],
            "documents": {name: body.hex() for name, body in sorted(self.documents.items())},
            "keys": {name: key.hex() for name, key in sorted(self.keys.items())},
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read it back.

        Raises:
            ValueError, KeyError, TypeError: it is malformed.
        """
        return cls(
            checkpoint=raw["checkpoint"],
            entries=tuple(Entry.from_json(entry) for entry in raw["entries"]),
            documents={name: bytes.fromhex(body) for name, body in raw["documents"].items()},
            keys={name: bytes.fromhex(key) for name, key in raw["keys"].items()},
        )


def pseudonyms(leaves: Sequence[Leaf], documents: Mapping[str, bytes]) -> dict[str, str]:
    """Return a pseudonym for each peer that a policy of these entries says must not be named."""
    policies = {str(x.what.get("policy") or x.fields.get("policy", "")) for x in leaves}
    found = [stated(name, documents) for name in sorted(policies) if name]
    peers = sorted({peer for leaf in leaves for peer in _members(leaf) if peer})
    hidden = [peer for peer in peers if any(p.attribution(peer) == MUST_NOT for p in found)]
    return {peer: f"peer-{n}" for n, peer in enumerate(hidden, start=1)}


def _members(leaf: Leaf) -> set[str]:
    """Whom an entry names."""
    return {leaf.peer, *leaf.blamed}


def collect(
    ledger: Ledger, scope: Scope, now: datetime, keys: Mapping[str, bytes], checkpoint: str | None = None
) -> Evidence:
    """Gather what a report rests on.

    Args:
        ledger: of the member who reports.
        scope: what it is about.
        now: the time.
        keys: identity keys by member, as the roster says.
        checkpoint: an older one of the ledger, to see what there was to report then.

    Raises:
        LedgerError: the ledger is empty or cannot be read, or there is no such session.
    """
    checkpoint = checkpoint or ledger.newest()
    if checkpoint is None:
        raise LedgerError("the ledger is empty: there is nothing to report", code="report-nothing")
    size = parse(checkpoint).size
    leaves = choose(_read(ledger, size), scope, now)
    wanted = {n for x in leaves for n in _names(x)}
    documents = {n: body for n in sorted(wanted) if (body := ledger.document(n)) is not None}
    entries = tuple(_entry(ledger, leaf, size) for leaf in leaves)
    parties = {leaf.peer for leaf in leaves if leaf.kind is Kind.RECEIPT} & keys.keys()
    return Evidence(
        checkpoint=checkpoint,
        entries=entries,
        documents=documents,
        keys={name: keys[name] for name in sorted(parties)},
    )


def find(ledger: Ledger, beginning: str) -> Scope:
    """Return the scope of the one session, or the one run with the alliance, whose id begins so.

    Raises:
        LedgerError: there is none, or more than one.
    """
    note = ledger.newest()
    size = 0 if note is None else parse(note).size
    found: dict[str, Scope] = {}
    for leaf in _read(ledger, size):
        if leaf.kind is Kind.INTENT and leaf.session.startswith(beginning):
            found[leaf.session] = Scope(kind=ScopeKind.SESSION, session=leaf.session, peer=leaf.peer)
        elif leaf.kind in BEGINS and leaf.session.startswith(beginning):
            found[leaf.session] = Scope(kind=ScopeKind.RUN, session=leaf.session)
    if len(found) != 1:
        fault = "more than one session or run" if found else "no session or run of this ledger"
        raise LedgerError(
            f"the id of {fault} begins with {beginning}",
            code="report-session",
            hint="see the sessions and runs with: cosight ledger show",
        )
    return found.popitem()[1]


def choose(leaves: Iterable[Leaf], scope: Scope, now: datetime) -> list[Leaf]:
    """Return the entries that a report speaks of: its sessions, their peers' last year, what frames them."""
    everything = list(leaves)
    of_days = scope.kind is ScopeKind.PERIOD
    peers = {x.peer for x in everything if of_days and scope.covers(x)} | {scope.peer}
    peers.discard("")
    since = timestamp(now - WINDOW)
    in_scope = {x.session for x in everything if x.kind is Kind.INTENT and scope.covers(x)}
    runs = {x.session for x in everything if x.kind in RUNS and scope.covers(x)}
    chosen = [
        leaf
        for leaf in everything
        if leaf.kind in {Kind.OPENED, Kind.ROSTER}
        or (
            leaf.kind in _SESSION
            and (leaf.session in in_scope or (leaf.peer in peers and leaf.time >= since))
        )
        or (leaf.kind in RUNS and leaf.session in runs)
        or (leaf.kind in _ABOUT_PEERS and leaf.peer in peers and (leaf.time >= since or scope.covers(leaf)))
        or (leaf.kind in _ABOUT_PEERS and leaf.session in runs)
        or (leaf.kind is Kind.HELPED and scope.covers(leaf))
    ]
    if not (of_days or in_scope or runs or peers & {x.peer for x in everything}):
        raise LedgerError(f"there is nothing on {scope.peer} in the ledger", code="report-nothing")
    used = {str(x.what["policy"]) for x in chosen if "policy" in x.what}
    framing = [x for x in everything if x.kind is Kind.POLICY and str(x.fields["policy"]) in used]
    framing += _newest([x for x in everything if x.kind is Kind.POLICY])
    framing += _newest([x for x in everything if x.kind is Kind.REPORT])
    framing += _commitments(everything, in_scope)
    helped = {x.what["epoch"] for x in chosen if x.kind is Kind.HELPED}
    framing += [x for x in everything if x.kind is Kind.ERASED and x.what["epoch"] in helped]
    return sorted({x.seq: x for x in (*chosen, *framing)}.values(), key=lambda x: x.seq)


def _commitments(leaves: Sequence[Leaf], sessions: set[str]) -> list[Leaf]:
    """The commitment that was in force when each of these sessions began."""
    found, newest = {}, None
    for leaf in leaves:
        if leaf.kind is Kind.COMMITMENT:
            newest = leaf
        elif leaf.kind is Kind.INTENT and leaf.session in sessions and newest is not None:
            found[newest.seq] = newest
    return list(found.values())


def _newest(leaves: Sequence[Leaf]) -> list[Leaf]:
    return list(leaves[-1:])


def _read(ledger: Ledger, size: int) -> Iterator[Leaf]:
    for start in range(0, size, _CHUNK):
        yield from ledger.entries(start, min(_CHUNK, size - start))


def _names(leaf: Leaf) -> Iterator[str]:
    """The hashes of documents that an entry names."""
    for name in (leaf.fields.get("agreement"), leaf.fields.get("policy"), leaf.what.get("policy")):
        if isinstance(name, str):
            yield name


def _entry(ledger: Ledger, leaf: Leaf, size: int) -> Entry:
    body = leaf.encode()
    return Entry(leaf.seq, body, leaf_hash(body), tuple(ledger.inclusion_proof(leaf.seq, size)))
