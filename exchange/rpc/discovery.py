"""Between the protobuf of the calls of a discovery and the words of the use case. Every field is checked."""

from collections.abc import Iterator

import numpy as np

from crypto.group import ELEMENT_BYTES
from crypto.oprf import PROOF_BYTES
from crypto.rows import Rows
from exchange.aggregation.announced import MAX_ANNOUNCEMENT_BYTES, Signed
from exchange.aggregation.round import HASH_BYTES, MAX_MEMBERS, Round
from exchange.discovery.helping import TOKEN_BYTES
from exchange.discovery.outcome import is_code
from exchange.discovery.proof import MAX_PROOF_BYTES
from exchange.discovery.world import CHUNK_BYTES, Collected, Deposit, Stage, State, pieces
from exchange.errors import PeerMisbehaved, SessionRefused
from exchange.names import is_member_id
from exchange.rpc.messages import SIGNATURE_BYTES
from exchange.v1 import discovery_pb2 as pb

MAX_QUESTIONS = 1 << 14
"""Indicators that one call evaluates."""
MAX_DEPOSIT_BYTES = 1 << 31
MAX_OUTCOME_BYTES = 1 << 30
MAX_WAIT_S = 86_400
MAX_NUMBER = 1 << 40


def keys_from_wire(m: pb.KeysReply) -> Signed:
    """An announcement and its signature, as they came.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    if len(m.announcement) > MAX_ANNOUNCEMENT_BYTES or len(m.signature) != SIGNATURE_BYTES:
        raise PeerMisbehaved("the announced keys are malformed")
    return Signed(m.announcement, m.signature)


def questions_to_wire(epoch: int, declared: int, blinded: Rows) -> pb.EvaluateRequest:
    """The request that carries blinded indicators."""
    return pb.EvaluateRequest(epoch=epoch, declared=declared, blinded=blinded.tobytes())


def questions_from_wire(m: pb.EvaluateRequest) -> tuple[int, int, Rows]:
    """Epoch, declared size and blinded indicators, as they came.

    Raises:
        SessionRefused: they are malformed, or too many for one call.
    """
    count, rest = divmod(len(m.blinded), ELEMENT_BYTES)
    if rest or not 0 < count <= MAX_QUESTIONS or not max(m.epoch, m.declared) < MAX_NUMBER:
        raise SessionRefused("the questions are malformed")
    return m.epoch, m.declared, _rows(m.blinded)


def evaluated_to_wire(evaluated: Rows, proof: bytes) -> pb.EvaluateReply:
    """The reply that carries answers."""
    return pb.EvaluateReply(evaluated=evaluated.tobytes(), proof=proof)


def evaluated_from_wire(m: pb.EvaluateReply, asked: Rows) -> tuple[Rows, bytes]:
    """Answers to what was asked; whoever asked verifies the proof.

    Raises:
        PeerMisbehaved: they are malformed, or to something else.
    """
    if len(m.evaluated) != asked.size or len(m.proof) != PROOF_BYTES:
        raise PeerMisbehaved("the helper's answers are malformed")
    return _rows(m.evaluated), m.proof


def token_from_wire(m: pb.TokenRequest) -> tuple[Round, Rows]:
    """The round and the blinded token, as they came.

    Raises:
        SessionRefused: they are malformed.
    """
    if len(m.blinded) != ELEMENT_BYTES:
        raise SessionRefused("the token is malformed")
    return Round.decode(m.round), _rows(m.blinded)


def redeem_from_wire(m: pb.RedeemRequest) -> tuple[Round, list[bytes], list[bytes]]:
    """The round, the tokens and their batches, as they came.

    Raises:
        SessionRefused: they are malformed.
    """
    tokens, batches = list(m.tokens), list(m.batches)
    if (
        not 0 < len(tokens) == len(batches) <= MAX_MEMBERS
        or {len(token) for token in tokens} != {TOKEN_BYTES}
        or {len(batch) for batch in batches} != {HASH_BYTES}
    ):
        raise SessionRefused("the tokens are malformed")
    return Round.decode(m.round), tokens, batches


def redeemed_from_wire(m: pb.RedeemReply, count: int) -> list[bool]:
    """Which tokens are good.

    Raises:
        PeerMisbehaved: the answer is malformed.
    """
    if len(m.good) != count or not set(m.good) <= {0, 1}:
        raise PeerMisbehaved("the helper's answer about tokens is malformed")
    return [bool(good) for good in m.good]


def deposit_to_wire(d: Deposit) -> pb.DepositRequest:
    """The first message of a deposit."""
    head = pb.DepositHead(
        round=d.round.encoded, stage=str(d.stage), digest=d.digest, size=d.size, signature=d.signature,
        wait_s=d.wait_s, listed=b"".join(d.listed), root=d.root,
        keys=[pb.SignedWord(body=one.body, signature=one.signature) for one in d.keys],
    )  # fmt: skip
    return pb.DepositRequest(head=head)


def deposit_from_wire(m: pb.DepositRequest) -> Deposit:
    """The first message of a deposit, as it came.

    Raises:
        SessionRefused: it is malformed.
    """
    head = m.head
    if (
        m.WhichOneof("kind") != "head"
        or head.stage not in list(Stage)
        or (len(head.digest), len(head.signature)) != (HASH_BYTES, SIGNATURE_BYTES)
        or not 0 < head.size <= MAX_DEPOSIT_BYTES
        or head.wait_s > MAX_WAIT_S
        or len(head.root) not in {0, HASH_BYTES}
        or not 0 < len(head.keys) <= MAX_MEMBERS
        or max(len(one.body) for one in head.keys) > MAX_ANNOUNCEMENT_BYTES
        or {len(one.signature) for one in head.keys} != {SIGNATURE_BYTES}
    ):
        raise SessionRefused("the deposit is malformed")
    listed = _digests(head.listed)
    if listed is None:
        raise SessionRefused("the deposit is malformed")
    return Deposit(
        round=Round.decode(head.round), stage=Stage(head.stage), digest=head.digest, size=head.size,
        signature=head.signature, wait_s=head.wait_s, listed=listed, root=head.root,
        keys=tuple(Signed(one.body, one.signature) for one in head.keys),
    )  # fmt: skip


def deposited_chunk(m: pb.DepositRequest) -> bytes:
    """What follows it.

    Raises:
        SessionRefused: it is malformed.
    """
    if m.WhichOneof("kind") != "chunk" or not 0 < len(m.chunk) <= CHUNK_BYTES:
        raise SessionRefused("a chunk of the deposit is malformed")
    return m.chunk


def collect_from_wire(m: pb.OutcomeRequest) -> tuple[Round, Stage, int]:
    """The round, the stage, and how long to wait, as they came.

    Raises:
        SessionRefused: they are malformed.
    """
    if m.stage not in list(Stage) or m.wait_s > MAX_WAIT_S:
        raise SessionRefused("what is to be collected is malformed")
    return Round.decode(m.round), Stage(m.stage), m.wait_s


def collected_to_wire(c: Collected) -> Iterator[pb.OutcomeReply]:
    """The messages that carry what was collected."""
    yield pb.OutcomeReply(
        head=pb.OutcomeHead(
            state=str(c.state), code=c.code, came=c.came, culprits=[who for who, _ in c.culprits],
            reasons=[why for _, why in c.culprits], listed=b"".join(c.listed),
            list_signature=c.list_signature, signature=c.signature, size=len(c.outcome), proofs=c.proofs,
        )
    )  # fmt: skip
    for chunk in pieces(c.outcome):
        yield pb.OutcomeReply(chunk=chunk)


def collected_from_wire(m: pb.OutcomeReply) -> tuple[Collected, int]:
    """The first message of what was collected, and how many bytes follow.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    head = m.head
    words = [*([head.code] if head.code or head.state == State.BROKEN else []), *head.reasons]
    listed = _digests(head.listed)
    signatures = {len(head.list_signature), len(head.signature)}
    if (
        m.WhichOneof("kind") != "head"
        or head.state not in list(State)
        or listed is None
        or not signatures <= {0, SIGNATURE_BYTES}
        or head.size > MAX_OUTCOME_BYTES
        or len(head.culprits) != len(head.reasons)
        or max(len(head.culprits), len(head.proofs)) > 2 * MAX_MEMBERS
        or max(map(len, head.proofs), default=0) > MAX_PROOF_BYTES
        or not all(map(is_code, words))
        or not all(map(is_member_id, head.culprits))
    ):
        raise PeerMisbehaved("what was collected is malformed")
    found = Collected(
        state=State(head.state), code=head.code, came=head.came, listed=listed,
        culprits=tuple(zip(head.culprits, head.reasons, strict=True)),
        list_signature=head.list_signature, signature=head.signature, proofs=tuple(head.proofs),
    )  # fmt: skip
    return found, head.size


def collected_chunk(m: pb.OutcomeReply) -> bytes:
    """What follows it.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    if m.WhichOneof("kind") != "chunk" or not 0 < len(m.chunk) <= CHUNK_BYTES:
        raise PeerMisbehaved("a chunk of what was collected is malformed")
    return m.chunk


def _digests(joined: bytes) -> tuple[bytes, ...] | None:
    count, rest = divmod(len(joined), HASH_BYTES)
    if rest or count > MAX_MEMBERS:
        return None
    return tuple(joined[HASH_BYTES * i : HASH_BYTES * (i + 1)] for i in range(count))


def _rows(data: bytes) -> Rows:
    return np.frombuffer(data, np.uint8).reshape(-1, ELEMENT_BYTES)
