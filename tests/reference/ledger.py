"""What ``docs/verifying.md`` and ``docs/ledger.md`` say of one entry and of one session, read a second time.

With what ``audit.py`` and ``accounts.py`` share: an export as far as it was read, and how to say what is
wrong in it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Map = dict[str, Any]
RESULTS = {"disclosed", "aborted"}
SEEN = "log_size log_root"
OF_INTENT = (
    "profile policy stage below entered withheld canaries at_stake log_size log_root peer_epoch peer_set"
    " peer_set_padded peer_padded"
)
OF_RESULT = (
    "at_stake ours_padded peer_padded matched told transcript bytes_sent bytes_received messages_sent"
    " peer_signature by rule asked"
)
SESSION = "session peer direction"
OF_RUN = "measure types purpose first last members"
ALSO_OF_RUN = (
    "policy profile dictionary entries minimum reporters visibility base threshold plan abandons"
    " epsilon_milli"
)
KINDS = {  # what an entry must hold and may hold, and the same of its `what`
    "opened": ("member origin log_key", "", "", ""),
    "roster": ("alliance epoch roster", "", "", ""),
    "policy": ("policy", "", "revision", ""),
    "commitment": ("", "", "epoch root padded state", ""),
    "intent": (SESSION, "agreement", "rung output types protocol ours_padded", OF_INTENT),
    "disclosed": (f"{SESSION} agreement", "", "learned_by_us learned_by_peer", OF_RESULT),
    "aborted": (SESSION, "agreement", "reason", f"learned_by_peer {OF_RESULT}"),
    "receipt": (f"{SESSION} agreement receipt", "", SEEN, ""),
    "refused": ("peer direction", "session agreement", "by reason", "rule"),
    "alarm": ("peer", "session", "guard count", "digest"),
    "quarantine": ("peer", "", "reason", ""),
    "lift": ("peer", "", "reason", ""),
    "approval": ("peer", "", "request rung types approver expires signature", ""),
    "report": ("", "session peer", "digest scope", ""),
    "seal": ("key seal", "", "size root", ""),
    "convened": ("session", "", OF_RUN, ALSO_OF_RUN),
    "joined": ("session peer", "", OF_RUN, ALSO_OF_RUN),
    "brought": ("session peer", "", "policy", ""),
    "masked": ("session peer", "", "entered", "withheld clipped"),
    "shared": ("session peer", "", "survivors", ""),
    "counted": ("session", "peer", "survivors digest", "tally released epsilon_milli"),
    "broken": ("session", "peer culprits", "reason by", "rule"),
}
PATTERNS = {
    r"[0-9a-f]{64}": (
        "prev log_key key roster session agreement policy transcript below log_root peer_set root state"
        " request digest dictionary purpose base tally plan"
    ),
    r"\d{4}-\d\d-\d\d": "first last",
    r"[0-9a-f]{128}": "peer_signature signature",
    r"initiator|responder": "direction",
    r"us|peer": "by",
    r"[a-z0-9-]{1,40}": "member peer",
    r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,9}": "alliance",
    r"[a-z][a-z0-9-]{0,23}/[0-9]{1,4}": "profile",
    r"cosight/[a-z0-9./-]+": "origin",
}
TEXTS = {name: re.compile(pattern) for pattern, names in PATTERNS.items() for name in names.split()}
WORD = re.compile(r"[a-z][a-z0-9-]{0,30}")
LISTS = {"types": ("kind", 32), "abandons": ("digest", 16), "culprits": ("member", 100)}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
SIZES = (
    "seq size epoch revision padded ours_padded count canaries at_stake log_size peer_epoch peer_set_padded"
    " peer_padded matched told bytes_sent bytes_received messages_sent asked entries members minimum"
    " reporters threshold clipped survivors released epsilon_milli"
)
COUNTS = set(SIZES.split())
TOGETHER = (
    {"log_size", "log_root"},
    {"peer_epoch", "peer_set", "peer_set_padded"},
    {"dictionary", "entries", "minimum", "reporters"},
)


class Wrong(Exception):
    """What is wrong, as a ``Problem`` that says it."""


@dataclass
class Export:
    files: dict[str, bytes]
    origin: str = ""
    member: str = ""
    rosters: list[Map] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    entries: list[Map] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    sessions: dict[str, dict[str, Map]] = field(default_factory=dict)

    def document(self, name: str) -> Map:
        return decoded(self.files[f"documents/{name}"])


def need(ok: object, text: str, file: str = "leaves", seq: int | None = None) -> None:
    if not ok:
        raise Wrong(file, seq, text)


@contextmanager
def reading(file: str, seq: int | None = None) -> Iterator[None]:
    """Whatever malformed bytes make a decoder or a comparison raise is wrong with this file."""
    try:
        yield
    except Wrong:
        raise
    except Exception as e:
        raise Wrong(file, seq, f"malformed: {e!r}") from e


def decoded(encoded: bytes, *keys: str) -> Any:
    """Deterministic CBOR, a map of these keys where they are given."""
    value = cbor2.loads(encoded)
    if cbor2.dumps(value, canonical=True) != encoded or (keys and set(value) != set(keys)):
        raise ValueError("not in its one encoding")
    return value


def verify(key: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


def member_in(roster: Map, member: str) -> Map:
    return next(m for m in roster["members"] + roster["revoked"] if m["id"] == member)


def well_formed(entry: Map) -> None:
    seq = entry["seq"]
    must, may, what_must, what_may = (set(names.split()) for names in KINDS[entry["kind"]])
    always, what = {"v", "seq", "time", "kind", "prev"}, entry.get("what", {})
    need(type(entry["v"]) is int and entry["v"] == 1, "its version", seq=seq)
    need(("what" in entry) == bool(what), "there is a what with nothing in it", seq=seq)
    need(what_must <= what.keys() <= what_must | what_may, "its fields in what", seq=seq)
    for group in TOGETHER:
        need(not group & what.keys() or group <= what.keys(), "a part of what comes together", seq=seq)
    need(must | always <= entry.keys() <= must | may | always | {"what"}, "its fields", seq=seq)
    for name, value in [*entry.items(), *what.items()]:
        need(name in {"v", "what"} or typed(name, value), f"the type of {name}", seq=seq)


def typed(name: str, value: Any) -> bool:
    if name in COUNTS:
        return type(value) is int and 0 <= value < 1 << 53
    if name in {"receipt", "seal"}:
        return type(value) is bytes and (1 <= len(value) <= 4096 if name == "receipt" else len(value) == 2420)
    if name in LISTS:
        each, most = LISTS[name]
        distinct = 1 <= len(value) <= most and value == sorted(set(value))
        return distinct and all(typed(each, one) for one in value)
    if name == "entered":
        return all(WORD.fullmatch(word) and n and typed("count", n) for word, n in value.items())
    if name == "withheld":
        return all(WORD.fullmatch(rule) and by and typed("entered", by) for rule, by in value.items())
    found = (TIME if name in {"time", "expires"} else TEXTS.get(name, WORD)).fullmatch(value)
    return bool(found and (found.re is not TIME or datetime.fromisoformat(value)))


def in_order(session: dict[str, Map], entry: Map) -> None:
    kind, seq, intent = entry["kind"], entry["seq"], session.get("intent")
    need(intent or kind in {"intent", "refused", "alarm", "report"}, "it comes before its intent", seq=seq)
    step = "result" if kind in RESULTS else kind
    if step in {"intent", "result", "receipt"}:
        need(step not in session, f"a second {step}", seq=seq)
        session[step] = entry
    if step == "result" and intent:
        need(all(entry[name] == intent[name] for name in ("peer", "direction")), "another peer", seq=seq)
        need(
            entry.get("agreement") == intent.get("agreement", entry.get("agreement")),
            "another agreement",
            seq=seq,
        )
