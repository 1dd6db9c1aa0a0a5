"""A hostile member calls a node that has parts in discoveries: bounded, refused with one code, unharmed."""

import asyncio
import os
from contextlib import ExitStack, suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from crypto.secagg import helpers
from exchange.aggregation.lots import Parts
from exchange.aggregation.round import Learns, Round, day_of
from exchange.clock import utc_now
from exchange.config import Home
from exchange.discovery import signing
from exchange.discovery.world import CHUNK_BYTES, Signed, Stage
from exchange.identity import encoding
from exchange.indicators import IndicatorType
from exchange.store.alliance import node_keys
from exchange.v1 import discovery_pb2 as pb
from tests.e2e.nodes import entries, until
from tests.hostile.conftest import House
from tests.hostile.peer import ENDED, Caller, Member, refused

RELAYED = Parts(relay="victim", counter="hostile", helpers=("honest", "victim"))
ROOT = bytes(range(32))
COUNTED = Parts(relay="hostile", counter="victim", helpers=("honest", "hostile"))


def plan(member: Member, parts: Parts = RELAYED, **lies: Any) -> Round:
    roster = member.alliance.current()
    honest: dict[str, Any] = {
        "alliance": roster.alliance, "roster_epoch": roster.epoch, "roster_hash": roster.hash,
        "members": tuple(m.id for m in roster.members), "day": day_of(utc_now()),
        "types": (IndicatorType.DOMAIN,), "threshold": 2, "minimum": 3, "purpose": os.urandom(8).hex(),
        "learns": Learns.INDIVIDUAL, "largest": 0, "parts": parts,
    }  # fmt: skip
    return Round(**(honest | lies))


async def announced(caller: Caller, of: Round) -> Signed:
    reply = pb.KeysReply.FromString(
        await caller.send("Keys", pb.KeysRequest(round=of.encoded).SerializeToString())
    )
    member = caller.member
    said = Signed(reply.announcement, reply.signature)
    signing.check_announced(member.alliance.find, said, of, caller.victim)
    return said


SHOWN: dict[bytes, tuple[Signed, ...]] = {}
"""What was announced for a discovery."""


async def keyed(caller: Caller, parts: Parts = RELAYED, **lies: Any) -> Round:
    """A round under the victim's true keys; those that others announce are nobody's."""
    of = plan(caller.member, parts, **lies)
    victim = await announced(caller, of)

    def said(name: str) -> Signed:
        random = {kind: os.urandom(32) for kind in ("helper", "token", "box", "secret")}
        one = signing.Announced(alliance=of.alliance, member=name, plan=of.plan, **random)
        identity = node_keys(Home.open(caller.member.home.path.parent / name)).identity
        return victim if name == caller.victim else signing.announce(identity, one)

    shown = tuple(map(said, (*parts.helpers, parts.counter)))
    found = signing.keyed(caller.member.alliance.find, of, shown)
    SHOWN[found.context] = shown
    return found


def deposit(member: Member, of: Round, data: bytes, **lies: Any) -> pb.DepositRequest:
    digest = sha256(data).digest()
    identity = node_keys(member.home).identity
    honest: dict[str, Any] = {
        "round": of.encoded, "stage": "batches", "digest": digest, "size": len(data), "wait_s": 60,
        "signature": signing.sign_batch(identity, of, Stage.BATCHES, digest, root=ROOT), "root": ROOT,
        "keys": [pb.SignedWord(body=one.body, signature=one.signature) for one in SHOWN[of.context]],
    }  # fmt: skip
    return pb.DepositRequest(head=pb.DepositHead(**(honest | lies)))


async def bring(caller: Caller, *requests: pb.DepositRequest, close: bool = True) -> bytes:
    call = caller.stream("Deposit")
    with suppress(*ENDED):
        for request in requests:
            await call.write(request.SerializeToString())
        if close:
            await call.done_writing()
    data: bytes = await call.read()
    return data


def pieces(data: bytes) -> list[pb.DepositRequest]:
    return [
        pb.DepositRequest(chunk=data[start : start + CHUNK_BYTES])
        for start in range(0, len(data), CHUNK_BYTES)
    ]


def blinded(count: int) -> bytes:
    items = np.frombuffer(os.urandom(32 * count), np.uint8).reshape(count, 32)
    return helpers.ask(items, size=count).blinded.tobytes()


