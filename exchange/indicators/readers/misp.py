"""MISP: events, what a search of attributes returns, and feeds.

Read are ``{"Event": ...}``, ``{"response": [{"Event": ...}]}``, ``{"response": {"Attribute": [...]}}``, lists
of events, and events without a wrapper. A manifest is read by reading the events beside it.

Only what its producer means for detection is taken (``to_ids``), unless the operator wants every attribute.
Proposals and what was deleted are counted in the notes and left out: the one is not yet a fact, the other no
longer one; an attribute that was moved into an object is deleted where it was.

Source: MISP core format (draft-dulaunoy-misp-core-format); MISP feeds as PyMISP's ``feed-generator`` writes
them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from exchange.errors import InputError
from exchange.indicators.batch import Candidate
from exchange.indicators.context import as_count, as_text
from exchange.indicators.readers import json_stream
from exchange.indicators.readers.base import Format, Options
from exchange.indicators.readers.misp_context import Header, Saying, names_of_tags
from exchange.indicators.readers.misp_types import is_of_victim, parts
from exchange.indicators.readers.source import STANDARD_INPUT, Source
from exchange.indicators.types import Refused

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MANIFEST = re.compile(rf'\s*\{{\s*"{_UUID}"\s*:\s*\{{', re.IGNORECASE)
_HASHES = re.compile(rf"(?:[0-9a-f]{{32}},{_UUID}\r?\n){{1,9}}")
_JSON = re.compile(r"\s*[\[{]")
_EVENT = re.compile(r'"(?:Event|Attribute|response)"\s*:\s*[\[{]')
_ONLY_MISP = re.compile(r'"(?:to_ids|Orgc|orgc_id|threat_level_id|object_relation|attribute_count)"\s*:')

_HOLDER = r"(?:response|Event|item)(?:\.(?:response|Event|item))*"
_ENDS = re.compile(f"(?:{_HOLDER})?")
_PLACE = re.compile(
    rf"(?:{_HOLDER}\.)?(?P<name>Attribute|Object|ShadowAttribute|Tag|Galaxy|Orgc|info|date|distribution)(?:\.item)?"
)
_KEPT = ("type", "category", "value", "to_ids", "object_relation", "Sighting", "Event")
_OF_OBJECT = ("comment", "first_seen", "last_seen")
_IN_MEMORY = 8 << 20
_WIDEST_DISTRIBUTION = 4  # 5 is "as the event"
_TYPE = re.compile(r"[A-Za-z0-9|/ _-]{1,30}")
_YES = (True, 1, "1", "true", "True")


def is_manifest(sample: str) -> bool:
    """Whether a file that begins like this is the manifest of a MISP feed."""
    return _MANIFEST.match(sample) is not None


def event_files(manifest: Path) -> list[Path]:
    """The events of a feed that are beside its manifest, gzipped or not, in its order.

    Raises:
        InputError: the manifest cannot be read, or is no JSON.
    """
    with Source.open(manifest) as source:
        return [path for path in _named(source) if path is not None]


def _named(source: Source) -> Iterator[Path | None]:
    """The file of every event that a manifest names, ``None`` where there is none."""
    folder = source.path.parent
    for place, event, name in json_stream.events(source):
        # Only what is an identifier becomes part of a path.
        if place == "" and event == "map_key" and re.fullmatch(_UUID, name, re.IGNORECASE):
            paths = (folder / f"{name}{ending}" for ending in (".json", ".json.gz"))
            yield next((path for path in paths if path.is_file()), None)


def _candidates(source: Source, options: Options) -> Iterator[Candidate]:
    if is_manifest(source.sample):
        yield from _feed(source, options)
        return
    if _HASHES.match(source.sample):
        raise InputError(
            f"{source.name} holds unsalted MD5 digests of values, not indicators",
            hint="import the events of that MISP feed: its folder or its manifest.json",
        )
    # An event may say who made it, and how far it may travel, after its attributes. They wait on a shelf.
    with SpooledTemporaryFile(max_size=_IN_MEMORY, mode="w+", encoding="ascii") as shelf:
        event, ended, anything = _Event(shelf, source), Counter[str](), False
        for place, value in json_stream.picked(source, _is_wanted, without="data"):
            if value is not json_stream.END:
                event.take(_name(place), value)
                anything = True
            elif _ENDS.fullmatch(place):
                yield from event.candidates(_shown(place, ended), options)
                event = _Event(shelf, source)
                ended[place] += 1
        if not anything:
            raise InputError(f"{source.name}: there is no MISP event in it", hint="is it the right --format?")


def _feed(source: Source, options: Options) -> Iterator[Candidate]:
    if source.path == STANDARD_INPUT:
        raise InputError("standard input is the manifest of a MISP feed", hint="import the folder it is in")
    for path in _named(source):
        if path is None:
            source.notes["missing-events"] += 1
            continue
        with Source.open(path) as inner:
            if is_manifest(inner.sample):
                raise InputError(f"{path} is a manifest where an event was expected")
            yield from _candidates(inner, options)
            source.notes += inner.notes


class _Event:
    """An event that is being read: its header, and its attributes on the shelf."""

    def __init__(self, shelf: IO[str], source: Source) -> None:
        self._shelf, self._source = shelf, source
        self._header = Header()
        self._numbers = Counter[str]()
        self._shelf.seek(0)
        self._shelf.truncate()

    def take(self, name: str, value: Any) -> None:
        """Take one attribute, one object, or one field of the header."""
        number = self._numbers[name]
        self._numbers[name] += 1
        if name == "Attribute":
            self._put(f"Attribute[{number}]", value, {})
        elif name == "Object" and isinstance(value, dict):
            self._put_all(f"Object[{number}]", value)
        elif name == "ShadowAttribute":
            self._source.notes["proposals"] += 1
        else:
            self._header.note(name, value)

    def candidates(self, place: str, options: Options) -> Iterator[Candidate]:
        """The values of all attributes, now that everything is known that the event says about them."""
        saying = of_event = Saying(self._header, self._source)
        last = None
        self._shelf.seek(0)
        for line in self._shelf:
            where, own = json.loads(line)
            if isinstance(event := own.get("Event"), dict):  # beside every attribute that a search found
                if event != last:
                    last, saying = event, Saying(Header.of(event), self._source)
            else:
                saying = of_event
            yield from _values(f"{place}{where}", own, saying, options)

    def _put_all(self, where: str, holder: dict[str, Any]) -> None:
        attributes = holder.get("Attribute")
        if _is_deleted(holder):
            self._source.notes["deleted"] += len(attributes) if isinstance(attributes, list) else 0
        elif isinstance(attributes, list):
            for i, attribute in enumerate(attributes):
                self._put(f"{where}.Attribute[{i}]", attribute, holder)

    def _put(self, where: str, attribute: Any, holder: dict[str, Any]) -> None:
        if not isinstance(attribute, dict):
            attribute = {}
        if _is_deleted(attribute):
            self._source.notes["deleted"] += 1
            return
        if isinstance(proposals := attribute.get("ShadowAttribute"), list):
            self._source.notes["proposals"] += len(proposals)
        own = {key: attribute[key] for key in _KEPT if key in attribute}
        own |= {key: said for key in _OF_OBJECT if (said := attribute.get(key) or holder.get(key))}
        distribution = as_count(attribute.get("distribution"), most=_WIDEST_DISTRIBUTION)
        own["distribution"] = holder.get("distribution") if distribution is None else distribution
        own["names"] = names_of_tags(holder) + names_of_tags(attribute)
        own["holder"] = as_text(holder.get("name"))
        self._shelf.write(json.dumps((where, own)) + "\n")


def _values(where: str, own: Mapping[str, Any], saying: Saying, options: Options) -> Iterator[Candidate]:
    category, kind, relation = (as_text(own.get(name)) for name in ("category", "type", "object_relation"))
    place = f"{where} ({kind})" if _TYPE.fullmatch(kind) else where
    value = own.get("value")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not (kind and isinstance(value, str)):
        yield "", Refused("bad-object", place), None
    elif is_of_victim(category, kind, relation, own["holder"]):
        yield "", Refused("victim-field", place), None
    elif own.get("to_ids") not in _YES and not options.every_attribute:
        yield "", Refused("not-for-detection", place), None
    else:
        context = saying.about(own)
        for text, stated in parts(kind, value, relation):
            if isinstance(stated, Refused):
                yield "", Refused(stated.reason, place), None
            else:
                yield text, stated, context


def _is_deleted(what: Mapping[str, Any]) -> bool:
    return what.get("deleted") in _YES


@lru_cache(maxsize=256)
def _is_wanted(place: str) -> bool:
    return _PLACE.fullmatch(place) is not None


def _name(place: str) -> str:
    return place.removesuffix(".item").rpartition(".")[2]


def _shown(place: str, ended: Counter[str]) -> str:
    """The place of an event as people write it, such as ``response[3].Event.``, with its dot."""
    listed = re.match(r"(?:.*\.)?item\b", place)
    if listed:
        number = ended[listed[0]]
        place = f"{listed[0].removesuffix('item').removesuffix('.')}[{number}]{place[listed.end() :]}"
    return f"{place}." if place else ""


def _score(sample: str) -> float:
    """Certain of what only MISP has; half of what is empty or too long to tell."""
    if _HASHES.match(sample) or is_manifest(sample):
        return 1.0
    if not (_JSON.match(sample) and _EVENT.search(sample)):
        return 0.0
    return 1.0 if _ONLY_MISP.search(sample) else 0.5


FORMAT = Format("misp", _score, _candidates)
