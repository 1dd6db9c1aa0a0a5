"""The receipt of a session, on both sides: it follows from the ledger and can be asked for again at any time.

Whoever dialled asks, as soon as the session is over, and at the next contact where that failed: its node was
stopped, the link broke, the peer was gone. A peer that owes receipts gets no further sessions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from exchange.agreement import Agreement
from exchange.disclosure.alarms import alarm
from exchange.disclosure.desk import Desk
from exchange.disclosure.standing import NOTHING, Stale, continues, forked
from exchange.disclosure.world import Booked
from exchange.errors import LedgerError, PeerMisbehaved, SessionRefused
from exchange.ledger import Leaf, receipt
from exchange.ledger.receipt import InitiatorPart, Receipt, ResponderPart
from exchange.ledger.tree import Seen

MAX_DUE = 8
"""Receipts that a peer may owe us before we refuse to go on with it."""
GRACE = timedelta(minutes=10)
"""How long after its deadline a session without a result counts as cut off, and may be settled so."""
SETTLE_WITHIN = timedelta(minutes=1)
"""How long a peer may take to ask for a receipt before it owes it."""
OWED_FOR = timedelta(days=1)
"""How long it owes it. After that it is not held against the peer."""
MAX_AT_ONCE = 16
"""Receipts that are asked for at one contact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the initiator sends: its signed part, and proof that its log is the one that the responder saw.

    Attributes:
        session: 32 bytes.
        part: the initiator's part, encoded.
        signature: over it.
        old_size: how long its log was when the responder last saw it.
        consistency: proof between that and the log in the part.
        log_size: how long the responder's log was when the initiator last saw it.
    """

    session: bytes
    part: bytes
    signature: bytes
    old_size: int
    consistency: tuple[bytes, ...]
    log_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the responder answers: the receipt, and the proof about its own log."""

    receipt: bytes
    consistency: tuple[bytes, ...]


class SettlingLink(Protocol):
    """The peer, as far as settling needs it."""

    async def settle(self, settlement: Settlement) -> Settled:
        """Ask for the receipt of a session."""


def due(desk: Desk, peer: str, direction: str, now: datetime) -> list[Booked]:
    """The sessions whose receipt is due: over, or cut off long ago."""
    late = timedelta(seconds=desk.limits.deadline_s) + GRACE
    return [
        booked
        for booked in desk.ledger.unsettled(peer, direction)
        if booked.result is not None or datetime.fromisoformat(booked.intent.time) < now - late
    ]


def overdue(desk: Desk, peer: str, now: datetime) -> int:
    """How many receipts of the last day a peer that dialled us has not asked for in time.

    One that was killed before it wrote the agreement down cannot ask: it is not kept out for longer.
    """
    owed = [booked.result or booked.intent for booked in due(desk, peer, "responder", now)]
    first, last = now - OWED_FOR, now - SETTLE_WITHIN
    return sum(first < datetime.fromisoformat(leaf.time) < last for leaf in owed)


