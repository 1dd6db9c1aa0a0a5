"""Drive one role over a channel: computing in a thread, waiting in the event loop."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from crypto.errors import EncodingFailed, PeerFault
from crypto.session import Message, Role, Send, Session
from exchange.disclosure.world import Channel
from exchange.errors import CosightError, PeerMisbehaved

T = TypeVar("T")
log = logging.getLogger(__name__)


async def in_thread(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run in a thread, to the end even if we are cancelled meanwhile.

    What must be written is written then, and a role is not closed while it computes.
    """
    return await to_its_end(asyncio.get_running_loop().run_in_executor(None, partial(work, *args, **kwargs)))


async def to_its_end(running: asyncio.Future[T]) -> T:
    """Wait for what is running until it has ended, even if we are cancelled meanwhile."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):  # cancelled once more: it still has to end
                await asyncio.wait([running])
        if not running.cancelled():
            _ = (
                running.exception()
            )  # looked at, so that it is not reported as lost: being cancelled goes first
        raise


@dataclass(slots=True)
class Progress:
    """How far a run came: what left, and what it cost. Written to the ledger when it ends.

    Attributes:
        crypto_s: seconds of computing on our side.
        offline_s: seconds until the first step that depends on items.
        messages: how many messages left.
    """

    crypto_s: float = 0.0
    offline_s: float = 0.0
    messages: int = 0


async def drive(
    role: Role[T], channel: Channel, progress: Progress, offline: AbstractSet[type[Message]] = frozenset()
) -> T:
    """Run a role to its end.

    Args:
        role: the role.
        channel: to the peer.
        progress: gets what it costs.
        offline: the messages, first in the run, that depend on nobody's items.

    Raises:
        PeerMisbehaved: the peer broke the protocol.
        PeerError: the channel lost it, or it exceeded a limit.
        CosightError: the run failed and nobody is to blame; run again.
    """
    session, start, ahead = Session(role), perf_counter(), bool(offline)
    try:
        with _told("compute", "the start"):
            await _compute(progress, session.advance)
        while (step := session.step) is not None:
            kind = type(step.message) if isinstance(step, Send) else step.kind
            if ahead and kind not in offline:
                progress.offline_s, ahead = perf_counter() - start, False
            message = None
            if isinstance(step, Send):
                progress.messages += 1
                with _told("send", kind.__name__):
                    await channel.send(step.message)
            else:
                with _told("receive", kind.__name__):
                    message = await channel.receive(step)
            with _told("compute", kind.__name__):
                await _compute(progress, session.advance, message)
    except PeerFault as fault:
        raise PeerMisbehaved(f"the peer broke the protocol: {fault}") from fault
    except EncodingFailed as e:
        raise CosightError(f"{e}", code="encoding-failed", hint="run the match again") from e
    finally:
        session.close()
    return session.result


@contextmanager
def _told(what: str, which: str) -> Iterator[None]:
    """Say how long a step took: ``compute`` is what follows that message. Benchmarks listen."""
    start = perf_counter()
    yield
    log.debug("%s %s: %.6f s", what, which, perf_counter() - start)


async def _compute(progress: Progress, work: Callable[..., None], *args: Any) -> None:
    start = perf_counter()
    try:
        await in_thread(work, *args)
    finally:
        progress.crypto_s += perf_counter() - start
