"""Sealed contexts: what a sender says of its items, legible to whoever holds the PRF output of the item.

Every row of the sender, filling ones too, becomes one sealed row of one size: a locator, by which the
receiver finds it, and the context under a key of its own. Locator and key are hashes of the private half of
the row's PRF output, bound to the run, under two labels; a receiver has that half for what it put in, only.

A key comes from an output that belongs to one item of one run, and seals one context. So the nonce is fixed:
it has to differ only among messages under one key. AES-GCM alone would let a sender make a ciphertext that
opens under two keys, a different text under each. Here the locator commits to the key: it is a whole hash of
what the key is derived from, and a receiver tries no key but that of the row it looked for.

Rows are sorted by locator, which is random to whoever lacks the output, and travel in blocks of about 4 MiB:
the sender seals a block at a time, the receiver keeps of each what it looked for. It opens nothing before the
last block is there: which context does not open, and how long it takes to open them, shows in no block.

Source: the construction is that of labelled PSI by an OPRF (Chase, Miao, CRYPTO 2020, section 1; Cong et al.,
CCS 2021); AES-256-GCM is that of NIST SP 800-38D.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from crypto import hashing, labels, rows
from crypto.errors import ParameterError, ProtocolError, VerificationError
from crypto.rows import Rows
from crypto.session import Message, Role, message, receive, send

LABEL_CLASSES = tuple(1 << bits for bits in range(6, 17))
"""What contexts are filled up to, in bytes: of their lengths a run shows the class of the longest."""
LOCATOR_BYTES = hashing.HASH_BYTES
LENGTH_BYTES = 4
SEAL_BYTES = 16
BLOCK_BYTES = 1 << 22
NOWHERE = -1
"""The place of the context of a row that has none: a filling one."""
_NONCE = bytes(12)
_HEAD_BYTES = 8


@message
class Sealed(Message):
    """Sender to receiver: sealed contexts, ascending by locator, in as many messages as there are blocks."""

    rows: Rows


def label_class(longest: int) -> int:
    """The class that contexts of at most so many bytes are filled up to.

    Raises:
        ParameterError: there is none.
    """
    for size in LABEL_CLASSES:
        if 0 <= longest <= size:
            return size
    raise ParameterError(f"a context has at most {LABEL_CLASSES[-1]} bytes, not {longest}")


def check_class(label_bytes: int) -> None:
    """Refuse a size that would say more of the contexts than their class.

    Raises:
        ParameterError: it is none of ``LABEL_CLASSES``.
    """
    if label_bytes not in LABEL_CLASSES:
        raise ParameterError("contexts are filled up to a power of two from 64 to 65536 bytes")


def check_contexts(contexts: Sequence[bytes], *, count: int, label_bytes: int) -> None:
    """Refuse contexts that cannot be sealed, before anything is sent.

    Args:
        contexts: those of the caller's items.
        count: how many items there are.
        label_bytes: what contexts are filled up to.

    Raises:
        ParameterError: there is not one for each item, one is no ``bytes`` or too long, or the class is none.
    """
    check_class(label_bytes)
    if len(contexts) != count:
        raise ParameterError(f"there is a context for each item: {count}, not {len(contexts)}")
    for context in contexts:
        if not isinstance(context, bytes):
            raise ParameterError("a context is bytes")
        if len(context) > label_bytes:
            raise ParameterError(f"a context of {len(context)} bytes does not fit into {label_bytes}")


def row_bytes(label_bytes: int) -> int:
    """Bytes of a sealed row."""
    return LOCATOR_BYTES + LENGTH_BYTES + label_bytes + SEAL_BYTES


def block_rows(count: int, label_bytes: int) -> list[int]:
    """How many rows each block has, of so many in all."""
    most = BLOCK_BYTES // row_bytes(label_bytes)
    return [min(most, count - start) for start in range(0, count, most)]


def traffic(count: int, label_bytes: int) -> int:
    """Payload bytes of so many sealed rows."""
    return count * row_bytes(label_bytes)


def places(origin: NDArray[np.int64], order: NDArray[Any]) -> NDArray[np.int64]:
    """Where the context of each row stands, in the order of the rows' outputs; -1 where it is a filling one.

    Args:
        origin: which of the caller's items each row is that is no filling.
        order: the row of each output.
    """
    order = order.astype(np.int64)
    is_item = order < len(origin)
    found = np.full(len(order), NOWHERE, np.int64)
    found[is_item] = origin[order[is_item]]
    return found


def seal(
    private: Rows, contexts: Sequence[bytes], where: NDArray[np.int64], *, context: bytes, label_bytes: int
) -> Iterator[Rows]:
    """Seal a context for each PRF output, a block at a time.

    Args:
        private: ``(n, w)`` uint8, the private halves of the outputs, no two alike.
        contexts: at most ``label_bytes`` each; read when its block is due.
        where: ``(n,)``, which of them belongs to each output, as ``places`` says.
        context: the run's context.
        label_bytes: what contexts are filled up to.

    Yields:
        ``(m, row_bytes(label_bytes))`` uint8 for each ``m`` of ``block_rows``, ascending over all blocks.
    """
    locators, keys = _derived(private, context)
    order = _ascending(locators)
    start = 0
    for size in block_rows(len(private), label_bytes):
        part = order[start : start + size]
        start += size
        block = np.empty((size, row_bytes(label_bytes)), np.uint8)
        block[:, :LOCATOR_BYTES] = locators[part]
        for row, key, at in zip(block[:, LOCATOR_BYTES:], keys[part], where[part].tolist(), strict=True):
            plain = _filled_up(b"" if at == NOWHERE else contexts[at], label_bytes)
            AESGCM(key).encrypt_into(_NONCE, plain, None, row)
        yield block


def sender(
    private: Rows, contexts: Sequence[bytes], where: NDArray[np.int64], *, context: bytes, label_bytes: int
) -> Role[None]:
    """Seal and send block by block. The arguments are those of ``seal``."""
    for block in seal(private, contexts, where, context=context, label_bytes=label_bytes):
        yield from send(Sealed(block))


def receiver(private: Rows, count: int, *, context: bytes, label_bytes: int) -> Role[tuple[bytes, ...]]:
    """Take in every block, keep the rows that are looked for, and open them once all are there.

    In memory are one block and, of the rows that are looked for, locators, keys and what came.

    Args:
        private: ``(k, w)`` uint8, the private halves of the outputs that matched, no two alike.
        count: how many rows the sender seals.
        context: the run's context.
        label_bytes: what contexts are filled up to.

    Returns:
        The context of each, in the order of ``private``.

    Raises:
        ProtocolError: a block is missing or misshapen, locators do not ascend, or a match has no row.
        VerificationError: the row of a match does not open.
    """
    locators, keys = _derived(private, context)
    order = _ascending(locators)
    wanted, last = locators[order], np.empty((0, LOCATOR_BYTES), np.uint8)
    kept: list[tuple[NDArray[np.int64], Rows]] = []
    for size in block_rows(count, label_bytes):
        block = (yield from receive(Sealed, rows=(size, row_bytes(label_bytes)))).rows
        found = np.ascontiguousarray(block[:, :LOCATOR_BYTES])
        _check_ascending(last, found)
        last = found[-1:]
        start, end = _range(wanted, found)
        which, where = rows.join(wanted[start:end], found)
        kept.append((order[start:end][which], block[where, LOCATOR_BYTES:]))
        del block
    if sum(len(which) for which, _ in kept) < len(private):
        raise ProtocolError("the sender holds an item and has sealed no context for it")
    return _opened(kept, keys)


def _derived(private: Rows, context: bytes) -> tuple[Rows, Rows]:
    """Locators and keys, of one hash each. ``(n, 32)``."""
    private = np.ascontiguousarray(private)
    locators = hashing.keyed_rows(hashing.derive_key(labels.SEALED_LOCATOR, context), private)
    return locators, hashing.keyed_rows(hashing.derive_key(labels.SEALED_KEY, context), private)


def _ascending(locators: Rows) -> NDArray[np.int64]:
    """The order in which locators ascend."""
    words = locators.view(">u8")
    return np.lexsort(words.T[::-1])  # of its keys the last one counts most


def _check_ascending(last: Rows, locators: Rows) -> None:
    chain = np.concatenate([last, locators])
    if not rows.ascends(chain):
        raise ProtocolError("the locators of the sealed contexts do not ascend")


def _range(wanted: Rows, found: Rows) -> tuple[int, int]:
    """Between which positions of one sorted table rows of another can stand, by their first bytes."""
    heads = _heads(wanted)
    ends = _heads(found[[0, -1]])
    return int(np.searchsorted(heads, ends[0], "left")), int(np.searchsorted(heads, ends[1], "right"))


def _heads(locators: Rows) -> NDArray[np.uint64]:
    return np.ascontiguousarray(locators[:, :_HEAD_BYTES]).view(">u8").reshape(-1).astype(np.uint64)


def _filled_up(context: bytes, label_bytes: int) -> bytes:
    """Length and context, filled up with zeros: all plaintexts of a run have one length."""
    return len(context).to_bytes(LENGTH_BYTES, "little") + context.ljust(label_bytes, b"\0")


def _opened(kept: list[tuple[NDArray[np.int64], Rows]], keys: Rows) -> tuple[bytes, ...]:
    contexts = [b""] * len(keys)
    while kept:
        which, sealed = kept.pop()  # what is open need not be held twice
        for place, row in zip(which.tolist(), sealed, strict=True):
            contexts[place] = _open(keys[place].data, row.data)
    return tuple(contexts)


def _open(key: memoryview, sealed: memoryview) -> bytes:
    try:
        plain = AESGCM(key).decrypt(_NONCE, sealed, None)
    except InvalidTag:
        raise VerificationError("the context that the sender sealed for a match does not open") from None
    end = LENGTH_BYTES + int.from_bytes(plain[:LENGTH_BYTES], "little")
    if plain.count(0, end) != len(plain) - end:
        raise VerificationError("a context that the sender sealed is not filled up with zeros")
    return plain[LENGTH_BYTES:end]
