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
from exchange.discovery.office import Office
from exchange.discovery.world import Collected, Deposit, Kept, Shelf, Stage, State
from exchange.errors import CosightError, SessionRefused
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
            raise CosightError(f"cannot write {path}: {e.strerror}") from e
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

    def collected(self, of: Round, stage: Stage, kept: Kept | None) -> Collected:
        """What is said of a stage."""
        came = len(self.shelf.deposits(of.context, stage))
        if kept is None:
            return Collected(state=State.OPEN, came=came)
        outcome = self.shelf.outcome(of.context, stage) if kept.state is State.DONE else b""
        return Collected(
            state=kept.state, code=kept.code, came=came, culprits=kept.culprits, listed=kept.listed,
            list_signature=kept.list_signature, outcome=outcome, signature=kept.signature,
        )  # fmt: skip

    async def give_up(self, kept: Kept, code: str, culprits: tuple[tuple[str, str], ...] = ()) -> None:
        """End a stage that cannot be brought further, in our ledger too."""
        broken = replace(kept, state=State.BROKEN, code=code, culprits=culprits)
        await in_thread(self.shelf.keep, broken)
        named = {"culprits": sorted({who for who, _ in culprits})} if culprits else {}
        await in_thread(self.write, "broken", kept.round, {"reason": code, "by": "us"}, **named)
        await self.tell()

    def write(self, kind: str, of: Round, what: dict[str, Any], **fields: Any) -> None:
        """Write an entry of a discovery that we relay or count, whatever became of it."""
        self.desk.ledger.append(kind, now=self.desk.clock(), session=of.session, what=what, **fields)

    def convene(self, of: Round) -> None:
        """Write down that we relay or count a discovery, with all that was agreed on."""
        self.write("convened", of, of.asked(), documents=[Document(DocumentKind.ROUND, of.encoded)])


def _check(deposit: Deposit, size: int, digest: bytes) -> None:
    if (size, digest) != (deposit.size, deposit.digest):
        raise SessionRefused("the batch is not the one that was announced")
