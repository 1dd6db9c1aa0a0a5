"""A line of a discovery brings what comes from the disk beside whatever else its process does, and takes no
more of an outcome than there can be."""

import threading
from collections.abc import Generator
from typing import Any

import grpc
import pytest

from exchange.discovery.world import CHUNK_BYTES, Collected, Deposit, Stage, State
from exchange.errors import PeerExceededLimit
from exchange.rpc import discovery
from exchange.rpc.line import DiscoveryLine
from exchange.v1 import discovery_pb2 as pb
from tests.cli.test_discover import ROUND


class Call:
    """A call that takes everything."""

    def __init__(self) -> None:
        self.came: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self.came.append(data)

    async def done_writing(self) -> None:
        pass

    def cancel(self) -> None:
        pass

    def __await__(self) -> Generator[None, None, bytes]:
        yield from ()
        return pb.DepositReply().SerializeToString()


class Channel:
    def __init__(self, call: Any) -> None:
        self._call = call

    def stream_unary(self, _method: str):
        return lambda: self._call

    def unary_stream(self, _method: str):
        return lambda _request: self._call


class Answer:
    """A call that gives so many bytes of an outcome."""

    def __init__(self, size: int) -> None:
        said = Collected(state=State.DONE, outcome=bytes(size))
        self._left = iter([*discovery.collected_to_wire(said)])
        self.was_read = 0
        self.cancelled = False

    async def read(self) -> Any:
        self.was_read += 1
        message = next(self._left, None)
        return grpc.aio.EOF if message is None else message.SerializeToString()

    def cancel(self) -> None:
        self.cancelled = True


def line_of(call: Any, monkeypatch: pytest.MonkeyPatch) -> DiscoveryLine:
    line = DiscoveryLine(None, "bob", "127.0.0.1:1", idle_s=1)  # type: ignore[arg-type]
    monkeypatch.setattr(line, "_channel", Channel(call), raising=False)
    return line


async def test_an_outcome_is_refused_before_any_of_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    most = CHUNK_BYTES + 1
    taken, refused = Answer(most), Answer(most + 1)
    said = await line_of(taken, monkeypatch).collect(ROUND, Stage.BATCHES, 1, most=most)
    assert len(said.outcome) == most
    with pytest.raises(PeerExceededLimit):
        await line_of(refused, monkeypatch).collect(ROUND, Stage.BATCHES, 1, most=most)
    assert (refused.was_read, refused.cancelled) == (1, True)


async def test_chunks_are_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    call, readers = Call(), set()

    def chunks():
        for chunk in (b"one", b"two"):
            readers.add(threading.current_thread())
            yield chunk

    line = line_of(call, monkeypatch)
    deposit = Deposit(round=ROUND, stage=Stage.BATCHES, digest=bytes(32), size=6, signature=bytes(64))
    await line.deposit(deposit, chunks())
    assert [pb.DepositRequest.FromString(data).chunk for data in call.came[1:]] == [b"one", b"two"]
    assert threading.main_thread() not in readers
