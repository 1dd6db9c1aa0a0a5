"""The filter of a peer, taken home: what is signed, what is missing of it, what it is worth."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from crypto.errors import DecodeError, ParameterError
from crypto.filters import Bloom, Delta, Filter, Golomb, Sorted, decode
from exchange.disclosure.contact import Link
from exchange.disclosure.desk import Desk
from exchange.disclosure.drive import in_thread
from exchange.disclosure.questions import Described, Evaluated, Questions, Tally, Wanted
from exchange.errors import PeerExceededLimit, PeerMisbehaved
from exchange.indicators import PROFILE
from exchange.publication import Kind, Publication, verify

MAX_STEPS = 24
"""Downloads at one time: the changes that a publisher keeps, the whole file, and some that broke off."""
_CLASSES: dict[Kind, type[Filter]] = {Kind.GOLOMB: Golomb, Kind.BLOOM: Bloom, Kind.SORTED: Sorted}
_ROUNDED = 1 + 1e-9


class Cache(Protocol):
    """The filters that we have taken home."""

    def publication(self, peer: str) -> Publication | None:
        """What the publisher said of the file that we have last made whole."""

    def whole(self, peer: str) -> bytes | None:
        """The newest whole file, if there is one and it is undamaged."""

    def begun(self, peer: str) -> tuple[bytes, int]:
        """The digest of a file that we have the beginning of, and how many bytes."""

    def append(self, peer: str, digest: bytes, offset: int, data: bytes) -> None:
        """Put what came behind so many bytes of a file."""

    def finish(self, peer: str, digest: bytes) -> bytes | None:
        """Take a file as whole, if it is the one; if it is not, forget it."""

    def keep(self, peer: str, encoded: bytes) -> None:
        """Keep a whole file that was made of another one and a change."""

    def accept(self, peer: str, publication: Publication, signature: bytes) -> None:
        """Write down that a whole file is the one that its publisher describes."""

    def drop(self, peer: str) -> None:
        """Forget the files that we have of a peer, and not what it signed."""


class AskingLink(Link, Protocol):
    """The publisher, as the asker reaches it."""

    async def ask(self, questions: Questions) -> Evaluated:
        """Ask."""

    def download(self, wanted: Wanted) -> AbstractAsyncContextManager[tuple[Described, AsyncIterator[bytes]]]:
        """Fetch: what is described, and the bytes that follow."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A filter at home.

    Attributes:
        publication: what its publisher signed of it.
        filter: the filter.
        fetched: bytes that came for it.
    """

    publication: Publication
    filter: Filter
    fetched: int


async def fetch(desk: Desk, peer: str, link: AskingLink, cache: Cache, wanted: Wanted, tally: Tally) -> Taken:
    """Bring home the filter that a lease is about, as far as it is not there.

    Args:
        desk: who we are.
        peer: the publisher.
        link: to it.
        cache: what we have of it.
        wanted: session and signature.
        tally: gets what is said, and counts what is fetched.

    Raises:
        PeerMisbehaved: it is not what the publisher signs, or worth less than that.
        PeerError: the peer refused, or is gone.
        ConfigError: the disk is in the way.
    """
    fetched, publication = 0, None
    encoded = await in_thread(cache.whole, peer)
    for _ in range(MAX_STEPS):
        partial, offset = await in_thread(cache.begun, peer)
        have = b"" if encoded is None else sha256(encoded).digest()
        again = Wanted(
            session=wanted.session, signature=wanted.signature, have=have, partial=partial, offset=offset
        )
        async with link.download(again) as (described, chunks):
            if publication is None:
                await in_thread(_check_description, desk, peer, cache, described)
                publication = described.publication
                tally.add(received=publication.encoded)
            elif described.publication != publication:
                raise PeerMisbehaved("the peer describes two filters in one session", code="bad-publication")
            if described.form != "nothing":
                encoded, count = await _received(peer, cache, described, chunks, encoded, tally)
                fetched += count
        if encoded is not None and sha256(encoded).digest() == publication.digest:
            made = await in_thread(_opened, peer, cache, publication, encoded)
            await in_thread(cache.accept, peer, publication, described.signature)
            return Taken(publication, made, fetched)
        if described.form == "nothing":
            break
    raise PeerMisbehaved("the peer does not give the filter that it describes", code="bad-publication")


def _check_description(desk: Desk, peer: str, cache: Cache, described: Described) -> None:
    """Whether the publisher may say this of its filter, after what it has said before."""
    p, before = described.publication, cache.publication(peer)
    member = desk.member_named(peer)
    if not verify(p, described.signature, member.identity_key):
        raise PeerMisbehaved("the peer did not sign what it publishes", code="bad-publication")
    if (p.alliance, p.member) != (desk.alliance, peer) or not p.covers(desk.clock()):
        raise PeerMisbehaved(
            "the peer publishes another filter than its own in force", code="bad-publication"
        )
    if p.profile != PROFILE:
        raise PeerMisbehaved("the peer's filter is of another canonical profile", code="profile-mismatch")
    if before is not None and before.member == peer and before.epoch == p.epoch:
        if before.public_key != p.public_key or before.expires != p.expires:
            raise PeerMisbehaved("the peer changed the key of an epoch", code="bad-publication")
        if p.number < before.number or (p.number == before.number and p.digest != before.digest):
            raise PeerMisbehaved("the peer publishes an older filter than before", code="bad-publication")
    if p.items > desk.limits.max_rows:
        raise PeerExceededLimit(
            f"the peer's filter of {p.items} items is over our limit of {desk.limits.max_rows} rows",
            code="too-large", hint="raise limits.max_rows in config.toml if this machine has the memory",
        )  # fmt: skip


async def _received(
    peer: str,
    cache: Cache,
    described: Described,
    chunks: AsyncIterator[bytes],
    held: bytes | None,
    tally: Tally,
) -> tuple[bytes | None, int]:
    """The whole file that we have now, or None, and how many bytes came."""
    digest, count, parts = described.publication.digest, 0, []
    offset, whole = described.offset, described.form == "whole"
    async for data in chunks:
        count += len(data)
        tally.received += len(data)
        if count > described.size:
            raise PeerExceededLimit("the peer sends more of its filter than it says", code="bad-publication")
        if whole:
            await asyncio.to_thread(cache.append, peer, digest, offset, data)
            offset += len(data)
        else:
            parts.append(data)
    if count < described.size:
        raise PeerMisbehaved("the peer sends less of its filter than it says", code="bad-publication")
    if not whole:
        return await in_thread(_changed, peer, cache, held, b"".join(parts)), count
    return await in_thread(cache.finish, peer, digest), count


def _changed(peer: str, cache: Cache, held: bytes | None, delta: bytes) -> bytes:
    """The file that a change leads to."""
    try:
        encoded = Delta.from_bytes(delta).apply(Sorted.from_bytes(held or b"")).to_bytes()
    except (DecodeError, ParameterError) as e:
        raise PeerMisbehaved("the peer's change of its filter is none", code="bad-publication") from e
    cache.keep(peer, encoded)
    return encoded


def _opened(peer: str, cache: Cache, publication: Publication, encoded: bytes) -> Filter:
    """The filter, if it is one, and worth what is said of it."""
    try:
        made = decode(encoded)
    except DecodeError as e:
        cache.drop(peer)
        raise PeerMisbehaved("what the peer publishes is no filter", code="bad-publication") from e
    said = isinstance(made, _CLASSES[publication.kind]) and made.items == publication.items
    if not said or made.fpr > publication.fpr * _ROUNDED:
        cache.drop(peer)
        raise PeerMisbehaved("the peer's filter seems to hold more than it says", code="bad-publication")
    return made
