"""What the members of a run signed when it was over: whose sum it is and the digest of the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from crypto.errors import VerificationError
from crypto.secagg.base import SIGNATURE_BYTES, Aggregate, Setup
from crypto.secagg.view import verify_receipt
from exchange.aggregation.opening import HASH_BYTES, MEMBERS
from exchange.errors import PeerMisbehaved
from exchange.identity import encoding
from exchange.ledger.document import Document, DocumentKind

MAX_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Tally:
    """The receipt of a run: a document that any member, and any auditor, can check.

    Attributes:
        context: of the run, 32 bytes.
        survivors: positions in the opening of those whose sum it is, ascending.
        digest: of the result, 32 bytes.
        signatures: of members over all of that, 64 bytes each, by position.
    """

    context: bytes
    survivors: tuple[int, ...]
    digest: bytes
    signatures: Mapping[int, bytes] = field(repr=False)

    @classmethod
    def of(cls, context: bytes, aggregate: Aggregate) -> Self:
        """That of a run that has ended."""
        return cls(context, aggregate.survivors, aggregate.digest, dict(aggregate.signatures))

    @property
    def document(self) -> Document:
        """What the ledger keeps, and names by its hash."""
        signatures = [[position, self.signatures[position]] for position in sorted(self.signatures)]
        body = {
            "context": self.context,
            "survivors": list(self.survivors),
            "digest": self.digest,
            "signatures": signatures,
        }
        return Document(DocumentKind.TALLY, encoding.encode(body))

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a tally strictly. No signature is checked.

        Raises:
            PeerMisbehaved: it is malformed.
        """
        try:
            raw = encoding.table(
                encoding.decode(body, limit=MAX_BYTES),
                context=bytes, survivors=list, digest=bytes, signatures=list,
            )  # fmt: skip
            signatures = dict(map(tuple, raw["signatures"]))
            tally = cls(raw["context"], tuple(raw["survivors"]), raw["digest"], signatures)
            valid = tally.document.body == body and _is_sound(tally)
        except (ValueError, TypeError) as e:
            raise PeerMisbehaved("a tally cannot be decoded") from e
        if not valid:
            raise PeerMisbehaved("a tally is malformed")
        return tally

    def check(self, setup: Setup) -> bool:
        """Say whether enough of those whose sum it is signed it."""
        if setup.context != self.context:
            return False
        try:
            verify_receipt(setup, self.survivors, self.digest, dict(self.signatures))
        except VerificationError:
            return False
        return True


def _is_sound(tally: Tally) -> bool:
    positions = (tally.survivors, tuple(tally.signatures))
    return (
        len(tally.context) == len(tally.digest) == HASH_BYTES
        and all(map(_are_positions, positions))
        and set(tally.signatures) <= set(tally.survivors)
        and all(type(s) is bytes and len(s) == SIGNATURE_BYTES for s in tally.signatures.values())
    )


def _are_positions(values: Sequence[object]) -> bool:
    return all(type(v) is int and 0 <= v < MEMBERS[1] for v in values) and list(values) == sorted(set(values))  # type: ignore[type-var]
