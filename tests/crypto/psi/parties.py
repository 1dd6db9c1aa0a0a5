"""Material for tests over every protocol that discovery finds."""

import hashlib
from collections.abc import Callable

import numpy as np

from crypto.psi import Count, Matches, Output, Params, Protocol
from crypto.psi.base import ITEM_BYTES
from crypto.rows import Rows
from crypto.session import Message

CONTEXT = bytes(range(32))
LONGEST_STORED = 1024


def items(*numbers: int) -> Rows:
    """Rows that stand for these numbers: the same number, the same row."""
    joined = b"".join(hashlib.sha256(b"item %d" % n).digest() for n in numbers)
    return np.frombuffer(joined, np.uint8).reshape(len(numbers), ITEM_BYTES)


def params(n_r: int, n_s: int, output: Output = Output.RECEIVER) -> Params:
    return Params(n_r=n_r, n_s=n_s, context=CONTEXT, output=output)


def widest(protocol: Protocol) -> Output:
    """The output that makes the longest run."""
    return Output.BOTH if Output.BOTH in protocol.outputs else Output.RECEIVER


def shown(result: Matches | Count | None) -> list[int] | int | None:
    """A result as the stored transcripts have it: positions, or how many."""
    return result.indices.tolist() if isinstance(result, Matches) else result and result.count


def content(message: Message) -> dict[str, str]:
    """A message as the stored transcripts have it: what is long by its SHA-256."""
    found = {"message": type(message).__name__}
    for field in message.sizes():
        value = bytes(getattr(message, field))
        long = len(value) > LONGEST_STORED
        found[field] = f"sha256:{hashlib.sha256(value).hexdigest()}" if long else value.hex()
    return found


def deterministic_rng(seed: bytes) -> Callable[[int], bytes]:
    """SHAKE-256 in counter mode: the randomness of the stored transcripts."""
    calls = 0

    def rng(n: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(seed + calls.to_bytes(8, "big")).digest(n)

    return rng
