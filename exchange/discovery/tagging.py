"""Our indicators under the key of the helpers: asked for once an epoch, and kept sealed until it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_bytes
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np

from crypto import oprf, rows
from crypto.errors import PeerFault
from crypto.oprf import Reply
from crypto.rows import Rows
from crypto.secagg import helpers as atr
from crypto.secagg.helpers import HelperFault
from exchange.aggregation.lots import EPOCH_DAYS
from exchange.aggregation.round import KEY_BYTES, Round
from exchange.agreement import SMALLEST_CLASS, size_class
from exchange.disclosure.drive import in_thread
from exchange.discovery.world import Line, PartMisbehaved, Reach
from exchange.errors import PeerMisbehaved

T = TypeVar("T")
ITEM_BYTES = 32
KNOWN_BYTES = ITEM_BYTES + oprf.OUTPUT_BYTES
SPARE = 2 * EPOCH_DAYS * SMALLEST_CLASS
"""Questions that we declare beside our set: on any day of an epoch, what is new and what is told, padded."""
AT_ONCE = 1 << 13
"""Indicators that one call asks about."""


class Cache(Protocol):
    """What was asked before, by the keys it was asked under."""

    def known(self, epoch: int, keys: Sequence[bytes]) -> Rows:
        """``(n, 96)``: each item and its output under the sum of these keys; none if nothing is kept."""

    def keep(self, epoch: int, keys: Sequence[bytes], known: Rows) -> None:
        """Keep them, and forget those of earlier epochs."""


@dataclass(slots=True)
class Tagging:
    """Asks all helpers of a discovery.

    Attributes:
        cache: what was asked before.
        epoch: the epoch.
        keys: the helpers' public keys, in the order of the lines.
        names: the helpers, in the same order.
        lines: to the helpers.
        declared: the size class of our set and ``SPARE``, which we declare; None to declare what we asked
            before and what we ask now, where it is not about our own set.
        progress: called with how many were asked so far.
        asked: how many were asked in all.
        crypto_s: seconds of computing on our side.
    """

    cache: Cache
    epoch: int
    keys: Sequence[bytes]
    names: Sequence[str]
    lines: Sequence[Line]
    declared: int | None
    progress: Callable[[int], None] = lambda _count: None
    asked: int = field(default=0, init=False)
    crypto_s: float = field(default=0.0, init=False)

    async def outputs(self, items: Rows, *, always: bool = False) -> Rows:
        """The output of each item.

        Args:
            items: ``(n, 32)`` uint8, distinct.
            always: ask as many questions as if nothing were known, so that nobody sees what is.

        Returns:
            ``(n, 64)`` uint8.

        Raises:
            PeerMisbehaved: a helper did not use the key that it announced.
            PeerError: a helper refused, or is gone; what was asked so far is kept.
        """
        known = await in_thread(self.cache.known, self.epoch, self.keys)
        here, there = await in_thread(rows.join, items, np.ascontiguousarray(known[:, :ITEM_BYTES]))
        found = np.empty((len(items), oprf.OUTPUT_BYTES), np.uint8)
        found[here] = known[there, ITEM_BYTES:]
        missing = np.delete(np.arange(len(items)), here)
        asked = len(items) if always else len(missing)
        left, done, answered = size_class(asked) if asked else 0, 0, 0
        declared = self.declared or size_class(size_class(len(known)) + left)
        try:
            while left:
                size = min(left, AT_ONCE)
                part = missing[done : done + size]
                found[part] = await self._ask(np.ascontiguousarray(items[part]), size, declared)
                left, done, answered = left - size, done + len(part), answered + size
                self.asked += size
                self.progress(done)
        finally:
            if answered:
                new = missing[:done]
                more = np.concatenate([items[new], found[new]], axis=1)
                # What only filled up was asked as well: with it, what is kept is as long as what was asked.
                filled = _random(answered - done, more.shape[1])
                kept = np.concatenate([known, more, filled])
                await in_thread(self.cache.keep, self.epoch, self.keys, kept)
        return found

    async def _ask(self, items: Rows, size: int, declared: int) -> Rows:
        """The outputs of a few items: each helper is sent the same blinded rows, and all answer at once."""
        question = await self._timed(atr.ask, items, size=size)
        answers = await asyncio.gather(
            *(line.evaluate(self.epoch, declared, question.blinded) for line in self.lines)
        )
        replies = [Reply(*answer, key) for answer, key in zip(answers, self.keys, strict=True)]
        try:
            return await self._timed(atr.learn, question, replies, self.keys)
        except HelperFault as e:
            name = self.names[e.helper]
            raise PartMisbehaved(f"{name} broke the protocol: {e}", name, code="bad-proof") from e
        except PeerFault as e:
            raise PeerMisbehaved(f"the helpers broke the protocol: {e}", code="bad-proof") from e

    async def _timed(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        start = perf_counter()
        try:
            return await in_thread(work, *args, **kwargs)
        finally:
            self.crypto_s += perf_counter() - start


def _random(n: int, width: int) -> Rows:
    """Rows that are nobody's."""
    return np.frombuffer(token_bytes(n * width), np.uint8).reshape(n, width)


@asynccontextmanager
async def asked_of(
    reach: Reach,
    of: Round,
    cache: Cache,
    declared: int | None,
    progress: Callable[[int], None] = lambda _count: None,
) -> AsyncIterator[Tagging]:
    """Connect to the helpers of a discovery."""
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(reach(name)) for name in of.parts.helpers]
        keys = [pair[:KEY_BYTES] for pair in of.keys]
        yield Tagging(
            cache=cache,
            epoch=of.epoch,
            keys=keys,
            names=of.parts.helpers,
            lines=lines,
            declared=declared,
            progress=progress,
        )
