"""The part of the counter: batches without names are counted, and what enough of them hold is released.

It sees which tags anonymous batches share, and no tag's indicator. What it releases carries a secret that
only enough right shares give, so it cannot make a result up; that it holds one back, a recount would show.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from crypto.errors import CryptoError
from crypto.secagg import discovery as atr
from crypto.secagg.batches import BadBatch, Envelope, head_bytes
from crypto.secagg.strict import predict
from crypto.secagg.words import open_words, speaker_of
from exchange.aggregation.announced import Split
from exchange.aggregation.round import HASH_BYTES, Learns, Round
from exchange.disclosure.asking import rows_of
from exchange.disclosure.drive import in_thread
from exchange.disclosure.patience import AGAIN
from exchange.discovery import signing, words
from exchange.discovery.helping import Helping, box_key
from exchange.discovery.keeping import GIVE_UP, MAX_GOING, MAX_PASSED, MAX_RELAYS, TOO_FEW, Keeping
from exchange.discovery.modes import mode_of, strict_of
from exchange.discovery.office import Office
from exchange.discovery.outcome import Outcome, list_hash, voices_of
from exchange.discovery.proof import Blame, WrongShare
from exchange.discovery.sizes import largest_deposit, largest_words, root_bytes
from exchange.discovery.tagging import Cache, asked_of
from exchange.discovery.world import Collected, Deposit, Kept, Shelf, Stage, State
from exchange.errors import CosightError, PeerRefused, SessionRefused, StoreError
from exchange.indicators import Indicator

log = logging.getLogger(__name__)
PART = "counter"


class Counting(Keeping):
    """What this member does as a counter.

    Args:
        office: who we are.
        shelf: what is kept.
        helping: gives the secret that our key for batches comes from.
        cache: what we asked the helpers before.
    """

    def __init__(self, office: Office, shelf: Shelf, helping: Helping, cache: Cache) -> None:
        super().__init__(office, shelf)
        self._helping = helping
        self._cache = cache
        self._coming = Counter[str]()  # bytes that relays have announced, and that are not all kept yet
        self._memory = asyncio.Lock()

    async def take(self, caller: str, deposit: Deposit, chunks: AsyncIterator[bytes]) -> None:
        """Take a batch from the relay.

        Raises:
            SessionRefused: it is not the relay, or had shown another list before.
            PeerMisbehaved: its list is not signed by it.
        """
        async with self.turn:
            await in_thread(self._check, caller, deposit)
            self._coming[caller] += deposit.size
        try:
            path = await self.spool(deposit, chunks)
            try:
                async with self.turn:
                    await in_thread(self._put, deposit, path)
            finally:
                await in_thread(path.unlink, missing_ok=True)
        finally:
            self._coming[caller] -= deposit.size
        await self.tell()

    async def collect(self, caller: str, of: Round, stage: Stage, wait_s: int) -> Collected:
        """Say to the relay how far a stage is.

        Raises:
            SessionRefused: the caller does not relay it.
        """
        await in_thread(self.office.check, of, PART)
        if caller != of.parts.relay:
            raise SessionRefused("the caller does not relay this discovery", code="not-drawn")
        kept = await self.wait(of, stage, wait_s)
        return await in_thread(self.collected, of, stage, kept)

    async def go_on(self, kept: Kept) -> None:
        """Count what is complete."""
        of, stage = kept.round, kept.stage
        there = set((await in_thread(self.shelf.deposits, of.context, stage)).values())
        if there != set(kept.listed):
            if self.desk.clock() > kept.closes + GIVE_UP:
                await self.give_up(kept, "relay-gone")  # its network may be: nobody lied
            return
        try:
            outcome, proofs = await (self._counted(kept) if stage is Stage.BATCHES else self._heard(kept))
            if outcome.counted < of.minimum:
                said = (Blame(digest=digest, why=why).encode() for digest, why in outcome.blamed)
                await self.give_up(kept, TOO_FEW, proofs=(*proofs, *said))
                return
        except PeerRefused as e:
            await self._put_off(kept, e)
        except StoreError as e:
            log.warning("a batch of %s cannot be read: %s", of.session[:16], e)
            await self.give_up(kept, "batch-lost")
        except CosightError as e:
            log.warning("%s cannot be counted yet: %s", of.session[:16], e)
            if self.desk.clock() > kept.closes + GIVE_UP:
                await self.give_up(kept, "helper-gone")
        except (CryptoError, ValueError) as e:  # the same bytes give the same again
            log.warning("%s cannot be counted: %s", of.session[:16], type(e).__name__)
            await self.give_up(kept, "uncountable")
        else:  # a full disk takes it later
            await in_thread(self._end, kept, outcome, proofs)
            await self.tell()

    async def _put_off(self, kept: Kept, refusal: PeerRefused) -> None:
        """A helper that refuses for now is asked again, for so long."""
        if refusal.code not in AGAIN:
            await self.give_up(kept, "helper-refused")
        elif self.desk.clock() > kept.closes + GIVE_UP:
            await self.give_up(kept, "helper-busy")

    def _check(self, caller: str, deposit: Deposit) -> None:
        of, stage = deposit.round, deposit.stage
        self.office.check(of, PART)
        if caller != of.parts.relay:
            raise SessionRefused("the caller does not relay this discovery", code="not-drawn")
        if deposit.digest not in deposit.listed or len(deposit.listed) > len(of.members):
            raise SessionRefused("the list of batches is malformed")
        if deposit.size > self._largest(of, stage):
            raise SessionRefused("the batch is over our limit", code="too-large")
        self._check_room(deposit, deposit.size)
        if of.largest and predict(strict_of(of)) > self.desk.limits.deadline_s:
            raise SessionRefused("counting would take longer than we allow", code="too-large")
        signing.check_list(self.desk.find, of, stage, deposit.listed, deposit.signature)
        if len(deposit.listed) < of.minimum:
            self.office.refused(caller, TOO_FEW, of.session)
            raise SessionRefused("the relay passes on fewer batches than all agreed on", code=TOO_FEW)
        if len(deposit.root) != root_bytes(of, stage):
            raise SessionRefused("the deposit is malformed")
        try:
            self.check_stands(deposit)
        except SessionRefused as e:
            if e.code == Split.CODE:
                self.office.refused(caller, "second-list", of.session)
            raise

    def _largest(self, of: Round, stage: Stage) -> int:
        """The most bytes of a deposit. Words are waited for where batches were counted, of what was released.

        Raises:
            SessionRefused: words are not waited for.
        """
        most = largest_deposit(of, stage, self.desk.limits.max_rows)
        if stage is Stage.BATCHES:
            return most
        if of.learns is not Learns.ALL:
            raise SessionRefused("nobody waits for words in this discovery")
        before = self.shelf.kept(of.context, Stage.BATCHES)
        if before is None or before.state is not State.DONE:
            raise SessionRefused("we counted no batches of this discovery", code="session-unknown")
        return min(most, largest_words(self.found(of).released))

    def _going(self) -> list[Kept]:
        """The stages that we count, and no others: those that we relay are members' to begin."""
        return [one for one in self.shelf.unfinished() if one.round.parts.counter == self.desk.member]

    def _check_room(self, deposit: Deposit, more: int = 0) -> None:
        """What one relay has us keep has the limit of one discovery, and all of it that of a few relays.

        Args:
            deposit: one more.
            more: its bytes, where they are not among those that are coming.
        """
        of, stage, most = deposit.round, deposit.stage, self.desk.limits.max_discovery_mib << 20
        if deposit.digest in self.shelf.deposits(of.context, stage).values():
            return
        if self.shelf.size(of.context, stage) + deposit.size > most:
            raise SessionRefused("the batches are over our limit", code="too-large")
        taken = self._coming + Counter({of.parts.relay: more})
        for one in self._going():
            taken[one.round.parts.relay] += self.shelf.size(one.round.context, one.stage)
        if taken[of.parts.relay] > most or taken.total() > MAX_RELAYS * most:
            raise SessionRefused("there is no room for more batches just now", code="busy")

    def _put(self, deposit: Deposit, path: Path) -> None:
        of, stage = deposit.round, deposit.stage
        self.stand(deposit)
        self._check_room(deposit)  # again: others may have come meanwhile
        kept = self.shelf.kept(of.context, stage)
        if kept is None:
            relays = [one.round.parts.relay for one in self._going()]
            if len(relays) >= MAX_GOING or relays.count(of.parts.relay) >= MAX_PASSED:
                raise SessionRefused("we count many discoveries already", code="busy")
            now = self.desk.clock()
            kept = Kept(
                round=of, stage=stage, began=now, closes=now, listed=deposit.listed,
                list_signature=deposit.signature,
            )  # fmt: skip
            if stage is Stage.BATCHES:
                self.convene(of)
            self.shelf.keep(kept)
        if kept.listed != deposit.listed:
            self.office.refused(of.parts.relay, "second-list", of.session)
            raise SessionRefused("the relay shows another list of batches than before", code="second-batch")
        if kept.state is State.OPEN:
            self.shelf.put(deposit, deposit.digest.hex(), path)

    async def _counted(self, kept: Kept) -> tuple[Outcome, tuple[bytes, ...]]:
        """Have the tokens confirmed, open what came with good ones, and count."""
        of = kept.round
        tokens, blamed = await in_thread(self._tokens, kept)
        digests = list(tokens)
        good = dict.fromkeys(digests, True)
        for place, helper in enumerate(of.parts.helpers):
            shown = [tokens[digest].for_helper(place) for digest in digests]
            async with self.office.reach(helper) as line:
                said = await line.redeem(of, shown, digests) if shown else []
            for digest, is_good in zip(digests, said, strict=True):
                good[digest] = good[digest] and is_good
        blamed += [(digest, "bad-token") for digest in digests if not good[digest]]
        whole = [digest for digest in digests if good[digest]]
        if len(whole) < of.minimum:  # nothing is told of them, so none is opened
            return Outcome(
                listed=list_hash(kept.listed), counted=len(whole), blamed=tuple(sorted(blamed)),
                root=bytes(HASH_BYTES), released=0, body=b"",
            ), ()  # fmt: skip
        async with self._memory:  # our limit is on what one takes
            opened, none = await in_thread(self._open, kept, whole)
            outcome, proofs = await in_thread(self._count, of, kept, opened, [*blamed, *none])
            await in_thread(self._admit, of, opened, outcome)
            return outcome, proofs

    def _admit(self, of: Round, opened: dict[bytes, Envelope], outcome: Outcome) -> None:
        """Keep whom we hear, where words follow: those of each batch that was counted, once."""
        if of.learns is Learns.ALL:
            left_out = {digest for digest, _ in outcome.blamed}
            whole = [one for digest, one in opened.items() if digest not in left_out]
            self.shelf.admit(of.context, [_hashed(speaker_of(one.token)) for one in whole])

    def _tokens(self, kept: Kept) -> tuple[dict[bytes, Envelope], list[tuple[bytes, str]]]:
        """The tokens of the batches by their digests, and the batches without. Nothing else is read."""
        of = kept.round
        key, mode, size = box_key(self._helping.seed(of.epoch), of.plan), mode_of(of), head_bytes(of.setup())
        tokens: dict[bytes, Envelope] = {}
        blamed: list[tuple[bytes, str]] = []
        for digest in kept.listed:
            try:
                tokens[digest] = Envelope(digest, mode.token(self._head(kept, digest, size), key))
            except BadBatch as e:
                self._read(kept, digest)  # a disk that spoilt it is nobody's lie
                blamed.append((digest, e.code))
        return tokens, blamed

    def _open(
        self, kept: Kept, digests: list[bytes]
    ) -> tuple[dict[bytes, Envelope], list[tuple[bytes, str]]]:
        """The batches by their digests, and those that are none."""
        of = kept.round
        key, mode = box_key(self._helping.seed(of.epoch), of.plan), mode_of(of)
        roots = {one.digest: one.root for one in self.shelf.brought_by(of.context, kept.stage).values()}
        opened: dict[bytes, Envelope] = {}
        blamed: list[tuple[bytes, str]] = []
        for digest in digests:
            try:
                opened[digest] = mode.open(self._read(kept, digest), key, roots[digest])
            except BadBatch as e:
                blamed.append((digest, e.code))
        return opened, blamed

    def _head(self, kept: Kept, digest: bytes, size: int) -> bytes:
        path = self.shelf.batch(kept.round.context, kept.stage, digest)
        try:
            with path.open("rb") as file:
                return file.read(size)
        except OSError as e:
            raise StoreError(f"cannot read {path}: {e.strerror}") from e

    def _read(self, kept: Kept, digest: bytes) -> bytes:
        path = self.shelf.batch(kept.round.context, kept.stage, digest)
        try:
            data = path.read_bytes()
        except OSError as e:
            raise StoreError(f"cannot read {path}: {e.strerror}") from e
        if sha256(data).digest() != digest:
            raise StoreError(f"{path} is damaged")
        return data

    def _count(
        self, of: Round, kept: Kept, counted: dict[bytes, Envelope], blamed: list[tuple[bytes, str]]
    ) -> tuple[Outcome, tuple[bytes, ...]]:
        whose = {batch.name: digest for digest, batch in counted.items()}
        found = mode_of(of).count(list(counted.values()))
        blamed = [*blamed, *((whose[name], code) for name, code in found.blamed)]
        outcome = Outcome(
            listed=list_hash(kept.listed), counted=found.batches, blamed=tuple(sorted(blamed)),
            root=found.root, released=found.released, body=found.body,
        )  # fmt: skip
        shown = (WrongShare(digest=whose[name], shown=one).encode() for name, one in found.proofs)
        return outcome, tuple(shown)

    async def _heard(self, kept: Kept) -> tuple[Outcome, tuple[bytes, ...]]:
        """Open what holders say, ask the helpers about it, and pass on what is true."""
        of = kept.round
        found = await in_thread(self.found, of)
        said, blamed = await in_thread(self._words, kept, found.released)
        distinct = sorted(
            {one for words in said.values() for one in words}, key=lambda one: (one.type, one.value)
        )
        true: set[Indicator] = set()
        if distinct:
            items = await in_thread(rows_of, distinct)
            async with asked_of(self.office.reach, of, self._cache, None) as tagging:
                outputs = await tagging.outputs(items, always=True)
            released, _ = voices_of(found)
            good = await in_thread(atr.announced, outputs, released, of.setup())
            true = {one for one, is_true in zip(distinct, good, strict=True) if is_true}
        blamed += [(digest, "poisoned-word") for digest, words in said.items() if not true.issuperset(words)]
        text = words.encode(true)
        outcome = Outcome(
            listed=list_hash(kept.listed), counted=len(said), blamed=tuple(sorted(blamed)),
            root=sha256(text).digest(), released=len(true), body=text,
        )  # fmt: skip
        return outcome, ()

    def _words(
        self, kept: Kept, released: int
    ) -> tuple[dict[bytes, list[Indicator]], list[tuple[bytes, str]]]:
        """What each holder says, by the digest of its deposit, and those that are not heard, and why.

        Only whoever brought a batch that was counted is, once: a relay that makes up deposits beside one
        member's would learn what that one says. Nobody can have recognised more than was released; asking
        about it would spend our questions.
        """
        of = kept.round
        key, setup = box_key(self._helping.seed(of.epoch), of.plan), of.setup()
        said: dict[bytes, list[Indicator]] = {}
        blamed: list[tuple[bytes, str]] = []
        waited = self.shelf.admitted(of.context)
        for digest in kept.listed:
            try:
                speaker, text = open_words(self._read(kept, digest), key, setup)
                if _hashed(speaker) not in waited:
                    blamed.append((digest, "bad-token"))
                    continue
                waited.remove(_hashed(speaker))
                said[digest] = words.decode(text, released)
            except BadBatch as e:
                blamed.append((digest, e.code))
            except words.TooMany:
                blamed.append((digest, "poisoned-word"))
            except ValueError:
                blamed.append((digest, "bad-words"))
        return said, blamed

    def _end(self, kept: Kept, outcome: Outcome, proofs: tuple[bytes, ...]) -> None:
        of, stage = kept.round, kept.stage
        encoded = outcome.encode()
        signature = signing.sign_outcome(self.desk.identity, of, stage, encoded)
        if stage is Stage.BATCHES:
            self.counted(of, outcome)
        done = replace(kept, state=State.DONE, signature=signature, proofs=proofs)
        self.shelf.put_outcome(done, encoded)


def _hashed(speaker: bytes) -> bytes:
    """As it is kept: who reads our disk cannot speak for it."""
    return sha256(speaker).digest()
