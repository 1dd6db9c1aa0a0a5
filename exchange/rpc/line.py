"""A connection to one member for the calls of a discovery."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.message import Message as Protobuf

from crypto.rows import Rows
from exchange.aggregation.announced import Signed
from exchange.aggregation.round import Round
from exchange.disclosure.drive import in_thread
from exchange.discovery.checking import check_size
from exchange.discovery.world import Collected, Deposit, Stage
from exchange.errors import PeerMisbehaved, PeerUnavailable
from exchange.rpc import discovery, messages
from exchange.rpc.client import PeerLink, faults, status_of
from exchange.rpc.directory import Directory
from exchange.rpc.server import SERVICE
from exchange.rpc.status import raise_for
from exchange.v1 import discovery_pb2 as pb

COMPUTE_S = 120
"""Longest wait for a helper's answer to one call, in seconds: others may be before us."""
_CLOSED = (grpc.aio.UsageError, asyncio.InvalidStateError)


class DiscoveryLine(PeerLink):
    """A connection to one member, used as ``async with``.

    Args:
        directory: the alliance.
        peer: the member to reach; it may be ourselves.
        address: its ``HOST:PORT``.
        idle_s: longest silence where something is moved, in seconds.

    Attributes:
        sent: bytes of all requests.
        received: bytes of all replies.
    """

    def __init__(self, directory: Directory, peer: str, address: str, *, idle_s: float) -> None:
        super().__init__(directory, peer, address, timeout_s=COMPUTE_S, idle_s=idle_s)
        self.sent = 0
        self.received = 0

    async def keys(self, of: Round) -> Signed:
        """What it announces for a discovery, and its signature; whoever asked checks it.

        Raises:
            PeerError: it refused, is gone, or answers what cannot be read.
        """
        return discovery.keys_from_wire(
            await self._call("Keys", pb.KeysRequest(round=of.encoded), pb.KeysReply)
        )

    async def evaluate(self, epoch: int, declared: int, blinded: Rows) -> tuple[Rows, bytes]:
        """Indicators under its key, and the proof, which whoever asked verifies.

        Raises:
            PeerError: it refused, is gone, or answers what cannot be read.
        """
        request = discovery.questions_to_wire(epoch, declared, blinded)
        return discovery.evaluated_from_wire(await self._call("Evaluate", request, pb.EvaluateReply), blinded)

    async def token(self, of: Round, blinded: Rows) -> tuple[Rows, bytes]:
        """Our one token of a discovery under its key, and the proof, which whoever asked verifies.

        Raises:
            PeerError: it refused, is gone, or answers what cannot be read.
        """
        request = pb.TokenRequest(round=of.encoded, blinded=blinded.tobytes())
        return discovery.evaluated_from_wire(await self._call("Token", request, pb.EvaluateReply), blinded)

    async def redeem(self, of: Round, tokens: Sequence[bytes], batches: Sequence[bytes]) -> list[bool]:
        """Which tokens are good, each for its batch.

        Raises:
            PeerError: it refused, is gone, or answers what cannot be read.
        """
        request = pb.RedeemRequest(round=of.encoded, tokens=tokens, batches=batches)
        reply = await self._call("Redeem", request, pb.RedeemReply)
        return discovery.redeemed_from_wire(reply, len(tokens))

    async def deposit(self, deposit: Deposit, chunks: Iterable[bytes]) -> None:
        """Bring a batch.

        Raises:
            PeerError: it refused, is gone, or answers what cannot be read.
        """
        call: Any = self._channel.stream_unary(f"/{SERVICE}/Deposit")()
        try:
            await self._write(call, discovery.deposit_to_wire(deposit))
            left = iter(chunks)
            while (chunk := await in_thread(next, left, None)) is not None:  # they may come from the disk
                await self._write(call, pb.DepositRequest(chunk=chunk))
            await call.done_writing()
            async with asyncio.timeout(COMPUTE_S):
                with faults(self._peer):
                    data = await call
        except TimeoutError:
            raise PeerUnavailable(f"{self._peer} fell silent", code="peer-stalled") from None
        except _CLOSED:
            raise_for(await status_of(call), self._peer)
        finally:
            call.cancel()
        self.received += len(data)
        self._parsed(pb.DepositReply, data)

    async def collect(self, of: Round, stage: Stage, wait_s: int, *, most: int) -> Collected:
        """How far a stage is; waits for its end so long, and takes an outcome of so many bytes at most.

        Raises:
            PeerExceededLimit: it has more, of which nothing is taken.
            PeerError: it refused, is gone, or answers what cannot be read.
        """
        opened: Any = self._channel.unary_stream(f"/{SERVICE}/Outcome")
        request = pb.OutcomeRequest(round=of.encoded, stage=str(stage), wait_s=wait_s).SerializeToString()
        self.sent += len(request)
        call = opened(request)
        try:
            first = await self._read(call, wait_s + self._idle_s)
            if first is None:
                raise PeerUnavailable(f"{self._peer} ended the call", code="peer-closed")
            collected, size = discovery.collected_from_wire(first)
            check_size(self._peer, size, most)
            outcome = bytearray()
            while (reply := await self._read(call, self._idle_s)) is not None:
                outcome += discovery.collected_chunk(reply)
                if len(outcome) > size:
                    break
        finally:
            call.cancel()
        if len(outcome) != size:
            raise PeerMisbehaved(f"{self._peer} sent another number of bytes than it said")
        return replace(collected, outcome=bytes(outcome))

    async def _call(self, method: str, request: Protobuf, reply: type[messages.P]) -> messages.P:
        answer = await self._unary(method, request, reply)
        self.sent += request.ByteSize()
        self.received += answer.ByteSize()
        return answer

    async def _write(self, call: Any, request: pb.DepositRequest) -> None:
        data = request.SerializeToString()
        self.sent += len(data)
        try:
            async with asyncio.timeout(self._idle_s):
                with faults(self._peer):
                    await call.write(data)
        except TimeoutError:
            raise PeerUnavailable(f"{self._peer} takes nothing more", code="peer-stalled") from None

    async def _read(self, call: Any, within_s: float) -> pb.OutcomeReply | None:
        try:
            async with asyncio.timeout(within_s):
                with faults(self._peer):
                    data = await call.read()
        except TimeoutError:
            raise PeerUnavailable(f"{self._peer} fell silent", code="peer-stalled") from None
        if data is grpc.aio.EOF:
            return None
        self.received += len(data)
        return self._parsed(pb.OutcomeReply, data)
