"""What a session writes into the ledger: counts and names, never an indicator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from crypto.psi import Output
from exchange.agreement import Agreement, Rung
from exchange.disclosure.desk import Channel, Desk, Proposal
from exchange.disclosure.drive import Progress, in_thread
from exchange.errors import CosightError, PeerExceededLimit, PeerRefused
from exchange.policy import Policy


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
        open: whether there is an intent that awaits its result.
    """

    desk: Desk
    peer: str
    direction: str
    proposal: Proposal
    policy: Policy
    agreement: Agreement | None = None
    peer_signature: bytes = b""
    channel: Channel | None = None
    progress: Progress = field(default_factory=Progress)
    open: bool = False

    def intend(self, ours_padded: int) -> None:
        """Write the intent. Only after this may anything that depends on our set leave."""
        p = self.proposal
        self._write(
            "intent",
            rung=str(p.rung), output=str(p.output), types=[str(t) for t in p.types], protocol=p.protocol,
            profile=p.profile, policy=self.policy.hash.hex(), ours_padded=ours_padded,
            **({} if self.agreement is None else {"peer_padded": p.padded}),
        )  # fmt: skip
        self.open = True

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

    def disclosed(self, *, learned_by_us: Rung, learned_by_peer: Rung, matched: int | None) -> None:
        """Close the session: what each side has learned."""
        count = {} if matched is None else {"matched": matched}
        self._write(
            "disclosed",
            learned_by_us=str(learned_by_us), learned_by_peer=str(learned_by_peer), **count, **self._run(),
        )  # fmt: skip

    def aborted(self, reason: str, *, by: str = "us") -> None:
        """Close the session, if it was opened: it ended early, and this is what had left by then."""
        if self.open:
            self._write("aborted", reason=reason, by=by, learned_by_peer=str(self._at_most()), **self._run())
        self.open = False

    def refused(self, reason: str, rule: str | None = None) -> None:
        """Record that we said no, and so no session was opened."""
        self._write("refused", by="us", reason=reason, **({} if rule is None else {"rule": rule}))

    def _at_most(self) -> Rung:
        """The most that the peer can have learned so far, whatever it did with what had left."""
        learns = self.direction == "responder" or self.proposal.output is Output.BOTH
        return self.proposal.rung if learns and self.progress.messages else Rung.SIZE

    def _run(self) -> dict[str, Any]:
        """What the agreement pinned and what the run moved, as far as it came."""
        agreement, channel = self.agreement, self.channel
        facts: dict[str, Any] = {}
        if agreement is not None:
            facts |= {
                "ours_padded": agreement.padded_of(self.desk.member),
                "peer_padded": agreement.padded_of(self.peer),
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
        pinned = {} if self.agreement is None else {"agreement": self.agreement.hash.hex()}
        self.desk.ledger.append(
            kind,
            now=self.desk.clock(),
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
