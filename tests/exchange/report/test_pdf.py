"""The PDF, read back."""

import re
from io import BytesIO
from pathlib import Path

from pypdf import PdfReader

from exchange.report import Made
from exchange.report.view import Code, Facts, Figure, Heading, Paragraph, Table
from tests.exchange.report.conftest import SESSIONS
from tests.exchange.report.homes import book, made, of_period


def pages(report: Made) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(report.pdf())).pages]


def plain(text: str) -> str:
    return re.sub(r"\s+", "", text.translate(str.maketrans({"“": '"', "”": '"', "…": "..."})))


def test_metadata(one: Made) -> None:
    meta = PdfReader(BytesIO(one.pdf())).metadata
    assert meta is not None
    assert meta.title == "Disclosure report: one session, acme and umbra, 1 March 2026"
    assert meta.author == "acme"
    assert meta.subject == f"sha256:{one.digest}"
    assert meta.creation_date is not None
    assert meta.creation_date.isoformat() == "2026-03-02T09:00:00+00:00"


def test_every_page_has_its_number_and_the_digest(one: Made) -> None:
    found = pages(one)
    assert len(found) > 2
    for number, text in enumerate(found, start=1):
        assert f"{number} of {len(found)}" in text
        assert one.digest in text


def test_it_says_what_the_page_says(one: Made) -> None:
    """Every heading, sentence and cell."""
    text = plain("".join(re.sub(r"sha256:\w{64}\s*\d+ of \d+", "", page) for page in pages(one)))
    page = one.page
    for block in page.blocks:
        match block:
            case Heading() | Paragraph():
                said = [block.text]
            case Facts():
                said = [block.caption, *(cell for row in block.rows for cell in row)]
            case Table():
                said = [block.caption, *block.columns, *(cell for row in block.rows for cell in row)]
            case Figure():
                said = [block.plot.title, block.plot.description]
        assert [cell for cell in said if plain(cell) not in text and not isinstance(cell, Code)] == []
    assert all(plain(value) in text for _, value in page.summary)


def test_nothing_is_fetched_and_no_letter_is_embedded(one: Made) -> None:
    pdf = one.pdf()
    assert b"/URI" not in pdf
    assert b"/FontFile" not in pdf
    assert b"/JavaScript" not in pdf


def test_the_same_report_is_the_same_file(one: Made) -> None:
    assert one.pdf() == one.pdf()
    assert one.html() == one.html()


def test_a_year_of_sessions(year: Made) -> None:
    text = "".join(pages(year))
    ids = [s["session"][:16] for s in year.content["sessions"]]
    assert len(ids) == SESSIONS
    assert all(session in text for session in ids)


def test_a_period_without_sessions(tmp_path: Path) -> None:
    with book(tmp_path) as b:
        assert "No session began in this period." in pages(made(b, of_period("2025-01-01")))[0]
