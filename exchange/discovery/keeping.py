"""What the relay and the counter do alike: keep batches, wait for an end, and say what came of it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from exchange.aggregation.round import Round
from exchange.disclosure.drive import in_thread
from exchange.discovery import proof, signing
from exchange.discovery.office import Office
from exchange.discovery.proof import Split
from exchange.discovery.world import Collected, Deposit, Kept, Planned, Shelf, Stage, State
from exchange.errors import SessionRefused, StoreError
from exchange.ledger.document import Document, DocumentKind

MAX_EACH = 64
"""Discoveries that are kept to which one member may have brought a batch: they take room on our disk."""
MAX_GOING = 64
"""Discoveries that one node counts at once."""
TOO_FEW = "too-few-batches"
RETRY_S = 2.0
GIVE_UP = timedelta(hours=1)
"""How long after its end a stage is tried to be brought further."""
KEPT = timedelta(days=7)
_ENDED = {State.DONE, State.BROKEN}


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
                    came.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
            _check(deposit, size, came.digest())
        except OSError as e:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise StoreError(f"cannot write {path}: {e.strerror}") from e
        except BaseException:
            path.unlink(missing_ok=True)
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
            self.office.refused(one.member, Split.CODE if one in lies else "keys-changed", of.session)
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

    def split(self, of: Round) -> Split | None:
        """Who announced other keys of a plan besides, if we can prove it."""
        stands = self.shelf.planned(of.plan)
        found = proof.decode(stands.proof) if stands is not None and stands.proof else None
        return found if isinstance(found, Split) else None

    async def give_up(self, kept: Kept, code: str, culprits: tuple[tuple[str, str], ...] = ()) -> None:
        """End a stage that cannot be brought further, in our ledger too, with those that we caught."""
        broken = replace(kept, state=State.BROKEN, code=code, culprits=culprits)
        if kept.stage is Stage.BATCHES:  # what was counted stays counted, whatever becomes of the words
            named = proof.names({who for who, _ in culprits}, ())
            await in_thread(self.end, "broken", kept.round, {"reason": code, "by": "us"}, **named)
        else:
            for who, why in culprits:
                await in_thread(self.office.refused, who, why, kept.round.session)
        await in_thread(self.shelf.keep, broken)
        await self.tell()

    def end(self, kind: str, of: Round, what: dict[str, Any], **fields: Any) -> None:
        """Write down how a discovery ended that we relay or count: before we keep it, and once."""
        if not self.desk.ledger.runs().over(of.session):
            self.desk.ledger.append(kind, now=self.desk.clock(), session=of.session, what=what, **fields)

    def convene(self, of: Round) -> None:
        """Write down that we relay or count a discovery, with all that was agreed on: the same."""
        if not self.desk.ledger.runs().convened(of.session):
            documents = [Document(DocumentKind.ROUND, of.encoded)]
            self.desk.ledger.append(
                "convened", now=self.desk.clock(), session=of.session, what=of.asked(), documents=documents
            )


def _check(deposit: Deposit, size: int, digest: bytes) -> None:
    if (size, digest) != (deposit.size, deposit.digest):
        raise SessionRefused("the batch is not the one that was announced")
