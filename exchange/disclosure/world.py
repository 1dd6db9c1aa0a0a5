"""What a disclosure needs from the world, in the words of the use case."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crypto.rows import Rows
from crypto.session import Message, Receive
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.context import Context
from exchange.ledger import Leaf
from exchange.ledger.draft import Draft
from exchange.ledger.runs import Runs
from exchange.ledger.tree import Seen
from exchange.policy import Admission, History, Offer


class ItemSet(Protocol):
    """What we put in: distinct rows, and for each the identifier of its indicator."""

    @property
    def rows(self) -> Rows:
        """``(n, 32)`` uint8."""

    @property
    def ids(self) -> NDArray[np.int64]:
        """``(n,)`` int64."""


class Said(Protocol):
    """What is said of items, by the identifiers of their indicators."""

    def of(self, ids: NDArray[np.int64]) -> list[Context]:
        """What is said of these, in their order."""


class Items(Protocol):
    """Where our set comes from."""

    def types(self, *, now: datetime) -> list[IndicatorType]:
        """The types that we would put anything in of now, in their order."""

    def size(self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission) -> int:
        """How many distinct items of these types we would put in now."""

    def offer(self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission) -> Offer:
        """The same by type, and what is held back by which rule."""

    def item_set(
        self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission
    ) -> ItemSet:
        """The items themselves."""

    def state(self, *, now: datetime) -> bytes | None:
        """32 bytes that change with whatever decides what we would put in; None where nobody commits."""

    def said(self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission) -> Said:
        """What is said of the items that we would put in, by whoever lets them travel."""

    def copies(
        self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission
    ) -> tuple[NDArray[np.int64], Rows]:
        """Which of the items are no sightings of our own, ascending, and a hash of whose report each is."""

    def values(self, ids: NDArray[np.int64]) -> list[Indicator]:
        """The indicators behind these identifiers, in their order."""


class Sketches(Protocol):
    """Sketches of our set, by what they were made of."""

    def get(self, name: str) -> Rows | None:
        """The one of this name."""

    def put(self, name: str, sketch: Rows) -> None:
        """Keep one; the oldest may go for it."""


class Booked(Protocol):
    """One session as the ledger knows it; ``None`` for what is not there (yet)."""

    @property
    def session(self) -> str:
        """Its id, in hex."""

    @property
    def intent(self) -> Leaf:
        """That it began."""

    @property
    def result(self) -> Leaf | None:
        """What became of it."""

    @property
    def receipt(self) -> Leaf | None:
        """What both sides signed."""


class Ledger(Protocol):
    """Where every decision is written before it takes effect."""

    def append(self, kind: str, *, now: datetime, documents: Sequence[Any] = (), **fields: Any) -> int:
        """Write one leaf, durably, with the documents that it names by their hashes."""

    def turn(self) -> AbstractContextManager[None]:
        """Decide on a run and write that down as one step: nobody else who takes a turn does meanwhile."""

    def append_all(self, drafts: Sequence[Draft], *, now: datetime) -> list[int]:
        """Write several leaves, durably: all or none."""

    def has_session(self, session: str) -> bool:
        """Whether any leaf speaks of this session."""

    def history(self, peer: str, now: datetime) -> History:
        """What the policy needs to know of the past."""

    def seen(self, peer: str) -> Seen | None:
        """The longest state of a peer's log that it has shown us."""

    def seen_at(self, peer: str) -> datetime | None:
        """When it showed us that state."""

    def peer_commitment(
        self, peer: str, by: datetime | None = None
    ) -> tuple[int, bytes, int, datetime] | None:
        """Epoch, commitment and size class of the peer's set as it was shown last, or by then; and when."""

    def newest(self) -> str | None:
        """Our newest checkpoint."""

    def root_at(self, size: int) -> bytes:
        """The root of our log at a length."""

    def commitment(self) -> Leaf | None:
        """Our newest commitment to our set."""

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """That our log of one length continues that of another."""

    def inclusion_proof(self, seq: int, size: int) -> list[bytes]:
        """That an entry is in our log of a length."""

    def session(self, session: str) -> Booked | None:
        """One session."""

    def unsettled(self, peer: str, direction: str) -> Sequence[Booked]:
        """The sessions with an agreement and no receipt, oldest first."""

    def runs(self) -> Runs:
        """The runs in which we count together with others, or meant to."""

    def document(self, name: str) -> bytes | None:
        """What a leaf names by this hash."""


class Ready(Protocol):
    """A correlation that was made ahead and not used yet."""

    @property
    def elements(self) -> int:
        """How many elements it has."""

    @property
    def session(self) -> str:
        """The session that made it, in hex."""


class Stash(Protocol):
    """Correlations that were made ahead, by peer and side: ``receiver`` or ``sender``."""

    def ready(self, role: str, peer: str, /) -> Sequence[Ready]:
        """What there is, the smallest first."""

    def put(self, role: str, peer: str, elements: int, session: str, rows: Rows, /) -> None:
        """Keep one."""

    def prune(self, role: str, peer: str, keep: int, /) -> None:
        """Drop all but the newest."""

    def take(self, ready: Any, /) -> Rows | None:
        """Take one for good, before it is used; ``None`` if somebody else has taken it."""


class KeptState(Protocol):
    """What a session of ``voprf-epoch`` left us, by its name."""

    @property
    def role(self) -> str:
        """Our side: ``receiver`` or ``sender``."""

    @property
    def began(self) -> int:
        """When its epoch did, in seconds since 1970."""

    @property
    def session(self) -> str:
        """The session that left it, in hex."""


class EpochStates(Protocol):
    """What such sessions left us, by peer and side."""

    def kept(self, role: str, peer: str, /) -> Sequence[KeptState]:
        """What there is, the newest first."""

    def get(self, kept: Any, /) -> bytes | None:
        """What is kept under a name; ``None`` if it is there no more."""

    def put(self, role: str, peer: str, began: int, session: str, state: bytes, /) -> None:
        """Keep one; older ones go for it."""

    def answer(self, kept: Any, /) -> int:
        """Note that we answer from one once more; returns how often that is now."""

    def expire(self, first: int, /) -> None:
        """Delete those of an epoch that began earlier, in seconds since 1970."""


class Channel(Protocol):
    """Messages of one run, to and from the peer."""

    sent: int
    received: int
    bytes_per_s: float

    def digests(self) -> tuple[bytes, bytes]:
        """SHA-256 of every frame that was sent, and of every one that was received, so far."""

    async def send(self, message: Message) -> None:
        """Hand one message to the peer."""

    async def receive(self, want: Receive) -> Message:
        """Wait for one message of this kind and size."""

    async def end(self) -> None:
        """Wait for the peer to close its side."""
