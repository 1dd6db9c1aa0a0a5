"""A protocol is two generators that never see a socket; this file drives them.

A role yields ``Send(message)`` or ``Receive(kind, sizes)`` and is resumed with ``None`` or with the message
it asked for. It states the exact size of everything it is about to accept, so a transport can allocate before
the first byte and refuse the first byte too many. The same role runs in memory, over gRPC, or through a
tamperer.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeAlias, TypeVar, dataclass_transform

import numpy as np

from crypto.errors import ProtocolError

T = TypeVar("T")
S = TypeVar("S")
M = TypeVar("M", bound="Message")
Size: TypeAlias = int | tuple[int, int]
"""What a field must measure: a length in bytes, or the ``(n, w)`` of packed rows."""


class Message:
    """Base of the messages of a protocol: frozen dataclasses whose fields are ``bytes`` or packed rows.

    Printing one shows sizes, never content.
    """

    def sizes(self) -> dict[str, Size]:
        """The size of every field, in the order of the declaration."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {k: v.shape if isinstance(v, np.ndarray) else len(v) for k, v in values.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self.sizes().items())})"


@dataclass_transform(frozen_default=True, eq_default=False)
def message(cls: type[M]) -> type[M]:
    """Declare a message type: a frozen dataclass that prints sizes only."""
    return dataclass(frozen=True, slots=True, repr=False, eq=False)(cls)


@dataclass(frozen=True, slots=True)
class Send:
    """The role has a message for the other party."""

    message: Message


@dataclass(frozen=True, slots=True)
class Receive:
    """The role waits for a message of this kind, with fields of exactly these sizes.

    Attributes:
        kind: its type.
        sizes: of its fields.
        within_s: by when it has to begin, in seconds from now, where a late one could be a cheat; whoever
            drives the role sees to it.
    """

    kind: type[Message]
    sizes: Mapping[str, Size]
    within_s: float | None = None

    def check(self, message: Message) -> None:
        """Raise ``ProtocolError`` unless ``message`` is what was asked for."""
        if type(message) is not self.kind:
            raise ProtocolError(f"{self.kind.__name__} was due, {type(message).__name__} came")
        if message.sizes() != dict(self.sizes):
            raise ProtocolError(
                f"{self.kind.__name__} must have sizes {dict(self.sizes)}, not {message.sizes()}"
            )


Role: TypeAlias = Generator[Send | Receive, Message | None, T]


def send(message: Message) -> Generator[Send | Receive, Message | None, None]:
    """Hand a message to the other party. A role says ``yield from`` it."""
    yield Send(message)


def receive(kind: type[M], **sizes: Size) -> Generator[Send | Receive, Message | None, M]:
    """Wait for a message of exactly this shape. A role says ``yield from`` it.

    Raises:
        ProtocolError: the message is of another kind or size.
    """
    return (yield from wait(Receive(kind, sizes), kind))


def receive_within(
    seconds: float, kind: type[M], **sizes: Size
) -> Generator[Send | Receive, Message | None, M]:
    """The same for a message that has to begin to arrive in time.

    Raises:
        ProtocolError: the message is of another kind or size.
    """
    return (yield from wait(Receive(kind, sizes, seconds), kind))


def wait(want: Receive, kind: type[M]) -> Generator[Send | Receive, Message | None, M]:
    """Wait for what ``want`` says, which can be a kind of ``Receive`` that says more; as ``receive``."""
    message = yield want
    if not isinstance(message, kind):
        raise ProtocolError(f"{kind.__name__} was due")
    want.check(message)
    return message


class Session(Generic[T]):
    """One running role: where it stands (``step``), and its ``result`` once ``step`` is ``None``."""

    def __init__(self, role: Role[T]) -> None:
        self._role = role
        self.step: Send | Receive | None = None
        self.result: T

    def advance(self, message: Message | None = None) -> None:
        """Compute up to the next message. Whatever the role raises ends it for good."""
        try:
            self.step = self._role.send(message)
        except StopIteration as stop:
            self.step, self.result = None, stop.value

    def close(self) -> None:
        """Abandon the role; its secrets go with it."""
        self._role.close()


def run(
    receiver: Role[T], sender: Role[S], *, on_message: Callable[[Message], Any] = lambda message: message
) -> tuple[T, S]:
    """Run both roles in this thread and return both results.

    Args:
        receiver: the party that learns the output.
        sender: the other one.
        on_message: sees every message and returns what is delivered in its place: a tap, or a tamperer. A
            message it turns into ``None`` is lost.

    Raises:
        ProtocolError: both parties wait, or one has ended while the other still waits for it.
    """
    pair: tuple[Session[Any], Session[Any]] = (Session(receiver), Session(sender))
    boxes: tuple[list[Message], list[Message]] = ([], [])
    try:
        for party in pair:
            party.advance()
        while any(party.step for party in pair):
            if not any(
                _progress(party, inbox, outbox, on_message)
                for party, inbox, outbox in zip(pair, boxes, reversed(boxes), strict=True)
            ):
                raise ProtocolError("the other party has nothing more to say")
        if any(boxes):
            raise ProtocolError("a message came after the end")
    finally:
        for party in pair:
            party.close()
    return pair[0].result, pair[1].result


def _progress(
    party: Session[Any], inbox: list[Message], outbox: list[Message], on_message: Callable[[Message], Any]
) -> bool:
    """Move one party one step if it can move."""
    match party.step:
        case Send(message):
            if (delivered := on_message(message)) is not None:
                outbox.append(delivered)
            party.advance()
        case Receive() if inbox:
            party.advance(inbox.pop(0))
        case _:
            return False
    return True
