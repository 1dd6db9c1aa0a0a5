"""One stream as a channel: counted, bounded, watched, ended."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from crypto.errors import DecodeError, ProtocolError
from crypto.psi.voprf import Blinded
from crypto.session import Receive
from exchange import wire
from exchange.errors import NotAuthorised, PeerMisbehaved, PeerUnavailable
from exchange.rpc.channel import FrameChannel
from exchange.v1.frame_pb2 import Frame

ROWS = 100
MESSAGE = Blinded(np.arange(ROWS * 32, dtype=np.uint8).reshape(ROWS, 32))
WANT = Receive(Blinded, {"blinded": (ROWS, 32)})
FRAMES = [frame.SerializeToString() for frame in wire.to_frames("voprf", MESSAGE)]


class Stream:
    """What came, and what was written."""

    def __init__(self, *frames: bytes, stalls: bool = False) -> None:
        self.left = list(frames)
        self.written: list[Frame] = []
        self.stalls = stalls

    async def read(self) -> bytes | None:
        if self.left:
            return self.left.pop(0)
        if self.stalls:
            await asyncio.sleep(60)
        return None

    async def write(self, frame: bytes) -> None:
        if self.stalls:
            await asyncio.sleep(60)
        self.written.append(Frame.FromString(frame))

    def channel(self, **options: Any) -> FrameChannel:
        return FrameChannel("voprf", read=self.read, write=self.write, idle_s=0.05, **options)


async def test_a_message_there_and_back():
    out = Stream()
    sender = out.channel()
    await sender.send(MESSAGE)
    back = Stream(*(frame.SerializeToString() for frame in out.written))
    receiver = back.channel()
    got = await receiver.receive(WANT)
    assert isinstance(got, Blinded)
    assert np.array_equal(got.blinded, MESSAGE.blinded)
    assert sender.sent == receiver.received == sum(map(len, FRAMES))
    assert sender.received == receiver.sent == 0
    await receiver.end()


@pytest.mark.parametrize("frames", [(), FRAMES[:1]], ids=["before the head", "before the rows"])
async def test_silence_and_an_early_end(frames: Sequence[bytes]):
    with pytest.raises(PeerUnavailable) as error:
        await Stream(*frames, stalls=True).channel().receive(WANT)
    assert error.value.code == "peer-stalled"
    with pytest.raises(PeerUnavailable) as error:
        await Stream(*frames).channel().receive(WANT)
    assert error.value.code == "peer-closed"


async def test_a_peer_that_takes_nothing():
    with pytest.raises(PeerUnavailable) as error:
        await Stream(stalls=True).channel().send(MESSAGE)
    assert error.value.code == "peer-stalled"


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([FRAMES[1]], ProtocolError),
        ([FRAMES[0], FRAMES[0]], ProtocolError),
        ([b""], ProtocolError),
        ([b"\xff"], DecodeError),
        ([FRAMES[0] + b"\x7a\x01x"], DecodeError),
        ([FRAMES[0], FRAMES[1][:-1]], DecodeError),
        ([FRAMES[0], Frame(chunk=bytes(ROWS * 32 + 1)).SerializeToString()], ProtocolError),
        ([FRAMES[0], Frame(chunk=bytes(ROWS * 32 - 1)).SerializeToString()], ProtocolError),
    ],
)
async def test_frames_that_were_not_due(frames, fault):
    with pytest.raises(fault):
        await Stream(*frames).channel().receive(WANT)


async def test_the_guard_stands_before_every_message():
    asked = []

    def guard() -> None:
        asked.append(None)
        if len(asked) > 2:
            raise NotAuthorised("revoked")

    stream = Stream(*FRAMES, *FRAMES)
    channel = stream.channel(guard=guard)
    await channel.receive(WANT)
    await channel.send(MESSAGE)
    written = len(stream.written)
    with pytest.raises(NotAuthorised):
        await channel.send(MESSAGE)
    with pytest.raises(NotAuthorised):
        await channel.receive(WANT)
    assert len(stream.written) == written


async def test_the_end():
    closed = []

    async def half_close() -> None:
        closed.append(None)

    await Stream().channel(half_close=half_close).end()
    assert closed
    with pytest.raises(PeerMisbehaved):
        await Stream(FRAMES[0]).channel(half_close=half_close).end()
    with pytest.raises(PeerUnavailable):
        await Stream(stalls=True).channel(half_close=half_close).end()
