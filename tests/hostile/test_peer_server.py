"""A hostile member's *server* against our client: the right error, clean text, a true ledger."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import pytest

from exchange.agreement import Rung
from exchange.disclosure import Wish
from exchange.errors import (
    CosightError,
    PeerError,
    PeerExceededLimit,
    PeerMisbehaved,
    PeerRefused,
    PeerUnavailable,
    RosterError,
)
from exchange.indicators import IndicatorType
from exchange.node import Node
from exchange.store.home import verify_ledger
from exchange.v1 import exchange_pb2 as pb
from exchange.v1.frame_pb2 import Frame, Head, Rows, Start
from exchange.v1.psi_voprf_pb2 import Voprf
from tests.e2e.conftest import feed
from tests.e2e.nodes import configure, cosight, entries, import_values, members
from tests.hostile.peer import Member, answering, chunk, encoded, honest_answer

ROWS = 52
"""The class of our fifty indicators; ``PEER`` is that of the answer's hundred."""
PEER = 104
WISH = Wish(rung=Rung.OVERLAP, types=tuple(sorted(IndicatorType)))


@pytest.fixture
def pair(tmp_path):
    ours, theirs = members(tmp_path, "ours", "theirs")
    import_values(ours, feed(*range(1, 11)))
    return ours, Member.of(theirs)


async def fails(pair, kind: type[CosightError], code: str, reason: str = "", **server: Any) -> list[Any]:
    """A match with this server ends so; gives what our ledger says of the session."""
    ours, theirs = pair
    honest: dict[str, Any] = {
        "propose": lambda request, caller: honest_answer(theirs, request, caller),
        "run": nothing,
    }
    async with answering(theirs, **(honest | server)) as address:
        with Node(ours) as node:
            with pytest.raises(kind) as error:
                await node.match("theirs", WISH, address=address)
            assert error.value.code == code
            assert str(error.value).isprintable()
    told = [e for e in entries(ours) if e.session]
    verified = verify_ledger(ours)
    assert verified.ok
    assert verified.open_intents == ()
    if told:
        assert [str(e.kind) for e in told] == ["intent", "aborted"]
        assert told[1].what["reason"] == (reason or code)
        assert told[1].what["by"] == ("peer" if kind is PeerRefused else "us")
    return told


async def nothing(_context: Any) -> None:
    """A run that ends at once."""


def raw(*frames: bytes, hold: bool = False, first: int = 2) -> Callable[[Any], Any]:
    """A run that takes so many of our frames, answers with these, and then ends or holds us up."""

    async def run(context: Any) -> None:
        for _ in range(first):
            await context.read()
        for frame in frames:
            with suppress(grpc.aio.UsageError, grpc.aio.InternalError):
                await context.write(frame)
        if hold:
            await asyncio.sleep(20)

    return run


def evaluated(rows: int = ROWS, key: int = 32, proof: int = 64) -> bytes:
    body = Voprf.Evaluated(public_key=bytes(key), proof=bytes(proof), evaluated=Rows(count=rows, width=32))
    return Frame(head=Head(name="Evaluated", body=body.SerializeToString())).SerializeToString()


@pytest.mark.parametrize(
    "reply",
    [
        b"\xff" * 64,
        b"",
        lambda r: encoded(r)[:-1],
        lambda r: _with(r, nonce=bytes(31)),
        lambda r: _with(r, policy_hash=b""),
        lambda r: _with(r, signature=bytes(63)),
        lambda r: _with(r, software="\x1b[2J"),
        lambda r: _with(r, software="x" * 201),
    ],
    ids=["garbage", "empty", "cut off", "nonce", "policy", "signature", "escape codes", "long text"],
)
async def test_an_answer_that_is_malformed(pair, reply):
    def propose(request: pb.ProposeRequest, caller: str) -> Any:
        return reply if isinstance(reply, bytes) else reply(honest_answer(pair[1], request, caller))

    await fails(pair, PeerMisbehaved, "peer-misbehaved", propose=propose)


def _with(reply: pb.ProposeReply, **lies: Any) -> pb.ProposeReply:
    for name, value in lies.items():
        setattr(reply, name, value)
    return reply


@pytest.mark.parametrize(
    "lies",
    [
        {"signature": bytes(64)},
        {"nonce": bytes(32)},
        {"padded": 1024},
        {"policy_hash": b"x" * 32},
        {"software": "other"},
    ],
    ids=lambda lies: next(iter(lies)),
)
async def test_an_answer_that_is_not_what_was_signed(pair, lies):
    told = await fails(
        pair, PeerMisbehaved, "bad-signature",
        propose=lambda request, caller: honest_answer(pair[1], request, caller, **lies),
    )  # fmt: skip
    assert "bytes_sent" not in told[1].what  # no run was opened


@pytest.mark.parametrize("padded", [0, (1 << 22) + 1, (1 << 64) - 1])
async def test_an_absurd_size(pair, padded):
    await fails(
        pair, PeerExceededLimit, "too-large",
        propose=lambda request, caller: honest_answer(pair[1], request, caller, padded=padded),
    )  # fmt: skip


