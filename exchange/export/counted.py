"""What an alliance has counted, for other tools: in the words of SightingDB, and as STIX sightings.

Of an entry nobody learned when it was seen and by whom: ``first_seen`` and ``last_seen`` are the ends of the
window that was counted, and the sighting is the alliance's, which is no member.

Source: MISP, sightingdb-format (``misp-rfc``); OASIS STIX 2.1 section 5.2 (sighting).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from exchange.export.ids import Ids
from exchange.export.patterns import pattern
from exchange.export.stix import MAX_COUNT, TIMELESS, TLP_IDS, marking_definition, stated, timestamp
from exchange.indicators import Indicator, IndicatorType, Tlp

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One released number.

    Attributes:
        indicator: what it is about.
        count: how often it was seen, or by how many where that was counted.
        consensus: how many stand behind it.
    """

    indicator: Indicator
    count: int
    consensus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedBy:
    """Whose numbers they are.

    Attributes:
        alliance: the alliance.
        session: the run, its context in hex.
        member: this node's member, whose export it is.
        about: what was counted, in a few words.
        first: first day of the window, UTC.
        last: its last day.
        tlp: the marking of the export.
        now: when it is made.
    """

    alliance: str
    session: str
    member: str
    about: str
    first: date
    last: date
    tlp: Tlp
    now: datetime

    @property
    def begins(self) -> datetime:
        """The first moment of the window."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def ends(self) -> datetime:
        """Its last moment."""
        return datetime.combine(self.last, time(), UTC) + timedelta(days=1) - _MILLISECOND


def sightingdb(entries: Sequence[Entry], by: CountedBy) -> list[dict[str, Any]]:
    """The entries as SightingDB answers with them: times in seconds since 1970; 0 is no time to live."""
    return [
        {
            "value": entry.indicator.value,
            "first_seen": int(by.begins.timestamp()),
            "last_seen": int(by.ends.timestamp()),
            "count": entry.count,
            "tags": "",
            "ttl": 0,
            "consensus": entry.consensus,
        }
        for entry in entries
    ]


def bundle(entries: Sequence[Entry], by: CountedBy, ids: Ids) -> dict[str, Any]:
    """A STIX 2.1 bundle: for each entry an indicator, and a sighting by the alliance.

    RED is never written: there is nobody to whom it could be handed on.

    Raises:
        ValueError: the marking is RED.
    """
    if by.tlp not in TLP_IDS:
        raise ValueError("a bundle cannot be marked RED")
    us, alliance = (_identity(name, by, ids) for name in (by.member, by.alliance))
    objects = [marking_definition(by.tlp), us, alliance]
    for entry in entries:
        objects += _objects(entry, by, ids, us["id"], alliance["id"])
    return {"type": "bundle", "id": ids.stix("bundle", by.session), "objects": objects}


def _identity(name: str, by: CountedBy, ids: Ids) -> dict[str, Any]:
    kind = "organization" if name == by.member else "group"
    return {
        "type": "identity", "spec_version": "2.1", "id": ids.stix("identity", name), "created": TIMELESS,
        "modified": TIMELESS, "name": name, "identity_class": kind, "object_marking_refs": [TLP_IDS[by.tlp]],
    }  # fmt: skip


def _objects(entry: Entry, by: CountedBy, ids: Ids, us: str, alliance: str) -> list[dict[str, Any]]:
    indicator = entry.indicator
    key = (str(indicator.type), indicator.value)
    about = _head("vulnerability" if indicator.type is IndicatorType.CVE else "indicator", by, ids, us, *key)
    if indicator.type is IndicatorType.CVE:
        reference = {"source_name": "cve", "external_id": indicator.value}
        said = {"description": "A vulnerability that is in use."}
        about |= {"name": indicator.value, "external_references": [reference]} | said
    else:
        about |= {
            "name": indicator.value, "description": f"An indicator of the type {indicator.type}.",
            "pattern": pattern(indicator), "pattern_type": "stix", "valid_from": timestamp(by.begins),
        }  # fmt: skip
    told = f"{entry.consensus} stand behind it: {by.about}. Times are those of the window that was counted."
    sighting = _head("sighting", by, ids, us, by.session, *key) | {
        "description": told, "sighting_of_ref": about["id"], "where_sighted_refs": [alliance],
        "first_seen": timestamp(by.begins), "last_seen": timestamp(by.ends), "summary": True,
    }  # fmt: skip
    return [about, sighting | stated("count", min(entry.count, MAX_COUNT) if entry.count >= 0 else None)]


def _head(kind: str, by: CountedBy, ids: Ids, us: str, *key: str) -> dict[str, Any]:
    return {
        "type": kind, "spec_version": "2.1", "id": ids.stix(kind, *key), "created_by_ref": us,
        "created": timestamp(by.now), "modified": timestamp(by.now),
        "object_marking_refs": [TLP_IDS[by.tlp]],
    }  # fmt: skip
