"""What comes over the wire about a published filter: its one form, and a typed error for all else."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from exchange.disclosure.questions import CHUNK_BYTES, Evaluated, Questions, Served, Wanted
from exchange.disclosure.shelf import Published
from exchange.errors import PeerMisbehaved, SessionRefused
from exchange.policy import Admission, Offer
from exchange.rpc import filters
from exchange.rpc.client import WAITS_S, PeerLink
from exchange.rpc.status import STATUS
from exchange.v1 import exchange_pb2 as pb
from tests.exchange.test_publication import MADE

WANTED = Wanted(session=bytes(32), signature=bytes(64), have=bytes(32), partial=bytes(32), offset=7)
QUESTIONS = Questions(
    session=bytes(32), signature=bytes(64), blinded=np.arange(96, dtype=np.uint8).reshape(3, 32),
    buckets=(5, 1), done=True,
)  # fmt: skip
EVALUATED = Evaluated(
    evaluated=QUESTIONS.blinded, proof=bytes(64),
    buckets=(np.zeros((2, 16), np.uint8), np.zeros((0, 16), np.uint8)),
)  # fmt: skip
PUBLISHED = Published(
    publication=MADE, signature=bytes(64), audience=("bob",), admission=Admission(), offer=Offer()
)


def served(**what) -> Served:
    return Served(**({"published": PUBLISHED, "form": "whole", "size": MADE.size} | what))


def test_requests_survive_the_wire():
    assert filters.wanted_from_wire(filters.wanted_to_wire(WANTED)) == WANTED
    again = filters.questions_from_wire(filters.questions_to_wire(QUESTIONS))
    assert np.array_equal(again.blinded, QUESTIONS.blinded)
    assert replace(again, blinded=QUESTIONS.blinded) == QUESTIONS
    assert again.spoken() == QUESTIONS.spoken()


def test_answers_survive_the_wire():
    again = filters.evaluated_from_wire(filters.evaluated_to_wire(EVALUATED), QUESTIONS)
    assert again.spoken() == EVALUATED.spoken()
    described = filters.described_from_wire(filters.served_to_wire(served(size=9, offset=4)))
    assert (described.publication, described.form, described.size, described.offset) == (MADE, "whole", 9, 4)


@pytest.mark.parametrize(
    "lies",
    [
        {"session": bytes(31)}, {"signature": bytes(63)}, {"have": bytes(1)}, {"partial": bytes(33)},
        {"offset": 1 << 40},
    ],
)  # fmt: skip
def test_a_request_for_a_filter_that_is_malformed(lies):
    with pytest.raises(SessionRefused):
        filters.wanted_from_wire(filters.wanted_to_wire(replace(WANTED, **lies)))


@pytest.mark.parametrize(
    "lies",
    [
        {"session": bytes(33)}, {"signature": b""}, {"blinded": bytes(33)}, {"blinded": bytes(32 * 257)},
        {"buckets": [1, 1]}, {"buckets": range(65)},
    ],
)  # fmt: skip
def test_questions_that_are_malformed(lies):
    message = filters.questions_to_wire(QUESTIONS)
    honest = {name: getattr(message, name) for name in ("session", "signature", "blinded", "buckets", "done")}
    with pytest.raises(SessionRefused):
        filters.questions_from_wire(pb.AskRequest(**(honest | lies)))


@pytest.mark.parametrize(
    "lies",
    [
        {"evaluated": bytes(64)}, {"evaluated": bytes(128)}, {"proof": b""}, {"proof": bytes(65)},
        {"buckets": []}, {"buckets": [b"", b"", b""]}, {"buckets": [bytes(15), b""]},
        {"buckets": [bytes((1 << 20) + 16), b""]},
    ],
)  # fmt: skip
def test_answers_that_are_malformed(lies):
    message = filters.evaluated_to_wire(EVALUATED)
    honest = {name: getattr(message, name) for name in ("evaluated", "proof", "buckets")}
    with pytest.raises(PeerMisbehaved):
        filters.evaluated_from_wire(pb.AskReply(**(honest | lies)), QUESTIONS)


def test_a_proof_of_nothing_is_malformed():
    nothing = replace(QUESTIONS, blinded=QUESTIONS.blinded[:0], buckets=())
    with pytest.raises(PeerMisbehaved):
        filters.evaluated_from_wire(pb.AskReply(proof=bytes(64)), nothing)
    assert len(filters.evaluated_from_wire(pb.AskReply(), nothing).evaluated) == 0


@pytest.mark.parametrize(
    "lies",
    [
        {"form": "parts"}, {"signature": b""}, {"publication": b""}, {"publication": MADE.encoded[:-1]},
        {"size": MADE.size + 1}, {"offset": MADE.size + 1}, {"form": "nothing"},
    ],
)  # fmt: skip
def test_a_description_that_is_malformed(lies):
    message = filters.served_to_wire(served()).described
    honest = {name: getattr(message, name) for name in ("publication", "signature", "form", "size", "offset")}
    with pytest.raises(PeerMisbehaved):
        filters.described_from_wire(pb.DownloadReply(described=pb.Described(**(honest | lies))))


@pytest.mark.parametrize(
    "message",
    [
        pb.DownloadReply(), pb.DownloadReply(chunk=b""), pb.DownloadReply(chunk=bytes((1 << 20) + 1)),
        filters.served_to_wire(served()),
    ],
)  # fmt: skip
def test_a_chunk_that_is_malformed(message):
    with pytest.raises(PeerMisbehaved):
        filters.chunk_from_wire(message)
    if message.WhichOneof("kind") != "described":
        with pytest.raises(PeerMisbehaved):
            filters.described_from_wire(message)


def test_a_file_comes_in_pieces_and_is_closed():
    data = bytes(range(256)) * 1024
    file = BytesIO(data)
    pieces = [reply.chunk for reply in filters.chunks(served(size=len(data), file=file))]
    assert b"".join(pieces) == data
    assert {len(piece) for piece in pieces} == {CHUNK_BYTES}
    assert file.closed
    assert list(filters.chunks(served(form="nothing", size=0))) == []


def test_a_file_that_is_shorter_than_it_was():
    with pytest.raises(SessionRefused) as caught:
        list(filters.chunks(served(size=10, file=BytesIO(b"123"))))
    assert caught.value.code == "not-ready"


async def test_a_busy_peer_is_asked_again(monkeypatch):
    from exchange.errors import PeerRefused  # noqa: PLC0415
    from exchange.rpc import client  # noqa: PLC0415

    assert STATUS["busy"]
    monkeypatch.setattr(client, "WAITS_S", (0.0,) * len(WAITS_S))
    link, tries = PeerLink.__new__(PeerLink), []

    async def unary(_method, _request, _reply):
        tries.append(1)
        if len(tries) < 4:
            raise PeerRefused("busy", code="busy" if len(tries) < 3 else "lease-spent")
        return filters.evaluated_to_wire(EVALUATED)

    monkeypatch.setattr(link, "_unary", unary)
    with pytest.raises(PeerRefused) as caught:
        await link.ask(QUESTIONS)
    assert (caught.value.code, len(tries)) == ("lease-spent", 3)
    assert (await link.ask(QUESTIONS)).spoken() == EVALUATED.spoken()
