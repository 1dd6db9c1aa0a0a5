"""A whole policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Self

import cbor2

from crypto import labels
from exchange.indicators import IndicatorType
from exchange.policy.reader import Reader
from exchange.policy.tables import PERSONAL, Arrangement, Iep, LegalBasis
from exchange.policy.terms import ALWAYS, ANYONE, VERSION, Terms, Validity, plain
from exchange.policy.together import Aggregate, Discover
from exchange.policy.values import Values


@dataclass(frozen=True)
class Policy:
    """A whole policy.

    Attributes:
        peers: terms by member id; ``ANYONE`` holds those for the members not named.
        validity: when the policy as a whole is in force.
        revision: the number that its authors give it; pinned beside the hash.
        suspended: whether nothing runs with anybody.
        regions: where peers may be; None allows any.
        personal_data: the types that count as personal data.
        legal_bases: by name.
        arrangements: by name.
        approvers: Ed25519 public keys, 32 bytes, by name.
        iep: the FIRST IEP that heads it.
        aggregate: what may be counted with the alliance; None for nothing.
        discover: what may be looked for with the alliance; None for nothing.
    """

    peers: Mapping[str, Terms] = field(default_factory=dict)
    validity: Validity = ALWAYS
    revision: int = 0
    suspended: bool = False
    regions: frozenset[str] | None = None
    personal_data: frozenset[IndicatorType] = PERSONAL
    legal_bases: Mapping[str, LegalBasis] = field(default_factory=dict)
    arrangements: Mapping[str, Arrangement] = field(default_factory=dict)
    approvers: Mapping[str, bytes] = field(default_factory=dict)
    iep: Iep | None = None
    aggregate: Aggregate | None = None
    discover: Discover | None = None

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Self:
        """Read what ``content`` returned.

        Raises:
            ConfigError: it is anything else; names the place.
        """
        values = Values(lambda at: f"the stored policy: {'.'.join(at)}", quoted=True)
        return cls(**Reader(values).policy(dict(content)))

    def terms(self, peer: str) -> tuple[str, Terms] | None:
        """Return the terms for a peer and the name they stand under; None when there are none."""
        for name in (peer, ANYONE):
            if name in self.peers:
                return name, self.peers[name]
        return None

    def attribution(self, peer: str) -> str:
        """Return whether a peer ``may``, ``must`` or ``must-not`` be named as the source of a match."""
        found = self.terms(peer)
        own = None if found is None else found[1].attribution
        return own or (self.iep.attribution if self.iep is not None else None) or "may"

    def content(self) -> dict[str, object]:
        """Return what is hashed: the meaning, without the order and the comments of the file."""
        peers = {"peers": {name: terms.content() for name, terms in self.peers.items()}}
        stated: dict[str, object] = {
            "revision": self.revision,
            "suspended": self.suspended,
            "legal_bases": plain(self.legal_bases),
            "arrangements": plain(self.arrangements),
            "approvers": {name: key.hex() for name, key in self.approvers.items()},
            "iep": plain(self.iep),
        }
        said = {name: value for name, value in stated.items() if value}
        if self.regions is not None:
            said["regions"] = plain(self.regions)
        if self.personal_data != PERSONAL:
            said["personal_data"] = {"types": plain(self.personal_data)}
        tables = (("aggregate", self.aggregate), ("discover", self.discover))
        said |= {name: table.content() for name, table in tables if table is not None}
        return {"version": VERSION} | said | self.validity.content() | peers

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes of the content."""
        return cbor2.dumps(self.content(), canonical=True)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 over the label and the canonical content, 32 bytes; equal policies have equal hashes."""
        return sha256(labels.POLICY.encode() + b"\x00" + self.encoded).digest()