def settlement(desk: Desk, booked: Booked, peer_saw: int) -> Settlement:
    """Our part as the initiator of a session, signed.

    Args:
        desk: who we are.
        booked: the session.
        peer_saw: how long our log was when the peer last saw it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    part = _initiator_part(desk, booked)
    seen = desk.ledger.seen(booked.intent.peer) or NOTHING
    return Settlement(
        session=bytes.fromhex(booked.session),
        part=part.encode(),
        signature=receipt.sign_initiator(part, desk.identity),
        old_size=peer_saw,
        consistency=tuple(_between(desk, peer_saw, part.size)),
        log_size=seen.size,
    )


def accept(desk: Desk, booked: Booked, asked: Settlement, answer: Settled) -> None:
    """Check the receipt that a responder gave us, and write it down.

    Raises:
        PeerMisbehaved: it is not the receipt of this session, or of another log than we have seen.
        LedgerError: the ledger cannot be written.
    """
    peer = booked.intent.peer
    signed = Receipt.decode(answer.receipt)
    same = (signed.initiator.encode(), signed.initiator_signature) == (asked.part, asked.signature)
    member = desk.member_named(peer)
    if not same or not signed.check(receipt_key(desk), member.identity_key):
        raise PeerMisbehaved("the peer did not sign the receipt of this session", code="bad-receipt")
    seen = desk.ledger.seen(peer) or NOTHING
    theirs = Seen(signed.responder.size, signed.responder.root)
    if seen.size == asked.log_size and not _consistent(seen, theirs, answer.consistency):
        raise forked(f"the log in the receipt of {peer} is not the one that we have seen")
    _write(desk, booked, signed, theirs)


def countersign(desk: Desk, peer: str, asked: Settlement, *, running: bool) -> Settled:
    """Check what an initiator states of a session, and sign it with our own part.

    Args:
        desk: who we are.
        peer: the initiator.
        asked: what it sent.
        running: whether the session runs at this moment.

    Raises:
        SessionRefused: there is no such session, it is not over, or we do not sign this.
        Stale: we have seen more of the peer's log meanwhile.
        LedgerError: the ledger cannot be read or written.
    """
    booked = desk.ledger.session(asked.session.hex())
    if booked is None or booked.intent.peer != peer or booked.intent.fields["direction"] != "responder":
        raise SessionRefused("there is no such session", code="session-unknown")
    if running:
        raise SessionRefused("the session is not over", code="not-ready")
    try:
        signed, theirs = _countersigned(desk, booked, asked)
    except PeerMisbehaved as e:
        alarm(desk, peer, e.code, desk.policy(), session=booked.session)
        raise SessionRefused(f"{e}", code="receipt-refused") from e
    return Settled(
        receipt=signed.encode(),
        consistency=tuple(_between(desk, asked.log_size, signed.responder.size)) if theirs else (),
    )


def receipt_key(desk: Desk) -> bytes:
    """The public half of our identity key."""
    return desk.identity.public_key().public_bytes_raw()


def _countersigned(desk: Desk, booked: Booked, asked: Settlement) -> tuple[Receipt, Seen]:
    part = receipt.initiator_part(asked.part)
    theirs = Seen(part.size, part.root)
    if booked.receipt is not None:
        stored = Receipt.decode(_bytes_of(booked.receipt))
        if (stored.initiator, stored.initiator_signature) != (part, asked.signature):
            raise PeerMisbehaved("the peer states something else than before", code="bad-receipt")
        return stored, theirs
    _check_statement(desk, booked, part, asked.signature)
    seen = desk.ledger.seen(booked.intent.peer) or NOTHING
    if seen.size != asked.old_size:
        raise Stale("the peer proves its log from another entry on than we have seen last")
    if not _consistent(seen, theirs, asked.consistency):
        raise forked("the log in the receipt is not the one that we have seen")
    signed = receipt.countersign(part, asked.signature, _responder_part(desk, booked), desk.identity)
    _write(desk, booked, signed, theirs)
    return signed, theirs


def _check_statement(desk: Desk, booked: Booked, part: InitiatorPart, signature: bytes) -> None:
    """Refuse to sign what is not so, by our own ledger."""
    member = desk.member_named(booked.intent.peer)
    if not receipt.verify_initiator(part, signature, member.identity_key):
        raise PeerMisbehaved("the peer did not sign its part of the receipt", code="bad-receipt")
    if Agreement.from_bytes(part.agreement).hash.hex() != booked.intent.fields["agreement"]:
        raise PeerMisbehaved("the receipt is of another agreement", code="bad-receipt")
    ours = "" if booked.result is None else str(booked.result.what.get("transcript", ""))
    if part.outcome == "disclosed" and ours and ours != part.transcript.hex():
        raise PeerMisbehaved("the peer states another run than the one that was", code="bad-receipt")
    matched = None if booked.result is None else booked.result.what.get("matched")
    if part.told is not None and isinstance(matched, int) and part.told < matched:
        raise PeerMisbehaved("the peer states fewer matches than it gave back", code="bad-receipt")


def _initiator_part(desk: Desk, booked: Booked) -> InitiatorPart:
    last, what = _last(booked), booked.intent.what
    told = last.what.get("told")
    pinned = (booked.result or booked.intent).fields.get("agreement")
    encoded = desk.ledger.document(str(pinned))
    if encoded is None:
        raise LedgerError("the ledger lacks an agreement that it names", code="ledger-damaged")
    assert told is None or isinstance(told, int)
    return InitiatorPart(
        agreement=encoded,
        outcome=_outcome(booked),
        transcript=bytes.fromhex(str(last.what.get("transcript", receipt.NOTHING.hex()))),
        told=told,
        time=last.time,
        size=last.seq + 1,
        root=desk.ledger.root_at(last.seq + 1),
        peer_size=int(str(what["log_size"])),
        peer_root=bytes.fromhex(str(what["log_root"])),
    )


def _responder_part(desk: Desk, booked: Booked) -> ResponderPart:
    last = _last(booked)
    return ResponderPart(
        outcome=_outcome(booked), time=last.time, size=last.seq + 1, root=desk.ledger.root_at(last.seq + 1)
    )


def _last(booked: Booked) -> Leaf:
    return booked.intent if booked.result is None else booked.result


def _outcome(booked: Booked) -> str:
    return "open" if booked.result is None else str(booked.result.kind)


def _between(desk: Desk, a: int, b: int) -> list[bytes]:
    return desk.ledger.consistency_proof(min(a, b), max(a, b))


def _consistent(a: Seen, b: Seen, proof: tuple[bytes, ...]) -> bool:
    """Whether one of two states of a log continues the other."""
    old, new = sorted((a, b), key=lambda seen: seen.size)
    return continues(old, new, proof)


def _bytes_of(leaf: Leaf) -> bytes:
    encoded = leaf.fields["receipt"]
    assert isinstance(encoded, bytes)  # the schema says so
    return encoded


def _write(desk: Desk, booked: Booked, signed: Receipt, theirs: Seen) -> None:
    intent = booked.intent
    desk.ledger.append(
        "receipt",
        now=desk.clock(),
        session=booked.session,
        peer=intent.peer,
        direction=intent.fields["direction"],
        agreement=Agreement.from_bytes(signed.initiator.agreement).hash.hex(),
        receipt=signed.encode(),
        what={"log_size": theirs.size, "log_root": theirs.root.hex()},
    )
    desk.seal()
