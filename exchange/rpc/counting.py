"""The calls of an aggregation at its coordinator, and their protobuf. Every field is checked on the way."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from crypto.errors import PeerFault
from crypto.secagg.base import Step
from crypto.session import Message
from exchange import wire
from exchange.aggregation.opening import MAX_BYTES, MEMBERS
from exchange.agreement import MEMBER
from exchange.counting.coordinating import Coordinating
from exchange.counting.run import Arriving, room
from exchange.counting.world import PROTOCOL, Contributed, Convening, Progress
from exchange.errors import PeerMisbehaved, SessionRefused
from exchange.rpc import messages
from exchange.rpc.channel import FrameChannel, Read
from exchange.rpc.messages import HASH_BYTES, SIGNATURE_BYTES
from exchange.v1 import exchange_pb2 as pb
from exchange.v1 import frame_pb2 as fb
from exchange.v1.frame_pb2 import Frame

MAX_WAIT_S = 25.0
"""How long a caller may have us wait for a step, whatever it asks for."""
CHUNK_BYTES = 1 << 20
MAX_DICTIONARY_BYTES = 1 << 30
MAX_MESSAGES = 8
"""More than are sent in any step."""
_NAME = re.compile("[A-Z][a-z]{1,20}")
_CODE = re.compile("[a-z][a-z0-9-]{0,30}")

Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a member.

    Attributes:
        peer: who calls.
        read: the next message, None after the last.
        write: sends one.
        request: the only message, where there is one.
        guard: raises if the caller is on the roster no more.
    """

    peer: str
    read: Read
    write: Write
    request: Callable[[], Awaitable[bytes]]
    guard: Callable[[], None]


class Counting:
    """Answers the calls about aggregations that this node coordinates.

    Args:
        coordinating: what is done with them.
        idle_s: longest silence of a caller, in seconds.
    """

    def __init__(self, coordinating: Coordinating, *, idle_s: float) -> None:
        self._coordinating = coordinating
        self._idle_s = idle_s

    async def convened(self, call: Call) -> None:
        """List what the caller may take part in; or give the opening and the dictionary of one.

        Raises:
            SessionRefused: the request is malformed, or there is no such aggregation for this caller.
        """
        request = messages.parse(pb.ConvenedRequest, await call.request())
        if not request.session:
            for convening in await self._coordinating.convened(call.peer):
                await self._write(call, _convening(convening))
            return
        convening, folder = await self._coordinating.find(call.peer, _context(request.session))
        await self._write(call, _convening(convening))
        with await asyncio.to_thread(folder.dictionary) as file:
            chunks = _chunks(file)
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                await self._write(call, pb.ConvenedReply(chunk=chunk))

    async def contribute(self, call: Call) -> None:
        """Take the message of a step.

        Raises:
            SessionRefused: it is malformed, or not due.
            PeerMisbehaved: it is not what it was announced to be, or shows that somebody lies.
        """
        async with asyncio.timeout(self._idle_s):
            frame = messages.parse(Frame, await call.read() or b"")
        if frame.WhichOneof("kind") != "contribution":
            raise SessionRefused("a contribution does not begin with what it is")
        contributed = _contributed(frame.contribution)
        arriving = await self._coordinating.expect(call.peer, contributed)
        if arriving is None:
            await self._write(call, pb.ContributeReply(known=True))
            return
        try:
            async with arriving.alone():
                message = await self._arrived(call, arriving)
            await self._coordinating.take(arriving, message)
        finally:
            arriving.spool.discard()
        await self._write(call, pb.ContributeReply(known=True))

    async def _arrived(self, call: Call, arriving: Arriving) -> Message:
        """The message that was announced."""
        await self._write(call, pb.ContributeReply(known=False))
        channel = FrameChannel(
            PROTOCOL, read=call.read, write=call.write, idle_s=self._idle_s, guard=call.guard
        )
        try:
            with room():
                message = await channel.receive(arriving.want, arriving.spool.allocate)
        except PeerFault as fault:
            raise PeerMisbehaved(f"the message is not what was due: {fault}") from fault
        await channel.end()
        if channel.digests()[1] != arriving.contributed.digest:
            raise PeerMisbehaved("the message is not the one that was announced")
        return message

    async def collect(self, call: Call) -> None:
        """Give what the caller is sent when a step begins, once it has.

        Raises:
            SessionRefused: the request is malformed, or nothing is sent to this caller.
        """
        request = messages.parse(pb.CollectRequest, await call.request())
        if not Step.JOINING < request.step <= Step.DONE or request.have > MAX_MESSAGES:
            raise SessionRefused("no step of this number is collected")
        wait_s = min(request.wait_ms / 1000, MAX_WAIT_S)
        session = _context(request.session)
        progress, told = await self._coordinating.collect(call.peer, session, request.step, wait_s)
        call.guard()  # the caller may be on the roster no more by now
        await self._write(call, Frame(progress=_progress(progress)))
        for message in told[request.have :]:
            await self._send(call, message)

    async def replay(self, call: Call) -> None:
        """Give a chunk of the masked vectors that were added up, or the digests of all chunks.

        Raises:
            SessionRefused: the request is malformed, or there is no such chunk for this caller.
        """
        request = messages.parse(pb.ReplayRequest, await call.request())
        chunk = request.chunk - 1 if request.chunk else None
        session = _context(request.session)
        await self._send(call, await self._coordinating.replay(call.peer, session, chunk))

    async def _send(self, call: Call, message: Message) -> None:
        frames = wire.to_frames(PROTOCOL, message)
        while (frame := await asyncio.to_thread(next, frames, None)) is not None:
            await self._write(call, frame)

    async def _write(self, call: Call, reply: pb.ConvenedReply | pb.ContributeReply | Frame) -> None:
        async with asyncio.timeout(self._idle_s):
            await call.write(reply.SerializeToString())


