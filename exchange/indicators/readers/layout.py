"""Where the values of a table are: told by the operator, by a header, or by the cells."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from exchange.errors import InputError
from exchange.indicators.canonical import canonicalise, recognise
from exchange.indicators.context import as_text, as_time
from exchange.indicators.readers.base import (
    ANY_TYPE,
    DESCRIBING,
    OTHER_TYPES,
    TYPE_COLUMN_NAMES,
    TYPE_NAMES,
    VALUE_NAMES,
    stated_type,
    type_name,
)
from exchange.indicators.readers.context_columns import is_context, is_victim
from exchange.indicators.tlp import Tlp
from exchange.indicators.types import IndicatorType, Refused

DELIMITERS = "\t,;|"

_SAMPLE_ROWS = 200
_KNOWN_TYPES = TYPE_NAMES.keys() | ANY_TYPE | OTHER_TYPES
_FEWEST_COLUMNS = 2
_MOST = 0.9
_SOME = 0.2
_IGNORED = ("", "-")

Row: TypeAlias = list[str]
Columns: TypeAlias = tuple[tuple[int, IndicatorType | None], ...]
Named: TypeAlias = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a table are.

    Attributes:
        delimiter: what separates columns.
        header: the first row holds names.
        columns: the columns of values, each with its type, ``None`` where nobody says.
        type_column: the column that says the type, if there is one.
        context: the columns that say something about the values of their row, with their names.
        victims: the columns that describe a victim or a customer, with their names.
        certainty: the share of sampled rows that have a value.
    """

    delimiter: str
    header: bool
    columns: Columns
    type_column: int | None = None
    context: Named = ()
    victims: Named = ()
    certainty: float = 0.0


