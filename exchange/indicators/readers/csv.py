"""Tables: comma, tab, semicolon or bar between columns, with a header or without.

Which columns hold values is told by a header, or else by content: a column of names of types, and the column
whose cells agree with it; without one, the column most of whose cells are indicators. ThreatFox, TweetFeed,
IPsum, Maltrail (``family<TAB>trail``) and the tables of vendors are all of this kind.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from exchange.indicators.batch import Candidate
from exchange.indicators.canonical import canonicalise, recognise
from exchange.indicators.readers.base import (
    ANY_TYPE,
    OTHER_TYPES,
    TYPE_NAMES,
    Format,
    Options,
    stated_type,
    type_name,
)
from exchange.indicators.readers.source import Source
from exchange.indicators.types import IndicatorType, Refused

_DELIMITERS = "\t,;|"
_SAMPLE_ROWS = 200
_VALUE_HEADERS = frozenset({"value", "iocvalue", "indicatorvalue", "trail"}) | ANY_TYPE
_TYPE_HEADERS = frozenset({"type", "ioctype", "indicatortype", "observabletype", "kind"})
_KNOWN_TYPES = TYPE_NAMES.keys() | ANY_TYPE | OTHER_TYPES
_MANY_LINES = Refused("not-one-value")
_FEWEST_COLUMNS = 2
_MOST = 0.9
_SOME = 0.2

Row: TypeAlias = list[str]
Columns: TypeAlias = tuple[tuple[int, IndicatorType | None], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the values of a table are.

    Attributes:
        delimiter: what separates columns.
        header: the first row holds names.
        columns: the columns of values, each with its type, ``None`` where the header does not say.
        type_column: the column that says the type, if there is one.
        certainty: the share of sampled rows that have a value there.
    """

    delimiter: str
    header: bool
    columns: Columns
    type_column: int | None
    certainty: float


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    data = (line for line in lines if line.strip() and not line.startswith("#"))
    if delimiter == "\t":  # where a quote is a character like any other
        return csv.reader(data, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(data, delimiter=delimiter, skipinitialspace=True)


def _candidates(source: Source, _options: Options) -> Iterator[Candidate]:
    layout = _layout(source.sample)
    if layout is None:
        raise source.fail("no column of indicators found", hint="one value a line? then use --format text")
    rows = _rows(source.lines(), layout.delimiter)
    try:
        for row in islice(rows, int(layout.header), None):
            yield from _values(row, layout)
    except csv.Error as e:
        raise source.fail(f"not a table: {e}") from e


def _values(row: Row, layout: Layout) -> Iterator[Candidate]:
    stated = None if layout.type_column is None else stated_type(_cell(row, layout.type_column))
    for column, kind in layout.columns:
        if value := _cell(row, column):
            # A quote that nobody closed swallows the lines after it.
            yield value, _MANY_LINES if "\n" in value else kind or stated, None


def _cell(row: Row, column: int) -> str:
    return row[column].strip().strip('"') if column < len(row) else ""


def _score(sample: str) -> float:
    layout = _layout(sample)
    return layout.certainty if layout else 0.0


def _layout(sample: str) -> Layout | None:
    """The most convincing way to see the sample as a table of at least two columns."""
    whole = sample if sample.endswith("\n") else sample.rpartition("\n")[0] or sample
    found = (_layout_with(whole, delimiter) for delimiter in _DELIMITERS)
    return max(filter(None, found), key=lambda layout: layout.certainty, default=None)


def _layout_with(sample: str, delimiter: str) -> Layout | None:
    try:
        rows = list(islice(_rows(sample.splitlines(keepends=True), delimiter), _SAMPLE_ROWS))
    except csv.Error:
        return None
    width = max(map(len, rows), default=0)
    if width < _FEWEST_COLUMNS or sum(len(row) == width for row in rows) < _MOST * len(rows):
        return None
    return _named(rows, delimiter) or _by_content(rows, delimiter, width)


def _named(rows: list[Row], delimiter: str) -> Layout | None:
    """The layout that a header states, if the first row is one."""
    names = [type_name(cell) for cell in rows[0]]
    if any(_recognised(_cell(rows[0], i)) for i in range(len(names))):
        return None
    body = rows[1:]
    values = [i for i, n in enumerate(names) if n in _VALUE_HEADERS]
    if values:
        columns: Columns = ((values[0], None),)
        named = (
            i for i, n in enumerate(names) if n in _TYPE_HEADERS and i != values[0] and _names_types(body, i)
        )
        type_column = next(named, None)
    else:
        columns, type_column = tuple((i, TYPE_NAMES[n]) for i, n in enumerate(names) if n in TYPE_NAMES), None
    if not columns:
        return None
    filled = sum(any(_cell(row, i) for i, _ in columns) for row in body)
    return Layout(delimiter, True, columns, type_column, filled / max(len(body), 1))  # noqa: FBT003


def _by_content(rows: list[Row], delimiter: str, width: int) -> Layout | None:
    """The layout that the cells show. A header with names nobody knows is one more value that is refused."""
    type_column = next((i for i in range(width) if _names_types(rows, i)), None)
    shares = {
        i: sum(_agrees(row, i, type_column) for row in rows) / len(rows)
        for i in range(width)
        if i != type_column
    }
    best = max(shares, key=shares.__getitem__)
    if shares[best] < _SOME:
        return None
    return Layout(delimiter, False, ((best, None),), type_column, shares[best])  # noqa: FBT003


def _names_types(rows: list[Row], column: int) -> bool:
    return sum(type_name(_cell(row, column)) in _KNOWN_TYPES for row in rows) >= _MOST * len(rows)


def _agrees(row: Row, column: int, type_column: int | None) -> bool:
    """Whether a cell is an indicator, of the type its row states if it states one of the profile."""
    stated = None if type_column is None else stated_type(_cell(row, type_column))
    return not isinstance(stated, Refused) and _recognised(_cell(row, column), stated)


def _recognised(cell: str, stated: IndicatorType | None = None) -> bool:
    try:
        if stated is None:
            recognise(cell)
        else:
            canonicalise(stated, cell)
    except Refused:
        return False
    return True


FORMAT = Format("csv", _score, _candidates)
