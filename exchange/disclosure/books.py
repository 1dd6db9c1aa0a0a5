"""What a session writes into the ledger: counts and names, never an indicator."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from crypto.psi import Output
from exchange.agreement import Agreement, Rung, Stage
from exchange.disclosure.desk import Desk, Found, Learned, Proposal
from exchange.disclosure.drive import Progress, in_thread
from exchange.disclosure.epochs import GoingOn, State
from exchange.disclosure.questions import Tally
from exchange.disclosure.standing import Shown
from exchange.disclosure.world import Channel
from exchange.errors import CosightError, PeerExceededLimit, PeerRefused
from exchange.ledger import receipt
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.leaf import timestamp
from exchange.policy import Policy, Request, at_stake, told
from exchange.policy.admission import Admission, Offer
from exchange.policy.request import noise_milli

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """One session of ours in the ledger: opened by an intent, closed exactly once.

    Attributes:
        desk: who we are.
        peer: the other member.
        direction: ``initiator`` or ``responder``.
        proposal: what was asked for.
        policy: ours, as it was when the session was decided on.
        agreement: what came of it, once there is one.
        peer_signature: the peer's, over the agreement, once it was verified.
        channel: the run's channel, once there is one.
        progress: what left in the run.
        shown: the peer's log and its committed set, once they were checked.
        admission: under what ours may enter.
        offer: what of ours enters, once that was counted.
        planted: how many canaries enter besides.
        going_on: what the session goes on from, where it does.
        left: what the run left for the next session, once it is over.
        asked: how many questions were asked, where there were single ones and all of them are known.
        open: whether there is an intent that awaits its result.
    """

    desk: Desk
    peer: str
    direction: str
    proposal: Proposal
    policy: Policy
    agreement: Agreement | None = None
    peer_signature: bytes = b""
    channel: Channel | Tally | None = None
    progress: Progress = field(default_factory=Progress)
    shown: Shown | None = None
    admission: Admission = field(default_factory=Admission)
    offer: Offer | None = None
    planted: int = 0
    going_on: GoingOn | None = None
    left: State | None = None
    asked: int | None = None
    open: bool = False

    @property
    def ours(self) -> int | None:
        """How many items we put in; None before they were counted."""
        return None if self.offer is None else self.offer.size + self.planted

    def request(self, peer_padded: int | None, **known: Any) -> Request:
        """What our policy is asked, as far as it is known."""
        p, member = self.proposal, self.desk.find(self.peer)
        if member is not None:
            known["role"] = str(member.role)
        return Request(
            peer=self.peer, direction=self.direction, rung=p.rung, types=p.types, protocol=p.protocol,
            output=p.output, our_size=self.ours, peer_size_padded=peer_padded, purpose=p.purpose,
            profile=p.profile, over=p.over, turned=p.turned, new=self._new(),
            epsilon_milli=self._epsilon_milli(), **known,
        )  # fmt: skip

    def _epsilon_milli(self) -> int:
        """The noise of ours, where it is a count with noise that we send."""
        return 0 if self.receives else noise_milli(self.policy, self.peer, self.proposal.protocol)

    def _new(self) -> int | None:
        """How many rows are new on both sides, where the session goes on from another."""
        if self.going_on is None:
            return None
        ours_first = self.direction == "initiator"
        answered = 0 if self.agreement is None else self.agreement.responder_new
        return self.going_on.new + (answered if ours_first else self.proposal.initiator_new)

    def intend(self, ours_padded: int) -> None:
        """Write the intent. Only after this may anything that depends on our set leave."""
        p = self.proposal
        self._write(
            "intent",
            rung=str(p.rung), output=str(p.output), types=[str(t) for t in p.types], protocol=p.protocol,
            profile=p.profile, policy=self.policy.hash.hex(), ours_padded=ours_padded,
            **({} if self.agreement is None else {"peer_padded": p.padded}),
            **self._put_in(), **self._peer_shows(),
        )  # fmt: skip
        self.open = True

    def _put_in(self) -> dict[str, Any]:
        """What of ours goes in, and what it builds on."""
        p, offer = self.proposal, self.offer or Offer()
        facts: dict[str, Any] = {
            **offer.as_json(),
            "canaries": self.planted,
            "at_stake": self._at_stake(),
            "stage": None if p.stage is Stage.WHOLE else str(p.stage),
            "below": p.below.hex(),
            "over": p.over,
            "turned": "yes" if p.turned else "",
            "epsilon_milli": self._epsilon_milli(),
        }
        return {name: value for name, value in facts.items() if value or name in {"canaries", "at_stake"}}

    def _peer_shows(self) -> dict[str, Any]:
        """The state of the peer's log and set, so that the next session can be held to it."""
        if self.shown is None:
            return {}
        seen, committed = self.shown.seen, self.shown.committed
        bound = {} if committed is None else {
            "peer_epoch": committed.epoch,
            "peer_set": committed.root.hex(),
            "peer_set_padded": committed.padded,
        }  # fmt: skip
        return {"log_size": seen.size, "log_root": seen.root.hex()} | bound

    def check_policy(self) -> None:
        """Refuse to go on under a policy that is no longer ours.

        Raises:
            CosightError: the policy was changed since the agreement.
        """
        if self.desk.policy().hash != self.policy.hash:
            raise CosightError(
                "our policy was changed since the session was agreed on",
                code="policy-changed",
                hint="run the match again: the new policy decides",
            )

    @property
    def receives(self) -> bool:
        """Whether we are the receiver."""
        return (self.direction == "initiator") is not self.proposal.turned

    def disclosed(self, **facts: int) -> None:
        """Close the session: what each side has learned. ``facts`` are the numbers that we did."""
        p = self.proposal
        ours, peers = (
            p.rung if p.output is Output.BOTH or b else Rung.SIZE for b in (self.receives, not self.receives)
        )
        told = self._told(facts["matched"]) if "matched" in facts else {}
        self._write(
            "disclosed",
            learned_by_us=str(ours), learned_by_peer=str(peers), **facts, **told, **self._run(),
            **({} if self.channel is None else {"transcript": self._transcript(self.channel)}),
        )  # fmt: skip

    def keep(self, found: Found) -> None:
        """Keep what a session told us. It is over: what cannot be kept is lost, and the log says so."""
        p = self.proposal
        if not found.facts() and found.estimate is None:
            return
        learned = Learned(
            session=p.session.hex(), peer=self.peer, direction=self.direction, found=found,
            time=timestamp(self.desk.clock()), rung=p.rung, protocol=p.protocol, over=p.over, types=p.types,
        )  # fmt: skip
        try:
            self.desk.keep(learned)
        except CosightError as e:
            log.warning("the result of a session with %s is not kept: %s", self.peer, e)

    def aborted(self, reason: str, *, by: str = "us") -> None:
        """Close the session, if it was opened: it ended early, and this is what had left by then."""
        if self.open:
            most, facts = str(self._at_most()), self._run(aborted=True)
            self._write("aborted", reason=reason, by=by, learned_by_peer=most, **facts)
        self.open = False

    def _told(self, matched: int) -> dict[str, int]:
        """What of the count goes into the receipt: as our policy says, where the peer did not learn it."""
        terms = self.policy.terms(self.peer)
        mode = "hidden" if terms is None or self.direction == "responder" else terms[1].tell_count
        count = told(matched, mode)
        return {} if count is None else {"told": count}

    def _transcript(self, channel: Channel | Tally) -> str:
        """The hash of all messages of the run, the same at both sides."""
        sent, received = channel.digests()
        ours_first = self.direction == "initiator"
        return receipt.transcript(*((sent, received) if ours_first else (received, sent))).hex()

    def refused(self, reason: str, rule: str | None = None) -> None:
        """Record that we said no, and so no session was opened."""
        self._write("refused", by="us", reason=reason, **({} if rule is None else {"rule": rule}))

    def _at_most(self) -> Rung:
        """The most that the peer can have learned so far, whatever it did with what had left."""
        learns = not self.receives or self.proposal.output is Output.BOTH
        return self.proposal.rung if learns and self.progress.messages else Rung.SIZE

    def _at_stake(self) -> int:
        """The most items of ours that the peer can learn of in this session, as far as it is known."""
        agreement = self.agreement
        request = self.request(None if agreement is None else agreement.padded_of(self.peer))
        known = (n for n in (at_stake(request), self.asked) if n is not None)
        return min(known, default=self.ours or 0)

    def _run(self, *, aborted: bool = False) -> dict[str, Any]:
        """What the agreement pinned and what the run moved, as far as it came."""
        agreement, channel = self.agreement, self.channel
        facts: dict[str, Any] = {}
        if agreement is not None:
            facts |= {
                "ours_padded": agreement.padded_of(self.desk.member),
                "peer_padded": agreement.padded_of(self.peer),
                "at_stake": 0 if aborted and self._at_most() is Rung.SIZE else self._at_stake(),
            }
        if self.peer_signature:
            facts["peer_signature"] = self.peer_signature.hex()
        if channel is not None:
            facts |= {
                "bytes_sent": channel.sent,
                "bytes_received": channel.received,
                "messages_sent": self.progress.messages,
            }
        return facts

    def _write(self, kind: str, **what: Any) -> None:
        pinned, documents = {}, []
        if self.agreement is not None:
            pinned = {"agreement": self.agreement.hash.hex()}
            documents = [Document(DocumentKind.AGREEMENT, self.agreement.encoded)]
        self.desk.ledger.append(
            kind,
            now=self.desk.clock(),
            documents=documents,
            session=self.proposal.session.hex(),
            peer=self.peer,
            direction=self.direction,
            what=what,
            **pinned,
        )


@asynccontextmanager
async def closing(entry: Entry) -> AsyncIterator[None]:
    """Close the session in the ledger if the body fails, whatever the reason, cancellation included."""
    try:
        yield
    except PeerRefused as e:
        await in_thread(entry.aborted, e.code, by="peer")
        raise
    except TimeoutError:
        await in_thread(entry.aborted, "deadline")
        raise PeerExceededLimit("the session did not end before its deadline", code="deadline") from None
    except CosightError as e:
        await in_thread(entry.aborted, e.code)
        raise
    except asyncio.CancelledError:
        entry.aborted("cancelled")  # no await: we are being cancelled
        raise
    except BaseException:  # a panic of the kernel too
        entry.aborted("failed")
        raise
