"""A link to one peer: greet it, check who it is, propose, run."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from random import random
from time import perf_counter
from types import TracebackType
from typing import Any, Self, cast

import grpc
from google.protobuf.message import Message as Protobuf

from exchange.agreement import Agreement
from exchange.disclosure import Answer, Channel, Greeting, Proposal, Settled, Settlement, Standing
from exchange.disclosure.questions import Described, Evaluated, Questions, Wanted
from exchange.errors import ConfigError, PeerMisbehaved, PeerRefused, PeerUnavailable, SessionRefused
from exchange.rpc import filters, messages
from exchange.rpc.channel import FrameChannel
from exchange.rpc.directory import Directory, hello_bytes, within_limits
from exchange.rpc.server import SERVICE, compute_allowance_s
from exchange.rpc.status import raise_for
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Frame, Start

OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", 2 << 20),
    ("grpc.max_send_message_length", 2 << 20),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
]


GREETINGS = 5
"""How often a peer is greeted until both hold the same roster; each takes some rosters over."""
WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""How long is waited, once or twice over, before a busy peer is asked again."""
_ENDED = (grpc.aio.AioRpcError, grpc.aio.UsageError, grpc.aio.InternalError, asyncio.InvalidStateError)
"""What gRPC may raise on writing to a call that the peer has ended."""


class PeerLink:
    """A connection to one peer, used as ``async with``.

    Args:
        directory: the alliance.
        peer: the member to reach.
        address: its ``HOST:PORT``.
        timeout_s: for the short calls, in seconds.
        idle_s: longest silence within a run, beside what computing may take.

    Attributes:
        protocols: that the peer had when it was last greeted.
    """

    def __init__(
        self, directory: Directory, peer: str, address: str, *, timeout_s: float = 20, idle_s: float = 30
    ) -> None:
        self._directory = directory
        self._peer = peer
        self._address = address
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self.protocols: frozenset[str] = frozenset()

    async def __aenter__(self) -> Self:
        tls = self._directory.tls()
        credentials = grpc.ssl_channel_credentials(tls.root, tls.key, tls.chain)
        options = [*OPTIONS, ("grpc.ssl_target_name_override", self._directory.target(self._peer))]
        self._channel = grpc.aio.secure_channel(self._address, credentials, options)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def hello(self, log_size: int = 0) -> pb.HelloReply:
        """Greet: exchange newer rosters until both hold the same, and have the peer prove its identity key.

        Args:
            log_size: how much of the peer's log we have seen.

        Raises:
            PeerRefused: we are not welcome.
            PeerMisbehaved: it does not hold the key that the roster has for it.
            PeerUnavailable: it cannot be reached.
        """
        offered: list[bytes] = []
        epochs = (0, 0)
        for _ in range(GREETINGS):
            epoch, roster_hash = self._directory.roster()
            nonce = secrets.token_bytes(messages.NONCE_BYTES)
            request = pb.HelloRequest(
                nonce=nonce, roster_epoch=epoch, roster_hash=roster_hash, rosters=within_limits(offered),
                log_size=log_size,
            )  # fmt: skip
            try:
                reply = await self._unary("Hello", request, pb.HelloReply)
            except PeerRefused as e:
                if e.code != "not-on-roster" or offered:
                    raise
                offered = self._directory.newer(0)[-8:]  # it may not have heard of us yet
                continue
            epochs = epoch, reply.roster_epoch
            if reply.rosters:
                self._directory.adopt(list(reply.rosters))
            if reply.roster_epoch < epoch:
                offered = self._directory.newer(reply.roster_epoch)
            if reply.roster_epoch != epoch:
                continue
            signed = hello_bytes(
                self._directory, self._directory.member, self._peer, (nonce, reply.nonce), reply.roster_hash
            )
            if not self._directory.verify(self._peer, signed, reply.signature):
                raise PeerMisbehaved(
                    f"{self._peer} did not prove its identity key", code="bad-identity",
                    hint="another node answers at this address: check it in the roster or in config.toml",
                )  # fmt: skip
            if reply.roster_hash != roster_hash:
                raise PeerMisbehaved(
                    f"{self._peer} holds another roster {epoch} than we do", code="roster-fork",
                    hint="compare with an administrator: cosight alliance roster",
                )  # fmt: skip
            self.protocols = frozenset(reply.protocols)
            return reply
        raise _apart(self._peer, *epochs)

    async def greet(self, log_size: int) -> Greeting:
        """Greet, and have the peer show its log from the length on that we saw last.

        Raises:
            PeerRefused, PeerMisbehaved, PeerUnavailable: as ``hello``; or what it shows is malformed.
        """
        reply = await self.hello(log_size)
        return Greeting(messages.shown_from_wire(reply.standing), reply.log_size)

    async def round_trip_s(self) -> float:
        """How long a greeting takes on the open connection."""
        start = perf_counter()
        await self.hello()
        return perf_counter() - start

    async def propose(self, proposal: Proposal, standing: Standing) -> Answer:
        """Propose a session, and show our log.

        Raises:
            PeerRefused: the peer said no.
            PeerUnavailable: it cannot be reached.
            PeerMisbehaved: its answer is malformed.
        """
        request = messages.proposal_to_wire(proposal, standing)
        return messages.answer_from_wire(await self._unary("Propose", request, pb.ProposeReply))

    async def settle(self, settlement: Settlement) -> Settled:
        """Ask for the receipt of a session that is over.

        Raises:
            PeerRefused: the peer does not give it.
            PeerUnavailable: it cannot be reached.
        """
        request = messages.settlement_to_wire(settlement)
        return messages.settled_from_wire(await self._unary("Settle", request, pb.SettleReply))

    async def ask(self, questions: Questions) -> Evaluated:
        """Ask, and ask again while the peer has no seat for us.

        Raises:
            PeerRefused: the peer said no.
            PeerUnavailable: it cannot be reached.
            PeerMisbehaved: its answer is malformed.
        """
        request = filters.questions_to_wire(questions)
        for wait_s in WAITS_S:
            try:
                reply = await self._unary("Ask", request, pb.AskReply)
            except PeerRefused as e:
                if e.code != "busy":
                    raise
                await asyncio.sleep(wait_s * (1 + random()))  # noqa: S311  # spreads those who wait
            else:
                return filters.evaluated_from_wire(reply, questions)
        return filters.evaluated_from_wire(await self._unary("Ask", request, pb.AskReply), questions)

    @asynccontextmanager
    async def download(self, wanted: Wanted) -> AsyncIterator[tuple[Described, AsyncIterator[bytes]]]:
        """Fetch: what is described, and the bytes that follow, which the caller counts.

        Raises:
            PeerRefused: the peer said no.
            PeerUnavailable: it cannot be reached, or falls silent.
            PeerMisbehaved: what comes is malformed.
        """
        opened: Any = self._channel.unary_stream(f"/{SERVICE}/Download")
        call = opened(filters.wanted_to_wire(wanted).SerializeToString())

        async def replies() -> AsyncIterator[pb.DownloadReply]:
            while True:
                try:
                    async with asyncio.timeout(self._idle_s):
                        with faults(self._peer):
                            data = await call.read()
                except TimeoutError:
                    raise PeerUnavailable(f"{self._peer} fell silent", code="peer-stalled") from None
                if data is grpc.aio.EOF:
                    return
                yield self._parsed(pb.DownloadReply, data)

        came = replies()
        try:
            first = await anext(came, None)
            if first is None:
                raise PeerUnavailable(f"{self._peer} closed the download", code="peer-closed")
            yield filters.described_from_wire(first), (filters.chunk_from_wire(reply) async for reply in came)
        finally:
            call.cancel()

    @asynccontextmanager
    async def run(self, agreement: Agreement, signature: bytes) -> AsyncIterator[Channel]:
        """Open the run of an agreement; leaving the context ends the call."""
        # Answers come as bytes, decoded under our guard: gRPC would turn what does not decode into ``None``.
        call: Any = self._channel.stream_stream(f"/{SERVICE}/Run")(timeout=agreement.deadline_s)

        async def read() -> bytes | None:
            return await next_of(call, self._peer)

        async def write(frame: bytes) -> None:
            await write_to(call, frame, self._peer)

        async def half_close() -> None:
            await close_to(call)

        try:
            start = Frame(start=Start(session=agreement.initiator_nonce, signature=signature))
            await write(start.SerializeToString())
            yield FrameChannel(
                agreement.protocol, read=read, write=write, half_close=half_close,
                idle_s=self._idle_s + compute_allowance_s(agreement),
                guard=lambda: self._directory.check_member(self._peer),
            )  # fmt: skip
        finally:
            call.cancel()

    async def _unary(self, method: str, request: Protobuf, reply: type[messages.P]) -> messages.P:
        call: Any = self._channel.unary_unary(f"/{SERVICE}/{method}")
        with faults(self._peer):
            data = await call(request.SerializeToString(), timeout=self._timeout_s)
        return self._parsed(reply, data)

    def _parsed(self, kind: type[messages.P], data: bytes) -> messages.P:
        try:
            return messages.parse(kind, data)
        except SessionRefused as e:
            raise PeerMisbehaved(f"{self._peer} gave an answer that cannot be read") from e


