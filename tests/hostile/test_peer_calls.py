"""A hostile member's greetings and proposals against a real node: one code each, and nothing learned."""

import asyncio
import secrets

import grpc
import pytest

from crypto.psi import DISCOVERED
from exchange.rpc.status import STATUS
from exchange.store.home import verify_ledger
from exchange.v1 import exchange_pb2 as pb
from tests.e2e.nodes import cosight, entries, serve
from tests.hostile.conftest import House, build
from tests.hostile.peer import chunk, head, refused

MALFORMED = [
    {"session": b""},
    {"session": bytes(31)},
    {"session": bytes(33)},
    {"roster_hash": bytes(31)},
    {"policy_hash": bytes(33)},
    {"rung": "everything"},
    {"rung": ""},
    {"output": "nobody"},
    {"types": []},
    {"types": ["ipv4", "ipv4"]},
    {"types": ["passport"]},
    {"types": ["ipv4"] * 10_000},
    {"stat_sec": 39},
    {"stat_sec": 129},
    {"stat_sec": (1 << 32) - 1},
    {"purpose": "x" * 201},
    {"purpose": "x" * (1 << 20)},
    {"purpose": "\x1b[31m"},
    {"software": "two\nlines"},
    {"profile": "p" * 201},
    {"protocol": "p" * 201},
    {"over": "sightings"},
    {"rung": "sum", "protocol": "sum"},
    {"rung": "sum", "protocol": "sum", "over": "names"},
    {"base": bytes(31)},
    {"base": bytes(32), "initiator_new": 1 << 40},
    {"initiator_new": 32},
]
DECIDED = [
    ("roster-mismatch", {"roster_epoch": 99}),
    ("roster-mismatch", {"roster_hash": bytes(32)}),
    ("profile-mismatch", {"profile": "cti-c14n/2"}),
    ("profile-mismatch", {"profile": ""}),
    ("protocol-unknown", {"protocol": "plain"}),
    ("protocol-unknown", {"protocol": "__init__"}),
    ("protocol-unknown", {"protocol": "../voprf"}),
    ("too-large", {"padded": 0}),
    ("too-large", {"padded": 10**9}),
    ("too-large", {"padded": (1 << 64) - 1}),
    ("too-large", {"deadline_s": 0}),
    ("too-large", {"deadline_s": (1 << 32) - 1}),
    ("malformed", {"rung": "context"}),
    ("malformed", {"rung": "context", "protocol": "voprf-context", "turned": True}),
    ("malformed", {"rung": "cardinality", "protocol": "cardinality-noisy", "turned": True}),
    ("malformed", {"base": bytes(32), "initiator_new": 32}),
    ("malformed", {"protocol": "voprf-epoch", "base": bytes(32)}),
    ("state-unknown", {"protocol": "voprf-epoch", "base": bytes(32), "initiator_new": 32}),
    ("malformed", {"rung": "cardinality"}),
    ("malformed", {"protocol": "cardinality"}),
    ("malformed", {"rung": "cardinality", "protocol": "cardinality", "output": "both"}),
]


def named(value) -> str:
    return ",".join(f"{k}={v!r:.12}" for k, v in value.items()) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("lies", MALFORMED, ids=named)
async def test_a_malformed_proposal(house: House, lies):
    before = len(entries(house.home))
    async with house.caller() as caller:
        with refused("malformed"):
            await caller.propose(house.hostile.proposal(**lies))
    assert len(entries(house.home)) == before


@pytest.mark.parametrize(("code", "lies"), DECIDED, ids=named)
async def test_a_proposal_that_is_not_accepted(house: House, code, lies):
    request = house.hostile.proposal(**lies)
    async with house.caller() as caller:
        with refused(code):
            await caller.propose(request)
    assert house.story(request.session) == [("refused", code)]


@pytest.mark.parametrize("method", ["Hello", "Propose"])
async def test_bytes_that_do_not_decode(house: House, method):
    async with house.caller() as caller:
        for data in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05abc", b""):
            with refused("malformed"):
                await caller.send(method, data)


