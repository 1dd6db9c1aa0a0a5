"""MISP: which attributes become values, and who is in an event by accident."""

from functools import partial

import pytest

from exchange.errors import InputError
from exchange.indicators import IndicatorType
from exchange.indicators.readers import detect, json_stream
from exchange.indicators.readers.base import Options
from exchange.indicators.readers.source import Source
from exchange.indicators.tlp import Tlp
from tests.exchange.indicators import misp_events
from tests.exchange.indicators.misp_events import EVENT, MD5, SHA1, SHA256, attribute, event, tags, whole


@pytest.fixture
def write(tmp_path):
    return partial(misp_events.write, tmp_path)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("ip-src", "8.8.8.8", [("ipv4", "8.8.8.8")]),
        ("ip-dst", "2606:4700::1", [("ipv6", "2606:4700::1")]),
        ("ip-dst", "8.8.8.0/24", [("cidr", "8.8.8.0/24")]),
        ("ip-dst|port", "8.8.8.8|443", [("ipv4", "8.8.8.8")]),
        ("ip-src|port", "2606:4700::1|443", [("ipv6", "2606:4700::1")]),
        ("hostname", "a.evil.com", [("domain", "a.evil.com")]),
        ("hostname|port", "a.evil.com|8080", [("domain", "a.evil.com")]),
        ("domain", "evil.com", [("domain", "evil.com")]),
        ("domain|ip", "evil.com|8.8.8.8", [("domain", "evil.com"), ("ipv4", "8.8.8.8")]),
        ("domain|ip", "evil.com|2606:4700::1", [("domain", "evil.com"), ("ipv6", "2606:4700::1")]),
        ("url", "http://evil.com", [("url", "http://evil.com/")]),
        ("email-src", "bad@evil.com", [("email", "bad@evil.com")]),
        ("email-dst", "drop@evil.com", [("email", "drop@evil.com")]),
        ("filename", "EVIL.exe", [("file-name", "evil.exe")]),
        ("filename|md5", f"evil.exe|{MD5}", [("md5", MD5), ("file-name", "evil.exe")]),
        ("filename|sha1", f"evil.exe|{SHA1}", [("sha1", SHA1), ("file-name", "evil.exe")]),
        ("filename|sha256", f"evil.exe|{SHA256}", [("sha256", SHA256), ("file-name", "evil.exe")]),
        ("malware-sample", f"evil.exe|{MD5}", [("md5", MD5), ("file-name", "evil.exe")]),
        ("md5", MD5.upper(), [("md5", MD5)]),
        ("sha224", "ab" * 28, [("sha224", "ab" * 28)]),
        ("sha384", "ab" * 48, [("sha384", "ab" * 48)]),
        ("sha512", "ab" * 64, [("sha512", "ab" * 64)]),
        ("imphash", MD5, [("imphash", MD5)]),
        ("ja3-fingerprint-md5", MD5, [("ja3", MD5)]),
        ("hassh-md5", MD5, [("hassh", MD5)]),
        ("jarm-fingerprint", "2ad2ad" + "ab" * 28, [("jarm", "2ad2ad" + "ab" * 28)]),
        ("x509-fingerprint-sha1", SHA1, [("x509-fingerprint", SHA1)]),
        ("mac-address", "00-1B-44-11-3A-B7", [("mac", "00:1b:44:11:3a:b7")]),
        ("AS", "AS13335", [("asn", "13335")]),
        ("AS", 13335, [("asn", "13335")]),
        ("vulnerability", "cve-2021-44228", [("cve", "CVE-2021-44228")]),
        ("btc", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", [("btc", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")]),
        ("mutex", "Global\\Example_M", [("mutex", "example_m")]),
    ],
)
def test_types(write, kind: str, value: object, expected: list[tuple[str, str]]) -> None:
    batch = whole(write(event(attribute(kind, value))))
    assert sorted((k.value, v) for k, column in batch.values.items() for v in column) == sorted(expected)
    assert not batch.refused


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("ip-dst|port", "8.8.8.8", "bad-composite"),
        ("ip-dst|port", "8.8.8.8|https", "bad-composite"),
        ("ip-dst|port", "8.8.8.8|65536", "bad-composite"),
        ("hostname|port", "|80", "bad-composite"),
        ("domain|ip", "evil.com", "bad-composite"),
        ("domain|ip", "evil.com|", "bad-composite"),
        ("filename|md5", MD5, "bad-composite"),
        ("link", "https://example.com/report", "unsupported-type"),
        ("sha512/256", SHA256, "unsupported-type"),
        ("regkey|value", "a|b", "unsupported-type"),
        ("yara", "rule x {}", "unsupported-type"),
        ("hasshserver-md5", MD5, "unsupported-type"),
        ("no-such-type", "x", "unsupported-type"),
        ("uri", "/a.php", "no-scheme"),
        ("md5", SHA1, "bad-digest-length"),
        ("domain", None, "bad-object"),
        ("domain", ["evil.com"], "bad-object"),
        ("domain", {"a": "evil.com"}, "bad-object"),
        ("", "evil.com", "bad-object"),
        ("domain", "a" * 100_000 + ".com", "too-long"),
    ],
)
def test_refusals(write, kind: str, value: object, reason: str) -> None:
    batch = whole(write(event(attribute(kind, value))))
    assert (batch.values, batch.refused) == ({}, {reason: 1})


