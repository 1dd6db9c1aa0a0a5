"""Plots as a few shapes on a plane: drawn as SVG in the page and as vectors in the PDF, from one description.

Colours are names of roles, so that each output has its own light or dark shade of them. They are told apart
without seeing colour: by labels at the shapes, by order, and by lightness (Okabe and Ito's blue and orange).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

WIDTH = 720.0
"""Of every plot, in units of its own."""
TEXT, SMALL = 13.0, 11.5
_LABELS = 190.0
_ROW, _BAR = 30.0, 16.0
_LEAST = 3.0
"""A bar of something is never thinner than this: one item of a million is still to be seen."""
_GAP = 6.0
_WIDE = frozenset("mwMW@%")
_NARROW = frozenset("iljtfI.,:;|!'()[] ")


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    role: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    role: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A text; ``anchor`` says which part of it is at ``x``: ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    text: str
    role: str = "ink"
    size: float = TEXT
    anchor: str = "start"


Shape = Box | Line | Label


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture that says in words what it shows.

    Attributes:
        title: what it is.
        description: what can be seen in it, for who does not see it.
        height: in units; the width is ``WIDTH``.
        shapes: from back to front.
    """

    title: str
    description: str
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of bars: what it is of, and its parts by role."""

    label: str
    parts: tuple[tuple[str, int], ...]
    text: str


def bars(title: str, description: str, rows: Sequence[Bar], legend: Sequence[tuple[str, str]]) -> Plot:
    """Return stacked bars on one scale, each with its numbers beside it."""
    most = max((sum(n for _, n in row.parts) for row in rows), default=0) or 1
    return _stacked(title, description, rows, legend, [most] * len(rows))


def shares(title: str, description: str, rows: Sequence[Bar], legend: Sequence[tuple[str, str]]) -> Plot:
    """Return stacked bars of one length, each a whole divided into its parts."""
    return _stacked(title, description, rows, legend, [sum(n for _, n in row.parts) or 1 for row in rows])


def _stacked(
    title: str,
    description: str,
    rows: Sequence[Bar],
    legend: Sequence[tuple[str, str]],
    scales: Sequence[int],
) -> Plot:
    shapes: list[Shape] = _legend(legend)
    beside = max((text_width(row.text, SMALL) for row in rows), default=0)
    full = WIDTH - _LABELS - beside - 2 * _GAP
    for i, (row, scale) in enumerate(zip(rows, scales, strict=True)):
        top = _ROW * (i + 1)
        shapes.append(_row_label(row.label, top))
        at = _LABELS
        shapes.append(Box(at, top, full, _BAR, "track"))
        for role, n in row.parts:
            if n:
                width = min(max(full * n / scale, _LEAST), _LABELS + full - at)
                shapes.append(Box(at, top, width, _BAR, role))
                at += width
        shapes.append(Label(_LABELS + full + _GAP, top + _BAR - 4, row.text, "ink", SMALL))
    return Plot(title, description, _ROW * (len(rows) + 1), tuple(shapes))


def _legend(legend: Sequence[tuple[str, str]]) -> list[Shape]:
    shapes: list[Shape] = []
    at = _LABELS
    for role, text in legend:
        shapes += [Box(at, 5, 11, 11, role), Label(at + 16, 15, text, "muted", SMALL)]
        at += 16 + text_width(text, SMALL) + 22
    return shapes


def _row_label(text: str, top: float) -> Label:
    return Label(_LABELS - _GAP - 4, top + _BAR - 4, fit(text, _LABELS - 12, TEXT), "ink", TEXT, "end")


@dataclass(frozen=True, slots=True)
class Range:
    """One row of ranges: from the least to the most, and where in it something is known to be."""

    label: str
    least: int
    most: int
    text: str
    known: int | None = None


def ranges(title: str, description: str, rows: Sequence[Range]) -> Plot:
    """Return bars from the least to the most, on one scale that begins at zero."""
    top_of = max((row.most for row in rows), default=0) or 1
    beside = max((text_width(row.text, SMALL) for row in rows), default=0)
    full = WIDTH - _LABELS - beside - 2 * _GAP
    shapes: list[Shape] = []
    for i, row in enumerate(rows):
        top = _ROW * i + _GAP
        start, end = (_LABELS + full * n / top_of for n in (row.least, row.most))
        width = max(end - start, _LEAST if row.most else 0)
        start = min(start, _LABELS + full - width)
        shapes.append(_row_label(row.label, top))
        shapes.append(Box(_LABELS, top + _BAR / 2 - 1, full, 2, "track"))
        shapes.append(Box(start, top, width, _BAR, "range"))
        if row.known is not None:
            at = _LABELS + full * row.known / top_of
            shapes.append(Box(at - 1.5, top - 3, 3, _BAR + 6, "known"))
        shapes.append(Label(_LABELS + full + _GAP, top + _BAR - 4, row.text, "ink", SMALL))
    axis = _ROW * len(rows) + _GAP
    shapes.append(Line(((_LABELS, axis), (_LABELS + full, axis)), "muted"))
    for part in (0, top_of):
        at = _LABELS + full * part / top_of
        shapes.append(Label(at, axis + 15, f"{part:,}", "muted", SMALL, "start" if part == 0 else "end"))
    return Plot(title, description, axis + 22, tuple(shapes))


_LEFT, _RIGHT, _TOP, _PLANE = 80.0, 130.0, 14.0, 130.0
_MILLION = 10**6


def steps(
    title: str,
    description: str,
    points: Sequence[tuple[datetime, int]],
    span: tuple[datetime, datetime],
    limit: int | None,
    limit_text: str,
) -> Plot:
    """Return a line that rises in steps, with the limit that it must not reach.

    Args:
        title: what it is.
        description: what can be seen in it.
        points: when it rose, and to what; oldest first.
        span: the first and the last moment shown.
        limit: the limit, or None where there is none.
        limit_text: what stands at the limit.
    """
    last = points[-1][1] if points else 0
    top = max(last, limit or 0, 1)
    seconds = max((span[1] - span[0]).total_seconds(), 1)
    plane = WIDTH - _LEFT - _RIGHT

    def place(when: datetime, n: int) -> tuple[float, float]:
        along = (when - span[0]).total_seconds() / seconds
        return _LEFT + plane * min(max(along, 0), 1), _TOP + _PLANE * (1 - n / top)

    shapes = _axes(top, span)
    corners = [place(span[0], 0)]
    for (_, before), (when, after) in pairwise([(span[0], 0), *points]):
        corners += [place(when, before), place(when, after)]
    corners.append(place(span[1], last))
    if limit is not None:
        at = place(span[1], limit)[1]
        shapes.append(Line(((_LEFT, at), (_LEFT + plane, at)), "limit", 1.5, dashed=True))
    shapes.append(Line(tuple(corners), "entered", 2))
    shapes += _ends(
        place(span[1], last)[1], last, None if limit is None else place(span[1], limit)[1], limit_text
    )
    return Plot(title, description, _TOP + _PLANE + 26, tuple(shapes))


def _axes(top: int, span: tuple[datetime, datetime]) -> list[Shape]:
    right, bottom = WIDTH - _RIGHT, _TOP + _PLANE
    ticks = [top] if top == 1 else [top // 2, top]
    shapes: list[Shape] = [Line(((_LEFT, bottom), (right, bottom)), "muted")]
    for n in (0, *ticks):
        y = bottom - _PLANE * n / top
        shapes += [
            Line(((_LEFT, y), (right, y)), "track"),
            Label(_LEFT - _GAP, y + 4, _short(n), "muted", SMALL, "end"),
        ]
    for x, when, anchor in ((_LEFT, span[0], "start"), (right, span[1], "end")):
        shapes.append(Label(x, bottom + 17, when.strftime("%Y-%m-%d"), "muted", SMALL, anchor))
    return shapes


def _short(n: int) -> str:
    """A number that fits beside an axis."""
    return f"{n:,}" if n < 10 * _MILLION else f"{n / _MILLION:,.0f} million"


def _ends(y: float, last: int, limit_y: float | None, limit_text: str) -> list[Shape]:
    """The labels at the right ends of the lines, moved apart where they would touch."""
    at = WIDTH - _RIGHT + _GAP
    so_far = fit(f"{last:,} so far", _RIGHT - _GAP, SMALL)
    if limit_y is None:
        return [Label(at, y + 4, so_far, "entered-text", SMALL)]
    if abs(y - limit_y) < SMALL + 3:
        y = limit_y + SMALL + 3
    return [
        Label(at, limit_y + 4, fit(limit_text, _RIGHT - _GAP, SMALL), "limit-text", SMALL),
        Label(at, y + 4, so_far, "entered-text", SMALL),
    ]


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a broad face without serifs: rather too wide than cut off."""
    return size * sum(0.96 if c in _WIDE else 0.37 if c in _NARROW else 0.64 for c in text)


def fit(text: str, width: float, size: float) -> str:
    """A text, shortened in its middle until it fits."""
    if text_width(text, size) <= width:
        return text
    kept = len(text)
    while kept > 1 and text_width(_without_middle(text, kept), size) > width:
        kept -= 1
    return _without_middle(text, kept)


def _without_middle(text: str, kept: int) -> str:
    return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
