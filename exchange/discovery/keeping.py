"""What the relay and the counter do alike: keep batches, wait for an end, and say what came of it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from exchange.aggregation.announced import Split
from exchange.aggregation.round import Round
from exchange.disclosure.drive import in_thread
from exchange.discovery import proof, signing
from exchange.discovery.office import Office
from exchange.discovery.outcome import Outcome
from exchange.discovery.world import Collected, Deposit, Kept, Planned, Shelf, Stage, State
from exchange.errors import SessionRefused, StoreError
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.runs import CUT_OFF, DISCOVER

MAX_EACH = 64
"""Discoveries that are kept to which one member may have brought a batch: they take room on our disk."""
MAX_OPEN = 16
"""Of these, those that have no end yet."""
MAX_RELAYS = 4
"""A counter has room for what so many relays may pass on at once, in stages and in bytes."""
MAX_PASSED = 16
"""Stages that one relay passes on at once; their bytes have the limit that those of one discovery have."""
MAX_GOING = MAX_RELAYS * MAX_PASSED
"""Stages that one node counts at once."""
MOST_WAIT_S = 3600
"""A relay waits no longer for the others, whatever members name."""
TOO_FEW = "too-few-batches"
RETRY_S = 2.0
GIVE_UP = timedelta(hours=1)
"""How long after its end a stage is tried to be brought further."""
KEPT = timedelta(days=7)
_ENDED = {State.DONE, State.BROKEN}


class Hash(Protocol):
    """A hash that is fed."""

    def update(self, data: bytes, /) -> None:
        """Take more in."""


class Keeping:
    """One of the two parts that keep batches.

    Args:
        office: who we are.
        shelf: what is kept.
    """

    def __init__(self, office: Office, shelf: Shelf) -> None:
        self.office = office
        self.desk = office.desk
        self.shelf = shelf
        self.changed = asyncio.Condition()
        self.turn = asyncio.Lock()

    async def spool(self, deposit: Deposit, chunks: AsyncIterator[bytes]) -> Path:
        """Write what comes to a file in the room of its session.

        Raises:
            SessionRefused: it is not what was announced.
        """
        room = await in_thread(self.shelf.room, deposit.round.context)
        path = room / f".{secrets.token_hex(8)}"
        came, size = sha256(), 0
        try:
            with await asyncio.to_thread(path.open, "xb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > deposit.size:
                        break
                    await asyncio.to_thread(_take_down, chunk, came, file)
            _check(deposit, size, came.digest())
        except OSError as e:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            if isinstance(e, TimeoutError):  # whoever brings it fell silent
                raise
            raise StoreError(f"cannot write {path}: {e.strerror}") from e
        except BaseException:
            await in_thread(path.unlink, missing_ok=True)
            raise
        return path

    async def wait(self, of: Round, stage: Stage, wait_s: float) -> Kept | None:
        """How far a stage is, once it has ended or so long has passed."""
        kept: Kept | None = None
        try:
            async with asyncio.timeout(wait_s), self.changed:
                while (kept := await in_thread(self.shelf.kept, of.context, stage)) is None or (
                    kept.state not in _ENDED
                ):
                    await self.changed.wait()
        except TimeoutError:
            kept = await in_thread(self.shelf.kept, of.context, stage)
        return kept

    async def tell(self) -> None:
        """Wake whoever waits for an end."""
        async with self.changed:
            self.changed.notify_all()

    def check_stands(self, deposit: Deposit) -> None:
        """Refuse a second session of one plan: its members would hide among fewer than they think.

        The first one stands, unless it was given up before anything was passed on. A part whose secret is
        lost announces other keys, and says that they come from another: that is no lie, and begins anew then.

        Raises:
            SessionRefused: it is a second one, or its keys are not those that were announced.
        """
        of, find = deposit.round, self.desk.find
        signing.check_keys(find, of, deposit.keys)
        stands = self.shelf.planned(of.plan)
        if stands is None or stands.context == of.context:
            return
        first = self.shelf.kept(stands.context, Stage.BATCHES)
        over = first is None or (first.state is State.BROKEN and not first.listed)
        others = proof.differing(of, stands.keys, deposit.keys)
        lies = [one for one in others if one.holds(find, of)]
        if over and not lies and not stands.proof:
            return
        if lies:
            self.shelf.plan(of.plan, replace(stands, proof=lies[0].encode()), self.desk.clock())
        for one in others:
            lie = one in lies
            self.office.refused(
                one.member, Split.CODE if lie else "keys-changed", of.session, one.document if lie else None
            )
        raise SessionRefused("others were shown other keys of this discovery", code=Split.CODE)

    def stand(self, deposit: Deposit) -> None:
        """The session of a deposit is the one of its plan from now on."""
        self.check_stands(deposit)  # again: another one may have begun while the bytes came
        of, stands = deposit.round, self.shelf.planned(deposit.round.plan)
        if stands is None or stands.context != of.context:
            planned = Planned(context=of.context, keys=deposit.keys)
            self.shelf.plan(of.plan, planned, self.desk.clock())

    def collected(self, of: Round, stage: Stage, kept: Kept | None) -> Collected:
        """What is said of a stage."""
        came = len(self.shelf.deposits(of.context, stage))
        lie = self.split(of)
        culprits = ((lie.member, lie.CODE),) if lie is not None else ()
        proofs = (lie.encode(),) if lie is not None else ()
        if kept is None:
            stands = self.shelf.planned(of.plan)
            if stands is not None and stands.context != of.context:
                return Collected(state=State.BROKEN, code=Split.CODE, culprits=culprits, proofs=proofs)
            return Collected(state=State.OPEN, came=came)
        outcome = self.shelf.outcome(of.context, stage) if kept.state is State.DONE else b""
        return Collected(
            state=kept.state, code=kept.code, came=came, culprits=(*culprits, *kept.culprits),
            listed=kept.listed, list_signature=kept.list_signature, outcome=outcome,
            signature=kept.signature, proofs=(*proofs, *kept.proofs),
        )  # fmt: skip

    def found(self, of: Round) -> Outcome:
        """What came of the batches of a discovery, once they are counted."""
        return Outcome.decode(self.shelf.outcome(of.context, Stage.BATCHES))

    def split(self, of: Round) -> Split | None:
        """Who announced other keys of a plan besides, if we can prove it."""
        stands = self.shelf.planned(of.plan)
        found = proof.decode(stands.proof) if stands is not None and stands.proof else None
        return found if isinstance(found, Split) else None

    async def give_up(
        self,
        kept: Kept,
        code: str,
        *,
        culprits: Collection[tuple[str, str]] = (),
        accused: Collection[tuple[str, str]] = (),
        proofs: tuple[bytes, ...] = (),
    ) -> None:
        """End a stage that cannot be brought further, in our ledger too.

        Args:
            kept: the stage.
            code: why.
            culprits: whom we caught ourselves.
            accused: whom another says to have broken rules.
            proofs: what it shows: whoever is proven to is a culprit.
        """
        of = kept.round
        caught = {*culprits, *await in_thread(proof.proven, self.desk.find, of, proofs)}
        await in_thread(self.broken, of, code, {who for who, _ in caught}, {who for who, _ in accused})
        for who, why in sorted(caught) if kept.stage is Stage.WORDS else ():  # what was counted has its end
            await in_thread(self.office.refused, who, why, of.session)
        named = tuple(sorted(caught | set(accused)))
        ended = replace(kept, state=State.BROKEN, code=code, culprits=named, proofs=proofs)
        await in_thread(self.shelf.keep, ended)
        await in_thread(self.shelf.drop, of.context, kept.stage)
        await self.tell()

    def convene(self, of: Round) -> None:
        """Write down that we relay or count a discovery, with all that was agreed on: before it goes on."""
        runs, documents = self.desk.ledger.runs(), [Document(DocumentKind.ROUND, of.encoded)]
        if not runs.convened(of.session) or runs.over(of.session):
            self._write("convened", of.session, of.asked(self.desk.member), documents=documents)

    def counted(
        self, of: Round, outcome: Outcome, culprits: Collection[str] = (), accused: Collection[str] = ()
    ) -> None:
        """Write down what came of a discovery that we relay or count, before it is kept."""
        self._write_end("counted", of, outcome.entry(of), proof.names(culprits, accused))

    def broken(
        self, of: Round, code: str, culprits: Collection[str] = (), accused: Collection[str] = ()
    ) -> None:
        """Write down that one was given up, and why, before that is kept.

        One that never went on is worth an entry if somebody lied, and then within bounds.
        """
        if not self.desk.ledger.runs().convened(of.session):
            now = self.desk.clock()
            if not [who for who in culprits if self.desk.throttle.passes(who, now)]:
                return
            self.convene(of)
        self._write_end("broken", of, {"reason": code, "by": "us"}, proof.names(culprits, accused))

    def close_lost(self) -> None:
        """Give those an end in our ledger of which nothing is kept: we were stopped, and they are over."""
        for run in self.desk.ledger.runs().convening():
            kept = self.shelf.kept(bytes.fromhex(run.session), Stage.BATCHES)
            if run.key.measure == DISCOVER and kept is None:
                self._write("broken", run.session, {"reason": CUT_OFF, "by": "us"})

    def _write_end(self, kind: str, of: Round, what: dict[str, Any], named: dict[str, list[str]]) -> None:
        """Write the end of what was begun, once: killed before it is kept, we come here again."""
        runs = self.desk.ledger.runs()
        if runs.convened(of.session) and not runs.over(of.session):
            self._write(kind, of.session, what, **named)

    def _write(self, kind: str, session: str, what: dict[str, Any], **fields: Any) -> None:
        self.desk.ledger.append(kind, now=self.desk.clock(), session=session, what=what, **fields)


def _take_down(chunk: bytes, came: Hash, file: BinaryIO) -> None:
    came.update(chunk)
    file.write(chunk)


def _check(deposit: Deposit, size: int, digest: bytes) -> None:
    if (size, digest) != (deposit.size, deposit.digest):
        raise SessionRefused("the batch is not the one that was announced")
