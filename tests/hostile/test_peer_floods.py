"""Whoever passes TLS, on the roster or not, floods the node; honest members are served meanwhile."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest

from exchange.identity.roster import Revoked, SignedRoster
from exchange.rpc.server import MAX_CALLS, MAX_CALLS_EACH
from tests.e2e.nodes import until
from tests.hostile.conftest import House
from tests.hostile.peer import ENDED, OPTIONS, SERVICE, refused
from tests.hostile.test_peer_identity import revoke

CONNECTIONS = 5
STREAMS = 16
"""What a connection may have; five have more than the node has calls."""
SOON_S = 60
"""An honest match takes less than one; a starved one never ends well."""


@asynccontextmanager
async def silent(house: House, method: str) -> AsyncIterator[list[Any]]:
    """More calls than the node takes, with headers only: not one message, nor an end."""
    tls = house.hostile.alliance.tls()
    credentials = grpc.ssl_channel_credentials(tls.root, tls.key, tls.chain)
    name = ("grpc.ssl_target_name_override", house.hostile.alliance.target(house.home.member))
    options = [*OPTIONS, name, ("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.secure_channel(house.node.address, credentials, options) for _ in range(CONNECTIONS)]
    calls: list[Any] = [c.stream_stream(SERVICE + method)() for c in channels for _ in range(STREAMS)]
    assert len(calls) > MAX_CALLS
    try:
        yield calls
    finally:
        for call in calls:
            call.cancel()
        for channel in channels:
            await channel.close()


async def codes(calls: list[Any]) -> list[str]:
    """How the calls ended, all of them."""
    async with asyncio.timeout(SOON_S):
        return [(await call.code(), await call.details())[1] for call in calls]


async def soon(house: House) -> None:
    async with asyncio.timeout(SOON_S):
        assert (await house.match()).matches


@pytest.mark.parametrize("method", ["Hello", "Propose", "Run"])
async def test_calls_without_a_message_from_a_revoked_member(own_house: House, tmp_path, method):
    own_house.hostile.alliance.tls()  # while it still gets one
    await asyncio.to_thread(revoke, own_house, tmp_path)
    async with silent(own_house, method) as calls:
        await asyncio.sleep(0.5)
        await soon(own_house)
        told = await codes(calls)
    if method == "Hello":  # one may hold two, for as long as a greeting may take
        assert 1 <= told.count("aborted") <= CONNECTIONS
    else:
        assert "not-on-roster" in told
    assert set(told) - {"Concurrent RPC limit exceeded!"} <= {"busy", "aborted", "not-on-roster"}


@pytest.mark.parametrize("method", ["Hello", "Propose", "Run"])
async def test_calls_without_a_message_from_a_member(own_house: House, method):
    """It has its share, and nobody else has fewer for it."""
    async with silent(own_house, method) as calls:
        await asyncio.to_thread(until, lambda: sum(not call.done() for call in calls) <= MAX_CALLS_EACH)
        await soon(own_house)
        if method != "Run":
            assert set(await codes(calls)) - {"Concurrent RPC limit exceeded!"} <= {"busy", "aborted"}


@pytest.mark.parametrize("method", ["Hello", "Propose"])
@pytest.mark.parametrize("messages", [0, 2])
async def test_a_short_call_carries_one_message(house: House, method, messages):
    async with house.caller() as caller:
        request = house.hostile.proposal()
        call = caller.stream(method)
        try:
            for _ in range(messages):
                await call.write(request.SerializeToString())
            await call.done_writing()
        except ENDED:
            pass
        with refused("malformed"):
            await call.read()
    assert house.story(request.session) == []


async def test_a_message_without_an_end(house: House):
    request = house.hostile.proposal()
    async with house.caller() as caller:
        call = caller.stream("Propose")
        await call.write(request.SerializeToString())
        with refused("aborted"):
            await call.read()
    assert house.story(request.session) == []


async def test_big_rosters_that_nobody_signed(own_house: House, tmp_path):
    house = own_house
    roster = house.hostile.alliance.current()
    await asyncio.to_thread(revoke, house, tmp_path)
    gone = tuple(
        Revoked(f"r{i:05d}", 2, *(secrets.token_bytes(31) + b"\0" for _ in range(2)), secrets.token_bytes(32))
        for i in range(6500)
    )
    big = SignedRoster(replace(roster, revoked=gone, epoch=roster.epoch + 1).encode(), ()).encode()
    assert 900_000 < len(big) < 1 << 20
    over = asyncio.Event()

    async def flood() -> int:
        sent = 0
        async with house.caller() as caller:
            while not over.is_set():
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await caller.hello(rosters=[big])
                assert error.value.details() in {"not-on-roster", "busy"}
                sent += 1
        return sent

    floods = [asyncio.create_task(flood()) for _ in range(4)]
    await asyncio.sleep(1)
    for _ in range(3):
        await soon(house)
    over.set()
    assert all(await asyncio.gather(*floods))
    assert "roster-bad-signature" not in house.node.log.read_text()
    assert "0 of the 1 signatures" in house.node.log.read_text()
