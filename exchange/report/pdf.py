r"""A report as PDF: the same blocks and plots as the page, as text and vectors.

Its letters are the fourteen that every reader has, so no font travels in the file; a character that they
lack is written as its escape, such as ``\u4e16``.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import singledispatchmethod
from math import sqrt

from fpdf import FPDF, FontFace
from fpdf.enums import TableBordersLayout

from exchange.report.plot import WIDTH, Box, Label, Line, Shape
from exchange.report.view import Block, Code, Facts, Figure, Heading, Page, Paragraph, Table
from exchange.report.words import moment

_SANS, _MONO = "helvetica", "courier"
_MARGIN, _BODY = 18.0, 9.5
_INK, _MUTED, _RULE = (28, 32, 36), (87, 94, 102), (190, 196, 203)
COLOURS = {
    "ink": _INK, "muted": _MUTED, "entered": (11, 98, 168), "withheld": (200, 118, 15),
    "rest": (198, 204, 211), "range": (74, 140, 194), "known": _INK, "track": (233, 236, 239),
    "limit": (179, 64, 26),
    "entered-text": (11, 90, 155), "limit-text": (160, 56, 20),
    "good": (23, 100, 59), "odd": (122, 82, 0), "bad": (165, 38, 31),
}  # fmt: skip
_AS_LATIN = str.maketrans({"…": "...", "“": '"', "”": '"'})
_ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}
_POINTS_PER_MM = 72 / 25.4


def render(page: Page) -> bytes:
    """Return the PDF."""
    pdf = _Pdf(page)
    pdf.head()
    for block in page.blocks:
        pdf.block(block)
    return bytes(pdf.output())


class _Pdf(FPDF):
    """The report on A4, with its digest and the page's number at the foot of each page."""

    def __init__(self, page: Page) -> None:
        super().__init__(format="A4")
        self._page = page
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_MARGIN + 4)
        self.set_title(_latin(f"{page.title}, {page.subtitle}"))
        self.set_author(page.member)
        self.set_subject(f"sha256:{page.digest}")
        self.set_creator("cosight")
        self.set_lang("en")
        self.set_creation_date(datetime.fromisoformat(page.made_at))
        self.add_page()

    def footer(self) -> None:
        """Put the digest and the page's number at the foot."""
        self.set_y(-_MARGIN + 2)
        self._face(6.5, _MUTED, family=_MONO)
        self.cell(self.epw - 22, 4, f"sha256:{self._page.digest}")
        self._face(7.5, _MUTED)
        self.cell(22, 4, f"{self.page_no()} of {{nb}}", align="R")

    def head(self) -> None:
        """Draw the title and the box with the summary."""
        page = self._page
        self._write("cosight", 8, _MUTED)
        self._write(page.title, 17, _INK, style="B")
        self._write(page.subtitle, 11, _MUTED)
        self.ln(3)
        word, why = page.verdict
        self._write(why, 10, COLOURS[word], style="B")
        self.ln(1)
        self._rows("", page.summary)
        self._write(f"Made {moment(page.made_at)} by {page.member}.", 8, _MUTED)

    @singledispatchmethod
    def block(self, block: Block) -> None:
        """Draw one block."""
        raise TypeError(type(block))

    @block.register
    def _(self, block: Heading) -> None:
        self._keep(26)
        self.ln(5 if block.level == 2 else 3)  # noqa: PLR2004
        self._write(block.text, 12.5 if block.level == 2 else 10.5, _INK, style="B")  # noqa: PLR2004
        self.ln(1)

    @block.register
    def _(self, block: Paragraph) -> None:
        family = _MONO if isinstance(block.text, Code) else _SANS
        self._write(block.text, 8.5 if block.note else _BODY, _MUTED if block.note else _INK, family=family)
        self.ln(1.5)

    @block.register
    def _(self, block: Facts) -> None:
        self._rows(block.caption, block.rows)

    @block.register
    def _(self, block: Table) -> None:
        self._caption(block.caption)
        aligned = tuple("RIGHT" if i in block.numbers else "LEFT" for i in range(len(block.columns)))
        self._face(8, _INK)
        with self.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            text_align=aligned,
            col_widths=_widths(block),
            headings_style=FontFace(emphasis="", color=_MUTED),
            line_height=4,
            v_align="TOP",
            padding=(0.8, 1.2, 0.8, 0),
        ) as table:
            for cells in (block.columns, *block.rows):
                row = table.row()
                for cell in cells:
                    row.cell(_latin(cell), style=_cell_face(cell))
        self.ln(3)

    @block.register
    def _(self, block: Figure) -> None:
        plot = block.plot
        scale = self.epw / WIDTH
        self._keep(plot.height * scale + 12)
        self._caption(plot.title)
        left, top = self.l_margin, self.get_y() + 1
        for shape in plot.shapes:
            self._shape(shape, left, top, scale)
        self.set_fill_color(255)  # or the next table has the colour of the last bar
        self.set_xy(self.l_margin, top + plot.height * scale + 2)
        self._write(plot.description, 8, _MUTED)
        self.ln(2)

    def _rows(self, caption: str, rows: Sequence[tuple[str, str]]) -> None:
        if caption:
            self._caption(caption)
        self._face(8.5, _INK)
        with self.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            text_align="LEFT",
            col_widths=(28, 72),
            first_row_as_headings=False,
            line_height=4.2,
            v_align="TOP",
            padding=(0.8, 1.2, 0.8, 0),
        ) as table:
            for name, value in rows:
                row = table.row()
                row.cell(_latin(name), style=FontFace(color=_MUTED))
                row.cell(_latin(value), style=_cell_face(value))
        self.ln(3)

    def _caption(self, text: str) -> None:
        self._keep(18)
        self._write(text, 9, _INK, style="B")
        self.ln(0.8)

    def _keep(self, height: float) -> None:
        """Begin a new page if what comes does not fit on this one."""
        if self.will_page_break(height):
            self.add_page()

    def _write(
        self, text: str, size: float, colour: tuple[int, int, int], *, style: str = "", family: str = _SANS
    ) -> None:
        self._face(size, colour, style=style, family=family)
        self.multi_cell(0, size * 0.5, _latin(text), align="L", new_x="LMARGIN", new_y="NEXT")

    def _face(
        self, size: float, colour: tuple[int, int, int], *, style: str = "", family: str = _SANS
    ) -> None:
        self.set_font(family, style, size)
        self.set_text_color(*colour)
        self.set_draw_color(*_RULE)

    def _shape(self, shape: Shape, left: float, top: float, scale: float) -> None:
        colour = COLOURS[shape.role]
        if isinstance(shape, Box):
            self.set_fill_color(*colour)
            self.rect(
                left + shape.x * scale, top + shape.y * scale, shape.width * scale, shape.height * scale, "F"
            )
        elif isinstance(shape, Line):
            self._line(shape, left, top, scale)
        else:
            self._label(shape, left, top, scale)

    def _line(self, line: Line, left: float, top: float, scale: float) -> None:
        self.set_draw_color(*COLOURS[line.role])
        self.set_line_width(line.width * scale)
        if line.dashed:
            self.set_dash_pattern(dash=1.4, gap=1)
        self.polyline([(left + x * scale, top + y * scale) for x, y in line.points])
        self.set_dash_pattern()
        self.set_line_width(0.2)

    def _label(self, label: Label, left: float, top: float, scale: float) -> None:
        self._face(label.size * scale * _POINTS_PER_MM, COLOURS[label.role])
        text = _latin(label.text)
        back = self.get_string_width(text) * _ANCHORS[label.anchor]
        self.text(left + label.x * scale - back, top + label.y * scale, text)


def _latin(text: str) -> str:
    """A text in the characters of the fonts; others as their escapes, so that nothing is lost unseen."""
    return text.translate(_AS_LATIN).encode("latin-1", "backslashreplace").decode("latin-1")


def _cell_face(text: str) -> FontFace | None:
    return FontFace(family=_MONO, size_pt=7) if isinstance(text, Code) else None


def _widths(table: Table) -> tuple[float, ...]:
    """Widths of columns by their longest word and, less, their longest text."""

    def weight(i: int) -> float:
        cells = [row[i] for row in (table.columns, *table.rows)]
        words = max((len(word) for cell in cells for word in cell.split()), default=1)
        return float(max(words, sqrt(8 * min(max(map(len, cells)), 400)), 4))

    return tuple(weight(i) for i in range(len(table.columns)))
