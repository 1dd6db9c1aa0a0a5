"""What of a result may be written, under which marking, and with what context.

A marking binds what its source gave us. So an indicator is as open as its most open source, as in a match,
and nothing of what a more closed source said about it goes along. That *both* members hold it says something
about the peer, so that statement is never more open than AMBER.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
class Shared:
    """One shared indicator as it will be written.

    Attributes:
        indicator: what is shared.
        tlp: its marking.
        context: what those of our sources say that the marking lets speak.
        since: when we first had it from one of them; ``None`` if we hold it no longer.
        own: whether one of them is ourselves.
    """

    indicator: Indicator
    tlp: Tlp
    context: Context
    since: datetime | None
    own: bool


@dataclass(frozen=True, slots=True)
class Export:
    """A result that is ready to be written.

    Attributes:
        session: identifies the session in both ledgers.
        member: who writes.
        peer: who shares; not to be named unless ``about_peer`` is set.
        now: the time.
        items: what is written.
        floor: the least closed marking of anything in it.
        about_peer: the marking of what names the peer; ``None`` if the ceiling is too open for that.
        left_out: how many items are not written, by reason: ``tlp`` or ``embargo``.
        not_held: how many of the items we hold no longer: they are written as unmarked, without context.
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


def select(
    result: MatchResult,
    said: Sequence[Sequence[Said]],
    *,
    member: str,
    now: datetime,
    floor: Tlp = Tlp.CLEAR,
    ceiling: Tlp = MOST_CLOSED,
) -> Export:
    """Decide what is written, under which marking.

    Args:
        result: of a match.
        said: for each of its items, what our feeds say of it.
        member: who writes.
        now: the time; what is still under embargo at that time does not count.
        floor: marks everything at least as closed as this. It never opens anything.
        ceiling: leaves out everything more closed than this, and whatever names the peer if that is.

    Raises:
        ValueError: the ceiling is under the floor, or RED.
    """
    if closed(ceiling) > closed(MOST_CLOSED) or closed(floor) > closed(ceiling):
        raise ValueError(f"nothing can be marked {floor} or more and {ceiling} or less")
    items, left_out, not_held = [], Counter[str](), 0
    for indicator, of_item in zip(result.items, said, strict=True):
        told = [s for s in of_item if s.tlp is not Tlp.RED]
        free = [s for s in told if not _embargoed(s, now)]
        if of_item and not free:
            left_out["embargo" if told else "tlp"] += 1
            continue
        marking = stricter(floor, min((s.tlp for s in free), key=closed, default=UNMARKED))
        if closed(marking) > closed(ceiling):
            left_out["tlp"] += 1
            continue
        not_held += not of_item
        items.append(_shared(indicator, marking, [s for s in free if closed(s.tlp) <= closed(marking)]))
    about_peer = stricter(floor, ABOUT_PEERS)
    return Export(
        session=result.session,
        member=member,
        peer=result.peer,
        now=now,
        items=tuple(items),
        floor=floor,
        about_peer=about_peer if closed(about_peer) <= closed(ceiling) else None,
        left_out=dict(sorted(left_out.items())),
        not_held=not_held,
    )


def closed(marking: Tlp) -> int:
    """How closed a marking is: the higher, the fewer may see it."""
    return _TLPS.index(marking)


def stricter(one: Tlp, other: Tlp) -> Tlp:
    """The more closed of two markings."""
    return max(one, other, key=closed)


def _embargoed(said: Said, now: datetime) -> bool:
    return said.context is not None and said.context.not_before is not None and said.context.not_before > now


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
        pap=max(present(lambda c: c.pap), key=_PAPS.index, default=None),
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