async def test_a_proposal_cut_anywhere(house: House):
    whole = house.hostile.proposal().SerializeToString()
    before = len(entries(house.home))
    async with house.caller() as caller:
        for length in range(0, len(whole), 7):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await caller.send("Propose", whole[:length])
            assert STATUS[error.value.details()] is error.value.code()
    assert not [e for e in entries(house.home)[before:] if e.kind != "refused"]


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": b""},
        {"nonce": bytes(33)},
        {"rosters": [b"x"] * 17},
        {"rosters": [bytes(1 << 19)] * 3},
    ],
    ids=named,
)
async def test_a_malformed_greeting(house: House, lies):
    async with house.caller() as caller:
        with refused("malformed"):
            await caller.hello(**lies)


async def test_rosters_that_are_none_change_nothing(house: House):
    before = house.honest.alliance.roster()
    async with house.caller() as caller:
        for rosters in (
            [b"no roster"],
            [b""],
            [secrets.token_bytes(4096)] * 16,
            [house.hostile.alliance.signed()[0][:-1]],
        ):
            reply = await caller.hello(rosters=rosters)
            assert (reply.roster_epoch, reply.roster_hash) == before


async def test_a_message_over_the_limit_of_the_transport(house: House):
    async with house.caller() as caller:
        for method in ("Hello", "Propose"):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await caller.send(method, bytes(64 << 20))
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_method_that_does_not_exist(house: House):
    async with house.caller() as caller:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await caller.send("Give", b"")
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_session_proposed_twice(house: House):
    request = house.hostile.proposal()
    async with house.caller() as caller:
        await caller.propose(request)
        with refused("session-replayed"):
            await caller.propose(request)
    async with house.caller(house.honest) as other:
        with refused("session-replayed"):
            await other.propose(request)


