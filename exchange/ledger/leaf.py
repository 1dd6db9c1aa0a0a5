"""The leaves of the ledger: what each kind records, and the deterministic CBOR bytes that are hashed.

No field can spell an indicator. Text is either a hash, a member's or the alliance's name, or a short word
without dots, colons or at signs, too short for the shortest file hash; everything else is a count.

Source: RFC 8949 section 4.2 (deterministic encoding).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

import cbor2

from exchange.errors import LedgerError
from exchange.ledger.note import ALLIANCE, MEMBER, ORIGIN
from exchange.ledger.seal import SEAL_BYTES

VERSION = 1
FIRST = "00" * 32
"""``prev`` of the first leaf, which no checkpoint precedes."""
MAX_LEAF_BYTES = 8192
MAX_RECEIPT_BYTES = 4096
_MAX_COUNT = 2**53  # every JSON reader keeps it exact
_MAX_TYPES = 32


class Kind(StrEnum):
    """What a leaf records."""

    OPENED = "opened"
    ROSTER = "roster"
    REFUSED = "refused"
    INTENT = "intent"
    DISCLOSED = "disclosed"
    ABORTED = "aborted"
    RECEIPT = "receipt"
    POLICY = "policy"
    COMMITMENT = "commitment"
    ALARM = "alarm"
    QUARANTINE = "quarantine"
    LIFT = "lift"
    APPROVAL = "approval"
    REPORT = "report"
    SEAL = "seal"


RESULTS = frozenset({Kind.DISCLOSED, Kind.ABORTED})

Check = Callable[[object], bool]


def _text(pattern: str | re.Pattern[str]) -> Check:
    matches = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and matches(value) is not None


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_COUNT


def _one_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def _few(check: Check) -> Check:
    """A check of texts of which there are few, that remembers them."""
    remembered = lru_cache(maxsize=1024)(check)
    return lambda value: isinstance(value, str) and remembered(value)


_word = _few(_text("[a-z][a-z0-9-]{0,30}"))  # 31 characters: an MD5 has 32
_hash = _text("[0-9a-f]{64}")
_time = _text(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z")


def _types(value: object) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= _MAX_TYPES
        and all(map(_word, value))
        and (len(value) == 1 or all(a < b for a, b in pairwise(value)))
    )


def _counts(value: object) -> bool:
    """Whether it is a map of words to counts that are not zero."""
    if not isinstance(value, dict) or not all(map(_word, value)):
        return False
    return all(map(_count, value.values())) and all(value.values())


def _counts_by(value: object) -> bool:
    return isinstance(value, dict) and all(_word(word) and n and _counts(n) for word, n in value.items())


_FIELDS: dict[str, Check] = {
    "member": _few(_text(MEMBER)),
    "origin": _text(ORIGIN),
    "log_key": _hash,
    "alliance": _text(ALLIANCE),
    "epoch": _count,
    "roster": _hash,
    "session": _hash,
    "peer": _few(_text(MEMBER)),
    "direction": _one_of("initiator", "responder"),
    "agreement": _hash,
    "policy": _few(_hash),
    "receipt": lambda value: isinstance(value, bytes) and 0 < len(value) <= MAX_RECEIPT_BYTES,
    "key": _hash,
    "seal": lambda value: isinstance(value, bytes) and len(value) == SEAL_BYTES,
    "what": lambda value: isinstance(value, dict),
}
_WHAT: dict[str, Check] = {
    "rung": _word,
    "output": _word,
    "types": _types,
    "protocol": _word,
    "profile": _few(_text("[a-z][a-z0-9-]{0,23}/[0-9]{1,4}")),
    "ours_padded": _count,
    "peer_padded": _count,
    "policy": _hash,
    "learned_by_us": _word,
    "learned_by_peer": _word,
    "matched": _count,
    "bytes_sent": _count,
    "bytes_received": _count,
    "messages_sent": _count,
    "peer_signature": _text("[0-9a-f]{128}"),
    "by": _one_of("us", "peer"),
    "reason": _word,
    "rule": _word,
    # What went in, what was held back by which rule, and the most that the peer can have learned of ours.
    "entered": _counts,
    "withheld": _counts_by,
    "canaries": _count,
    "at_stake": _count,
    "transcript": _hash,
    "told": _count,
    "asked": _count,
    # What a rung between the sizes and the overlap gave, or what it rests on.
    "at_least": _count,
    "estimated": _count,
    "total": _count,
    "over": _word,
    "turned": _one_of("yes"),
    "epsilon_milli": _count,
    "below": _hash,
    "stage": _word,
    # The peer's log and its committed set, as we were shown them.
    "log_size": _count,
    "log_root": _hash,
    "peer_epoch": _count,
    "peer_set": _hash,
    "peer_set_padded": _count,
    # Of our own set, our policy, alarms, approvals, reports.
    "epoch": _count,
    "size": _count,
    "root": _hash,
    "padded": _count,
    "state": _hash,
    "revision": _count,
    "guard": _word,
    "count": _count,
    "approver": _word,
    "request": _hash,
    "expires": _time,
    "signature": _text("[0-9a-f]{128}"),
    "digest": _hash,
    "scope": _word,
}


_TOGETHER = (("peer_epoch", "peer_set", "peer_set_padded"), ("log_size", "log_root"))
"""What is said of one thing is all said, or nothing is."""


class _Map(NamedTuple):
    """What a map must and may hold."""

    required: frozenset[str]
    checks: dict[str, Check]


def _fields(*required: str, optional: tuple[str, ...] = ()) -> _Map:
    return _Map(frozenset(required), {name: _FIELDS[name] for name in (*required, *optional)})


def _what(*required: str) -> _Map:
    return _Map(frozenset(required), _WHAT)


_SESSION = ("session", "peer", "direction", "what")
# What each kind holds, and what its ``what`` does. An initiator writes its intent before it proposes, when
# there is no agreement to name yet: see docs/adr/0003.
_SCHEMA: dict[Kind, tuple[_Map, _Map | None]] = {
    Kind.OPENED: (_fields("member", "origin", "log_key"), None),
    Kind.ROSTER: (_fields("alliance", "epoch", "roster"), None),
    Kind.REFUSED: (
        _fields("peer", "direction", "what", optional=("session", "agreement")),
        _what("by", "reason"),
    ),
    Kind.INTENT: (
        _fields(*_SESSION, optional=("agreement",)),
        _what("rung", "output", "types", "protocol", "ours_padded"),
    ),
    Kind.DISCLOSED: (_fields(*_SESSION, "agreement"), _what("learned_by_us", "learned_by_peer")),
    Kind.ABORTED: (_fields(*_SESSION, optional=("agreement",)), _what("reason")),
    Kind.RECEIPT: (_fields(*_SESSION, "agreement", "receipt"), _what("log_size", "log_root")),
    Kind.POLICY: (_fields("policy", "what"), _what("revision")),
    Kind.COMMITMENT: (_fields("what"), _what("epoch", "root", "padded", "state")),
    Kind.ALARM: (_fields("peer", "what", optional=("session",)), _what("guard", "count")),
    Kind.QUARANTINE: (_fields("peer", "what"), _what("reason")),
    Kind.LIFT: (_fields("peer", "what"), _what("reason")),
    Kind.APPROVAL: (
        _fields("peer", "what"),
        _what("request", "rung", "types", "approver", "expires", "signature"),
    ),
    Kind.REPORT: (_fields("what", optional=("session", "peer")), _what("digest", "scope")),
    Kind.SEAL: (_fields("key", "seal", "what"), _what("size", "root")),
}
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
    if not (_count(leaf.seq) and _time(leaf.time) and _hash(leaf.prev)):
        return "seq, time or prev"
    if fault := _fault_in(leaf.fields, leaf.kind, inside=False):
        return f"{leaf.kind}: {fault}"
    if _SCHEMA[leaf.kind][1] is not None and (fault := _fault_in(leaf.what, leaf.kind, inside=True)):
        return f"{leaf.kind}.what: {fault}"
    return ""


def _fault_in(values: Mapping[str, object], kind: Kind, *, inside: bool) -> str:
    fault, checks = _checks(kind, inside, tuple(values))
    if fault:
        return fault
    for check, (name, value) in zip(checks, values.items(), strict=True):
        if not check(value):
            return f"{name} is not of its type"
    return ""


@lru_cache(maxsize=1024)
def _checks(kind: Kind, inside: bool, names: tuple[str, ...]) -> tuple[str, tuple[Check, ...]]:  # noqa: FBT001
    """What is wrong with the names in a map, and else the check of each value."""
    schema = _SCHEMA[kind][inside]
    assert schema is not None
    if missing := schema.required.difference(names):
        return f"{min(missing)} is missing", ()
    if not schema.checks.keys() >= set(names):
        return "an unknown field", ()
    for group in _TOGETHER:
        if (there := set(group).intersection(names)) and (lacking := set(group) - there):
            return f"{min(lacking)} is missing", ()
    return "", tuple(schema.checks[name] for name in names)
