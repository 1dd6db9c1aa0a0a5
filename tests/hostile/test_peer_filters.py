"""A hostile member asks and fetches, against a real node that publishes: no more than was agreed."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
import numpy as np
import pytest

from crypto import oprf
from crypto.filters import decode
from exchange import agreement as agreements
from exchange.agreement import Agreement
from exchange.publication import Publication
from exchange.store.alliance import node_keys
from exchange.v1 import exchange_pb2 as pb
from tests.e2e.nodes import cosight, entries
from tests.hostile.conftest import House
from tests.hostile.peer import TIMEOUT_S, Caller, Member, refused

LEASE = {"protocol": "filter", "padded": 32}


@pytest.fixture
def house(house: House) -> Iterator[House]:
    """The house, which publishes a filter."""
    if cosight(house.home, "filter", "list")["published"] is None:
        cosight(house.home, "filter", "build", "--kind", "sorted")
    yield house  # noqa: PT022  # it is checked after this


def blinded(count: int) -> bytes:
    if not count:
        return b""
    items = np.frombuffer(os.urandom(32 * count), np.uint8).reshape(count, 32)
    return oprf.bulk_blind(items)[1].tobytes()


def asking(member: Member, agreement: Agreement, count: int = 1, **lies: Any) -> pb.AskRequest:
    honest: dict[str, Any] = {
        "session": agreement.initiator_nonce,
        "signature": agreements.sign(agreement, node_keys(member.home).identity),
        "blinded": blinded(count),
    }
    return pb.AskRequest(**(honest | lies))


def fetching(member: Member, agreement: Agreement, **lies: Any) -> pb.DownloadRequest:
    signature = agreements.sign(agreement, node_keys(member.home).identity)
    return pb.DownloadRequest(**({"session": agreement.initiator_nonce, "signature": signature} | lies))


async def ask(caller: Caller, request: pb.AskRequest) -> pb.AskReply:
    return pb.AskReply.FromString(await caller.send("Ask", request.SerializeToString()))


async def fetch(caller: Caller, request: pb.DownloadRequest) -> tuple[pb.Described, bytes]:
    call = caller._channel.unary_stream("/exchange.v1.Exchange/Download")(
        request.SerializeToString(), timeout=TIMEOUT_S
    )
    replies = [pb.DownloadReply.FromString(data) async for data in call]
    return replies[0].described, b"".join(reply.chunk for reply in replies[1:])


async def end(caller: Caller, agreement: Agreement) -> None:
    """The lease is closed, so that it is in nobody's way."""
    with suppress(grpc.aio.AioRpcError):
        await ask(caller, asking(caller.member, agreement, 0, done=True))


def asked(house: House, agreement: Agreement) -> list[object]:
    """How many questions the victim's ledger says there were."""
    told = [e.what for e in entries(house.home) if e.session == agreement.session and "asked" in e.what]
    return [what["asked"] for what in told]


