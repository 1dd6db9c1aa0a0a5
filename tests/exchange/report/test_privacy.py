"""What is never in a report: indicators, keys, and the name of a peer that must not be named."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from exchange.indicators import IndicatorType, Refused, canonicalise
from exchange.report import Made, check, check_with, unshown
from exchange.report.pages import page
from exchange.report.signing import read, sign
from exchange.report.view import Code
from tests.exchange.report.homes import (
    KEYS,
    LOG,
    LOG_KEY,
    US,
    Session,
    book,
    identity,
    made,
    of_peer,
    of_session,
    public,
)

HIDDEN = Session(peer="globex", direction="responder", matched=None, theirs=900)
SPELT = (IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.URL, IndicatorType.EMAIL, IndicatorType.DOMAIN)
NO_INDICATORS = {"threats.example", "cosight/threats.example/acme"}
"""The alliance's own name, which looks like a domain."""


def texts(value: object) -> list[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, dict):
        return [t for k, v in value.items() for t in (k, *texts(v))]
    if isinstance(value, list):
        return [t for v in value for t in texts(v)]
    return [value] if isinstance(value, str) else []


def is_indicator(text: str) -> bool:
    for kind in SPELT:
        try:
            canonicalise(kind, text)
        except Refused:
            continue
        return True
    return False


def test_no_indicator_is_in_a_report(one: Made) -> None:
    words = {word.strip(".,;:()") for text in texts(one.content) for word in text.split()}
    assert is_indicator("8.8.8.8")
    assert {word for word in words if is_indicator(word)} <= NO_INDICATORS


def test_no_private_key_is_in_a_report(one: Made) -> None:
    for key in (LOG, identity(US), identity("umbra")):
        secret = key.private_bytes_raw()
        assert secret.hex().encode() not in one.json
        assert secret not in one.json


@pytest.mark.parametrize("by_peer", [False, True])
def test_a_peer_that_must_not_be_named_is_not(tmp_path: Path, by_peer: bool) -> None:
    with book(tmp_path, HIDDEN) as b:
        report = made(b, of_peer("globex") if by_peer else of_session(HIDDEN))
        whole = [leaf.encode() for leaf in b.store.entries()]
        documents = {d.hash: d.body for d in b.store.documents()}
        outputs = (report.json, report.html(), _text(report.pdf()).encode())
        assert all(b"globex" not in made for made in outputs)
        assert all(b"globex".hex().encode() not in made for made in outputs)
        assert b"peer-1" in report.json
        assert all(s["policy"]["terms"] == "*" for s in report.content["sessions"])
        assert unshown(report.json) == 3
        assert check(report.json, LOG_KEY, public(US), keys=KEYS) == []
        assert check(report.json, LOG_KEY, public(US), bodies=whole, documents=documents, keys=KEYS) == []
        assert check_with(report.json, b.store, LOG_KEY, public(US), KEYS) == []


def test_with_the_entries_at_hand_its_numbers_are_checked(tmp_path: Path) -> None:
    with book(tmp_path, HIDDEN) as b:
        found = read(made(b, of_session(HIDDEN)).json)
        found["content"]["sessions"][0]["bounds"]["charge"] = 0
        lie = sign(found["content"], found["evidence"], identity(US))
        assert check(lie, LOG_KEY, public(US), keys=KEYS) == []  # which is why the entries are counted
        assert unshown(lie) == 3
        assert check_with(lie, b.store, LOG_KEY, public(US), KEYS) == [
            "the section “sessions” does not follow from the entries"
        ]


def test_markup_in_what_others_wrote_stays_text(tmp_path: Path) -> None:
    s = Session(purpose="<script>alert(1)</script> & 'more' \"quotes\" {{ 7*7 }}")
    with book(tmp_path, s) as b:
        html = made(b, of_session(s)).html().decode()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in html
    assert "{{ 7*7 }}" in html


def test_the_page_loads_nothing(one: Made) -> None:
    html = one.html().decode()
    assert "default-src 'none'" in html
    assert not re.search(r"\b(?:src|href|srcset|action)\s*=|url\(|@import|<script|<link|<iframe|<img", html)
    assert set(re.findall(r"https?://[^\"' <]+", html)) == {"http://www.w3.org/2000/svg"}


def test_a_character_that_the_letters_lack_is_not_lost(tmp_path: Path) -> None:
    s = Session(purpose="脅威 für Zürich")
    with book(tmp_path, s) as b:
        report = made(b, of_session(s))
        assert "脅威 für Zürich" in report.html().decode()
        assert "\\u8105\\u5a01 für Zürich" in _text(report.pdf()).replace("\n", " ")


def test_hashes_are_set_in_letters_of_one_width(one: Made) -> None:
    facts = [row for block in page(one.content, one.digest).blocks for row in getattr(block, "rows", ())]
    hashes = [cell for row in facts for cell in row if re.fullmatch(r"[0-9a-f]{64}", cell)]
    assert len(hashes) > 5
    assert all(isinstance(cell, Code) for cell in hashes)


def _text(pdf: bytes) -> str:
    return "\n".join(p.extract_text() for p in PdfReader(BytesIO(pdf)).pages)
