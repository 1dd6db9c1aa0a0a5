"""The server of a node: a few calls, each authorised against the roster, each refused with one code."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Any

import grpc

from crypto.psi import DISCOVERED
from exchange.agreement import Agreement
from exchange.counting.coordinating import Coordinating
from exchange.disclosure import Channel, Desk, Responder, commit, judge_ours
from exchange.discovery.serving import Service
from exchange.errors import (
    ConfigError,
    CosightError,
    NotAuthorised,
    PeerError,
    SessionRefused,
    unforeseen,
)
from exchange.identity import certificates
from exchange.indicators import PROFILE
from exchange.rpc import filters, messages
from exchange.rpc.calls import leaf_of, read_from, write_to
from exchange.rpc.channel import FrameChannel
from exchange.rpc.counting import Call, Counting
from exchange.rpc.credentials import credentials
from exchange.rpc.directory import Directory, hello_bytes, within_limits
from exchange.rpc.discovering import Discovering, calls
from exchange.rpc.seats import (
    MAX_ASKS,
    MAX_ASKS_EACH,
    MAX_CALLS,
    MAX_CALLS_EACH,
    MAX_COUNTS,
    MAX_COUNTS_EACH,
    MAX_DISCOVERIES,
    MAX_DISCOVERIES_EACH,
    MAX_STRANGERS,
    MAX_STRANGERS_EACH,
    Seats,
)
from exchange.rpc.status import STATUS, outward
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Frame

log = logging.getLogger(__name__)
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
REQUEST_S = 5
"""Longest wait for the request of a short call, in seconds; ``idle_s`` where that is less."""
SWEEP_S = 10
TICK_S = 0.5


class Server:
    """Serves one node.

    Args:
        desk: what decisions are made with.
        directory: the alliance.
        counts: the aggregations that we coordinate.
        idle_s: longest silence of a peer within a run, in seconds, beside what its computation may take.
        service: the parts of this node in discoveries; None where it has none.
    """

    def __init__(
        self,
        desk: Desk,
        directory: Directory,
        counts: Coordinating,
        *,
        idle_s: float,
        service: Service | None = None,
    ) -> None:
        self._desk = desk
        self._directory = directory
        self._idle_s = idle_s
        self._responder = Responder(desk)
        self._counts = counts
        self._counting = Counting(counts, idle_s=idle_s)
        self._server: grpc.aio.Server | None = None
        self._sweepers: list[asyncio.Task[None]] = []
        self._calls: set[asyncio.Task[Any]] = set()
        self._seats = Seats(each=MAX_CALLS_EACH, total=MAX_CALLS)
        self._asks = Seats(each=MAX_ASKS_EACH, total=MAX_ASKS)
        self._service = service
        self._discoveries = Seats(each=MAX_DISCOVERIES_EACH, total=MAX_DISCOVERIES)
        self._counted = Seats(each=MAX_COUNTS_EACH, total=MAX_COUNTS)
        self._strangers = Seats(each=MAX_STRANGERS_EACH, total=MAX_STRANGERS)

    async def start(self, listen: str) -> int:
        """Bind and serve. Returns the port.

        Raises:
            ConfigError: the address cannot be bound.
        """
        server = grpc.aio.server(
            options=OPTIONS, maximum_concurrent_rpcs=MAX_CALLS + MAX_ASKS + MAX_COUNTS + MAX_DISCOVERIES
        )
        # All are streams for us, though most carry one message each way: gRPC would read a unary request
        # before it calls us, and wait for it for ever. Requests come as bytes and are decoded under our
        # guard, for one code whatever they hold.
        answers: dict[str, Any] = {
            "Hello": self._hello,
            "Propose": self._propose,
            "Run": self._run,
            "Settle": self._settle,
            "Download": self._download,
            "Ask": self._ask,
            "Convened": self._count(self._counting.convened),
            "Contribute": self._count(self._counting.contribute),
            "Collect": self._count(self._counting.collect),
            "Replay": self._count(self._counting.replay),
        }
        answers |= {name: partial(self._discover, call) for name, call in self._discovering().items()}
        handlers: dict[str, Any] = {
            name: grpc.stream_stream_rpc_method_handler(answer) for name, answer in answers.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        try:
            port = server.add_secure_port(listen, credentials(self._directory))
        except RuntimeError:
            port = 0
        if not port:
            raise ConfigError(
                f"cannot listen on {listen}", hint="is the port taken? choose another --listen HOST:PORT"
            )
        changed = await asyncio.to_thread(commit, self._desk)
        await server.start()
        self._server = server
        self._sweepers = [
            asyncio.create_task(work) for work in (self._sweep(changed=changed), self._close_steps())
        ]
        if self._service is not None:
            self._service.start()
        return int(port)

    async def stop(self, grace_s: float = 2.0) -> None:
        """Let running calls end for so long, then cancel them, and close every open offer."""
        for sweeper in self._sweepers:
            sweeper.cancel()
        if self._server is not None:
            await self._server.stop(grace_s)
        while self._calls:  # cancelled by now, but each still closes its session in the ledger
            await asyncio.wait(self._calls)
        if self._service is not None:
            await self._service.close()
        await self._responder.close()

    async def _sweep(self, *, changed: bool) -> None:
        """Now and then: close what nobody took up, commit to a set that has changed, and look at that set."""
        while True:
            try:
                if changed:
                    await asyncio.to_thread(judge_ours, self._desk, self._desk.clock())
                await asyncio.sleep(SWEEP_S)
                await self._responder.expire()
                changed = await asyncio.to_thread(commit, self._desk)
            except CosightError as e:
                changed = False
                log.warning("cannot close expired offers, or commit to our set: %s", e)
                await asyncio.sleep(SWEEP_S)

    async def _close_steps(self) -> None:
        """Again and again: close the steps of aggregations whose time is over."""
        while True:
            try:
                await self._counts.tick()
            except CosightError as e:
                log.warning("cannot look after the aggregations: %s", e)
            except Exception as e:  # noqa: BLE001  # without this task no step ever ends by its time
                log.error("cannot look after the aggregations: %s", unforeseen(e))  # noqa: TRY400
            await asyncio.sleep(TICK_S)

    async def _hello(self, _requests: Any, context: Any) -> None:
        async def answer() -> None:
            try:
                await self._caller(context)
            except NotAuthorised:  # not yet: the rosters in its greeting may be what puts it on ours
                with self._strangers.taken_by(self._name(context)):
                    request = await self._greeting(context)
            else:
                request = await self._greeting(context)
            peer = await self._caller(context)
            epoch, roster_hash = self._directory.roster()
            nonce = secrets.token_bytes(messages.NONCE_BYTES)
            signed = hello_bytes(
                self._directory, peer, self._desk.member, (request.nonce, nonce), roster_hash
            )
            greeting = await asyncio.to_thread(self._responder.greet, peer, request.log_size)
            reply = pb.HelloReply(
                nonce=nonce,
                roster_epoch=epoch,
                roster_hash=roster_hash,
                rosters=within_limits(self._directory.newer(request.roster_epoch)),
                profile=PROFILE,
                protocols=sorted(DISCOVERED),
                software=self._desk.software,
                signature=self._directory.sign(signed),
                log_size=greeting.log_size,
                standing=messages.shown_to_wire(greeting.standing),
            )
            await write_to(context, reply.SerializeToString())

        await self._guard(context, answer)

    async def _greeting(self, context: Any) -> pb.HelloRequest:
        """Read a greeting and take up the rosters in it."""
        request = messages.parse(pb.HelloRequest, await self._request(context))
        rosters = list(request.rosters)
        if len(request.nonce) != messages.NONCE_BYTES or len(within_limits(rosters)) != len(rosters):
            raise SessionRefused("the greeting is malformed")
        if rosters:
            await asyncio.to_thread(self._adopt, rosters)
        return request

    async def _propose(self, _requests: Any, context: Any) -> None:
        async def answer() -> None:
            peer = await self._caller(context)
            request = messages.parse(pb.ProposeRequest, await self._request(context))
            proposal, shown = messages.proposal_from_wire(request)
            reply = await self._responder.propose(peer, proposal, shown)
            await write_to(context, messages.answer_to_wire(reply).SerializeToString())

        await self._guard(context, answer)

    async def _settle(self, _requests: Any, context: Any) -> None:
        async def answer() -> None:
            peer = await self._caller(context)
            request = messages.parse(pb.SettleRequest, await self._request(context))
            reply = await self._responder.settle(peer, messages.settlement_from_wire(request))
            await write_to(context, messages.settled_to_wire(reply).SerializeToString())

        await self._guard(context, answer)

    async def _download(self, _requests: Any, context: Any) -> None:
        async def answer() -> None:
            peer = await self._caller(context)
            request = messages.parse(pb.DownloadRequest, await self._request(context))
            served = await self._responder.leases.download(peer, filters.wanted_from_wire(request))
            replies = chain([filters.served_to_wire(served)], filters.chunks(served))
            while (reply := await asyncio.to_thread(next, replies, None)) is not None:
                async with asyncio.timeout(self._idle_s):
                    await write_to(context, reply.SerializeToString())

        await self._guard(context, answer)

    async def _ask(self, _requests: Any, context: Any) -> None:
        async def answer() -> None:
            peer = await self._caller(context)
            request = messages.parse(pb.AskRequest, await self._request(context))
            reply = await self._responder.leases.ask(peer, filters.questions_from_wire(request))
            await write_to(context, filters.evaluated_to_wire(reply).SerializeToString())

        await self._guard(context, answer, self._asks)

    def _discovering(self) -> dict[str, Callable[[str, Any], Awaitable[None]]]:
        """The calls of discoveries."""
        if self._service is None:
            return calls(None)
        return calls(
            Discovering(self._service, read=read_from, write=write_to, one=self._request, idle_s=self._idle_s)
        )

    async def _discover(
        self, call: Callable[[str, Any], Awaitable[None]], _requests: Any, context: Any
    ) -> None:
        async def answer() -> None:
            await call(await self._caller(context), context)

        await self._guard(context, answer, self._discoveries)

    async def _request(self, context: Any) -> bytes:
        """The one message of a short call."""
        async with asyncio.timeout(min(REQUEST_S, self._idle_s)):
            data = await read_from(context)
            if data is None or await read_from(context) is not None:
                raise SessionRefused("a short call carries one message")
        return data

    async def _run(self, _requests: Any, context: Any) -> None:
        async def answer() -> None:
            peer = await self._caller(context)
            read = partial(read_from, context)
            async with asyncio.timeout(self._idle_s):
                first = messages.parse(Frame, await read() or b"")
            if first.WhichOneof("kind") != "start":
                raise SessionRefused("the run does not begin with its start")

            def open_channel(agreement: Agreement) -> Channel:
                return FrameChannel(
                    agreement.protocol,
                    read=read,
                    write=partial(write_to, context),
                    idle_s=self._idle_s + compute_allowance_s(agreement),
                    guard=partial(self._still_on_roster, context),
                )

            await self._responder.run(peer, first.start.session, first.start.signature, open_channel)

        await self._guard(context, answer)

    def _count(self, work: Callable[[Call], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """A call of an aggregation."""

        async def handle(_requests: Any, context: Any) -> None:
            async def answer() -> None:
                call = Call(
                    peer=await self._caller(context),
                    read=partial(read_from, context),
                    write=partial(write_to, context),
                    request=partial(self._request, context),
                    guard=partial(self._still_on_roster, context),
                )
                await work(call)

            await self._guard(context, answer, self._counted)

        return handle

    def _still_on_roster(self, context: Any) -> None:
        """Cut off who was revoked meanwhile; within a run it looks like every other abort."""
        try:
            self._directory.authorise(leaf_of(context))
        except NotAuthorised as e:
            raise PeerError(f"a run was cut off: {e}", code=e.code) from e

    async def _caller(self, context: Any) -> str:
        """The member that calls, by the roster of this very moment."""
        return await asyncio.to_thread(self._directory.authorise, leaf_of(context))

    def _name(self, context: Any) -> str:
        """In whose name the call comes, on the roster or not; ``""`` if its certificate does not say."""
        try:
            return certificates.member_named(certificates.load(leaf_of(context)), self._directory.alliance)
        except ValueError:
            return ""

    def _adopt(self, rosters: list[bytes]) -> None:
        try:
            self._directory.adopt(rosters)
        except CosightError as e:  # somebody else's bad roster does not decide whether the caller is known
            log.warning("rosters offered by a caller were not taken up: %s", e)

    async def _guard(
        self, context: Any, answer: Callable[[], Awaitable[None]], seats: Seats | None = None
    ) -> None:
        """Give a call its seat, and turn what goes wrong into one code for the peer and one line in our log.

        The seat is kept until the refusal is sent: a caller can delay that by not reading.
        """
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        with ExitStack() as seat:
            try:
                seat.enter_context((seats or self._seats).taken_by(self._name(context)))
                await answer()
                return  # noqa: TRY300
            except CosightError as e:
                code = outward(e)
                log.warning("refused a call: %s (%s)", e, e.code)
            except TimeoutError:
                code = "aborted"
                log.warning("a caller was silent")
            except Exception as e:  # noqa: BLE001
                code = "aborted"
                log.error("a call failed: %s", unforeseen(e))  # noqa: TRY400
            await context.abort(STATUS[code], code)


def compute_allowance_s(agreement: Agreement) -> float:
    """Seconds that a peer may be silent because it computes: 0.5 ms a declared row."""
    return 5e-4 * (agreement.initiator_padded + agreement.responder_padded)