@pytest.mark.parametrize("lies", [{"signature": bytes(64)}, {"nonce": bytes(32)}], ids=["signature", "nonce"])
async def test_a_greeting_without_the_identity_key(pair, lies):
    told = await fails(pair, PeerMisbehaved, "bad-identity", hello=lambda reply: _greeting(reply, lies))
    assert told == []  # it never came to a proposal


async def test_a_greeting_that_does_not_decode(pair):
    assert await fails(pair, PeerMisbehaved, "peer-misbehaved", hello=lambda _: b"\xff" * 9) == []


@pytest.mark.parametrize("rosters", [[b"none"], [b""] * 16])
async def test_rosters_that_do_not_follow(pair, rosters):
    before = Member.of(pair[0]).alliance.roster()
    told = await fails(
        pair, CosightError, "roster-malformed", hello=lambda reply: _greeting(reply, {"rosters": rosters})
    )
    assert told == []
    assert Member.of(pair[0]).alliance.roster() == before


def _greeting(reply: pb.HelloReply, lies: dict[str, Any]) -> pb.HelloReply:
    for name, value in lies.items():
        if isinstance(value, list):
            getattr(reply, name).extend(value)
        else:
            setattr(reply, name, value)
    return reply


RUNS = {
    "a start": Frame(start=Start()).SerializeToString(),
    "a chunk": chunk(bytes(ROWS * 32)),
    "nothing": b"",
    "no protobuf": b"\xff" * 64,
    "cut off": evaluated()[:-1],
    "another message": Frame(head=Head(name="Tags", body=b"")).SerializeToString(),
    "ten to the ninth rows": evaluated(rows=10**9),
    "one row less": evaluated(rows=ROWS - 1),
    "a short key": evaluated(key=31),
    "a long proof": evaluated(proof=65),
}


@pytest.mark.parametrize("frame", RUNS.values(), ids=RUNS)
async def test_a_frame_that_was_not_due(pair, frame):
    await fails(pair, PeerMisbehaved, "peer-misbehaved", run=raw(frame, hold=True))


@pytest.mark.parametrize(
    "rows",
    [b"", bytes(ROWS * 32 - 1), bytes(ROWS * 32 + 1), bytes(ROWS * 32), b"\xff" * ROWS * 32, bytes(1 << 20)],
    ids=["none", "less", "more", "zeros", "ones", "a mebibyte"],
)  # fmt: skip
async def test_rows_that_are_none(pair, rows):
    await fails(pair, PeerMisbehaved, "peer-misbehaved", run=raw(evaluated(), chunk(rows), hold=True))


async def test_a_stalled_run(pair):
    ours, theirs = pair
    await fails((configure(ours, idle_s=3), theirs), PeerUnavailable, "peer-stalled", run=raw(hold=True))


@pytest.mark.parametrize("first", [0, 1, 2])
async def test_a_run_that_ends_early(pair, first):
    await fails(pair, PeerUnavailable, "peer-closed", run=raw(first=first))


@pytest.mark.parametrize(
    ("status", "details", "kind", "code"),
    [
        (grpc.StatusCode.ABORTED, "aborted", PeerRefused, "aborted"),
        (grpc.StatusCode.NOT_FOUND, "session-unknown", PeerRefused, "session-unknown"),
        (grpc.StatusCode.ABORTED, "\x1b[2J you have been had", PeerUnavailable, "peer-unavailable"),
        (grpc.StatusCode.ABORTED, "policy-refused", PeerUnavailable, "peer-unavailable"),
        (grpc.StatusCode.CANCELLED, "", PeerUnavailable, "peer-unavailable"),
        (grpc.StatusCode.INTERNAL, "aborted", PeerUnavailable, "peer-unavailable"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", PeerUnavailable, "peer-stalled"),
    ],
)
async def test_a_status_of_its_own(pair, status, details, kind, code):
    async def run(context: Any) -> None:
        for _ in range(2):
            await context.read()
        await context.abort(status, details)

    await fails(pair, kind, code, run=run)


async def test_a_run_that_is_refused_while_we_send(pair):
    """gRPC may lose the peer's status then; the ledger and the operator still hear that the peer ended it."""

    async def run(context: Any) -> None:
        await context.abort(grpc.StatusCode.ABORTED, "aborted")

    ours, theirs = pair
    async with answering(
        theirs, propose=lambda request, caller: honest_answer(theirs, request, caller), run=run
    ) as address:
        with Node(ours) as node, pytest.raises(PeerError) as error:
            await node.match("theirs", WISH, address=address)
    assert error.value.code in {"aborted", "peer-closed"}
    assert [e.what["reason"] for e in entries(ours) if e.kind == "aborted"] == [error.value.code]


async def test_it_is_revoked_in_the_middle_of_a_run(pair, tmp_path):
    """We take nothing more from it, and send it nothing more."""

    async def run(context: Any) -> None:
        await context.read()
        revoke = ("alliance", "revoke", "theirs", "--yes", "--out", str(tmp_path / "approval"))
        await asyncio.to_thread(cosight, pair[0], *revoke)
        await context.write(encoded(Frame(head=Head(name="Evaluated"))))

    (_, aborted) = await fails(pair, RosterError, "unknown-member", run=run)
    assert aborted.what["messages_sent"] == 1
