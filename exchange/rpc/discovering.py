"""The server's side of the calls of a discovery: bounded, authorised like every call, and passed on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from exchange.aggregation.round import Round
from exchange.discovery.serving import Service
from exchange.errors import SessionRefused
from exchange.rpc import discovery, messages
from exchange.v1 import discovery_pb2 as pb

MAX_POLL_S = 20
"""Longest that a call waits for an outcome, in seconds: whoever wants more calls again."""
Read = Callable[[Any], Awaitable[bytes | None]]
Write = Callable[[Any, bytes], Awaitable[None]]


class Discovering:
    """Between the calls of a discovery and the parts that this member has in it.

    Args:
        service: those parts.
        read: the next message of a call, as it came.
        write: answer a call with one message.
        one: the one message of a short call.
        idle_s: longest silence of a caller that brings something, in seconds.
    """

    def __init__(
        self,
        service: Service,
        *,
        read: Read,
        write: Write,
        one: Callable[[Any], Awaitable[bytes]],
        idle_s: float,
    ) -> None:
        self._service = service
        self._read = read
        self._write = write
        self._one = one
        self._idle_s = idle_s

    async def keys(self, caller: str, context: Any) -> None:
        """Announce our keys for a discovery."""
        request = messages.parse(pb.KeysRequest, await self._one(context))
        announcement, signature = await self._service.keys(caller, Round.decode(request.round))
        reply = pb.KeysReply(announcement=announcement, signature=signature)
        await self._write(context, reply.SerializeToString())

    async def evaluate(self, caller: str, context: Any) -> None:
        """Evaluate indicators."""
        request = messages.parse(pb.EvaluateRequest, await self._one(context))
        reply = await self._service.evaluate(caller, *discovery.questions_from_wire(request))
        await self._write(context, discovery.evaluated_to_wire(*reply).SerializeToString())

    async def token(self, caller: str, context: Any) -> None:
        """Evaluate the caller's token."""
        request = messages.parse(pb.TokenRequest, await self._one(context))
        reply = await self._service.token(caller, *discovery.token_from_wire(request))
        await self._write(context, discovery.evaluated_to_wire(*reply).SerializeToString())

    async def redeem(self, caller: str, context: Any) -> None:
        """Say which tokens are good."""
        request = messages.parse(pb.RedeemRequest, await self._one(context))
        good = await self._service.redeem(caller, *discovery.redeem_from_wire(request))
        await self._write(context, pb.RedeemReply(good=bytes(good)).SerializeToString())

    async def deposit(self, caller: str, context: Any) -> None:
        """Take a batch."""
        first = messages.parse(pb.DepositRequest, await self._next(context) or b"")
        await self._service.deposit(caller, discovery.deposit_from_wire(first), self._chunks(context))
        await self._write(context, pb.DepositReply().SerializeToString())

    async def outcome(self, caller: str, context: Any) -> None:
        """Say how far a stage is, and what came of it."""
        request = messages.parse(pb.OutcomeRequest, await self._one(context))
        of, stage, wait_s = discovery.collect_from_wire(request)
        collected = await self._service.collect(caller, of, stage, min(wait_s, MAX_POLL_S))
        for reply in discovery.collected_to_wire(collected):
            async with asyncio.timeout(self._idle_s):
                await self._write(context, reply.SerializeToString())

    async def _chunks(self, context: Any) -> AsyncIterator[bytes]:
        while (data := await self._next(context)) is not None:
            yield discovery.deposited_chunk(messages.parse(pb.DepositRequest, data))

    async def _next(self, context: Any) -> bytes | None:
        async with asyncio.timeout(self._idle_s):
            return await self._read(context)


def calls(of: Discovering | None) -> dict[str, Callable[[str, Any], Awaitable[None]]]:
    """The calls by name; where this member takes no part in discoveries, each is refused."""

    async def refuse(_caller: str, _context: Any) -> None:
        raise SessionRefused("we take no part in discoveries", code="policy-refused")

    named = ("Keys", "Evaluate", "Token", "Redeem", "Deposit", "Outcome")
    return {name: refuse if of is None else getattr(of, name.lower()) for name in named}
