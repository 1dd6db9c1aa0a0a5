"""One gRPC stream as a channel of protocol messages: counted, bounded, with a deadline on every wait."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from crypto.errors import ProtocolError
from crypto.session import Message, Receive
from exchange import wire
from exchange.errors import PeerMisbehaved, PeerUnavailable
from exchange.v1.frame_pb2 import Frame

BULK_BYTES = 1 << 20
"""From so many on, a message shows how fast a link is."""

Read = Callable[[], Awaitable[bytes | None]]
Write = Callable[[bytes], Awaitable[Any]]


class FrameChannel:
    """Messages of one run over one stream.

    Args:
        protocol: the protocol that runs.
        read: the next frame as it came, ``None`` after the last.
        write: send an encoded frame; waits while the peer does not take it.
        idle_s: longest wait for one frame, either way, in seconds.
        guard: called before every message; raises if the run may not go on, for example because the peer has
            been revoked meanwhile.
        half_close: tells the peer that we are done; a client's duty.

    Attributes:
        sent: bytes of all frames sent.
        received: bytes of all frames received.
        bytes_per_s: at which the fastest bulk message came, or 0 before any.
    """

    def __init__(
        self,
        protocol: str,
        *,
        read: Read,
        write: Write,
        idle_s: float,
        guard: Callable[[], None] = lambda: None,
        half_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._protocol = protocol
        self._read = read
        self._write = write
        self._idle_s = idle_s
        self._guard = guard
        self._half_close = half_close
        self.sent = 0
        self.received = 0
        self.bytes_per_s = 0.0
        self._sent_hash, self._received_hash = hashlib.sha256(), hashlib.sha256()

    def digests(self) -> tuple[bytes, bytes]:
        """SHA-256 of every frame that was sent, and of every one that was received, so far."""
        return self._sent_hash.digest(), self._received_hash.digest()

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            PeerUnavailable: the peer does not take it in time, or is gone.
        """
        self._guard()
        for frame in wire.to_frames(self._protocol, message):
            data = frame.SerializeToString()
            self.sent += len(data)
            self._sent_hash.update(data)
            await self._in_time(self._write(data))

    async def receive(self, want: Receive, allocate: wire.Allocate = wire.in_memory) -> Message:
        """Receive the message that a role asked for.

        Args:
            want: what it asked for.
            allocate: gives the room for its rows.

        Raises:
            PeerUnavailable: nothing comes in time, or the peer is gone.
            ProtocolError, DecodeError: something else comes.
        """
        frame = await self._next(want.within_s)
        self._guard()
        if frame.WhichOneof("kind") != "head":
            raise ProtocolError(f"the head of {want.kind.__name__} was due")
        assembly = wire.Assembly(self._protocol, want, frame.head, allocate)
        start, before = perf_counter(), self.received
        while not assembly.complete:
            frame = await self._next()
            if frame.WhichOneof("kind") != "chunk":
                raise ProtocolError(f"rows of {want.kind.__name__} were due")
            assembly.feed(frame.chunk)
        if (moved := self.received - before) >= BULK_BYTES:
            self.bytes_per_s = max(self.bytes_per_s, moved / (perf_counter() - start))
        return assembly.message()

    async def end(self) -> None:
        """Wait for the peer to close its side.

        Raises:
            PeerMisbehaved: it sends something more instead.
            PeerUnavailable: it neither sends nor closes.
        """
        if self._half_close is not None:
            await self._half_close()
        if await self._in_time(self._read()) is not None:
            raise PeerMisbehaved("the peer sent more after the end of the run")

    async def _next(self, within_s: float | None = None) -> Frame:
        """The next frame; within the silence that is allowed, or sooner where the role says so."""
        data = await self._in_time(self._read(), within_s)
        if data is None:
            raise PeerUnavailable("the peer closed the run before its end", code="peer-closed")
        self.received += len(data)
        self._received_hash.update(data)
        return wire.parse_frame(data)

    async def _in_time(self, wait: Awaitable[Any], within_s: float | None = None) -> Any:
        longest_s = self._idle_s if within_s is None else min(within_s, self._idle_s)
        try:
            async with asyncio.timeout(longest_s):
                return await wait
        except TimeoutError:
            raise PeerUnavailable(f"the peer was silent for {longest_s:.0f} s", code="peer-stalled") from None