async def test_what_was_agreed_is_given_and_no_more(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree(**LEASE)
        assert agreement.responder_padded == 52
        described, file = await fetch(caller, fetching(house.hostile, agreement))
        publication = Publication.from_bytes(described.publication)
        made = decode(file)
        assert (made.items, made.fpr <= publication.fpr) == (publication.items, True)
        reply = await ask(caller, asking(house.hostile, agreement, 32))
        assert (len(reply.evaluated), len(reply.proof)) == (32 * 32, 64)
        for count in (1, 256):
            with refused("lease-spent"):
                await ask(caller, asking(house.hostile, agreement, count))
        await ask(caller, asking(house.hostile, agreement, 0, done=True))
        with refused("session-unknown"):
            await ask(caller, asking(house.hostile, agreement))
        with refused("session-unknown"):
            await fetch(caller, fetching(house.hostile, agreement))
    assert asked(house, agreement) == [32]


MALFORMED_QUESTIONS: list[dict[str, Any]] = [
    {"session": b""}, {"session": bytes(33)}, {"signature": b""}, {"signature": bytes(65)},
    {"blinded": bytes(31)}, {"blinded": bytes(32)}, {"blinded": b"\xff" * 32}, {"blinded": blinded(257)},
    {"buckets": [1]}, {"buckets": [0, 0]}, {"buckets": [(1 << 32) - 1]}, {"buckets": list(range(65))},
]  # fmt: skip
MALFORMED_DOWNLOADS: list[dict[str, Any]] = [
    {"session": b"x"}, {"signature": b"x"}, {"have": b"x"}, {"partial": bytes(31)}, {"offset": (1 << 64) - 1},
]  # fmt: skip


async def test_malformed_calls(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree(**LEASE)
        for lies in MALFORMED_QUESTIONS:
            with refused("malformed"):
                await ask(caller, asking(house.hostile, agreement, **lies))
        for lies in MALFORMED_DOWNLOADS:
            with refused("malformed"):
                await fetch(caller, fetching(house.hostile, agreement, **lies))
        await ask(caller, asking(house.hostile, agreement, done=True))
    assert asked(house, agreement) == [3]  # what is no element was counted before it was looked at


async def test_odd_offsets(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree(**LEASE)
        described, whole = await fetch(caller, fetching(house.hostile, agreement))
        digest = Publication.from_bytes(described.publication).digest
        for offset in (0, 1, 31, len(whole) - 1, len(whole), 10_000, 1 << 36):
            request = fetching(house.hostile, agreement, partial=digest, offset=offset)
            again, rest = await fetch(caller, request)
            assert rest == whole[again.offset :]
            assert again.offset == (offset if offset <= len(whole) else 0)
        nothing, none = await fetch(caller, fetching(house.hostile, agreement, have=digest))
        assert (nothing.form, none) == ("nothing", b"")
        await end(caller, agreement)


async def test_another_members_lease(house: House):
    async with house.caller(house.honest) as victim, house.caller() as caller:
        agreement = await victim.agree(**LEASE)
        for member in (house.honest, house.hostile):  # signed as it should be, and by who calls
            with refused("session-unknown"):
                await ask(caller, asking(member, agreement))
            with refused("session-unknown"):
                await fetch(caller, fetching(member, agreement))
        await ask(victim, asking(house.honest, agreement, done=True))
    assert asked(house, agreement) == [1]


async def test_a_signature_that_is_not_so_burns_the_lease(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree(**LEASE)
        with refused("aborted"):
            await ask(caller, asking(house.hostile, agreement, signature=secrets.token_bytes(64)))
        with refused("session-unknown"):
            await ask(caller, asking(house.hostile, agreement))
    assert house.story(agreement.initiator_nonce) == [("intent", ""), ("aborted", "bad-signature")]


async def test_the_same_questions_again_count_again(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree(**LEASE)
        request = asking(house.hostile, agreement, 16)
        first, second = await ask(caller, request), await ask(caller, request)
        assert first.evaluated == second.evaluated
        with refused("lease-spent"):
            await ask(caller, request)
        await end(caller, agreement)
    assert asked(house, agreement) == [32]


async def test_questions_at_once_are_each_counted(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree(**LEASE)
        requests = [asking(house.hostile, agreement, 8) for _ in range(12)]
        done = await asyncio.gather(*(ask(caller, one) for one in requests), return_exceptions=True)
        await end(caller, agreement)
    answered = [one for one in done if isinstance(one, pb.AskReply)]
    others = {one.details() for one in done if isinstance(one, grpc.aio.AioRpcError)}
    assert (len(answered), others) == (4, {"lease-spent"})
    assert asked(house, agreement) == [32]


async def test_a_flood_of_questions_leaves_room_for_others(house: House):
    async with house.caller() as caller, house.caller(house.honest) as other:
        agreement = await caller.agree(**LEASE)
        calls = [caller.stream("Ask") for _ in range(16)]  # open, and say nothing
        for call in calls:
            with suppress(grpc.aio.AioRpcError):
                await call.write(b"")
        theirs = await other.agree(**LEASE)
        await ask(other, asking(house.honest, theirs, 3, done=True))
        for call in calls:
            call.cancel()
        await end(caller, agreement)
    assert asked(house, theirs) == [3]


@pytest.mark.parametrize(
    "lies",
    [
        {"rung": "cardinality"}, {"rung": "size"}, {"rung": "context"}, {"output": "both"},
        {"stage": "ahead"}, {"base": bytes(32)},
    ],
    ids=lambda lies: next(iter(lies.values())) if isinstance(next(iter(lies.values())), str) else "base",
)  # fmt: skip
async def test_a_lease_is_of_one_kind(house: House, lies):
    request = house.hostile.proposal(**(LEASE | lies))
    async with house.caller() as caller:
        with refused("malformed"):
            await caller.propose(request)


async def test_a_run_of_a_lease_and_questions_of_a_run(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree(**LEASE)
        with refused("session-replayed"):
            await caller.attempt(house.hostile.start(agreement))
        await ask(caller, asking(house.hostile, agreement, done=True))
        run = await caller.agree()
        with refused("session-unknown"):
            await ask(caller, asking(house.hostile, run))
