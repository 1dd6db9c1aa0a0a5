"""Sessions that go on from an earlier one: that there was one, and that they are charged for what is new."""

from collections.abc import Iterator

from exchange.agreement import Agreement
from exchange.audit.log import Log
from exchange.audit.sessions import Session
from exchange.ledger.leaf import RESULTS, Kind, Leaf


class Bases:
    """Looks at every entry of a session whose agreement names another session."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def entry(self, leaf: Leaf, session: Session | None) -> Iterator[str]:
        """Look at one entry; give what is wrong with it."""
        if session is None or leaf.kind not in RESULTS | {Kind.INTENT} or "agreement" not in leaf.fields:
            return
        agreement = self._log.agreement(str(leaf.fields["agreement"]))
        if agreement is None or not agreement.base:  # a missing one is said where documents are looked for
            return
        if fault := self._fault(session, agreement):
            yield fault
        if session.intent.fields["direction"] == "responder" and (fault := _charge(leaf, agreement)):
            yield fault

    def _fault(self, session: Session, agreement: Agreement) -> str:
        base = self._log.sessions.get(agreement.base.hex())
        if base is None or base.session == session.session:
            return "the session goes on from one that is not in the log before it"
        if base.result is None or base.result.kind is not Kind.DISCLOSED:
            return "the session goes on from one that did not run to its end"
        same = (base.intent.peer, base.intent.fields["direction"])
        if same != (session.intent.peer, session.intent.fields["direction"]):
            return "the session goes on from one with another peer or direction"
        before = self._log.agreement(base.agreement)
        if before is not None and _kind_of(before) != _kind_of(agreement):
            return "the session goes on from one of another kind"
        return ""


def _kind_of(agreement: Agreement) -> tuple[object, ...]:
    return agreement.protocol, agreement.rung, agreement.types, agreement.profile, agreement.receiver


def _charge(leaf: Leaf, agreement: Agreement) -> str:
    """Whether what is charged is the new rows of both sides; nothing, where it ended before any left."""
    charged = leaf.what.get("at_stake")
    nothing_left = leaf.kind is Kind.ABORTED and leaf.what.get("learned_by_peer") == "size"
    if charged == agreement.initiator_new + agreement.responder_new or (nothing_left and charged == 0):
        return ""
    return "what the session puts at stake is not what its agreement declares as new"
