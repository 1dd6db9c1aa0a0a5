"""Shares of a member's two secrets, in a sealed box for each recipient, and who lies where one is bad.

A row for recipient ``j`` is ``box || H_b || H_s``. The box holds ``j``'s shares of the own mask ``b`` and of
the mask key ``s``; ``H_b`` and ``H_s`` commit to both, so that later a false share can be told from a false
dealing. Boxes are AES-256-GCM under a key from the Diffie-Hellman point of both members' keys for boxes, in
ristretto255. Each key seals one box, so the nonce is fixed.

Who complains of a box reveals that one point, with a proof that it is the right one: the proof of RFC 9497
that one key gave both the public key and the point. It opens the two boxes between complainer and accused
and no others. Revealing the key itself would do too, but with it go all shares that the complainer holds: a
dealer of bad boxes could collect them from member after member, and open single vectors with them.

Source: Bonawitz et al., CCS 2017, section 6, rounds 1 and 2; the commitments and the complaint are ours.
"""

from hmac import compare_digest

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import hashing, labels, oprf
from crypto.errors import DecodeError, VerificationError
from crypto.group import ELEMENT_BYTES, Rng
from crypto.hashing import HASH_BYTES
from crypto.oprf import PROOF_BYTES
from crypto.rows import Rows, table
from crypto.secagg import shamir
from crypto.secagg.base import Complaint
from crypto.secagg.keys import Secrets, derived
from crypto.secagg.view import View

SHARE_BYTES = 32
TAG_BYTES = 16
BOX_BYTES = 2 * SHARE_BYTES + TAG_BYTES
ROW_BYTES = BOX_BYTES + 2 * HASH_BYTES
OWN, MASK = 0, 1
"""Which of a dealer's secrets a share is of: the seed of its own mask, or its mask key."""
COMPLAINT_SIZES = {"accused": 1, "point": ELEMENT_BYTES, "proof": PROOF_BYTES}
_NONCE = bytes(12)


def deal(view: View, position: int, secrets: Secrets, *, rng: Rng) -> Rows:
    """Split both secrets for all that joined, the member itself among them, and seal the shares.

    Returns:
        ``(|U1|, 144)`` uint8.
    """
    places = bytes(other + 1 for other in view.joined)
    own, mask = (
        shamir.split(secret, view.setup.threshold, places, rng=rng) for secret in (secrets.own, secrets.mask)
    )
    points = _points(view, secrets, view.joined, rng=rng)
    rows = []
    for other, point, *both in zip(view.joined, points, own, mask, strict=True):
        shares = [share.tobytes() for share in both]
        box = AESGCM(_key(view, point, position, other)).encrypt(_NONCE, b"".join(shares), view.joint)
        rows += [
            box,
            *(_commitment(view, position, other, which, share) for which, share in enumerate(shares)),
        ]
    own.fill(0)
    mask.fill(0)
    return table(rows, ROW_BYTES)


def digests(view: View, dealer: int, rows: Rows) -> bytes:
    """The digest of each row of a dealing, one after the other: what its signature is over."""
    pairs = zip(view.joined, rows, strict=True)
    return b"".join(digest(view, dealer, recipient, row) for recipient, row in pairs)


def digest(view: View, dealer: int, recipient: int, row: Rows) -> bytes:
    """The digest of one row."""
    return hashing.derive_key(labels.MASKING_ROW, view.joint, bytes([dealer, recipient]), row.tobytes())


def shares_digest(rows: Rows) -> bytes:
    """What the signature of ``Shares`` is over."""
    return hashing.derive_key(labels.MASKING_SHARES, rows)


def open_all(
    view: View, position: int, secrets: Secrets, rows: Rows, *, rng: Rng
) -> tuple[Rows, tuple[int, str] | None]:
    """Open the boxes for one member.

    Args:
        view: up to the dealings.
        position: the member's.
        secrets: its own.
        rows: ``(|U2|, 144)``, its row of each dealing.
        rng: for a proof that nobody sees.

    Returns:
        ``(|U2|, 64)``, both shares of each; and if a box is bad, whose, and what is wrong with it.
    """
    points = _points(view, secrets, view.dealt, rng=rng)
    shares = np.zeros((len(rows), 2 * SHARE_BYTES), np.uint8)
    for place, (dealer, point) in enumerate(zip(view.dealt, points, strict=True)):
        opened = _opened(view, _key(view, point, dealer, position), dealer, position, rows[place])
        if isinstance(opened, str):
            return shares, (dealer, opened)
        shares[place] = np.frombuffer(opened, np.uint8)
    return shares, None


def is_share(view: View, dealer: int, recipient: int, which: int, share: Rows, row: Rows) -> bool:
    """Whether a share is the one that the dealer's row commits to."""
    start = BOX_BYTES + which * HASH_BYTES
    announced = row[start : start + HASH_BYTES].tobytes()
    return compare_digest(_commitment(view, dealer, recipient, which, share.tobytes()), announced)


def complain(view: View, accused: int, secrets: Secrets, *, rng: Rng) -> Complaint:
    """Show what opens the box of the accused for this member, and no other box but that in return."""
    point, proof = oprf.blind_evaluate(secrets.box, table([view.box_key(accused)], ELEMENT_BYTES), rng=rng)
    return Complaint(bytes([accused]), point.tobytes(), proof)


def judge(view: View, complainer: int, complaint: Complaint, row: Rows) -> tuple[int, str]:
    """Say who lies, from what both have signed. Whoever holds the dealing and the joins can.

    Args:
        view: up to the joins.
        complainer: its position, another one than the accused, who has dealt.
        complaint: what it says.
        row: ``(144,)``, its row of the dealing of the accused, which the accused has signed.

    Returns:
        The position of the liar, and what it did.
    """
    accused = complaint.accused[0]
    try:
        oprf.verify(
            public_key=view.box_key(complainer),
            blinded=table([view.box_key(accused)], ELEMENT_BYTES),
            evaluated=table([complaint.point], ELEMENT_BYTES),
            proof=complaint.proof,
        )
    except (DecodeError, VerificationError):
        return complainer, "false-complaint"
    opened = _opened(view, _key(view, complaint.point, accused, complainer), accused, complainer, row)
    return (accused, opened) if isinstance(opened, str) else (complainer, "false-complaint")


def _opened(view: View, key: bytes, dealer: int, recipient: int, row: Rows) -> bytes | str:
    """Both shares of a box, or what is wrong with it."""
    try:
        shares = AESGCM(key).decrypt(_NONCE, row[:BOX_BYTES].tobytes(), view.joint)
    except InvalidTag:
        return "bad-box"
    both = np.frombuffer(shares, np.uint8).reshape(2, SHARE_BYTES)
    if not all(is_share(view, dealer, recipient, which, both[which], row) for which in (OWN, MASK)):
        return "bad-share"
    return shares


def _points(view: View, secrets: Secrets, others: tuple[int, ...], *, rng: Rng) -> list[bytes]:
    """The Diffie-Hellman point with each of them; the proof stays here."""
    keys = table((view.box_key(other) for other in others), ELEMENT_BYTES)
    points, _ = oprf.blind_evaluate(secrets.box, keys, rng=rng)
    return [point.tobytes() for point in points]


def _key(view: View, point: bytes, dealer: int, recipient: int) -> bytes:
    return derived(labels.MASKING_BOX, point, view.joint, bytes([dealer, recipient]))


def _commitment(view: View, dealer: int, recipient: int, which: int, share: bytes) -> bytes:
    return hashing.derive_key(
        labels.MASKING_SHARE, view.joint, bytes([dealer, recipient, which]), share
    )  # a share is uniform, so it hides itself
