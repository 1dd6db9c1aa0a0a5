"""A hostile member inside a run: whatever it sends, one ``aborted``, nothing disclosed, and a true ledger."""

import asyncio
from contextlib import suppress

import grpc
import numpy as np
import pytest

from crypto import group
from crypto.hashing import item_rows
from exchange.v1.frame_pb2 import Frame, Head, Rows, Start
from exchange.v1.psi_voprf_pb2 import Voprf
from tests.e2e.nodes import until
from tests.hostile.conftest import House
from tests.hostile.peer import ENDED, ROWS, chunk, head, refused

BYTES = ROWS * 32
VALID = group.hash_to_group(item_rows("line", [str(i) for i in range(ROWS)]), b"test").tobytes()
GIGA = 10**9


def blinded(body: bytes) -> bytes:
    return Frame(head=Head(name="Blinded", body=body)).SerializeToString()


GARBAGE = {
    "a start": Frame(start=Start(session=bytes(32), signature=bytes(64))).SerializeToString(),
    "nothing": b"",
    "no protobuf": b"\xff" * 64,
    "cut off": head()[:-1],
    "two kinds": head() + chunk(b"x"),
    "an unknown field": head() + b"\x7a\x01x",
    "another message": head(name="Tags"),
    "no message": head(name="Passwords"),
    "a path": head(name="../Blinded"),
}
HEADS = {
    "a chunk": chunk(VALID),
    "ten to the ninth rows": head(GIGA),
    "all rows there are": head((1 << 64) - 1),
    "no rows": head(0),
    "one row less": head(ROWS - 1),
    "one row more": head(ROWS + 1),
    "narrow rows": head(width=31),
    "wide rows": head(width=(1 << 32) - 1),
    "an empty body": blinded(b""),
    "a body that does not decode": blinded(b"\x0a\xff"),
    "a body with more in it": blinded(
        Voprf.Blinded(blinded=Rows(count=ROWS, width=32)).SerializeToString() + b"\x7a\x01x"
    ),
    "a huge body": blinded(b"\x7a\x80\x80\x40" + bytes(1 << 20)),
    **GARBAGE,
}
CHUNKS = {
    "the head again": head(),
    "an empty chunk": chunk(b""),
    "one byte less": chunk(VALID[:-1]),
    "one byte more": chunk(VALID + b"x"),
    "a mebibyte": chunk(VALID + bytes((1 << 20) - BYTES)),
    "zeros": chunk(bytes(BYTES)),
    "ones": chunk(b"\xff" * BYTES),
    "one bad row": chunk(VALID[:-32] + b"\xff" * 32),
    "the identity": chunk(VALID[:-32] + bytes(32)),
    **GARBAGE,
}


async def burnt(house: House, *frames: bytes, reason: str = "peer-misbehaved", close: bool = False) -> None:
    """A run with these frames after its start is aborted, and the ledger says why."""
    async with house.caller() as caller:
        agreement = await caller.agree()
        with refused("aborted"):
            await caller.attempt(house.hostile.start(agreement), *frames, close=close)
    session = agreement.initiator_nonce
    assert house.story(session) == [("intent", ""), ("aborted", reason)]
    assert house.sent(session) == 0


async def ended(house: House, session: bytes) -> list[tuple[str, str]]:
    """Wait until the ledger says how a session ended, and return that."""
    return await asyncio.to_thread(until, lambda: house.story(session)[1:])


@pytest.mark.parametrize("frame", HEADS.values(), ids=HEADS)
async def test_what_is_no_head(house: House, frame):
    await burnt(house, frame)


@pytest.mark.parametrize("frame", CHUNKS.values(), ids=CHUNKS)
async def test_what_are_no_rows(house: House, frame):
    await burnt(house, head(), frame)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff" * 64,
        head(),
        chunk(VALID),
        Frame(start=Start()).SerializeToString()[:-1],
        Frame(start=Start(session=bytes(32), signature=bytes(64))).SerializeToString()[:-1],
    ],
    ids=["nothing", "no protobuf", "a head", "a chunk", "half a start", "cut off"],
)
async def test_what_is_no_start(house: House, frame):
    async with house.caller() as caller:
        with refused("malformed"):
            await caller.attempt(frame)
        with refused("malformed"):
            await caller.attempt(close=True)


@pytest.mark.parametrize("lie", ["another key", "another agreement", "zeros", "short", "none"])
async def test_a_start_that_is_not_signed_for(house: House, lie):
    async with house.caller() as caller:
        agreement, other = await caller.agree(), await caller.agree(padded=2 * ROWS)
        signed = {
            "another key": Frame.FromString(house.honest.start(agreement)).start.signature,
            "another agreement": Frame.FromString(house.hostile.start(other)).start.signature,
            "zeros": bytes(64),
            "short": bytes(63),
            "none": b"",
        }
        session = agreement.initiator_nonce
        start = Frame(start=Start(session=session, signature=signed[lie])).SerializeToString()
        with refused("aborted"):
            await caller.attempt(start, head(), chunk(VALID))
    assert house.story(session) == [("intent", ""), ("aborted", "bad-signature")]
    assert house.sent(session) == 0


