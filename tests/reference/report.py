"""A slow, obvious second reader of reports, from ``docs/report.md`` and ``docs/ledger.md`` alone.

It shares no code with the first: entries are read with a CBOR decoder, the tree is walked as RFC 9162 section
2.1.3.2 has it, and the numbers are counted anew with loops. It returns the numbers; a test compares.
"""

import base64
import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Entry = dict[str, Any]


def signed(report: bytes, identity_key: bytes) -> bool:
    """Whether the file is in its one form and signed."""
    found = json.loads(report)
    if _form(found) != report:
        return False
    signature = bytes.fromhex(found.pop("signature"))
    return _verifies(identity_key, signature, b"cosight 2026 report v1\x00" + _form(found))


def included(report: bytes, log_key: bytes) -> bool:
    """Whether every entry is in the tree of the checkpoint, and the checkpoint is signed."""
    evidence = json.loads(report)["evidence"]
    text, _, signature_line = evidence["checkpoint"].partition("\n\n")
    text += "\n"
    signature = base64.b64decode(signature_line.split(" ")[2])[4:]
    size, root = int(text.split("\n")[1]), base64.b64decode(text.split("\n")[2])
    return _verifies(log_key, signature, text.encode()) and all(
        _root(entry, size) == root for entry in evidence["entries"]
    )


def _root(entry: Entry, size: int) -> bytes:
    body = bytes.fromhex(entry["body"])
    node, index, last = sha256(b"\x00" + body).digest(), entry["seq"], size - 1
    for step in map(bytes.fromhex, entry["path"]):
        if index % 2 == 1 or index == last:
            node = sha256(b"\x01" + step + node).digest()
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\x01" + node + step).digest()
        index, last = index // 2, last // 2
    return node


def numbers(report: bytes) -> dict[str, Any]:
    """The numbers that a report must state, counted from the entries in it."""
    found = json.loads(report)
    entries = [cbor2.loads(bytes.fromhex(e["body"])) for e in found["evidence"]["entries"]]
    scope = found["content"]["scope"]
    told = {}
    for e in entries:
        if e["kind"] == "intent" and _covered(e, scope):
            told[e["session"]] = _session(e["session"], entries)
    return {
        "sessions": told,
        "budgets": _budgets(entries, found["content"]["given"]["made_at"]),
        "decisions": {
            name: sum(e["kind"] == kind for e in entries)
            for name, kind in (("refusals", "refused"), ("approvals", "approval"), ("alarms", "alarm"))
        },
    }


def _covered(e: Entry, scope: dict[str, str]) -> bool:
    day = e["time"][:10]
    return (
        scope["session"] in {"", e["session"]}
        and scope["peer"] in {"", e["peer"]}
        and scope["since"] <= day
        and (scope["until"] == "" or day <= scope["until"])
    )


def _session(session: str, entries: list[Entry]) -> dict[str, Any]:
    of = {e["kind"]: e for e in entries if e.get("session") == session}
    intent, result = of["intent"], of.get("disclosed", of.get("aborted"))
    what = dict(intent["what"])
    if result is not None:
        what.update(result["what"])
    charge = what["at_stake"]
    if intent["direction"] == "responder" and "receipt" in of:
        initiators_part = cbor2.loads(cbor2.loads(of["receipt"]["receipt"])[0])
        if initiators_part["told"] is not None:
            charge = min(charge, initiators_part["told"])
    asked = 0
    if (intent["direction"] == "responder" and what["rung"] != "size") or charge:
        asked = what.get("peer_padded", 0)
    held = 0
    for by_type in what["withheld"].values():
        for n in by_type.values():
            held += n
    return {
        "peer": intent["peer"], "began": intent["time"], "entered": sum(what["entered"].values()),
        "withheld": held, "matched": what.get("matched"), "most": what["at_stake"], "charge": charge,
        "asked": asked,
    }  # fmt: skip


def _budgets(entries: list[Entry], made_at: str) -> dict[str, dict[str, int]]:
    made = datetime.fromisoformat(made_at)
    found: dict[str, dict[str, int]] = {}
    for e in entries:
        if e["kind"] != "intent":
            continue
        age, s = made - datetime.fromisoformat(e["time"]), _session(e["session"], entries)
        budget = found.setdefault(e["peer"], {"day": 0, "asked_day": 0, "asked_year": 0, "charge_year": 0})
        if age <= timedelta(hours=24):
            budget["day"] += 1
            budget["asked_day"] += s["asked"]
        if age <= timedelta(days=365):
            budget["asked_year"] += s["asked"]
            budget["charge_year"] += s["charge"]
    return found


def _form(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
