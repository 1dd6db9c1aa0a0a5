"""Key helpers of ATR/1: outputs of items under the sum of their keys, and tokens under the key of each.

A member shows all helpers the same blinded rows. Each evaluates them under its own key and proves it; the sum
of the answers is the answer under the sum of the keys, which nobody holds. A token is an output for a nonce
that no helper has seen, one under the key of each helper: it says that a member of the session was given it,
not which.

Source: RFC 9497, with one proof for any number of rows (docs/adr/0004); Davidson, Goldberg, Sullivan,
Tankersley, Valsorda, "Privacy Pass", PoPETs 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_bytes

import numpy as np
from numpy.typing import NDArray

from crypto import hashing, labels, oprf, rows
from crypto.errors import ParameterError, PeerFault
from crypto.group import ELEMENT_BYTES, Rng
from crypto.oprf import Blinds, Mode, PrivateKey, Reply
from crypto.rows import Rows

ITEM_BYTES = 32
NONCE_BYTES = 32
MARK_BYTES = 32


class HelperFault(PeerFault):
    """A key helper answered wrongly: not with the key that it announced, or with what is no answer.

    Attributes:
        helper: its place among the helpers.
    """

    def __init__(self, text: str, helper: int) -> None:
        super().__init__(text)
        self.helper = helper


@dataclass(frozen=True, slots=True)
class Question:
    """A member's question to all helpers, and what it takes to read the answers.

    Attributes:
        blinded: ``(size, 32)`` uint8, to be sent, the same to every helper.
        count: how many of the rows are items; the others fill up.
    """

    blinded: Rows
    count: int
    rows: Rows = field(repr=False)
    blinds: Blinds = field(repr=False)


def epoch_key(seed: bytes, epoch: bytes) -> PrivateKey:
    """The key for items of an epoch, from the 32-byte seed that the helper keeps until the epoch ends."""
    return oprf.derive_key(seed, labels.DISCOVERY_EPOCH.encode() + epoch, Mode.VOPRF)


def token_key(seed: bytes, context: bytes) -> PrivateKey:
    """The key for tokens of a session: a token of another session is none in this one."""
    return oprf.derive_key(seed, labels.DISCOVERY_TOKEN.encode() + context, Mode.VOPRF)


def evaluate(key: PrivateKey, blinded: Rows, *, rng: Rng = token_bytes) -> Reply:
    """Answer a question of either kind. The caller counts: items by a quota, one token for each session.

    Raises:
        DecodeError: a row is no canonical encoding, or is the identity.
        ParameterError: the array has no rows of 32 bytes.
    """
    evaluated, proof = oprf.bulk_blind_evaluate(key, blinded, rng=rng)
    return Reply(evaluated, proof, key.public_key)


def confirm(key: PrivateKey, tokens: Rows) -> NDArray[np.bool_]:
    """Say which tokens are good. The caller sees to it that each is of one batch, now and later.

    Args:
        key: of ``token_key``.
        tokens: ``(k, 64)`` uint8, nonces and this helper's marks.

    Returns:
        ``(k,)``; of two that are equal only the first is good.
    """
    rows.check(tokens, width=NONCE_BYTES + MARK_BYTES)
    nonces = np.ascontiguousarray(tokens[:, :NONCE_BYTES])
    good = np.all(_marks(oprf.evaluate(key, nonces)) == tokens[:, NONCE_BYTES:], axis=1)
    fresh = np.zeros(len(tokens), np.bool_)
    fresh[rows.unique(nonces)] = True
    found: NDArray[np.bool_] = good & fresh
    return found


def ask(items: Rows, *, size: int, rng: Rng = token_bytes) -> Question:
    """Blind items for all helpers at once, filled up with random rows.

    Args:
        items: ``(n, 32)`` uint8.
        size: how many rows are shown, at least ``n``.
        rng: randomness.

    Raises:
        ParameterError: the array has no rows of 32 bytes, or more than ``size``.
    """
    rows.check(items, width=ITEM_BYTES)
    table = np.concatenate([items, random_rows(size - len(items), ITEM_BYTES, rng)])
    blinds, blinded = oprf.bulk_blind(table, rng=rng)
    return Question(blinded, len(items), table, blinds)


def learn(question: Question, replies: Sequence[Reply], keys: Sequence[bytes]) -> Rows:
    """Verify what the helpers answered, each under the key that it announced, and put the answers together.

    Args:
        question: of ``ask``.
        replies: of the helpers.
        keys: their public keys, 32 bytes each, in the same order.

    Returns:
        ``(count, 64)`` uint8, the PRF of each item under the sum of the helpers' keys. To be kept for the
        epoch.

    Raises:
        HelperFault: a helper used another key, or its answer is no encoding of points.
        VerificationError: the helpers' keys cancel each other out.
        ParameterError: a reply is misshapen, or there is not one for each key.
    """
    _check_keys(replies, keys)
    try:
        outputs = oprf.bulk_finalize_sum(question.rows, question.blinds, replies, blinded=question.blinded)
    except PeerFault:
        for helper, reply in enumerate(replies):
            _learn_from(helper, reply, question)
        raise
    return np.ascontiguousarray(outputs[: question.count])


def spendable(question: Question, replies: Sequence[Reply], keys: Sequence[bytes]) -> bytes:
    """The token of a member for a session: a nonce that no helper has seen, and a mark of each helper on it.

    Args:
        question: of ``ask`` for one row of 32 random bytes, the nonce.
        replies: of the helpers, under their token keys.
        keys: the public ones of those.

    Raises:
        HelperFault: as in ``learn``.
        ParameterError: the same, or the question is another.
    """
    if question.count != 1:
        raise ParameterError("a token is asked for with one nonce")
    _check_keys(replies, keys)
    marks = [_marks(_learn_from(helper, reply, question)) for helper, reply in enumerate(replies)]
    return b"".join(row[0].tobytes() for row in (question.rows, *marks))


def traffic(size: int) -> tuple[int, int]:
    """Payload bytes of a question of so many rows and of its answer, to and from each helper."""
    return ELEMENT_BYTES * size, ELEMENT_BYTES * size + oprf.PROOF_BYTES + ELEMENT_BYTES


def random_rows(count: int, width: int, rng: Rng) -> Rows:
    """Rows that fill up. ``(count, width)``.

    Raises:
        ParameterError: there are none to fill up, but too many already.
    """
    if count < 0:
        raise ParameterError("there are more rows than are to be shown")
    return np.frombuffer(rng(count * width), np.uint8).reshape(count, width)


def _marks(outputs: Rows) -> Rows:
    return hashing.keyed_rows(hashing.derive_key(labels.DISCOVERY_MARK), outputs)


def _check_keys(replies: Sequence[Reply], keys: Sequence[bytes]) -> None:
    if len(replies) != len(keys):
        raise ParameterError("there is a reply under each key")
    for helper, (reply, key) in enumerate(zip(replies, keys, strict=True)):
        if reply.public_key != key:
            raise HelperFault("a key helper answers under another key than it announced", helper)


def _learn_from(helper: int, reply: Reply, question: Question) -> Rows:
    try:
        return oprf.bulk_finalize_sum(question.rows, question.blinds, [reply], blinded=question.blinded)
    except PeerFault as e:
        raise HelperFault(str(e), helper) from e
