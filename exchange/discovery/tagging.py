"""Our indicators under the key of the helpers: asked for once an epoch, and kept sealed until it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np

from crypto import labels, oprf, rows
from crypto.errors import PeerFault
from crypto.group import Rng
from crypto.hashing import derive_key
from crypto.oprf import Reply
from crypto.rows import Rows
from crypto.secagg import helpers as atr
from crypto.secagg.helpers import HelperFault
from crypto.seeded import seeded
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

    def begun(self, epoch: int, keys: Sequence[bytes]) -> tuple[int, int]:
        """Of what was begun: about how many items questions are left, and how many are shown for these."""

    def begin(self, epoch: int, keys: Sequence[bytes], items: int, shown: int) -> None:
        """Write that down."""

    def secret(self) -> bytes:
        """32 random bytes that stay the same, and that nobody else has."""


@dataclass(slots=True)
class Tagging:
    """Asks all helpers of a discovery.

    Attributes:
        cache: what was asked before.
        epoch: the epoch.
        context: of the discovery.
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
    context: bytes
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
            always: ask about all, known or not, so that nobody sees what is.

        Returns:
            ``(n, 64)`` uint8.

        Raises:
            PeerMisbehaved: a helper did not use the key that it announced.
            PeerError: a helper refused, or is gone; what was asked so far is kept.
        """
        known = await in_thread(self.cache.known, self.epoch, self.keys)
        here, there = await in_thread(rows.join, items, _items(known))
        found = np.empty((len(items), oprf.OUTPUT_BYTES), np.uint8)
        found[here] = known[there, ITEM_BYTES:]
        missing = np.arange(len(items)) if always else np.delete(np.arange(len(items)), here)
        left, done, answered = size_class(len(missing)) if len(missing) else 0, 0, 0
        seed = await in_thread(self._seed, items, self.context if always else b"")
        if left and not always:
            begun, shown = await in_thread(self.cache.begun, self.epoch, self.keys)
            left = shown if begun == len(missing) else left
            await in_thread(self.cache.begin, self.epoch, self.keys, len(missing), left)
        declared = self.declared or size_class(size_class(len(known)) + left)
        try:
            while left:
                size = min(left, AT_ONCE)
                part = missing[done : done + size]
                mine = derive_key(labels.DISCOVERY_BLIND, seed, part.tobytes(), left.to_bytes(8, "little"))
                rng = seeded(labels.DISCOVERY_QUESTION, mine)
                found[part] = await self._ask(np.ascontiguousarray(items[part]), size, declared, rng)
                left, done, answered = left - size, done + len(part), answered + size
                self.asked += size
                self.progress(done)
        finally:
            if answered:
                new = np.setdiff1d(missing[:done], here)
                more = np.concatenate([items[new], found[new]], axis=1)
                # What only filled up was asked as well: with it, what is kept is as long as what was asked.
                kept = np.concatenate([known, more, _filler(answered - len(new), seed, known)])
                await in_thread(self.cache.keep, self.epoch, self.keys, kept)
                if not always:
                    await in_thread(self.cache.begin, self.epoch, self.keys, len(missing) - done, left)
        return found

    def _seed(self, items: Rows, context: bytes) -> bytes:
        """What questions about these items are drawn from: the same where one is asked again.

        So the helper that answered it counts it once. It depends on all items, or else rows that only fill
        up would show from one day to the next that they do. Where all is asked about whatever is known, it
        depends on the discovery as well: there the same items are asked about in several.
        """
        key = b"".join([self.cache.secret(), self.epoch.to_bytes(8, "little"), *self.keys])
        return derive_key(labels.DISCOVERY_QUESTION, key, items, *([context] if context else []))

    async def _ask(self, items: Rows, size: int, declared: int, rng: Rng) -> Rows:
        """The outputs of a few items: each helper is sent the same blinded rows, and all answer at once."""
        question = await self._timed(atr.ask, items, size=size, rng=rng)
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


def _filler(count: int, seed: bytes, known: Rows) -> Rows:
    """Rows that are nobody's, for a question; those of them that are kept already are not kept again."""
    rng = seeded(labels.DISCOVERY_FILLER, seed)
    filled = atr.random_rows(count, KNOWN_BYTES, rng)
    return np.delete(filled, rows.positions_in(_items(filled), _items(known)), axis=0)


def _items(known: Rows) -> Rows:
    return np.ascontiguousarray(known[:, :ITEM_BYTES])


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
            context=of.context,
            keys=keys,
            names=of.parts.helpers,
            lines=lines,
            declared=declared,
            progress=progress,
        )
