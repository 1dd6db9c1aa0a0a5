"""The MISP event has what MISP accepts; the table has nothing that a spreadsheet computes."""

import csv
import io
import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.export import Format, format_of, render
from exchange.export.misp import ATTRIBUTES
from exchange.export.table import COLUMNS, guarded
from exchange.indicators import Indicator, IndicatorType, Tlp
from exchange.indicators.context import Context
from tests.exchange.export.results import EVERY, IDS, RICH, Told, selected

# Of MISP's own table (app/Model/Attribute.php, categoryDefinitions): the categories that are used here.
ALLOWED = {
    "Network activity": "ip-dst hostname domain url AS mac-address ja3-fingerprint-md5 jarm-fingerprint"
    " hassh-md5 x509-fingerprint-md5 x509-fingerprint-sha1 x509-fingerprint-sha256 other",
    "Payload delivery": "md5 sha1 sha224 sha256 sha384 sha512 imphash filename email",
    "External analysis": "vulnerability",
    "Financial fraud": "btc",
    "Artifacts dropped": "mutex",
}


def event(export) -> dict:
    return json.loads(render(Format.MISP, export, IDS))["Event"]


def rows(export) -> list[list[str]]:
    return list(csv.reader(io.StringIO(render(Format.CSV, export, IDS).decode(), newline="")))


def test_every_item_is_an_attribute_of_a_type_and_category_that_misp_has() -> None:
    attributes = event(selected())["Attribute"]
    assert len(attributes) == len(EVERY)
    for attribute in attributes:
        assert attribute["type"] in ALLOWED[attribute["category"]].split()
        assert UUID(attribute["uuid"]).version == 4
    values = {(a["type"], a["value"]) for a in attributes}
    assert {("AS", "AS13335"), ("ip-dst", "8.8.4.0/24"), ("ip-dst", "2001:4860:4860::8888")} <= values
    assert len({a["uuid"] for a in attributes}) == len(EVERY)


def test_every_type_has_its_attribute() -> None:
    by_value = {IndicatorType.X509, IndicatorType.URL_HOST}
    assert set(ATTRIBUTES) | by_value == set(IndicatorType)


@pytest.mark.parametrize(("digits", "kind"), [(32, "md5"), (40, "sha1"), (64, "sha256")])
def test_a_fingerprint_is_named_by_its_length(digits: int, kind: str) -> None:
    (attribute,) = event(selected(Indicator(IndicatorType.X509, "a" * digits)))["Attribute"]
    assert attribute["type"] == f"x509-fingerprint-{kind}"


@pytest.mark.parametrize(
    ("host", "kind", "value"),
    [("bad.example.com", "hostname", "bad.example.com"), ("8.8.4.4", "ip-dst", "8.8.4.4"),
     ("2001:4860::1", "ip-dst", "2001:4860::1")],
)  # fmt: skip
def test_the_host_of_a_url_is_a_name_or_an_address(host: str, kind: str, value: str) -> None:
    (attribute,) = event(selected(Indicator(IndicatorType.URL_HOST, host)))["Attribute"]
    assert (attribute["type"], attribute["value"]) == (kind, value)


def test_the_event_is_ours_marked_and_published_to_nobody() -> None:
    made = event(selected(*EVERY[:2], said=[[Told(Tlp.GREEN)], [Told(Tlp.AMBER_STRICT)]]))
    assert (made["published"], made["distribution"], made["Orgc"]["name"]) == (False, "0", "alice")
    assert made["Tag"] == [{"name": "tlp:amber+strict"}], "as closed as the most closed thing in it"
    assert [a["Tag"][0]["name"] for a in made["Attribute"]] == ["tlp:amber", "tlp:amber+strict"]
    sighted = [s["Organisation"]["name"] for s in made["Attribute"][0]["Sighting"]]
    assert sighted == ["alice", "bob"]
    assert made["info"] == "Indicators that alice and bob both hold"


def test_the_context_is_tags_and_times() -> None:
    (attribute,) = event(selected(EVERY[0], said=[[Told(Tlp.GREEN, RICH)]]))["Attribute"]
    assert attribute["first_seen"] == "2026-01-02T03:04:05.678901+00:00"
    assert attribute["comment"] == "seen in June"
    assert [t["name"] for t in attribute["Tag"]] == [
        "tlp:amber", "PAP:AMBER", "agent tesla", "redline", "T1566.001", "mitre-attack:initial-access",
        "malicious-activity", "phishing",
    ]  # fmt: skip
    assert "told us" not in json.dumps(attribute)


def test_a_ceiling_under_amber_names_nobody() -> None:
    export = selected(EVERY[0], ceiling=Tlp.GREEN)
    made = event(export)
    assert "Sighting" not in made["Attribute"][0]
    assert (made["Tag"], made["info"]) == ([{"name": "tlp:green"}], "Indicators that alice holds")
    for form in Format:
        assert b"bob" not in render(form, export, IDS)


def test_ids_are_the_same_again() -> None:
    first, again = event(selected()), event(selected(floor=Tlp.AMBER_STRICT))
    assert [a["uuid"] for a in first["Attribute"]] == [a["uuid"] for a in again["Attribute"]]
    assert (first["uuid"], first["Orgc"]) == (again["uuid"], again["Orgc"])


def test_the_table_has_a_row_for_each_item() -> None:
    head, *body = rows(selected(said=[[Told(Tlp.GREEN, RICH)] for _ in EVERY]))
    assert tuple(head) == COLUMNS
    assert [(r[0], r[1].removeprefix("'")) for r in body] == [(str(i.type), i.value) for i in EVERY]
    first = dict(zip(head, body[0], strict=True))
    assert (first["tlp"], first["pap"], first["confidence"], first["sightings"]) == (
        "GREEN",
        "AMBER",
        "80",
        "7",
    )
    assert (first["malware"], first["tags"]) == ("agent tesla;redline", "malicious-activity;phishing")
    assert first["valid_until"] == "2027-01-01T00:00:00+00:00"


def test_nothing_is_a_formula() -> None:
    evil = Context(tags=("=1+1",), comment='=HYPERLINK("http://x")', malware=("@sum",), phases=("+1", "-1"))
    (row,) = rows(selected(Indicator(IndicatorType.FILE_NAME, "=cmd.exe"), said=[[Told(Tlp.GREEN, evil)]]))[
        1:
    ]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert row[1] == "'=cmd.exe"


@given(st.text(max_size=20))
def test_a_guard_is_taken_off_again(text: str) -> None:
    assert guarded(text).removeprefix("'") == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_the_end_of_a_name_asks_for_a_form() -> None:
    asked = {n: format_of(n) for n in ("a.stix.json", "A.MISP.JSON", "x.csv", "x.json", "x.tsv", "stix.json")}
    assert list(asked.values()) == [Format.STIX, Format.MISP, Format.CSV, None, None, None]
