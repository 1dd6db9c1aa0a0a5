"""The server of a node: three calls, each authorised against the roster, each refused with one code."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from crypto.psi import PROTOCOLS
from exchange.agreement import Agreement
from exchange.disclosure import Channel, Desk, Responder
from exchange.errors import (
    ConfigError,
    CosightError,
    NotAuthorised,
    PeerError,
    PeerUnavailable,
    SessionRefused,
)
from exchange.indicators import PROFILE
from exchange.rpc import messages
from exchange.rpc.channel import FrameChannel
from exchange.rpc.directory import Directory, hello_bytes, within_limits
from exchange.rpc.status import STATUS, outward
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Frame

log = logging.getLogger(__name__)
T = TypeVar("T")
SERVICE = "exchange.v1.Exchange"
OPTIONS = [
    ("grpc.max_receive_message_length", 2 << 20),
    ("grpc.max_send_message_length", 2 << 20),
    ("grpc.max_concurrent_streams", 16),
    ("grpc.max_connection_idle_ms", 5 * 60_000),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 15 * 60_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.so_reuseport", 0),
]
MAX_CALLS = 64
SWEEP_S = 10


class Server:
    """Serves one node.

    Args:
        desk: what decisions are made with.
        directory: the alliance.
        idle_s: longest silence of a peer within a run, in seconds, beside what its computation may take.
    """

    def __init__(self, desk: Desk, directory: Directory, *, idle_s: float) -> None:
        self._desk = desk
        self._directory = directory
        self._idle_s = idle_s
        self._responder = Responder(desk)
        self._server: grpc.aio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[Any]] = set()

    async def start(self, listen: str) -> int:
        """Bind and serve. Returns the port.

        Raises:
            ConfigError: the address cannot be bound.
        """
        server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        unary = grpc.unary_unary_rpc_method_handler
        stream = grpc.stream_stream_rpc_method_handler
        calls: dict[str, Any] = {
            # Requests come as bytes and are decoded under our guard, for one code whatever they hold.
            "Hello": unary(self._hello, None, pb.HelloReply.SerializeToString),
            "Propose": unary(self._propose, None, pb.ProposeReply.SerializeToString),
            "Run": stream(self._run, None, Frame.SerializeToString),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
        try:
            port = server.add_secure_port(listen, _credentials(self._directory))
        except RuntimeError:
            port = 0
        if not port:
            raise ConfigError(
                f"cannot listen on {listen}", hint="is the port taken? choose another --listen HOST:PORT"
            )
        await server.start()
        self._server = server
        self._sweeper = asyncio.create_task(self._sweep())
        return int(port)

    async def stop(self, grace_s: float = 2.0) -> None:
        """Let running calls end for so long, then cancel them, and close every open offer."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            await self._server.stop(grace_s)
        while self._calls:  # cancelled by now, but each still closes its session in the ledger
            await asyncio.wait(self._calls)
        await self._responder.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._responder.expire()
            except CosightError as e:
                log.warning("cannot close expired offers: %s", e)

    async def _hello(self, data: bytes, context: Any) -> pb.HelloReply:
        async def answer() -> pb.HelloReply:
            request = messages.parse(pb.HelloRequest, data)
            if len(request.nonce) != messages.NONCE_BYTES or len(within_limits(request.rosters)) != len(
                request.rosters
            ):
                raise SessionRefused("the greeting is malformed")
            if request.rosters:  # before the caller is judged: they may be what puts it on the roster
                await asyncio.to_thread(self._adopt, list(request.rosters))
            peer = await self._caller(context)
            epoch, roster_hash = self._directory.roster()
            nonce = secrets.token_bytes(messages.NONCE_BYTES)
            signed = hello_bytes(
                self._directory, peer, self._desk.member, (request.nonce, nonce), roster_hash
            )
            return pb.HelloReply(
                nonce=nonce,
                roster_epoch=epoch,
                roster_hash=roster_hash,
                rosters=within_limits(self._directory.newer(request.roster_epoch)),
                profile=PROFILE,
                protocols=sorted(PROTOCOLS),
                software=self._desk.software,
                signature=self._directory.sign(signed),
            )

        return await self._guard(context, answer)

    async def _propose(self, data: bytes, context: Any) -> pb.ProposeReply:
        async def answer() -> pb.ProposeReply:
            peer = await self._caller(context)
            proposal = messages.proposal_from_wire(messages.parse(pb.ProposeRequest, data))
            return messages.answer_to_wire(await self._responder.propose(peer, proposal))

        return await self._guard(context, answer)

    async def _run(self, _requests: Any, context: Any) -> None:
        async def read() -> bytes | None:
            with _gone():
                frame = await context.read()
            return None if frame is grpc.aio.EOF else frame

        async def write(frame: Frame) -> None:
            with _gone():
                await context.write(frame)

        async def answer() -> None:
            peer = await self._caller(context)
            async with asyncio.timeout(self._idle_s):
                first = messages.parse(Frame, await read() or b"")
            if first.WhichOneof("kind") != "start":
                raise SessionRefused("the run does not begin with its start")

            def still_on_roster() -> None:
                try:
                    self._directory.authorise(_leaf(context))
                except NotAuthorised as e:  # within a run it looks like every other abort
                    raise PeerError(f"a run was cut off: {e}", code=e.code) from e

            def open_channel(agreement: Agreement) -> Channel:
                return FrameChannel(
                    agreement.protocol,
                    read=read,
                    write=write,
                    idle_s=self._idle_s + compute_allowance_s(agreement),
                    guard=still_on_roster,
                )

            await self._responder.run(peer, first.start.session, first.start.signature, open_channel)

        await self._guard(context, answer)

    async def _caller(self, context: Any) -> str:
        """The member that calls, by the roster of this very moment."""
        return await asyncio.to_thread(self._directory.authorise, _leaf(context))

    def _adopt(self, rosters: list[bytes]) -> None:
        try:
            self._directory.adopt(rosters)
        except CosightError as e:  # somebody else's bad roster does not decide whether the caller is known
            log.warning("rosters offered by a caller were not taken up: %s", e)

    async def _guard(self, context: Any, answer: Callable[[], Awaitable[T]]) -> T:
        """Turn what goes wrong into one code for the peer and one line for our operator."""
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        try:
            return await answer()
        except CosightError as e:
            code = outward(e)
            log.warning("refused a call: %s (%s)", e, e.code)
        except TimeoutError:
            code = "aborted"
            log.warning("a caller was silent")
        except Exception:
            code = "aborted"
            log.exception("a call failed")
        await context.abort(STATUS[code], code)
        raise AssertionError  # abort raises


def compute_allowance_s(agreement: Agreement) -> float:
    """Seconds that a peer may be silent because it computes: 0.5 ms a declared row."""
    return 5e-4 * (agreement.initiator_padded + agreement.responder_padded)


@contextmanager
def _gone() -> Iterator[None]:
    """What gRPC raises when the peer is no more there, in our words."""
    try:
        yield
    except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError) as e:
        raise PeerUnavailable("the peer is gone", code="peer-closed") from e


def _leaf(context: Any) -> bytes:
    pem: bytes = context.auth_context()["x509_pem_cert"][0]
    return pem


def _credentials(directory: Directory) -> grpc.ServerCredentials:
    """Mutual TLS that asks the directory at every handshake, so that renewal needs no restart."""
    current = directory.tls()

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(current.key, current.chain)], current.root)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal current
        latest = directory.tls()
        if latest == current:
            return None
        current = latest
        return configuration()

    return grpc.dynamic_ssl_server_credentials(
        configuration(),
        renewed,  # type: ignore[arg-type]  # the stub does not know that None means "as before"
        require_client_authentication=True,
    )
