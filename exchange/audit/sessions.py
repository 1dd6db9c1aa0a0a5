"""What entries of a ledger mean to a policy: sessions, what they cost, quarantine, approvals. Pure.

The store asks this before a session, and the auditor afterwards, so that both decide on the same history.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from exchange.agreement import Rung
from exchange.errors import LedgerError, PeerMisbehaved
from exchange.indicators import IndicatorType
from exchange.ledger.leaf import RESULTS, Kind, Leaf
from exchange.ledger.receipt import Receipt
from exchange.policy.history import Approval, History, Past

REMEMBERED = timedelta(days=366)
"""How far back sessions count: no quota of a policy looks further."""


class Session(NamedTuple):
    """One session as the ledger knows it.

    Attributes:
        session: its id in hex.
        intent: what opened it.
        result: how it ended; None while it runs or when it was interrupted.
        receipt: what both parties signed about it, if they did.
    """

    session: str
    intent: Leaf
    result: Leaf | None = None
    receipt: Leaf | None = None

    @property
    def agreement(self) -> str:
        """The hash of its agreement in hex, ``""`` where there was none."""
        leaves = (self.intent, self.result)
        return next((str(x.fields["agreement"]) for x in leaves if x and "agreement" in x.fields), "")


def grouped(leaves: Iterable[Leaf], known: Mapping[str, Session] | None = None) -> dict[str, Session]:
    """Put entries together that are of one session, in order; those without an intent are left out."""
    found = dict(known or {})
    for leaf in leaves:
        if leaf.kind is Kind.INTENT:
            found[leaf.session] = Session(leaf.session, leaf)
        elif leaf.session not in found:
            continue
        elif leaf.kind in RESULTS:
            found[leaf.session] = found[leaf.session]._replace(result=leaf)
        elif leaf.kind is Kind.RECEIPT:
            found[leaf.session] = found[leaf.session]._replace(receipt=leaf)
    return found


def past_of(session: Session) -> Past:
    """Return what the policy asks about one session.

    Raises:
        LedgerError: its entries hold what no session of this version has.
    """
    intent, result = session.intent, session.result
    what = dict(intent.what) | (dict(result.what) if result else {})
    entered = intent.what.get("entered")
    try:
        return Past(
            session=session.session,
            began=moment(intent.time),
            direction=str(intent.fields["direction"]),
            rung=Rung(str(intent.what["rung"])),
            types=tuple(map(IndicatorType, _list(intent.what["types"]))),
            ours=sum(entered.values()) if isinstance(entered, dict) else count(intent.what["ours_padded"]),
            peer_padded=_maybe(what.get("peer_padded")),
            questions=_maybe(what.get("asked")),
            charge=charge(session),
            matched=_maybe(_first(what, "matched", "estimated", "at_least")),
            exact="at_least" not in what,
            total=_maybe(what.get("total")),
            turned="turned" in what,
            epsilon_milli=count(what.get("epsilon_milli", 0)),
            closed=result is not None and result.kind is Kind.DISCLOSED,
        )
    except ValueError as e:
        raise LedgerError(f"entry {intent.seq} has a rung or a type that this cosight does not know") from e


def charge(session: Session) -> int:
    """Return the most items of ours that the peer can have learned of in a session.

    Where the peer was the receiver and signed how many matched, that many. Otherwise what was at stake when
    it ended, and where it has no end, what was at stake when it began.
    """
    intent, result = session.intent, session.result
    most = _maybe(intent.what.get("at_stake"))
    if result is not None:
        if "at_stake" in result.what:
            most = _maybe(result.what["at_stake"])
        elif most is None and result.what.get("learned_by_peer", "size") == Rung.SIZE:
            most = 0
    if most is None:
        most = 0 if intent.what["rung"] == Rung.SIZE else count(intent.what["ours_padded"])
    turned = "turned" in intent.what
    if session.receipt is not None and intent.fields["direction"] == "responder" and not turned:
        told = _told(session.receipt)
        return most if told is None else min(most, told)
    return most


def _told(receipt: Leaf) -> int | None:
    body = receipt.fields["receipt"]
    assert isinstance(body, bytes)
    try:
        return Receipt.decode(body).initiator.told
    except PeerMisbehaved as e:
        raise LedgerError(f"entry {receipt.seq} holds no receipt") from e


def approval_of(leaf: Leaf) -> Approval:
    """Return an approval as the policy reads it.

    Raises:
        LedgerError: it names a rung or a type that this cosight does not know.
    """
    what = leaf.what
    try:
        return Approval(
            request=str(what["request"]),
            rung=Rung(str(what["rung"])),
            types=tuple(map(IndicatorType, _list(what["types"]))),
            approver=str(what["approver"]),
            expires=moment(str(what["expires"])),
            signature=bytes.fromhex(str(what["signature"])),
        )
    except ValueError as e:
        raise LedgerError(f"entry {leaf.seq} has a rung or a type that this cosight does not know") from e


def quarantine_of(decided: Iterable[Leaf]) -> str:
    """Return why a peer is in quarantine after these entries about it, or ``""``."""
    reason = ""
    for leaf in decided:
        if leaf.kind in {Kind.QUARANTINE, Kind.LIFT}:
            reason = str(leaf.what["reason"]) if leaf.kind is Kind.QUARANTINE else ""
    return reason


def history_of(past: Iterable[Past], decided: Sequence[Leaf], now: datetime) -> History:
    """Return what the policy asks about a peer, from its sessions and from what was decided about it.

    Raises:
        LedgerError: an approval names a rung or a type that this cosight does not know.
    """
    recent = tuple(one for one in past if one.began >= now - REMEMBERED)
    approvals = tuple(approval_of(leaf) for leaf in decided if leaf.kind is Kind.APPROVAL)
    return History(recent, quarantine_of(decided), approvals)


def moment(text: str) -> datetime:
    """Return the time that a leaf holds, UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def count(value: object) -> int:
    """Return a number that the schema has checked."""
    assert isinstance(value, int)  # the schema says so
    return value


def _first(what: Mapping[str, object], *names: str) -> object:
    return next((what[name] for name in names if name in what), None)


def _maybe(value: object) -> int | None:
    return None if value is None else count(value)


def _list(value: object) -> list[str]:
    assert isinstance(value, list)  # the schema says so
    return value
