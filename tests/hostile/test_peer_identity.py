"""Callers who are not, or no longer, who they must be: foreign and expired certificates; revocation."""

import asyncio
import time
from datetime import timedelta

import grpc
import pytest

from exchange.clock import utc_now
from exchange.errors import RosterError
from exchange.identity import certificates, keys
from exchange.identity.certificates import LEAF_LIFE, Tls
from exchange.node import Node
from exchange.store.alliance import node_keys
from tests.e2e.nodes import cosight, entries
from tests.hostile.conftest import House
from tests.hostile.peer import Caller, Member, chunk, head, refused
from tests.hostile.test_peer_runs import VALID


def issued(member: Member, *, name: str | None = None) -> Tls:
    """A leaf under this member's intermediate, in its own or another's name."""
    roster = member.alliance.current()
    ca = certificates.load(roster.by_id[member.id].ca_certificate)
    root = certificates.load(roster.root_certificate)
    key = node_keys(member.home).ca
    leaf, leaf_key = certificates.issue_leaf(
        ca, key, alliance=roster.alliance, member=name or member.id, now=utc_now()
    )
    return certificates.tls(leaf, leaf_key, ca=ca, root=root)


def foreign(member: Member) -> Tls:
    """Certificates like the member's, under a root of somebody else's making."""
    own, root_key = node_keys(member.home), keys.generate_ca_key()
    name, now = member.alliance.alliance, utc_now()
    root = certificates.make_root(name, root_key, now)
    ca = certificates.make_intermediate(
        root, root_key, alliance=name, member=member.id, public_key=own.ca.public_key(), now=now
    )
    leaf, key = certificates.issue_leaf(ca, own.ca, alliance=name, member=member.id, now=now)
    made = certificates.tls(leaf, key, ca=ca, root=root)
    return Tls(made.key, made.chain, member.alliance.tls().root)


def expiring(member: Member, seconds: int, monkeypatch) -> Tls:
    """A leaf that is good for so long yet."""
    monkeypatch.setattr(certificates, "LEAF_LIFE", timedelta(seconds=seconds))
    try:
        return issued(member)
    finally:
        monkeypatch.setattr(certificates, "LEAF_LIFE", LEAF_LIFE)


async def shut_out(house: House, tls: Tls) -> None:
    """The handshake itself fails: no call reaches the node."""
    async with Caller(house.hostile, house.home.member, house.node.address, tls) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await caller.hello()
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_leaf_in_anothers_name(house: House):
    """The name constraint of the thief's own intermediate forbids it, and TLS sees to that."""
    await shut_out(house, issued(house.hostile, name="honest"))


async def test_certificates_of_another_root(house: House):
    await shut_out(house, foreign(house.hostile))


async def test_an_expired_certificate(house: House, monkeypatch):
    tls = expiring(house.hostile, 1, monkeypatch)
    await asyncio.sleep(1.6)
    await shut_out(house, tls)


async def test_a_certificate_that_expires_while_connected(house: House, monkeypatch):
    seconds = 8  # to agree in; a busy machine needs some
    tls, end = expiring(house.hostile, seconds, monkeypatch), time.monotonic() + seconds + 1
    async with Caller(house.hostile, house.home.member, house.node.address, tls) as caller:
        await caller.hello()
        agreement = await caller.agree()
        await asyncio.sleep(max(0.0, end - time.monotonic()))
        with refused("certificate-expired"):
            await caller.hello()
        with refused("certificate-expired"):
            await caller.propose(house.hostile.proposal())
        with refused("certificate-expired"):
            await caller.attempt(house.hostile.start(agreement))


async def test_a_leaf_alone_without_its_intermediate(house: House):
    tls = house.hostile.alliance.tls()
    first = tls.chain.split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
    await shut_out(house, Tls(tls.key, first, tls.root))


async def test_no_certificate_at_all(house: House):
    credentials = grpc.ssl_channel_credentials(house.hostile.alliance.tls().root)
    name = ("grpc.ssl_target_name_override", house.hostile.alliance.target(house.home.member))
    async with grpc.aio.secure_channel(house.node.address, credentials, [name]) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.unary_unary("/exchange.v1.Exchange/Hello")(b"", timeout=60)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def revoke(house: House, tmp_path) -> None:
    cosight(house.home, "alliance", "revoke", "hostile", "--yes", "--out", str(tmp_path / "approval"))


async def test_a_member_that_was_revoked_before_it_calls(own_house: House, tmp_path):
    await asyncio.to_thread(revoke, own_house, tmp_path)
    async with own_house.caller() as caller:
        for call in (caller.hello(), caller.propose(own_house.hostile.proposal()), caller.attempt(b"")):
            with refused("not-on-roster"):
                await call
        with refused("not-on-roster"):  # its old rosters do not bring it back
            await caller.hello(rosters=own_house.hostile.alliance.signed())


async def test_a_member_that_is_revoked_while_it_is_connected(own_house: House, tmp_path):
    """An open connection, an open offer and an open run all end with the roster that says so."""
    house = own_house
    async with house.caller() as caller:
        await caller.hello()
        offered, running = await caller.agree(), await caller.agree()
        call = caller.run()
        await caller.begun(call, house.hostile.start(running), head())
        await asyncio.to_thread(revoke, house, tmp_path)
        with refused("aborted"):
            await call.write(chunk(VALID))
            await call.read()
        with refused("not-on-roster"):
            await caller.hello()
        with refused("not-on-roster"):
            await caller.propose(house.hostile.proposal())
        with refused("not-on-roster"):
            await caller.attempt(house.hostile.start(offered), head(), chunk(VALID))
    assert house.story(running.initiator_nonce) == [("intent", ""), ("aborted", "not-on-roster")]
    assert not [e for e in entries(house.home) if e.what.get("bytes_sent")]  # not a byte of an answer
    assert house.story(offered.initiator_nonce) == [("intent", "")]


async def test_news_of_a_revocation_travel_with_greetings(own_house: House, tmp_path):
    await asyncio.to_thread(revoke, own_house, tmp_path)
    assert "hostile" in own_house.honest.alliance.current().by_id
    await own_house.match()
    assert "hostile" not in own_house.honest.alliance.current().by_id
    with Node(own_house.honest.home) as node, pytest.raises(RosterError):
        node.alliance.member_named("hostile")
