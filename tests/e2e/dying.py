"""``cosight``, killed by itself as by a power failure at one chosen moment.

The moments are counted from the first: before and after every entry of the ledger, between its commit and its
head file, around every message of a run and whatever is kept for the next one, and before every reply of a
short call.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from exchange.cli import main
from exchange.rpc import client, server
from exchange.rpc.channel import FrameChannel
from exchange.store.correlations import Correlations
from exchange.store.epochs import Epochs
from exchange.store.ledger.head import Head
from exchange.store.ledger.writer import LedgerStore

KILLED = -signal.SIGKILL


class Moments:
    """Counts moments, and kills the process at one of them."""

    def __init__(self, last: int) -> None:
        self.left = last

    def passes(self) -> None:
        """One moment passes."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        """Count a moment before and one after every call of a function."""
        inner: Callable[..., Any] = getattr(owner, name)

        @wraps(inner)
        async def counted_async(*arguments: Any, **named: Any) -> Any:
            self.passes()
            result = await inner(*arguments, **named)
            self.passes()
            return result

        @wraps(inner)
        def counted(*arguments: Any, **named: Any) -> Any:
            self.passes()
            result = inner(*arguments, **named)
            self.passes()
            return result

        setattr(owner, name, counted_async if asyncio.iscoroutinefunction(inner) else counted)


def dying(arguments: Sequence[str]) -> None:
    """The program: which moment it dies at, and the command."""
    moments = Moments(int(arguments[0]))
    for owner, name in (
        (LedgerStore, "append_all"),
        (Head, "write"),
        (FrameChannel, "send"),
        (Correlations, "take"),
        (Epochs, "put"),
        (Epochs, "_prune"),
        (server, "write_to"),
        (client.PeerLink, "_unary"),
    ):
        moments.around(owner, name)
    main(arguments[1:])
