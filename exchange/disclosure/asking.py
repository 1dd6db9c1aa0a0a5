"""Our questions about a filter that a peer publishes: a session in which we learn which of them it holds.

The peer learns how many questions there are, and of each positive that is confirmed a bucket of its own tags.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import perf_counter

import numpy as np

from crypto import oprf, publishing, rows
from crypto.errors import PeerFault
from crypto.group import ELEMENT_BYTES
from crypto.hashing import item_rows
from crypto.psi import Output
from crypto.rows import Rows
from exchange.agreement import Agreement, Rung, size_class
from exchange.disclosure.books import Entry, closing
from exchange.disclosure.contact import greet, settle_at_once, settle_due
from exchange.disclosure.deciding import allow, begin
from exchange.disclosure.desk import Desk
from exchange.disclosure.drive import in_thread
from exchange.disclosure.fetching import AskingLink, Cache, Taken, fetch
from exchange.disclosure.initiator import Wish, proposal_of, propose
from exchange.disclosure.questions import (
    MAX_BUCKETS,
    MAX_QUESTIONS,
    Evaluated,
    Questions,
    Tally,
    Wanted,
    parts,
)
from exchange.errors import PeerMisbehaved
from exchange.indicators import Indicator
from exchange.policy import Offer
from exchange.publication import PROTOCOL, Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of our questions.

    Attributes:
        session: its id, in hex.
        peer: the publisher.
        publication: the filter.
        age: since it was made.
        asked: how many questions were asked.
        uncovered: those that were not, since the filter holds nothing of their type.
        positives: those that the filter holds, or seems to.
        confirmed: whether that is certain, as far as 128 bits go; else it is so but for ``false_each``.
        false_each: how likely the filter seems to hold something that it does not.
        total_s: seconds in all.
        crypto_s: seconds of computing on our side.
        fetched: bytes of the filter that had to be fetched.
        sent: bytes of questions.
        received: bytes of answers, and what was fetched.
        settled: whether both sides signed the receipt.
    """

    session: str
    peer: str
    publication: Publication
    age: timedelta
    asked: int
    uncovered: tuple[Indicator, ...] = field(repr=False)
    positives: tuple[Indicator, ...] = field(repr=False)
    confirmed: bool
    false_each: float
    total_s: float
    crypto_s: float
    fetched: int
    sent: int
    received: int
    settled: bool


async def ask(
    desk: Desk,
    peer: str,
    questions: Sequence[Indicator],
    link: AskingLink,
    cache: Cache,
    *,
    purpose: str = "",
    confirm: bool = False,
    progress: Callable[[int], None] = lambda _count: None,
) -> Answered:
    """One session: decide, agree, fetch, ask, write down.

    Args:
        desk: who we are and what we decide with.
        peer: the publisher.
        questions: what we ask about, without repetition; at least one.
        link: to the peer.
        cache: the filters that we have taken home.
        purpose: why.
        confirm: whether a positive of a lossy filter is confirmed.
        progress: called with how many questions were answered so far.

    Raises:
        PolicyRefusal: our own policy does not allow it; nothing left.
        PeerError: the peer refused, is gone, lied, or exceeded a limit.
        LedgerError: the ledger cannot be written; nothing left.
    """
    start, policy = perf_counter(), desk.policy()
    counts = Counter(question.type for question in questions)
    wish = Wish(
        rung=Rung.OVERLAP,
        types=tuple(sorted(counts)),
        protocol=PROTOCOL,
        output=Output.RECEIVER,
        purpose=purpose,
    )
    contact = await greet(desk, peer, link)
    await settle_due(desk, peer, contact)
    proposal = proposal_of(desk, wish, policy, size_class(len(questions)))
    entry = Entry(desk, peer, "initiator", proposal, policy, shown=contact.shown, offer=Offer(dict(counts)))
    tally = Tally()
    async with closing(entry):
        history = await in_thread(begin, entry)
        answer, agreement = await propose(entry, contact)
        await asyncio.to_thread(allow, entry, history, answer.padded)
        entry.channel = tally
        async with asyncio.timeout(agreement.deadline_s):
            wanted = Wanted(session=agreement.initiator_nonce, signature=desk.sign(agreement))
            taken = await fetch(desk, peer, link, cache, wanted, tally)
            run = Run(entry, agreement, wanted, link, taken, tally)
            held = set(taken.publication.types)
            covered = [question for question in questions if question.type in held]
            positives = await run.positives(covered, confirm=confirm, progress=progress)
    await in_thread(entry.disclosed, matched=len(positives), asked=len(covered))
    settled = await settle_at_once(desk, agreement.session, contact)
    return Answered(
        session=agreement.session,
        peer=peer,
        publication=taken.publication,
        age=desk.clock() - taken.publication.made_at,
        asked=len(covered),
        uncovered=tuple(question for question in questions if question.type not in held),
        positives=tuple(positives),
        confirmed=confirm,
        false_each=taken.filter.fpr,
        total_s=perf_counter() - start,
        crypto_s=entry.progress.crypto_s,
        fetched=taken.fetched,
        sent=tally.sent,
        received=tally.received,
        settled=settled,
    )


