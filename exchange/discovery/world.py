"""What a discovery needs from the world, and the words that its parts exchange."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from crypto.rows import Rows
from exchange.aggregation.announced import Signed
from exchange.aggregation.round import Round
from exchange.errors import PeerMisbehaved

CHUNK_BYTES = 1 << 20


OTHERS = "all of you name others: --relay, --counter, and --helper twice"
"""What can be done about whoever has a part."""


class PartMisbehaved(PeerMisbehaved):
    """Somebody who has a part in a discovery broke its rules.

    Attributes:
        member: who.
    """

    def __init__(self, text: str, member: str, *, code: str) -> None:
        super().__init__(text, code=code, hint=f"{member} is named in our ledger: talk to it; or {OTHERS}")
        self.member = member


class Stage(StrEnum):
    """What is deposited."""

    BATCHES = "batches"
    """What each member holds, as records."""
    WORDS = "words"
    """What was found, in the words of those who hold it, where everybody learns it."""


class State(StrEnum):
    """How far a stage is, at the relay or the counter."""

    OPEN = "open"
    CLOSED = "closed"
    DONE = "done"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A batch on its way, sealed for the counter.

    Attributes:
        round: of which discovery.
        stage: of which stage.
        digest: SHA-256 of its bytes.
        size: how many they are.
        signature: of whoever brings it: a member's over digest and root, the relay's over the list.
        wait_s: how long others should be waited for, in seconds; 0 from the relay.
        listed: from the relay: the digests of all batches.
        root: what binds its records, 32 bytes; ``b""`` of tables and words.
        keys: what the helpers, in their order, and the counter announced: the keys of the round.
    """

    round: Round
    stage: Stage
    digest: bytes
    size: int
    signature: bytes = field(repr=False)
    wait_s: int = 0
    listed: tuple[bytes, ...] = ()
    root: bytes = b""
    keys: tuple[Signed, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A batch that was brought.

    Attributes:
        digest: of its bytes.
        root: that came with it.
        signature: of whoever brought it.
    """

    digest: bytes
    root: bytes
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The one session of a plan.

    Attributes:
        context: which.
        keys: as in ``Deposit``.
        proof: that a member announced other keys besides, or ``b""``.
    """

    context: bytes
    keys: tuple[Signed, ...] = field(repr=False)
    proof: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """How far a stage is, and what came of it.

    Attributes:
        state: how far.
        code: why it is broken, or ``""``.
        came: how many have deposited.
        culprits: who broke rules, by the relay's account, and how.
        listed: the digests of all batches, once it is closed.
        list_signature: the relay's, over these.
        outcome: what the counter says, once it is done.
        signature: the counter's, over that.
        proofs: that culprits broke rules, as far as there are; from a counter that gives up, also whom it
            blames: ``exchange.discovery.proof``.
    """

    state: State
    code: str = ""
    came: int = 0
    culprits: tuple[tuple[str, str], ...] = ()
    listed: tuple[bytes, ...] = ()
    list_signature: bytes = field(default=b"", repr=False)
    outcome: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)
    proofs: tuple[bytes, ...] = field(default=(), repr=False)


class Line(Protocol):
    """A connection to one member, for the calls of a discovery."""

    sent: int
    received: int

    async def keys(self, of: Round) -> Signed:
        """What it announces for a discovery, and its signature."""

    async def evaluate(self, epoch: int, declared: int, blinded: Rows) -> tuple[Rows, bytes]:
        """Indicators under its key, and the proof."""

    async def token(self, of: Round, blinded: Rows) -> tuple[Rows, bytes]:
        """Our one token of a discovery under its key, and the proof."""

    async def redeem(self, of: Round, tokens: Sequence[bytes], batches: Sequence[bytes]) -> list[bool]:
        """Which tokens are good, each for its batch."""

    async def deposit(self, deposit: Deposit, chunks: Iterable[bytes]) -> None:
        """Bring a batch."""

    async def collect(self, of: Round, stage: Stage, wait_s: int, *, most: int) -> Collected:
        """How far a stage is; waits for its end so long, and takes an outcome of so many bytes at most."""


