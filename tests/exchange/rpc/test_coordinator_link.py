"""What a coordinator says of its aggregations: bounded, whatever it says."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
import pytest

from exchange.errors import PeerMisbehaved, PeerUnavailable
from exchange.rpc import coordinator_link
from exchange.rpc.coordinator_link import MAX_LINE_BYTES, CoordinatorLink
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Progress
from tests.exchange.aggregation.openings import opening

ASKED = opening(entries=2)


class Stream:
    """What a call brings, and how much of it was read."""

    def __init__(self, replies: Iterable[pb.ConvenedReply], pause_s: float = 0) -> None:
        self.replies: Iterator[pb.ConvenedReply] = iter(replies)
        self.pause_s, self.was_read, self.cancelled = pause_s, 0, False

    async def read(self) -> Any:
        await asyncio.sleep(self.pause_s)
        self.was_read += 1
        reply = next(self.replies, None)
        return grpc.aio.EOF if reply is None else reply.SerializeToString()

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    def cancel(self) -> None:
        self.cancelled = True


class Link(CoordinatorLink):
    def __init__(self, stream: Stream) -> None:
        self._peer, self._idle_s, self.stream = "umbra", 0.1, stream

    def _stream(self, _method: str, _request: Any) -> Any:
        return self.stream


def shown(size: int = 1 << 20, asked: Any = ASKED) -> pb.ConvenedReply:
    progress = Progress(step=1)
    convening = pb.Convening(opening=asked.encoded, signature=bytes(64), size=size, progress=progress)
    return pb.ConvenedReply(convening=convening)


def endless(reply: pb.ConvenedReply) -> Iterator[pb.ConvenedReply]:
    while True:
        yield reply


async def test_a_list_and_its_end() -> None:
    stream = Stream([shown()] * 64)
    assert len(await Link(stream).convened()) == 64
    assert stream.cancelled


async def test_a_list_without_an_end() -> None:
    stream = Stream(endless(shown()))
    with pytest.raises(PeerMisbehaved):
        await asyncio.wait_for(Link(stream).convened(), 60)
    assert stream.was_read == 65
    assert stream.cancelled


async def test_a_list_that_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator_link, "COMPUTE_S", 0.1)
    stream = Stream(endless(shown()), pause_s=0.05)
    with pytest.raises(PeerUnavailable):
        await asyncio.wait_for(Link(stream).convened(), 60)
    assert stream.was_read < 10


async def test_a_dictionary_as_long_as_its_opening_allows_and_no_longer() -> None:
    longest = 2 * MAX_LINE_BYTES
    for size, comes, taken in ((longest, longest, True), (1 << 30, longest + 1, False), (9, 10, False)):
        stream = Stream([shown(size), pb.ConvenedReply(chunk=bytes(comes))])
        if taken:
            assert await Link(stream).opening(ASKED.context) == (await first(size), bytes(comes))
        else:
            with pytest.raises(PeerMisbehaved):
                await Link(stream).opening(ASKED.context)
        assert stream.cancelled


async def first(size: int) -> Any:
    [convening] = await Link(Stream([shown(size)])).convened()
    return convening


async def test_another_opening_than_was_asked_for() -> None:
    stream = Stream([shown(asked=opening(entries=5000)), *[pb.ConvenedReply(chunk=b"x")] * 9])
    with pytest.raises(PeerMisbehaved):
        await Link(stream).opening(ASKED.context)
    assert stream.was_read == 1, "nothing of its dictionary was fetched"
