"""Plots: whatever is put in, everything is inside the plane and no label covers another."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exchange.report import plot
from exchange.report.plot import Bar, Box, Label, Line, Plot, Range

NUMBERS = st.integers(0, 2**40)
NAMES = st.text("abcdefghijmwWM0123456789-", min_size=1, max_size=40)
START = datetime(2025, 3, 1, tzinfo=UTC)
SPAN = (START, START + timedelta(days=365))


def extent(label: Label) -> tuple[float, float]:
    width = plot.text_width(label.text, label.size)
    start = label.x - width * {"start": 0, "middle": 0.5, "end": 1}[label.anchor]
    return start, start + width


def inside(drawn: Plot) -> None:
    for shape in drawn.shapes:
        match shape:
            case Box():
                assert shape.x >= 0
                assert shape.x + shape.width <= plot.WIDTH + 0.01
                assert shape.width >= 0
                assert shape.y + shape.height <= drawn.height
            case Line():
                assert all(0 <= x <= plot.WIDTH and 0 <= y <= drawn.height for x, y in shape.points)
            case Label():
                start, end = extent(shape)
                assert start >= -0.01
                assert end <= plot.WIDTH + 0.01
                assert shape.y <= drawn.height


def apart(drawn: Plot) -> None:
    """No two labels on one line overlap, and no two lines of labels are closer than their letters."""
    labels = [s for s in drawn.shapes if isinstance(s, Label)]
    rows: dict[float, list[Label]] = {}
    for label in labels:
        rows.setdefault(label.y, []).append(label)
    for row in rows.values():
        ends = sorted(map(extent, row))
        assert all(left[1] <= right[0] + 0.01 for left, right in pairwise(ends))


@given(rows=st.lists(st.tuples(NAMES, NUMBERS, NUMBERS), max_size=30))
def test_bars(rows: list[tuple[str, int, int]]) -> None:
    given_ = [Bar(n, (("entered", a), ("withheld", b)), f"{a:,} + {b:,} held back") for n, a, b in rows]
    for make in (plot.bars, plot.shares):
        drawn = make("t", "d", given_, (("entered", "entered"), ("withheld", "held back by a rule")))
        inside(drawn)
        apart(drawn)


@given(rows=st.lists(st.tuples(NAMES, NUMBERS, NUMBERS, st.booleans()), min_size=1, max_size=5))
def test_ranges(rows: list[tuple[str, int, int, bool]]) -> None:
    given_ = [
        Range(n, min(a, b), max(a, b), f"{min(a, b):,} to {max(a, b):,}", min(a, b) if k else None)
        for n, a, b, k in rows
    ]
    drawn = plot.ranges("t", "d", given_)
    inside(drawn)
    apart(drawn)


@given(
    rises=st.lists(st.tuples(st.floats(0, 365), st.integers(0, 10**6)), max_size=200),
    limit=st.none() | st.integers(0, 10**8),
)
def test_steps(rises: list[tuple[float, int]], limit: int | None) -> None:
    points, total = [], 0
    for days, n in sorted(rises):
        total += n
        points.append((START + timedelta(days=days), total))
    text = "" if limit is None else f"{limit:,} allowed"
    drawn = plot.steps("t", "d", points, SPAN, limit, text)
    inside(drawn)
    apart(drawn)
    ends = [s for s in drawn.shapes if isinstance(s, Label) and s.role.endswith("-text")]
    assert all(abs(a.y - b.y) >= plot.SMALL for a, b in pairwise(ends))
    line = next(s for s in drawn.shapes if isinstance(s, Line) and s.role == "entered")
    assert all(a[0] <= b[0] and a[1] >= b[1] - 0.01 for a, b in pairwise(line.points)), "it only rises"


def test_one_of_a_million_is_to_be_seen() -> None:
    drawn = plot.shares("t", "d", [Bar("x", (("entered", 1), ("rest", 10**6)), "1 of 1,000,001")], ())
    assert next(s for s in drawn.shapes if isinstance(s, Box) and s.role == "entered").width >= 3


@given(text=NAMES, width=st.floats(20, 300))
def test_a_long_text_loses_its_middle(text: str, width: float) -> None:
    fitted = plot.fit(text, width, plot.TEXT)
    assert fitted == text or ("…" in fitted and len(fitted) <= len(text))
    if len(fitted) > 2:
        assert plot.text_width(fitted, plot.TEXT) <= width