def _apart(peer: str, ours: int, theirs: int) -> ConfigError:
    """Who is behind, and which command mends that."""
    taking = "cosight alliance join APPROVAL"
    if theirs < ours:
        hint = f"{peer} is behind: send it the newest approval, which it takes up with: {taking}"
    else:
        hint = f"we are behind: ask an administrator for the newest approval, and take it up: {taking}"
    return ConfigError(
        f"{peer} holds roster {theirs}, we hold {ours}, and they do not come together",
        code="roster-mismatch", hint=hint,
    )  # fmt: skip


async def next_of(call: Any, peer: str) -> bytes | None:
    """The next message of a stream, None after the last.

    Raises:
        PeerRefused, PeerUnavailable: the peer ended it in another way.
    """
    with faults(peer):
        data = await call.read()
    if data is not grpc.aio.EOF:
        return cast("bytes", data)
    if await call.code() is not grpc.StatusCode.OK:
        raise_for(await status_of(call), peer)
    return None


async def write_to(call: Any, message: bytes, peer: str) -> None:
    """Send a message into a stream; waits while the peer does not take it.

    Raises:
        PeerRefused, PeerUnavailable: the peer has ended it.
    """
    try:
        await call.write(message)
    except _ENDED:
        status = await status_of(call)
        if status.code() is grpc.StatusCode.INTERNAL:  # gRPC's own word in place of the peer's
            raise PeerUnavailable(
                f"{peer} ended the run while we were sending", code="peer-closed",
                hint="the log of its node says why",
            ) from None  # fmt: skip
        raise_for(status, peer)


async def close_to(call: Any) -> None:
    """Say that we send nothing more into a stream."""
    with suppress(*_ENDED):  # then reading tells how
        await call.done_writing()


@contextmanager
def faults(peer: str) -> Iterator[None]:
    """What gRPC raises, in our words."""
    try:
        yield
    except grpc.aio.AioRpcError as e:
        raise_for(e, peer)


async def status_of(call: Any) -> grpc.aio.AioRpcError:
    """How the peer ended the call."""
    return grpc.aio.AioRpcError(
        await call.code(), await call.initial_metadata(), await call.trailing_metadata(), await call.details()
    )
