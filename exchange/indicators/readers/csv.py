"""Tables: comma, tab, semicolon or bar between columns, with a header or without.

Which columns hold values is told by the operator, by a header (its first row, or the last line of comment
above it), or else by content: a column of names of types, and the column whose cells agree with it; without
one, the column most of whose cells are indicators. ThreatFox, URLhaus, MalwareBazaar, TweetFeed, IPsum,
Maltrail (``family<TAB>trail``) and the tables of vendors are all of this kind.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

from exchange.indicators.batch import Candidate
from exchange.indicators.context import Context
from exchange.indicators.readers.base import Format, Options, stated_type
from exchange.indicators.readers.context_columns import UNKNOWN_MARKING, fields_of, marked, told
from exchange.indicators.readers.layout import Layout, Row, cell, find, recognised, rows_of, stated
from exchange.indicators.readers.source import Source
from exchange.indicators.readers.stix_values import kind_of
from exchange.indicators.readers.text import comments
from exchange.indicators.stix_patterns import alternatives
from exchange.indicators.types import Refused

_ABSENT = frozenset({"", "-", "n/a", "N/A", "None", "none", "null", "NULL", "nan", "NaN"})
_MANY_LINES = Refused("not-one-value")
_BREAKS = frozenset("\t\r\n")
_SEPARATORS = re.compile(r"[;,|\s]+")
_MAY_BE_SEVERAL = re.compile(r"[;,|\s]|^\[.*=", re.DOTALL)
_REMEMBERED = 1024
_MOST_SAID = 1024

Said: TypeAlias = Callable[[Row], Context | None]


def _candidates(source: Source, options: Options) -> Iterator[Candidate]:
    layout = stated(source.sample, options.columns) if options.columns else find(source.sample)
    if layout is None:
        raise source.fail("no column of indicators found", hint="one value a line? then use --format text")
    rows = islice(rows_of(source.lines(), layout.delimiter), int(layout.header), None)
    said = _said(layout, marked(comments(source.sample)), source.notes)
    victims = [(i, Refused("victim-field", f"column {name}")) for i, name in layout.victims]
    try:
        for row in rows:
            yield from _values(row, layout, said(row))
            for column, refused in victims:
                if cell(row, column) not in _ABSENT:
                    yield "", refused, None
    except csv.Error as e:
        raise source.fail(f"not a table: {e}") from e


def _values(row: Row, layout: Layout, context: Context | None) -> Iterator[Candidate]:
    of_row = None if layout.type_column is None else stated_type(cell(row, layout.type_column))
    for column, kind in layout.columns:
        value = cell(row, column)
        if value in _ABSENT:
            continue
        if not _MAY_BE_SEVERAL.search(value):
            yield value, kind or of_row, context
        elif value.startswith("[") and "=" in value:
            yield from _of_pattern(value, context)
        elif parts := _parts(value):
            yield from ((part, kind or of_row, context) for part in parts)
        else:
            # A quote that nobody closed swallows the lines after it; the profile would join them.
            yield value, kind or of_row if _BREAKS.isdisjoint(value) else _MANY_LINES, context


def _parts(value: str) -> list[str]:
    """The values of a cell that holds several and nothing else. A URL may have all these characters in it."""
    parts = [] if "://" in value else [part for part in _SEPARATORS.split(value) if part]
    return parts if len(parts) > 1 and all(map(recognised, parts)) else []


def _of_pattern(text: str, context: Context | None) -> Iterator[Candidate]:
    """What a cell with a STIX pattern says: Sekoia and others export them so."""
    try:
        for found in alternatives(text):
            if isinstance(found, str):
                yield "", Refused(found), None
            else:
                yield found.value, kind_of(found), context
    except Refused as e:
        yield "", e, None


def _said(layout: Layout, whole: Context | None, notes: Counter[str]) -> Said:
    """A function from a row to what it says, under what the file says of itself.

    Rows that say the same share one object.
    """
    if not layout.context:
        return lambda _row: whole
    columns = [i for i, _ in layout.context]
    names = [name for _, name in layout.context]
    of_file = {name: str(marking) for name in ("tlp", "pap") if (marking := getattr(whole, name, None))}
    fields = fields_of({*names, *of_file})

    @lru_cache(maxsize=_REMEMBERED)
    def read(*cells: str) -> tuple[Context | None, int]:
        unknown: Counter[str] = Counter()
        row = of_file | {name: text for name, text in zip(names, cells, strict=True) if text}
        return told(fields, row, unknown), unknown[UNKNOWN_MARKING]

    def said(row: Row) -> Context | None:
        context, unknown = read(*(cell(row, i)[:_MOST_SAID] for i in columns))
        if unknown:
            notes[UNKNOWN_MARKING] += unknown
        return context

    return said


def _score(sample: str) -> float:
    layout = find(sample)
    return layout.certainty if layout else 0.0


FORMAT = Format("csv", _score, _candidates)
