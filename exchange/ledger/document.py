"""Documents: what entries of the ledger name by hash, kept beside them so that an auditor can read it.

An agreement, a policy, a peer's checkpoint or what it announced twice, kept as evidence, the public key of
our seals; of a run in which an alliance counts together its opening, and the tally that its members signed.
None of them holds an indicator.
"""

from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from crypto import labels


class DocumentKind(StrEnum):
    """What a document is."""

    AGREEMENT = "agreement"
    POLICY = "policy"
    NOTE = "note"
    KEY = "key"
    OPENING = "opening"
    TALLY = "tally"
    ROUND = "round"
    SPLIT = "split"


_LABELS = {
    DocumentKind.AGREEMENT: labels.AGREEMENT,
    DocumentKind.POLICY: labels.POLICY,
    DocumentKind.OPENING: labels.AGGREGATE_OPENING,
    DocumentKind.TALLY: labels.AGGREGATE_TALLY,
    DocumentKind.ROUND: labels.DISCOVERY_ROUND,
}


class Document(NamedTuple):
    """One document.

    Attributes:
        kind: what it is.
        body: canonical bytes of an agreement, an opening or a tally, canonical content of a policy, a
            checkpoint note in UTF-8, or an ML-DSA-44 public key.
    """

    kind: DocumentKind
    body: bytes

    @property
    def hash(self) -> str:
        """The name under which entries speak of it, in hex.

        That of an agreement is ``Agreement.hash``, that of a policy ``Policy.hash``, that of an opening its
        context: SHA-256 over a label, a zero byte and the body. That of all others is their SHA-256.
        """
        label = _LABELS.get(self.kind)
        return sha256((label.encode() + b"\x00" if label else b"") + self.body).hexdigest()
