"""What a session writes into the ledger: counts and names, never an indicator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from crypto.errors import CryptoError
from exchange.agreement import Agreement
from exchange.disclosure.desk import Channel, Desk, Proposal
from exchange.disclosure.drive import Progress
from exchange.errors import CosightError, PeerExceededLimit, PeerRefused


@dataclass(slots=True)
class Entry:
    """One session of ours in the ledger: opened by an intent, closed exactly once.

    Attributes:
        desk: who we are.
        peer: the other member.
        direction: ``initiator`` or ``responder``.
        proposal: what was asked for.
        agreement: what came of it, once there is one.
        channel: the run's channel, once there is one.
        progress: what left in the run.
    """

    desk: Desk
    peer: str
    direction: str
    proposal: Proposal
    agreement: Agreement | None = None
    channel: Channel | None = None
    progress: Progress = field(default_factory=Progress)

    def intend(self, ours_padded: int) -> None:
        """Write the intent. Only after this may anything that depends on our set leave."""
        p = self.proposal
        self._write(
            "intent",
            rung=str(p.rung), output=str(p.output), types=[str(t) for t in p.types], protocol=p.protocol,
            ours_padded=ours_padded, purpose=p.purpose,
        )  # fmt: skip

    def disclosed(self, *, learned_by_us: str, learned_by_peer: str, matched: int | None) -> None:
        """Close the session: what each side has learned."""
        self._write(
            "disclosed",
            learned_by_us=learned_by_us, learned_by_peer=learned_by_peer,
            **({} if matched is None else {"matched": matched}), **self._run(),
        )  # fmt: skip

    def aborted(self, reason: str) -> None:
        """Close the session: it ended early, and this is what had left by then."""
        self._write("aborted", reason=reason, **self._run())

    def refused(self, by: str, code: str, rule: str | None = None) -> None:
        """Close the session, or record that none was opened: somebody said no."""
        self._write("refused", by=by, code=code, **({} if rule is None else {"rule": rule}))

    def _run(self) -> dict[str, Any]:
        sizes = {} if self.agreement is None else {
            "ours_padded": self.agreement.padded_of(self.desk.member),
            "peer_padded": self.agreement.padded_of(self.peer),
        }  # fmt: skip
        traffic = {} if self.channel is None else {
            "bytes_sent": self.channel.sent, "bytes_received": self.channel.received,
            "messages_sent": self.progress.messages,
        }  # fmt: skip
        return sizes | traffic

    def _write(self, kind: str, **what: Any) -> None:
        self.desk.ledger.append(
            kind,
            now=self.desk.clock(),
            session=self.proposal.session.hex(),
            peer=self.peer,
            direction=self.direction,
            agreement=None if self.agreement is None else self.agreement.hash.hex(),
            what=what,
        )


@asynccontextmanager
async def closing(entry: Entry) -> AsyncIterator[None]:
    """Close the session in the ledger if the body fails, whatever the reason, cancellation included."""
    try:
        yield
    except PeerRefused as e:
        await asyncio.to_thread(entry.refused, "peer", e.code)
        raise
    except TimeoutError:
        await asyncio.to_thread(entry.aborted, "deadline")
        raise PeerExceededLimit("the session did not end before its deadline", code="deadline") from None
    except CosightError as e:
        await asyncio.to_thread(entry.aborted, e.code)
        raise
    except asyncio.CancelledError:
        entry.aborted("cancelled")  # no await: we are being cancelled
        raise
    except (CryptoError, OSError, MemoryError):
        await asyncio.to_thread(entry.aborted, "failed")
        raise
