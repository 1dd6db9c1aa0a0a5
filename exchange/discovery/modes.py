"""The two ways to count, behind one face: by tags, or by tables that show nothing below the threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from crypto.errors import PeerFault
from crypto.rows import Rows
from crypto.secagg import batches, counting, strict
from crypto.secagg import discovery as atr
from crypto.secagg.batches import Batch, Envelope
from crypto.secagg.discovery import RECORD_BYTES
from crypto.secagg.strict import Handed, Strict
from exchange.aggregation.round import Learns, Round
from exchange.agreement import size_class
from exchange.discovery.outcome import TOLD_BYTES, Outcome, released_rows, voices_of
from exchange.discovery.world import PartMisbehaved

_POINT_BYTES = 8
_Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a count gives.

    Attributes:
        batches: how many were counted.
        blamed: the names of those that lie, and how.
        proofs: of some of these, by their names.
        root: over everything that was counted.
        released: how many rows are released.
        body: these rows, and what is needed to read them.
    """

    batches: int
    blamed: tuple[tuple[bytes, str], ...]
    proofs: tuple[tuple[bytes, counting.Proof], ...]
    root: bytes
    released: int
    body: bytes


class Mode(Protocol):
    """How a discovery is counted."""

    def most_bytes(self, max_rows: int) -> int:
        """The most bytes of a batch of a member whose set has at most so many indicators."""

    def most_told(self, brought: int) -> int:
        """The most bytes of what is released, of batches that have so many bytes together."""

    def seal(self, outputs: Rows, token: bytes, copies: atr.Copies, size: int, /) -> tuple[bytes, bytes]:
        """The batch of a member, and the root of its records, or ``b""``."""

    def token(self, head: bytes, key: X25519PrivateKey, /) -> bytes:
        """The token of a batch, from its first ``batches.head_bytes``; raises ``BadBatch``."""

    def open(self, sealed: bytes, key: X25519PrivateKey, root: bytes, /) -> Envelope:
        """Read a batch that came with a root; raises ``BadBatch``."""

    def count(self, opened: Sequence[Envelope]) -> Counted:
        """Count batches whose tokens were confirmed."""

    def recognise(
        self, outputs: Rows, token: bytes, outcome: Outcome, digest: bytes = b"", /
    ) -> tuple[_Places, _Places]:
        """Which of these are released, and how many members stand behind each; the digest is of our batch."""


def mode_of(of: Round) -> Mode:
    """The one that was agreed on."""
    return ByTables(of) if of.largest else ByTags(of)