Reach = Callable[[str], AbstractAsyncContextManager[Line]]
"""Opens a connection to a member, and has it prove who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One stage of a discovery as the relay or the counter keeps it.

    Attributes:
        round: of which discovery.
        stage: which.
        began: when the first batch came.
        closes: when nothing more is taken.
        state: how far it is.
        code: why it is broken, or ``""``.
        culprits: who broke rules, and how.
        listed: the digests of all batches, once it is closed; in the order in which they go on.
        list_signature: the relay's, over these.
        signature: the counter's, over the outcome.
        proofs: as in ``Collected``.
    """

    round: Round
    stage: Stage
    began: datetime
    closes: datetime
    state: State = State.OPEN
    code: str = ""
    culprits: tuple[tuple[str, str], ...] = ()
    listed: tuple[bytes, ...] = ()
    list_signature: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)
    proofs: tuple[bytes, ...] = field(default=(), repr=False)


class Shelf(Protocol):
    """Batches and outcomes on the disk. What a method did outlasts a power failure when it returns."""

    def kept(self, context: bytes, stage: Stage) -> Kept | None:
        """A stage."""

    def keep(self, kept: Kept) -> None:
        """Write down how far a stage is."""

    def unfinished(self) -> list[Kept]:
        """The stages that are open or closed, and not done or broken."""

    def brought(self, depositor: str) -> int:
        """To how many stages somebody has brought a batch that is still kept."""

    def room(self, context: bytes) -> Path:
        """The folder of a session; made if need be."""

    def put(self, deposit: Deposit, depositor: str, spooled: Path) -> bool:
        """Take a batch that was spooled to a file in the room; False where there was another one before."""

    def deposits(self, context: bytes, stage: Stage) -> dict[str, bytes]:
        """The digest of each batch, by who brought it."""

    def size(self, context: bytes, stage: Stage) -> int:
        """How many bytes the batches have that are there."""

    def brought_by(self, context: bytes, stage: Stage) -> dict[str, Brought]:
        """What came with each batch, by who brought it."""

    def planned(self, plan: bytes) -> Planned | None:
        """The session that stands for a plan."""

    def plan(self, plan: bytes, planned: Planned, now: datetime) -> None:
        """Write down which session stands for a plan, in the place of what stood there."""

    def batch(self, context: bytes, stage: Stage, digest: bytes) -> Path:
        """The file of a batch."""

    def drop(self, context: bytes, stage: Stage) -> None:
        """Delete the files of the batches of a stage that has ended, and keep who brought them."""

    def empty(self, context: bytes, stage: Stage) -> None:
        """Forget a stage with all its batches, as if it had not begun."""

    def put_outcome(self, kept: Kept, outcome: bytes) -> None:
        """Keep what came of a stage, and that it is done."""

    def outcome(self, context: bytes, stage: Stage) -> bytes:
        """What came of it."""

    def admit(self, context: bytes, speakers: Collection[bytes]) -> None:
        """Keep who is heard in a session, as hashes of 32 bytes, in the place of what was kept."""

    def admitted(self, context: bytes) -> set[bytes]:
        """Who is heard."""

    def expire(self, before: datetime) -> None:
        """Delete the sessions that ended before."""

    def tidy(self, before: datetime) -> None:
        """Delete files from before that no stage needs: we were stopped when they were written or deleted."""


class HelperBooks(Protocol):
    """What a key helper must not forget."""

    def seed(self, epoch: int) -> bytes:
        """The secret of an epoch, 32 bytes; made when it is first asked for."""

    def erase(self, before: int, done: Callable[[int], Any]) -> None:
        """Delete the secrets of earlier epochs; each is told to ``done``, again where that did not return."""

    def declare(self, epoch: int, member: str, size: int, larger: Callable[[], Any]) -> int:
        """Note the size that a member declares, after ``larger`` if it is the largest; returns that."""

    def charge(self, epoch: int, member: str, digest: bytes, count: int, most: int) -> bool:
        """Count questions, each set of them once; False where they are over ``most``."""

    def issue(self, epoch: int, plan: bytes, member: str, digest: bytes) -> bool:
        """Note the one blinded token of a member; False where it was another one before."""

    def spend(self, epoch: int, plan: bytes, token: bytes, batch: bytes) -> bool:
        """Note the batch of a token; False where it was another one before."""


def pieces(data: bytes) -> Iterator[bytes]:
    """Bytes in chunks."""
    return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))
