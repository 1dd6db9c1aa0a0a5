"""Trying again: those who were refused for now, or cut off, come back later, and not all at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import random
from time import monotonic
from typing import TypeVar

from exchange.errors import PeerRefused, PeerUnavailable

T = TypeVar("T")
log = logging.getLogger(__name__)
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 3.0)
"""Between attempts to reach a peer; the last one for all that follow."""
AGAIN = {"busy", "not-ready"}
"""Refusals after which the same may be tried again."""


async def patiently(
    work: Callable[[], Awaitable[T]],
    *,
    until: Callable[[], float],
    failed: Callable[[], Awaitable[None]] | None = None,
    away: bool = True,
) -> T:
    """Try until it is done.

    Args:
        work: what is tried; can be begun any number of times.
        until: when nothing is tried any more, by the monotonic clock; asked after each attempt.
        failed: done after each that failed, before the pause.
        away: whether who is out of reach is tried again too; otherwise only who refuses for now.

    Raises:
        PeerRefused: the peer does not want it, or is busy for so long.
        PeerUnavailable: it is out of reach for so long.
    """
    tried = 0
    while True:
        try:
            return await work()
        except (PeerUnavailable, PeerRefused) as e:
            again = e.code in AGAIN if isinstance(e, PeerRefused) else away
            if not again or monotonic() > until():
                raise
            log.info("a peer is out of reach, trying again: %s", e)
        if failed is not None:
            await failed()
        pause = PAUSES_S[min(tried, len(PAUSES_S) - 1)]
        await asyncio.sleep(pause * (1 + random() / 2))  # noqa: S311  # spreads those who wait
        tried += 1
