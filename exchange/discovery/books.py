"""What a member's ledger says of the discoveries that it takes part in: every beginning, and its end.

Our policy is asked before, and what it allows is written down in the same step. What was given up may be
begun again, with the batch that is kept: then it is joined anew. Where we were killed, the next process of
the home writes the end.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange.aggregation.round import Round
from exchange.disclosure.desk import Desk
from exchange.discovery.kept import Own, parcel
from exchange.discovery.search import PutIn
from exchange.discovery.world import Stage
from exchange.errors import CosightError, PolicyRefusal, StoreError
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.runs import CUT_OFF, DISCOVER
from exchange.policy import Policy
from exchange.policy.discovery import Before, Searching, decide, explain
from exchange.policy.rules import Explained

ENTERED = "entered"
"""What went into our batch of a session, in numbers, among what we keep."""
UNDER = "policy"
"""The hash of the policy that let it in."""


class Books:
    """A member's.

    Args:
        desk: who we are.
        own: what we keep.
    """

    def __init__(self, desk: Desk, own: Own) -> None:
        self._desk = desk
        self._own = own

    def allowed(self, of: Round) -> Policy:
        """Ask our policy whether we take part; a refusal is written down.

        Raises:
            PolicyRefusal: it does not allow it.
        """
        situation = self._situation(of)
        policy, decision = situation[0], decide(*situation)
        if not decision.allowed:
            what = {"by": "us", "reason": "policy-refused", "rule": decision.rule}
            self._append("refused", peer=of.parts.relay, direction="initiator", what=what)
            raise PolicyRefusal(decision.explanation, code="policy-refused", rule=decision.rule)
        return policy

    def explained(self, of: Round) -> Explained:
        """What every rule of our policy says of it. Nothing is written."""
        situation = self._situation(of)
        return Explained(decide(*situation), explain(*situation))

    def _situation(self, of: Round) -> tuple[Policy, Searching, Before, datetime]:
        """All that the rules look at."""
        desk, now = self._desk, self._desk.clock()
        policy, (epoch, roster_hash) = desk.policy(), desk.roster()
        asked = Searching(of=of, us=desk.member, roster_epoch=epoch, roster_hash=roster_hash)
        return policy, asked, Before(desk.ledger.runs(), self._quarantined(of)), now

    def joined(self, of: Round, ours: PutIn, policy: Policy) -> PutIn:
        """We take part: before anything that depends on our set leaves.

        Args:
            of: in what.
            ours: what would go in now.
            policy: the one that lets it in.

        Returns:
            What goes in: of a batch that is kept, what went in when it was made.

        Raises:
            PolicyRefusal: our policy does not allow it.
        """
        with self._desk.ledger.turn():
            run, put_in = self._desk.ledger.runs().joined(of.session), self._put_in(of, ours, policy)
            if run is not None and not run.again:
                return put_in  # it came to its end before, or another process of this home is at it
            what = of.asked(self._desk.member) | put_in.entry() | {"policy": self.allowed(of).hash.hex()}
            self._write("joined", of, what, documents=[Document(DocumentKind.ROUND, of.encoded)])
        return put_in

    def brought(self, of: Round) -> None:
        """Our batch leaves: before it does. From here on the discovery counts.

        Raises:
            PolicyRefusal: our policy does not allow it any more.
            CosightError: it is another one than let in what the batch has.
        """
        with self._desk.ledger.turn():
            run = self._desk.ledger.runs().joined(of.session)
            if run is not None and run.brought:
                return
            policy = self.allowed(of)
            if self._own.batch(of.context, UNDER) != policy.hash:
                raise CosightError(
                    "our policy was changed since our batch was made", code="policy-changed",
                    hint="the new policy decides on another one: on another day, or for another --purpose",
                )  # fmt: skip
            self._write("brought", of, {"policy": policy.hash.hex()})

    def counted(self, of: Round, what: dict[str, Any], named: Mapping[str, list[str]]) -> None:
        """It came to its end; ``named`` are those whom ``proof.names`` gives."""
        self._end("counted", of, what, named)

    def broken(self, of: Round, code: str, named: Mapping[str, list[str]], *, by: str) -> None:
        """It did not: why, and whether ``us`` or a ``peer`` gave it up."""
        self._end("broken", of, {"reason": code, "by": by}, named)

    def close_cut_off(self) -> None:
        """Give the discoveries an end in which a process of this home was killed."""
        with self._own.nobody() as nobody:
            for run in self._desk.ledger.runs().going() if nobody else ():
                if run.key.measure == DISCOVER:
                    what = {"reason": CUT_OFF, "by": "us"}
                    self._append("broken", session=run.session, peer=run.coordinator, what=what)

    def _quarantined(self, of: Round) -> dict[str, str]:
        """Who of those that have a part is in quarantine with us, and why."""
        now, ledger = self._desk.clock(), self._desk.ledger
        others = {of.parts.relay, of.parts.counter, *of.parts.helpers} - {self._desk.member}
        found = {name: ledger.history(name, now).quarantined for name in others}
        return {name: reason for name, reason in found.items() if reason}

    def _put_in(self, of: Round, ours: PutIn, policy: Policy) -> PutIn:
        """What went into the batch that is kept; where there is none, what goes into it, kept as well."""
        if parcel(self._own, of, Stage.BATCHES) is None:
            self._own.keep_batch(of.context, ENTERED, ours.encode())
            self._own.keep_batch(of.context, UNDER, policy.hash)
            return ours
        kept = self._own.batch(of.context, ENTERED)
        if kept is None:
            raise StoreError("a batch is kept, but not what went into it; an older version made it")
        return PutIn.decode(kept)

    def _end(self, kind: str, of: Round, what: dict[str, Any], named: Mapping[str, list[str]]) -> None:
        if self._is_open(of):
            self._write(kind, of, what, **named)

    def _is_open(self, of: Round) -> bool:
        run = self._desk.ledger.runs().joined(of.session)
        return run is not None and not run.ended

    def _write(self, kind: str, of: Round, what: dict[str, Any], **fields: Any) -> None:
        self._append(kind, session=of.session, peer=of.parts.relay, what=what, **fields)

    def _append(self, kind: str, **fields: Any) -> None:
        self._desk.ledger.append(kind, now=self._desk.clock(), **fields)
