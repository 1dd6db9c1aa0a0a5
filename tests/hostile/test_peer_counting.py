"""A hostile member in an aggregation that a real node coordinates: refused, or named."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from typing import Any

import grpc

from crypto.secagg.base import Step
from exchange.aggregation.opening import Opening
from exchange.store.aggregations import Aggregations
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Contribution, Frame, Head
from exchange.v1.secagg_masking_pb2 import Masking
from tests.e2e.nodes import cosight, entries, until
from tests.hostile.conftest import House
from tests.hostile.peer import ENDED, TIMEOUT_S, Caller, refused

LARGE = count(1)
"""Every test opens its own: a window is counted once."""


def opened(house: House, deadline: int = 600) -> bytes:
    """An aggregation of all three members, which the victim coordinates."""
    file = house.home.path / "dictionary.txt"
    file.write_text("".join(f"8.9.{next(LARGE) % 256}.{n}\n" for n in range(20)))
    today = datetime.now(UTC).date()
    told = cosight(
        house.home, "aggregate", "open", "--dictionary", str(file), "--window", f"{today}..{today}",
        "--purpose", "demonstration", "--reporters", "2", "--deadline", str(deadline),
    )  # fmt: skip
    return bytes.fromhex(told["session"])


def join(**lies: Any) -> list[bytes]:
    """The frames of a Join, which nobody signed."""
    honest = {"key": bytes(32), "mask_key": bytes(32), "commitment": bytes(32), "possession": bytes(96)}
    body = Masking.Join(**({**honest, "signature": bytes(64)} | lies)).SerializeToString()
    return [Frame(head=Head(name="Join", body=body)).SerializeToString()]


def first(context: bytes, frames: list[bytes], **lies: Any) -> bytes:
    digest = sha256(b"".join(frames)).digest()
    honest = {"session": context, "step": Step.JOINING, "name": "Join", "digest": digest}
    return Frame(contribution=Contribution(**(honest | lies))).SerializeToString()


async def contribute(caller: Caller, *frames: bytes, close: bool = True) -> list[pb.ContributeReply]:
    call = caller.stream("Contribute")
    with suppress(*ENDED):
        for frame in frames:
            await call.write(frame)
        if close:
            await call.done_writing()
    replies = []
    while (reply := await call.read()) is not grpc.aio.EOF:
        replies.append(pb.ContributeReply.FromString(reply))
    return replies


async def stream(caller: Caller, method: str, request: Any) -> list[bytes]:
    call = caller._channel.unary_stream(f"/exchange.v1.Exchange/{method}")
    return [reply async for reply in call(request.SerializeToString(), timeout=TIMEOUT_S)]


def ledger(house: House, session: bytes) -> list[str]:
    return [str(e.kind) for e in entries(house.home) if e.session == session.hex()]


async def test_malformed_calls(house: House) -> None:
    session = opened(house)
    frames = join()
    async with house.caller() as caller:
        for lies in (
            {"session": b""}, {"session": bytes(33)}, {"digest": b""}, {"name": ""}, {"name": "../Join"},
            {"name": "J" * 99}, {"step": 0}, {"step": 7}, {"step": 1 << 31}, {"step": 2}, {"name": "Dealing"},
        ):  # fmt: skip
            with refused("malformed"):
                await contribute(caller, first(session, frames, **lies), *frames)
        for data in (b"", b"\xff" * 9, frames[0], Frame(chunk=b"x").SerializeToString()):
            with refused("malformed"):
                await contribute(caller, data)
        for request in (
            pb.CollectRequest(session=session), pb.CollectRequest(session=session, step=1),
            pb.CollectRequest(session=session, step=8), pb.CollectRequest(session=b"x", step=2),
            pb.CollectRequest(session=session, step=2, have=9),
        ):  # fmt: skip
            with refused("malformed"):
                await stream(caller, "Collect", request)
        with refused("malformed"):
            await stream(caller, "Convened", pb.ConvenedRequest(session=b"x"))
        with refused("malformed"):
            await stream(caller, "Replay", pb.ReplayRequest(session=b"x"))
        with refused("step-over"):
            await stream(caller, "Replay", pb.ReplayRequest(session=session))
    assert ledger(house, session) == ["convened"]


async def test_what_is_not_ours(house: House) -> None:
    async with house.caller() as caller:
        for session in (bytes(32), sha256(b"another").digest()):
            frames = join()
            with refused("session-unknown"):
                await contribute(caller, first(session, frames), *frames)
            for method, request in (
                ("Convened", pb.ConvenedRequest(session=session)),
                ("Collect", pb.CollectRequest(session=session, step=2)),
                ("Replay", pb.ReplayRequest(session=session)),
            ):
                with refused("session-unknown"):
                    await stream(caller, method, request)


async def test_another_message_than_was_announced(house: House) -> None:
    session = opened(house)
    async with house.caller() as caller:
        frames, others = join(), join(commitment=b"x" * 32)
        long, short = join(key=bytes(33)), join(signature=b"")
        more = [*frames, Frame(chunk=b"x").SerializeToString()]
        for announced, sent in ((frames, others), (long, long), (short, short), (more, more), (frames, [])):
            with refused("aborted"):
                await contribute(caller, first(session, announced), *sent)
    folder = Aggregations(house.home).find(session)
    assert folder is not None
    assert list(folder.path.glob("1-*")) == []
    assert list(folder.path.glob(".spool*")) == []
    assert ledger(house, session) == ["convened"]


async def test_a_join_that_nobody_signed_ends_the_run_and_is_named(house: House) -> None:
    session = opened(house)
    async with house.caller() as caller, house.caller(house.honest) as honest:
        frames = join()
        with refused("aborted"):
            await contribute(caller, first(session, frames), *frames)
        [progress] = await stream(honest, "Collect", pb.CollectRequest(session=session, step=2))
        told = Frame.FromString(progress).progress
        assert (told.broken, list(told.culprits)) == ("bad-signature", [house.hostile.id])
        with refused("step-over"):
            await contribute(honest, first(session, frames), *frames)
    assert ledger(house, session) == ["convened", "broken"]
    broken = [e for e in entries(house.home) if e.session == session.hex()][-1]
    assert broken.fields["culprits"] == [house.hostile.id]


async def test_silence_in_the_middle_of_a_message(house: House) -> None:
    session = opened(house)
    async with house.caller() as caller:
        with refused("aborted"):
            await contribute(caller, first(session, join()), close=False)
        with refused("aborted"):
            await contribute(caller, close=False)
    assert ledger(house, session) == ["convened"]


async def test_a_flood_of_waiting_calls(house: House) -> None:
    session = opened(house)
    request = pb.CollectRequest(session=session, step=2, wait_ms=1_000_000).SerializeToString()
    async with house.caller() as caller, house.caller(house.honest) as honest:
        waiting = [
            caller._channel.unary_stream("/exchange.v1.Exchange/Collect")(request, timeout=TIMEOUT_S)
            for _ in range(16)
        ]
        ended = [asyncio.ensure_future(call.code()) for call in waiting]
        await asyncio.to_thread(until, lambda: sum(one.done() for one in ended) >= 8)
        told = [await call.details() for call, one in zip(waiting, ended, strict=True) if one.done()]
        assert told == ["busy"] * 8, "the others wait"
        listed = await stream(honest, "Convened", pb.ConvenedRequest())
        assert session in [named(reply) for reply in listed]
        for call in waiting:
            call.cancel()


def named(reply: bytes) -> bytes:
    """The name of a listed aggregation."""
    return Opening.decode(pb.ConvenedReply.FromString(reply).convening.opening).context
