"""What a run of an aggregation needs from the world, in its own words."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from crypto.rows import Rows
from crypto.secagg.base import Step
from crypto.session import Message, Receive
from exchange.aggregation.tally import Tally

PROTOCOL = "masking"
"""The scheme, as its messages are named on the wire."""
WITHDRAWN = "withdrawn"
"""Why a run is over that its coordinator has taken back."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        step: the step that it is in.
        broken: why it was broken off, or ``""``.
        culprits: the members that are to blame, where somebody is.
        left_s: for so long the step still waits, in seconds.
        awaited: for which members.
    """

    step: Step
    broken: str = ""
    culprits: tuple[str, ...] = ()
    left_s: float = 0.0
    awaited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Convening:
    """An aggregation as its coordinator shows it.

    Attributes:
        opening: the opening, encoded.
        signature: the coordinator's over its context.
        size: bytes of the dictionary.
        progress: how far it has come.
    """

    opening: bytes
    signature: bytes
    size: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class Contributed:
    """Which message a member is about to send.

    Attributes:
        session: the context of the aggregation.
        step: the step it belongs to.
        name: of the message.
        digest: SHA-256 of its frames.
    """

    session: bytes
    step: int
    name: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """A step that is over.

    Attributes:
        step: its number.
        members: the positions of those whose messages were taken, ascending.
        at: when.
    """

    step: int
    members: tuple[int, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """A message that was not taken, because it shows that somebody lies.

    Attributes:
        step: in which step.
        position: who said it.
        code: what is wrong.
        culprits: positions of those who are to blame.
    """

    step: int
    position: int
    code: str
    culprits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an aggregation ended.

    Attributes:
        code: why it was broken off, or ``""``.
        culprits: positions of those who are to blame.
        at: when.
    """

    code: str
    culprits: tuple[int, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of a run for a member.

    Attributes:
        vector: ``(d,)``, the sum.
        tally: what was signed.
        ours: for which entries we put something in, ``(entries,)``.
    """

    vector: NDArray[Any] = field(repr=False)
    tally: Tally
    ours: NDArray[np.bool_] = field(repr=False)


class Said(Protocol):
    """A message that was taken."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def body(self) -> bytes:
        """Its head, encoded."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of its frames."""

    def rows(self) -> memoryview:
        """Its rows, read as they are looked at."""


class Spool(Protocol):
    """A message that arrives, on the disk."""

    def allocate(self, size: tuple[int, int], /) -> Rows:
        """Room for its rows."""

    def seal(self, step: int, position: int, name: str, body: bytes, digest: bytes) -> bool:
        """Keep it for good; whether it was the first in its place."""

    def discard(self) -> None:
        """Forget it, unless it is kept."""


class Folder(Protocol):
    """What there is of one aggregation at its coordinator."""

    @property
    def opening(self) -> bytes:
        """The opening, encoded."""

    @property
    def signature(self) -> bytes:
        """Ours over it."""

    @property
    def size(self) -> int:
        """Bytes of the dictionary."""

    def dictionary(self) -> BinaryIO:
        """The dictionary, opened."""

    def spool(self) -> Spool:
        """Room for a message that arrives."""

    def tidy(self) -> None:
        """Forget what was arriving when the node was stopped."""

    def said(self, step: int, position: int) -> Said | None:
        """The message of a member in a step, if it was taken."""

    def close(self, closing: Closing) -> bool:
        """Close a step for good; whether that was us."""

    def closed(self, step: int) -> Closing | None:
        """How a step was closed, if it was."""

    def blame(self, fault: Fault) -> None:
        """Write down that a message shows who lies."""

    def faults(self) -> list[Fault]:
        """All that were written down."""

    def finish(self, counted: Counted, /) -> None:
        """Keep what came of it."""

    def end(self, ending: Ending) -> bool:
        """Write down how it ended; whether that was us."""

    def ended(self) -> Ending | None:
        """How it ended, if it has."""


class Convened(Protocol):
    """The aggregations that we coordinate."""

    def contexts(self) -> list[bytes]:
        """The names of all."""

    def find(self, context: bytes, /) -> Folder | None:
        """One of them."""

    def expire(self, now: datetime, /) -> list[bytes]:
        """Delete what ended long ago; gives the names."""


class Journal(Protocol):
    """What we have said as a member: see ``exchange.store.journal``."""

    def speak(self, context: bytes, step: int, digest: bytes, *, abandons: Collection[bytes] = ()) -> bool:
        """Write down that a message is about to leave; raises where another one did."""

    def spoken(self, context: bytes, /) -> dict[int, bytes]:
        """What we have said in an aggregation: digests by step."""


class Contribution(Protocol):
    """What we keep of an aggregation as a member."""

    @property
    def context(self) -> bytes:
        """Its name."""

    @property
    def opening(self) -> bytes:
        """The opening, encoded."""

    @property
    def signature(self) -> bytes:
        """The coordinator's over it."""

    @property
    def dictionary(self) -> bytes:
        """What is counted."""

    @property
    def ended(self) -> tuple[str, tuple[str, ...]] | None:
        """Why it was broken off, or ``""``, and who is to blame; None while it has not ended."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only process that takes part in it from this home."""

    def seed(self) -> bytes:
        """32 bytes from which everything random in this run comes."""

    def vector(self) -> bytes | None:
        """Our words, if they were counted before."""

    def put_vector(self, words: bytes, /) -> None:
        """Keep our words."""

    def finish(self, counted: Counted, /) -> None:
        """Keep what came of it."""

    def end(self, code: str, culprits: Collection[str], /) -> None:
        """It is over; our secrets of it are deleted."""


class Collected(Protocol):
    """The messages that a member is sent when a step begins."""

    @property
    def progress(self) -> Progress:
        """How far the run has come: the step may not have begun yet."""

    async def receive(self, want: Receive, /) -> Message:
        """The next of them."""


class Coordinated(Protocol):
    """The coordinator, from a member's side: one open connection."""

    async def contribute(self, contributed: Contributed, message: Message) -> None:
        """Hand over the message of a step; the same may be handed over again."""

    def collect(
        self, session: bytes, step: int, *, have: int, wait_s: float
    ) -> AbstractAsyncContextManager[Collected]:
        """Wait until a step has begun; then the messages of it, but for those that we have."""

    async def replay(self, session: bytes, want: Receive, chunk: int | None) -> Message:
        """Digests, or a chunk, of the masked vectors."""
