"""What the parts of a discovery share: who we are, the roster in force, and how others are reached."""

from collections.abc import Callable
from dataclasses import dataclass

from exchange.aggregation.round import Round
from exchange.disclosure.desk import Desk
from exchange.discovery.world import Reach
from exchange.errors import SessionRefused
from exchange.identity.roster import Roster
from exchange.ledger.document import Document
from exchange.policy import Discover
from exchange.policy.discovery import offered


@dataclass(frozen=True, slots=True)
class Office:
    """Where the parts of a discovery are done.

    Attributes:
        desk: who we are and what we decide with.
        roster: gives the roster in force.
        reach: opens a connection to a member.
    """

    desk: Desk
    roster: Callable[[], Roster]
    reach: Reach

    def terms(self, part: str) -> Discover:
        """What our policy says of discoveries, if it lets us have this part.

        Raises:
            SessionRefused: it does not.
        """
        policy = self.desk.policy()
        decision = offered(policy, part, self.desk.clock())
        if policy.discover is None or not decision.allowed:
            raise SessionRefused(decision.explanation, code="policy-refused", rule=decision.rule)
        return policy.discover

    def check(self, of: Round, part: str) -> None:
        """Check that a discovery is of our alliance and this day, and that we have a part in it.

        Raises:
            SessionRefused: it is not, or we have not, or our policy does not let us.
        """
        self.terms(part)
        of.check(self.roster(), self.desk.clock())
        if part not in of.parts.of(self.desk.member):
            raise SessionRefused(f"we are not the {part} of this discovery", code="not-drawn")

    def refused(self, caller: str, reason: str, session: str = "", evidence: Document | None = None) -> None:
        """Write down that we refused a caller that broke a rule, and what shows it, within bounds."""
        now = self.desk.clock()
        if self.desk.throttle.passes(caller, now):
            named = {"session": session} if session else {}
            what = {"by": "us", "reason": reason} | ({} if evidence is None else {"digest": evidence.hash})
            self.desk.ledger.append(
                "refused", now=now, peer=caller, direction="responder", what=what,
                documents=() if evidence is None else (evidence,), **named,
            )  # fmt: skip
