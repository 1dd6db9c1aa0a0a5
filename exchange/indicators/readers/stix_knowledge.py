"""What the objects of a STIX feed say of each other: producers, malware, techniques, sightings, victims.

An indicator is explained by objects that may come after it. So a feed is first learned from, then read.
Tables are bounded whatever a feed holds; where a bound is hit, the feed's notes say so. Objects are known by
what Python's keyed hash makes of their ids: the ids would take more room than what is said of them.

Source: STIX 2.1 sections 3.2, 4 and 5.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from exchange.indicators.context import Context, Pap, as_count, as_technique, as_text, as_texts, as_time
from exchange.indicators.readers.stix_markings import (
    RED,
    UNKNOWN,
    WELL_KNOWN,
    definition,
    mark_id,
    marks_of,
    marks_of_value,
    most_closed_pap,
    most_closed_tlp,
    stated,
    strings,
    travels_with,
)
from exchange.indicators.readers.stix_values import is_of_victims
from exchange.indicators.tlp import Tlp

MAX_NAMED = 20_000
MAX_LINKS = 300_000
MAX_SEEN = 100_000
MAX_VICTIMS = 200_000
"""How many named objects, links, sightings and victims of a feed are kept: together at most about 150 MiB."""

_MOST_OF_ONE = 64
_MOST_SETS = 4096
_MOST_CONTEXTS = 512
_MOST_SIGHTINGS = 1 << 40

_K = TypeVar("_K")
_V = TypeVar("_V")
Thing = Mapping[str, object]

_SAYS_WHAT_IT_IS = frozenset({"indicates", "uses"})
_SAYS_WHOSE_IT_IS = frozenset(
    {"communicates-with", "beacons-to", "exfiltrates-to", "downloads", "drops", "controls"}
)


class _Named(NamedTuple):
    type: str
    name: str
    technique: str
    marks: tuple[str, ...]


class _Link(NamedTuple):
    target: int
    marks: tuple[str, ...]


class _Seen(NamedTuple):
    """A sighting, whose markings are its own; or an observation, whose markings hold for what it holds."""

    times: int
    first: datetime | None
    last: datetime | None
    marks: tuple[str, ...]
    sighting: bool


class Knowledge:
    """What a feed has said so far."""

    def __init__(self, note: Callable[[str], None]) -> None:
        """Begin with what the standards say.

        Args:
            note: counts an event of the feed, such as ``unknown-marking`` or ``stix-links-forgotten``.
        """
        self.note = note
        self._markings = dict(WELL_KNOWN)
        self._named: dict[int, _Named] = {}
        self._links: dict[int, tuple[_Link, ...]] = {}
        self._seen: dict[int, tuple[_Seen, ...]] = {}
        self._victims: dict[int, None] = {}
        self._n_links = self._n_seen = 0
        self._marks_of_forgotten: dict[str, None] = {}  # of observations: they hold for any observable
        self._sets_of_links: dict[tuple[_Link, ...], tuple[_Link, ...]] = {}
        self._sets_of_marks: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._contexts: dict[Context, Context] = {}

    def learn(self, thing: object) -> None:
        """Take in an object of any type, if it says something of others."""
        if not isinstance(thing, dict) or thing.get("revoked") is True:
            return
        for name, value in thing.items():
            if is_of_victims(name):
                self._add_victims(value)
        match thing.get("type"):
            case "relationship":
                self._learn_relationship(thing)
            case "marking-definition":
                key = mark_id(as_text(thing.get("id")))
                if key not in WELL_KNOWN:  # nobody says anew what these mean
                    self._put(self._markings, key, definition(thing), MAX_NAMED)
            case "malware" | "tool" | "attack-pattern" | "identity" as kind:
                self._put(self._named, _key(thing.get("id")), self._name(kind, thing), MAX_NAMED)
            case "sighting":
                self._add_seen(strings(thing.get("sighting_of_ref")), self._sighting(thing))
            case "observed-data":
                self._add_seen(strings(thing.get("object_refs")), self._observation(thing))

    def is_victim(self, thing: Thing) -> bool:
        """Whether an object is what an attack has hit, or who received or saw it.

        Of a feed with more of them than can be kept, every object may be one.
        """
        return len(self._victims) >= MAX_VICTIMS or _key(thing.get("id")) in self._victims

    def context(self, thing: Thing) -> Context | None:
        """What is said of the values of an object, by itself and by the others."""
        key = _key(thing.get("id"))
        seen = self._seen.get(key, ())
        if thing.get("type") == "observed-data":
            seen += (self._observation(thing),)
        marks, apart = marks_of_value(thing)
        told = {name: value for name, value in thing.items() if name not in apart} if apart else thing
        marks += tuple(mark for s in seen if not s.sighting for mark in s.marks)
        if self._marks_of_forgotten and thing.get("type") != "indicator":
            marks += tuple(self._marks_of_forgotten)
        tlp, pap = self._marked(marks, _labels(thing))
        seen = tuple(s for s in seen if self._travels(s.marks, tlp))
        links = (self._named.get(n.target) for n in self._links.get(key, ()) if self._travels(n.marks, tlp))
        named = [n for n in links if n and self._travels(n.marks, tlp)]
        producer = self._named.get(_key(told.get("created_by_ref")))
        context = Context(
            tlp=tlp,
            pap=pap,
            first_seen=min((s.first for s in seen if s.first), default=None),
            last_seen=max((s.last for s in seen if s.last), default=None),
            not_before=_embargo(told),
            valid_until=as_time(told.get("valid_until")),
            confidence=as_count(told.get("confidence"), most=100),
            sightings=min(sum(s.times for s in seen), _MOST_SIGHTINGS) or None,
            producer=producer.name if producer and self._travels(producer.marks, tlp) else "",
            malware=as_texts([n.name for n in named if n.type in ("malware", "tool")]),
            techniques=as_texts([n.technique for n in named]),
            phases=_phases(told.get("kill_chain_phases")),
            tags=as_texts([label for label in _labels(told) if not stated(label)]),
        )
        return self._share(context) if context else None

    def _learn_relationship(self, thing: Thing) -> None:
        source, target = as_text(thing.get("source_ref")), as_text(thing.get("target_ref"))
        kind = thing.get("relationship_type")
        if not source or not target or not isinstance(kind, str):
            return
        if kind in _SAYS_WHAT_IT_IS and source.startswith("indicator--"):
            self._add_link(source, target, thing)
        elif kind in _SAYS_WHOSE_IT_IS and source.startswith("malware--"):
            self._add_link(target, source, thing)
        elif kind == "targets" and not target.startswith("vulnerability--"):
            self._add_victims(target)

    def _add_link(self, of: str, target: str, thing: Thing) -> None:
        known = self._links.get(_key(of), ())
        if len(known) >= _MOST_OF_ONE or self._n_links >= MAX_LINKS:
            self.note("stix-links-forgotten")
            return
        links = (*known, _Link(_key(target), self._kept(marks_of(thing))))
        if len(self._sets_of_links) < _MOST_SETS:  # most indicators of a feed indicate the same few things
            links = self._sets_of_links.setdefault(links, links)
        self._links[_key(of)] = links
        self._n_links += 1

    def _add_seen(self, refs: list[str], seen: _Seen) -> None:
        for ref in filter(None, refs):
            known = self._seen.get(_key(ref), ())
            if len(known) >= _MOST_OF_ONE or self._n_seen >= MAX_SEEN:
                self.note("stix-links-forgotten")
                if not seen.sighting:
                    self._marks_of_forgotten.update(dict.fromkeys(seen.marks))
                continue
            self._seen[_key(ref)] = (*known, seen)
            self._n_seen += 1

    def _add_victims(self, refs: object) -> None:
        for ref in strings(refs):
            self._put(self._victims, _key(ref), None, MAX_VICTIMS)

    def _put(self, table: dict[_K, _V], key: _K, value: _V, most: int) -> None:
        if not key:
            return  # what has no id cannot be referred to
        if key in table or len(table) < most:
            table[key] = value
        else:
            self.note("stix-links-forgotten")

    def _kept(self, marks: tuple[str, ...]) -> tuple[str, ...]:
        """Most feeds have few sets of markings; of one that has very many, the last count as RED."""
        if marks in self._sets_of_marks or len(self._sets_of_marks) < _MOST_SETS:
            return self._sets_of_marks.setdefault(marks, marks)
        return (RED,)

    def _marked(self, marks: Iterable[str], labels: list[str]) -> tuple[Tlp | None, Pap | None]:
        told = [self._markings.get(mark, UNKNOWN) for mark in marks]
        told += [marking for label in labels if (marking := stated(label))]
        if not told:
            return None, None
        if not all(m.known for m in told):
            self.note("unknown-marking")
        return most_closed_tlp(m.tlp for m in told), most_closed_pap(m.pap for m in told)

    def _travels(self, marks: tuple[str, ...], tlp: Tlp | None) -> bool:
        if not marks:
            return True
        return travels_with(most_closed_tlp(self._markings.get(mark, UNKNOWN).tlp for mark in marks), tlp)

    def _name(self, kind: str, thing: Thing) -> _Named:
        technique = ""
        references = thing.get("external_references")
        if kind == "attack-pattern" and isinstance(references, list):
            told = (as_technique(r.get("external_id")) for r in references if isinstance(r, dict))
            technique = next(filter(None, told), "")
        return _Named(kind, as_text(thing.get("name")), technique, self._kept(marks_of(thing)))

    def _sighting(self, thing: Thing) -> _Seen:
        times = as_count(thing.get("count"), most=_MOST_SIGHTINGS)
        first, last = as_time(thing.get("first_seen")), as_time(thing.get("last_seen"))
        # Without a count it was seen, but nobody says how often.
        return _Seen(1 if times is None else times, first, last, self._kept(marks_of(thing)), sighting=True)

    def _observation(self, thing: Thing) -> _Seen:
        times = as_count(thing.get("number_observed"), most=_MOST_SIGHTINGS) or 0
        first, last = as_time(thing.get("first_observed")), as_time(thing.get("last_observed"))
        return _Seen(times, first, last, self._kept(marks_of_value(thing)[0]), sighting=False)

    def _share(self, context: Context) -> Context:
        if len(self._contexts) >= _MOST_CONTEXTS:
            self._contexts.clear()
        return self._contexts.setdefault(context, context)


def _key(identifier: object) -> int:
    return hash(identifier) if isinstance(identifier, str) else 0


def _embargo(thing: Thing) -> datetime | None:
    """When an indicator becomes valid, if that was still to come when its producer wrote it."""
    start, told = thing.get("valid_from"), thing.get("modified") or thing.get("created")
    if start == told:
        return None
    valid, written = as_time(start), as_time(told)
    return valid if valid and written and valid > written else None


def _phases(phases: object) -> tuple[str, ...]:
    told = [p for p in phases if isinstance(p, dict)] if isinstance(phases, list) else []
    pairs = ((as_text(p.get("kill_chain_name")), as_text(p.get("phase_name"))) for p in told)
    return as_texts([f"{chain}:{phase}" for chain, phase in pairs if chain and phase])


def _labels(thing: Thing) -> list[str]:
    return strings(thing.get("labels")) + strings(thing.get("indicator_types"))
