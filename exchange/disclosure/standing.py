"""What two members show each other of their ledgers, and the check that a log continues what was seen of it.

Every session begins with it: a log that was forked or rewound since the last session is found by the first
peer that knew more of it. Which part of a peer's log we have seen is in our own ledger, in the intents.

Source: C2SP tlog-witness (a new checkpoint is accepted with a consistency proof alone); RFC 6962 section 2.1.
"""

from dataclasses import dataclass
from datetime import timedelta

from exchange.agreement import size_class
from exchange.disclosure.desk import Desk
from exchange.errors import CosightError, LedgerError, PeerMisbehaved
from exchange.ledger import Kind, decode, origin, tree
from exchange.ledger import note as notes
from exchange.ledger.tree import Seen

MAX_PROOF = 128
"""Hashes in a proof, and more than any log can need."""
AT_ONCE = timedelta(seconds=60)
"""How long after one session another one that began before it may show us an older state of a log."""
NOTHING = Seen(0, tree.EMPTY_ROOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state of a log, as its owner shows it to a peer.

    Attributes:
        note: its newest checkpoint, signed.
        old_size: how long it was when the peer last saw it, by the peer's account.
        consistency: proof from there, 32 bytes each.
        commitment: the entry that commits to the owner's set, or ``b""``.
        inclusion: audit path of that entry.
    """

    note: str
    old_size: int
    consistency: tuple[bytes, ...]
    commitment: bytes = b""
    inclusion: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """A commitment of a peer to its set.

    Attributes:
        epoch: its number, from 1.
        root: the commitment, 32 bytes.
        padded: size class of the set.
    """

    epoch: int
    root: bytes
    padded: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A standing that was checked.

    Attributes:
        seen: the log, as it is now.
        committed: the set that its owner is bound to, if to any.
    """

    seen: Seen
    committed: Committed | None


class Stale(CosightError):
    """We have seen more of the peer's log meanwhile, in another session: it has to show it again."""

    default_code = "log-stale"


def standing(desk: Desk, old_size: int) -> Standing:
    """What we show a peer that has seen so much of our log.

    Raises:
        LedgerError: our log is shorter than the peer says it saw, or cannot be read.
    """
    ledger = desk.ledger
    note, leaf = ledger.newest(), ledger.commitment()
    if note is None:
        raise LedgerError("the ledger has no entry yet")
    size = notes.parse(note).size
    if old_size > size:
        raise LedgerError(
            f"a peer has seen {old_size} entries of our ledger, which has {size}",
            code="ledger-cut",
            hint="was it restored from an old copy? restore the newest one; see docs/ledger.md",
        )
    return Standing(
        note=note,
        old_size=old_size,
        consistency=tuple(ledger.consistency_proof(old_size, size)),
        commitment=b"" if leaf is None else leaf.encode(),
        inclusion=() if leaf is None else tuple(ledger.inclusion_proof(leaf.seq, size)),
    )


def check(desk: Desk, peer: str, shown: Standing, *, asked: int | None = None) -> Shown:
    """Check what a peer shows of its log against what we have seen of it.

    Two sessions with one peer at once may show us its log in another order than they read it. What is older
    by that is not a second history: it is answered to what we asked before the other session had its answer;
    or, where the peer begins, the newer state came a moment ago.

    Args:
        desk: who we are.
        peer: whose log it is.
        shown: what it shows.
        asked: from which length on we asked it to show its log; None where it shows it unasked.

    Raises:
        Stale: we have seen more than the proof begins with.
        PeerMisbehaved: its log does not continue the one that we saw, or it shows something else.
    """
    before = desk.ledger.seen(peer) or NOTHING
    checkpoint = _checkpoint(desk, peer, shown.note)
    if checkpoint.size < before.size:
        if shown.old_size < before.size and (
            shown.old_size == asked or (asked is None and _just_now(desk, peer))
        ):
            raise Stale(f"{peer} shows its log as it was before another session of ours with it")
        raise forked(f"the log of {peer} has {checkpoint.size} entries, we have seen {before.size}")
    if shown.old_size != before.size:
        raise Stale(f"{peer} shows its log from another entry on than we have seen last")
    if not continues(before, Seen(checkpoint.size, checkpoint.root), shown.consistency):
        raise forked(f"the log of {peer} is not the one that we have seen {before.size} entries of")
    committed = _committed(shown, checkpoint) if shown.commitment else None
    return Shown(Seen(checkpoint.size, checkpoint.root), committed)


def _just_now(desk: Desk, peer: str) -> bool:
    """Whether the longest state of a peer's log was shown to us a moment ago."""
    last = desk.ledger.seen_at(peer)
    return last is not None and desk.clock() - last < AT_ONCE


def set_in(shown: Standing) -> bytes:
    """The commitment in a standing of our own, or ``b""``."""
    return bytes.fromhex(str(decode(shown.commitment).what["root"])) if shown.commitment else b""


def continues(old: Seen, new: Seen, proof: tuple[bytes, ...]) -> bool:
    """Say whether a log continues an older state of it."""
    return len(proof) <= MAX_PROOF and tree.verify_consistency(old.size, new.size, old.root, new.root, proof)


def forked(what: str) -> PeerMisbehaved:
    """A member shows two histories."""
    return PeerMisbehaved(
        what, code="log-forked",
        hint="its ledger was restored from an old copy, or it tells different things to different members",
    )  # fmt: skip


def _checkpoint(desk: Desk, peer: str, note: str) -> notes.Checkpoint:
    member = desk.member_named(peer)
    try:
        checkpoint = notes.read(note, member.log_key)
    except LedgerError as e:
        raise PeerMisbehaved(f"{peer} shows no signed checkpoint of its log") from e
    if checkpoint.origin != origin(peer, desk.alliance):
        raise PeerMisbehaved(f"{peer} shows the checkpoint of another log")
    return checkpoint


def _committed(shown: Standing, checkpoint: notes.Checkpoint) -> Committed:
    try:
        leaf = decode(shown.commitment)
    except LedgerError as e:
        raise PeerMisbehaved("the peer's commitment is no entry of a log") from e
    included = len(shown.inclusion) <= MAX_PROOF and tree.verify_inclusion(
        leaf.seq, checkpoint.size, tree.leaf_hash(shown.commitment), shown.inclusion, checkpoint.root
    )
    if leaf.kind is not Kind.COMMITMENT or not included:
        raise PeerMisbehaved("the peer's commitment is not in its log")
    epoch, padded, root = (leaf.what[name] for name in ("epoch", "padded", "root"))
    assert isinstance(epoch, int)  # the schema says so
    assert isinstance(padded, int)
    if size_class(padded) != padded:
        raise PeerMisbehaved("the peer commits to a size that is no size class")
    return Committed(epoch, bytes.fromhex(str(root)), padded)
