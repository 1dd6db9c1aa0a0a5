"""A report as one HTML file: no script, nothing loaded from anywhere, to be read, printed and filed."""

from base64 import b64encode
from functools import cache, singledispatch
from hashlib import sha256
from html import escape
from importlib.resources import files

from exchange.report.plot import WIDTH, Box, Label, Line, Plot, Shape
from exchange.report.view import Code, Facts, Figure, Heading, Page, Paragraph, Table
from exchange.report.words import moment


def render(page: Page) -> bytes:
    """Return the page, in UTF-8."""
    style = _style()
    # Even if a name in it were to escape its quotes, nothing could run or be fetched.
    allowed = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
    word, why = page.verdict
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{_text(value)}</dd>" for name, value in page.summary)
    body = "\n".join(_block(block, number) for number, block in enumerate(page.blocks))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{allowed}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="cosight">
<meta name="digest" content="sha256:{page.digest}">
<title>{escape(page.title)}, {escape(page.subtitle)}</title>
<style>{style}</style>
</head>
<body>
<header>
<p class="eyebrow">cosight</p>
<h1>{escape(page.title)}</h1>
<p class="subtitle">{escape(page.subtitle)}</p>
</header>
<main>
<section class="box" aria-label="Summary">
<p class="verdict {word}">{escape(why)}</p>
<dl>{rows}</dl>
</section>
{body}
</main>
<footer>Made {escape(moment(page.made_at))} by {escape(page.member)}. This page shows the signed report
with the SHA-256 <code>{page.digest}</code>; the page itself is not signed.</footer>
</body>
</html>
""".encode()


@cache
def _style() -> str:
    return (files("exchange.report") / "style.css").read_text()


@singledispatch
def _block(block: object, _number: int) -> str:
    raise TypeError(type(block))


@_block.register
def _heading(block: Heading, _number: int) -> str:
    return f"<h{block.level}>{escape(block.text)}</h{block.level}>"


@_block.register
def _paragraph(block: Paragraph, _number: int) -> str:
    kind = ' class="note"' if block.note else ""
    return f"<p{kind}>{_text(block.text)}</p>"


@_block.register
def _facts(block: Facts, _number: int) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{_text(value)}</td></tr>' for name, value in block.rows
    )
    return _scroll(f"<caption>{escape(block.caption)}</caption><tbody>{rows}</tbody>")


@_block.register
def _table(block: Table, _number: int) -> str:
    head = "".join(
        f'<th scope="col"{_side(i, block)}>{escape(column)}</th>' for i, column in enumerate(block.columns)
    )
    rows = "".join(
        "<tr>" + "".join(f"<td{_side(i, block)}>{_text(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in block.rows
    )
    caption = f"<caption>{escape(block.caption)}</caption>"
    return _scroll(f"{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>")


def _scroll(table: str) -> str:
    """A wide table moves within itself, not the page with it."""
    return f'<div class="scroll"><table>{table}</table></div>'


def _side(column: int, table: Table) -> str:
    return ' class="n"' if column in table.numbers else ""


@_block.register
def _figure(block: Figure, number: int) -> str:
    return f"<figure><figcaption>{escape(block.plot.title)}</figcaption>{svg(block.plot, number)}</figure>"


def svg(plot: Plot, number: int = 0) -> str:
    """Return a plot as SVG to stand in a page; ``number`` tells its ids from those of others."""
    shapes = "".join(map(_shape, plot.shapes))
    title, description = f"t{number}", f"d{number}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {plot.height:g}" role="img" '
        f'aria-labelledby="{title} {description}"><title id="{title}">{escape(plot.title)}</title>'
        f'<desc id="{description}">{escape(plot.description)}</desc>{shapes}</svg>'
    )


def _shape(shape: Shape) -> str:
    colour = f"var(--{shape.role})"
    if isinstance(shape, Box):
        at = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
        return f'<rect {at} fill="{colour}"/>'
    if isinstance(shape, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        dashes = ' stroke-dasharray="6 4"' if shape.dashed else ""
        stroke = f'stroke="{colour}" stroke-width="{shape.width:g}"{dashes}'
        return f'<polyline points="{points}" fill="none" {stroke}/>'
    return _label(shape, colour)


def _label(label: Label, colour: str) -> str:
    at = f'x="{label.x:.1f}" y="{label.y:.1f}" font-size="{label.size:g}" text-anchor="{label.anchor}"'
    return f'<text {at} fill="{colour}">{escape(label.text)}</text>'


def _text(text: str) -> str:
    return f"<code>{escape(text)}</code>" if isinstance(text, Code) else escape(text)
