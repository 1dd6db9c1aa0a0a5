"""JSON records: exports of others, what goes with a value, and files that are something else."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators import Batch, IndicatorType, read
from exchange.indicators.readers import detect
from exchange.indicators.readers.source import Source
from exchange.indicators.tlp import Tlp
from tests.realdata import data_dir

MD5 = "5d41402abc4b2a76b9719d911017c592"
SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

THREATFOX = [
    {
        "id": "1",
        "ioc": "8.8.8.8:443",
        "threat_type": "botnet_cc",
        "ioc_type": "ip:port",
        "malware": "win.example",
        "malware_printable": "Example",
        "confidence_level": 75,
        "first_seen": "2026-02-01 03:00:01 UTC",
        "last_seen": None,
        "reference": "https://example.com/report",
        "reporter": "somebody",
        "tags": ["exe", "rat"],
    },
    {
        "id": "2",
        "ioc": "evil.com",
        "ioc_type": "domain",
        "malware_printable": "Unknown malware",
        "tags": None,
    },
    {"id": "3", "ioc": SHA256, "ioc_type": "sha256_hash"},
]
URLHAUS = {
    "3": [
        {
            "dateadded": "2026-02-01 03:00:01 UTC",
            "url": "http://evil.com/a",
            "url_status": "online",
            "threat": "malware_download",
            "tags": ["elf"],
            "urlhaus_link": "https://urlhaus.abuse.ch/url/3/",
            "reporter": "x",
        }
    ]
}
BAZAAR = {
    "query_status": "ok",
    "data": [
        {
            "sha256_hash": SHA256,
            "md5_hash": MD5,
            "file_name": "a.exe",
            "imphash": MD5,
            "signature": "Example",
            "first_seen": "2026-02-01 03:00:01",
        }
    ],
}
FEODO = [
    {
        "ip_address": "8.8.8.8",
        "port": 443,
        "status": "online",
        "hostname": None,
        "as_number": 15169,
        "as_name": "X",
        "country": "US",
        "last_online": "2026-02-01",
        "malware": "Example",
    }
]
OTX = {
    "results": [
        {
            "name": "A pulse",
            "TLP": "green",
            "tags": ["x"],
            "indicators": [
                {"id": 1, "indicator": MD5, "type": "FileHash-MD5"},
                {"id": 2, "indicator": "a.evil.com", "type": "hostname"},
                {"id": 3, "indicator": "rule", "type": "YARA"},
            ],
        }
    ],
    "count": 1,
}


@pytest.fixture
def write(tmp_path):
    def write(document: object, name: str = "feed.json") -> Path:
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def whole(path: Path) -> Batch:
    with Source.open(path) as source:
        assert detect(source) == "records"
    (batch,) = read(path)
    return batch


def values(batch: Batch) -> dict[str, list[str]]:
    return {kind.value: column for kind, column in batch.values.items()}


@pytest.mark.parametrize(
    ("document", "expected", "refused"),
    [
        (THREATFOX, {"ipv4": ["8.8.8.8"], "domain": ["evil.com"], "sha256": [SHA256]}, {}),
        ({"query_status": "ok", "data": THREATFOX[:1]}, {"ipv4": ["8.8.8.8"]}, {}),
        ({"17": THREATFOX[1:2], "18": THREATFOX[2:]}, {"domain": ["evil.com"], "sha256": [SHA256]}, {}),
        (URLHAUS, {"url": ["http://evil.com/a"]}, {}),
        (BAZAAR, {"sha256": [SHA256], "md5": [MD5]}, {}),
        (FEODO, {"ipv4": ["8.8.8.8"]}, {}),
        (OTX, {"md5": [MD5], "domain": ["a.evil.com"]}, {"unsupported-type": 1}),
        (OTX["results"][0], {"md5": [MD5], "domain": ["a.evil.com"]}, {"unsupported-type": 1}),
        ([{"value": "hxxp://evil[.]com"}], {"url": ["http://evil.com/"]}, {}),
        (["evil.com", "8.8.8.8"], {"domain": ["evil.com"], "ipv4": ["8.8.8.8"]}, {}),
        ({"ip": ["8.8.8.8"], "md5": [MD5], "tags": ["x.com"]}, {"ipv4": ["8.8.8.8"], "md5": [MD5]}, {}),
        ({"a": {"b": {"iocs": ["evil.com"]}}}, {"domain": ["evil.com"]}, {}),
        ([{"ip": ["8.8.8.8", "8.8.4.4"], "x": "y"}], {"ipv4": ["8.8.8.8", "8.8.4.4"]}, {}),
        ([{"ja3": MD5}, {"cve": "CVE-2021-44228"}], {"ja3": [MD5], "cve": ["CVE-2021-44228"]}, {}),
        ([{"asn": 13335}], {"asn": ["13335"]}, {}),
        ({"ip": "8.8.8.8", "first_seen": "2026-02-01"}, {"ipv4": ["8.8.8.8"]}, {}),
    ],
    ids=[
        "threatfox",
        "api",
        "by id",
        "urlhaus",
        "bazaar",
        "feodo",
        "otx",
        "pulse",
        "value",
        "strings",
        "lists",
        "deep",
        "several",
        "describing",
        "number",
        "single",
    ],
)
def test_documents(write, document: object, expected: dict[str, list[str]], refused: dict[str, int]) -> None:
    batch = whole(write(document))
    assert (values(batch), batch.refused) == (expected, refused)


@pytest.mark.parametrize("between", ["\n", "\n\n", "\r\n"])
def test_lines(write, between: str) -> None:
    batch = whole(write(between.join(map(json.dumps, THREATFOX)) + "\n"))
    assert values(batch) == {"ipv4": ["8.8.8.8"], "domain": ["evil.com"], "sha256": [SHA256]}


def test_what_goes_with_a_value(write) -> None:
    for document in (THREATFOX, "\n".join(map(json.dumps, THREATFOX))):
        batch = whole(write(document))
        told = batch.contexts[IndicatorType.IPV4][0]
        assert (told.confidence, told.producer) == (75, "somebody")
        assert told.first_seen == datetime(2026, 2, 1, 3, 0, 1, tzinfo=UTC)
        assert "Example" in told.malware
        assert {"exe", "rat"} <= set(told.tags)
        assert IndicatorType.SHA256 not in batch.contexts


def test_what_is_around_a_list_goes_with_what_is_in_it(write) -> None:
    batch = whole(write(OTX))
    told = [column[0] for column in batch.contexts.values()]
    assert [c.tlp for c in told] == [Tlp.GREEN] * 2
    assert told[0] is told[1]


@pytest.mark.parametrize(
    "document",
    [
        {"TLP": "red", "indicators": [{"indicator": "8.8.8.8", "type": "IPv4", "tlp": "clear"}], "count": 7},
        {"indicators": [{"indicator": "8.8.8.8", "type": "IPv4"}], "count": 7, "tags": ["tlp:red"]},
        {"tlp": "red", "data": [{"ip": "8.8.8.8", "tlp": "clear"}]},
        {"data": [{"tlp": "red", "iocs": [{"ip": "8.8.8.8", "tlp": "clear"}]}]},
        {"a": {"ipv4": ["8.8.8.8"], "x": {"tlp_marking": "TLP:RED"}}},
    ],
)
def test_a_marking_beside_a_list_holds_for_what_is_in_it(write, document: dict[str, Any]) -> None:
    told = whole(write(document)).contexts[IndicatorType.IPV4][0]
    assert (told.tlp, told.sightings) == (Tlp.RED, None)


def test_unknown_markings_are_counted(write) -> None:
    assert whole(write([{"ip": "8.8.8.8", "tlp": "purple"}])).notes == {"unknown-marking": 1}


@pytest.mark.parametrize("of", [json.dumps, lambda records: "\n".join(map(json.dumps, records))])
def test_victims_are_refused_with_their_place(write, of: Any) -> None:
    records = [
        {"ip": "8.8.8.8", "victim_ip": "8.8.4.4", "customer": ""},
        {"ioc": "evil.com", "type": "domain", "target_email": "hurt@example.org", "victim 1.1.1.1": "x"},
        {"victims": ["hurt.com"]},
    ]
    batch = whole(write(of(records)))
    assert values(batch) == {"ipv4": ["8.8.8.8"], "domain": ["evil.com"]}
    assert batch.refused == {"victim-field": 4}
    what = "record" if of is json.dumps else "line"
    assert batch.places["victim-field"] == [
        f"{what} 1, victim_ip",
        f"{what} 2, target_email",
        f"{what} 2",
        f"{what} 3, victims",
    ]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"value": "evil.com", "type": "phishing"}, "unsupported-type"),
        ({"value": SHA256, "type": "sha3-256"}, "unsupported-type"),
        ({"value": "evil.com", "type": ["domain"]}, "unsupported-type"),
        ({"value": "evil.com", "type": "sha256"}, "bad-digest"),
        ({"ip": {"a": "8.8.8.8"}}, "not-one-value"),
        ({"ip": True}, "not-one-value"),
        ({"ip": 1.5}, "not-one-value"),
        ({"ip": [["8.8.8.8"]]}, "not-one-value"),
        ({"iocs": [{"iocs": [{"ip": "8.8.8.8"}]}]}, "empty"),
        ({"ip": None, "note": "evil.com"}, "empty"),
        ({"ip": "10.0.0.1"}, "not-global"),
        ({"value": "x" * 9000, "type": "url"}, "too-long"),
    ],
)
def test_refusals(write, record: dict[str, Any], reason: str) -> None:
    batch = whole(write([record]))
    assert (batch.values, batch.refused) == ({}, {reason: 1})


def test_a_warning_list_is_no_feed(write) -> None:
    document = {
        "description": "x",
        "list": ["8.8.8.8"] * 9000,
        "matching_attributes": ["ip-dst"],
        "name": "x",
        "type": "string",
        "version": 1,
    }
    for text in (
        json.dumps(document),
        json.dumps(document, indent=2),
        json.dumps(document | {"description": "\\"}),
    ):
        with pytest.raises(InputError, match="is a warning list") as raised:
            whole(write(text))
        assert raised.value.hint == "load it with: cosight warninglists add FILE"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"ip": "8.8.8.8"}\n{"ip": \n', "line 2: not JSON"),
        ('{"ip": "8.8.8.8"}\n{"ip": ' + "[" * 100_000 + "\n", "line 2: not JSON"),
        ('[{"ip": "8.8.8.8"},\n{"ip" "8.8.4.4"}]', "line 2, column 7: not JSON"),
        ('{"a": {"ip": "x"}}', "no JSON objects with a value"),
        ("{}", "no JSON objects with a value"),
        ('{"tags": ["evil.com"]}', "no JSON objects with a value"),
    ],
)
def test_what_holds_no_records_is_an_error_of_the_input(write, document: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        list(read(write(document), format="records"))
    assert "8.8" not in str(raised.value)


def test_json_of_another_kind_is_not_records(write) -> None:
    with pytest.raises(InputError, match="JSON of a kind that is not known"):
        list(read(write({"configuration": {"colour": "red"}})))


NAMES = st.sampled_from(
    [
        "value",
        "type",
        "ip",
        "domain",
        "sha256",
        "tags",
        "tlp",
        "confidence",
        "first_seen",
        "indicators",
        "iocs",
        "victim",
        "malware",
        "count",
        "sightings",
        "phase",
        "",
        "x.item",
    ]
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["evil.com", "8.8.8.8", "domain", "red", "2026-01-01", "", "\ud800"])
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    documents=st.lists(st.dictionaries(NAMES, JUNK, max_size=5), min_size=1, max_size=3), lines=st.booleans()
)
def test_wrong_types_everywhere(tmp_path_factory, documents: list[Any], lines: bool) -> None:
    path = tmp_path_factory.mktemp("records") / "wrong.json"
    path.write_text("\n".join(map(json.dumps, documents)) if lines else json.dumps(documents))
    found = tried(path)
    if isinstance(found, InputError):
        assert "no JSON objects with a value" in str(found)
        assert lines
    else:
        assert sum(map(len, found))


def tried(path: Path) -> list[Batch] | InputError:
    try:
        return list(read(path, format="records"))
    except InputError as e:
        return e


@pytest.mark.realdata
def test_every_real_warning_list_is_known_as_one() -> None:
    for path in sorted((data_dir() / "warninglists").glob("*.json*")):
        with pytest.raises(InputError, match="is a warning list"):
            list(read(path))
