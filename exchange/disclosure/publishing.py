"""Our set as a filter for an epoch: what may enter for everybody who may ask, under one key.

What leaves the house is decided later, at each lease: here nothing leaves.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

import numpy as np

from crypto import oprf, publishing, rows
from crypto.errors import ParameterError
from crypto.filters import TAG_BYTES, Bloom, Delta, Filter, Golomb, Sorted
from crypto.oprf import PrivateKey
from crypto.rows import Rows
from exchange import publication as publications
from exchange.agreement import Rung, size_class
from exchange.disclosure.desk import Desk
from exchange.disclosure.initiator import admitted
from exchange.disclosure.shelf import Files, Published, Shelf
from exchange.errors import ConfigError, CosightError, PolicyRefusal
from exchange.indicators import PROFILE, IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.policy import Admission, Offer, Policy, Terms
from exchange.publication import PROTOCOL, Kind, Publication

ID_BYTES = 16
"""Bytes of the name that an item's tag is remembered by."""
SEED_BYTES = 32
"""Bytes of the secret that everything of an epoch comes from."""
_AT_ONCE = 1 << 15
_BUILDERS: dict[Kind, Callable[[Rows, float], Filter]] = {
    Kind.GOLOMB: Golomb.build, Kind.BLOOM: Bloom.build, Kind.SORTED: Sorted.build,
}  # fmt: skip
_USUAL = {Kind.GOLOMB: 2.0**-30, Kind.BLOOM: 2.0**-30, Kind.SORTED: 2.0**-60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What is to be published. What is left out is as in the filter before.

    Without one before it is ``GOLOMB``, at 2^-30, or 2^-60 where it is ``SORTED``; of all types and for all.

    Attributes:
        kind: of filter.
        fpr: how often it may seem to hold what it does not.
        types: types of indicators; those that we hold and everybody may have, if left out.
        audience: the members that may ask; those before or all, as far as our policy lets, if left out.
        days: how long a new epoch is.
        renew: whether to begin a new epoch though the old one is not over.
    """

    kind: Kind | None = None
    fpr: float | None = None
    types: tuple[IndicatorType, ...] = ()
    audience: tuple[str, ...] = ()
    days: int = 7
    renew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What was published.

    Attributes:
        published: the filter.
        new: tags that had to be computed.
        delta: bytes of what changed since the filter before, 0 where there is no delta.
        renewed: whether it begins an epoch.
    """

    published: Published
    new: int
    delta: int
    renewed: bool


def publish(
    desk: Desk,
    shelf: Shelf,
    edition: Edition,
    members: Collection[str],
    *,
    progress: Callable[[int], None] = lambda _count: None,
) -> Built:
    """Make and publish the next filter.

    Args:
        desk: who we are and what we decide with.
        shelf: where our filters are kept.
        edition: what is to be published.
        members: the others on the roster.
        progress: called with how many tags were computed so far.

    Raises:
        PolicyRefusal: our policy lets nobody ask, or not somebody or some type that is named.
        ConfigError: the disk is in the way, or another process publishes just now.
        CosightError: an import ended meanwhile.
    """
    with shelf.building():
        before, now = shelf.current(), desk.clock()
        goes_on = (
            before if before is not None and before.publication.covers(now) and not edition.renew else None
        )
        edition = _completed(edition, goes_on)
        chosen = _chosen(desk, edition, members, goes_on, now)
        items = desk.items.item_set(chosen.types, now=now, admission=chosen.admission).rows
        if len(items) != chosen.offer.size:
            raise CosightError("our set changed while it was counted", code="set-changed", hint="build again")
        epoch = (
            secrets.token_bytes(publications.EPOCH_BYTES) if goes_on is None else goes_on.publication.epoch
        )
        if goes_on is None:
            shelf.begin(epoch, secrets.token_bytes(SEED_BYTES))
        seed = shelf.seed(epoch)
        key = publishing.epoch_key(seed, epoch)
        known, new = _tagged(key, seed, items, shelf.known(epoch), progress)
        spare = publishing.filling(seed, size_class(len(items)) - len(items))
        tags = rows.sort(np.concatenate([known[:, ID_BYTES:], spare]))
        made, encoded = _built(edition, tags)
        base, delta = _delta(shelf, goes_on, made)
        published = _signed(desk, key, chosen, goes_on, _described(edition, made, encoded, epoch, now))
        shelf.put(published, Files(encoded=encoded, delta=delta, base=base, tags=tags, known=known))
    return Built(published=published, new=new, delta=len(delta), renewed=goes_on is None)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who may ask, and what enters."""

    audience: tuple[str, ...]
    types: tuple[IndicatorType, ...]
    admission: Admission
    offer: Offer


def _completed(edition: Edition, before: Published | None) -> Edition:
    """What was left out, from the filter before."""
    old = None if before is None else before.publication
    kind = edition.kind or (Kind.GOLOMB if old is None else old.kind)
    usual = old.fpr if old is not None and old.kind is kind else _USUAL[kind]
    completed = replace(edition, kind=kind, fpr=edition.fpr or usual)
    if before is None:
        return completed
    return replace(completed, types=edition.types or before.publication.types)


def _chosen(
    desk: Desk, edition: Edition, members: Collection[str], before: Published | None, now: datetime
) -> Chosen:
    """What enters for everybody who may ask: what would enter for each of them alone."""
    policy = desk.policy()
    able = sorted(m for m in members if may_ask(policy, m, now))
    usual = able if before is None else [m for m in able if m in before.audience]
    audience = edition.audience or tuple(usual)
    if not audience:
        raise PolicyRefusal(
            "our policy lets nobody ask a filter of ours", code="policy-refused",
            hint=f'terms need protocols = ["{PROTOCOL}"], the direction responder and reveal = "overlap"',
        )  # fmt: skip
    for member in audience:
        if member not in able:
            raise PolicyRefusal(
                f"our policy does not let {member} ask a filter of ours", code="policy-refused"
            )
    terms = [_terms(policy, member) for member in audience]
    common = frozenset.intersection(*(t.types for t in terms))
    if edition.types and (excess := set(edition.types) - common):
        named = ", ".join(sorted(excess))
        raise PolicyRefusal(f"not of these types for all who may ask: {named}", code="policy-refused")
    types = tuple(sorted(edition.types or common & set(desk.items.types(now=now))))
    if not types:
        raise ConfigError(
            "we hold nothing that everybody who may ask may have", code="empty-store",
            hint="import more, or name fewer members with --for",
        )  # fmt: skip
    admission = strictest([admitted(policy, m, desk.ledger.history(m, now), now) for m in audience])
    return Chosen(audience, types, admission, desk.items.offer(types, now=now, admission=admission))


def may_ask(policy: Policy, peer: str, now: datetime) -> bool:
    """Whether there are terms under which a member may ask a filter of ours, whatever else they ask for."""
    found = policy.terms(peer)
    if found is None or policy.suspended or not policy.validity.covers(now):
        return False
    terms = found[1]
    return (
        not terms.suspended
        and terms.validity.covers(now)
        and "responder" in terms.directions
        and "peer" in terms.learns
        and PROTOCOL in terms.protocols
        and terms.reveal is not None
        and terms.reveal.level >= Rung.OVERLAP.level
        and terms.tlp is not None
    )


def strictest(admissions: Sequence[Admission]) -> Admission:
    """The admission under which only what each of some admissions lets in enters; there is one at least."""
    ages: dict[IndicatorType, int] = {}
    for admission in admissions:
        for kind, days in admission.max_age_days.items():
            ages[kind] = min(days, ages.get(kind, days))
    paps = [a.pap for a in admissions if a.pap is not None]
    spent = [a.imported_after for a in admissions if a.imported_after is not None]
    return Admission(
        tlp=min((a.tlp for a in admissions), key=list(Tlp).index),
        pap=min(paps, key=list(Pap).index, default=None),
        max_age_days=ages,
        own=any(a.own for a in admissions),
        imported_after=max(spent, default=None),
    )


def is_covered(made: Admission, now: Admission) -> bool:
    """Whether whatever entered under one admission may enter under another."""
    both = strictest([made, now])
    return both == made


def _terms(policy: Policy, member: str) -> Terms:
    found = policy.terms(member)
    assert found is not None  # ``may_ask`` saw them
    return found[1]


def _tagged(
    key: PrivateKey, seed: bytes, items: Rows, known: Rows, progress: Callable[[int], None]
) -> tuple[Rows, int]:
    """Each item's name with its tag, and how many tags were not known before."""
    ids = publishing.names_of(items, seed)
    here, there = rows.join(ids, np.ascontiguousarray(known[:, :ID_BYTES]))
    tagged = np.empty((len(items), ID_BYTES + TAG_BYTES), np.uint8)
    tagged[:, :ID_BYTES] = ids
    tagged[here, ID_BYTES:] = known[there, ID_BYTES:]
    missing = np.delete(np.arange(len(items)), here)
    for start in range(0, len(missing), _AT_ONCE):
        part = missing[start : start + _AT_ONCE]
        outputs = oprf.evaluate(key, np.ascontiguousarray(items[part]))
        tagged[part, ID_BYTES:] = publishing.tags_of(outputs, key.public_key)
        progress(start + len(part))
    return tagged, len(missing)


def _built(edition: Edition, tags: Rows) -> tuple[Filter, bytes]:
    assert edition.kind is not None  # ``_completed`` saw to it
    assert edition.fpr is not None
    try:
        made = _BUILDERS[edition.kind](tags, edition.fpr)
    except ParameterError as e:
        raise ConfigError(f"{e}", code="filter-parameters") from e
    return made, made.to_bytes()


def _delta(shelf: Shelf, before: Published | None, made: Filter) -> tuple[bytes, bytes]:
    """The digest of the filter before and what changed since, where that can be told."""
    if before is None or before.publication.kind is not Kind.SORTED or not isinstance(made, Sorted):
        return b"", b""
    encoded = shelf.filter(before.publication)
    old = None if encoded is None else Sorted.from_bytes(encoded)
    if old is None or old.width != made.width or old == made:
        return b"", b""
    return before.publication.digest, Delta.between(old, made).to_bytes()


def _described(
    edition: Edition, made: Filter, encoded: bytes, epoch: bytes, now: datetime
) -> dict[str, object]:
    return {
        "epoch": epoch,
        "kind": edition.kind,
        "fpr": edition.fpr,
        "items": made.items,
        "digest": sha256(encoded).digest(),
        "size": len(encoded),
        "made": int(now.timestamp()),
        "expires": int((now + timedelta(days=edition.days)).timestamp()),
    }


def _signed(
    desk: Desk, key: PrivateKey, chosen: Chosen, before: Published | None, described: dict[str, object]
) -> Published:
    """The description, complete and signed. The same file again keeps its number."""
    number = 1
    if before is not None:
        described["expires"] = before.publication.expires
        number = before.publication.number + (before.publication.digest != described["digest"])
    publication = Publication(
        alliance=desk.alliance, member=desk.member, number=number, types=chosen.types, profile=PROFILE,
        public_key=key.public_key, **described,  # type: ignore[arg-type]  # checked where it is made
    )  # fmt: skip
    return Published(
        publication=publication,
        signature=publications.sign(publication, desk.identity),
        audience=chosen.audience,
        admission=chosen.admission,
        offer=chosen.offer,
    )
