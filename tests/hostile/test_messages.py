"""A lying peer, generated from the message definitions: every message, every field, every lie.

Whatever a peer does to its messages, the honest party either ends with an error whose type says that the peer
is at fault, or with a subset of the true intersection, or its size. It never invents a match, nor fails in
another way.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from crypto import session
from crypto.errors import PeerFault, ProtocolError
from crypto.psi import DISCOVERED, Output, Protocol, Result
from crypto.session import Message
from exchange import wire
from exchange.v1.frame_pb2 import Head
from tests.crypto.psi.parties import (
    invents_nothing,
    is_right,
    narrowest,
    params,
    receiver_of,
    sender_of,
    widest,
)

OURS, THEIRS = list(range(12)), list(range(8, 20))


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def first_row(rows, row: bytes):
    changed = rows.copy()
    changed[0] = np.frombuffer(row, np.uint8)
    return changed


RESIZING: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "one less": (lambda b: b[:-1], lambda r: r[:-1].copy()),
    "one more": (lambda b: b + b"\0", lambda r: np.concatenate([r, r[:1]])),
    "nothing": (lambda b: b"", lambda r: r[:0].copy()),
    "twice": (lambda b: b * 2, lambda r: np.concatenate([r, r])),
    "narrower": (lambda b: b[1:], lambda r: np.ascontiguousarray(r[:, 1:])),
}
CONTENT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "zeros": (lambda b: bytes(len(b)), np.zeros_like),
    "ones": (lambda b: b"\xff" * len(b), lambda r: np.full_like(r, 255)),
    "first row zero": (lambda b: bytes(8) + b[8:], lambda r: first_row(r, bytes(r.shape[1]))),
    "first row ones": (lambda b: b"\xff" * 8 + b[8:], lambda r: first_row(r, b"\xff" * r.shape[1])),
    "first bit": (lambda b: flipped(b, 0), lambda r: first_row(r, flipped(r[0].tobytes(), 0))),
    "last bit of a row": (lambda b: flipped(b, -1), lambda r: first_row(r, flipped(r[0].tobytes(), -1))),
    "reversed": (lambda b: b[::-1], lambda r: r[::-1].copy()),
    "rotated": (lambda b: b[1:] + b[:1], lambda r: np.roll(r, 1, axis=0)),
    "one row everywhere": (lambda b: b[:1] * len(b), lambda r: np.repeat(r[:1], len(r), axis=0)),
}
cases = [
    pytest.param(protocol, kind, field.name, id=f"{protocol.name}-{kind.__name__}-{field.name}")
    for protocol in DISCOVERED.values()
    for kind in protocol.messages
    for field in dataclasses.fields(kind)  # type: ignore[arg-type]
]
protocols = pytest.mark.parametrize("protocol", DISCOVERED.values(), ids=lambda p: p.name)


def lie(protocol: Protocol, tamper: Callable[[Message], Message | None]) -> Result | None:
    """Run with a tamperer in the middle. What was found; ``None`` if an honest party blamed its peer."""
    p = params(16, 16, widest(protocol))
    try:
        mine, its = session.run(
            receiver_of(protocol, OURS, p), sender_of(protocol, THEIRS, p), on_message=tamper
        )
    except PeerFault:
        return None
    assert (its is None) is (p.output is Output.RECEIVER)
    assert invents_nothing(mine, OURS, THEIRS, p)
    if its is not None:
        assert invents_nothing(its, THEIRS, OURS, p)
    return mine


def altering(kind: type[Message], field: str, change: tuple[Callable[[Any], Any], Callable[[Any], Any]]):
    def tamper(message: Message) -> Message:
        if type(message) is not kind:
            return message
        value = getattr(message, field)
        changed = change[isinstance(value, np.ndarray)](value)
        return dataclasses.replace(message, **{field: changed})  # type: ignore[type-var]

    return tamper


def test_the_harness_finds_the_truth_when_nobody_lies() -> None:
    for protocol in DISCOVERED.values():
        result = lie(protocol, lambda message: message)
        assert result is not None
        assert is_right(result, OURS, THEIRS, params(16, 16))


@pytest.mark.parametrize(("protocol", "kind", "field"), cases)
@pytest.mark.parametrize("change", RESIZING)
def test_another_size_is_the_peers_fault(protocol, kind, field, change) -> None:
    assert lie(protocol, altering(kind, field, RESIZING[change])) is None


@pytest.mark.parametrize(("protocol", "kind", "field"), cases)
@pytest.mark.parametrize("change", CONTENT)
def test_other_content_never_invents_a_match(protocol, kind, field, change) -> None:
    lie(protocol, altering(kind, field, CONTENT[change]))


@protocols
def test_a_lost_message_is_the_peers_fault(protocol: Protocol) -> None:
    for kind in protocol.messages:
        assert lie(protocol, lambda m, kind=kind: None if type(m) is kind else m) is None


@protocols
def test_a_swapped_message_is_the_peers_fault(protocol: Protocol) -> None:
    """Each message replaced by each other one that the same run has produced before it."""
    for kind in protocol.messages[1:]:
        seen: list[Message] = []

        def tamper(message: Message, kind=kind, seen=seen) -> Message:
            seen.append(message)
            return seen[0] if type(message) is kind else message

        assert lie(protocol, tamper) is None


@protocols
def test_a_role_left_waiting_can_be_closed(protocol: Protocol) -> None:
    for role in (receiver_of, sender_of):
        running = session.Session(role(protocol, [1, 2], params(4, 4, narrowest(protocol))))
        running.advance()
        running.close()
        with pytest.raises(StopIteration):
            next(running._role)


@protocols
def test_a_message_after_the_end_is_the_peers_fault(protocol: Protocol) -> None:
    def doubled(role):
        result = yield from role
        yield session.Send(protocol.messages[0](*[np.zeros((1, 32), np.uint8)]))
        return result

    p = params(4, 4, narrowest(protocol))
    with pytest.raises(ProtocolError, match="after the end"):
        session.run(receiver_of(protocol, [1], p), doubled(sender_of(protocol, [1], p)))


# --- the same lies one layer down: frames


def frames_of(protocol: Protocol) -> list[tuple[Message, list]]:
    p = params(16, 16, widest(protocol))
    seen: list[Message] = []
    session.run(
        receiver_of(protocol, OURS, p),
        sender_of(protocol, THEIRS, p),
        on_message=lambda m: (seen.append(m), m)[1],
    )
    return [(m, list(wire.to_frames(protocol.name, m))) for m in seen]


def assemble(protocol: Protocol, message: Message, head: Head, chunks: list[bytes]) -> Message:
    assembly = wire.Assembly(protocol.name, session.Receive(type(message), message.sizes()), head)
    for chunk in chunks:
        assembly.feed(chunk)
    return assembly.message()


@protocols
def test_frames_that_differ_in_any_byte_of_the_head_are_refused_or_mean_another_value(protocol) -> None:
    for message, (head, *chunks) in frames_of(protocol):
        bulk = [c.chunk for c in chunks]
        for position in range(len(head.head.body)):
            changed = Head(name=head.head.name, body=flipped(head.head.body, position))
            try:
                got = assemble(protocol, message, changed, bulk)
            except PeerFault:
                continue
            assert got.sizes() == message.sizes()


@protocols
@pytest.mark.parametrize(
    "spoil",
    [
        lambda chunks: [],
        lambda chunks: [*chunks, chunks[-1]],
        lambda chunks: [c[:-1] for c in chunks],
        lambda chunks: [c + b"\0" for c in chunks],
        lambda chunks: [b"", *chunks],
        lambda chunks: [c[i : i + 1] for c in chunks for i in range(len(c))],
    ],
    ids=["none", "one more", "short", "long", "empty one", "a byte each"],
)
def test_chunks_of_another_length_are_refused(protocol: Protocol, spoil) -> None:
    for message, (head, *chunks) in frames_of(protocol):
        if chunks:
            with pytest.raises(ProtocolError):
                assemble(protocol, message, head.head, spoil([c.chunk for c in chunks]))


@protocols
def test_a_chunk_behind_a_message_without_rows_is_refused(protocol: Protocol) -> None:
    for message, (head, *chunks) in frames_of(protocol):
        if not chunks:
            with pytest.raises(ProtocolError):
                assemble(protocol, message, head.head, [b""])


@protocols
def test_a_head_with_something_extra_is_refused(protocol: Protocol) -> None:
    for message, (head, *chunks) in frames_of(protocol):
        for extra in (b"\x9a\x06\x01x", b"\xa0\x06\x01", head.head.body):
            changed = Head(name=head.head.name, body=head.head.body + extra)
            with pytest.raises(PeerFault):
                assemble(protocol, message, changed, [c.chunk for c in chunks])


def test_a_message_nobody_declared_has_no_wire_type() -> None:
    with pytest.raises(LookupError):
        wire.head_type("voprf", "Nothing")
    with pytest.raises(LookupError):
        wire.head_type("nothing", "Blinded")
