"""What all members have to have seen alike: a hash that grows with every step and stands in every signature.

The coordinator relays everything, so it could show each member something else. A signature of one step
covers all that its maker has seen in the steps before. Members that were shown different joins, dealings or
survivors therefore do not accept each other's signatures, and without ``T`` of them nobody gives a
share away.
"""

from collections.abc import Iterable
from itertools import accumulate, pairwise

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto import hashing, labels
from crypto.errors import Blamed, VerificationError
from crypto.hashing import HASH_BYTES
from crypto.rows import Rows, unique
from crypto.secagg import keys
from crypto.secagg.base import KEY_BYTES, SIGNATURE_BYTES, Join, Setup, Step, pack_roll
from crypto.secagg.keys import POSSESSION_BYTES

KEYS_BYTES = 2 * KEY_BYTES + HASH_BYTES
"""Of a row of ``Joins``: what is used later, before the proof and the signature."""
JOIN_SIZES = {
    "key": KEY_BYTES,
    "mask_key": KEY_BYTES,
    "commitment": HASH_BYTES,
    "possession": POSSESSION_BYTES,
    "signature": SIGNATURE_BYTES,
}
JOIN_BYTES = sum(JOIN_SIZES.values())
ROOT_BYTES = HASH_BYTES + SIGNATURE_BYTES


def statement(setup: Setup, step: Step, position: int, seen: bytes, body: bytes = b"") -> bytes:
    """The bytes that a member signs: label, context, step, position, what it has seen, what it says."""
    head = labels.MASKING_SIGNATURE.encode() + b"\0" + setup.context
    return head + bytes([step, position]) + seen + body


def result_statement(setup: Setup, position: int, survivors: Iterable[int], root: bytes) -> bytes:
    """The bytes of a receipt, which whoever knows the opening can check."""
    return statement(setup, Step.SIGNING, position, setup.context, pack_roll(survivors, setup.n) + root)


def is_signed(setup: Setup, position: int, signed: bytes, signature: bytes) -> bool:
    """Whether the member at this position made the signature."""
    try:
        Ed25519PublicKey.from_public_bytes(setup.identities[position]).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


class View:
    """What one party has seen of a run so far. The coordinator and every member keep one.

    Attributes:
        chain: 32 bytes, the hash of all that was seen.
        joined: ``U1``, and ``joins``, key, mask key and commitment of each, ``(|U1|, 96)``.
        joint: the chain when all had joined, which boxes, shares and rows are bound to.
        dealt: ``U2``.
        survivors: ``U3``, and ``roots`` of their vectors, ``(|U3|, 32)``.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.chain = setup.context
        self.joined: tuple[int, ...] = ()
        self.dealt: tuple[int, ...] = ()
        self.survivors: tuple[int, ...] = ()
        self.joint = b""
        self.joins: Rows
        self.roots: Rows

    def statement(self, step: Step, position: int, body: bytes = b"") -> bytes:
        """What a member signs in this step that has seen the same."""
        return statement(self.setup, step, position, self.chain, body)

    def is_signed(self, step: Step, position: int, signature: bytes, body: bytes = b"") -> bool:
        """Whether a member that has seen the same signed this."""
        return is_signed(self.setup, position, self.statement(step, position, body), signature)

    def check_keys(self, position: int, join: Join) -> None:
        """Take keys only that others can use; the member has signed them.

        Raises:
            Blamed: they are no keys, not in their one encoding, or not its own.
        """
        known = keys.is_possessed(self.setup.context, position, join.key, join.possession)
        if not known or not keys.is_key(join.mask_key):
            raise Blamed([position], "bad-join")

    def add_joins(self, joined: tuple[int, ...], joins: Rows) -> None:
        """Step 1 is over. ``joins`` is ``(|U1|, 96)``.

        Raises:
            Blamed: two members have a key or a commitment in common, and the coordinator took both.
        """
        values = np.ascontiguousarray(joins).reshape(-1, KEY_BYTES)
        if len(unique(values)) != len(values):
            raise Blamed((), "same-keys")
        self.joined, self.joins = joined, values.reshape(-1, KEYS_BYTES)
        self._extend(joined, self.joins)
        self.joint = self.chain

    def add_dealings(self, dealt: tuple[int, ...], digests: Rows) -> None:
        """Step 2 is over. ``digests`` is ``(|U2|, 32 * |U1|)``, of each dealing's rows."""
        self.dealt = dealt
        self._extend(dealt, digests)

    def add_roots(self, survivors: tuple[int, ...], roots: Rows) -> None:
        """Step 3 is over. ``roots`` is ``(|U3|, 32)``."""
        self.survivors, self.roots = survivors, np.ascontiguousarray(roots)
        self._extend(survivors, self.roots)

    @property
    def dropped(self) -> tuple[int, ...]:
        """Who dealt and did not survive."""
        return tuple(position for position in self.dealt if position not in self.survivors)

    def box_key(self, position: int) -> bytes:
        """The announced key for boxes."""
        return self._join(position)[:KEY_BYTES]

    def mask_key(self, position: int) -> bytes:
        """The announced key for masks."""
        return self._join(position)[KEY_BYTES : 2 * KEY_BYTES]

    def commitment(self, position: int) -> bytes:
        """The commitment to the own mask."""
        return self._join(position)[2 * KEY_BYTES :]

    def _join(self, position: int) -> bytes:
        row: Rows = self.joins[self.joined.index(position)]
        return row.tobytes()

    def _extend(self, positions: tuple[int, ...], rows: Rows) -> None:
        self.chain = hashing.derive_key(
            labels.MASKING_VIEW, self.chain, pack_roll(positions, self.setup.n), np.ascontiguousarray(rows)
        )


def to_join(row: bytes) -> Join:
    """A row of ``Joins`` as the message that it was."""
    at = [0, *accumulate(JOIN_SIZES.values())]
    return Join(*(row[start:end] for start, end in pairwise(at)))


def body_of(join: Join) -> bytes:
    """What the signature of a ``Join`` is over."""
    return join.key + join.mask_key + join.commitment + join.possession


def verify_receipt(setup: Setup, survivors: Iterable[int], root: bytes, signatures: dict[int, bytes]) -> None:
    """Check that a result stands: enough of those whose sum it is have signed it.

    Args:
        setup: of the run.
        survivors: whose sum it is.
        root: of the result: ``ring.root`` of its ``ring.digests``.
        signatures: by position.

    Raises:
        VerificationError: too few signatures, one of somebody else, or one that is not good.
    """
    survivors = tuple(survivors)
    if len(signatures) < setup.threshold or not set(signatures) <= set(survivors):
        raise VerificationError("too few of the survivors have signed the result")
    for position, signature in signatures.items():
        if not is_signed(setup, position, result_statement(setup, position, survivors, root), signature):
            raise VerificationError("a signature over the result is not good")
