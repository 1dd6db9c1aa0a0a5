"""Our side of a session about a filter that we publish: the peer may fetch it, and ask so many questions.

A lease is a session like any other: decided on, agreed, in the ledger before anything leaves. What it lets
the peer ask is what the peer declared; every question counts before it is answered, and what was really asked
is in the ledger when the lease ends. A node that is killed leaves the intent open, which counts in full.
"""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

import numpy as np

from crypto import oprf, publishing
from crypto.errors import DecodeError, ParameterError
from crypto.group import ELEMENT_BYTES
from crypto.oprf import PrivateKey
from crypto.psi import Output
from crypto.rows import Rows
from exchange.agreement import Agreement, Rung, Stage
from exchange.disclosure.books import Entry
from exchange.disclosure.desk import Desk, Proposal
from exchange.disclosure.drive import in_thread
from exchange.disclosure.initiator import admitted
from exchange.disclosure.publishing import is_covered
from exchange.disclosure.questions import Evaluated, Questions, Served, Tally, Wanted
from exchange.disclosure.shelf import Published, Shelf
from exchange.errors import CosightError, PeerMisbehaved, SessionRefused
from exchange.indicators import PROFILE
from exchange.policy import History
from exchange.publication import PROTOCOL, Kind, Publication

log = logging.getLogger(__name__)
MAX_LEASES = 4096
MAX_LEASES_EACH = 64
MAX_DOWNLOADS = 32
"""Downloads of one lease: as many as there are deltas, and some that broke off."""
RECHECK = timedelta(seconds=5)
"""How often a lease looks whether our policy is still the one that it was made under."""


