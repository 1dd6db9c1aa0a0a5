"""What an event of MISP says about its attributes: tags, galaxies, sightings, distribution.

- TLP and PAP: of an event, an object and an attribute the most closed wins. A distribution counts where no
  TLP stands beside it: "your organisation only" is AMBER+STRICT, a sharing group at least AMBER.
- Galaxies are tags too. Malware, tools and attack patterns among them become families and techniques.
- The day of an event is when something was first seen, unless its attribute says so. When an attribute was
  last edited says nothing.
- Of the sightings those of type 0 count and move ``last_seen``. One of type 1 says "false positive": a tag
  keeps that. One of type 2 says when it expires.

Source: MISP core format, sections 2.2 to 2.6; taxonomies tlp, PAP, kill-chain, misp.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from exchange.indicators.context import (
    MAX_COMMENT_CHARS,
    MAX_ENTRIES,
    Context,
    Pap,
    as_count,
    as_technique,
    as_text,
    as_texts,
    as_time,
)
from exchange.indicators.readers.context_columns import UNKNOWN_MARKING
from exchange.indicators.readers.source import Source
from exchange.indicators.tlp import Tlp

FALSE_POSITIVE = "false-positive"
"""The tag of what somebody reported to be harmless."""

_GALAXY = re.compile(r'misp-galaxy:(?P<galaxy>[^="]+)="(?P<name>.+)"')
_MITRE_ID = re.compile(r" - [SG][0-9]{4}$")
_MALWARE = re.compile(
    r"malpedia|ransomware|banker|botnet|rat|stealer|backdoor|android|cryptominers|exploit-kit|tool"
    r"|mitre-(?:(?:enterprise|mobile|ics)-attack-)?(?:malware|tool)"
)
_CONFIDENCE = {
    f'misp:confidence-level="{word}"': share
    for word, share in {
        "completely-confident": 100,
        "usually-confident": 75,
        "fairly-confident": 50,
        "rarely-confident": 25,
        "unconfident": 0,
    }.items()
}
_KILL_CHAIN = "kill-chain:"
_LOCKHEED_MARTIN = "lockheed-martin-cyber-kill-chain"  # as STIX 2.1 names it
_ORGANISATION_ONLY, _SHARING_GROUP = 0, 4
_SEEN, _HARMLESS, _EXPIRED = 0, 1, 2
_MAX_NAMES = 256
_MAX_KNOWN = 1024


def names_of_tags(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags of an event, an object or an attribute; a cluster of a galaxy as the tag it stands for."""
    if not (holder.get("Tag") or holder.get("Galaxy")):
        return ()
    names = [as_text(tag.get("name")) for tag in _dicts(holder.get("Tag"))]
    for galaxy in _dicts(holder.get("Galaxy")):
        for cluster in _dicts(galaxy.get("GalaxyCluster")):
            kind, value = as_text(cluster.get("type") or galaxy.get("type")), as_text(cluster.get("value"))
            names.append(f'misp-galaxy:{kind}="{value}"' if value else "")
    return tuple(dict.fromkeys(filter(None, names)))[:_MAX_NAMES]


@dataclass(slots=True)
class Header:
    """What stands in an event beside its attributes; it may come after them.

    Attributes:
        producer: the organisation that made the event.
        info: its title.
        date: its day.
        distribution: how far it goes, in the numbers of MISP.
        names: its tags.
    """

    producer: str = ""
    info: str = ""
    date: datetime | None = None
    distribution: int | None = None
    names: list[str] = field(default_factory=list)

    def note(self, name: str, value: object) -> None:
        """Take a field of an event: ``Orgc``, ``info``, ``date``, ``distribution``, or one tag or galaxy."""
        if name == "Orgc" and isinstance(value, dict):
            self.producer = as_text(value.get("name"))
        elif name == "info":
            self.info = as_text(value, most=MAX_COMMENT_CHARS)
        elif name == "date":
            self.date = as_time(value)
        elif name == "distribution":
            self.distribution = as_count(value, most=_SHARING_GROUP)
        elif name in ("Tag", "Galaxy") and len(self.names) < _MAX_NAMES:
            self.names += names_of_tags({name: [value]})

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Header":
        """The header of an event that is there whole, as beside an attribute that a search found."""
        header = cls(names=list(names_of_tags(event)))
        for name in ("Orgc", "info", "date", "distribution"):
            header.note(name, event.get(name))
        return header


