"""Between the messages of a protocol and the frames of the wire: heads as protobuf, rows as raw chunks.

Framing is canonical: a message has exactly one sequence of frames, so nothing can be smuggled beside it, and
every size is checked against what the role asked for before a byte of it is kept.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message as Protobuf

from crypto.errors import DecodeError, ProtocolError
from crypto.rows import Rows
from crypto.session import Message, Receive
from exchange.v1.frame_pb2 import Frame, Head

P = TypeVar("P", bound=Protobuf)
CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1 << 16
"""No head is larger: everything that grows with a set travels in chunks."""
FAMILIES = ("psi", "secagg")
"""Where protocols are: no two of them have the same name."""
Allocate: TypeAlias = Callable[[tuple[int, int]], Rows]
"""Gives the room for so many rows of so many bytes."""


def in_memory(size: tuple[int, int]) -> Rows:
    """Room for rows in memory."""
    return np.empty(size, np.uint8)


def head_type(protocol: str, name: str) -> type[Protobuf]:
    """The generated class of a protocol's message: ``A`` of ``x-y`` is ``XY.A`` in ``psi_x_y.proto``.

    Raises:
        LookupError: the protocol's ``.proto`` file or the message in it does not exist.
    """
    try:
        module = _module(protocol.replace("-", "_"))
        outer = "".join(word.capitalize() for word in protocol.split("-"))
        found: type[Protobuf] = getattr(getattr(module, outer), name)
    except (ImportError, AttributeError) as e:
        raise LookupError(f"no message {name} of {protocol} is declared in proto/exchange/v1") from e
    return found


@cache
def _module(protocol: str) -> ModuleType:
    known = [f"exchange.v1.{family}_{protocol}_pb2" for family in FAMILIES]
    return import_module(next((module for module in known if find_spec(module)), known[0]))


def to_frames(protocol: str, message: Message) -> Iterator[Frame]:
    """The frames of a message, in order: one head, then the chunks of each bulk field.

    Args:
        protocol: the protocol that the message belongs to.
        message: what to send; its rows are borrowed, a chunk at a time.
    """
    name = type(message).__name__
    head = head_type(protocol, name)()
    bulk: list[Rows] = []
    for field in fields(message):  # type: ignore[arg-type]
        value = getattr(message, field.name)
        if isinstance(value, np.ndarray):
            rows = getattr(head, field.name)
            rows.count, rows.width = value.shape
            bulk.append(value)
        else:
            setattr(head, field.name, value)
    yield Frame(head=Head(name=name, body=head.SerializeToString(deterministic=True)))
    for rows in bulk:
        data = np.ascontiguousarray(rows).reshape(-1).data
        for start in range(0, len(data), CHUNK_BYTES):
            yield Frame(chunk=bytes(data[start : start + CHUNK_BYTES]))


def digest(protocol: str, message: Message) -> bytes:
    """SHA-256 of a message: of its frames, which are canonical."""
    hashed = hashlib.sha256()
    for frame in to_frames(protocol, message):
        hashed.update(frame.SerializeToString())
    return hashed.digest()


def body(protocol: str, message: Message) -> bytes:
    """The head of a message without its rows; with the rows it is the message."""
    encoded: bytes = next(to_frames(protocol, message)).head.body
    return encoded


def whole(protocol: str, want: Receive, encoded: bytes, rows: memoryview) -> Message:
    """The message of ``body``, from its head and its rows, one bulk field after the other.

    Raises:
        ProtocolError, DecodeError: it is not what was asked for.
    """
    assembly = Assembly(protocol, want, Head(name=want.kind.__name__, body=encoded))
    while not assembly.complete:
        chunk = rows[: assembly.due]
        assembly.feed(bytes(chunk))
        rows = rows[len(chunk) :]
    if len(rows):
        raise ProtocolError("there are more rows than there should be")
    return assembly.message()


def parse_frame(data: bytes) -> Frame:
    """One frame, from its one encoding.

    Raises:
        DecodeError: it is anything else.
    """
    return _decode(Frame, data)


class Assembly:
    """A message under construction: its head was accepted, its rows arrive in chunks.

    Args:
        protocol: the protocol that runs.
        want: what the role asked for.
        head: what came.
        allocate: gives the room for its rows.

    Raises:
        ProtocolError: another message, or other sizes than asked for.
        DecodeError: the head is no canonical encoding.
    """

    def __init__(self, protocol: str, want: Receive, head: Head, allocate: Allocate = in_memory) -> None:
        if head.name != want.kind.__name__:
            raise ProtocolError(f"{want.kind.__name__} was due, another message came")
        if len(head.body) > HEAD_BYTES:
            raise ProtocolError(f"the head of {head.name} is too large")
        decoded = _decode(head_type(protocol, head.name), head.body)
        self._kind = want.kind
        self._values: dict[str, Any] = {}
        self._open: list[memoryview] = []
        for name, size in want.sizes.items():
            value = getattr(decoded, name)
            if isinstance(size, int):
                if len(value) != size:
                    raise ProtocolError(f"{head.name}.{name} must have {size} bytes")
                self._values[name] = value
            elif (value.count, value.width) != size:
                raise ProtocolError(f"{head.name}.{name} must have {size} rows")
            else:
                array = self._values[name] = allocate(size)
                if array.size:
                    self._open.append(array.reshape(-1).data)

    @property
    def complete(self) -> bool:
        """Whether every row is there."""
        return not self._open

    @property
    def due(self) -> int:
        """How many bytes the next chunk must have."""
        return min(CHUNK_BYTES, len(self._open[0])) if self._open else 0

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk.

        Raises:
            ProtocolError: its length is not the one that is due.
        """
        if self.complete or len(chunk) != self.due:
            raise ProtocolError("a chunk has not the length that is due")
        rest = self._open.pop(0)
        rest[: len(chunk)] = chunk
        if len(chunk) < len(rest):
            self._open.insert(0, rest[len(chunk) :])

    def message(self) -> Message:
        """The finished message."""
        if not self.complete:
            raise ProtocolError("rows are missing")
        return self._kind(**self._values)


def _decode(kind: type[P], body: bytes) -> P:
    """Decode strictly: unknown fields, repeated fields and odd encodings are refused."""
    try:
        decoded = kind.FromString(body)
    except ProtobufDecodeError as e:
        raise DecodeError(f"{kind.DESCRIPTOR.name} does not decode") from e
    decoded.DiscardUnknownFields()  # so that what was unknown is missing from the encoding
    if decoded.SerializeToString(deterministic=True) != body:
        raise DecodeError(f"{kind.DESCRIPTOR.name} is not in its canonical form")
    return decoded