def contribution_to_wire(c: Contributed) -> Frame:
    """The first frame of a contribution."""
    return Frame(contribution=fb.Contribution(session=c.session, step=c.step, name=c.name, digest=c.digest))


def convening_from_wire(m: pb.ConvenedReply) -> Convening:
    """An aggregation, as its coordinator shows it; whoever asked checks the opening and its signature.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    c = m.convening
    if (
        m.WhichOneof("kind") != "convening"
        or not 0 < len(c.opening) <= MAX_BYTES
        or len(c.signature) != SIGNATURE_BYTES
        or c.size > MAX_DICTIONARY_BYTES
    ):
        raise PeerMisbehaved("the coordinator's list is malformed")
    return Convening(
        opening=c.opening, signature=c.signature, size=c.size, progress=progress_from_wire(c.progress)
    )


def progress_from_wire(p: fb.Progress) -> Progress:
    """How far a run has come, as its coordinator says.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    if (
        p.step not in Step.__members__.values()
        or (p.broken and _CODE.fullmatch(p.broken) is None)
        or max(len(p.culprits), len(p.awaited)) > MEMBERS[1]
        or any(MEMBER.fullmatch(member) is None for member in (*p.culprits, *p.awaited))
    ):
        raise PeerMisbehaved("what the coordinator says of its progress is malformed")
    return Progress(
        step=Step(p.step),
        broken=p.broken,
        culprits=tuple(p.culprits),
        left_s=p.left_ms / 1000,
        awaited=tuple(p.awaited),
    )


def _contributed(c: fb.Contribution) -> Contributed:
    if (
        len(c.digest) != HASH_BYTES
        or _NAME.fullmatch(c.name) is None
        or not Step.JOINING <= c.step < Step.DONE
    ):
        raise SessionRefused("the contribution is malformed")
    return Contributed(session=_context(c.session), step=c.step, name=c.name, digest=c.digest)


def _context(session: bytes) -> bytes:
    if len(session) != HASH_BYTES:
        raise SessionRefused("the name of the aggregation is malformed")
    return session


def _convening(c: Convening) -> pb.ConvenedReply:
    convening = pb.Convening(
        opening=c.opening, signature=c.signature, size=c.size, progress=_progress(c.progress)
    )
    return pb.ConvenedReply(convening=convening)


def _progress(p: Progress) -> fb.Progress:
    return fb.Progress(
        step=p.step, broken=p.broken, culprits=p.culprits, left_ms=int(p.left_s * 1000), awaited=p.awaited
    )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(CHUNK_BYTES):
        yield data