class Saying:
    """What is said about the attributes of one event; equal sayings are one object."""

    def __init__(self, header: Header, source: Source) -> None:
        self._header, self._source = header, source
        self._base = self._of(tuple(header.names), header.distribution)
        self._known: dict[Any, Context | None] = {}

    def about(self, own: Mapping[str, Any]) -> Context | None:
        """What is said about one attribute: its event's word, and its own.

        Args:
            own: ``names``, ``comment``, ``first_seen``, ``last_seen``, ``distribution`` and ``Sighting`` of
                the attribute, as far as it has them.
        """
        key = (
            tuple(own.get("names", ()))[:MAX_ENTRIES],
            as_text(own.get("comment"), most=MAX_COMMENT_CHARS),
            as_time(own.get("first_seen")),
            as_time(own.get("last_seen")),
            as_count(own.get("distribution"), most=_SHARING_GROUP),
            _sightings(own.get("Sighting")),
        )
        if key not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._context(*key) or None
        return self._known[key]

    def _context(
        self,
        names: tuple[str, ...],
        comment: str,
        first: datetime | None,
        last: datetime | None,
        distribution: int | None,
        sightings: "tuple[int, datetime | None, bool, datetime | None]",
    ) -> Context:
        base, own = self._base, self._of(names, distribution)
        count, seen, harmless, expiry = sightings
        last = max(filter(None, (last, seen)), default=None)
        day = self._header.date
        tags = (*base.tags, *own.tags, *([FALSE_POSITIVE] if harmless else ()))
        return Context(
            tlp=max(filter(None, (base.tlp, own.tlp)), key=list(Tlp).index, default=None),
            pap=max(filter(None, (base.pap, own.pap)), key=list(Pap).index, default=None),
            first_seen=first or (day if not (day and last and last < day) else None),
            last_seen=last,
            valid_until=expiry,
            confidence=base.confidence if own.confidence is None else own.confidence,
            sightings=count or None,
            producer=self._header.producer,
            malware=as_texts((*base.malware, *own.malware)),
            techniques=as_texts((*base.techniques, *own.techniques)),
            phases=as_texts((*base.phases, *own.phases)),
            tags=as_texts(tags),
            comment=comment or self._header.info,
        )

    def _of(self, names: tuple[str, ...], distribution: int | None) -> Context:
        labels, unknown = _labels(names)
        if unknown:
            self._source.notes[UNKNOWN_MARKING] += unknown
        if labels.tlp is None and distribution == _ORGANISATION_ONLY:
            return replace(labels, tlp=Tlp.AMBER_STRICT)
        if labels.tlp is None and distribution == _SHARING_GROUP:
            return replace(labels, tlp=Tlp.AMBER)
        return labels


@lru_cache(maxsize=256)
def _labels(names: tuple[str, ...]) -> tuple[Context, int]:
    """What some tags say, and how many of them are markings that nobody knows."""
    tlp: list[Tlp] = []
    pap: list[Pap] = []
    found: dict[str, list[str]] = {"malware": [], "techniques": [], "phases": [], "tags": []}
    confidence, unknown = None, 0
    for name in names:
        lowered = name.lower()
        try:
            if lowered.startswith("tlp:"):
                tlp.append(Tlp.parse(name))
                continue
            if lowered.startswith("pap:"):
                pap.append(Pap.parse(name))
                continue
        except ValueError:
            unknown += 1
        if lowered in _CONFIDENCE:
            confidence = _CONFIDENCE[lowered]
        else:
            place, text = _sorted(name)
            found[place].append(text)
    context = Context(
        tlp=max(tlp, key=list(Tlp).index, default=None),
        pap=max(pap, key=list(Pap).index, default=None),
        confidence=confidence,
        malware=as_texts(found["malware"]),
        techniques=as_texts(found["techniques"]),
        phases=as_texts(found["phases"]),
        tags=as_texts(found["tags"]),
    )
    return context, unknown


def _sorted(name: str) -> tuple[str, str]:
    """The field of a context that a tag belongs to, and what it says there."""
    if found := _GALAXY.fullmatch(name):
        galaxy = found["galaxy"].lower()
        if _MALWARE.fullmatch(galaxy):
            return "malware", _MITRE_ID.sub("", found["name"])
        if "attack-pattern" in galaxy and (technique := as_technique(found["name"])):
            return "techniques", technique
    if name.lower().startswith(_KILL_CHAIN):
        phase = name[len(_KILL_CHAIN) :].strip(' "').lower().replace(" ", "-")
        return "phases", f"{_LOCKHEED_MARTIN}:{phase}"
    return "tags", name


def _sightings(value: object) -> tuple[int, datetime | None, bool, datetime | None]:
    """How often it was seen, when last; whether anybody called it harmless; when it expires."""
    seen: list[datetime | None] = []
    harmless, expiry = False, None
    for sighting in _dicts(value):
        what, when = as_count(sighting.get("type", 0), most=_EXPIRED), as_time(sighting.get("date_sighting"))
        if what == _SEEN:
            seen.append(when)
        elif what == _HARMLESS:
            harmless = True
        elif what == _EXPIRED:
            expiry = max(filter(None, (expiry, when)), default=None)
    return len(seen), max(filter(None, seen), default=None), harmless, expiry


def _dicts(value: object) -> Iterable[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