ROUNDS = {
    "nothing": lambda _data: b"",
    "cut short": lambda data: data[:-1],
    "more after it": lambda data: data + b"\0",
    "no CBOR": lambda _data: b"\xff" * 64,
    "another key": lambda data: encoding.encode(encoding.decode(data, limit=1 << 14) | {"more": 1}),
    "a number for a text": lambda data: encoding.encode(
        encoding.decode(data, limit=1 << 14) | {"purpose": 1}
    ),
    "a threshold of one": lambda data: encoding.encode(
        encoding.decode(data, limit=1 << 14) | {"threshold": 1}
    ),
    "one member": lambda data: encoding.encode(
        encoding.decode(data, limit=1 << 14) | {"members": ["victim"]}
    ),
    "the relay counts": lambda data: encoding.encode(
        encoding.decode(data, limit=1 << 14) | {"counter": "victim"}
    ),
    "half a key": lambda data: encoding.encode(
        encoding.decode(data, limit=1 << 14) | {"keys": [b"k" * 32, b"k" * 64]}
    ),
}


@pytest.mark.parametrize("spoilt", ROUNDS)
async def test_a_malformed_round(house: House, spoilt: str) -> None:
    async with house.caller() as caller:
        data = ROUNDS[spoilt]((await keyed(caller)).encoded)
        for method, request in (
            ("Keys", pb.KeysRequest(round=data)),
            ("Token", pb.TokenRequest(round=data, blinded=blinded(1))),
            ("Redeem", pb.RedeemRequest(round=data, tokens=[b"t" * 64], batches=[b"b" * 32])),
            ("Outcome", pb.OutcomeRequest(round=data, stage="batches")),
        ):
            with refused("malformed"):
                await caller.send(method, request.SerializeToString())


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"roster_hash": b"h" * 32}, "roster-mismatch"),
        ({"roster_epoch": 999}, "roster-mismatch"),
        ({"day": 3}, "malformed"),
        ({"profile": "cti-c14n/9"}, "profile-mismatch"),
    ],
)
async def test_a_round_that_is_not_for_us_or_not_for_now(house: House, lie: dict, code: str) -> None:
    async with house.caller() as caller:
        of = plan(caller.member, **lie)
        with refused(code):
            await caller.send("Keys", pb.KeysRequest(round=of.encoded).SerializeToString())


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"\1" * 31, id="not a whole one"),
        pytest.param(bytes(32), id="the identity"),
        pytest.param(b"\xff" * 32, id="no point"),
        pytest.param(bytes(32) * 20_000, id="too many"),
    ],
)
async def test_questions_that_are_none(house: House, points: bytes) -> None:
    async with house.caller() as caller:
        of = await keyed(caller)
        asking = pb.EvaluateRequest(epoch=of.epoch, declared=32, blinded=points)
        with refused("malformed"):
            await caller.send("Evaluate", asking.SerializeToString())
        if len(points) <= 32:
            with refused("malformed"):
                token = pb.TokenRequest(round=of.encoded, blinded=points)
                await caller.send("Token", token.SerializeToString())


async def test_no_more_questions_than_were_declared(house: House) -> None:
    async with house.caller() as caller:
        epoch = plan(caller.member).epoch
        for number in (epoch - 2, epoch + 2, 0, (1 << 40) - 1):
            with refused("epoch-over"):
                asking = pb.EvaluateRequest(epoch=number, declared=32, blinded=blinded(1))
                await caller.send("Evaluate", asking.SerializeToString())
        with refused("too-large"):
            asking = pb.EvaluateRequest(epoch=epoch, declared=1 << 39, blinded=blinded(1))
            await caller.send("Evaluate", asking.SerializeToString())
        same = pb.EvaluateRequest(epoch=epoch, declared=64, blinded=blinded(40)).SerializeToString()
        for _ in range(3):  # the same question costs nothing
            await caller.send("Evaluate", same)
        with refused("quota-spent"):
            asking = pb.EvaluateRequest(epoch=epoch, declared=64, blinded=blinded(40))
            await caller.send("Evaluate", asking.SerializeToString())
    told = [e for e in entries(house.home) if str(e.kind) == "helped" and e.peer == "hostile"]
    assert told[-1].what["count"] == 70


