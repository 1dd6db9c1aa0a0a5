"""Receipts: signed by both, and saying what our own log says."""

from collections.abc import Iterator

from exchange.agreement import Agreement
from exchange.audit.log import Log
from exchange.audit.sessions import Session
from exchange.errors import PeerMisbehaved
from exchange.identity.roster import Roster
from exchange.ledger.leaf import RESULTS, Kind, Leaf
from exchange.ledger.receipt import NOTHING, Receipt


class Receipts:
    """Checks every receipt when it comes, and that no result follows one."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def entry(self, leaf: Leaf, session: Session | None) -> Iterator[str]:
        """Look at one entry; give what is wrong with it."""
        if session is None:
            return
        if leaf.kind is Kind.RECEIPT:
            yield from self._receipt(leaf, session)
        elif leaf.kind in RESULTS and session.receipt is not None:
            yield "the session goes on after its receipt"

    def _receipt(self, leaf: Leaf, session: Session) -> Iterator[str]:
        body = leaf.fields["receipt"]
        assert isinstance(body, bytes)  # the schema says so
        try:
            receipt = Receipt.decode(body)
            agreement = Agreement.from_bytes(receipt.initiator.agreement)
        except PeerMisbehaved as e:
            yield f"{e}"
            return
        if fault := self._parties(leaf, session, agreement):
            yield fault
            return
        roster = self._log.rosters.at(agreement.roster_epoch)
        if roster is None or roster.hash != agreement.roster_hash:
            yield "the receipt names a roster that is not in the export"
        elif fault := _signatures(receipt, agreement, roster):
            yield fault
        initiator = leaf.fields["direction"] == "initiator"
        yield from self._own(session, receipt, initiator=initiator)
        yield from self._theirs(leaf, session, receipt, initiator=initiator)

    def _parties(self, leaf: Leaf, session: Session, agreement: Agreement) -> str:
        parties = [self._log.member, session.intent.peer]
        if leaf.fields["direction"] == "responder":
            parties.reverse()
        if (leaf.peer, leaf.fields["direction"]) != (session.intent.peer, session.intent.fields["direction"]):
            return "the receipt names another peer or direction than the intent"
        if [agreement.initiator, agreement.responder] != parties or agreement.session != leaf.session:
            return "the receipt is of another session"
        if {agreement.hash.hex()} != {
            leaf.fields["agreement"],
            session.agreement or leaf.fields["agreement"],
        }:
            return "the receipt is of another agreement than the session"
        return ""

    def _own(self, session: Session, receipt: Receipt, *, initiator: bool) -> Iterator[str]:
        """Compare what the receipt says of us with our own log."""
        part = receipt.initiator if initiator else receipt.responder
        last = session.intent if session.result is None else session.result
        outcome = "open" if session.result is None else str(session.result.kind)
        if part.outcome != outcome:
            yield f"the receipt says {part.outcome}, but the session is {outcome}"
        if (part.time, part.size) != (last.time, last.seq + 1):
            yield "the receipt names another entry than the one that the session ended with"
        if part.root != self._log.root(part.size):
            yield "the receipt signs another log than this one"
        run, written = receipt.initiator.transcript.hex(), last.what.get("transcript")
        if run != (written or NOTHING.hex()) and (
            initiator or (receipt.initiator.outcome == "disclosed" and written)
        ):
            yield "the receipt is of another run than the session"
        told, matched = receipt.initiator.told, last.what.get("matched")
        if initiator and told != last.what.get("told"):
            yield "the receipt tells another count than the session"
        if not initiator and told is not None and isinstance(matched, int) and told < matched:
            yield "the receipt tells a smaller count than the one we know"

    def _theirs(self, leaf: Leaf, session: Session, receipt: Receipt, *, initiator: bool) -> Iterator[str]:
        """Compare what the receipt says of logs that were shown."""
        theirs = receipt.responder if initiator else receipt.initiator
        if (leaf.what["log_size"], leaf.what["log_root"]) != (theirs.size, theirs.root.hex()):
            yield "the entry witnesses another log of the peer than its receipt"
        shown, root = receipt.initiator.peer_size, receipt.initiator.peer_root
        if initiator:
            what = session.intent.what
            if (shown, root.hex()) != (what.get("log_size"), what.get("log_root")):
                yield "the receipt witnesses another log of the peer than the intent"
        elif root != self._log.root(shown):
            yield "the peer has witnessed another log of ours than this one"


def _signatures(receipt: Receipt, agreement: Agreement, roster: Roster) -> str:
    first, second = (roster.by_id.get(name) for name in (agreement.initiator, agreement.responder))
    if first is None or second is None:
        return "a party of the receipt is not on the roster that it names"
    if not receipt.check(first.identity_key, second.identity_key):
        return "the receipt is not signed by both parties"
    return ""
