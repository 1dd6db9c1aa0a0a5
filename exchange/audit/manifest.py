"""The manifest of an export: which files belong to it, signed with the log's key as a C2SP note.

Its text is four lines that say what it is, and one line a file: SHA-256 in hex, two spaces, the path. So
``sha256sum -c`` checks the files, too.

Source: C2SP signed-note.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import LedgerError
from exchange.ledger import note as notes

NAME = "MANIFEST"
FORMAT = "cosight-export/v1"
"""The first line. No log can have this name, so that no manifest can pass for a checkpoint."""
PATH = re.compile(
    r"README\.txt|leaves|checkpoints|rosters/[0-9]{6}\.roster|documents/[0-9a-f]{64}|reports/[0-9a-f]{64}\.json"
)
_HEAD_LINES = 4
_SIZE = re.compile(r"[1-9][0-9]{0,15}")
_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z")
_FILE = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export consists of.

    Attributes:
        origin: the log's name.
        size: number of entries.
        time: when the export was made, as in an entry.
        files: SHA-256 of every file but this one, in hex, by its path.
    """

    origin: str
    size: int
    time: str
    files: Mapping[str, str]

    def text(self) -> str:
        """Return the signed text: files by ascending path."""
        lines = [f"{digest}  {path}" for path, digest in sorted(self.files.items())]
        return "\n".join([FORMAT, self.origin, str(self.size), self.time, *lines]) + "\n"

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """Return the file."""
        return notes.sign_text(self.text(), self.origin, key).encode()

    def signed_by(self, data: bytes, public_key: bytes) -> bool:
        """Say whether ``data`` is exactly this manifest, signed by this key."""
        return notes.check_text(data.decode(), self.text(), self.origin, public_key)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a manifest without checking its signature.

        Raises:
            LedgerError: it is none.
        """
        malformed = LedgerError("it is no manifest of an export, or not in its form any more")
        try:
            text, _, signature = data.decode().partition("\n\n")
        except UnicodeDecodeError:
            raise malformed from None
        lines = text.split("\n")
        files = [_FILE.fullmatch(line) for line in lines[_HEAD_LINES:]]
        known = {found[2]: found[1] for found in files if found and PATH.fullmatch(found[2])}
        if not signature or len(lines) < _HEAD_LINES or lines[0] != FORMAT or len(known) != len(files):
            raise malformed
        origin, size, time = lines[1:_HEAD_LINES]
        if not (notes.ORIGIN.fullmatch(origin) and _SIZE.fullmatch(size) and _TIME.fullmatch(time)):
            raise malformed
        return cls(origin, int(size), time, known)

    def differences(self, files: Mapping[str, bytes]) -> dict[str, str]:
        """Return what is wrong with the files beside the manifest, by path."""
        found = dict.fromkeys(files.keys() - self.files.keys() - {NAME}, "the manifest does not name it")
        for path, digest in self.files.items():
            if path not in files:
                found[path] = "it is missing"
            elif sha256(files[path]).hexdigest() != digest:
                found[path] = "it is not the file that the manifest names"
        return dict(sorted(found.items()))
