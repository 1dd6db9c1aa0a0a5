"""The part of the relay: one batch from each member, passed on to the counter without names.

It sees who brings a batch, when, and how large it is, and nothing of what is in it. It cannot bring one of
its own besides: every batch needs a token of every key helper, and each member gets one.
"""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from exchange.aggregation.round import Learns, Round
from exchange.disclosure.drive import in_thread
from exchange.disclosure.patience import AGAIN
from exchange.discovery import proof, signing
from exchange.discovery.checking import outcome_of
from exchange.discovery.keeping import GIVE_UP, MAX_EACH, MAX_OPEN, MOST_WAIT_S, TOO_FEW, Keeping
from exchange.discovery.proof import Blame, WrongShare
from exchange.discovery.sizes import largest_deposit, largest_outcome, largest_words, root_bytes
from exchange.discovery.world import CHUNK_BYTES, Collected, Deposit, Kept, PartMisbehaved, Stage, State
from exchange.errors import CosightError, PeerExceededLimit, PeerMisbehaved, PeerRefused, SessionRefused

log = logging.getLogger(__name__)
PART = "relay"
POLL_S = 20
LEAST_WAIT_S = 5
"""For so long others are waited for, whatever the first one says."""


class Relaying(Keeping):
    """What this member does as a relay."""

    async def take(self, caller: str, deposit: Deposit, chunks: AsyncIterator[bytes]) -> None:
        """Take a member's batch.

        Raises:
            SessionRefused: it takes no part, brought another one before, or is too late.
            PeerMisbehaved: its signature is wrong.
        """
        of, stage = deposit.round, deposit.stage
        await in_thread(self._check, caller, deposit)
        path = await self.spool(deposit, chunks)
        try:
            async with self.turn:
                await in_thread(self._put, caller, deposit, path)
        finally:
            await in_thread(path.unlink, missing_ok=True)
        await self.tell()
        log.info("%s brought a batch to %s of %s", caller, stage, of.session[:16])

    async def collect(self, caller: str, of: Round, stage: Stage, wait_s: int) -> Collected:
        """Say to a member how far a stage is.

        Raises:
            SessionRefused: it takes no part, or brought nothing.
        """
        await in_thread(self.office.check, of, PART)
        if caller not in of.members:
            raise SessionRefused("the caller takes no part in this discovery", code="not-drawn")
        said = await in_thread(self.collected, of, stage, await in_thread(self.shelf.kept, of.context, stage))
        if said.state is not State.BROKEN:
            if caller not in await in_thread(self.shelf.deposits, of.context, stage):
                raise SessionRefused("the caller brought no batch to this discovery", code="session-unknown")
            said = await in_thread(self.collected, of, stage, await self.wait(of, stage, wait_s))
        return said

    async def go_on(self, kept: Kept) -> None:
        """Bring a stage as far as it comes just now."""
        of, stage = kept.round, kept.stage
        if kept.state is State.OPEN and (lie := await in_thread(self.split, of)) is not None:
            await self.give_up(kept, lie.CODE, culprits=((lie.member, lie.CODE),))
            return
        if kept.state is State.OPEN:
            brought = await in_thread(self.shelf.deposits, of.context, stage)
            due = set(of.members) if stage is Stage.BATCHES else await in_thread(self._reporters, of)
            if not due <= set(brought) and self.desk.clock() < kept.closes:
                return
            async with self.turn:
                kept = await in_thread(self._close, kept)
            await self.tell()
        if kept.state is State.CLOSED:
            await self._pass_on(kept)

    def _check(self, caller: str, deposit: Deposit) -> None:
        """Whether a member may bring this at all."""
        of, stage = deposit.round, deposit.stage
        self.office.check(of, PART)
        if caller not in of.members or deposit.listed:
            raise SessionRefused("the caller takes no part in this discovery", code="not-drawn")
        # The counter has room for so many in all: nobody can take that of the others.
        share = (self.desk.limits.max_discovery_mib << 20) // len(of.members)
        if deposit.size > min(largest_deposit(of, stage, self.desk.limits.max_rows), share):
            raise SessionRefused("the batch is over our limit", code="too-large")
        if len(deposit.root) != root_bytes(of, stage):
            raise SessionRefused("the deposit is malformed")
        signing.check_batch(
            self.desk.find, caller, of, stage, deposit.digest, deposit.signature, root=deposit.root
        )
        self.check_stands(deposit)
        if stage is Stage.WORDS and (of.learns is not Learns.ALL or caller not in self._reporters(of)):
            raise SessionRefused("nobody waits for words of the caller", code="not-drawn")
        if stage is Stage.WORDS and deposit.size > largest_words(self.found(of).released):
            raise SessionRefused("these are more words than can be", code="too-large")  # or all would be lost
        kept = self.shelf.kept(of.context, stage)
        before = self.shelf.deposits(of.context, stage).get(caller)
        if before not in {None, deposit.digest}:
            self.office.refused(caller, "second-batch", of.session)
            raise SessionRefused(f"{caller} brings a second batch", code="second-batch")
        if before is None:
            self._check_room(caller)
        if before is None and kept is not None and kept.state not in {State.OPEN, State.BROKEN}:
            raise SessionRefused("the batches are on their way already", code="too-late")
        _check_not_over(kept)

    def _check_room(self, caller: str) -> None:
        """What one member can have us keep has a limit, and what it can keep going too."""
        open_ = (one for one in self.shelf.unfinished() if one.round.parts.relay == self.desk.member)
        going = sum(caller in self.shelf.deposits(one.round.context, one.stage) for one in open_)
        if going >= MAX_OPEN or self.shelf.brought(caller) >= MAX_EACH:
            raise SessionRefused(f"{caller} takes part in many discoveries already", code="busy")

    def _reporters(self, of: Round) -> set[str]:
        """Who brought a batch that was counted."""
        kept = self.shelf.kept(of.context, Stage.BATCHES)
        if kept is None or kept.state is not State.DONE:
            return set()
        blamed = {who for who, _ in kept.culprits}
        return set(self.shelf.deposits(of.context, Stage.BATCHES)) - blamed

    def _put(self, caller: str, deposit: Deposit, path: Path) -> None:
        of, stage = deposit.round, deposit.stage
        kept = self.shelf.kept(of.context, stage)
        _check_not_over(kept)  # again: it may have ended while the bytes came
        if kept is not None and kept.state not in {State.OPEN, State.BROKEN}:
            if self.shelf.deposits(of.context, stage).get(caller) != deposit.digest:
                raise SessionRefused("the batches are on their way already", code="too-late")
            return
        others = self.shelf.deposits(of.context, stage)
        if others.pop(caller, None) is None:
            self._check_room(caller)
        self.stand(deposit)
        if kept is None or kept.state is State.BROKEN:
            if kept is not None:
                self.shelf.empty(of.context, stage)
            now = self.desk.clock()
            kept = Kept(round=of, stage=stage, began=now, closes=now)
        if deposit.digest in others.values():  # a list that names a batch twice would be taken for our lie
            self.office.refused(caller, "second-batch", of.session)
            raise SessionRefused(f"{caller} brings the batch of another", code="second-batch")
        # Nobody can close a session early for the others, nor keep it open: the longest time that somebody
        # named counts, from when that one came, and an hour from the first.
        named = self.desk.clock() + timedelta(seconds=max(deposit.wait_s, LEAST_WAIT_S))
        most = kept.began + timedelta(seconds=MOST_WAIT_S)
        kept = replace(kept, closes=min(most, max(kept.closes, named)))
        self.shelf.keep(kept)
        if not self.shelf.put(deposit, caller, path):
            self.office.refused(caller, "second-batch", of.session)
            raise SessionRefused(f"{caller} brings a second batch", code="second-batch")

    def _close(self, kept: Kept) -> Kept:
        """Take nothing more, and list what there is."""
        of, stage = kept.round, kept.stage
        digests = list(self.shelf.deposits(of.context, stage).values())
        if len(digests) < of.minimum:  # of words too: those of one alone would say what it holds
            self.broken(of, TOO_FEW)
            self.shelf.empty(of.context, stage)
            closed = replace(kept, state=State.BROKEN, code=TOO_FEW)
        else:
            if stage is Stage.BATCHES:  # not before: one member alone could fill our ledger
                self.convene(of)
            digests.sort()  # an order that says nothing of who was first
            signature = signing.sign_list(self.desk.identity, of, stage, digests)
            closed = replace(kept, state=State.CLOSED, listed=tuple(digests), list_signature=signature)
        self.shelf.keep(closed)
        return closed

    async def _pass_on(self, kept: Kept) -> None:
        """Bring the batches to the counter, and wait for what it says."""
        of, stage = kept.round, kept.stage
        late = self.desk.clock() > kept.closes + GIVE_UP
        brought = await in_thread(self.shelf.brought_by, of.context, stage)
        roots = {one.digest: one.root for one in brought.values()}
        stands = await in_thread(self.shelf.planned, of.plan)
        most = await in_thread(self._largest_outcome, of, stage)
        try:
            async with self.office.reach(of.parts.counter) as line:
                for digest in kept.listed:
                    path = await in_thread(self.shelf.batch, of.context, stage, digest)
                    deposit = Deposit(
                        round=of, stage=stage, digest=digest, size=await in_thread(_size, path),
                        signature=kept.list_signature, listed=kept.listed, root=roots.get(digest, b""),
                        keys=() if stands is None else stands.keys,
                    )  # fmt: skip
                    await line.deposit(deposit, read_chunks(path))
                said = await line.collect(of, stage, POLL_S, most=most)
            if said.state is State.BROKEN:
                read = (one for one in map(proof.decode, said.proofs) if isinstance(one, Blame))
                blamed = [(one.digest, one.why) for one in read]
                accused, proofs = await in_thread(self._named, kept, blamed, said.proofs)
                await self.give_up(kept, said.code or "counter-gave-up", accused=accused, proofs=proofs)
            elif said.state is State.DONE:
                await in_thread(self._end, kept, said)
                await self.tell()
            elif late:
                await self.give_up(kept, "counter-silent")
        except (PeerMisbehaved, PeerExceededLimit) as e:
            named = e.member if isinstance(e, PartMisbehaved) else of.parts.counter
            await self.give_up(kept, e.code, culprits=((named, e.code),))
        except PeerRefused as e:
            if late or e.code not in AGAIN:
                await self.give_up(kept, "counter-refused")
        except CosightError as e:
            log.warning("the counter %s cannot be brought the batches: %s", of.parts.counter, e)
            if late:
                await self.give_up(kept, "counter-gone")

    def _largest_outcome(self, of: Round, stage: Stage) -> int:
        """The most that can be said of what we pass on: of so many bytes we know it, whatever the limits."""
        released = self.found(of).released if stage is Stage.WORDS else 0
        return largest_outcome(of, stage, self.shelf.size(of.context, stage), released)

    def _end(self, kept: Kept, said: Collected) -> None:
        """Keep what the counter says, with the names of those whom it blames."""
        of, stage = kept.round, kept.stage
        outcome = outcome_of(self.desk.find, of, stage, said, kept.listed)
        culprits, proofs = self._named(kept, outcome.blamed, said.proofs)
        caught = proof.proven(self.desk.find, of, proofs)
        if stage is Stage.BATCHES:
            self.counted(of, outcome, {who for who, _ in caught}, {who for who, _ in culprits})
        done = replace(kept, state=State.DONE, culprits=culprits, signature=said.signature, proofs=proofs)
        self.shelf.put_outcome(done, said.outcome)
        for who, code in sorted(caught):
            self.office.refused(who, code, of.session)

    def _named(
        self, kept: Kept, blamed: Sequence[tuple[bytes, str]], proofs: Sequence[bytes]
    ) -> tuple[tuple[tuple[str, str], ...], tuple[bytes, ...]]:
        """Whose the batches are that the counter blames, and what of its proofs holds, with the names."""
        of, find = kept.round, self.desk.find
        brought = self.shelf.brought_by(of.context, kept.stage)
        whose = {one.digest: who for who, one in brought.items()}
        digests = {digest for digest, _ in blamed}
        if len(digests) != len(blamed) or not digests <= set(whose):
            raise PeerMisbehaved("the counter blames a batch twice, or one that is not", code="bad-count")
        shown = {
            one.digest: replace(one, member=whose[one.digest], root=brought[whose[one.digest]].root,
                                signature=brought[whose[one.digest]].signature)
            for one in map(proof.decode, proofs) if isinstance(one, WrongShare) and one.digest in whose
        }  # fmt: skip
        # What does not show a lie is dropped unread: it could tell others what an honest member holds.
        held = tuple(one.encode() for one in shown.values() if one.holds(find, of))
        return tuple((whose[digest], code) for digest, code in blamed), held


def read_chunks(path: Path) -> Iterator[bytes]:
    """A file in chunks.

    Raises:
        CosightError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as e:
        raise CosightError(f"cannot read {path}: {e.strerror}") from e


def _check_not_over(kept: Kept | None) -> None:
    # What never went on to the counter begins anew.
    anew = kept is None or (kept.code == TOO_FEW and not kept.listed)
    if kept is not None and kept.state is State.BROKEN and not anew:
        raise SessionRefused("this discovery is over", code="too-late")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as e:
        raise CosightError(f"cannot read {path}: {e.strerror}") from e
