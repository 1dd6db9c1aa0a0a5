"""A STIX 2.1 bundle: for each shared item an indicator and a sighting, and what they refer to.

What the peer says of an item is a note on it. There are no observables: their identifiers would be hashes of
the values (see ``ids``). A CVE is a ``vulnerability`` in place of an indicator.

Source: OASIS STIX 2.1; oasis-open/cti-stix-common-objects, extension-definition "TLP 2.0", for the markings.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from exchange.export.ids import Ids
from exchange.export.patterns import pattern
from exchange.export.selection import ABOUT_PEERS, Export, PeerSays, Shared, closed, stricter
from exchange.export.words import lines
from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap

Object = dict[str, Any]

_TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
TLP_IDS = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
}
"""The identifiers that OASIS gave the markings; RED is left out because it is never written."""

_INDICATOR_TYPES = frozenset(
    {
        "anomalous-activity",
        "anonymization",
        "attribution",
        "benign",
        "compromised",
        "malicious-activity",
        "unknown",
    }
)
TIMELESS = "2026-01-01T00:00:00.000Z"
"""When members, families and techniques were "created": they are names, and the same in every export."""
MAX_COUNT = 999_999_999
_MILLISECOND = timedelta(milliseconds=1)


def bundle(export: Export, ids: Ids) -> Object:
    """The bundle of an export."""
    made = _Bundle(export, ids)
    for item in export.items:
        made.add(item)
    return {"type": "bundle", "id": ids.stix("bundle", export.session), "objects": [*made.objects()]}


class _Bundle:
    """Collects the objects of a bundle; what several refer to is there once."""

    def __init__(self, export: Export, ids: Ids) -> None:
        self._export, self._ids = export, ids
        self._now = timestamp(export.now)
        self._named: dict[tuple[str, str], tuple[Object, Tlp]] = {}
        self._paps: dict[str, Object] = {}
        self._items: list[Object] = []
        self._used: set[Tlp] = set()
        self._us = self._member(export.member, export.floor)
        self._peer = None if export.about_peer is None else self._member(export.peer, export.about_peer)

    def objects(self) -> Iterator[Object]:
        """Everything, what is referred to before what refers to it."""
        named = [{**o, "object_marking_refs": self._marking(tlp)} for o, tlp in self._named.values()]
        for tlp in sorted(self._used, key=closed):
            yield marking_definition(tlp)
        yield from self._paps.values()
        yield from named
        yield from self._items

    def add(self, item: Shared) -> None:
        """Put in a shared item: itself, that both hold it, what the peer says, and what it indicates."""
        key = (str(item.indicator.type), item.indicator.value)
        cve = item.indicator.type is IndicatorType.CVE
        marks = self._marking(item.tlp) + self._pap(item.context.pap)
        about = self._vulnerability(item, key) if cve else self._indicator(item, key)
        about |= {"object_marking_refs": marks}
        self._items.append(about)
        if self._peer is not None:
            self._items.append(self._sighting(item, key, about["id"]))
        if item.peer_says is not None:
            self._items.append(self._note(item, item.peer_says, key, about["id"]))
        if not cve:
            for target in (*self._families(item), *self._techniques(item)):
                names = self._head("relationship", item, *key, target)
                self._items.append(
                    names
                    | {"relationship_type": "indicates", "source_ref": about["id"], "target_ref": target}
                    | {"object_marking_refs": marks}
                )

    def _head(self, kind: str, item: Shared, *parts: str) -> Object:
        created = min(item.since or self._export.now, self._export.now)
        return {
            "type": kind, "spec_version": "2.1", "id": self._ids.stix(kind, *parts),
            "created_by_ref": self._us, "created": timestamp(created), "modified": self._now,
        }  # fmt: skip

    def _indicator(self, item: Shared, key: tuple[str, str]) -> Object:
        told = item.context
        start = min(told.first_seen or item.since or self._export.now, self._export.now)
        if told.valid_until is not None:
            # An end before the start is no STIX, and to leave out the end would prolong what has expired.
            start = min(start, told.valid_until - _MILLISECOND)
        chains = [phase.partition(":") for phase in told.phases]
        phases = [{"kill_chain_name": c, "phase_name": p} for c, _, p in chains if c and p]
        odd = [phase for phase, (c, _, p) in zip(told.phases, chains, strict=True) if not (c and p)]
        return (
            self._head("indicator", item, *key)
            | {
                "name": item.indicator.value,
                "description": told.comment or f"An indicator of the type {item.indicator.type}.",
                "pattern": pattern(item.indicator), "pattern_type": "stix", "valid_from": timestamp(start),
            }
            | stated("indicator_types", sorted(_INDICATOR_TYPES.intersection(told.tags)))
            | stated("labels", [tag for tag in told.tags if tag not in _INDICATOR_TYPES] + odd)
            | stated("kill_chain_phases", phases)
            | stated("valid_until", told.valid_until and timestamp(told.valid_until))
            | stated("confidence", told.confidence)
        )  # fmt: skip

    def _vulnerability(self, item: Shared, key: tuple[str, str]) -> Object:
        told = item.context
        return (
            self._head("vulnerability", item, *key)
            | {
                "name": item.indicator.value,
                "description": told.comment or "A vulnerability that is in use.",
                "external_references": [{"source_name": "cve", "external_id": item.indicator.value}],
            }
            | stated("confidence", told.confidence)
            | stated("labels", sorted({*told.tags, *told.malware, *told.techniques, *told.phases}))
        )

    def _sighting(self, item: Shared, key: tuple[str, str], of: str) -> Object:
        told, tlp = item.context, stricter(item.tlp, ABOUT_PEERS)
        seen = sorted(t for t in (told.first_seen, told.last_seen) if t is not None)
        count = None if told.sightings is None else min(told.sightings, MAX_COUNT)
        return (
            self._head("sighting", item, self._export.peer, *key)
            | {
                "description": "Both members hold it, by a private match. Times and count are those of "
                f"{self._export.member}.",
                "sighting_of_ref": of, "where_sighted_refs": [self._us, self._peer], "summary": True,
            }
            | stated("first_seen", timestamp(seen[0]) if told.first_seen else None)
            | stated("last_seen", timestamp(seen[-1]) if told.last_seen else None)
            | stated("count", count)
            | stated("labels", ["own-observation"] if item.own else None)
            | {"object_marking_refs": self._marking(tlp) + self._pap(told.pap)}
        )  # fmt: skip

    def _note(self, item: Shared, says: PeerSays, key: tuple[str, str], of: str) -> Object:
        """What the peer says, in words: as properties of the indicator it would pass for what we say."""
        peer, told = self._export.peer, says.context
        return (
            self._head("note", item, peer, *key)
            | {
                "abstract": f"What {peer} says", "content": "\n".join(lines(told)),
                "authors": [peer], "object_refs": [of],
            }
            | stated("confidence", told.confidence)
            | {"object_marking_refs": self._marking(says.tlp) + self._pap(told.pap)}
        )  # fmt: skip

    def _families(self, item: Shared) -> Iterator[str]:
        for name in item.context.malware:
            yield self._name("malware", name, item.tlp, {"is_family": True})

    def _techniques(self, item: Shared) -> Iterator[str]:
        for name in item.context.techniques:
            reference = {"source_name": "mitre-attack", "external_id": name}
            yield self._name("attack-pattern", name, item.tlp, {"external_references": [reference]})

    def _member(self, name: str, tlp: Tlp) -> str:
        return self._name("identity", name, tlp, {"identity_class": "organization"})

    def _name(self, kind: str, name: str, tlp: Tlp, more: Object) -> str:
        """The identifier of something that is its name, and as open as the most open thing that names it."""
        thing, before = self._named.get((kind, name), ({}, tlp))
        if not thing:
            by = {} if kind == "identity" else {"created_by_ref": self._us}
            times = {"created": TIMELESS, "modified": TIMELESS, "name": name}
            thing = (
                {"type": kind, "spec_version": "2.1", "id": self._ids.stix(kind, name)} | by | times | more
            )
        self._named[kind, name] = thing, min(tlp, before, key=closed)
        return str(thing["id"])

    def _marking(self, tlp: Tlp) -> list[str]:
        self._used.add(tlp)
        return [TLP_IDS[tlp]]

    def _pap(self, pap: Pap | None) -> list[str]:
        """STIX knows no PAP, but any statement may be a marking."""
        if pap is None:
            return []
        statement = f"PAP:{pap}"
        id_ = self._ids.stix("marking-definition", statement)
        self._paps[statement] = {
            "type": "marking-definition", "spec_version": "2.1", "id": id_, "created": TIMELESS,
            "definition_type": "statement", "definition": {"statement": statement},
        }  # fmt: skip
        return [id_]


def marking_definition(tlp: Tlp) -> Object:
    """The marking as OASIS defines it; there is none for RED."""
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": TLP_IDS[tlp], "created": _TLP_CREATED,
        "name": f"TLP:{tlp}",
        "extensions": {_TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp.lower()}},
    }  # fmt: skip


def stated(name: str, value: Any) -> Object:
    """A property, unless there is nothing to say: STIX knows neither ``null`` nor empty lists."""
    return {} if value is None or value == [] else {name: value}


def timestamp(moment: datetime) -> str:
    """A timestamp of STIX, in milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
