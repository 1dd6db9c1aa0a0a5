"""A member with true keys that can tell any lie above TLS, as a raw gRPC client or server."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self

import grpc
import pytest

from crypto.psi import Output
from exchange import agreement as agreements
from exchange.agreement import Agreement, Rung, Stage, size_class
from exchange.clock import utc_now
from exchange.config import Home
from exchange.disclosure import standing
from exchange.disclosure.standing import set_in
from exchange.identity.certificates import Tls
from exchange.indicators import PROFILE, IndicatorType
from exchange.ledger import origin
from exchange.rpc.directory import hello_bytes
from exchange.rpc.messages import shown_from_wire, shown_to_wire
from exchange.rpc.status import STATUS
from exchange.store.alliance import Alliance, node_keys
from exchange.store.ledger import LedgerStore
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Frame, Head, Rows, Start
from exchange.v1.psi_voprf_pb2 import Voprf

SERVICE = "/exchange.v1.Exchange/"
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
TIMEOUT_S = 60
ENDED = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError)
"""What writing raises when the server has ended the call."""
ROWS = 1024
"""What the peer declares for a thousand items."""


@dataclass(frozen=True, slots=True)
class Member:
    """What one member holds: its home, its keys, its view of the alliance."""

    home: Home
    alliance: Alliance

    @classmethod
    def of(cls, home: Home) -> Self:
        return cls(home, Alliance(home, node_keys(home), utc_now))

    @property
    def id(self) -> str:
        return self.home.member

    def proposal(self, **lies: Any) -> pb.ProposeRequest:
        """A proposal that would be accepted, but for the fields that are given."""
        epoch, roster_hash = self.alliance.roster()
        honest: dict[str, Any] = {
            "session": secrets.token_bytes(32),
            "roster_epoch": epoch,
            "roster_hash": roster_hash,
            "rung": str(Rung.OVERLAP),
            "output": str(Output.RECEIVER),
            "protocol": "voprf",
            "profile": PROFILE,
            "types": [str(t) for t in sorted(IndicatorType)],
            "padded": ROWS,
            "stat_sec": 40,
            "purpose": "",
            "policy_hash": bytes(32),
            "software": "peer",
            "deadline_s": 60,
            "stage": str(Stage.WHOLE),
        }
        return pb.ProposeRequest(**(honest | lies))

    def standing(self, seen: int) -> pb.Standing:
        """Its log, honestly: proved from the length on that the other has seen."""
        own = node_keys(self.home)
        named = origin(self.id, self.alliance.alliance)
        with LedgerStore.open(self.home.ledger_file, signer=own.log, origin=named) as ledger:
            epoch, roster_hash = self.alliance.roster()
            if ledger.roster_epoch() < epoch:
                fields = {"alliance": self.alliance.alliance, "epoch": epoch, "roster": roster_hash.hex()}
                ledger.append("roster", now=utc_now(), documents=(), **fields)
            return shown_to_wire(standing(SimpleNamespace(ledger=ledger), seen))  # type: ignore[arg-type]

    def start(self, agreement: Agreement) -> bytes:
        """The first frame of a run."""
        signature = agreements.sign(agreement, node_keys(self.home).identity)
        return Frame(start=Start(session=agreement.initiator_nonce, signature=signature)).SerializeToString()


def agreed(
    alliance: str, initiator: str, responder: str, asked: pb.ProposeRequest, said: pb.ProposeReply
) -> Agreement:
    """What follows from a proposal and its answer."""
    return Agreement(
        alliance=alliance,
        roster_epoch=asked.roster_epoch,
        roster_hash=asked.roster_hash,
        initiator=initiator,
        responder=responder,
        receiver=initiator,
        output=Output(asked.output),
        rung=Rung(asked.rung),
        protocol=asked.protocol,
        profile=asked.profile,
        types=tuple(sorted(IndicatorType(t) for t in asked.types)),
        initiator_padded=asked.padded,
        responder_padded=said.padded,
        initiator_nonce=asked.session,
        responder_nonce=said.nonce,
        stat_sec=asked.stat_sec,
        purpose=asked.purpose,
        initiator_policy=asked.policy_hash,
        responder_policy=said.policy_hash,
        initiator_set=set_in(shown_from_wire(asked.standing)),
        responder_set=said.set,
        deadline_s=asked.deadline_s,
        initiator_software=asked.software,
        responder_software=said.software,
    )


def head(rows: int = ROWS, width: int = 32, name: str = "Blinded") -> bytes:
    """The head of the receiver's first message."""
    body = Voprf.Blinded(blinded=Rows(count=rows, width=width)).SerializeToString()
    return Frame(head=Head(name=name, body=body)).SerializeToString()