@dataclass(slots=True, eq=False)
class Lease:
    """Questions that one peer may ask until the lease ends.

    Attributes:
        entry: the session in our ledger.
        agreement: what was agreed on.
        expires: when it ends at the latest.
        published: the filter that it is about.
        key: of its epoch.
        tally: what was said.
        asked: questions that were counted.
        confirmed: buckets that were counted.
        downloads: how many were begun.
        checked: when our policy was looked at.
        over: whether it has ended.
        counting: held while something is counted, or it is ended.
        turn: held while a call is answered: a lease answers one after the other.
    """

    entry: Entry
    agreement: Agreement
    expires: datetime
    published: Published
    key: PrivateKey = field(repr=False)
    tally: Tally
    asked: int = 0
    confirmed: int = 0
    downloads: int = 0
    checked: datetime | None = None
    over: bool = False
    counting: Lock = field(default_factory=Lock)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Leases:
    """All leases of a node.

    Args:
        desk: who we are and what we decide with.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._leases: dict[bytes, Lease] = {}

    def holds(self, session: bytes) -> bool:
        """Say whether a session is a lease that has not ended."""
        return session in self._leases

    def check_room(self, peer: str) -> None:
        """Refuse a peer that holds as many leases as it may, or when all are taken.

        Raises:
            SessionRefused: with the code ``busy``.
        """
        theirs = sum(lease.entry.peer == peer for lease in list(self._leases.values()))
        if len(self._leases) >= MAX_LEASES or theirs >= MAX_LEASES_EACH:
            raise SessionRefused("too many leases at once", code="busy")

    def offer(self, entry: Entry, history: History, now: datetime) -> None:
        """Put into the entry what of ours is in the filter.

        Raises:
            SessionRefused: there is none for this peer, or none that our policy still lets it ask.
        """
        published = self._published(entry.peer, now)
        found = entry.policy.terms(entry.peer)
        if found is None or not set(published.publication.types) <= found[1].types:
            raise SessionRefused("the filter holds other types", code="policy-refused", rule="p3-types")
        entry.admission, entry.offer = published.admission, published.offer
        if not is_covered(published.admission, admitted(entry.policy, entry.peer, history, now)):
            log.warning("our filter holds what our policy no longer gives %s: build it again", entry.peer)
            raise SessionRefused("our policy has become stricter than the filter", code="nothing-published")

    def make(self, entry: Entry, agreement: Agreement) -> Lease:
        """A lease on what ``offer`` found; it holds once it is opened.

        Raises:
            SessionRefused: another filter was published meanwhile.
            ConfigError: the seed of the epoch cannot be read.
        """
        now = self._desk.clock()
        published = self._published(entry.peer, now)
        if published.offer != entry.offer:
            raise SessionRefused("another filter was published meanwhile", code="not-ready")
        epoch = published.publication.epoch
        key = publishing.epoch_key(self._shelf.seed(epoch), epoch)
        tally = Tally()
        tally.add(sent=published.publication.encoded)
        entry.channel = tally
        return Lease(entry, agreement, now + timedelta(seconds=agreement.deadline_s), published, key, tally)

    def open(self, lease: Lease) -> None:
        """From now on the peer may ask."""
        self._leases[lease.agreement.initiator_nonce] = lease

    async def download(self, peer: str, wanted: Wanted) -> Served:
        """What a peer is given that wants the filter.

        Raises:
            SessionRefused: it has no such lease, fetches too often, or the file is gone.
            PeerMisbehaved: its signature is wrong; the lease has ended.
        """
        lease = self._lease(peer, wanted.session)
        async with lease.turn:
            await in_thread(self._check, lease, wanted.signature)
            lease.downloads += 1
            if lease.downloads > MAX_DOWNLOADS:
                raise SessionRefused("the filter was fetched too often", code="lease-spent")
            served = await in_thread(self._serve, lease.published, wanted)
            lease.tally.sent += served.size
            return served

    async def ask(self, peer: str, questions: Questions) -> Evaluated:
        """Evaluate questions, and give the tags of buckets.

        Raises:
            SessionRefused: it has no such lease, or asks more than it may.
            PeerMisbehaved: its signature is wrong; the lease has ended.
        """
        lease = self._lease(peer, questions.session)
        async with lease.turn:
            return await in_thread(self._ask, lease, questions)

    def expire(self) -> None:
        """End the leases whose time is over."""
        now = self._desk.clock()
        for lease in list(self._leases.values()):
            if lease.expires <= now:
                self._end(lease, "expired")

    def close(self) -> None:
        """End all leases: the node stops."""
        for lease in list(self._leases.values()):
            self._end(lease, "stopped")

    @property
    def _shelf(self) -> Shelf:
        if self._desk.shelf is None:
            raise SessionRefused("we publish no filter", code="nothing-published")
        return self._desk.shelf

    def _published(self, peer: str, now: datetime) -> Published:
        published = self._shelf.current()
        if published is None or peer not in published.audience or not published.publication.covers(now):
            raise SessionRefused("we publish no filter for this peer", code="nothing-published")
        if published.publication.profile != PROFILE:
            raise SessionRefused("the filter is of another canonical profile", code="nothing-published")
        return published

    def _lease(self, peer: str, session: bytes) -> Lease:
        lease = self._leases.get(session)
        if lease is None or lease.entry.peer != peer:
            raise SessionRefused("there is no such lease", code="session-unknown")
        return lease

    def _ask(self, lease: Lease, questions: Questions) -> Evaluated:
        """All of one call: a thread that waits for its turn costs more than a question."""
        self._check(lease, questions.signature)
        self._count(lease, questions)
        answer = self._answer(lease, questions)
        if questions.done:
            self._end(lease, "done")
        return answer

    def _check(self, lease: Lease, signature: bytes) -> None:
        """Whether this call may go on: signed, in time, under the policy of the agreement."""
        entry, now = lease.entry, self._desk.clock()
        if signature != entry.peer_signature:
            if entry.peer_signature or not self._desk.verify(entry.peer, lease.agreement, signature):
                self._end(lease, "bad-signature")
                raise PeerMisbehaved("the peer did not sign the agreement", code="bad-signature")
            entry.peer_signature = signature
        if lease.expires <= now:
            self._end(lease, "expired")
            raise SessionRefused("the lease has ended", code="session-unknown")
        if lease.checked is None or now - lease.checked >= RECHECK:
            try:
                entry.check_policy()
            except CosightError as e:
                self._end(lease, e.code)
                raise
            if (why := self._gone(lease, now)) is not None:
                self._end(lease, why)
                raise SessionRefused("the lease has ended", code="session-unknown")
            lease.checked = now

    def _gone(self, lease: Lease, now: datetime) -> str | None:
        """Why nothing more is answered under the key of a lease, where that is so."""
        current, of = self._shelf.current(), lease.published.publication
        if current is None or current.publication.epoch != of.epoch or not of.covers(now):
            return "epoch-over"
        return "quarantined" if self._desk.ledger.history(lease.entry.peer, now).quarantined else None

    def _count(self, lease: Lease, questions: Questions) -> None:
        """Count before anything is answered; whoever ends the lease meanwhile sees the count."""
        most, bits = (
            lease.agreement.initiator_padded,
            publishing.bucket_bits(lease.published.publication.items),
        )
        if any(bucket >> bits for bucket in questions.buckets):
            raise SessionRefused("there is no such bucket")
        with lease.counting:
            if lease.over:
                raise SessionRefused("the lease has ended", code="session-unknown")
            asked, confirmed = (
                lease.asked + len(questions.blinded), lease.confirmed + len(questions.buckets),
            )  # fmt: skip
            if asked > most or confirmed > asked:
                raise SessionRefused("the peer asks more than was agreed", code="lease-spent")
            lease.asked, lease.confirmed = asked, confirmed
            lease.entry.progress.messages += 1

    def _answer(self, lease: Lease, questions: Questions) -> Evaluated:
        evaluated, proof = np.empty((0, ELEMENT_BYTES), np.uint8), b""
        if len(questions.blinded):
            try:
                evaluated, proof = oprf.bulk_blind_evaluate(lease.key, questions.blinded)
            except (DecodeError, ParameterError) as e:
                raise SessionRefused("a question is no element") from e
        answer = Evaluated(
            evaluated=evaluated, proof=proof, buckets=self._buckets(lease.published.publication, questions)
        )
        lease.tally.add(sent=answer.spoken(), received=questions.spoken())
        return answer

    def _buckets(self, publication: Publication, questions: Questions) -> tuple[Rows, ...]:
        if not questions.buckets:
            return ()
        tags, bits = self._shelf.tags(publication), publishing.bucket_bits(publication.items)
        if len(tags) != publication.items:
            raise SessionRefused("the tags of this filter are gone", code="not-ready")
        return tuple(publishing.in_bucket(tags, bucket, bits) for bucket in questions.buckets)

    def _serve(self, published: Published, wanted: Wanted) -> Served:
        publication, shelf = published.publication, self._shelf
        if wanted.have == publication.digest:
            return Served(published=published, form="nothing")
        if publication.kind is Kind.SORTED and (delta := shelf.delta(publication, wanted.have)) is not None:
            size = os.fstat(delta.fileno()).st_size
            if size < publication.size:
                return Served(published=published, form="delta", size=size, file=delta)
            delta.close()
        file = shelf.file(publication)
        if file is None:
            raise SessionRefused("the file of this filter is gone", code="not-ready")
        goes_on = wanted.partial == publication.digest and wanted.offset <= publication.size
        offset = file.seek(wanted.offset if goes_on else 0)
        return Served(
            published=published, form="whole", size=publication.size - offset, offset=offset, file=file
        )

    def _end(self, lease: Lease, why: str) -> None:
        """Close the session in the ledger, once: with what was asked, or as one that never came to be."""
        with lease.counting:
            if lease.over:
                return
            lease.over = True
        self._leases.pop(lease.agreement.initiator_nonce, None)
        entry = lease.entry
        entry.asked = lease.asked
        if entry.peer_signature:
            entry.disclosed(asked=lease.asked)
        else:
            entry.aborted(why)


def check_words(p: Proposal) -> None:
    """Refuse what no lease is.

    Raises:
        SessionRefused: it asks for another rung than the overlap, or for more than a lease gives.
    """
    plain = p.rung is Rung.OVERLAP and p.output is Output.RECEIVER and p.stage is Stage.WHOLE
    if p.protocol != PROTOCOL or not plain or p.base or p.turned:
        raise SessionRefused("the proposal is malformed", code="malformed")
