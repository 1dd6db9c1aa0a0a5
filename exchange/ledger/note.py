"""Checkpoints: what the log's key signs after every append, as C2SP signed notes.

A checkpoint names the log (*origin*), the number of leaves and the root over them. Its text is three lines;
a blank line and one signature line per key follow. Any tool that reads C2SP notes can check one.

Source: C2SP signed-note and tlog-checkpoint.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from exchange.errors import LedgerError

_ED25519 = b"\x01"  # signature type of the signed-note specification
_KEY_HASH_BYTES = 4
_ROOT_BYTES = 32
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
MEMBER = re.compile(r"[a-z0-9-]{1,40}")
ALLIANCE = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,9}")
ORIGIN = re.compile(rf"cosight/(?:{ALLIANCE.pattern}/)?{MEMBER.pattern}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log at one size.

    Attributes:
        origin: the log's name, ``cosight/<alliance>/<member>``, or ``cosight/<member>`` before joining.
        size: number of leaves.
        root: RFC 6962 root over them, 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the signed text: origin, size and root in base64, each with its newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin(member: str, alliance: str = "") -> str:
    """Return the name of a member's log."""
    return f"cosight/{alliance}/{member}" if alliance else f"cosight/{member}"


def member_of(origin: str) -> str:
    """Return the member that an origin names.

    Raises:
        LedgerError: the text is no origin of a cosight log.
    """
    if not ORIGIN.fullmatch(origin):
        raise LedgerError("a ledger is named cosight/<member> or cosight/<alliance>/<member>")
    return origin.rpartition("/")[2]


def key_hash(name: str, public_key: bytes) -> bytes:
    """Return the 4 bytes that tell keys of one name apart in signature lines."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_HASH_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """Return the key in the ``name+hash+key`` form that other note verifiers take."""
    tail = base64.b64encode(_ED25519 + public_key).decode()
    return f"{name}+{key_hash(name, public_key).hex()}+{tail}"


def _render(text: str, name: str, public_key: bytes, signature: bytes) -> str:
    blob = base64.b64encode(key_hash(name, public_key) + signature).decode()
    return f"{text}\n— {name} {blob}\n"


def sign_text(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """Return a text as a note with one Ed25519 signature line.

    Args:
        text: whole lines, none of them empty.
        name: of the key.
        key: the log's key.
    """
    return _render(text, name, key.public_key().public_bytes_raw(), key.sign(text.encode()))


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Return the checkpoint as a note with one Ed25519 signature line, named like the origin."""
    return sign_text(checkpoint.text(), checkpoint.origin, key)


def parse(note: str) -> Checkpoint:
    """Read a note of this log's own form without checking its signature.

    Raises:
        LedgerError: it is not three lines, a blank one and one signature line.
    """
    lines = note.split("\n")
    malformed = LedgerError("a checkpoint of the ledger is malformed")
    if len(lines) != 6 or lines[3] or lines[5] or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004
        raise malformed
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError):
        raise malformed from None
    if len(root) != _ROOT_BYTES:
        raise malformed
    return Checkpoint(lines[0], int(lines[1]), root)


def check(note: str, checkpoint: Checkpoint, public_key: bytes) -> bool:
    """Say whether ``note`` is exactly this checkpoint with one valid signature by this key."""
    return check_text(note, checkpoint.text(), checkpoint.origin, public_key)


def check_text(note: str, text: str, name: str, public_key: bytes) -> bool:
    """Say whether ``note`` is exactly this text with one valid signature by this key of this name.

    Exactly: the note is rendered again and compared, so no byte of it is free, not even base64's spare bits.
    """
    blob = note.removesuffix("\n").rpartition(" ")[2]
    try:
        signature = base64.b64decode(blob, validate=True)[_KEY_HASH_BYTES:]
    except (binascii.Error, ValueError):
        return False
    if _render(text, name, public_key, signature) != note:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def read(note: str, public_key: bytes) -> Checkpoint:
    """Read a note and check its signature.

    Raises:
        LedgerError: it is malformed or not signed by this key.
    """
    checkpoint = parse(note)
    if not check(note, checkpoint, public_key):
        raise LedgerError("a checkpoint of the ledger is not signed by the log's key")
    return checkpoint
