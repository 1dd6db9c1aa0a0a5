"""STIX 2.0 and 2.1: bundles, arrays, single objects, TAXII envelopes, and any of them one a line.

Indicators give the values that each alone make their patterns true; observables give theirs. Objects that
describe whom an attack has hit give nothing. A file is read twice, first for what objects say of each other.

Source: STIX 2.1 sections 4.7, 4.14, 4.18, 6 and 8; STIX 2.0 parts 2 and 4.
"""

import json
import re
from collections.abc import Iterable, Iterator

from exchange.indicators.batch import Candidate
from exchange.indicators.canonical import recognise
from exchange.indicators.context import Context
from exchange.indicators.readers import json_stream
from exchange.indicators.readers.base import Format, Options
from exchange.indicators.readers.source import MAX_LINE_CHARS, Source
from exchange.indicators.readers.stix_knowledge import Knowledge, Thing
from exchange.indicators.readers.stix_markings import strings
from exchange.indicators.readers.stix_values import (
    COMPOSED,
    ID,
    OBSERVABLES,
    RECIPIENTS,
    atoms_of,
    is_of_victims,
    kind_of,
    property_name,
)
from exchange.indicators.stix_patterns import Atom, alternatives
from exchange.indicators.types import IndicatorType, Refused

_TYPE = re.compile(r"[a-z0-9-]{1,64}")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}", re.IGNORECASE)
_SAYS_ID = re.compile(r'"id"\s*:\s*"([a-z0-9-]+)--[^"]{1,64}"')
_SAYS_TYPE = re.compile(r'"type"\s*:\s*"([a-z0-9-]+)"')
_OBJECTS = re.compile(r'"objects"\s*:\s*\[')
_CERTAIN = 0.97


def candidates_of(objects: Iterable[object], knowledge: Knowledge) -> Iterator[Candidate]:
    """The values of STIX objects, wherever they come from.

    Notes in ``knowledge`` how many patterns it met (``stix-patterns``), how many of them are wholly made of
    single values (``stix-atoms``), and how many observables (``stix-observables``).

    Args:
        objects: as JSON gives them; anything else is refused, one by one.
        knowledge: of these objects and those before: ``learn`` them first.
    """
    for thing in objects:
        kind = thing.get("type") if isinstance(thing, dict) else None
        if not isinstance(thing, dict) or not isinstance(kind, str):
            yield "", Refused("bad-object"), None
            continue
        for name, value in thing.items():
            if is_of_victims(name) and not name.endswith(("_ref", "_refs")) and not _are_ids(value):
                yield "", Refused("victim-field", f"{_place(thing)}: {property_name(name)}"), None
        if kind == "indicator":
            yield from _of_indicator(thing, knowledge)
        elif kind == "observed-data":
            yield from _of_observed_data(thing, knowledge)
        elif kind == "vulnerability":
            yield from _of_vulnerability(thing, knowledge)
        elif kind == "bundle":  # where an object should be
            yield "", Refused("bad-object", _place(thing)), None
        elif kind in OBSERVABLES:
            yield from _of_observable(thing, thing, knowledge, victim=knowledge.is_victim(thing))


def _of_indicator(thing: Thing, knowledge: Knowledge) -> Iterator[Candidate]:
    place = _place(thing)
    pattern, language = thing.get("pattern"), thing.get("pattern_type", "stix")
    if not isinstance(language, str) or language.lower() != "stix":
        yield "", Refused("pattern-language", place), None
        return
    knowledge.note("stix-patterns")
    try:
        found = alternatives(pattern) if isinstance(pattern, str) else ["bad-pattern"]
    except Refused as e:
        found = [e.reason]
    context = knowledge.context(thing)
    for one in found:
        yield (
            ("", Refused(one, place), None)
            if isinstance(one, str)
            else _candidate(one, thing, place, context)
        )
    if not any(isinstance(one, str) for one in found):
        knowledge.note("stix-atoms")


def _of_observed_data(thing: Thing, knowledge: Knowledge) -> Iterator[Candidate]:
    """STIX 2.0 keeps observables inside; in 2.1 they stand beside it, as objects of their own."""
    objects = thing.get("objects")
    if not isinstance(objects, dict):
        return
    things = {key: value for key, value in objects.items() if isinstance(value, dict)}
    recipients = {
        key
        for one in things.values()
        if one.get("type") == "email-message"
        for name in RECIPIENTS
        for key in strings(one.get(name))
    }
    victim = knowledge.is_victim(thing)
    for key, one in objects.items():
        if key in things and isinstance(one.get("type"), str):
            yield from _of_observable(one, thing, knowledge, victim=victim or key in recipients)
        else:
            yield "", Refused("bad-object", f"{_place(thing)}: an entry of objects"), None


