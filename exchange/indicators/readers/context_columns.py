"""Names of columns and keys: which say something about an indicator, and which describe a victim.

Names are compared as ``type_name`` writes them, without case and punctuation. Known are those of the exports
of abuse.ch, of OTX, OpenCTI, TweetFeed and vendors' tables. A name that nobody knows says nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from exchange.indicators.context import (
    MAX_COMMENT_CHARS,
    Context,
    Pap,
    as_count,
    as_technique,
    as_text,
    as_texts,
    as_time,
)
from exchange.indicators.readers.base import type_name
from exchange.indicators.tlp import Tlp

UNKNOWN_MARKING = "unknown-marking"
"""Counted in the notes of a source where a marking is none of TLP's or PAP's."""

Marking = TypeVar("Marking", bound=StrEnum)

_MAX_SIGHTINGS = 10**12
_MAX_PARTS = 256
_MAX_NAME_CHARS = 128

# Of two names of one field the earlier one wins: a time of sighting says more than a time of entry.
_NAMES = {
    "tlp": "tlp tlpmarking tlplevel marking markings",
    "pap": "pap",
    "first_seen": """firstseen firstseenutc firstseenat firstseendate firstsubmission firstobserved dateadded
        date validfrom""",
    "last_seen": """lastseen lastseenutc lastseenat lastseendate lastobserved lastonline lastactive
        lastsighting lastreported lastreportedat""",
    "not_before": "notbefore embargo embargoeduntil embargountil",
    "valid_until": "validuntil validto expires expiresat expiry expirydate expiration expirationdate",
    "confidence": "confidence confidencelevel confidencescore",
    "sightings": "sightings sightingscount sightingcount count hits occurrences timesseen numberofreports",
    "producer": "producer reporter reportedby provider source sources",
    "malware": "malware malwareprintable malwarename malwarefamily family familyname signature",
    "techniques": """technique techniques techniqueid mitre mitreattack mitretechnique mitretechniques attack
        attackid attackids ttp ttps""",
    "phases": "killchain killchains killchainphase killchainphases phase",
    "tags": "tags tag labels label threat threattype",
    "comment": "comment comments note notes",
}
_FIELDS = {name: (field, rank) for field, names in _NAMES.items() for rank, name in enumerate(names.split())}

_NOTHING = frozenset({"", "-", "--", "n/a", "na", "nan", "none", "null", "nil", "unknown", "unknown malware"})
_STATED = re.compile(
    r"\b(TLP|PAP)\s?[:=]\s?(CLEAR|WHITE|GREEN|AMBER(?:\s?\+\s?STRICT)?|RED)\b", re.IGNORECASE
)
_LIST = re.compile(r"[,;|\n]")
_PHASE = re.compile(r"(?P<phase>[^()]+?)\s*\((?P<chain>[^()]+)\)")
# Source: STIX 2.1 appendix A, the None / Low / Med / High scale.
_CONFIDENCE_WORDS = {"low": 15, "med": 50, "medium": 50, "high": 85}

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS = re.compile(r"[^a-z0-9]+")
_WHO = r"(?:victim|customer|employee|tenant|subscriber|constituent|patient)"
_ATTACKED = r"(?:target(?:ed)?|infected|affected|impacted|compromised|clients?)"
_THING = r"""(?:ip(?:v4|v6)?(?:_?addr(?:ess)?)?|addr|address|e?_?mail(?:_?address)?|host(?:_?name)?|fqdn|dns
    |domain(?:_?name)?|url|uri|(?:web_?)?site|user(?:_?name)?|account|name|machine|computer|system|asset|device
    |org|organi[sz]ation|company|location|external|network|cidr|mac)s?(?:_|$)"""
_VICTIM = re.compile(rf"(?:^|_)(?:{_WHO}|{_ATTACKED}_?{_THING})|^(?:targets?|clients?)$", re.VERBOSE)


def is_victim(name: str) -> bool:
    """Whether a column or key of this name describes a victim, a target, a customer or an employee.

    ``victim``, ``customer``, ``employee``, ``tenant``, ``subscriber``, ``constituent`` and ``patient`` do so
    with anything after them. ``target``, ``client``, ``infected``, ``affected``, ``impacted`` and
    ``compromised`` do so before a word for a person, a machine or an address: ``target_url`` and
    ``client_ip`` do; ``target_os``, ``client_ja3``, ``infected_file`` do not. When in doubt it is a victim:
    what is refused is counted with its place, and what is disclosed cannot be had back.
    """
    return _is_victim(name[:_MAX_NAME_CHARS])


@lru_cache(maxsize=4096)
def _is_victim(name: str) -> bool:
    return _VICTIM.search(_WORDS.sub("_", _CAMEL.sub("_", name).lower()).strip("_")) is not None


def is_context(name: str) -> bool:
    """Whether a column or key of this name says something about an indicator."""
    return type_name(name) in _FIELDS


def context_of(mapping: Mapping[str, object], notes: Counter[str] | None = None) -> Context | None:
    """What a row or a record says about its indicators; ``None`` if nothing.

    Args:
        mapping: names of columns or keys, and what stands there: text, numbers, or lists of texts.
        notes: counts ``unknown-marking`` where a marking is none of TLP's or PAP's.
    """
    return told(fields_of(mapping), mapping, notes)


def fields_of(names: Iterable[object]) -> list[tuple[str, str]]:
    """The fields that columns or keys of these names fill, with the names; the better one of two first."""
    known = [
        (name, _FIELDS.get(type_name(name[:_MAX_NAME_CHARS]))) for name in names if isinstance(name, str)
    ]
    ranked = sorted((rank, field, name) for name, found in known if found for field, rank in [found])
    return [(field, name) for _, field, name in ranked]


def told(
    fields: Iterable[tuple[str, str]], mapping: Mapping[str, object], notes: Counter[str] | None = None
) -> Context | None:
    """The same as ``context_of``, for many rows with the same columns.

    Args:
        fields: from ``fields_of``.
        mapping: as for ``context_of``; names that are missing say nothing.
        notes: as for ``context_of``.
    """
    said: dict[str, list[object]] = {}
    for field, name in fields:
        if not _is_nothing(value := mapping.get(name)):
            said.setdefault(field, []).append(value)
    return _context(said, notes if notes is not None else Counter()) if said else None


def marked(text: str) -> Context | None:
    """The markings that a text states for all of itself, as ``# TLP:AMBER``; the most closed of several."""
    stated = [(found[1].lower(), "".join(found[2].split())) for found in _STATED.finditer(text)]
    return context_of({name: [level for of, level in stated if of == name] for name in ("tlp", "pap")})


