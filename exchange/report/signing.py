"""The form of a report: one canonical JSON text, signed with the identity key of the member who makes it.

Keys are sorted, nothing stands between tokens, numbers are whole, and one newline ends it: no byte is free.
Its digest is the SHA-256 of the file.
"""

import json
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto import labels
from exchange.errors import InputError
from exchange.identity import keys

FORMAT = "cosight-report/1"
MAX_BYTES = 256 << 20


def canonical(value: object) -> bytes:
    """Return the one text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def digest(report: bytes) -> str:
    """Return what names a report: SHA-256 of its bytes, in hex."""
    return sha256(report).hexdigest()


def sign(content: dict[str, Any], evidence: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return the bytes of the signed report."""
    body = {"format": FORMAT, "content": content, "evidence": evidence}
    return canonical(body | {"signature": keys.sign(key, labels.REPORT, canonical(body)).hex()})


def signed_by(report: dict[str, Any], key: bytes) -> bool:
    """Say whether this identity key (32 bytes) signed a report that was read."""
    body = {name: report[name] for name in ("format", "content", "evidence")}
    try:
        signature = bytes.fromhex(report["signature"])
    except (ValueError, TypeError):
        return False
    return keys.verify(key, labels.REPORT, canonical(body), signature)


def read(data: bytes) -> dict[str, Any]:
    """Read a report: its one form and nothing else. No signature is checked.

    Raises:
        InputError: it is no report.
    """
    wrong = InputError("this is no report of cosight, or not in its form any more", code="report-form")
    if len(data) > MAX_BYTES:
        raise wrong
    try:
        report = json.loads(data, parse_float=_no_float, parse_constant=_no_float)
        same = canonical(report) == data
    except (ValueError, RecursionError):
        raise wrong from None
    if not same or not isinstance(report, dict) or report.get("format") != FORMAT:
        raise wrong
    if report.keys() != {"format", "content", "evidence", "signature"}:
        raise wrong
    return report


def _no_float(_text: str) -> object:
    raise ValueError("a report has whole numbers alone")