def chunk(data: bytes) -> bytes:
    return Frame(chunk=data).SerializeToString()


@contextmanager
def refused(code: str) -> Iterator[None]:
    """The call ends with this code, its status from the table, and not a word more."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    error = caught.value
    assert (error.details(), error.code()) == (code, STATUS[code])
    assert not error.trailing_metadata()


class Caller:
    """A raw client on one connection.

    Args:
        member: who calls.
        victim: the member that answers.
        address: where.
        tls: what to show in place of an honest certificate.
    """

    def __init__(self, member: Member, victim: str, address: str, tls: Tls | None = None) -> None:
        self.member = member
        self.victim = victim
        tls = tls or member.alliance.tls()
        credentials = grpc.ssl_channel_credentials(tls.root, tls.key, tls.chain)
        name = ("grpc.ssl_target_name_override", member.alliance.target(victim))
        own = ("grpc.use_local_subchannel_pool", 1)
        self._channel = grpc.aio.secure_channel(address, credentials, [*OPTIONS, name, own])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._channel.close()

    async def send(self, method: str, data: bytes) -> bytes:
        """A short call, bytes in and out."""
        call: Any = self._channel.unary_unary(SERVICE + method)
        reply: bytes = await call(data, timeout=TIMEOUT_S)
        return reply

    async def hello(self, **lies: Any) -> pb.HelloReply:
        epoch, roster_hash = self.member.alliance.roster()
        honest: dict[str, Any] = {"nonce": bytes(32), "roster_epoch": epoch, "roster_hash": roster_hash}
        request = pb.HelloRequest(**(honest | lies))
        return pb.HelloReply.FromString(await self.send("Hello", request.SerializeToString()))

    async def begun(self, call: Any, *frames: bytes) -> None:
        """Send these frames of a run, and wait until the node has them: it greets us several times after."""
        for frame in frames:
            await call.write(frame)
        for _ in range(5):
            await self.hello()

    async def propose(self, request: pb.ProposeRequest) -> pb.ProposeReply:
        """Propose, and show our log honestly, unless the request shows one."""
        if not request.HasField("standing"):
            request.standing.CopyFrom(self.member.standing((await self.hello()).log_size))
        return pb.ProposeReply.FromString(await self.send("Propose", request.SerializeToString()))

    async def agree(self, **lies: Any) -> Agreement:
        """Propose, and give what was agreed."""
        request = self.member.proposal(**lies)
        reply = await self.propose(request)
        return agreed(self.member.alliance.alliance, self.member.id, self.victim, request, reply)

    def stream(self, method: str) -> "Stream":
        """Open a call; messages are bytes, as many as one likes."""
        return Stream(self._channel.stream_stream(SERVICE + method)(timeout=TIMEOUT_S))

    def run(self) -> "Stream":
        """Open a run."""
        return self.stream("Run")

    async def attempt(self, *frames: bytes, close: bool = False) -> list[bytes]:
        """Open a run, send these frames, perhaps close, and read until the end; raises how it ended."""
        call = self.run()
        with suppress(*ENDED):
            for frame in frames:
                await call.write(frame)
            if close:
                await call.done_writing()
        answers = []
        while (answer := await call.read()) is not grpc.aio.EOF:
            answers.append(answer)
        return answers


class Stream:
    """A call that ends in the server's own word.

    Where a write is under way when the server says it, gRPC's client puts INTERNAL in its place.
    """

    def __init__(self, call: Any) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    async def write(self, data: bytes) -> None:
        """Send a message, unless the call has ended."""
        if not self._call.done():
            await self._call._metadata_sent.wait()
        if self._call.done():
            raise asyncio.InvalidStateError("the server has ended it")
        try:
            await self._call._cython_call.send_serialized_message(data)
        except grpc.aio.InternalError as e:
            raise asyncio.InvalidStateError("the server has ended it") from e

    async def done_writing(self) -> None:
        """Say that there is no more."""
        try:
            await self._call.done_writing()
        except grpc.aio.InternalError as e:
            raise asyncio.InvalidStateError("the server has ended it") from e


Handler = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def answering(
    member: Member,
    *,
    propose: Callable[[pb.ProposeRequest, str], pb.ProposeReply | bytes],
    run: Handler,
    hello: Callable[[pb.HelloReply], pb.HelloReply | bytes] = lambda reply: reply,
) -> AsyncIterator[str]:
    """A lying server with true certificates; yields its address.

    Args:
        member: whose certificates.
        propose: the answer to a proposal of the named caller.
        run: what to do in a run: ``await run(context)``.
        hello: what to make of the honest greeting.
    """

    async def greet(data: bytes, context: Any) -> bytes:
        request = pb.HelloRequest.FromString(data)
        epoch, roster_hash = member.alliance.roster()
        caller = member.alliance.authorise(context.auth_context()["x509_pem_cert"][0])
        nonce = secrets.token_bytes(32)
        signed = hello_bytes(member.alliance, caller, member.id, (request.nonce, nonce), roster_hash)
        honest = pb.HelloReply(
            nonce=nonce, roster_epoch=epoch, roster_hash=roster_hash, profile=PROFILE,
            protocols=["voprf"], software="peer", signature=member.alliance.sign(signed),
            standing=member.standing(request.log_size),
        )  # fmt: skip
        return encoded(hello(honest))

    async def answer(data: bytes, context: Any) -> bytes:
        caller = member.alliance.authorise(context.auth_context()["x509_pem_cert"][0])
        return encoded(propose(pb.ProposeRequest.FromString(data), caller))

    async def carry_out(_requests: Any, context: Any) -> None:
        await context.read()  # the start
        await run(context)

    handlers = {
        "Hello": grpc.unary_unary_rpc_method_handler(greet),
        "Propose": grpc.unary_unary_rpc_method_handler(answer),
        "Run": grpc.stream_stream_rpc_method_handler(carry_out),
    }
    server = grpc.aio.server(options=[*OPTIONS, ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.strip("/"), handlers),))
    tls = member.alliance.tls()
    credentials = grpc.ssl_server_credentials([(tls.key, tls.chain)], tls.root, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def encoded(reply: Any) -> bytes:
    return reply if isinstance(reply, bytes) else reply.SerializeToString()


def honest_answer(member: Member, request: pb.ProposeRequest, caller: str, **lies: Any) -> pb.ProposeReply:
    """The answer that an honest member gives, signed, and then the fields that are given."""
    reply = pb.ProposeReply(
        nonce=secrets.token_bytes(32), padded=size_class(100), policy_hash=bytes(32), software="peer",
        set=set_in(shown_from_wire(member.standing(0))),
    )  # fmt: skip
    agreement = agreed(member.alliance.alliance, caller, member.id, request, reply)
    reply.signature = agreements.sign(agreement, node_keys(member.home).identity)
    for name, value in lies.items():
        setattr(reply, name, value)
    return reply
