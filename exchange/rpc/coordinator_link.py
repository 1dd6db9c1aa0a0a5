"""A link to a coordinator: the calls of an aggregation, from a member's side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from crypto.session import Message, Receive
from exchange import wire
from exchange.aggregation.opening import Opening
from exchange.counting.coordinating import MAX_LISTED
from exchange.counting.world import PROTOCOL, Contributed, Convening, Progress
from exchange.errors import PeerMisbehaved, PeerUnavailable
from exchange.indicators import IndicatorType
from exchange.indicators.types import MAX_VALUE_CHARS
from exchange.rpc.channel import FrameChannel
from exchange.rpc.client import PeerLink, close_to, next_of, write_to
from exchange.rpc.counting import (
    CHUNK_BYTES,
    MAX_DICTIONARY_BYTES,
    contribution_to_wire,
    convening_from_wire,
    progress_from_wire,
)
from exchange.rpc.server import SERVICE
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Frame

MAX_LINE_BYTES = max(map(len, IndicatorType)) + 4 * MAX_VALUE_CHARS + 2
"""Of an entry of a dictionary: a type, a value in UTF-8, and what stands between and after."""
COMPUTE_S = 60.0
"""How long a coordinator may be silent because it computes, beside the silence that any peer is allowed."""


class Collection:
    """The messages of a step that has begun, one after the other.

    Attributes:
        progress: how far the run has come.
    """

    def __init__(self, progress: Progress, channel: FrameChannel) -> None:
        self.progress = progress
        self._channel = channel

    async def receive(self, want: Receive) -> Message:
        """The next message.

        Raises:
            PeerUnavailable: the call broke off.
            ProtocolError, DecodeError: something else comes.
        """
        return await self._channel.receive(want)


class CoordinatorLink(PeerLink):
    """A connection to a coordinator, used as ``async with``."""

    async def convened(self) -> list[Convening]:
        """What we may take part in.

        Raises:
            PeerRefused, PeerUnavailable: it does not say.
            PeerMisbehaved: its list is malformed, or without an end.
        """
        call: Any = self._stream("Convened", pb.ConvenedRequest())
        listed: list[Convening] = []
        try:
            async with self._patience():  # for all of it
                async for reply in self._replies(call):
                    if len(listed) == MAX_LISTED:
                        raise PeerMisbehaved("the coordinator lists more than anybody may")
                    listed.append(convening_from_wire(reply))
        finally:
            call.cancel()
        return listed

    async def opening(self, session: bytes) -> tuple[Convening, bytes]:
        """The opening of one, and its dictionary, as long as the opening allows; whoever asked checks it.

        Raises:
            PeerRefused, PeerUnavailable: it does not give them.
            PeerMisbehaved: what comes is malformed, or is not what was asked for.
        """
        call: Any = self._stream("Convened", pb.ConvenedRequest(session=session))
        replies = self._replies(call)
        try:
            first = await anext(replies, None)
            if first is None:
                raise PeerUnavailable(f"{self._peer} closed the call", code="peer-closed")
            convening, dictionary = convening_from_wire(first), bytearray()
            opening = Opening.decode(convening.opening)
            if opening.context != session:
                raise PeerMisbehaved(f"{self._peer} shows another opening than was asked for")
            longest = min(convening.size, opening.entries * MAX_LINE_BYTES, MAX_DICTIONARY_BYTES)
            async for reply in replies:
                if reply.WhichOneof("kind") != "chunk" or not 0 < len(reply.chunk) <= CHUNK_BYTES:
                    raise PeerMisbehaved("the coordinator's dictionary is malformed")
                dictionary += reply.chunk
                if len(dictionary) > longest:
                    raise PeerMisbehaved("the coordinator's dictionary is longer than it can be")
        finally:
            call.cancel()
        return convening, bytes(dictionary)

    async def contribute(self, contributed: Contributed, message: Message) -> None:
        """Hand over the message of a step.

        Raises:
            PeerRefused: the coordinator does not take it.
            PeerUnavailable: it cannot be reached; the same may be handed over again.
        """
        call: Any = self._channel.stream_stream(f"/{SERVICE}/Contribute")()

        async def confirmed() -> bool:
            data = await self._next(call)
            if data is None:
                raise PeerUnavailable(f"{self._peer} closed the call", code="peer-closed")
            return self._parsed(pb.ContributeReply, data).known

        try:
            async with self._patience():
                await write_to(call, contribution_to_wire(contributed).SerializeToString(), self._peer)
            if await confirmed():
                return
            frames = wire.to_frames(PROTOCOL, message)
            while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                async with self._patience():
                    await write_to(call, frame.SerializeToString(), self._peer)
            await close_to(call)
            if not await confirmed():
                raise PeerMisbehaved("the coordinator does not say that it took the message")
        finally:
            call.cancel()

    @asynccontextmanager
    async def collect(
        self, session: bytes, step: int, *, have: int, wait_s: float
    ) -> AsyncIterator[Collection]:
        """Wait until a step has begun.

        Raises:
            PeerRefused: the coordinator has nothing for us there.
            PeerUnavailable: it cannot be reached, or falls silent.
            PeerMisbehaved: what it says is malformed.
        """
        request = pb.CollectRequest(session=session, step=step, have=have, wait_ms=int(wait_s * 1000))
        call: Any = self._stream("Collect", request)

        async def read() -> bytes | None:
            return await self._next(call)

        try:
            data = await self._next(call, wait_s)
            if data is None:
                raise PeerUnavailable(f"{self._peer} closed the call", code="peer-closed")
            frame = self._parsed(Frame, data)
            if frame.WhichOneof("kind") != "progress":
                raise PeerMisbehaved("the coordinator does not say how far it has come")
            yield Collection(progress_from_wire(frame.progress), self._frames(read))
        finally:
            call.cancel()

    async def replay(self, session: bytes, want: Receive, chunk: int | None) -> Message:
        """Digests, or a chunk, of the masked vectors.

        Raises:
            PeerRefused: the coordinator does not give it.
            PeerUnavailable: it cannot be reached, or falls silent.
            ProtocolError, DecodeError: something else comes.
        """
        number = 0 if chunk is None else chunk + 1
        call: Any = self._stream("Replay", pb.ReplayRequest(session=session, chunk=number))

        async def read() -> bytes | None:
            return await self._next(call)

        try:
            return await self._frames(read).receive(want)
        finally:
            call.cancel()

    def _stream(self, method: str, request: Any) -> Any:
        return self._channel.unary_stream(f"/{SERVICE}/{method}")(request.SerializeToString())

    def _frames(self, read: Any) -> FrameChannel:
        async def write(_frame: bytes) -> None:
            raise PeerMisbehaved("nothing is said in this call")

        return FrameChannel(
            PROTOCOL, read=read, write=write, idle_s=self._idle_s + COMPUTE_S,
            guard=lambda: self._directory.check_member(self._peer),
        )  # fmt: skip

    async def _replies(self, call: Any) -> AsyncIterator[pb.ConvenedReply]:
        while (data := await self._next(call)) is not None:
            yield self._parsed(pb.ConvenedReply, data)

    async def _next(self, call: Any, longer_s: float = 0) -> bytes | None:
        async with self._patience(longer_s):
            return await next_of(call, self._peer)

    @asynccontextmanager
    async def _patience(self, longer_s: float = 0) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._idle_s + COMPUTE_S + longer_s):
                yield
        except TimeoutError:
            raise PeerUnavailable(f"{self._peer} fell silent", code="peer-stalled") from None
