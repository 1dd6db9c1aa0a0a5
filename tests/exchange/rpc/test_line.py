"""A line of a discovery brings what comes from the disk without stopping whatever else its process does."""

import threading
from collections.abc import Generator

import pytest

from exchange.discovery.world import Deposit, Stage
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
    def __init__(self, call: Call) -> None:
        self._call = call

    def stream_unary(self, _method: str):
        return lambda: self._call


async def test_chunks_are_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    call, readers = Call(), set()

    def chunks():
        for chunk in (b"one", b"two"):
            readers.add(threading.current_thread())
            yield chunk

    line = DiscoveryLine(None, "bob", "127.0.0.1:1", idle_s=1)
    monkeypatch.setattr(line, "_channel", Channel(call), raising=False)
    deposit = Deposit(round=ROUND, stage=Stage.BATCHES, digest=bytes(32), size=6, signature=bytes(64))
    await line.deposit(deposit, chunks())
    assert [pb.DepositRequest.FromString(data).chunk for data in call.came[1:]] == [b"one", b"two"]
    assert threading.main_thread() not in readers