def rows_of(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    """The rows of a table, without blank lines and lines of comment.

    Raises:
        csv.Error: while iterating, where a cell is endless.
    """
    data = (line for line in lines if line.strip() and not line.startswith("#"))
    if delimiter == "\t":  # where a quote is a character like any other
        return csv.reader(data, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(data, delimiter=delimiter, skipinitialspace=True)


def cell(row: Row, column: int) -> str:
    """A cell without the space and the quotes around it; ``""`` where the row is too short."""
    return row[column].strip().strip('"') if column < len(row) else ""


def find(sample: str) -> Layout | None:
    """The most convincing way to see a sample as a table of at least two columns."""
    found = (_seen_with(sample, delimiter) for delimiter in DELIMITERS)
    return max(filter(None, found), key=lambda layout: layout.certainty, default=None)


def stated(sample: str, names: Sequence[str]) -> Layout:
    """The layout that the operator states, column by column.

    Args:
        sample: of the file, for its delimiter, and whether its first row is a header.
        names: what each column is: the name of a type, ``value``, ``type``, something about the indicator
            such as ``tags`` or ``first_seen``, ``victim``, or ``-`` for a column that does not matter.

    Raises:
        InputError: a name means nothing, no column holds values, or the file has another number of columns.
    """
    short = [type_name(name) for name in names]
    columns = tuple(
        (i, TYPE_NAMES.get(name)) for i, name in enumerate(short) if name in TYPE_NAMES or name in VALUE_NAMES
    )
    layout = replace(_named_layout("", [*names]), columns=columns)
    known = {i for i, _ in columns + layout.context + layout.victims} | {layout.type_column}
    for i, name in enumerate(names):
        if i not in known and name not in _IGNORED:
            raise InputError(
                f"--columns: column {i + 1} has no meaning that is known",
                hint="a type such as ip or sha256; value, type, tlp, tags, first_seen, victim; or - for none",
            )
    if not columns:
        raise InputError(
            "--columns: no column holds values", hint="call it value, or by its type: ip, url, md5"
        )
    widths = {delimiter: _width(_sample_rows(sample, delimiter)) for delimiter in DELIMITERS}
    most = max(widths.values())
    fitting = next(
        (d for d, width in widths.items() if width == len(names) and (width > 1 or most == 1)), None
    )
    if fitting is None:
        raise InputError(
            f"--columns names {len(names)} columns, and the file has {most}",
            hint="one name for each column, separated by commas",
        )
    first = next(iter(_sample_rows(sample, fitting)), [])
    header = not any(recognised(cell(first, i), kind) for i, kind in layout.columns) and _names_columns(first)
    return replace(layout, delimiter=fitting, header=header)


def _seen_with(sample: str, delimiter: str) -> Layout | None:
    rows = _sample_rows(sample, delimiter)
    width = _width(rows)
    if width < _FEWEST_COLUMNS or not any(row[0].strip() for row in rows):  # or bars all around: Markdown
        return None
    names = _comment_header(sample, delimiter, width)
    header = names is None and _names_columns(rows[0])
    if header:
        names, rows = rows[0], rows[1:]
    layout = _named_layout(delimiter, names or [])
    if not layout.columns:
        layout = _by_content(rows, layout, width)
        if not layout.columns and not layout.victims:
            return None
    elif layout.type_column is not None and not _names_types(rows, layout.type_column):
        layout = replace(layout, type_column=None)
    if not names:
        layout = replace(layout, context=_told_by_content(rows, layout, width))
    filled = sum(_is_filled(row, layout, by_name=names is not None) for row in rows)
    return replace(layout, header=header, certainty=filled / max(len(rows), 1))


def _sample_rows(sample: str, delimiter: str) -> list[Row]:
    whole = sample if sample.endswith("\n") else sample.rpartition("\n")[0] or sample
    try:
        return list(islice(rows_of(whole.splitlines(keepends=True), delimiter), _SAMPLE_ROWS))
    except csv.Error:
        return []


def _width(rows: list[Row]) -> int:
    """The number of columns, if most rows have the same number; else 0."""
    width = max(map(len, rows), default=0)
    return width if sum(len(row) == width for row in rows) >= _MOST * len(rows) else 0


def _comment_header(sample: str, delimiter: str, width: int) -> Row | None:
    """The names in the last line of comment above the first row, where abuse.ch puts them."""
    last = ""
    for line in sample.splitlines():
        if line.strip() and not line.startswith("#"):
            break
        last = line if line.strip() else last
    try:
        names = next(csv.reader([last.strip("# ")], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return None
    return names if len(names) == width and _names_columns(names) else None


def _names_columns(row: Row) -> bool:
    """Whether a row is a header: no indicator in it, and values or victims named, or half of all columns."""
    if any(recognised(cell(row, i)) for i in range(len(row))):
        return False
    layout = _named_layout("", row)
    known = len(layout.context) + (layout.type_column is not None)
    return bool(layout.columns or layout.victims) or (known > 1 and 2 * known >= len(row))


def _named_layout(delimiter: str, names: Row) -> Layout:
    """What names say of columns. Columns of types are taken where no column is for values of any type."""
    short = [type_name(name) for name in names]
    victims = tuple((i, as_text(name, most=64)) for i, name in enumerate(names) if is_victim(name))
    free = [i for i in range(len(names)) if i not in dict(victims)]
    columns: Columns = tuple((i, None) for i in free if short[i] in VALUE_NAMES)[:1]
    if not columns:
        columns = tuple((i, TYPE_NAMES[short[i]]) for i in free if short[i] in TYPE_NAMES)
        columns = tuple(c for c in columns if c[1] not in DESCRIBING) or columns
    taken = dict(columns)
    types = (i for i in free if short[i] in TYPE_COLUMN_NAMES and i not in taken)
    context = tuple((i, short[i]) for i in free if i not in taken and is_context(names[i]))
    return Layout(
        delimiter,
        header=False,
        columns=columns,
        type_column=next(types, None),
        context=context,
        victims=victims,
    )


def _by_content(rows: list[Row], layout: Layout, width: int) -> Layout:
    """The column most of whose cells are indicators, of the type that a column of types states."""
    taken = dict(layout.context + layout.victims)
    free = [i for i in range(width) if i not in taken]
    type_column = next((i for i in free if _names_types(rows, i)), None)
    shares = {
        i: sum(_agrees(row, i, type_column) for row in rows) / max(len(rows), 1)
        for i in free
        if i != type_column
    }
    best = max(shares, key=shares.__getitem__, default=None)
    columns: Columns = ((best, None),) if best is not None and shares[best] >= _SOME else ()
    return replace(layout, columns=columns, type_column=type_column)


def _told_by_content(rows: list[Row], layout: Layout, width: int) -> Named:
    """Columns without names that are plain to see: one of times, one of hashtags, one of TLP markings."""
    found: dict[str, list[int]] = {}
    for i in set(range(width)) - {layout.type_column} - dict(layout.columns).keys():
        cells = Counter(text for row in rows if (text := cell(row, i)))
        if not cells:
            continue
        if all("-" in text and as_time(text) for text in cells):
            found.setdefault("date", []).append(i)
        elif all(text.startswith("#") for text in cells):
            found.setdefault("tags", []).append(i)
        elif all(_is_tlp(text) for text in cells):
            found.setdefault("tlp", []).append(i)
    return tuple((columns[0], name) for name, columns in found.items() if len(columns) == 1)


def _is_tlp(text: str) -> bool:
    try:
        Tlp.parse(text)
    except ValueError:
        return False
    return True


def _is_filled(row: Row, layout: Layout, *, by_name: bool) -> bool:
    if by_name:
        return any(cell(row, i) for i, _ in layout.columns or layout.victims)
    return any(_agrees(row, i, layout.type_column) > 0 for i, _ in layout.columns)


def _names_types(rows: list[Row], column: int) -> bool:
    return sum(type_name(cell(row, column)) in _KNOWN_TYPES for row in rows) >= _MOST * len(rows)


def _agrees(row: Row, column: int, type_column: int | None) -> float:
    """Whether a cell is an indicator, of the type that its row states, if any; by halves if it describes."""
    kind = None if type_column is None else stated_type(cell(row, type_column))
    if isinstance(kind, Refused):
        return 0.0
    text = cell(row, column)
    try:
        found = recognise(text) if kind is None else canonicalise(kind, text)
    except Refused:
        return 0.0
    return 0.5 if kind is None and found.type in DESCRIBING else 1.0


def recognised(text: str, kind: IndicatorType | None = None) -> bool:
    """Whether a text is an indicator, of a type if one is given."""
    try:
        if kind is None:
            recognise(text)
        else:
            canonicalise(kind, text)
    except Refused:
        return False
    return True
