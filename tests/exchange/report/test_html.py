"""The page, as a browser reads it and as it looks."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exchange.report import Made
from tests.exchange.report import browser
from tests.exchange.report.conftest import SESSIONS
from tests.exchange.report.homes import Session, book, made, of_period, of_session

_VOID = {"meta", "rect", "polyline"}


class Outline(HTMLParser):
    """What is in a page, and whether every element is closed where it must be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: Counter[str] = Counter()
        self.ids: list[str] = []
        self.labelled: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] += 1
        self.ids += [v for k, v in attrs if k == "id" and v]
        self.labelled += [id_ for k, v in attrs if k == "aria-labelledby" and v for id_ in v.split()]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def spoken(outline: Outline) -> str:
    return re.sub(r"\s+", " ", " ".join(outline.text))


def test_what_a_page_says(one: Made) -> None:
    outline = Outline(one.html().decode())
    text = spoken(outline)
    for said in (
        "Disclosure report: one session", "acme and umbra, 1 March 2026", "acme asked, umbra answered",
        "Verified: all 12 entries are in the signed log, and the receipt is signed by both sides.",
        "What each side learned and could infer", "1,985 to 2,048", "on a warning list", "DPO-2026-014",
        "GDPR Art. 6(1)(f), legitimate interests", "revision 7", "7, from our own result", "p12-share",
        "cosight report --check", "How many of each type matched is in no ledger by design", one.digest,
    ):  # fmt: skip
        assert said in text, said


def test_a_page_can_be_read_by_those_who_do_not_see_it(one: Made) -> None:
    outline = Outline(one.html().decode())
    assert outline.count["table"] == outline.count["caption"] > 10
    assert outline.count["svg"] == outline.count["title"] - 1 == outline.count["desc"] == 4
    assert len(outline.ids) == len(set(outline.ids))
    assert sorted(outline.labelled) == sorted(outline.ids)
    assert outline.count["h1"] == 1
    assert 'lang="en"' in one.html().decode()
    assert outline.count["script"] == 0


def test_every_plot_has_its_table(one: Made) -> None:
    """Whoever cannot read a plot reads the numbers: every number at a shape is also in a table."""
    html = one.html().decode()
    tables = " ".join(re.findall(r"<table>.*?</table>", html, re.DOTALL))
    for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        title = re.search(r"<title[^>]*>(.*?)</title>", svg)
        assert title is not None
        labels = " ".join(re.findall(r"<text[^>]*>(.*?)</text>", svg))
        numbers = set(re.findall(r"\d[\d,]+", labels))
        if "learned of, added up" not in title[1]:
            assert {n for n in numbers if n not in tables} == set(), title[1]


def test_a_year_of_sessions(year: Made) -> None:
    outline = Outline(year.html().decode())
    assert len(year.content["sessions"]) == SESSIONS
    assert spoken(outline).count(" On ") == SESSIONS


def test_a_period_without_sessions(tmp_path: Path) -> None:
    with book(tmp_path) as b:
        report = made(b, of_period("2025-01-01"))
    text = spoken(Outline(report.html().decode()))
    assert "No session began in this period." in text
    assert "There is no peer in this report." in text


@browser.needed
def test_a_browser_understands_the_page(one: Made, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_bytes(one.html())
    found = browser.dom(page)
    before, after = Outline(one.html().decode()).count, Counter(re.findall(r"<([a-z][a-z0-9]*)[\s>/]", found))
    for tag in ("h1", "h2", "table", "caption", "svg", "desc", "rect", "dt", "figure", "code"):
        assert after[tag] == before[tag], tag
    assert "Refused to" not in found
    assert one.digest in found


@browser.needed
@pytest.mark.parametrize("dark", [False, True])
def test_a_page_is_to_be_seen(tmp_path: Path, dark: bool) -> None:
    s = Session(direction="responder", matched=None, told=40)
    with book(tmp_path, s) as b:
        report = made(b, of_session(s))
    page = tmp_path / "report.html"
    page.write_bytes(report.html())
    option = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    with Image.open(browser.picture(page, 1200, 2400, option)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape == (2400, 1200, 3)
    paper, ranges = ((21, 24, 28), (63, 131, 184)) if dark else ((255, 255, 255), (74, 140, 194))
    blank = (pixels == paper).all(axis=2)
    assert 0.4 < blank.mean() < 0.97, "the style is applied, and the page neither blank nor covered"
    assert (pixels == ranges).all(axis=2).sum() > 500, "the plot is drawn"
    columns = np.flatnonzero(~blank.all(axis=0))
    assert columns.min() > 100
    assert columns.max() < 1100, "nothing runs out of the page"
