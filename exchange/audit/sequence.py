"""The two long files of an export: all entries, and all checkpoints.

``leaves`` is a CBOR sequence of byte strings, one an entry: the bytes that the tree hashes. ``checkpoints``
is the notes after each entry, one behind the other.

Source: RFC 8742 (CBOR sequences); RFC 8949 sections 3 and 4.2.1 (byte strings, shortest lengths).
"""

from collections.abc import Iterator
from struct import Struct

from exchange.errors import LedgerError
from exchange.ledger.leaf import MAX_LEAF_BYTES

_NOTE_LINES = 5
_BYTES = 0x40  # major type 2
_ONE, _TWO = 24, 25  # the length follows in one byte, in two
_SHORT = Struct(">BH")


def wrapped(body: bytes) -> bytes:
    """Return an entry as it stands in ``leaves``."""
    length = len(body)
    if length < _ONE:
        return bytes([_BYTES | length]) + body
    if length <= 0xFF:  # noqa: PLR2004
        return bytes([_BYTES | _ONE, length]) + body
    return _SHORT.pack(_BYTES | _TWO, length) + body


def bodies(data: bytes) -> Iterator[bytes]:
    """Give the entries in ``leaves``.

    Raises:
        LedgerError: from some place on it is no sequence of byte strings in their shortest form.
    """
    at, end = 0, len(data)
    while at < end:
        head = data[at] - _BYTES
        if head == _TWO and at + 3 <= end:
            length, start = int.from_bytes(data[at + 1 : at + 3]), at + 3
        elif head == _ONE and at + 2 <= end:
            length, start = data[at + 1], at + 2
        else:
            length, start = head, at + 1
        body = data[start : start + length] if 0 <= length <= MAX_LEAF_BYTES else b""
        if data[at:start] + body != wrapped(body) or len(body) != length:
            raise LedgerError("what follows is no entry")
        yield body
        at = start + length


def notes(data: bytes) -> Iterator[str]:
    """Give the notes in ``checkpoints``.

    Raises:
        LedgerError: from some place on it is no text, or it ends in the middle of a note.
    """
    lines = data.split(b"\n")
    for at in range(0, len(lines) - 1, _NOTE_LINES):
        try:
            yield b"\n".join(lines[at : at + _NOTE_LINES]).decode() + "\n"
        except UnicodeDecodeError:
            raise LedgerError("what follows is not text in UTF-8") from None
    if lines.pop() or len(lines) % _NOTE_LINES:
        raise LedgerError("it does not end with a whole checkpoint")
