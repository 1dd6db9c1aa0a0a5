"""What one policy allows that another does not, in words."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time
from typing import Any

from exchange.agreement import Rung
from exchange.indicators import PROFILE, Tlp
from exchange.indicators.context import Pap
from exchange.policy.model import Policy
from exchange.policy.terms import (
    ANYONE,
    Approving,
    Bounds,
    Noise,
    PerValue,
    Share,
    Terms,
    Told,
    Validity,
    plain,
)
from exchange.policy.together import Shared
from exchange.policy.words import called, in_short
from exchange.policy.words_together import with_all_in_short

MORE, LESS, OTHER = "allowed", "forbidden", "changed"
Change = tuple[str, str]
"""Whether more or less is allowed, or only something else, and what, in words."""
Compare = Callable[[str, Any, Any], Iterable[Change]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Sentences on what differs between two policies.

    Attributes:
        allowed: what became allowed.
        forbidden: what is no longer allowed.
        changed: what is different, and neither more nor less.
    """

    allowed: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.allowed or self.forbidden or self.changed)


def diff(old: Policy, new: Policy) -> Difference:
    """Compare two policies, peer by peer; those without terms of their own are judged by everybody's."""
    found = Difference()
    for kind, text in _of_the_whole(old, new):
        getattr(found, kind).append(text)
    for name in sorted({*old.peers, *new.peers}):
        for kind, text in _of_a_peer(name, old.terms(name), new.terms(name)):
            getattr(found, kind).append(f"{called(name)}: {text}")
    return found


def _of_the_whole(old: Policy, new: Policy) -> Iterator[Change]:
    yield from _flag("suspended", old.suspended, new.suspended)
    yield from _words_or_any("regions", old.regions, new.regions)
    yield from _validity("the policy is valid", old.validity, new.validity)
    for kind, text in _words("", old.personal_data, new.personal_data):
        yield (
            _turned(kind),
            f"{'held to be' if kind is MORE else 'no longer held to be'} personal data:{text}",
        )
    for table in ("aggregate", "discover"):
        yield from _together(table, getattr(old, table), getattr(new, table))
    for table in ("legal_bases", "arrangements", "approvers"):
        yield from _tables(table, getattr(old, table), getattr(new, table))
    if old.iep != new.iep:
        before, after = ({} if i is None else i.content() for i in (old.iep, new.iep))
        lines = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        yield OTHER, f"iep: {', '.join(lines)} changed"
    if old.revision != new.revision:
        yield OTHER, f"revision {old.revision} became {new.revision}"


def _of_a_peer(name: str, old: tuple[str, Terms] | None, new: tuple[str, Terms] | None) -> Iterator[Change]:
    if old is None:
        assert new is not None
        yield MORE, f"its terms were added: {in_short(name, new[1])}"
        return
    if new is None:
        yield LESS, f"its terms were taken away: {in_short(name, old[1])}"
        return
    if old[0] != new[0]:
        whose = "the terms for every other member" if new[0] == ANYONE else "terms of its own"
        yield OTHER, f"it is judged by {whose} now"
    yield from _line_by_line(_COMPARE, old[1], new[1])


def _line_by_line(how: Mapping[str, Compare], old: Terms | Shared, new: Terms | Shared) -> Iterator[Change]:
    for f in fields(old):
        before, after = getattr(old, f.name), getattr(new, f.name)
        if before != after:
            yield from how.get(f.name, _other)(f.name, before, after)


def _together(table: str, old: Shared | None, new: Shared | None) -> Iterator[Change]:
    if old is None or new is None:
        if (found := old or new) is not None:
            kind, did = (MORE, "added") if old is None else (LESS, "taken away")
            yield kind, f"[{table}] was {did}: {with_all_in_short(found)}"
        return
    for kind, text in _line_by_line(_COMPARE_TOGETHER, old, new):
        yield kind, f"[{table}] {text}"


def _turned(kind: str) -> str:
    return {MORE: LESS, LESS: MORE}.get(kind, kind)


def _words(line: str, old: frozenset[str], new: frozenset[str]) -> Iterator[Change]:
    for kind, words in ((MORE, new - old), (LESS, old - new)):
        if words:
            yield kind, f"{line} {', '.join(sorted(map(str, words)))}"


def _words_or_any(line: str, old: frozenset[str] | None, new: frozenset[str] | None) -> Iterator[Change]:
    if old is not None and new is not None:
        yield from _words(line, old, new)
    elif old is None and new is not None:
        yield LESS, f"{line} other than {', '.join(sorted(new)) or 'none'}"
    elif old is not None:
        yield MORE, f"{line} of any kind, not {', '.join(sorted(old)) or 'none'} alone"


def _rungs(_line: str, old: Rung | None, new: Rung | None) -> Iterator[Change]:
    before, after = (-1 if rung is None else rung.level for rung in (old, new))
    between = [str(r) for r in Rung if min(before, after) < r.level <= max(before, after)]
    yield (MORE if after > before else LESS), f"reveal {', '.join(between)}"


