"""The secrets of one member for one aggregation, and what is derived from them.

Keys for masks are X25519, because a secret of 32 bytes can be shared and checked against its public key. Keys
for boxes are in ristretto255, for what ``crypto.secagg.boxes`` says.
"""

from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import group, hashing, labels, oprf
from crypto.errors import DecodeError, ParameterError, VerificationError
from crypto.group import ELEMENT_BYTES, Rng
from crypto.oprf import PROOF_BYTES, Mode, PrivateKey
from crypto.rows import Rows, table

SECRET_BYTES = 32
POSSESSION_BYTES = ELEMENT_BYTES + PROOF_BYTES
_P = 2**255 - 19


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What a member draws.

    Attributes:
        box: the key for boxes.
        mask: the key for pairwise masks, 32 bytes; shared with the others.
        own: the seed of its own mask, 32 bytes; shared with the others.
    """

    box: PrivateKey
    mask: bytearray
    own: bytearray

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        """Fresh ones.

        Raises:
            ParameterError: the rng gives another number of bytes than it is asked for.
        """
        box = oprf.generate_key(Mode.VOPRF, rng=rng)
        mask, own = bytearray(rng(SECRET_BYTES)), bytearray(rng(SECRET_BYTES))
        if len(mask) != SECRET_BYTES or len(own) != SECRET_BYTES:
            raise ParameterError("the rng gives another number of bytes than it was asked for")
        return cls(box, mask, own)

    def wipe(self) -> None:
        """Overwrite what is ours; the kernel wipes the key for boxes when it goes."""
        for secret in (self.mask, self.own):
            secret[:] = bytes(SECRET_BYTES)


def derived(label: str, secret: bytes, *bound: bytes) -> bytes:
    """A key of 32 bytes: HKDF-SHA256, the info being the label, a zero byte, and what the key is bound to."""
    return HKDF(SHA256(), SECRET_BYTES, None, label.encode() + b"\0" + b"".join(bound)).derive(secret)


def commit(context: bytes, position: int, own: bytes | bytearray) -> bytes:
    """The commitment to the seed of an own mask. The seed is uniform, so it hides itself."""
    return hashing.derive_key(labels.MASKING_SELF, context, bytes([position]), bytes(own))


def public_key(secret: bytes | bytearray) -> bytes:
    """The public half of a mask key."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def possession(context: bytes, position: int, box: PrivateKey, *, rng: Rng) -> bytes:
    """Show that we know the secret of our key for boxes: a point that this key gives, and the proof of it.

    Whoever could announce another member's key, plus some multiple of the generator, would find that
    member's boxes open by what complaints of its own boxes reveal.
    """
    points, proof = oprf.blind_evaluate(box, _base(context, position), rng=rng)
    return points.tobytes() + proof


def is_possessed(context: bytes, position: int, public: bytes, shown: bytes) -> bool:
    """Whether ``possession`` showed this for the key. No encoding of an element but its one is taken."""
    try:
        group.validate(table([public], ELEMENT_BYTES))
        oprf.verify(
            public_key=public,
            blinded=_base(context, position),
            evaluated=table([shown[:ELEMENT_BYTES]], ELEMENT_BYTES),
            proof=shown[ELEMENT_BYTES:],
        )
    except (DecodeError, VerificationError):
        return False
    return True


def is_key(public: bytes) -> bool:
    """Whether it is the one encoding of a key that every secret gives something with."""
    if int.from_bytes(public, "little") >= _P:
        return False
    try:  # every secret is a multiple of 8: what is zero with one is zero with all
        X25519PrivateKey.from_private_bytes(bytes(SECRET_BYTES)).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
    except ValueError:
        return False
    return True


def pair_seed(context: bytes, secret: bytes | bytearray, position: int, public: bytes, other: int) -> bytes:
    """The seed of the mask of two members, the same on both sides.

    Args:
        context: of the run.
        secret: the mask key of one.
        position: its position.
        public: the public mask key of the other, which ``is_key``.
        other: its position.
    """
    point = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    ends = bytes([min(position, other), max(position, other)])
    return derived(labels.MASKING_PAIR, point, context, ends)


def _base(context: bytes, position: int) -> Rows:
    """The element that a key for boxes is shown to be known by; of this run and position alone."""
    row = context + bytes([position])
    return group.hash_to_group(table([row], len(row)), labels.MASKING_POSSESSION.encode())