@dataclass(frozen=True, slots=True)
class Run:
    """A lease that we hold, and the filter that it is about."""

    entry: Entry
    agreement: Agreement
    wanted: Wanted
    link: AskingLink
    taken: Taken
    tally: Tally

    async def positives(
        self, questions: Sequence[Indicator], *, confirm: bool, progress: Callable[[int], None]
    ) -> list[Indicator]:
        """Those of the questions that the filter holds.

        Raises:
            PeerMisbehaved: an answer is not under the published key, or the peer contradicts its filter.
        """
        items = await in_thread(rows_of, questions)
        found, tags = [], []
        for part in parts(len(questions), MAX_QUESTIONS):
            asked = await self._tags(np.ascontiguousarray(items[part]))
            hits = await in_thread(self.taken.filter.contains, asked)
            found += [question for question, hit in zip(questions[part], hits, strict=True) if hit]
            tags.append(asked[hits])
            progress(part.start + len(asked))
        if confirm and found:
            sure = await self._confirmed(np.concatenate(tags))
            found = [question for question, true in zip(found, sure, strict=True) if true]
        await self._call(np.empty((0, ELEMENT_BYTES), np.uint8), done=True)
        return found

    async def _tags(self, items: Rows) -> Rows:
        """The tags of items, by the publisher's key."""
        start = perf_counter()
        blinds, blinded = await in_thread(oprf.bulk_blind, items)
        self.entry.progress.crypto_s += perf_counter() - start
        answer = await self._call(blinded)
        start, key = perf_counter(), self.taken.publication.public_key

        def finalized() -> Rows:
            outputs = oprf.bulk_finalize(
                items, blinds, answer.evaluated, blinded=blinded, proof=answer.proof, public_key=key
            )
            return publishing.tags_of(outputs, key)

        try:
            return await in_thread(finalized)
        except PeerFault as fault:
            raise PeerMisbehaved(f"the peer broke the protocol: {fault}") from fault
        finally:
            self.entry.progress.crypto_s += perf_counter() - start

    async def _confirmed(self, tags: Rows) -> list[bool]:
        """Which tags the publisher really holds: those that it names when it is asked for their buckets."""
        bits = publishing.bucket_bits(self.taken.publication.items)
        buckets = publishing.buckets_of(tags, bits)
        wanted, held = sorted({int(bucket) for bucket in buckets}), set[bytes]()
        for part in parts(len(wanted), MAX_BUCKETS):
            answer = await self._call(np.empty((0, ELEMENT_BYTES), np.uint8), tuple(wanted[part]))
            for bucket, named in zip(wanted[part], answer.buckets, strict=True):
                await in_thread(self._check_bucket, named, bucket, bits)
                held.update(tag.tobytes() for tag in named)
        return [tag.tobytes() in held for tag in tags]

    def _check_bucket(self, named: Rows, bucket: int, bits: int) -> None:
        """Whether these can be the tags of a bucket of this filter."""
        inside = (publishing.buckets_of(named, bits) == bucket).all()
        if not inside or not self.taken.filter.contains(named).all() or len(rows.unique(named)) < len(named):
            raise PeerMisbehaved("the peer names tags that its filter does not hold", code="bad-publication")

    async def _call(self, blinded: Rows, buckets: tuple[int, ...] = (), *, done: bool = False) -> Evaluated:
        """One call."""
        asked = Questions(
            session=self.wanted.session, signature=self.wanted.signature, blinded=blinded, buckets=buckets,
            done=done,
        )  # fmt: skip
        answer = await self.link.ask(asked)
        self.entry.progress.messages += 1
        self.tally.add(sent=asked.spoken(), received=answer.spoken())
        return answer


def rows_of(questions: Sequence[Indicator]) -> Rows:
    """The item of each question."""
    items = np.empty((len(questions), ELEMENT_BYTES), np.uint8)
    for kind in {question.type for question in questions}:
        places = [i for i, question in enumerate(questions) if question.type is kind]
        items[places] = item_rows(kind, [questions[i].value for i in places])
    return items
