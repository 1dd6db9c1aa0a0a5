"""Between the protobuf of the calls about a published filter and the words of the use case."""

from collections.abc import Iterator

import numpy as np

from crypto.filters import TAG_BYTES
from crypto.group import ELEMENT_BYTES
from crypto.oprf import PROOF_BYTES
from crypto.rows import Rows
from exchange.disclosure.questions import (
    CHUNK_BYTES,
    MAX_BUCKETS,
    MAX_QUESTIONS,
    Described,
    Evaluated,
    Questions,
    Served,
    Wanted,
)
from exchange.errors import PeerMisbehaved, SessionRefused
from exchange.publication import MAX_FILE_BYTES, Publication
from exchange.rpc.messages import HASH_BYTES, NONCE_BYTES, SIGNATURE_BYTES
from exchange.v1 import exchange_pb2 as pb

FORMS = {"nothing", "delta", "whole"}
MAX_CHUNK_BYTES = MAX_BUCKET_BYTES = 1 << 20
"""Tags of one bucket: far more than bad luck can bring together."""


def wanted_to_wire(w: Wanted) -> pb.DownloadRequest:
    """The request for a filter."""
    return pb.DownloadRequest(
        session=w.session, signature=w.signature, have=w.have, partial=w.partial, offset=w.offset
    )


def wanted_from_wire(m: pb.DownloadRequest) -> Wanted:
    """The request for a filter, as it came.

    Raises:
        SessionRefused: it is malformed.
    """
    sizes = len(m.session), len(m.signature)
    files = {len(m.have), len(m.partial)}
    if sizes != (NONCE_BYTES, SIGNATURE_BYTES) or not files <= {0, HASH_BYTES} or m.offset > MAX_FILE_BYTES:
        raise SessionRefused("the request for a filter is malformed")
    return Wanted(session=m.session, signature=m.signature, have=m.have, partial=m.partial, offset=m.offset)


def served_to_wire(s: Served) -> pb.DownloadReply:
    """The first message of a download."""
    described = pb.Described(
        publication=s.published.publication.encoded, signature=s.published.signature,
        form=s.form, size=s.size, offset=s.offset,
    )  # fmt: skip
    return pb.DownloadReply(described=described)


def described_from_wire(m: pb.DownloadReply) -> Described:
    """The first message of a download, as it came.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    d = m.described
    if m.WhichOneof("kind") != "described" or d.form not in FORMS or len(d.signature) != SIGNATURE_BYTES:
        raise PeerMisbehaved("the peer's download is malformed")
    publication = Publication.from_bytes(d.publication)
    if d.size > publication.size or d.offset > publication.size or (d.form == "nothing" and d.size):
        raise PeerMisbehaved("the peer's download is malformed")
    return Described(
        publication=publication, signature=d.signature, form=d.form, size=d.size, offset=d.offset
    )


def chunk_from_wire(m: pb.DownloadReply) -> bytes:
    """What comes after.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    if m.WhichOneof("kind") != "chunk" or not 0 < len(m.chunk) <= MAX_CHUNK_BYTES:
        raise PeerMisbehaved("the peer's download is malformed")
    return m.chunk


def questions_to_wire(q: Questions) -> pb.AskRequest:
    """The request that carries questions."""
    return pb.AskRequest(
        session=q.session, signature=q.signature, blinded=q.blinded.tobytes(), buckets=q.buckets, done=q.done
    )


def questions_from_wire(m: pb.AskRequest) -> Questions:
    """Questions, as they came.

    Raises:
        SessionRefused: they are malformed, or too many for one call.
    """
    sizes = len(m.session), len(m.signature)
    count, rest = divmod(len(m.blinded), ELEMENT_BYTES)
    if (
        sizes != (NONCE_BYTES, SIGNATURE_BYTES)
        or rest
        or count > MAX_QUESTIONS
        or len(m.buckets) > MAX_BUCKETS
        or len(set(m.buckets)) != len(m.buckets)
    ):
        raise SessionRefused("the questions are malformed")
    return Questions(
        session=m.session, signature=m.signature, blinded=_rows(m.blinded, ELEMENT_BYTES),
        buckets=tuple(m.buckets), done=m.done,
    )  # fmt: skip


def evaluated_to_wire(e: Evaluated) -> pb.AskReply:
    """The reply that carries answers."""
    return pb.AskReply(
        evaluated=e.evaluated.tobytes(), proof=e.proof, buckets=[rows.tobytes() for rows in e.buckets]
    )


def evaluated_from_wire(m: pb.AskReply, asked: Questions) -> Evaluated:
    """Answers to what was asked; whoever asked verifies the proof.

    Raises:
        PeerMisbehaved: they are malformed, or to something else.
    """
    tags = [len(tags) for tags in m.buckets]
    if (
        len(m.evaluated) != asked.blinded.size
        or len(m.proof) != PROOF_BYTES * (len(asked.blinded) > 0)
        or len(tags) != len(asked.buckets)
        or any(size % TAG_BYTES or size > MAX_BUCKET_BYTES for size in tags)
    ):
        raise PeerMisbehaved("the peer's answers are malformed")
    return Evaluated(
        evaluated=_rows(m.evaluated, ELEMENT_BYTES), proof=m.proof,
        buckets=tuple(_rows(tags, TAG_BYTES) for tags in m.buckets),
    )  # fmt: skip


def chunks(served: Served) -> Iterator[pb.DownloadReply]:
    """What follows the first message, read as it is asked for; the file is closed at the end.

    Raises:
        SessionRefused: the file is shorter than it was.
    """
    if served.file is None:
        return
    with served.file as file:
        size = served.size
        while size:
            data = file.read(min(size, CHUNK_BYTES))
            if not data:
                raise SessionRefused("the file of this filter is gone", code="not-ready")
            size -= len(data)
            yield pb.DownloadReply(chunk=data)


def _rows(data: bytes, width: int) -> Rows:
    return np.frombuffer(data, np.uint8).reshape(-1, width)
