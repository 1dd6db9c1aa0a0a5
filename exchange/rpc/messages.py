"""Between the protobuf of the calls and the words of the use case. Every field is checked on the way in."""

from typing import TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message as Protobuf

from crypto.psi import Output
from exchange.agreement import Rung, Stage
from exchange.disclosure import Answer, Proposal
from exchange.errors import PeerMisbehaved, SessionRefused
from exchange.indicators import IndicatorType
from exchange.v1 import exchange_pb2 as pb

P = TypeVar("P", bound=Protobuf)
TEXT = 200
HASH_BYTES = 32
NONCE_BYTES = 32
SIGNATURE_BYTES = 64


def parse(kind: type[P], data: bytes) -> P:
    """What a call carries. Unknown fields are let pass: a newer peer may say more.

    Raises:
        SessionRefused: it does not decode.
    """
    try:
        return kind.FromString(data)
    except ProtobufDecodeError as e:
        raise SessionRefused("what came does not decode") from e


def proposal_to_wire(p: Proposal) -> pb.ProposeRequest:
    """The request that carries a proposal."""
    return pb.ProposeRequest(
        session=p.session,
        roster_epoch=p.roster_epoch,
        roster_hash=p.roster_hash,
        rung=str(p.rung),
        output=str(p.output),
        protocol=p.protocol,
        profile=p.profile,
        types=[str(t) for t in p.types],
        padded=p.padded,
        stat_sec=p.stat_sec,
        purpose=p.purpose,
        policy_hash=p.policy_hash,
        software=p.software,
        deadline_s=p.deadline_s,
        stage=str(p.stage),
        correlation=p.correlation,
    )


def proposal_from_wire(m: pb.ProposeRequest) -> Proposal:
    """The proposal in a request.

    Raises:
        SessionRefused: it is malformed.
    """
    if (
        len(m.session) != NONCE_BYTES
        or len(m.roster_hash) != HASH_BYTES
        or len(m.policy_hash) != HASH_BYTES
        or max(map(len, (m.purpose, m.software, m.profile, m.protocol))) > TEXT
        or not (m.purpose + m.software + m.profile + m.protocol).isprintable()
        or not 0 < len(m.types) <= len(IndicatorType)
        or len(set(m.types)) != len(m.types)
        or len(m.correlation) != NONCE_BYTES * (m.stage == Stage.ONLINE)
        or not 40 <= m.stat_sec <= 128  # noqa: PLR2004  the range that Params accepts
    ):
        raise SessionRefused("the proposal is malformed")
    try:
        return Proposal(
            session=m.session,
            roster_epoch=m.roster_epoch,
            roster_hash=m.roster_hash,
            rung=Rung(m.rung),
            output=Output(m.output),
            protocol=m.protocol,
            profile=m.profile,
            types=tuple(sorted(IndicatorType(t) for t in m.types)),
            padded=m.padded,
            stat_sec=m.stat_sec,
            purpose=m.purpose,
            policy_hash=m.policy_hash,
            software=m.software,
            deadline_s=m.deadline_s,
            stage=Stage(m.stage),
            correlation=m.correlation,
        )
    except ValueError as e:
        raise SessionRefused(
            "the proposal names a rung, an output, a stage or a type that does not exist"
        ) from e


def answer_to_wire(a: Answer) -> pb.ProposeReply:
    """The reply that carries an answer."""
    return pb.ProposeReply(
        nonce=a.nonce, padded=a.padded, policy_hash=a.policy_hash, software=a.software, signature=a.signature
    )


def answer_from_wire(m: pb.ProposeReply) -> Answer:
    """The answer in a reply.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    if (
        len(m.nonce) != NONCE_BYTES
        or len(m.policy_hash) != HASH_BYTES
        or len(m.signature) != SIGNATURE_BYTES
        or len(m.software) > TEXT
        or not m.software.isprintable()
    ):
        raise PeerMisbehaved("the peer's answer is malformed")
    return Answer(
        nonce=m.nonce, padded=m.padded, policy_hash=m.policy_hash, software=m.software, signature=m.signature
    )
