"""What a producer says about an indicator: it travels with it, and never decides what the indicator is.

Source: STIX 2.1 sections 4.7 (indicator) and 5.2 (sighting); FIRST TLP 2.0; MISP taxonomies, PAP version 3.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from exchange.indicators.tlp import Tlp

T = TypeVar("T")
MAX_TEXT_CHARS = 256
MAX_COMMENT_CHARS = 1024
MAX_ENTRIES = 64
"""The most tags, families, techniques or phases kept of one indicator."""

_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""What no text keeps: what moves a cursor, ends a line, or turns the direction in which others read."""
_EARLIEST, _LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_MILLISECONDS = 10**11


class Pap(StrEnum):
    """Permissible Actions Protocol, from the most open to the most closed."""

    CLEAR = "CLEAR"
    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"

    @classmethod
    def parse(cls, text: str) -> "Pap":
        """Read a marking as people write it: any case, with or without ``PAP:``, WHITE for CLEAR.

        Raises:
            ValueError: it is none of the four.
        """
        name = text.strip().upper().removeprefix("PAP:")
        return cls("CLEAR" if name == "WHITE" else name)


@dataclass(frozen=True, slots=True)
class Context:
    """What is said about an indicator; everything may be missing. Times are in UTC.

    Attributes:
        tlp: how far its source lets it travel; ``None`` if unmarked.
        pap: what may be done with it.
        first_seen: when it was first seen in use.
        last_seen: when it was last seen in use.
        not_before: when its embargo ends.
        valid_until: when its producer lets it expire.
        confidence: from 0 to 100.
        sightings: how often it was seen.
        producer: who reported it first, where that is not the source we have it from.
        malware: families, as named by the producer.
        techniques: of ATT&CK, such as ``T1566.001``.
        phases: of a kill chain, as ``chain:phase``.
        tags: any other words.
        comment: free text.
    """

    tlp: Tlp | None = None
    pap: Pap | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    not_before: datetime | None = None
    valid_until: datetime | None = None
    confidence: int | None = None
    sightings: int | None = None
    producer: str = ""
    malware: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    comment: str = ""

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return self != _NOTHING

    @property
    def chars(self) -> int:
        """How long it is, for bounds on memory."""
        words = (*self.malware, *self.techniques, *self.phases, *self.tags)
        return len(self.producer) + len(self.comment) + sum(map(len, words))

    def to_json(self) -> dict[str, Any]:
        """What is said, without what is not; times in ISO 8601."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: v.isoformat() if isinstance(v, datetime) else list(v) if isinstance(v, tuple) else v
            for name, v in told.items()
            if v is not None and v not in ("", ())
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Context":
        """The inverse of ``to_json``."""
        fields = dict(told)
        for name in ("first_seen", "last_seen", "not_before", "valid_until"):
            if name in fields:
                fields[name] = datetime.fromisoformat(fields[name])
        for name in ("malware", "techniques", "phases", "tags"):
            fields[name] = tuple(fields.get(name, ()))
        if "tlp" in fields:
            fields["tlp"] = Tlp(fields["tlp"])
        if "pap" in fields:
            fields["pap"] = Pap(fields["pap"])
        return cls(**fields)

    @classmethod
    def stated(cls, told: Mapping[str, object]) -> "Context":
        """What somebody else states in the form of ``to_json``; what is no value of its field is left out."""
        return cls(
            tlp=_marking(Tlp.parse, told.get("tlp")),
            pap=_marking(Pap.parse, told.get("pap")),
            confidence=as_count(told.get("confidence"), most=100),
            sightings=as_count(told.get("sightings"), most=1 << 53),
            producer=as_text(told.get("producer")),
            comment=as_text(told.get("comment"), most=MAX_COMMENT_CHARS),
            first_seen=as_time(told.get("first_seen")),
            last_seen=as_time(told.get("last_seen")),
            not_before=as_time(told.get("not_before")),
            valid_until=as_time(told.get("valid_until")),
            malware=as_texts(told.get("malware")),
            techniques=as_texts(told.get("techniques")),
            phases=as_texts(told.get("phases")),
            tags=as_texts(told.get("tags")),
        )


_NOTHING = Context()


def _marking(parse: Callable[[str], T], text: object) -> T | None:
    try:
        return parse(text) if isinstance(text, str) else None
    except ValueError:
        return None


def as_text(value: object, *, most: int = MAX_TEXT_CHARS) -> str:
    """A string of a feed, on one line and not too long; ``""`` for what is no string."""
    return _CONTROL.sub(" ", value).strip()[:most] if isinstance(value, str) else ""


def as_texts(values: object) -> tuple[str, ...]:
    """The distinct strings among some values, sorted; at most ``MAX_ENTRIES``."""
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, Iterable):
        return ()
    return tuple(sorted({text for value in values if (text := as_text(value))})[:MAX_ENTRIES])


def as_time(value: object) -> datetime | None:
    """A time as feeds write it: ISO 8601 with or without a zone (then UTC), or Unix seconds or milliseconds.

    What cannot be a time of a sighting (before 1980, after 2200) is none.
    """
    try:
        if isinstance(value, str) and not value.strip().isdigit():
            found = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            found = datetime.fromtimestamp(number / 1000 if number > _MILLISECONDS else number, UTC)
        else:
            return None
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if _EARLIEST <= found <= _LATEST else None


def as_count(value: object, *, most: int) -> int | None:
    """A whole number from 0 to ``most``, written as a number or in digits; else ``None``."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value) if len(value.strip()) < 20 else -1  # noqa: PLR2004 (digits; more overflows)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= most else None


def as_technique(text: object) -> str:
    """The ATT&CK id in a text such as ``mitre-attack-pattern="Phishing - T1566"``, or ``""``."""
    found = _TECHNIQUE.search(text) if isinstance(text, str) else None
    return found[0] if found else ""
