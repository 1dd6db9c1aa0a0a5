"""What each kind of entry in a ledger holds: the fields, and how each must look.

No field can spell an indicator. Text is either a hash, a member's or the alliance's name, or a short word
without dots, colons or at signs, too short for the shortest file hash; everything else is a count.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from exchange.ledger.note import ALLIANCE, MEMBER, ORIGIN
from exchange.ledger.seal import SEAL_BYTES

MAX_RECEIPT_BYTES = 4096
_MAX_COUNT = 2**53  # every JSON reader keeps it exact
_MAX_TYPES = 32
_MAX_CULPRITS = 100
_MAX_ABANDONS = 16
_MAX_PARTS = 4


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
    CONVENED = "convened"
    JOINED = "joined"
    BROUGHT = "brought"
    MASKED = "masked"
    SHARED = "shared"
    COUNTED = "counted"
    BROKEN = "broken"
    HELPED = "helped"
    ERASED = "erased"


RUNS = frozenset(
    {Kind.CONVENED, Kind.JOINED, Kind.BROUGHT, Kind.MASKED, Kind.SHARED, Kind.COUNTED, Kind.BROKEN}
)
"""What is written of a run in which an alliance counts or searches together."""
RESULTS = frozenset({Kind.DISCLOSED, Kind.ABORTED})

Check = Callable[[object], bool]


def _text(pattern: str | re.Pattern[str]) -> Check:
    matches = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and matches(value) is not None


def is_count(value: object) -> bool:
    """Whether it is a number that every JSON reader keeps."""
    return type(value) is int and 0 <= value < _MAX_COUNT


def _one_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def _few(check: Check) -> Check:
    """A check of texts of which there are few, that remembers them."""
    remembered = lru_cache(maxsize=1024)(check)
    return lambda value: isinstance(value, str) and remembered(value)


def _dated(pattern: str) -> Check:
    """A check of text that is a day or a time, and one that there is: no 31st of February."""
    formed = _text(pattern)

    def checked(value: object) -> bool:
        try:
            return formed(value) and isinstance(value, str) and bool(datetime.fromisoformat(value))
        except ValueError:
            return False

    return checked


_word = _few(_text("[a-z][a-z0-9-]{0,30}"))  # 31 characters: an MD5 has 32
is_hash = _text("[0-9a-f]{64}")
_day = _dated("[0-9]{4}-[01][0-9]-[0-3][0-9]")
is_time = _dated(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")


def _counts(value: object) -> bool:
    """Whether it is a map of words to counts that are not zero."""
    if not isinstance(value, dict) or not all(map(_word, value)):
        return False
    return all(map(is_count, value.values())) and all(value.values())


def _counts_by(value: object) -> bool:
    return isinstance(value, dict) and all(_word(word) and n and _counts(n) for word, n in value.items())


def _ascending(check: Check, most: int) -> Check:
    """A check of lists without repetition, in order, of at least one."""

    def checked(value: object) -> bool:
        if not isinstance(value, list) or not 0 < len(value) <= most or not all(map(check, value)):
            return False
        return all(a < b for a, b in pairwise(value))

    return checked


_member = _few(_text(MEMBER))
_FIELDS: dict[str, Check] = {
    "member": _member,
    "origin": _text(ORIGIN),
    "log_key": is_hash,
    "alliance": _text(ALLIANCE),
    "epoch": is_count,
    "roster": is_hash,
    "session": is_hash,
    "peer": _member,
    "direction": _one_of("initiator", "responder"),
    "agreement": is_hash,
    "policy": _few(is_hash),
    "receipt": lambda value: isinstance(value, bytes) and 0 < len(value) <= MAX_RECEIPT_BYTES,
    "key": is_hash,
    "seal": lambda value: isinstance(value, bytes) and len(value) == SEAL_BYTES,
    "culprits": _ascending(_member, _MAX_CULPRITS),
    "accused": _ascending(_member, _MAX_CULPRITS),
    "what": lambda value: isinstance(value, dict),
}
_types = _ascending(_word, _MAX_TYPES)
_WHAT: dict[str, Check] = {
    "rung": _word,
    "output": _word,
    "types": _types,
    "protocol": _word,
    "profile": _few(_text("[a-z][a-z0-9-]{0,23}/[0-9]{1,4}")),
    "ours_padded": is_count,
    "peer_padded": is_count,
    "policy": is_hash,
    "learned_by_us": _word,
    "learned_by_peer": _word,
    "matched": is_count,
    "bytes_sent": is_count,
    "bytes_received": is_count,
    "messages_sent": is_count,
    "peer_signature": _text("[0-9a-f]{128}"),
    "by": _one_of("us", "peer"),
    "reason": _word,
    "rule": _word,
    # What went in, what was held back by which rule, and the most that the peer can have learned of ours.
    "entered": _counts,
    "withheld": _counts_by,
    "canaries": is_count,
    "at_stake": is_count,
    "transcript": is_hash,
    "told": is_count,
    "asked": is_count,
    # What a rung between the sizes and the overlap gave, or what it rests on.
    "at_least": is_count,
    "estimated": is_count,
    "total": is_count,
    "over": _word,
    "turned": _one_of("yes"),
    "epsilon_milli": is_count,
    "below": is_hash,
    "stage": _word,
    # The peer's log and its committed set, as we were shown them.
    "log_size": is_count,
    "log_root": is_hash,
    "peer_epoch": is_count,
    "peer_set": is_hash,
    "peer_set_padded": is_count,
    # Of our own set, our policy, alarms, approvals, reports.
    "epoch": is_count,
    "size": is_count,
    "root": is_hash,
    "padded": is_count,
    "state": is_hash,
    "revision": is_count,
    "guard": _word,
    "count": is_count,
    "approver": _word,
    "request": is_hash,
    "expires": is_time,
    "signature": _text("[0-9a-f]{128}"),
    "digest": is_hash,
    "scope": _word,
    # Of a run in which an alliance counts together.
    "measure": _word,
    "purpose": is_hash,
    "dictionary": is_hash,
    "entries": is_count,
    "first": _day,
    "last": _day,
    "members": is_count,
    "minimum": is_count,
    "reporters": is_count,
    "threshold": is_count,
    "plan": is_hash,
    "visibility": _word,
    "parts": _ascending(_word, _MAX_PARTS),
    "base": is_hash,
    "abandons": _ascending(is_hash, _MAX_ABANDONS),
    "clipped": is_count,
    "survivors": is_count,
    "tally": is_hash,
    "released": is_count,
}


_TOGETHER = (
    ("peer_epoch", "peer_set", "peer_set_padded"),
    ("log_size", "log_root"),
    ("dictionary", "entries", "reporters"),
)
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
_RUN = ("session", "peer", "what")
_ENDED = ("peer", "culprits", "accused")
_ASKED = _what("measure", "types", "purpose", "first", "last", "members")
# What each kind holds, and what its ``what`` does. An initiator writes its intent before it proposes, when
# there is no agreement to name yet: see docs/adr/0003.
SCHEMA: dict[Kind, tuple[_Map, _Map | None]] = {
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
    Kind.CONVENED: (_fields("session", "what"), _ASKED),
    Kind.JOINED: (_fields(*_RUN), _ASKED),
    Kind.BROUGHT: (_fields(*_RUN), _what("policy")),
    Kind.MASKED: (_fields(*_RUN), _what("entered")),
    Kind.SHARED: (_fields(*_RUN), _what("survivors")),
    Kind.COUNTED: (_fields("session", "what", optional=_ENDED), _what("survivors", "digest")),
    Kind.BROKEN: (_fields("session", "what", optional=_ENDED), _what("reason", "by")),
    Kind.HELPED: (_fields("peer", "what"), _what("epoch", "padded", "count")),
    Kind.ERASED: (_fields("what"), _what("epoch")),
}


def fault_in(values: Mapping[str, object], kind: Kind, *, inside: bool) -> str:
    """Say what is wrong with the fields of an entry of a kind, or of its ``what``; ``""`` for nothing."""
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
    schema = SCHEMA[kind][inside]
    assert schema is not None
    if missing := schema.required.difference(names):
        return f"{min(missing)} is missing", ()
    if not schema.checks.keys() >= set(names):
        return "an unknown field", ()
    for group in _TOGETHER:
        if (there := set(group).intersection(names)) and (lacking := set(group) - there):
            return f"{min(lacking)} is missing", ()
    return "", tuple(schema.checks[name] for name in names)
