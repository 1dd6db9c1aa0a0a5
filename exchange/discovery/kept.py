"""What a member keeps of its own part in discoveries, and how it counts what it sends."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from exchange.discovery.office import Office
from exchange.discovery.tagging import Cache
from exchange.discovery.world import Line


class Own(Cache, Protocol):
    """What we keep of discoveries."""

    def batch(self, context: bytes, name: str) -> bytes | None:
        """What we deposited in a session, or are about to; None where there is nothing yet."""

    def keep_batch(self, context: bytes, name: str, batch: bytes) -> None:
        """Keep it, before it leaves."""

    def taking_part(self) -> AbstractContextManager[None]:
        """While a process of this home takes part in a discovery."""

    def nobody(self) -> AbstractContextManager[bool]:
        """Say whether none does; none begins to meanwhile."""

    def expire(self, before: int) -> None:
        """Delete what was asked in epochs before this one, and what is left of sessions long over."""


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