async def test_a_session_run_twice(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree()
        start = house.hostile.start(agreement)
        with refused("aborted"):
            await caller.attempt(start, head(), chunk(bytes(1024 * 32)))
        with refused("session-replayed"):
            await caller.attempt(start, head(), chunk(bytes(1024 * 32)))
    assert [kind for kind, _ in house.story(agreement.initiator_nonce)] == ["intent", "aborted"]


async def test_a_session_replayed_after_a_restart(tmp_path):
    home, honest, hostile = build(tmp_path)
    with serve(home) as node:
        async with House(home, node, honest, hostile).caller() as caller:
            request = hostile.proposal()
            await caller.propose(request)
            left_open = await caller.agree()
            node.kill()
    with serve(home) as node:
        house = House(home, node, honest, hostile)
        async with house.caller() as caller:
            with refused("session-replayed"):
                await caller.propose(request)
            with refused("session-replayed"):
                await caller.attempt(hostile.start(left_open))
        assert house.story(left_open.initiator_nonce) == [("intent", "")]
        assert (await house.match()).matches
    assert verify_ledger(home).ok


async def test_a_run_without_a_proposal(house: House):
    async with house.caller() as caller:
        agreement = await caller.agree()
        stranger = house.hostile.proposal().session
        start = house.hostile.start(agreement).replace(agreement.initiator_nonce, stranger)
        with refused("session-unknown"):
            await caller.attempt(start)
    assert house.story(stranger) == []


async def test_another_members_session_is_not_for_the_taking(house: House):
    async with house.caller(house.honest) as owner, house.caller() as thief:
        agreement = await owner.agree()
        with refused("session-replayed"):
            await thief.attempt(house.hostile.start(agreement))
        with refused("aborted"):  # still there for its owner, who now sends nothing valid
            await owner.attempt(house.honest.start(agreement), head(), chunk(bytes(1024 * 32)))
    assert house.story(agreement.initiator_nonce) == [("intent", ""), ("aborted", "peer-misbehaved")]


async def test_a_flood_of_proposals(own_house: House):
    async with own_house.caller() as caller:
        sessions = [(await caller.agree()).initiator_nonce for _ in range(2)]
        for _ in range(150):
            with refused("busy"):
                await caller.propose(own_house.hostile.proposal())
    told = [e for e in entries(own_house.home) if e.kind == "refused"]
    assert len(told) == 100  # the rest is in the log: a peer cannot fill our disk
    assert {e.what["reason"] for e in told} == {"busy"}
    assert [own_house.story(s) for s in sessions] == [[("intent", "")]] * 2


async def test_calls_that_are_given_up_at_once(own_house: House):
    """Neither an offer nor a place is lost to a caller that cancels whatever it begins."""
    async with own_house.caller() as caller:
        for pause in (0, 0.001, 0.003, 0.01, 0.02) * 4:
            task = asyncio.create_task(caller.propose(own_house.hostile.proposal()))
            await asyncio.sleep(pause)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert len([e for e in entries(own_house.home) if e.kind == "intent"]) <= 2  # both places at most


async def test_what_is_no_tls_at_all(house: House):
    host, _, port = house.node.address.rpartition(":")
    for data in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        secrets.token_bytes(1 << 16),
        b"",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        try:
            writer.write_eof()
            async with asyncio.timeout(5):
                await reader.read()
        except (OSError, TimeoutError):
            pass
        writer.close()


async def test_an_honest_greeting_says_who_it_is(house: House):
    async with house.caller() as caller:
        reply = await caller.hello()
    assert isinstance(reply, pb.HelloReply)
    assert reply.protocols == sorted(DISCOVERED)


LOG_LIES = {
    "nothing": {"note": b""},
    "another's": {
        "note": b"cosight/other/acme\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 cosight/other/acme AAAA\n"
    },
    "not text": {"note": b"\xff\xfe"},
    "a commitment that is no entry": {"commitment": b"\x00"},
    "a proof that shows nothing": {"consistency": [bytes(32)] * 3},
}


@pytest.mark.parametrize("lie", LOG_LIES)
async def test_a_log_that_is_not_what_it_should_be(house: House, lie):
    async with house.caller() as caller:
        honest = house.hostile.standing((await caller.hello()).log_size)
        request = house.hostile.proposal()
        request.standing.CopyFrom(honest)
        for name, value in LOG_LIES[lie].items():
            if isinstance(value, list):
                del request.standing.consistency[:]
                request.standing.consistency.extend(value)
            else:
                setattr(request.standing, name, value)
        with refused("log-refused"):
            await caller.propose(request)
        assert [e.kind for e in entries(house.home)][-3:] == ["alarm", "quarantine", "refused"]
        with refused("policy-refused"):
            await caller.propose(house.hostile.proposal())
    await asyncio.to_thread(forgive, house)


def forgive(house: House) -> None:
    """The node is everybody's in this file: the next test finds the caller out of quarantine."""
    cosight(house.home, "policy", "lift", house.hostile.id, "--reason", "another-test")


@pytest.mark.parametrize("field", ["consistency", "inclusion"])
async def test_a_proof_that_is_malformed(house: House, field):
    for proof in ([bytes(31)], [bytes(32)] * 1000):
        request = house.hostile.proposal()
        request.standing.CopyFrom(house.hostile.standing(0))
        getattr(request.standing, field).extend(proof)
        async with house.caller() as caller:
            with refused("malformed"):
                await caller.propose(request)


async def test_a_receipt_that_nobody_owes(house: House):
    async with house.caller() as caller:
        for data in (b"\xff", pb.SettleRequest().SerializeToString()):
            with refused("malformed"):
                await caller.send("Settle", data)
        unknown = pb.SettleRequest(session=bytes(32), signature=bytes(64))
        with refused("session-unknown"):
            await caller.send("Settle", unknown.SerializeToString())
        waiting = await caller.agree()
        asked = pb.SettleRequest(session=waiting.initiator_nonce, signature=bytes(64))
        with refused("not-ready"):
            await caller.send("Settle", asked.SerializeToString())
        over = await caller.agree(rung="size")
        for part in (b"", b"\xa0", bytes(5000), b"\xff" * 100):
            asked = pb.SettleRequest(session=over.initiator_nonce, signature=bytes(64), part=part)
            with refused("receipt-refused"):
                await caller.send("Settle", asked.SerializeToString())
    last = [e.kind for e in entries(house.home)][-6:]
    assert "receipt" not in last
    assert last.count("quarantine") == 1
    await asyncio.to_thread(forgive, house)
