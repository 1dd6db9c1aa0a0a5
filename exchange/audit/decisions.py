"""Decides every session once more, under the policy that was in force, from the entries before it alone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from crypto.psi import Output
from exchange.agreement import Agreement, Rung
from exchange.audit.dealings import Dealings
from exchange.audit.log import Log
from exchange.audit.sessions import Session, approval_of, count, moment
from exchange.errors import LedgerError
from exchange.guards.growth import growth_per_day
from exchange.indicators import PROFILE, IndicatorType
from exchange.ledger.leaf import Kind, Leaf
from exchange.policy import History, Policy, Request, decide, explain
from exchange.policy.approvals import is_signed

Found = tuple[int, str]
"""The number of an entry, and what is wrong there."""
_DECIDED = {Kind.QUARANTINE, Kind.LIFT, Kind.APPROVAL}
_UNKNOWN = "the entry holds what no session of this version has"
_ON_PURPOSE = {"purpose", "p19-approval"}
"""Rules on what the agreement alone says; a session that came to none is not held to them."""


class _Asked(NamedTuple):
    """A session that waits to be decided: what was known when it began."""

    history: History
    facts: dict[str, Any]


class Decisions:
    """Follows every peer through the log, as the node did."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._dealings: dict[str, Dealings] = {}
        self._decided: dict[str, list[Leaf]] = {}
        self._asked: dict[str, _Asked] = {}

    def entry(self, leaf: Leaf, session: Session | None) -> Iterator[Found]:
        """Look at one entry."""
        try:
            if leaf.kind in _DECIDED:
                self._decided.setdefault(leaf.peer, []).append(leaf)
            if leaf.kind is Kind.APPROVAL and (fault := self._approval(leaf)):
                yield leaf.seq, fault
            if session is not None:
                yield from self._session(leaf, session)
                self._dealings.setdefault(leaf.peer, Dealings()).take([leaf])
        except (LedgerError, ValueError):
            yield leaf.seq, _UNKNOWN

    def finish(self) -> Iterator[Found]:
        """Decide the sessions that have no result."""
        for name in list(self._asked):
            session = self._log.sessions[name]
            try:
                yield from self._decide(session)
            except (LedgerError, ValueError):
                yield session.intent.seq, _UNKNOWN

    def _session(self, leaf: Leaf, session: Session) -> Iterator[Found]:
        if leaf.kind is Kind.INTENT:
            self._asked[leaf.session] = self._at(leaf)
            if leaf.fields["direction"] == "responder":
                yield from self._decide(session)
        elif leaf.session in self._asked:  # whoever dials learns with the answer what there is to decide on
            yield from self._decide(session)

    def _at(self, intent: Leaf) -> _Asked:
        """What was known before an intent."""
        now, what = moment(intent.time), intent.what
        known = self._dealings.setdefault(intent.peer, Dealings())
        history = known.history(self._decided.get(intent.peer, ()), now)
        facts: dict[str, Any] = {"role": self._role(intent.peer)}
        if "below" in what:
            facts["below"] = next((past for past in history.past if past.session == what["below"]), None)
        if "log_size" in what and "peer_set" not in what:
            facts["peer_commitment"] = False
        elif "peer_set" in what:
            facts["peer_commitment"] = True
            padded = count(what["peer_set_padded"])
            if (before := known.bound(now - timedelta(days=1))) is not None:
                days = before.time.toordinal(), now.toordinal()
                facts["peer_growth"] = growth_per_day((days[0], before.padded), (days[1], padded))
        return _Asked(history, facts)

    def _role(self, peer: str) -> str:
        roster = self._log.rosters.at(self._log.history.epoch)
        member = None if roster is None else roster.by_id.get(peer)
        return "member" if member is None else str(member.role)

    def _decide(self, session: Session) -> Iterator[Found]:
        history, facts = self._asked.pop(session.session)
        intent = session.intent
        policy = self._log.policy(str(intent.what.get("policy", "")))
        if policy is None:  # said where documents are looked for
            return
        agreement = self._log.agreement(session.agreement)
        if agreement is not None and intent.peer not in {agreement.initiator, agreement.responder}:
            return  # said there, too
        if fault := self._fault(policy, session, agreement, history, facts):
            yield intent.seq, fault

    def _fault(
        self,
        policy: Policy,
        session: Session,
        agreement: Agreement | None,
        history: History,
        facts: dict[str, Any],
    ) -> str:
        now = moment(session.intent.time)
        request = self._request(session, agreement, facts, now)
        decision = decide(policy, request, history, now)
        if decision.allowed:
            return ""
        rule = decision.rule
        if agreement is None:
            verdicts = explain(policy, request, history, now)
            objecting = (v.rule for v in verdicts if v.verdict == "objects" and v.rule not in _ON_PURPOSE)
            rule = next(objecting, "")
        return f"the policy in force refuses this session, by {rule}" if rule else ""

    def _request(
        self, session: Session, agreement: Agreement | None, facts: dict[str, Any], now: datetime
    ) -> Request:
        intent, what = session.intent, session.intent.what
        direction = str(intent.fields["direction"])
        padded: int | None = None
        if agreement is not None and not _refused_by_us(session):
            padded = agreement.padded_of(intent.peer)
            if facts.get("peer_commitment"):
                facts["peer_commitment"] = padded <= count(what["peer_set_padded"])
            made = self._log.sessions.get(agreement.correlation.hex())
            if agreement.base:
                facts["new"] = agreement.initiator_new + agreement.responder_new
            if made is not None:
                facts["ahead_age_s"] = (now - moment(made.intent.time)).total_seconds()
        types = what["types"]
        assert isinstance(types, list)  # the schema says so
        return Request(
            peer=intent.peer,
            direction=direction,
            rung=Rung(str(what["rung"])),
            types=tuple(map(IndicatorType, types)),
            protocol=str(what["protocol"]),
            output=Output(str(what["output"])),
            our_size=_put_in(intent),
            peer_size_padded=padded,
            purpose="" if agreement is None else agreement.purpose,
            profile=str(what.get("profile", PROFILE)),
            over=str(what.get("over", "")),
            turned="turned" in what,
            epsilon_milli=count(what.get("epsilon_milli", 0)),
            **facts,
        )

    def _approval(self, leaf: Leaf) -> str:
        policy = self._log.policy(self._log.history.policy)
        if policy is None:
            return "there is no policy in force that could hear this approval"
        approval = approval_of(leaf)
        key = policy.approvers.get(approval.approver)
        if key is None:
            return "the policy in force does not know this approver"
        return "" if is_signed(approval, key) else "the approver did not sign this approval"


def _refused_by_us(session: Session) -> bool:
    """Whether our policy refused it once the peer's size was known: then nothing ran."""
    result = session.result
    return result is not None and result.kind is Kind.ABORTED and result.what["reason"] == "policy-refused"


def _put_in(intent: Leaf) -> int | None:
    """How many items we put in; None where that does not matter, or an older version did not say."""
    what = intent.what
    if what.get("stage") == "ahead" or ("entered" not in what and "canaries" not in what):
        return None
    entered = what.get("entered", {})
    assert isinstance(entered, dict)  # the schema says so
    return sum(entered.values()) + count(what.get("canaries", 0))
