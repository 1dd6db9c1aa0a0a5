"""Material for tests over every protocol that discovery finds."""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crypto.psi import (
    Band,
    Brings,
    Contexts,
    Count,
    Estimate,
    Matches,
    Noisy,
    Output,
    Params,
    Protocol,
    Result,
    Total,
)
from crypto.psi.base import ITEM_BYTES
from crypto.rows import Rows
from crypto.session import Message, Role

CONTEXT = bytes(range(32))
LONGEST_STORED = 1024
MOST_NOISE = 40
"""No honest run at epsilon 1 is further off."""


def items(*numbers: int) -> Rows:
    """Rows that stand for these numbers: the same number, the same row."""
    joined = b"".join(hashlib.sha256(b"item %d" % n).digest() for n in numbers)
    return np.frombuffer(joined, np.uint8).reshape(len(numbers), ITEM_BYTES)


def params(n_r: int, n_s: int, output: Output = Output.RECEIVER) -> Params:
    """Parameters that suit every protocol: each takes of them what it needs."""
    return Params(
        n_r=n_r, n_s=n_s, context=CONTEXT, output=output,
        label_bytes=64, epsilon_milli=1000, bands=(0, 1, 3, 10),
    )  # fmt: skip


def value_of(number: int) -> int:
    """What the sender of a sum says of an item."""
    return number % 100 + 1


def context_of(number: int) -> bytes:
    """What the sender of contexts says of an item; nothing for one in seven."""
    return b"" if number % 7 == 0 else b"seen %d times" % number


def receiver_of(protocol: Protocol, numbers: Sequence[int], p: Params, **more: Any) -> Role[Any]:
    """The receiver, with these items."""
    return protocol.receiver(items(*numbers), p, **more)


def sender_of(protocol: Protocol, numbers: Sequence[int], p: Params, **more: Any) -> Role[Any]:
    """The sender, with these items and whatever it brings besides; of equal items the first one counts."""
    match protocol.brings:
        case Brings.VALUES:
            more["values"] = np.array([value_of(n) for n in numbers], np.uint64)
        case Brings.CONTEXTS:
            more["contexts"] = [context_of(n) for n in numbers]
    return protocol.sender(items(*numbers), p, **more)


def is_right(result: Result, own: Sequence[int], peers: Sequence[int], p: Params) -> bool:
    """Whether a result is what these two sets give: exactly, or as near as it can be."""
    shared, union = set(own) & set(peers), set(own) | set(peers)
    match result:
        case Matches():
            found = [own[i] for i in result.indices]
            where = sorted(own.index(value) for value in shared)
            said = isinstance(result, Contexts) and list(result.contexts) != [context_of(n) for n in found]
            return result.indices.tolist() == where and not said
        case Count():
            return result.count == len(shared)
        case Total():
            return (result.count, result.total) == (len(shared), sum(map(value_of, shared)))
        case Band():
            return result == band_of(len(shared), p)
        case Noisy():
            return result.epsilon == p.epsilon_milli / 1000 and abs(result.count - len(shared)) <= MOST_NOISE
        case Estimate():
            j = len(shared) / max(len(union), 1)
            return abs(result.equal / result.slots - j) <= 6 * math.sqrt(j * (1 - j) / result.slots)


def invents_nothing(result: Result, own: Sequence[int], peers: Sequence[int], p: Params) -> bool:
    """Whether a result, got from a lying peer, shows no more than is shared."""
    shared = set(own) & set(peers)
    match result:
        case Matches():
            found = [own[i] for i in result.indices]
            said = isinstance(result, Contexts) and list(result.contexts) != [context_of(n) for n in found]
            return set(found) <= shared and not said
        case Count() | Total():
            return result.count <= len(shared)
        case Band():
            return result.low <= band_of(len(shared), p).low
        case Noisy():
            return result.count <= len(shared) + MOST_NOISE
        case Estimate():
            j = len(shared) / max(len(set(own) | set(peers)), 1)
            return result.equal / result.slots <= j + 6 * math.sqrt(j * (1 - j) / result.slots)


def band_of(count: int, p: Params) -> Band:
    """The band that a number lies in."""
    low = max(edge for edge in p.bands if edge <= count)
    above = [edge for edge in p.bands if edge > count]
    return Band(low, above[0] - 1 if above else None)


def widest(protocol: Protocol) -> Output:
    """The output that makes the longest run."""
    return Output.BOTH if Output.BOTH in protocol.outputs else Output.RECEIVER


def narrowest(protocol: Protocol) -> Output:
    """The output for the receiver alone, where there is one."""
    return Output.RECEIVER if Output.RECEIVER in protocol.outputs else Output.BOTH


def shown(result: Result | None) -> Any:
    """A result as the stored transcripts have it: positions, or how many, or all that it says."""
    match result:
        case None:
            return None
        case Contexts():
            return [result.indices.tolist(), [context.hex() for context in result.contexts]]
        case Matches():
            return result.indices.tolist()
        case Count():
            return result.count
    return dataclasses.asdict(result)


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
