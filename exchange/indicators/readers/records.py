"""JSON that is neither STIX nor MISP: lines or lists of flat objects, as feeds and their interfaces give out.

An object holds a value and its type (``ioc`` and ``ioc_type`` of ThreatFox, ``indicator`` and ``type`` of
OTX), or values under keys that name types (``sha256_hash``, ``ip_address``). Wrappers around a list are seen
through, and so is an object that holds a list of such objects, as the pulses of OTX do. A list of plain
strings holds values of the type that its key names. Keys are known by the names that columns of tables have,
and what they say about a value is taken likewise.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from exchange.errors import InputError
from exchange.indicators.batch import Candidate
from exchange.indicators.context import MAX_ENTRIES, Context
from exchange.indicators.readers import json_stream
from exchange.indicators.readers.base import (
    DESCRIBING,
    TYPE_COLUMN_NAMES,
    TYPE_NAMES,
    VALUE_NAMES,
    Format,
    Options,
    stated_type,
    type_name,
)
from exchange.indicators.readers.context_columns import context_of, fields_of, is_context, is_victim, told
from exchange.indicators.readers.source import Source
from exchange.indicators.types import IndicatorType, Refused

_NESTED = frozenset({"indicators", "iocs", "observables"})
_LISTS = VALUE_NAMES | _NESTED | {"", "values", "data"}
"""Names of lists whose strings are values of any type; one that is the whole document has none."""
_HOLDING = VALUE_NAMES | TYPE_NAMES.keys()
"""Names of keys that hold a value."""
_OF_ALL = frozenset(
    {"tlp", "tlpmarking", "tlplevel", "marking", "markings", "pap", "embargo", "notbefore", "tags"}
)
"""Names of keys beside a list that mark all that is in it. Others, such as ``count``, are about the list."""

_JSON = re.compile(r"\s*[\[{]")
_STRINGS = re.compile(r'\s*\[\s*"')
_KEY = re.compile(r'"((?:[^"\\]|\\.){1,64})"\s*:')
_WARNING_LIST = re.compile(r'\s*\{(?:\s*"[a-z_]+"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[0-9]+)\s*,)*\s*"list"\s*:\s*\[')
_PLAIN_KEY = re.compile(r"[A-Za-z_ -]{1,40}")
_LIKELY = 0.95  # STIX and MISP know their own better
_TEXT = (str, int)
_SHORT = 64  # no name of a key that is known is longer

Record = tuple[str, str, Any]
"""Where it is, the name of the list it is in, and what it is."""


def _candidates(source: Source, _options: Options) -> Iterator[Candidate]:
    anything = False
    lines = _is_lines(source.sample)
    about = {} if lines else _about_all(source)
    of_all = context_of(about, source.notes)
    for place, name, value in _lines(source) if lines else _items(source):
        if isinstance(value, dict):
            anything = True
            yield from _of_record(value, about, place, source)
        elif name in _LISTS or name in TYPE_NAMES:
            anything = True
            yield _candidate(value, TYPE_NAMES.get(name), place, of_all)
    if not anything:
        raise InputError(
            f"{source.name}: no JSON objects with a value and its type in it",
            hint="is it the right --format?",
        )


def _lines(source: Source) -> Iterator[Record]:
    for line in source.lines():
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):  # which carries the line
            raise source.fail("not JSON", hint="JSON lines have one whole object on each line") from None
        yield f"line {source.line + 1}", "", value


def _items(source: Source) -> Iterator[Record]:
    if _WARNING_LIST.match(source.sample):
        raise InputError(
            f"{source.name} is a warning list: what is on it is harmless",
            hint="load it with: cosight warninglists add FILE",
        )
    number = 0
    for place, value in json_stream.picked(source, _is_item):
        if value is not json_stream.END:
            number += 1
            yield f"record {number}", _list_name(place), value


def _about_all(source: Source) -> dict[str, Any]:
    """What stands beside a list and holds for all that is in it, be it after it: how far that may travel."""
    about: dict[str, Any] = {}
    if source.sample.lstrip().startswith("{"):
        for place, value in json_stream.picked(source, _is_about_all):
            name = place.removesuffix(".item").rpartition(".")[2]
            if isinstance(value, str) and len(texts := about.setdefault(name, [])) < MAX_ENTRIES:
                texts.append(value)
    return about


@lru_cache(maxsize=1024)
def _is_about_all(place: str) -> bool:
    names = place.removesuffix(".item").split(".")
    return type_name(names[-1]) in _OF_ALL and "item" not in names


@lru_cache(maxsize=1024)
def _is_item(place: str) -> bool:
    return place == "item" or place.endswith(".item")


@lru_cache(maxsize=1024)
def _list_name(place: str) -> str:
    return next((type_name(name) for name in reversed(place.split(".")) if name != "item"), "")


def _is_lines(sample: str) -> bool:
    """Whether each line is an object of its own; a single line is if it holds values and wraps nothing."""
    first, _, rest = sample.lstrip().partition("\n")
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        return False
    if not isinstance(record, dict):
        return False
    if rest.strip():
        return rest.lstrip().startswith("{")
    return not (any(map(_is_nesting, record.values())) or _HOLDING.isdisjoint(map(type_name, record)))


def _is_nesting(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict) for v in value))


def _of_record(
    record: dict[str, Any], about: Mapping[str, Any], place: str, source: Source, *, is_inner: bool = False
) -> Iterator[Candidate]:
    """The values of an object.

    Args:
        record: the object.
        about: what is said around it, of all that is in there.
        place: where it is.
        source: counts what is noted.
        is_inner: it is in a list of another one. What is deeper is no list of indicators any more.
    """
    filled = {key: value for key, value in record.items() if value not in (None, "", [], {})}
    victims = [key for key in filled if _role(key).of_victim]
    for key in victims:
        yield "", Refused("victim-field", f"{place}, {key}" if _PLAIN_KEY.fullmatch(key) else place), None
        del filled[key]
    nested = [key for key in filled if _role(key).name in _NESTED and _is_nesting(filled[key])]
    lists = [filled.pop(key) for key in nested if not is_inner and isinstance(filled[key], list)]
    # A name with a dot is the same name, and another key: of two markings both are heard.
    said = {f"{key}.": value for key, value in about.items()}
    said |= {key: value for key, value in filled.items() if _role(key).in_context}
    for inner in chain.from_iterable(lists):
        if isinstance(inner, dict):
            yield from _of_record(inner, said, place, source, is_inner=True)
    values = list(_values(filled))
    if values:
        context = _shared(told(_fields(tuple(said)), said, source.notes))
        for value, kind in values:
            yield _candidate(value, kind, place, context)
    elif not (lists or victims):
        yield "", Refused("empty", place), None


def _values(record: Mapping[str, Any]) -> Iterator[tuple[Any, IndicatorType | Refused | None]]:
    """The values of an object, with their types: from the key for any value, or keys that name types."""
    named = {_role(key).name: value for key, value in record.items()}
    if found := next((name for name in named if name in VALUE_NAMES and _is_value(named[name])), None):
        stated = next((named[name] for name in named if name in TYPE_COLUMN_NAMES and name != found), "")
        kind = stated_type(stated) if isinstance(stated, str) else Refused("unsupported-type")
        typed: list[tuple[Any, IndicatorType | Refused | None]] = [(named[found], kind)]
    else:
        kinds = [(value, TYPE_NAMES[name]) for name, value in named.items() if name in TYPE_NAMES]
        typed = [(v, k) for v, k in kinds if k not in DESCRIBING] or list(kinds)
    for value, kind in typed:
        for one in value if isinstance(value, list) else [value]:
            yield one, kind


class _Role(NamedTuple):
    """What a key says by its name alone."""

    name: str
    of_victim: bool
    in_context: bool


def _role(key: str) -> _Role:
    return _role_of_short(key) if len(key) <= _SHORT else _Role("", is_victim(key), in_context=False)


@lru_cache(maxsize=4096)
def _role_of_short(key: str) -> _Role:
    return _Role(type_name(key), is_victim(key), is_context(key))  # a file has few, and every object has them


_fields = lru_cache(maxsize=1024)(fields_of)


def _candidate(
    value: object, kind: IndicatorType | Refused | None, place: str, context: Context | None
) -> Candidate:
    if isinstance(kind, Refused):
        return "", Refused(kind.reason, place), None
    if isinstance(value, bool) or not isinstance(value, _TEXT):
        return "", Refused("not-one-value", place), None
    return str(value), kind, context


def _is_value(value: object) -> bool:
    return isinstance(value, str | int | list) and not isinstance(value, bool)


@lru_cache(maxsize=1024)
def _shared(context: Context | None) -> Context | None:
    """The same object for equal contexts: most of a feed says the same few things."""
    return context


def _score(sample: str) -> float:
    """Certain of lists of strings, nearly so where a key is known that holds values. 0 for other JSON."""
    if _STRINGS.match(sample) or _WARNING_LIST.match(sample):
        return 1.0
    if not _JSON.match(sample):
        return 0.0
    keys = {type_name(key) for key in _KEY.findall(sample)}
    return _LIKELY if keys & (_HOLDING | _NESTED) else 0.0


FORMAT = Format("records", _score, _candidates)
