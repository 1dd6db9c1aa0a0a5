"""What the parts of a discovery sign, and how it is checked against the roster.

Every signature covers the context, so none of one discovery is of use in another.
"""

from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto import labels
from exchange.aggregation.announced import Announced, Find, Signed
from exchange.aggregation.round import Round
from exchange.discovery.world import PartMisbehaved, Stage
from exchange.errors import PeerMisbehaved, SessionRefused
from exchange.identity import encoding, keys


def announce(identity: Ed25519PrivateKey, announced: Announced) -> Signed:
    """The encoding of what is announced, and our signature."""
    return Signed(announced.encoded, keys.sign(identity, labels.DISCOVERY_KEYS, announced.encoded))


def check_announced(find: Find, said: Signed, of: Round, member: str) -> Announced:
    """What a member announces, if it is its word on this discovery.

    Raises:
        PeerMisbehaved: it is not.
    """
    encoded, signature = said
    announced = Announced.decode(encoded)
    if (announced.alliance, announced.member, announced.plan) != (of.alliance, member, of.plan):
        raise PartMisbehaved(f"{member} announced keys for something else", member, code="bad-keys")
    _check(find, member, labels.DISCOVERY_KEYS, encoded, signature)
    return announced


def keyed(find: Find, plan: Round, said: Sequence[Signed]) -> Round:
    """The plan with the keys that were announced for it.

    Args:
        find: finds members.
        plan: or the same with keys.
        said: by the helpers, in their order, and the counter.

    Raises:
        PeerMisbehaved: one is not that member's word on this plan.
    """
    members = (*plan.parts.helpers, plan.parts.counter)
    told = [check_announced(find, one, plan, who) for who, one in zip(members, said, strict=True)]
    *theirs, counter = told
    return plan.with_keys(tuple(one.helper + one.token for one in theirs), counter.box)


def check_keys(find: Find, of: Round, said: Sequence[Signed]) -> None:
    """Check that the keys of a discovery were announced.

    Raises:
        SessionRefused: they were not, or this does not show it.
    """
    try:
        shown = len(said) == len(of.parts.helpers) + 1 and keyed(find, of, said) == of
    except PeerMisbehaved:
        shown = False
    if not shown:
        raise SessionRefused("what is shown are not announcements of these keys")


def sign_batch(
    identity: Ed25519PrivateKey, of: Round, stage: Stage, digest: bytes, *, root: bytes = b""
) -> bytes:
    """A member's word that this is its one batch, and what its records are."""
    return keys.sign(identity, labels.DISCOVERY_DEPOSIT, _bound(of, stage, digest, root))


def check_batch(
    find: Find, member: str, of: Round, stage: Stage, digest: bytes, signature: bytes, *, root: bytes = b""
) -> None:
    """Check that word.

    Raises:
        PeerMisbehaved: it is not the member's.
    """
    _check(find, member, labels.DISCOVERY_DEPOSIT, _bound(of, stage, digest, root), signature)


def sign_list(identity: Ed25519PrivateKey, of: Round, stage: Stage, listed: Sequence[bytes]) -> bytes:
    """The relay's word that these are all batches."""
    return keys.sign(identity, labels.DISCOVERY_LIST, _bound(of, stage, *listed))


def check_list(find: Find, of: Round, stage: Stage, listed: Sequence[bytes], signature: bytes) -> None:
    """Check that word.

    Raises:
        PeerMisbehaved: it is not the relay's, or names a batch twice.
    """
    if len(set(listed)) != len(listed):
        raise PartMisbehaved("the relay lists a batch twice", of.parts.relay, code="bad-list")
    _check(find, of.parts.relay, labels.DISCOVERY_LIST, _bound(of, stage, *listed), signature)


def sign_outcome(identity: Ed25519PrivateKey, of: Round, stage: Stage, outcome: bytes) -> bytes:
    """The counter's word on what it counted."""
    return keys.sign(identity, labels.DISCOVERY_RESULT, _bound(of, stage, sha256(outcome).digest()))


def check_outcome(find: Find, of: Round, stage: Stage, outcome: bytes, signature: bytes) -> None:
    """Check that word.

    Raises:
        PeerMisbehaved: it is not the counter's.
    """
    bound = _bound(of, stage, sha256(outcome).digest())
    _check(find, of.parts.counter, labels.DISCOVERY_RESULT, bound, signature)


def _bound(of: Round, stage: Stage, *said: bytes) -> bytes:
    return encoding.encode([of.context, str(stage), list(said)])


def _check(find: Find, member: str, label: str, body: bytes, signature: bytes) -> None:
    found = find(member)
    if found is None or not keys.verify(found.identity_key, label, body, signature):
        raise PartMisbehaved(f"what should be signed by {member} is not", member, code="bad-signature")
