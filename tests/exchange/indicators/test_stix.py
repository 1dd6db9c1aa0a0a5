"""STIX files: which values come out, and what stays out."""

import json
from collections import Counter

import pytest

from exchange.indicators import Tlp, read
from exchange.indicators.context import Context
from exchange.indicators.readers import stix
from tests.exchange.indicators.stix_objects import (
    AT,
    MD5,
    RED,
    SHA1,
    Read,
    T,
    Thing,
    bundle,
    context_of,
    id_of,
    indicator,
    link,
    load,
    of,
    thing,
)
from tests.realdata import data_dir

FORMS = {
    "bundle": lambda a, b: json.dumps(bundle(a, b)),
    "bundle, indented": lambda a, b: json.dumps(bundle(a, b), indent=2),
    "bundle whose type comes last": lambda a, b: json.dumps(
        {"id": id_of("bundle"), "objects": [a, b], "type": "bundle"}
    ),
    "array": lambda a, b: json.dumps([a, b]),
    "array of bundles": lambda a, b: json.dumps([bundle(a), bundle(b)]),
    "envelope": lambda a, b: json.dumps({"more": False, "objects": [a, b]}),
    "objects, one a line": lambda a, b: f"{json.dumps(a)}\n\n{json.dumps(b)}\n",
    "bundles, one a line": lambda a, b: f"{json.dumps(bundle(a))}\r\n{json.dumps(bundle(b))}",
    "bundle, then an object": lambda a, b: f"{json.dumps(bundle(a))}\n{json.dumps(b)}",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_files_are_recognised(tmp_path, form: str) -> None:
    one, other = indicator(), thing("ipv4-addr", value="8.8.8.8")
    found = load(tmp_path, FORMS[form](one, other).encode())
    assert found.values == {"domain": ["evil.com"], "ipv4": ["8.8.8.8"]}
    assert found.notes == {"stix-patterns": 1, "stix-atoms": 1, "stix-observables": 1}


def test_a_single_object_and_an_empty_bundle(tmp_path) -> None:
    assert load(tmp_path, indicator()).values == {"domain": ["evil.com"]}
    assert load(tmp_path, {"type": "bundle", "id": id_of("bundle")}).values == {}
    assert load(tmp_path, bundle()).values == {}


@pytest.mark.parametrize(
    "sample",
    [
        '{"Event": {"id": "12", "Attribute": [{"type": "domain", "value": "evil.com"}]}}',
        '{"id": "1--2", "type": "domain", "value": "evil.com"}',
        '[{"type": "indicator", "value": "evil.com"}]',
        "id,type\nindicator--1,indicator",
        "",
    ],
)
def test_what_is_not_stix_is_left_to_others(sample: str) -> None:
    assert stix.FORMAT.score(sample) == 0


PATHS = {
    "ipv4-addr:value = '8.8.8.8'": ("ipv4", "8.8.8.8"),
    "ipv4-addr:value = '8.8.8.0/24'": ("cidr", "8.8.8.0/24"),
    "ipv6-addr:value = '2001:4860:4860:0::8888'": ("ipv6", "2001:4860:4860::8888"),
    "domain-name:value = 'Evil.COM'": ("domain", "evil.com"),
    "hostname:value = 'www.evil.com'": ("domain", "www.evil.com"),
    "url:value = 'HTTP://evil.com/a'": ("url", "http://evil.com/a"),
    "email-addr:value = 'a@evil.com'": ("email", "a@evil.com"),
    "email-message:from_ref.value = 'a@evil.com'": ("email", "a@evil.com"),
    "email-message:sender_ref.value = 'a@evil.com'": ("email", "a@evil.com"),
    "network-traffic:dst_ref.value = '8.8.8.8'": ("ipv4", "8.8.8.8"),
    "network-traffic:src_ref.value = 'evil.com'": ("domain", "evil.com"),
    "network-traffic:extensions.'http-request-ext'.request_header.Host = 'evil.com'": ("domain", "evil.com"),
    "network-traffic:extensions.'http-request-ext'.request_value = 'http://evil.com/a'": (
        "url",
        "http://evil.com/a",
    ),
    "network-traffic:extensions.'x-tls'.ja3 = '0123456789abcdef0123456789abcdef'": (
        "ja3",
        "0123456789abcdef0123456789abcdef",
    ),
    **{
        f"file:hashes.{name} = '{'0123456789abcdef' * 16:.{digits}}'": (
            kind,
            f"{'0123456789abcdef' * 16:.{digits}}",
        )
        for kind, digits, names in (
            ("md5", 32, ("MD5", "'MD5'", "md5")),
            ("sha1", 40, ("'SHA-1'", "SHA1", "sha1")),
            ("sha224", 56, ("'SHA-224'",)),
            ("sha256", 64, ("'SHA-256'", "SHA256", "sha256", "sha_256")),
            ("sha384", 96, ("'SHA-384'",)),
            ("sha512", 128, ("'SHA-512'",)),
            ("imphash", 32, ("IMPHASH",)),
        )
        for name in names
    },
    "file:hashes.MD5 = h'0123456789abcdef0123456789abcdef'": ("md5", "0123456789abcdef0123456789abcdef"),
    "artifact:hashes.MD5 = '0123456789abcdef0123456789abcdef'": ("md5", "0123456789abcdef0123456789abcdef"),
    "file:extensions.'windows-pebinary-ext'.imphash = '0123456789abcdef0123456789abcdef'": (
        "imphash",
        "0123456789abcdef0123456789abcdef",
    ),
    "x509-certificate:hashes.'SHA-1' = '0123456789abcdef0123456789abcdef01234567'": (
        "x509-fingerprint",
        "0123456789abcdef0123456789abcdef01234567",
    ),
    "file:name = 'dropper.exe'": ("file-name", "dropper.exe"),
    "process:name = 'bh'": ("file-name", "bh"),
    "process:image_ref.name = 'dropper.exe'": ("file-name", "dropper.exe"),
    "mutex:name = '__CLEANSWEEP__'": ("mutex", "__cleansweep__"),
    "autonomous-system:number = 15169": ("asn", "15169"),
    "vulnerability:name = 'cve-2017-0199'": ("cve", "CVE-2017-0199"),
    "cryptocurrency-wallet:value = '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa'": (
        "btc",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    ),
}


@pytest.mark.parametrize("comparison", PATHS)
def test_paths_have_types(comparison: str) -> None:
    kind, value = PATHS[comparison]
    found = of(indicator(f"[{comparison}]"))
    assert found.values == {kind: [value]}
    assert found.notes == {"stix-patterns": 1, "stix-atoms": 1}


@pytest.mark.parametrize(
    "comparison",
    [
        "windows-registry-key:key = 'HKLM'",
        "process:command_line = 'cmd.exe /c'",
        "file:size = 5",
        "file:hashes.SSDEEP = '3:a:b'",
        "file:extensions.'windows-pebinary-ext'.sections[*].hashes.MD5 = '0123456789abcdef0123456789abcdef'",
        "domain-name:value = 5",
        "domain-name:value = b'ZXZpbC5jb20='",
        "autonomous-system:number = 1.5",
        "domain-name:" + "a." * 400 + "a = 'evil.com'",
        "domain-name:'" + "a" * 400 + "' = 'evil.com'",
    ],
)
def test_other_paths_are_refused_with_the_id_of_their_object(comparison: str) -> None:
    found = of(indicator(f"[{comparison}]"))
    assert found.values == {}
    assert found.places == {"unsupported-type": [id_of("indicator")]}
    assert found.notes["stix-atoms"] == 1


def test_patterns_are_refused_by_reason_and_what_can_be_taken_of_them_is() -> None:
    found = of(
        indicator("[domain-name:value='a.com' OR (domain-name:value='b.com' AND file:size=1)]"),
        indicator("[domain-name:value='c.com'] FOLLOWEDBY [domain-name:value='d.com']"),
        indicator("[domain-name:value LIKE '%.com']"),
        indicator("[domain-name:value='e.com'] WITHIN 5 SECONDS"),
        indicator("[domain-name:value='f.com'"),
        indicator(5),
        indicator("x" * (1 << 21)),
        indicator("rule x {}", pattern_type="yara"),
        indicator("rule x {}", pattern_type=None),
        {"type": "indicator"},
    )
    assert found.values == {"domain": ["a.com"]}
    assert found.refused == {
        "pattern-and": 1,
        "pattern-followedby": 1,
        "pattern-comparison": 1,
        "pattern-qualifier": 1,
        "bad-pattern": 3,
        "too-long": 1,
        "pattern-language": 2,
    }
    assert found.places["pattern-and"] == [id_of("indicator")]
    assert found.notes == {"stix-patterns": 8}


def test_a_stix_2_0_indicator_needs_no_type_of_pattern() -> None:
    found = of({"type": "indicator", "id": id_of("indicator"), "pattern": "[url:value = 'http://evil.com/']"})
    assert found.values == {"url": ["http://evil.com/"]}


def test_observables_of_2_1() -> None:
    found = of(
        thing("file", hashes={"MD5": MD5, "SHA-1": SHA1, "SSDEEP": "3:a:b"}, name="dropper.exe", size=5),
        thing("url", value="hxxp://evil[.]com/a", defanged=True),
        thing("autonomous-system", number=15169, name="somebody"),
        thing("x509-certificate", hashes={"MD5": MD5}),
        thing("file", extensions={"windows-pebinary-ext": {"imphash": MD5}}),
        thing("windows-registry-key", key="HKLM"),
        thing("network-traffic", dst_ref=id_of("ipv4-addr")),
    )
    assert found.values == {
        "md5": [MD5],
        "sha1": [SHA1],
        "file-name": ["dropper.exe"],
        "url": ["http://evil.com/a"],
        "asn": ["15169"],
        "x509-fingerprint": [MD5],
        "imphash": [MD5],
    }
    assert found.refused == {"unsupported-type": 2}
    assert found.notes == {"stix-observables": 7}


def test_observables_of_2_0_and_who_a_message_went_to() -> None:
    inside = {
        "0": {"type": "email-message", "from_ref": "1", "to_refs": ["2"], "cc_refs": ["3"]},
        "1": {"type": "email-addr", "value": "a@evil.com"},
        "2": {"type": "email-addr", "value": "b@evil.com"},
        "3": {"type": "email-addr", "value": "c@evil.com"},
        "4": 5,
        "5": {"value": "8.8.8.8"},
    }
    seen = thing("observed-data", first_observed=T, last_observed=T, number_observed=3, objects=inside)
    found = of(seen)
    assert found.values == {"email": ["a@evil.com"]}
    assert found.contexts == [Context(first_seen=AT, last_seen=AT, sightings=3)]
    assert found.refused == {"victim-field": 2, "bad-object": 2}
    assert found.places["victim-field"] == [f"{id_of('observed-data')}: email-addr"] * 2


def test_an_observation_of_2_1_says_when_and_how_it_may_travel() -> None:
    address = thing("ipv4-addr", value="8.8.8.8")
    seen = thing(
        "observed-data",
        first_observed=T,
        last_observed=T,
        number_observed=3,
        object_refs=[address["id"]],
        object_marking_refs=[RED],
    )
    assert context_of(address, seen) == Context(tlp=Tlp.RED, first_seen=AT, last_seen=AT, sightings=3)


def test_vulnerabilities_are_known_by_their_cve() -> None:
    references = [{"source_name": "cve", "external_id": "CVE-2017-0199"}, {"source_name": "x"}, 5]
    found = of(
        thing("vulnerability", name="CVE-2017-0199", external_references=references),
        thing("vulnerability", name="A hole"),
    )
    assert found.values == {"cve": ["CVE-2017-0199"]}


@pytest.mark.parametrize(
    "victim",
    [
        [link(id_of("campaign"), "targets", id_of("ipv4-addr"))],
        [thing("sighting", sighting_of_ref=id_of("malware"), where_sighted_refs=[id_of("ipv4-addr")])],
        [thing("email-message", to_refs=[id_of("ipv4-addr")])],
        [thing("incident", x_victim_refs=[id_of("ipv4-addr")])],
        [thing("incident", x_affected_assets=id_of("ipv4-addr"))],
    ],
)
def test_whom_an_attack_hit_never_enters(victim: list[Thing]) -> None:
    address = thing("ipv4-addr", value="8.8.8.8")
    for order in ([address, *victim], [*victim, address]):
        found = of(*order)
        assert found.values == {}
        assert found.places == {"victim-field": [id_of("ipv4-addr")]}


def test_properties_and_paths_that_describe_victims_are_refused_by_name() -> None:
    found = of(
        indicator(x_victim_ip="8.8.8.8", x_customers=["8.8.4.4"], x_victim_refs=[]),
        indicator("[email-message:to_refs[*].value = 'b@evil.com']"),
        indicator("[x-incident:victim_ip = '8.8.8.8']"),
        {"type": "report", "id": "evil.com", "Victim: evil.com": "8.8.8.8"},
    )
    assert found.values == {"domain": ["evil.com"]}
    places = found.places["victim-field"]
    assert len(places) == found.refused["victim-field"] == 5
    assert f"{id_of('indicator')}: x_victim_ip" in places
    assert f"{id_of('indicator')}, email-message:to_refs" in places
    assert "evil" not in "".join(places)


def test_a_target_that_is_a_vulnerability_is_no_victim() -> None:
    hole = thing("vulnerability", name="CVE-2017-0199")
    found = of(hole, link(id_of("campaign"), "targets", id_of("vulnerability")))
    assert found.values == {"cve": ["CVE-2017-0199"]}


def test_revoked_indicators_are_withdrawn() -> None:
    found = of(
        indicator("[domain-name:value='evil.com' OR ipv4-addr:value='8.8.8.8']", revoked=True),
        indicator("[network-traffic:dst_ref.value='other.com']", revoked=True),
        indicator("[url:value LIKE 'x']", revoked=True),
    )
    assert found.values == {}
    assert found.withdrawn == {"domain": ["evil.com", "other.com"], "ipv4": ["8.8.8.8"]}
    assert found.refused == {"revoked": 3, "pattern-comparison": 1}


REAL = {
    "amnesty-2.1": (4_249, {"unknown-suffix": 8, "unsupported-type": 15}),
    "oasis-examples-2.1": (
        88,
        {"pattern-and": 2, "bad-domain": 1, "unsupported-type": 1, "pattern-comparison": 1, "not-global": 1},
    ),
    "oasis-idioms-2.1": (
        1_841,
        {
            "pattern-and": 116,
            "unsupported-type": 30,
            "pattern-comparison": 14,
            "not-global": 10,
            "empty-digest": 4,
            "victim-field": 2,
            "pattern-qualifier": 1,
        },
    ),
    "sekoia-2.x": (107, {"pattern-language": 2, "unsupported-type": 3}),
    "unit42-2.0": (
        2_609,
        {
            "no-scheme": 98,
            "unsupported-scheme": 16,
            "unsupported-type": 13,
            "unknown-suffix": 2,
            "bad-domain": 1,
            "bad-url": 1,
        },
    ),
}
PATTERNS = {
    "amnesty-2.1": (4_272, 4_272),
    "oasis-examples-2.1": (42, 39),
    "oasis-idioms-2.1": (83, 12),
    "sekoia-2.x": (102, 102),
    "unit42-2.0": (2_740, 2_740),
}


@pytest.mark.realdata
@pytest.mark.parametrize("folder", REAL)
def test_public_feeds(folder: str) -> None:
    paths = sorted((data_dir() / "stix" / folder).iterdir())
    found = Read([batch for path in paths for batch in read(path)])
    values, refused = REAL[folder]
    assert (found.notes["stix-patterns"], found.notes["stix-atoms"]) == PATTERNS[folder]
    assert sum(map(len, found.values.values())) == values
    assert found.refused == refused


@pytest.mark.realdata
def test_what_public_feeds_say_of_their_indicators() -> None:
    folder = data_dir() / "stix"
    spyware = Read(list(read(folder / "amnesty-2.1" / "pegasus.stix2.gz")))
    assert {c.malware for c in spyware.contexts if c} == {("Pegasus",)}
    marked = Read(list(read(folder / "sekoia-2.x" / "apt31.stix2.jsonl.gz")))
    assert Counter(c and c.tlp for c in marked.contexts) == {Tlp.CLEAR: 107}
    techniques = Read(list(read(folder / "unit42-2.0" / "NOBELIUM.json.gz")))
    assert any(c and c.techniques for c in techniques.contexts)