async def test_one_token_for_each_discovery(house: House) -> None:
    async with house.caller() as caller:
        of = await keyed(caller)
        for _ in range(2):
            request = pb.TokenRequest(round=of.encoded, blinded=blinded(1)).SerializeToString()
            await caller.send("Token", request)
            await caller.send("Token", request)  # the same again, because the answer was lost
            with refused("second-token"):
                other = pb.TokenRequest(round=of.encoded, blinded=blinded(1))
                await caller.send("Token", other.SerializeToString())
            of = await keyed(caller)
        lying = replace(of, keys=(os.urandom(64), os.urandom(64)))
        with refused("epoch-over"):
            request = pb.TokenRequest(round=lying.encoded, blinded=blinded(1)).SerializeToString()
            await caller.send("Token", request)


async def test_tokens_are_redeemed_for_the_counter_alone(house: House) -> None:
    async with house.caller() as caller, house.caller(house.honest) as honest:
        of = await keyed(caller)
        forged = pb.RedeemRequest(round=of.encoded, tokens=[os.urandom(64)] * 2, batches=[b"b" * 32] * 2)
        reply = pb.RedeemReply.FromString(await caller.send("Redeem", forged.SerializeToString()))
        assert reply.good == b"\0\0"
        with refused("not-drawn"):
            await honest.send("Redeem", forged.SerializeToString())
        for lie in (
            {"tokens": []},
            {"tokens": [b"t" * 63] * 2},
            {"batches": [b"b"] * 2},
            {"batches": [b"b" * 32]},
        ):
            request = pb.RedeemRequest(
                round=of.encoded,
                tokens=lie.get("tokens", [b"t" * 64] * 2),
                batches=lie.get("batches", [b"b" * 32] * 2),
            )
            with refused("malformed"):
                await caller.send("Redeem", request.SerializeToString())


HEADS = {
    "another stage": ({"stage": "more"}, "malformed"),
    "no digest": ({"digest": b""}, "malformed"),
    "no bytes": ({"size": 0}, "malformed"),
    "far too many bytes": ({"size": 1 << 50}, "malformed"),
    "more than our limit": ({"size": 1 << 30}, "too-large"),
    "another signature": ({"signature": b"s" * 64}, "aborted"),
    "half a root": ({"root": bytes(16)}, "malformed"),
    "no root": ({"root": b""}, "malformed"),
    "no announcements": ({"keys": []}, "malformed"),
    "another announcement": ({"keys": [pb.SignedWord(body=b"b", signature=bytes(64))] * 3}, "malformed"),
    "too many announcements": ({"keys": [pb.SignedWord(body=b"b", signature=bytes(64))] * 200}, "malformed"),
    "a long announcement": (
        {"keys": [pb.SignedWord(body=bytes(5000), signature=bytes(64))] * 3},
        "malformed",
    ),
    "a list, from a member": ({"listed": b"l" * 32}, "not-drawn"),
    "no signature": ({"signature": b""}, "malformed"),
    "waits for ever": ({"wait_s": (1 << 32) - 1}, "malformed"),
    "words before there is an outcome": ({"stage": "words", "root": b""}, "aborted"),
}


@pytest.mark.parametrize("lie", HEADS)
async def test_a_deposit_with_a_bad_head(house: House, lie: str) -> None:
    async with house.caller() as caller:
        of, data = await keyed(caller), os.urandom(4000)
        fields, code = HEADS[lie]
        with refused(code):
            await bring(caller, deposit(caller.member, of, data, **fields), *pieces(data))
    assert not list((house.home.path / "discoveries").glob(f"{of.session}/*"))


@pytest.mark.parametrize(
    "spoilt",
    ["another byte", "too few", "too many", "no head", "two heads", "a huge chunk", "an empty chunk"],
)
async def test_a_deposit_with_other_bytes(house: House, spoilt: str) -> None:
    async with house.caller() as caller:
        of, data = await keyed(caller), os.urandom(4000)
        head = deposit(caller.member, of, data)
        requests = {
            "another byte": [head, *pieces(data[:-1] + bytes([data[-1] ^ 1]))],
            "too few": [head, *pieces(data[:-1])],
            "too many": [head, *pieces(data + b"\0")],
            "no head": pieces(data),
            "two heads": [head, head, *pieces(data)],
            "a huge chunk": [head, pb.DepositRequest(chunk=bytes(CHUNK_BYTES + 1))],
            "an empty chunk": [head, pb.DepositRequest(chunk=b"")],
        }[spoilt]
        with refused("malformed"):
            await bring(caller, *requests)
    assert not list((house.home.path / "discoveries").glob(f"{of.session}/*"))