def _told(_line: str, old: Told | None, new: Told | None) -> Iterator[Change]:
    before, after = (told or Told(frozenset(), 0) for told in (old, new))
    yield from _words("in a context, the fields", before.fields, after.fields)
    if before.bytes != after.bytes:
        kind = MORE if after.bytes > before.bytes else LESS
        yield kind, f"a context of {after.bytes} bytes, not {before.bytes}"


def _noise(_line: str, old: Noise | None, new: Noise | None) -> Iterator[Change]:
    if old is None or new is None:
        yield (MORE if old is None else LESS), "a count with noise"
        return
    if old.epsilon != new.epsilon:
        yield (MORE if new.epsilon > old.epsilon else LESS), f"epsilon {new.epsilon:g}, not {old.epsilon:g}"
    if (old.most, old.days) != (new.most, new.days):
        kind = MORE if new.most * old.days > old.most * new.days else LESS
        spans = [f"{noise.most:g} in {noise.days} days" for noise in (new, old)]
        yield kind, f"epsilon of {spans[0]} in all, not {spans[1]}"


def _ceiling(order: type[Tlp | Pap], *, unstated: int) -> Compare:
    """Markings, from the most open to the most closed; unstated is below all of them, or above."""

    def compare(line: str, old: Any, new: Any) -> Iterator[Change]:
        ranks = [unstated if m is None else list(order).index(m) for m in (old, new)]
        kind = MORE if ranks[1] > ranks[0] else LESS
        yield kind, f"{line} {_said(new)}, not {_said(old)}"

    return compare


def _bounds(line: str, old: Bounds | None, new: Bounds | None) -> Iterator[Change]:
    for kind, one, other in ((MORE, new, old), (LESS, old, new)):
        for least, most in _beyond(one, other):
            yield kind, f"{line} {least:,} to {most:,}" if least < most else f"{line} {least:,}"


def _beyond(one: Bounds | None, other: Bounds | None) -> Iterator[tuple[int, int]]:
    """The spans that lie within one pair of bounds and not within the other."""
    if one is None:
        return
    if other is None:
        yield one.least, one.most
        return
    for least, most in (
        (one.least, min(one.most, other.least - 1)),
        (max(one.least, other.most + 1), one.most),
    ):
        if least <= most:
            yield least, most


def _profiles(line: str, old: frozenset[str] | None, new: frozenset[str] | None) -> Iterator[Change]:
    ours = frozenset({PROFILE})
    yield from _words(line, ours if old is None else old, ours if new is None else new)


def _at_most(line: str, old: float | None, new: float | None) -> Iterator[Change]:
    more = new is None or (old is not None and new > old)
    yield (MORE if more else LESS), f"{line} {_said(new)}, not {_said(old)}"


def _at_least(line: str, old: float, new: float) -> Iterator[Change]:
    """The least that is asked for; 0 where that is not stated and everything is refused."""
    more = bool(new) and (not old or new < old)
    yield (MORE if more else LESS), f"{line} {_said(new) if new else 'unstated'}, not {_said(old)}"


def _least(line: str, old: int, new: int) -> Iterator[Change]:
    """The same where it is not refused if it is not stated, but follows from what is asked."""
    yield from _at_least(line, old, new) if old and new else _other(line, old or None, new or None)


