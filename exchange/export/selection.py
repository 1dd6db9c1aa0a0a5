"""What of a result may be written, under which marking, and with what context.

A marking binds what its source gave us. So an indicator is as open as its most open source, as in a match,
and nothing of what a more closed source said about it goes along. That *both* members hold it says something
about the peer, so that statement is never more open than AMBER. What the peer says of it is bound by the
peer's marking too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from exchange.export.result import MatchResult
from exchange.indicators import UNMARKED, Indicator, Tlp
from exchange.indicators.context import MAX_COMMENT_CHARS, MAX_ENTRIES, Context, Pap

ABOUT_PEERS = Tlp.AMBER
"""The most open marking of anything that names the peer."""

MOST_CLOSED = Tlp.AMBER_STRICT
"""Nothing more closed is ever written: RED stays with whoever received it."""

_T = TypeVar("_T")
_NOTHING = Context()
_TLPS, _PAPS = list(Tlp), list(Pap)


class Said(Protocol):
    """What one feed said of an indicator, as our store remembers it: ``exchange.store.Held`` is one."""

    @property
    def own(self) -> bool:
        """Whether we saw it ourselves."""

    @property
    def tlp(self) -> Tlp:
        """The marking under which we have it from there."""

    @property
    def context(self) -> Context | None:
        """What it said beside that."""

    @property
    def first_imported(self) -> datetime:
        """When we had it from there for the first time."""


@dataclass(frozen=True, slots=True)
class PeerSays:
    """What the peer says of a shared indicator, as it will be written.

    Attributes:
        tlp: its marking; never more open than that of the indicator.
        context: the words; its PAP is the more closed of the peer's and ours.
    """

    tlp: Tlp
    context: Context


@dataclass(frozen=True, slots=True)
class Shared:
    """One shared indicator as it will be written.

    Attributes:
        indicator: what is shared.
        tlp: its marking.
        context: what those of our sources say that the marking lets speak.
        since: when we first had it from one of them; ``None`` if we hold it no longer.
        own: whether one of them is ourselves.
        peer_says: what the peer says of it; ``None`` if nothing, or nothing that may be written.
    """

    indicator: Indicator
    tlp: Tlp
    context: Context
    since: datetime | None
    own: bool
    peer_says: PeerSays | None = None

    @property
    def tlp_of_all(self) -> Tlp:
        """The marking of everything here, where it stands in one row."""
        return self.tlp if self.peer_says is None else self.peer_says.tlp

    @property
    def pap_of_all(self) -> Pap | None:
        """What may be done with everything here, where it stands in one row."""
        return self.context.pap if self.peer_says is None else self.peer_says.context.pap


@dataclass(frozen=True, slots=True)
class Export:
    """A result that is ready to be written.

    Attributes:
        session: identifies the session in both ledgers.
        member: who writes.
        peer: who shares; not to be named unless ``about_peer`` is set; ``""`` where nobody knows who.
        now: the time.
        items: what is written.
        floor: the least closed marking of anything in it.
        about_peer: the marking of what names the peer; ``None`` if the ceiling is too open for that.
        left_out: how many items are not written, by reason: ``tlp`` or ``embargo``.
        not_held: how many of the items we hold no longer: they are written as unmarked, without context.
        peer_left_out: of how many of ``items`` what the peer says is not written, by reason: as ``left_out``,
            or ``attribution`` where the peer is not to be named.
    """

    session: str
    member: str
    peer: str
    now: datetime
    items: tuple[Shared, ...]
    floor: Tlp
    about_peer: Tlp | None
    left_out: dict[str, int] = field(default_factory=dict)
    not_held: int = 0
    peer_left_out: dict[str, int] = field(default_factory=dict)


def select(
    result: MatchResult,
    said: Sequence[Sequence[Said]],
    *,
    member: str,
    now: datetime,
    floor: Tlp = Tlp.CLEAR,
    ceiling: Tlp = MOST_CLOSED,
    named: bool = True,
) -> Export:
    """Decide what is written, under which marking.

    Args:
        result: of a match; with it what the peer says.
        said: for each of its items, what our feeds say of it.
        member: who writes.
        now: the time; what is still under embargo at that time does not count.
        floor: marks everything at least as closed as this. It never opens anything.
        ceiling: leaves out everything more closed than this, and whatever names the peer if that is.
        named: whether the peer may be named; else what it says is left out too.

    Raises:
        ValueError: the ceiling is under the floor, or RED.
    """
    if closed(ceiling) > closed(MOST_CLOSED) or closed(floor) > closed(ceiling):
        raise ValueError(f"nothing can be marked {floor} or more and {ceiling} or less")
    items, left_out, peer_left_out, not_held = [], Counter[str](), Counter[str](), 0
    for indicator, of_item, theirs in zip(result.items, said, result.contexts, strict=True):
        told = [s for s in of_item if s.tlp is not Tlp.RED]
        free = [s for s in told if not _embargoed(s.context, now)]
        if of_item and not free:
            left_out["embargo" if told else "tlp"] += 1
            continue
        marking = stricter(floor, min((s.tlp for s in free), key=closed, default=UNMARKED))
        if closed(marking) > closed(ceiling):
            left_out["tlp"] += 1
            continue
        not_held += not of_item
        shared = _shared(indicator, marking, [s for s in free if closed(s.tlp) <= closed(marking)])
        peer_says = None if theirs is None else _of_peer(theirs, shared, ceiling, now)
        if peer_says is not None and not named:
            peer_says = "attribution"
        if isinstance(peer_says, str):
            peer_left_out[peer_says] += 1
            peer_says = None
        items.append(replace(shared, peer_says=peer_says))
    about_peer = stricter(floor, ABOUT_PEERS)
    return Export(
        session=result.session,
        member=member,
        peer=result.peer,
        now=now,
        items=tuple(items),
        floor=floor,
        about_peer=about_peer if named and closed(about_peer) <= closed(ceiling) else None,
        left_out=dict(sorted(left_out.items())),
        not_held=not_held,
        peer_left_out=dict(sorted(peer_left_out.items())),
    )


def closed(marking: Tlp) -> int:
    """How closed a marking is: the higher, the fewer may see it."""
    return _TLPS.index(marking)


def stricter(one: Tlp, other: Tlp) -> Tlp:
    """The more closed of two markings."""
    return max(one, other, key=closed)


def _embargoed(context: Context | None, now: datetime) -> bool:
    return context is not None and context.not_before is not None and context.not_before > now


def _of_peer(context: Context, item: Shared, ceiling: Tlp, now: datetime) -> PeerSays | str | None:
    """What the peer says of an item as it may be written, or why it may not; ``None`` if there are no words.

    Whom the peer has it from is not ours to pass on either.
    """
    words = replace(context, tlp=None, pap=None, not_before=None, producer="")
    if not words:
        return None
    marking = max(item.tlp, ABOUT_PEERS, context.tlp or UNMARKED, key=closed)
    if closed(marking) > closed(ceiling):
        return "tlp"
    if _embargoed(context, now):
        return "embargo"
    return PeerSays(marking, replace(words, pap=_most_closed_pap(item.context.pap, context.pap)))


def _most_closed_pap(*paps: Pap | None) -> Pap | None:
    return max((pap for pap in paps if pap is not None), key=_PAPS.index, default=None)


def _shared(indicator: Indicator, marking: Tlp, said: list[Said]) -> Shared:
    context = _together([s.context for s in said if s.context is not None])
    since = min((s.first_imported for s in said), default=None)
    return Shared(indicator, marking, context, since, any(s.own for s in said))


def _together(contexts: Sequence[Context]) -> Context:
    """What several feeds say, as one: the widest span of time, the most closed PAP, the highest numbers.

    Numbers are not added up: feeds copy from each other. Who told whom is not ours to pass on.
    """
    if not contexts:
        return _NOTHING

    def present(of: Callable[[Context], _T | None]) -> Iterator[_T]:
        return (value for c in contexts if (value := of(c)) is not None)

    def words(of: Callable[[Context], Iterable[str]]) -> tuple[str, ...]:
        return tuple(sorted({word for c in contexts for word in of(c)})[:MAX_ENTRIES])

    comments = dict.fromkeys(c.comment for c in contexts if c.comment)
    return Context(
        pap=_most_closed_pap(*(c.pap for c in contexts)),
        first_seen=min(present(lambda c: c.first_seen), default=None),
        last_seen=max(present(lambda c: c.last_seen), default=None),
        valid_until=max(present(lambda c: c.valid_until), default=None),
        confidence=max(present(lambda c: c.confidence), default=None),
        sightings=max(present(lambda c: c.sightings), default=None),
        malware=words(lambda c: c.malware),
        techniques=words(lambda c: c.techniques),
        phases=words(lambda c: c.phases),
        tags=words(lambda c: c.tags),
        comment="; ".join(comments)[:MAX_COMMENT_CHARS],
    )