async def test_a_deposit_that_stalls_leaves_nothing(house: House) -> None:
    async with house.caller() as caller:
        of, data = await keyed(caller), os.urandom(4000)
        with refused("aborted"):
            await bring(caller, deposit(caller.member, of, data), *pieces(data[:2000]), close=False)
    assert not list((house.home.path / "discoveries").glob(f"{of.session}/*"))


async def test_a_second_batch(house: House) -> None:
    async with house.caller() as caller:
        of, data = await keyed(caller), os.urandom(4000)
        for _ in range(2):  # the same again is fine
            reply = await bring(caller, deposit(caller.member, of, data), *pieces(data))
            assert pb.DepositReply.FromString(reply) == pb.DepositReply()
        with refused("second-batch"):
            await bring(caller, deposit(caller.member, of, data[::-1]), *pieces(data[::-1]))
    told = [e for e in entries(house.home) if e.session == of.session and str(e.kind) == "refused"]
    assert [(e.peer, e.what["reason"]) for e in told] == [("hostile", "second-batch")]


async def test_a_relay_that_lies_to_the_counter(house: House) -> None:
    async with house.caller() as caller:
        of, data = await keyed(caller, COUNTED), os.urandom(4000)
        identity = node_keys(caller.member.home).identity
        listed = sorted([sha256(data).digest(), os.urandom(32), os.urandom(32)])

        def head(digests: list[bytes], **lies: Any) -> pb.DepositRequest:
            signature = signing.sign_list(identity, of, Stage.BATCHES, digests)
            said = {"listed": b"".join(digests), "signature": signature}
            return deposit(caller.member, of, data, **(said | lies))

        with refused("malformed"):
            await bring(caller, head([os.urandom(32)]), *pieces(data))
        with refused("aborted"):
            await bring(caller, head(listed, signature=b"s" * 64), *pieces(data))
        with refused("aborted"):
            await bring(caller, head([sha256(data).digest()] * 2), *pieces(data))
        with refused("too-few-batches"):
            await bring(caller, head([sha256(data).digest(), os.urandom(32)]), *pieces(data))
        await bring(caller, head(listed), *pieces(data))
        with refused("second-batch"):
            await bring(caller, head([sha256(data).digest(), os.urandom(32), os.urandom(32)]), *pieces(data))
        async with house.caller(house.honest) as honest:
            with refused("not-drawn"):
                await bring(honest, head(listed), *pieces(data))
            with refused("not-drawn"):
                request = pb.OutcomeRequest(round=of.encoded, stage="batches")
                await honest.send("Outcome", request.SerializeToString())


async def test_an_outcome_is_for_those_who_brought_something(house: House) -> None:
    async with house.caller() as caller:
        of = await keyed(caller)
        for lie, code in (
            ({}, "session-unknown"),
            ({"stage": "all"}, "malformed"),
            ({"wait_s": 1 << 31}, "malformed"),
        ):
            request = pb.OutcomeRequest(**({"round": of.encoded, "stage": "batches"} | lie))
            with refused(code):
                await caller.send("Outcome", request.SerializeToString())


async def test_calls_that_wait_are_few(own_house: House) -> None:
    async with own_house.caller() as caller:
        of, data = await keyed(caller), os.urandom(4000)
        await bring(caller, deposit(caller.member, of, data), *pieces(data))
        request = pb.OutcomeRequest(round=of.encoded, stage="batches", wait_s=20).SerializeToString()
        with ExitStack() as stack:
            calls = [caller.stream("Outcome") for _ in range(12)]
            for call in calls:
                stack.callback(call.cancel)
                await call.write(request)
                await call.done_writing()
            await asyncio.to_thread(until, lambda: sum(call.done() for call in calls) >= 4)
            assert {await call.details() for call in calls if call.done()} == {"busy"}