def _at_most_of_each(line: str, old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[Change]:
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield from _at_most(f"{line} of {key}", old.get(key), new.get(key))


def _rate(line: str, old: Share | PerValue | None, new: Share | PerValue | None) -> Iterator[Change]:
    """So much in so many days: less, or over a longer time, is tighter."""
    kind = OTHER
    if old is None or new is None:
        kind = LESS if old is None else MORE
    elif new.most >= old.most and new.days <= old.days:
        kind = MORE
    elif new.most <= old.most and new.days >= old.days:
        kind = LESS
    yield kind, f"{line} {_said(new)}, not {_said(old)}"


def _flag(line: str, old: Any, new: Any) -> Iterator[Change]:
    """What stands in the way where it is true."""
    if old != new:
        yield (LESS if new else MORE), f"{line} is {str(new).lower()} now"


def _may(line: str, _old: Any, new: Any) -> Iterator[Change]:
    """What is allowed where it is true."""
    yield (MORE if new else LESS), f"{line} is {str(new).lower()} now"


def _blur(line: str, old: float | None, new: float | None) -> Iterator[Change]:
    """The privacy loss of noise that is needed; none is needed where it is not stated."""
    more = new is None or (old is not None and new > old)
    yield (MORE if more else LESS), f"{line} {_said(new)}, not {_said(old)}"


def _order(*words: str | None) -> Compare:
    """Words from the tightest to the loosest."""

    def compare(line: str, old: str | None, new: str | None) -> Iterator[Change]:
        kind = MORE if words.index(new) > words.index(old) else LESS
        yield kind, f"{line} {_said(new)}, not {_said(old)}"

    return compare


def _basis(line: str, old: str | None, new: str | None) -> Iterator[Change]:
    kind = MORE if old is None else LESS if new is None else OTHER
    yield kind, f"{line} {_said(new)}, not {_said(old)}"


def _needed(line: str, old: Any, new: Any) -> Iterator[Change]:
    """Something that must be fulfilled where it is stated."""
    kind = LESS if not old else MORE if not new else OTHER
    yield kind, f"{line} {_said(new)}, not {_said(old)}"


def _approval(line: str, old: Approving | None, new: Approving | None) -> Iterator[Change]:
    if old is None or new is None:
        yield from _needed(line, old, new)
        return
    for rung in sorted(old.rungs ^ new.rungs, key=lambda r: r.level):
        yield (
            (LESS if rung in new.rungs else MORE),
            f"{rung} {'needs' if rung in new.rungs else 'without'} {line}",
        )
    if old.people != new.people:
        yield (LESS if new.people > old.people else MORE), f"{line} by {new.people} people, not {old.people}"
    if old.days != new.days:
        yield (MORE if new.days > old.days else LESS), f"{line} for {new.days} days, not {old.days}"


def _validity(line: str, old: Validity, new: Validity) -> Iterator[Change]:
    first = [_moment(v.first or date.min, time.min) for v in (old, new)]
    if first[0] != first[1]:
        text = f"{line} from {new.first or 'any day'}, not {old.first or 'any day'}"
        yield (MORE if first[1] < first[0] else LESS), text
    last = [_moment(v.last or date.max, time.max) for v in (old, new)]
    if last[0] != last[1]:
        text = f"{line} until {new.last or 'any day'}, not {old.last or 'any day'}"
        yield (MORE if last[1] > last[0] else LESS), text


def _moment(end: date, of_day: time) -> datetime:
    """An end of a validity as a time; a day counts from its first or to its last moment."""
    return end if isinstance(end, datetime) else datetime.combine(end, of_day, UTC)


def _tables(line: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            did = "added" if name not in old else "taken away" if name not in new else "changed"
            yield OTHER, f"{line}.{name} was {did}"


def _other(line: str, old: Any, new: Any) -> Iterator[Change]:
    yield OTHER, f"{line} {_said(new)}, not {_said(old)}"


def _said(value: Any) -> str:
    """A value of the file in a sentence."""
    shown = plain(value)
    if shown in (None, {}):
        return "unstated"
    if isinstance(shown, Mapping):
        return ", ".join(f"{key} {_said(v)}" for key, v in shown.items())
    if isinstance(shown, list):
        return "+".join(map(str, shown))
    if isinstance(shown, float):
        return f"{shown:g}"
    return f"{shown:,}" if type(shown) is int else str(shown)


_COMPARE: dict[str, Compare] = {
    "directions": _words,
    "reveal": _rungs,
    "learns": _words,
    "types": _words,
    "protocols": _words,
    "our_size": _bounds,
    "peer_size": _bounds,
    "sessions_per_day": _at_most,
    "tlp": _ceiling(Tlp, unstated=-1),
    "legal_basis": _basis,
    "purposes": _words_or_any,
    "roles": _words_or_any,
    "arrangement": _needed,
    "profiles": _profiles,
    "attestation": _flag,
    "pap": _ceiling(Pap, unstated=len(Pap)),
    "provenance": _order("own", "any"),
    "max_age_days": _at_most_of_each,
    "size_ratio": _at_most,
    "values_per_day": _at_most,
    "values_per_year": _at_most,
    "entries_per_value": _rate,
    "share": _rate,
    "climb": _flag,
    "climb_if": _needed,
    "approval": _approval,
    "ahead_hours": _at_most,
    "tell_count": _order("hidden", "band", "exact"),
    "sums": _words,
    "noise": _noise,
    "context": _told,
    "commitment": _order("required", "optional"),
    "growth_per_day": _at_most,
    "on_alarm": _order("quarantine", "record"),
    "suspended": _flag,
    "validity": lambda _line, old, new: _validity("valid", old, new),
}
"""How the lines of two terms are compared; of the others it is only said that they differ."""

_COMPARE_TOGETHER: dict[str, Compare] = {
    **{line: _COMPARE[line] for line in ("types", "tlp", "pap", "legal_basis", "provenance", "max_age_days")},
    **{line: _COMPARE[line] for line in ("suspended", "validity")},
    **dict.fromkeys(("purposes", "coordinators", "measures", "visibility", "relays", "learns"), _words),
    **dict.fromkeys(("members", "minimum", "reporters", "each_type", "threshold"), _at_least),
    **dict.fromkeys(("per_day", "dominance", "quota", "repeated"), _at_most),
    **dict.fromkeys(("relay", "counter", "helper"), _may),
    "least": _least,
    "dictionary": _bounds,
    "epsilon": _blur,
}
"""How the lines of the tables on the alliance are compared."""
