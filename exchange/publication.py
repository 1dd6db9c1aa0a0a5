"""What a publisher signs of a filter: what it is of, for how long, under which key. Pure.

Source: RFC 8949 section 4.2 (deterministic encoding).
"""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto import labels
from exchange.agreement import MAX_ROWS, padme, plain
from exchange.errors import PeerMisbehaved
from exchange.identity import keys
from exchange.indicators import IndicatorType

PROTOCOL = "filter"
"""Its name in policies and agreements."""
MAX_BYTES = 2048
MAX_DAYS = 366
EPOCH_BYTES = 16
MAX_FILE_BYTES = 1 << 36
EARLY = timedelta(minutes=5)
"""How far the publisher's clock may be ahead of ours."""
_HASH_BYTES = 32
_HEAD_BYTES, _TAG_BYTES = 4096, 16
"""No filter is larger than a table of whole tags, apart from the smallest."""
_WORD = re.compile(r"[a-z0-9][a-z0-9./-]{0,63}")


class Kind(StrEnum):
    """The kinds of filters: see ``crypto.filters``."""

    GOLOMB = "golomb"
    BLOOM = "bloom"
    SORTED = "sorted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One filter of an epoch.

    Attributes:
        alliance: whose member the publisher is.
        member: the publisher.
        epoch: 16 random bytes that name the epoch.
        number: of the filter in its epoch, from 1.
        types: types of indicators in it, sorted, without repetition.
        profile: canonical profile of the indicators.
        kind: of the filter.
        fpr: how often it seems to hold what it does not, at most.
        items: how many tags it holds: items, filled up to a size class.
        public_key: of the epoch, 32 bytes.
        digest: SHA-256 of the file, 32 bytes.
        size: of the file, in bytes.
        made: when, in seconds since 1970.
        expires: when the epoch ends, in seconds since 1970.

    Raises:
        PeerMisbehaved: a value is not of its type or out of range.
    """

    alliance: str
    member: str
    epoch: bytes
    number: int
    types: tuple[IndicatorType, ...]
    profile: str
    kind: Kind
    fpr: float
    items: int
    public_key: bytes
    digest: bytes
    size: int
    made: int
    expires: int

    def __post_init__(self) -> None:
        sound = (
            all(
                type(word) is str and _WORD.fullmatch(word)
                for word in (self.alliance, self.member, self.profile)
            )
            and _are(
                bytes, (self.epoch, EPOCH_BYTES), (self.public_key, _HASH_BYTES), (self.digest, _HASH_BYTES)
            )
            and bool(self.types)
            and all(a < b for a, b in pairwise(self.types))
            and type(self.fpr) is float
            and 0 < self.fpr <= 1 / 2
            and all(type(n) is int for n in (self.number, self.items, self.size, self.made, self.expires))
            and 1 <= self.number < MAX_ROWS
            and 1 <= self.items < MAX_ROWS
            and padme(self.items) == self.items
            and 0 < self.size <= _HEAD_BYTES + _TAG_BYTES * self.items
            and 0 < self.made < self.expires <= self.made + MAX_DAYS * 86_400
        )
        if not sound:
            raise PeerMisbehaved("the description of the filter is malformed", code="bad-publication")

    @property
    def encoded(self) -> bytes:
        """The canonical bytes."""
        return cbor2.dumps({f.name: plain(getattr(self, f.name)) for f in fields(self)}, canonical=True)

    @property
    def epoch_name(self) -> str:
        """The epoch in hex."""
        return self.epoch.hex()

    @property
    def made_at(self) -> datetime:
        """When it was made, UTC."""
        return datetime.fromtimestamp(self.made, UTC)

    @property
    def expires_at(self) -> datetime:
        """When its epoch ends, UTC."""
        return datetime.fromtimestamp(self.expires, UTC)

    def covers(self, now: datetime) -> bool:
        """Say whether it is in force."""
        return self.made_at - EARLY <= now < self.expires_at

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read a description: its one encoding and nothing else.

        Raises:
            PeerMisbehaved: the bytes are no such encoding.
        """
        try:
            publication = cls(**cls._fields_in(encoded))
        except PeerMisbehaved:
            raise
        except Exception as e:  # whatever a decoder can raise on arbitrary bytes means the same here
            raise PeerMisbehaved("the description of the filter is malformed", code="bad-publication") from e
        if publication.encoded != encoded:
            raise PeerMisbehaved("the description of the filter is not canonical", code="bad-publication")
        return publication

    @staticmethod
    def _fields_in(encoded: bytes) -> dict[str, Any]:
        if len(encoded) > MAX_BYTES:
            raise PeerMisbehaved("the description of the filter is too long", code="bad-publication")
        raw: dict[str, Any] = cbor2.loads(
            encoded, allow_indefinite=False, allow_duplicate_keys=False, max_depth=4
        )
        return raw | {"types": tuple(map(IndicatorType, raw["types"])), "kind": Kind(raw["kind"])}


def sign(publication: Publication, key: Ed25519PrivateKey) -> bytes:
    """Return the signature of an identity key over a description, 64 bytes."""
    return keys.sign(key, labels.PUBLICATION, publication.encoded)


def verify(publication: Publication, signature: bytes, public_key: bytes) -> bool:
    """Say whether this identity key (32 bytes) signed this description."""
    return keys.verify(public_key, labels.PUBLICATION, publication.encoded, signature)


def _are(kind: type, *values: tuple[bytes, int]) -> bool:
    return all(type(value) is kind and len(value) == length for value, length in values)
