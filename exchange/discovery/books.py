"""What a member's ledger says of the discoveries that it takes part in: every beginning, and its end.

A discovery that was given up may be begun again, with the batch that is kept: then it is joined anew. Where
we were killed, the next process of the home writes the end.
"""

import json
from collections.abc import Collection
from typing import Any

from exchange.aggregation.round import Round
from exchange.disclosure.desk import Desk
from exchange.discovery.kept import Own
from exchange.discovery.permit import Permit
from exchange.discovery.world import Stage
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.runs import CUT_OFF, DISCOVER

ENTERED = "entered"
"""What went into our batch of a session, in numbers, among what we keep."""


class Books:
    """A member's.

    Args:
        desk: who we are.
        own: what we keep.
    """

    def __init__(self, desk: Desk, own: Own) -> None:
        self._desk = desk
        self._own = own

    def joined(self, of: Round, permit: Permit, padded: int) -> None:
        """We take part: before anything that depends on our set leaves."""
        if self._is_open(of):
            return  # another process of this home is at it
        what = of.asked() | self._entered(of, permit, padded)
        self._write("joined", of, what, documents=[Document(DocumentKind.ROUND, of.encoded)])

    def counted(self, of: Round, what: dict[str, Any], culprits: Collection[str]) -> None:
        """It came to its end."""
        self._end("counted", of, what, culprits)

    def broken(self, of: Round, code: str, culprits: Collection[str] = (), *, by: str) -> None:
        """It did not: why, and whether ``us`` or a ``peer`` gave it up."""
        self._end("broken", of, {"reason": code, "by": by}, culprits)

    def close_cut_off(self) -> None:
        """Give the discoveries an end in which a process of this home was killed."""
        with self._own.nobody() as nobody:
            for run in self._desk.ledger.runs().going() if nobody else ():
                if run.key.measure == DISCOVER:
                    what = {"reason": CUT_OFF, "by": "us"}
                    self._append("broken", session=run.session, peer=run.coordinator, what=what)

    def _entered(self, of: Round, permit: Permit, padded: int) -> dict[str, Any]:
        """What goes in: of a batch that is kept, what went in when it was made."""
        if self._own.batch(of.context, Stage.BATCHES) is None:
            now = self._desk.clock()
            offer = self._desk.items.offer(permit.types, now=now, admission=permit.admission)
            told = json.dumps(offer.as_json() | {"padded": padded}).encode()
            self._own.keep_batch(of.context, ENTERED, told)
        kept: dict[str, Any] = json.loads(self._own.batch(of.context, ENTERED) or b"{}")
        return kept | {"policy": self._desk.policy().hash.hex()}

    def _end(self, kind: str, of: Round, what: dict[str, Any], culprits: Collection[str]) -> None:
        if self._is_open(of):
            named = {"culprits": sorted(set(culprits))} if culprits else {}
            self._write(kind, of, what, **named)

    def _is_open(self, of: Round) -> bool:
        run = self._desk.ledger.runs().joined(of.session)
        return run is not None and not run.ended

    def _write(self, kind: str, of: Round, what: dict[str, Any], **fields: Any) -> None:
        self._append(kind, session=of.session, peer=of.parts.relay, what=what, **fields)

    def _append(self, kind: str, **fields: Any) -> None:
        self._desk.ledger.append(kind, now=self._desk.clock(), **fields)