@pytest.mark.parametrize("frames", [(), (head(),)], ids=["after the start", "after the head"])
async def test_an_early_close(house: House, frames):
    await burnt(house, *frames, reason="peer-closed", close=True)


@pytest.mark.parametrize("frames", [(), (head(),), (head(), chunk(VALID))], ids=["start", "head", "rows"])
async def test_a_cancelled_run(house: House, frames):
    async with house.caller() as caller:
        agreement = await caller.agree()
        call = caller.run()
        await caller.begun(call, house.hostile.start(agreement), *frames)
        call.cancel()
    told = await ended(house, agreement.initiator_nonce)
    # Rows that were whole may have been answered in full before the news of the end came.
    assert told[0][0] == "aborted" or len(frames) == 2


@pytest.mark.parametrize("frames", [(), (head(),)], ids=["after the start", "after the head"])
async def test_a_stalled_run(house: House, frames):
    await burnt(house, *frames, reason="peer-stalled")


async def test_a_run_that_never_starts(house: House):
    async with house.caller() as caller:
        with refused("aborted"):
            await caller.attempt()


async def test_a_run_that_drips_past_its_deadline(house: House):
    """Never silent for long, never done: the session's own deadline ends it."""
    async with house.caller() as caller:
        agreement = await caller.agree(deadline_s=1, padded=1 << 18)
        call = caller.run()
        await call.write(house.hostile.start(agreement))
        await call.write(head(1 << 18))
        with refused("aborted"):
            with suppress(*ENDED):
                for _ in range(6):
                    await call.write(chunk(VALID * (1 << 5)))
                    await asyncio.sleep(0.3)
            await call.read()
    assert house.story(agreement.initiator_nonce) == [("intent", ""), ("aborted", "deadline")]


async def flood(house: House, *frames: bytes) -> tuple[bytes, int]:
    """Send these frames and then rows without end; gives the session and how many bytes were taken."""
    async with house.caller() as caller:
        agreement = await caller.agree()
        call = caller.run()
        taken = 0
        endless = chunk(bytes(1 << 20))
        try:
            for frame in (house.hostile.start(agreement), *frames):
                await call.write(frame)
            async with asyncio.timeout(10):
                while taken < GIGA * 32:
                    await call.write(endless)
                    taken += len(endless)
        except (*ENDED, TimeoutError):
            pass
        return agreement.initiator_nonce, taken


async def test_a_thousand_rows_declared_and_a_thousand_million_sent(house: House):
    session, taken = await flood(house, head())
    await ended(house, session)
    assert house.story(session) == [("intent", ""), ("aborted", "peer-misbehaved")]
    assert house.sent(session) == 0
    assert taken < 32 << 20


async def test_a_flood_behind_what_was_declared(house: House):
    """What comes after the rows that were agreed on is never read: it fills the transport's window."""
    session, taken = await flood(house, head(), chunk(VALID))
    await ended(house, session)
    ((_, _), (kind, _)) = house.story(session)
    assert kind == "disclosed"  # and no more than was agreed: 1,024 rows
    assert taken < 64 << 20


async def test_a_flood_instead_of_a_start(house: House):
    async with house.caller() as caller:
        call = caller.run()
        taken = 0
        with suppress(*ENDED):
            while taken < GIGA:
                await call.write(chunk(bytes(1 << 20)))
                taken += 1 << 20
    assert taken < 32 << 20


async def test_a_frame_over_the_limit_of_the_transport(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree()
        with pytest.raises(grpc.aio.AioRpcError):
            await caller.attempt(house.hostile.start(agreement), head(), chunk(bytes(64 << 20)))
    told = await ended(house, agreement.initiator_nonce)
    assert told[0][0] == "aborted"
    assert house.sent(agreement.initiator_nonce) == 0


async def test_many_runs_at_once(house: House):
    async def one(caller, garbage: bytes) -> None:
        agreement = await caller.agree()
        with refused("aborted"):
            await caller.attempt(house.hostile.start(agreement), head(), garbage)

    async with house.caller() as caller:
        await asyncio.gather(*(one(caller, frame) for frame in [chunk(bytes(BYTES)), head(), b"\xff"] * 4))


async def test_a_run_as_agreed_gives_what_was_agreed(house: House):
    """The attacks above differ from this in one thing each."""
    async with house.caller() as caller:
        agreement = await caller.agree()
        answers = await caller.attempt(house.hostile.start(agreement), head(), chunk(VALID), close=True)
    frames = [Frame.FromString(a) for a in answers]
    assert [f.head.name or f.WhichOneof("kind") for f in frames] == ["Evaluated", "chunk", "Tags", "chunk"]
    assert np.frombuffer(frames[1].chunk, np.uint8).size == BYTES
    assert house.story(agreement.initiator_nonce) == [("intent", ""), ("disclosed", "")]
