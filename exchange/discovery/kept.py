"""What a member keeps of its own part in discoveries, and how it counts what it sends."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Protocol

from exchange.aggregation.round import Round
from exchange.discovery.office import Office
from exchange.discovery.tagging import Cache
from exchange.discovery.world import Line, Stage

ROOT, DIGEST = "root", "digest"
"""Of what we bring, among what we keep."""


class Own(Cache, Protocol):
    """What we keep of discoveries."""

    def batch(self, context: bytes, name: str) -> bytes | None:
        """What we deposited in a session, or are about to; None where there is nothing yet."""

    def keep_batch(self, context: bytes, name: str, batch: bytes) -> None:
        """Keep it, before it leaves."""

    def drop_batch(self, context: bytes, name: str) -> None:
        """Delete it, if there is one."""

    def taking_part(self) -> AbstractContextManager[None]:
        """While a process of this home takes part in a discovery."""

    def nobody(self) -> AbstractContextManager[bool]:
        """Say whether none does; none begins to meanwhile."""

    def expire(self, before: int) -> None:
        """Delete what was asked in epochs before this one, and what is left of sessions long over."""


class Parcel(NamedTuple):
    """What we bring to a stage of a session.

    Attributes:
        digest: of its bytes.
        root: what binds its records, or ``b""``.
        data: the bytes; None where what came of it is there, and they are needed no more.
    """

    digest: bytes
    root: bytes
    data: bytes | None


def parcel(own: Own, of: Round, stage: Stage) -> Parcel | None:
    """What we brought, or are about to; None where there is nothing yet."""
    data = own.batch(of.context, stage)
    if data is not None:
        return Parcel(sha256(data).digest(), own.batch(of.context, ROOT) or b"", data)
    digest = own.batch(of.context, f"{stage}.{DIGEST}")
    return None if digest is None else Parcel(digest, b"", None)


def pack(own: Own, of: Round, stage: Stage, data: bytes, root: bytes = b"") -> Parcel:
    """Keep what we are about to bring."""
    if root:
        own.keep_batch(of.context, ROOT, root)
    own.keep_batch(of.context, stage, data)
    return Parcel(sha256(data).digest(), root, data)


def served(own: Own, of: Round, stage: Stage, digest: bytes) -> None:
    """What came of a stage is there: what we brought need not be brought again, and takes room."""
    own.keep_batch(of.context, f"{stage}.{DIGEST}", digest)
    own.drop_batch(of.context, stage)


@dataclass(slots=True)
class Lines:
    """Connections that are counted together."""

    office: Office
    sent: int = 0
    received: int = 0

    @asynccontextmanager
    async def to(self, member: str) -> AsyncIterator[Line]:
        """Open one."""
        async with self.office.reach(member) as line:
            try:
                yield line
            finally:
                self.sent += line.sent
                self.received += line.received
