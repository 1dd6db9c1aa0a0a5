"""Two-person approval: what a person signs, and which signatures count for a request.

A person approves one request: a rung, with types, with one peer, for a purpose, under one policy. Its hash is
in the ledger beside the signature: so the ledger alone shows who approved what kind of thing, without the
purpose, which is free text.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256

import cbor2
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from crypto import labels
from exchange.agreement import Rung
from exchange.errors import ConfigError
from exchange.identity import keys
from exchange.indicators import IndicatorType
from exchange.policy.history import Approval
from exchange.policy.terms import Approving


def load_key(pem: bytes) -> Ed25519PrivateKey:
    """Read the private key of a person who approves.

    Raises:
        ConfigError: it is damaged, or a key of another kind.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # the library's text may quote the file
        raise ConfigError("the approver's key is damaged") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise ConfigError("the approver's key is of the wrong kind: an Ed25519 key is needed")


def request_hash(
    peer: str, rung: Rung, types: Iterable[IndicatorType], policy_hash: bytes, purpose: str
) -> str:
    """Return the hash of a request, in hex: what two people approve is the same thing."""
    body = cbor2.dumps(
        {
            "peer": peer,
            "rung": str(rung),
            "types": sorted(map(str, types)),
            "policy": policy_hash,
            "purpose": purpose,
        },
        canonical=True,
    )
    return sha256(labels.APPROVED_REQUEST.encode() + b"\x00" + body).hexdigest()


def approve(
    request: str,
    rung: Rung,
    types: Iterable[IndicatorType],
    *,
    approver: str,
    key: Ed25519PrivateKey,
    expires: datetime,
) -> Approval:
    """Approve a request.

    Args:
        request: as ``request_hash`` returns it.
        rung: of the request.
        types: of the request.
        approver: the name of the person in the policy.
        key: that person's.
        expires: when the approval ends.
    """
    return Approval(
        request=request,
        rung=rung,
        types=tuple(sorted(types)),
        approver=approver,
        expires=expires,
        signature=keys.sign(key, labels.APPROVAL, _signed(request, expires)),
    )


def is_signed(approval: Approval, public_key: bytes) -> bool:
    """Say whether the holder of this key signed an approval."""
    body = _signed(approval.request, approval.expires)
    return keys.verify(public_key, labels.APPROVAL, body, approval.signature)


def approving(
    approvals: Iterable[Approval],
    request: str,
    needed: Approving,
    approvers: Mapping[str, bytes],
    now: datetime,
) -> frozenset[str]:
    """Return who has approved a request and is heard: known to the policy, and not longer than it allows."""
    return frozenset(
        a.approver
        for a in approvals
        if a.request == request
        and now <= a.expires <= now + needed.span
        and a.approver in approvers
        and is_signed(a, approvers[a.approver])
    )


def _signed(request: str, expires: datetime) -> bytes:
    body = {"request": request, "expires": expires.astimezone(UTC).isoformat(timespec="microseconds")}
    return cbor2.dumps(body, canonical=True)