def _of_observable(thing: Thing, holder: Thing, knowledge: Knowledge, *, victim: bool) -> Iterator[Candidate]:
    knowledge.note("stix-observables")
    place = _place(holder) if holder is thing else f"{_place(holder)}: {_place(thing)}"
    if victim:
        yield "", Refused("victim-field", place), None
        return
    atoms = list(atoms_of(thing))
    if not atoms and thing["type"] not in COMPOSED:
        yield "", Refused("unsupported-type", place), None
        return
    context = knowledge.context(holder) if atoms else None
    for atom in atoms:
        yield _candidate(atom, holder, place, context)


def _of_vulnerability(thing: Thing, knowledge: Knowledge) -> Iterator[Candidate]:
    references = thing.get("external_references")
    ids = (
        [r.get("external_id") for r in references if isinstance(r, dict)]
        if isinstance(references, list)
        else []
    )
    found = {text.upper() for text in strings([*ids, thing.get("name")]) if _CVE.fullmatch(text)}
    for text in sorted(found):
        atom = Atom(("vulnerability", "name"), text)
        yield _candidate(atom, thing, _place(thing), knowledge.context(thing))


def _candidate(atom: Atom, thing: Thing, place: str, context: Context | None) -> Candidate:
    kind = kind_of(atom)
    if isinstance(kind, Refused):
        return "", Refused(kind.reason, f"{place}, {kind.place}" if kind.place else place), None
    if thing.get("revoked") is True:
        return atom.value, Refused("revoked", place, kind=kind or _recognised(atom.value)), None
    return atom.value, kind, context


def _recognised(text: str) -> IndicatorType | None:
    try:
        return recognise(text).type
    except Refused:
        return None


def _are_ids(value: object) -> bool:
    return isinstance(value, str | list) and all(map(ID.fullmatch, strings(value)))


def _place(thing: Thing) -> str:
    """The id of an object; its type, where the id is none: it could be anything, even a value."""
    for name, form in (("id", ID), ("type", _TYPE)):
        text = thing.get(name)
        if isinstance(text, str) and form.fullmatch(text):
            return text
    return "an object"


def _candidates(source: Source, _options: Options) -> Iterator[Candidate]:
    # The reader takes the notes away with every batch: they are to be looked up each time.
    def note(event: str) -> None:
        source.notes[event] += 1

    knowledge = Knowledge(note)
    for thing in _objects(source):
        knowledge.learn(thing)
    yield from candidates_of(_objects(source), knowledge)


def _objects(source: Source) -> Iterator[object]:
    if _is_one_a_line(source):
        for line in source.lines():
            if line.strip():
                yield from _flat(_parsed(line, source))
        return
    if source.sample.lstrip().startswith("["):
        for thing in json_stream.items(source, "item"):
            yield from _flat(thing) if isinstance(thing, dict) else [thing]
    elif _OBJECTS.search(source.sample):
        yield from json_stream.items(source, "objects.item")
    else:
        for thing in json_stream.items(source, ""):
            yield from _flat(thing)


def _flat(thing: object) -> Iterator[object]:
    """An object, or those of a bundle, an envelope or an array that is small enough to be in memory."""
    if isinstance(thing, list):
        yield from thing
    elif isinstance(thing, dict) and thing.get("type", "bundle" if "objects" in thing else "") == "bundle":
        objects = thing.get("objects", [])
        yield from objects if isinstance(objects, list) else [objects]
    else:
        yield thing


def _is_one_a_line(source: Source) -> bool:
    """Whether the first line is a whole value, and another one follows."""
    stream = source.binary()
    first = stream.readline(MAX_LINE_CHARS)
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return any(line.strip() for line in iter(lambda: stream.readline(MAX_LINE_CHARS), b""))


def _parsed(line: str, source: Source) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as e:
        raise source.fail(f"column {e.colno}: not JSON: {e.msg}", hint="fetch the file again") from None
    except (ValueError, RecursionError):
        raise source.fail("JSON that is too deep, or a number that is too long") from None


def _score(sample: str) -> float:
    """Sure where an id has the type of its object in it, as only STIX writes it."""
    if not sample.lstrip().startswith(("{", "[")):
        return 0.0
    types = set(_SAYS_TYPE.findall(sample))
    ids = set(_SAYS_ID.findall(sample))
    return _CERTAIN if ids & types or "bundle" in ids else 0.0


FORMAT = Format("stix", _score, _candidates)
