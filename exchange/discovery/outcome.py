"""What a counter says it counted: one document with one encoding, which it signs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from crypto.rows import Rows
from crypto.secagg.discovery import PAIR_BYTES
from exchange.aggregation.round import HASH_BYTES, MAX_MEMBERS, Round
from exchange.errors import PeerMisbehaved
from exchange.identity import encoding

MAX_HEAD_BYTES = 1 << 15
COUNT_BYTES = 2
TOLD_BYTES = PAIR_BYTES + COUNT_BYTES
"""Of each indicator in ``released_rows``."""
BLAMES = frozenset(
    {
        "bad-seal", "bad-shape", "bad-record", "bad-root", "bad-token", "bad-share", "bad-words",
        "poisoned-word",
    }
)  # fmt: skip
"""All that a counter can say of a batch. No word of the relay's is among it: these need no name."""
_LENGTH = 4
HEAD_BYTES = _LENGTH + MAX_HEAD_BYTES
"""Of an outcome at most, beside its body."""
_CODE = re.compile("[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was counted.

    Attributes:
        listed: SHA-256 over the digests of all batches, as the relay listed them.
        counted: how many batches were counted.
        blamed: the digests of those that were not, or whose shares are wrong, and why.
        root: over everything that was counted, so that a recount can be compared, 32 bytes.
        released: how many indicators at least so many members hold; in a strict discovery, how many places of
            the tables show some.
        body: what is told of them: see ``released_rows``, or ``exchange.discovery.words``; or nothing.
    """

    listed: bytes
    counted: int
    blamed: tuple[tuple[bytes, str], ...]
    root: bytes
    released: int
    body: bytes = field(repr=False)

    def entry(self, of: Round) -> dict[str, Any]:
        """What the ledger says of it. How many indicators a strict discovery shows, nobody knows."""
        known = {} if of.largest else {"released": self.released}
        return {"survivors": self.counted, "digest": sha256(self.encode()).hexdigest()} | known

    def encode(self) -> bytes:
        """The one encoding."""
        head = encoding.encode(
            {
                "listed": self.listed,
                "counted": self.counted,
                "blamed": [list(pair) for pair in self.blamed],
                "root": self.root,
                "released": self.released,
            }
        )
        return len(head).to_bytes(_LENGTH, "big") + head + self.body

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one strictly.

        Raises:
            PeerMisbehaved: it is malformed.
        """
        length = int.from_bytes(data[:_LENGTH], "big")
        try:
            if length > MAX_HEAD_BYTES:
                raise ValueError("its head is too large")  # noqa: TRY301
            found = encoding.table(
                encoding.decode(data[_LENGTH : _LENGTH + length], limit=MAX_HEAD_BYTES),
                listed=bytes, counted=int, blamed=list, root=bytes, released=int,
            )  # fmt: skip
            return cls(**_typed(found), body=data[_LENGTH + length :])
        except ValueError as e:
            raise PeerMisbehaved(f"what the counter says is malformed: {e}") from e


def list_hash(listed: Sequence[bytes]) -> bytes:
    """What an outcome says of the list of batches that it is about."""
    return sha256(b"".join(listed)).digest()


def released_rows(released: Rows, voices: NDArray[np.int64]) -> bytes:
    """What is told of each indicator: tag, secret, and how many voices there are. 34 bytes each."""
    counts = voices.astype(">u2").view(np.uint8).reshape(-1, COUNT_BYTES)
    return np.concatenate([released, counts], axis=1).tobytes()


def voices_of(outcome: Outcome) -> tuple[Rows, NDArray[np.int64]]:
    """The inverse of ``released_rows``.

    Raises:
        PeerMisbehaved: the rows are not as many as are released.
    """
    if len(outcome.body) != outcome.released * TOLD_BYTES:
        raise PeerMisbehaved("what the counter releases is malformed", code="bad-count")
    rows = np.frombuffer(outcome.body, np.uint8).reshape(-1, TOLD_BYTES)
    counts = np.ascontiguousarray(rows[:, -COUNT_BYTES:]).view(">u2")[:, 0].astype(np.int64)
    return np.ascontiguousarray(rows[:, :-COUNT_BYTES]), counts


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    if not 0 <= found["counted"] <= MAX_MEMBERS or not 0 <= found["released"] < 1 << 40:
        raise ValueError("a number is out of range")
    encoding.all_of(list, found["blamed"], "blamed")
    for pair in found["blamed"]:
        if (
            [type(part) for part in pair] != [bytes, str]
            or len(pair[0]) != HASH_BYTES
            or pair[1] not in BLAMES
        ):
            raise ValueError("a blame is not one")
    if (len(found["listed"]), len(found["root"])) != (HASH_BYTES, HASH_BYTES):
        raise ValueError("a hash is not one")
    return found | {"blamed": tuple((digest, code) for digest, code in found["blamed"])}


def is_code(text: str) -> bool:
    """Whether it is a short word, as ledgers and screens can show it."""
    return _CODE.fullmatch(text) is not None