@dataclass(frozen=True, slots=True)
class ByTags:
    """ATR/1: ``crypto.secagg.discovery``."""

    of: Round

    def most_bytes(self, max_rows: int) -> int:
        """See ``Mode``."""
        return batches.sealed_bytes(size_class(max_rows), self.of.setup())

    def most_told(self, brought: int) -> int:
        """See ``Mode``; what is released stands in as many batches as the threshold says."""
        tells = self.of.learns is not Learns.COLLECTIVE
        return TOLD_BYTES * (brought // RECORD_BYTES // self.of.threshold) if tells else 0

    def seal(self, outputs: Rows, token: bytes, copies: atr.Copies, size: int, /) -> tuple[bytes, bytes]:
        """See ``Mode``."""
        setup = self.of.setup()
        records = atr.records(outputs, setup, token, size=size, copies=copies)
        return batches.seal(token, records, self.of.box, setup), batches.root(token, records, setup)

    def token(self, head: bytes, key: X25519PrivateKey, /) -> bytes:
        """See ``Mode``."""
        return batches.open_token(head, key, self.of.setup())

    def open(self, sealed: bytes, key: X25519PrivateKey, root: bytes, /) -> Envelope:
        """See ``Mode``."""
        return batches.open_batch(sealed, key, self.of.setup(), signed=root)

    def count(self, opened: Sequence[Envelope]) -> Counted:
        """See ``Mode``."""
        setup, whole = self.of.setup(), [one for one in opened if isinstance(one, Batch)]
        found, named = counting.count(whole, setup), {one.name: one for one in whole}
        tells = self.of.learns is not Learns.COLLECTIVE
        return Counted(
            batches=found.batches,
            blamed=tuple((lie.batch, "bad-share") for lie in found.lies),
            proofs=tuple((lie.batch, counting.prove(lie, named[lie.batch], setup)) for lie in found.lies),
            root=found.root,
            released=len(found.released),
            body=released_rows(found.released, found.voices) if tells else b"",
        )

    def recognise(
        self, outputs: Rows, _token: bytes, outcome: Outcome, _digest: bytes = b"", /
    ) -> tuple[_Places, _Places]:
        """See ``Mode``.

        Raises:
            PartMisbehaved: the counter gives an outcome that no honest one gives.
        """
        setup = self.of.setup()
        released, voices = voices_of(outcome)
        try:
            atr.check_released(released, voices, setup)
            if np.any(voices > outcome.counted):
                raise _lies(self.of, "it counts more holders than there are batches")
        except PeerFault as e:
            raise _lies(self.of, e) from e
        ours, theirs = atr.recognise(atr.pairs(outputs, setup), released)
        return ours, voices[theirs]


@dataclass(frozen=True, slots=True)
class ByTables:
    """ATR/1s: ``crypto.secagg.strict``."""

    of: Round

    def most_bytes(self, max_rows: int) -> int:
        """See ``Mode``."""
        return self._strict.sealed_bytes if self.of.largest <= size_class(max_rows) else 0

    def most_told(self, _brought: int) -> int:
        """See ``Mode``."""
        return 1 + _POINT_BYTES * len(self.of.members) + strict.RELEASED_BYTES * self._strict.most_released

    def seal(self, outputs: Rows, token: bytes, _copies: atr.Copies, _size: int, /) -> tuple[bytes, bytes]:
        """See ``Mode``; there are no copies here, and all batches are of one size."""
        tables = strict.write(outputs, token, self._strict)
        return strict.seal(token, tables, self.of.box, self._strict), b""

    def token(self, head: bytes, key: X25519PrivateKey, /) -> bytes:
        """See ``Mode``."""
        return strict.open_token(head, key, self._strict)

    def open(self, sealed: bytes, key: X25519PrivateKey, _root: bytes, /) -> Envelope:
        """See ``Mode``."""
        return strict.open_tables(sealed, key, self._strict)

    def count(self, opened: Sequence[Envelope]) -> Counted:
        """See ``Mode``."""
        handed = [one for one in opened if isinstance(one, Handed)]
        found = strict.count(handed, self._strict)
        points = np.array(found.points, ">u8").tobytes()
        return Counted(
            batches=len(handed), blamed=(), proofs=(), root=found.digest(self._strict),
            released=len(found.released),
            body=bytes([len(found.points)]) + points + found.released.tobytes(),
        )  # fmt: skip

    def recognise(
        self, outputs: Rows, token: bytes, outcome: Outcome, digest: bytes = b"", /
    ) -> tuple[_Places, _Places]:
        """See ``Mode``.

        Raises:
            PartMisbehaved: the counter gives an outcome that no honest one gives.
        """
        start = 1 + _POINT_BYTES * outcome.body[0] if outcome.body else 1
        if len(outcome.body) != start + strict.RELEASED_BYTES * outcome.released:
            raise _lies(self.of, "its rows are not as many as it says")
        points = np.frombuffer(outcome.body[1:start], ">u8").tolist()
        left_out = digest in dict(outcome.blamed)  # only a blame of our own batch excuses that we are not in
        if len(points) != outcome.counted or (strict.point_of(token) in points) == left_out:
            raise _lies(self.of, "it counted other batches than it says")
        released = np.frombuffer(outcome.body, np.uint8, offset=start).reshape(-1, strict.RELEASED_BYTES)
        found = strict.Outcome(released, tuple(points))
        try:
            strict.check_outcome(found, self._strict)
        except PeerFault as e:
            raise _lies(self.of, e) from e
        return strict.recognise(outputs, strict.write(outputs, token, self._strict), found, self._strict)

    @property
    def _strict(self) -> Strict:
        return strict_of(self.of)


def strict_of(of: Round) -> Strict:
    """What a strict discovery agrees on besides."""
    return Strict(setup=of.setup(), items=of.largest)


def _lies(of: Round, why: object) -> PartMisbehaved:
    return PartMisbehaved(f"{of.parts.counter} lies: {why}", of.parts.counter, code="bad-count")
