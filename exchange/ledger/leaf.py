"""The leaves of the ledger: one entry, and the deterministic CBOR bytes of it that are hashed.

``kinds`` has what each kind holds.

Source: RFC 8949 section 4.2 (deterministic encoding).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

import cbor2

from exchange.errors import LedgerError
from exchange.ledger.kinds import (
    MAX_RECEIPT_BYTES,
    RESULTS,
    RUNS,
    SCHEMA,
    Kind,
    fault_in,
    is_count,
    is_hash,
    is_time,
)

__all__ = [
    "FIRST",
    "MAX_LEAF_BYTES",
    "MAX_RECEIPT_BYTES",
    "RESULTS",
    "RUNS",
    "VERSION",
    "Kind",
    "Leaf",
    "decode",
    "note_hash",
    "timestamp",
]

VERSION = 1
FIRST = "00" * 32
"""``prev`` of the first leaf, which no checkpoint precedes."""
MAX_LEAF_BYTES = 8192
_KINDS = {str(kind): kind for kind in Kind}
_HEAD = frozenset({"v", "seq", "time", "kind", "prev"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry of the ledger.

    Attributes:
        seq: its place in the log, from 0.
        time: when it was written, RFC 3339 in UTC with microseconds (27 characters, so that text sorts).
        kind: what it records.
        prev: SHA-256, in hex, of the checkpoint note over the leaves before it. So the newest checkpoint
            covers every byte of every older one.
        fields: what this kind records besides.
    """

    seq: int
    time: str
    kind: Kind
    prev: str
    fields: Mapping[str, object]

    @property
    def session(self) -> str:
        """The session's id in hex, or ``""``."""
        return str(self.fields.get("session", ""))

    @property
    def peer(self) -> str:
        """The other member, or ``""``."""
        return str(self.fields.get("peer", ""))

    @property
    def what(self) -> Mapping[str, object]:
        """The counts and codes of a session or a refusal; empty for other kinds."""
        what = self.fields.get("what", {})
        assert isinstance(what, dict)
        return what

    def named(self, field: str) -> list[str]:
        """The members in a list of them, such as ``culprits``; none where there is no such field."""
        found = self.fields.get(field, [])
        assert isinstance(found, list)  # the schema says so
        return found

    def listed(self, name: str) -> list[str]:
        """The words in a list of ``what``; none where there is no such list."""
        found = self.what.get(name, [])
        assert isinstance(found, list)  # the schema says so
        return found

    @property
    def blamed(self) -> list[str]:
        """Whom it says to have broken the rules, proved or not."""
        return [*self.named("culprits"), *self.named("accused")]

    def as_json(self) -> dict[str, object]:
        """Return all fields as a command prints them: bytes in hex."""
        return {k: v.hex() if isinstance(v, bytes) else v for k, v in self.as_dict().items()}

    def as_dict(self) -> dict[str, object]:
        """Return all fields in one dictionary, as they are encoded."""
        head = {"v": VERSION, "seq": self.seq, "time": self.time, "kind": str(self.kind), "prev": self.prev}
        return head | dict(self.fields)

    def encode(self) -> bytes:
        """Return the canonical bytes that the tree hashes.

        Raises:
            LedgerError: a field is unknown, missing, or not of its type. The text names it, not its value.
        """
        if fault := _fault(self):
            raise LedgerError(f"this cannot be written to the ledger: {fault}")
        return cbor2.dumps(self.as_dict(), canonical=True)


def timestamp(now: datetime) -> str:
    """Return a time as leaves hold it.

    Raises:
        LedgerError: ``now`` has no time zone.
    """
    if now.tzinfo is None:
        raise LedgerError("a time in the ledger needs its time zone")
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def note_hash(note: str) -> str:
    """Return what the next leaf holds as ``prev``."""
    return sha256(note.encode()).hexdigest()


def decode(body: bytes) -> Leaf:
    """Read a leaf, strictly: its one encoding, known fields, right types.

    Raises:
        LedgerError: it is anything else.
    """
    if not isinstance(body, bytes) or len(body) > MAX_LEAF_BYTES:
        raise LedgerError("the entry is no leaf of a ledger")
    try:
        raw = cbor2.loads(body)
        # Encoding keeps the order of the keys; checking that apart costs a third of a canonical encoding.
        canonical = cbor2.dumps(raw) == body and _in_order(raw)
    except Exception as e:  # whatever a decoder can raise on arbitrary bytes means the same here
        raise LedgerError("the entry cannot be decoded") from e
    if not canonical or not isinstance(raw, dict) or not raw.keys() >= _HEAD:
        raise LedgerError("the entry is not in its canonical form")
    version, kind = raw.pop("v"), raw.pop("kind")
    seq, time, prev = raw.pop("seq"), raw.pop("time"), raw.pop("prev")
    if type(version) is not int or version != VERSION:
        raise LedgerError("the entry has a version that this cosight does not know")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise LedgerError("the entry is of an unknown kind")
    leaf = Leaf(seq, time, _KINDS[kind], prev, raw)
    if fault := _fault(leaf):
        raise LedgerError(f"the entry is not well-formed: {fault}")
    return leaf


def _in_order(value: dict[str, object]) -> bool:
    if not _sorted(tuple(value)):
        return False
    for v in value.values():  # noqa: SIM110  # ``all`` over a generator takes twice as long
        if isinstance(v, dict) and not _in_order(v):
            return False
    return True


@lru_cache(maxsize=256)
def _sorted(keys: tuple[str, ...]) -> bool:
    return sorted(keys, key=lambda key: (len(key), key)) == list(keys)


def _fault(leaf: Leaf) -> str:
    """Say what is wrong with a leaf, or ``""``."""
    if not (is_count(leaf.seq) and is_time(leaf.time) and is_hash(leaf.prev)):
        return "seq, time or prev"
    if fault := fault_in(leaf.fields, leaf.kind, inside=False):
        return f"{leaf.kind}: {fault}"
    if SCHEMA[leaf.kind][1] is not None and (fault := fault_in(leaf.what, leaf.kind, inside=True)):
        return f"{leaf.kind}.what: {fault}"
    return ""