def _context(said: dict[str, list[object]], notes: Counter[str]) -> Context | None:
    fields: dict[str, Any] = {field: _READ[field](values) for field, values in said.items() if field in _READ}
    words = _texts(said.get("tags", ()))
    phases = [_phase(text) for text in _texts(said.get("phases", ()))]
    for field, kind in (("tlp", Tlp), ("pap", Pap)):
        markings = [word for word in words if word.lower().startswith(f"{field}:")]
        words = [word for word in words if word not in markings]
        if markings or field in said:
            fields[field] = _most_closed(kind, [*_texts(said.get(field, ())), *markings], notes)
    if words or phases:
        fields["tags"] = as_texts([*words, *(phase for phase in phases if ":" not in phase)])
        fields["phases"] = as_texts(phase for phase in phases if ":" in phase)
    return Context(**fields) or None


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _first(read: Callable[[object], Any], nothing: Any = None) -> Callable[[list[object]], Any]:
    """A function that finds the first of some values that says anything."""
    return lambda values: next(
        (found for value in values if (found := read(value)) not in (None, "")), nothing
    )


def _texts(values: Iterable[object]) -> list[str]:
    return [part for value in values for part in _parts(value)]


def _parts(value: object) -> list[str]:
    """The texts of a list, or of a cell that separates them by commas, semicolons, bars, or ``#one #two``."""
    if isinstance(value, list | tuple):
        parts: list[Any] = list(value[:_MAX_PARTS])
    elif isinstance(value, str):
        hashtags = value.startswith("#") and not _LIST.search(value)
        parts = value.split() if hashtags else _LIST.split(value, _MAX_PARTS)
    else:
        return []
    texts = (part.strip().lstrip("#") for part in parts if isinstance(part, str))
    return [text for text in texts if not _is_nothing(text)]


def _most_closed(kind: type[Marking], texts: list[str], notes: Counter[str]) -> Marking | None:
    """The most closed of some markings; what is none is counted, so that the operator can look."""
    found: list[Marking] = []
    for text in texts:
        try:
            found.append(kind.parse(text))  # type: ignore[attr-defined]
        except ValueError:
            notes[UNKNOWN_MARKING] += 1
    return max(found, key=list(kind).index, default=None)


def _confidence(value: object) -> int | None:
    if isinstance(value, str):
        value = value.strip().removesuffix("%").strip().lower()
        value = _CONFIDENCE_WORDS.get(value, value)
    return as_count(value, most=100)


def _name(value: object) -> str:
    """Who it was. A link in a column of sources is a reference, and names nobody."""
    text = as_text(value)
    return "" if "://" in text else text


def _phase(text: str) -> str:
    found = _PHASE.fullmatch(text := as_text(text))  # bounded: it takes the square of white space
    return f"{found['chain']}:{found['phase']}" if found else text


_READ: dict[str, Callable[[list[object]], Any]] = {
    **dict.fromkeys(("first_seen", "last_seen", "not_before", "valid_until"), _first(as_time)),
    "confidence": _first(_confidence),
    "sightings": _first(lambda value: as_count(value, most=_MAX_SIGHTINGS)),
    "producer": _first(_name, ""),
    "malware": lambda values: as_texts(_texts(values)),
    "techniques": lambda values: as_texts(found for text in _texts(values) if (found := as_technique(text))),
    "comment": _first(lambda value: as_text(value, most=MAX_COMMENT_CHARS), ""),
}