def test_a_composite_of_which_one_half_is_taken(write) -> None:
    batch = whole(
        write(event(attribute("filename|ssdeep", "evil.exe|3:a:b"), attribute("domain|ip", "a.com|x")))
    )
    assert {k.value: v for k, v in batch.values.items()} == {"file-name": ["evil.exe"], "domain": ["a.com"]}
    assert batch.refused == {"unsupported-type": 1, "bad-address": 1}
    assert len(batch) == 4, "both halves are read"


@pytest.mark.parametrize("flag", [False, None, "0", 0, "no", [], {}])
def test_only_what_is_meant_for_detection(write, flag: object) -> None:
    path = write(event(attribute("domain", "evil.com", to_ids=flag), attribute("link", "x", to_ids=False)))
    assert whole(path).refused == {"not-for-detection": 2}
    batch = whole(path, options=Options(every_attribute=True))
    assert (batch.values, batch.refused) == ({IndicatorType.DOMAIN: ["evil.com"]}, {"unsupported-type": 1})


@pytest.mark.parametrize("flag", [True, "1", 1, "true"])
def test_ways_to_mean_it(write, flag: object) -> None:
    assert whole(write(event(attribute("domain", "evil.com", to_ids=flag)))).values


@pytest.mark.parametrize(
    "document",
    [
        EVENT,
        EVENT["Event"],
        {"response": [EVENT]},
        {"response": EVENT},
        {"response": [EVENT["Event"]]},
        [EVENT],
        [EVENT["Event"]],
        {"response": {"Attribute": [attribute("domain", "evil.com", Event=EVENT["Event"])]}},
        {"Event": EVENT["Event"] | {"Attribute": attribute("domain", "evil.com")}},
    ],
    ids=["event", "bare", "response", "one", "response bare", "list", "list bare", "search", "no list"],
)
def test_shapes(write, document: object) -> None:
    path = write(document)
    with Source.open(path) as source:
        assert detect(source) == "misp"
    batch = whole(path)
    assert batch.values == {"domain": ["evil.com"]}
    assert batch.contexts[IndicatorType.DOMAIN][0].producer == "Example"


def test_events_keep_their_own_headers(write) -> None:
    others = {"Event": {"Attribute": [attribute("domain", "b.com")], "Tag": tags("tlp:red")}}
    batch = whole(write({"response": [EVENT, others, EVENT]}))
    assert batch.values == {"domain": ["evil.com", "b.com", "evil.com"]}
    told = batch.contexts[IndicatorType.DOMAIN]
    assert [told[i].tlp for i in range(3)] == [None, Tlp.RED, None]
    assert [told[i].producer for i in range(3)] == ["Example", "", "Example"]


def test_victims_are_refused_with_their_path(write) -> None:
    hurt = "victim@example.org"
    things = [
        {"name": "victim", "Attribute": [attribute("domain", "hurt.com")]},
        {"name": "corporate-asset", "Attribute": [attribute("ip-src", "8.8.4.4", object_relation="IP")]},
        {
            "Attribute": [
                attribute("email-src", "bad@evil.com", object_relation="from"),
                attribute("email-dst", hurt, object_relation="to"),
            ],
            "name": "email",
        },
        {"name": "network", "Attribute": [attribute("ip-dst", "8.8.4.4", object_relation="victim-ip")]},
    ]
    document = event(
        attribute("domain", "evil.com"),
        attribute("target-email", hurt, to_ids=False),
        attribute("text", "x", category="Targeting data"),
        Object=things,
    )
    for options in (Options(), Options(every_attribute=True)):
        batch = whole(write({"response": [EVENT, document]}), options=options)
        assert {k.value: v for k, v in batch.values.items()} == {
            "domain": ["evil.com", "evil.com"],
            "email": ["bad@evil.com"],
        }
        assert batch.refused == {"victim-field": 6}
        assert batch.places == {
            "victim-field": [
                "response[1].Event.Attribute[1] (target-email)",
                "response[1].Event.Attribute[2] (text)",
                "response[1].Event.Object[0].Attribute[0] (domain)",
                "response[1].Event.Object[1].Attribute[0] (ip-src)",
                "response[1].Event.Object[2].Attribute[1] (email-dst)",
            ]
        }


def test_a_place_never_holds_a_value(write) -> None:
    batch = whole(write([event(attribute("evil.com", "x")), event(attribute("8.8.8.8", "x"))]))
    assert batch.places == {"unsupported-type": ["[0].Event.Attribute[0]", "[1].Event.Attribute[0]"]}


def test_proposals_and_deletions_are_noted(write) -> None:
    document = event(
        attribute("domain", "evil.com", ShadowAttribute=[attribute("domain", "maybe.com")]),
        attribute("domain", "gone.com", deleted=True),
        attribute("domain", "gone.com", deleted="1"),
        ShadowAttribute=[attribute("domain", "maybe.com")],
        Object=[{"name": "x", "deleted": True, "Attribute": [attribute("domain", "gone.com")]}],
        RelatedEvent=[{"Event": {"info": "x", "Attribute": [attribute("domain", "other.com")]}}],
    )
    batch = whole(write(document))
    assert (batch.values, batch.refused) == ({"domain": ["evil.com"]}, {})
    assert batch.notes == {"proposals": 2, "deleted": 3}


def test_attached_files_are_not_kept(write, monkeypatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_BYTES", 1 << 18)
    sample = attribute("malware-sample", f"evil.exe|{MD5}", data="QUJD" * 50_000)
    assert (
        whole(write(event(Object=[{"name": "file", "Attribute": [sample] * 3}]))).values["md5"] == [MD5] * 3
    )
    with pytest.raises(InputError, match="a value of more than"):
        whole(write(event(Object=[{"name": "file", "Attribute": [attribute("text", "x" * 100_000)] * 3}])))
