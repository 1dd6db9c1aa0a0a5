"""Between the protobuf of the calls and the words of the use case. Every field is checked on the way in."""

from collections.abc import Collection
from typing import TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message as Protobuf

from crypto.psi import Output
from exchange.agreement import MAX_REVISION, OVER, Rung, Stage
from exchange.disclosure import MAX_PROOF, Answer, Proposal, Settled, Settlement, Standing
from exchange.errors import PeerMisbehaved, SessionRefused
from exchange.indicators import IndicatorType
from exchange.v1 import exchange_pb2 as pb

P = TypeVar("P", bound=Protobuf)
TEXT = 200
NOTE = 8192
"""Longest checkpoint, and longest entry of a log, in bytes."""
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


def proposal_to_wire(p: Proposal, standing: Standing) -> pb.ProposeRequest:
    """The request that carries a proposal, and shows our log."""
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
        below=p.below,
        policy_revision=p.policy_revision,
        standing=shown_to_wire(standing),
        base=p.base,
        initiator_new=p.initiator_new,
        over=p.over,
        turned=p.turned,
    )


def proposal_from_wire(m: pb.ProposeRequest) -> tuple[Proposal, Standing]:
    """The proposal in a request, and the log that its sender shows.

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
        or len(m.below) not in {0, NONCE_BYTES}
        or len(m.base) not in {0, NONCE_BYTES}
        or m.initiator_new > (m.padded if m.base else 0)
        or m.policy_revision > MAX_REVISION
        or not (m.over in OVER if m.rung == Rung.SUM else m.over == "")
        or not 40 <= m.stat_sec <= 128  # noqa: PLR2004  the range that Params accepts
    ):
        raise SessionRefused("the proposal is malformed")
    try:
        shown = shown_from_wire(m.standing)
        proposal = Proposal(
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
            below=m.below,
            policy_revision=m.policy_revision,
            base=m.base,
            initiator_new=m.initiator_new,
            over=m.over,
            turned=m.turned,
        )
    except PeerMisbehaved as e:
        raise SessionRefused("the proposal shows no log that can be read") from e
    except ValueError as e:
        raise SessionRefused(
            "the proposal names a rung, an output, a stage or a type that does not exist"
        ) from e
    return proposal, shown


def answer_to_wire(a: Answer) -> pb.ProposeReply:
    """The reply that carries an answer."""
    return pb.ProposeReply(
        nonce=a.nonce, padded=a.padded, policy_hash=a.policy_hash, software=a.software, signature=a.signature,
        policy_revision=a.policy_revision, set=a.set, responder_new=a.responder_new,
        label_bytes=a.label_bytes, bands=a.bands, epsilon_milli=a.epsilon_milli,
    )  # fmt: skip


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
        or len(m.set) not in {0, HASH_BYTES}
        or m.policy_revision > MAX_REVISION
    ):
        raise PeerMisbehaved("the peer's answer is malformed")
    return Answer(
        nonce=m.nonce, padded=m.padded, policy_hash=m.policy_hash, software=m.software, signature=m.signature,
        policy_revision=m.policy_revision, set=m.set, responder_new=m.responder_new,
        label_bytes=m.label_bytes, bands=tuple(m.bands), epsilon_milli=m.epsilon_milli,
    )  # fmt: skip


def shown_to_wire(s: Standing) -> pb.Standing:
    """The log that we show."""
    return pb.Standing(
        note=s.note.encode(), old_size=s.old_size, consistency=s.consistency,
        commitment=s.commitment, inclusion=s.inclusion,
    )  # fmt: skip


def shown_from_wire(m: pb.Standing) -> Standing:
    """The log that a peer shows.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    if len(m.note) > NOTE or len(m.commitment) > NOTE or not _is_proof(m.consistency, m.inclusion):
        raise PeerMisbehaved("what the peer shows of its log is malformed")
    return Standing(
        note=m.note.decode(errors="replace"), old_size=m.old_size, consistency=tuple(m.consistency),
        commitment=m.commitment, inclusion=tuple(m.inclusion),
    )  # fmt: skip


def settlement_to_wire(s: Settlement) -> pb.SettleRequest:
    """The request for a receipt."""
    return pb.SettleRequest(
        session=s.session, part=s.part, signature=s.signature, old_size=s.old_size,
        consistency=s.consistency, log_size=s.log_size,
    )  # fmt: skip


def settlement_from_wire(m: pb.SettleRequest) -> Settlement:
    """The request for a receipt, as it came.

    Raises:
        SessionRefused: it is malformed.
    """
    sizes = (len(m.session), len(m.signature))
    if sizes != (NONCE_BYTES, SIGNATURE_BYTES) or not _is_proof(m.consistency):
        raise SessionRefused("the request for a receipt is malformed")
    return Settlement(
        session=m.session, part=m.part, signature=m.signature, old_size=m.old_size,
        consistency=tuple(m.consistency), log_size=m.log_size,
    )  # fmt: skip


def settled_to_wire(s: Settled) -> pb.SettleReply:
    """The reply that carries a receipt."""
    return pb.SettleReply(receipt=s.receipt, consistency=s.consistency)


def settled_from_wire(m: pb.SettleReply) -> Settled:
    """The receipt in a reply; whoever asked for it checks it.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    if not _is_proof(m.consistency):
        raise PeerMisbehaved("the peer's receipt is malformed")
    return Settled(receipt=m.receipt, consistency=tuple(m.consistency))


def _is_proof(*proofs: Collection[bytes]) -> bool:
    return all(len(p) <= MAX_PROOF and {len(h) for h in p} <= {HASH_BYTES} for p in proofs)
