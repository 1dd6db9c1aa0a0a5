"""Warning lists: what is a hit, held to slow and obvious comparisons; what is no list, with its place."""

import gzip
import json
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.config import WARNING_LIST_MODES
from exchange.errors import ConfigError, InputError
from exchange.indicators import IndicatorType
from exchange.indicators.warninglists import (
    BLOCKED_UNLESS_SAID,
    Mode,
    WarningList,
    WarningLists,
    default_mode,
    lists,
    shipped_folder,
)
from exchange.indicators.warninglists.lists import by_name
from exchange.indicators.warninglists.matchers import Hostnames, Matcher, Patterns, Strings, Substrings
from exchange.indicators.warninglists.networks import Networks

T = IndicatorType
ALL = frozenset(IndicatorType)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a list and give back where it is."""

    def written(slug: str = "ours", /, **fields: Any) -> Path:
        path = tmp_path / f"{slug}.json"
        path.write_text(json.dumps({"name": "Ours", "type": "string", "list": ["evil.example.com"]} | fields))
        return path

    return written


def hits(
    matcher: type[Matcher], entries: Sequence[str], kind: IndicatorType, values: Sequence[str]
) -> list[str]:
    return [values[i] for i in matcher.of(entries, ALL).hits(kind, values)]


@pytest.mark.parametrize(
    ("matcher", "entry", "kind", "listed", "others"),
    [
        (Strings, "Example.COM", T.DOMAIN, ["example.com"], ["www.example.com", "ample.com"]),
        (Strings, "exämple.com", T.DOMAIN, ["xn--exmple-cua.com"], []),
        (Strings, "HTTP://Example.com", T.URL, ["http://example.com/"], ["https://example.com/"]),
        (Strings, "AA" * 32, T.SHA256, ["aa" * 32], ["ab" * 32]),
        (Strings, "AA" * 64, T.SHA512, ["aa" * 64], []),
        (Strings, "AA" * 16, T.IMPHASH, ["aa" * 16], []),
        (Hostnames, ".Example.com.", T.DOMAIN, ["example.com", "a.b.example.com"], ["notexample.com", "com"]),
        (Hostnames, "exämple.com", T.DOMAIN, ["www.xn--exmple-cua.com"], []),
        (Hostnames, "example.com", T.URL, ["http://www.example.com:8080/x", "https://example.com/"],
         ["http://evil.net/example.com", "http://example.com.evil.net/", "http://[2001:db8::1]:80/"]),
        (Hostnames, "example.com", T.EMAIL, ["a@example.com", "b@mx.example.com"], ["example.com@evil.net"]),
        (Hostnames, "example.com", T.URL_HOST, ["www.example.com"], ["2606:4700::1", "8.8.8.8"]),
        (Networks, "8.8.8.8", T.IPV4, ["8.8.8.8"], ["8.8.8.9", "8.8.8.7"]),
        (Networks, "8.8.8.77/24", T.IPV4, ["8.8.8.0", "8.8.8.255"], ["8.8.9.0", "8.8.7.255"]),
        (Networks, "0.0.0.0/0", T.IPV4, ["1.1.1.1", "255.255.255.255"], []),
        (Networks, "8.8.8.0/24", T.CIDR, ["8.8.8.0/24", "8.8.8.128/25"], ["8.8.0.0/16", "8.8.9.0/24"]),
        (Networks, "8.8.8.0/24", T.URL_HOST, ["8.8.8.8"], ["8.8.9.8", "dns.google", "2606:4700::1"]),
        (Networks, "2606:4700::/32", T.IPV6, ["2606:4700::", "2606:4700:ffff::1"], ["2606:4701::"]),
        (Networks, "2606:4700::/32", T.CIDR, ["2606:4700:1::/48"], ["2606::/16", "8.8.8.0/24"]),
        (Networks, "2606:4700::/32", T.URL_HOST, ["2606:4700::1"], ["2606:4701::1", "dns.google"]),
        (Substrings, "ail.Exa", T.EMAIL, ["x@mail.example.com"], ["x@example.com", "x@mail.net"]),
        (Patterns, r"/^(soc|abuse)@.*\..*$/i", T.EMAIL, ["ABUSE@x.net", "soc@y.org"], ["x@abuse.net"]),
        (Patterns, r"^evil[0-9]+\.", T.DOMAIN, ["evil12.net"], ["evil.net"]),
    ],
)  # fmt: skip
def test_what_is_a_hit(
    matcher: type[Matcher], entry: str, kind: IndicatorType, listed: list[str], others: list[str]
) -> None:
    assert hits(matcher, [entry], kind, [*others, *listed, *others]) == listed
    assert hits(matcher, [], kind, [*listed, *others]) == []
    both = matcher.union([matcher.of([], ALL), matcher.of([entry], ALL)])
    assert both.hits(kind, [*listed, *others]) == list(range(len(listed)))


def test_halves_of_a_network_cover_it() -> None:
    halves = ["8.8.8.0/25", "8.8.8.128/25", "2606:4700::/33", "2606:4700:8000::/33"]
    assert hits(Networks, halves, T.CIDR, ["8.8.8.0/24", "2606:4700::/32", "8.8.8.0/23"]) == [
        "8.8.8.0/24",
        "2606:4700::/32",
    ]


_quads = st.builds("8.8.{}.{}".format, st.integers(0, 3), st.integers(0, 255))
_networks = st.builds("{}/{}".format, _quads, st.integers(22, 32))


@given(st.lists(st.one_of(_quads, _networks), max_size=12), st.lists(_quads, max_size=30))
@settings(max_examples=150)
def test_addresses_are_found_as_one_by_one(entries: list[str], values: list[str]) -> None:
    listed = [ip_network(entry, strict=False) for entry in entries]
    expected = [v for v in values if any(ip_address(v) in network for network in listed)]
    assert hits(Networks, entries, T.IPV4, values) == expected
    assert hits(Networks, entries, T.URL_HOST, values) == expected
    sixes = [f"2606:4700::{v.replace('.', ':')}" for v in values]
    as_six = [
        f"2606:4700::{e.partition('/')[0].replace('.', ':')}/{e.partition('/')[2] or 128}" for e in entries
    ]
    listed_six = [ip_network(entry, strict=False) for entry in as_six]
    expected = [v for v in sixes if any(ip_address(v) in network for network in listed_six)]
    assert hits(Networks, as_six, T.IPV6, sixes) == expected


@given(st.lists(_networks, max_size=8), st.lists(_networks, max_size=8))
@settings(max_examples=60)
def test_networks_are_found_as_address_by_address(entries: list[str], values: list[str]) -> None:
    canonical = [str(ip_network(v, strict=False)) for v in values]
    covered = {address for entry in entries for address in ip_network(entry, strict=False)}
    expected = [v for v in canonical if all(address in covered for address in ip_network(v))]
    assert hits(Networks, entries, T.CIDR, canonical) == expected


_pieces = st.text("ab.é", min_size=1, max_size=6)


@given(st.lists(_pieces, max_size=8), st.lists(st.text("abAB.é", max_size=12), max_size=12))
@settings(max_examples=200)
def test_substrings_are_found_as_one_by_one(entries: list[str], values: list[str]) -> None:
    expected = [v for v in values if any(entry in v.lower() for entry in entries)]
    assert hits(Substrings, entries, T.MUTEX, values) == expected


_names = st.lists(st.sampled_from(["a", "b", "com", "net"]), min_size=1, max_size=4).map(".".join)


@given(st.lists(_names, max_size=6), st.lists(_names, max_size=12))
@settings(max_examples=150)
def test_hostnames_are_found_as_one_by_one(entries: list[str], values: list[str]) -> None:
    expected = [v for v in values if any(v == entry or v.endswith(f".{entry}") for entry in entries)]
    assert hits(Hostnames, entries, T.DOMAIN, values) == expected


def test_a_list_is_read_with_what_it_says(write: Write) -> None:
    fields = {
        "description": "Nothing\nof note", "version": 7, "type": "hostname", "category": "known",
        "matching_attributes": ["domain|ip", "url", "phone-number"], "list": ["a.com", " b.com ", ""],
    }  # fmt: skip
    found = WarningList.read(write(**fields))
    assert (found.name, found.title, found.version, found.type) == ("ours", "Ours", 7, "hostname")
    assert (found.category, found.size, found.description) == ("known", 2, "Nothing\nof note")
    assert found.kinds == {T.DOMAIN, T.URL, T.URL_HOST}, "no hostname is an address"
    zipped = write().with_suffix(".json.gz")
    zipped.write_bytes(gzip.compress(write(**fields).read_bytes()))
    assert WarningList.read(zipped) == found


def test_what_may_be_left_out_as_in_misp(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "bare" / "list.json"
    path.parent.mkdir()
    path.write_text('{"name": "Bare", "list": {"evil.example.com": "with a comment", "8.8.8.8": ""}}')
    found = WarningList.read(path)
    assert (found.name, found.type, found.version, found.kinds, found.size) == ("bare", "string", 1, ALL, 2)
    no_address = WarningList.read(write(list=["evil.example.com"]))
    assert no_address.kinds == ALL - {T.IPV4, T.IPV6, T.CIDR}, (
        "nobody looks for addresses where there are none"
    )
    assert WarningList.read(write(type=["cidr"], list=["8.8.8.8"], version="12")).version == 12
    assert WarningList.read(write(list=[15169], matching_attributes=["AS"])).matcher.hits(T.ASN, ["15169"])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": None}, "name is no text"),
        ({"name": ""}, "name is missing"),
        ({"name": "a\0b"}, "name is no text"),
        ({"type": "regexp"}, "type is none of string, substring"),
        ({"type": {"a": 1}}, "type is none of"),
        ({"type": [[]]}, "type is none of"),
        ({"version": 1.5}, "version is no whole number"),
        ({"version": True}, "version is no whole number"),
        ({"version": [1]}, "version is no whole number"),
        ({"matching_attributes": "domain"}, "matching_attributes is no list of texts"),
        ({"matching_attributes": [7]}, "matching_attributes is no list of texts"),
        ({"list": "secret.example.com"}, "list is no list"),
        ({"list": None}, "list is no list"),
        ({"list": ["a.com", None]}, r"list\[1\] is no text"),
        ({"list": ["a.com", ["secret"]]}, r"list\[1\] is no text"),
        ({"list": [True]}, r"list\[0\] is no text"),
        ({"list": ["secret\ud800"]}, r"list\[0\] is no text"),
        ({"list": ["secret" * 2000]}, r"list\[0\] is no text of at most 8,192"),
        (
            {"type": "cidr", "list": ["", "8.8.8.8", "secret"]},
            r"list\[2\] is neither an address nor a network",
        ),
        ({"type": "cidr", "list": ["8.8.8.8/33"]}, r"list\[0\] is neither"),
        ({"type": "regex", "list": ["(secret"]}, r"list\[0\] is no regular expression"),
        ({"type": "regex", "list": ["/secret/q"]}, r"list\[0\] is .*flags of a regular expression .* q$"),
        ({"type": "hostname", "list": ["\u0644\u200dsecret.com"]}, r"list\[0\] is no "),
    ],
)
def test_what_is_no_list_is_said_with_its_place(write: Write, fields: dict[str, Any], says: str) -> None:
    path = write(**fields)
    with pytest.raises(InputError, match=says) as caught:
        WarningList.read(path)
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1, column 1: not JSON"),
        (b'{"name": "x",\n "list": [}', "line 2, column 11: not JSON"),
        (b"[" * 200_000, "not JSON in UTF-8"),
        (b'{"name": "\xff"}', "not JSON in UTF-8"),
        (b"[]", "not a JSON object"),
        (gzip.compress(b'{"name": "x"}' * 1000, mtime=0)[:-30], "gzip data are damaged"),
        (gzip.compress(b"{" * 100, mtime=0), "not JSON"),
    ],
)
def test_what_is_no_json_is_said_with_its_file(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "ours.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        WarningList.read(path)
    assert str(path) in str(caught.value)


def test_a_list_is_bounded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_ENTRIES", 3)
    with pytest.raises(InputError, match="more than 3 entries"):
        WarningList.read(write(list=["a.com"] * 4))
    monkeypatch.setattr(lists, "MAX_LIST_BYTES", 1 << 10)
    bomb = write().with_suffix(".json.gz")
    bomb.write_bytes(gzip.compress(b" " * 100_000))
    for path in (bomb, write(description="x" * 2000)):
        with pytest.raises(InputError, match="is larger than"):
            WarningList.read(path)


def test_a_folder_is_read_by_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        by_name(tmp_path / "gone")
    for name in ("a.json", "b/list.json", "c/list.json.gz", "c/notes.txt", "d/other.json", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert by_name(tmp_path) == {
        "a": tmp_path / "a.json", "b": tmp_path / "b/list.json", "c": tmp_path / "c/list.json.gz",
    }  # fmt: skip
    (tmp_path / "A.json.gz").touch()
    with pytest.raises(InputError, match="are both called a"):
        by_name(tmp_path)
    (tmp_path / "lists" / "vpn").mkdir(parents=True)
    (tmp_path / "lists" / "vpn" / "list.json").touch()
    assert list(by_name(tmp_path)) == ["vpn"], "a copy of the repository of MISP has its lists there"


def test_a_list_needs_a_name_that_settings_can_have(tmp_path: Path) -> None:
    (tmp_path / "?.json").write_text("{}")
    with pytest.raises(InputError, match="no name to call a list by"):
        WarningList.read(tmp_path / "?.json")


def test_what_is_on_several_lists_is_found_on_each(write: Write, tmp_path: Path) -> None:
    write("names", type="hostname", list=["example.com"])
    write("words", type="substring", list=["evil"])
    write("exact", list=["evil.example.com"])
    write("other", list=["evil.example.com"], matching_attributes=["url"])
    write("silent", type="regex", list=["."])
    modes = {"names": "block", "silent": "off"}
    found = WarningLists.load(shipped=False, folder=tmp_path, modes=modes)
    assert found.modes == {
        "exact": "inform", "names": "block", "other": "inform", "silent": "off", "words": "inform",
    }  # fmt: skip
    assert found.own == set(found.modes)
    values = ["good.net", "evil.example.com", "evil.net", "www.example.com"]
    assert found.screen(T.DOMAIN, values) == {"exact": [1], "names": [1, 3], "words": [1, 2]}
    assert found.screen(T.DOMAIN, []) == {}
    assert found.screen(T.MD5, ["ab" * 16]) == {}


def test_a_mode_for_no_list_is_an_error() -> None:
    with pytest.raises(ConfigError, match="there is no warning list 'sinkhole'"):
        WarningLists.load(modes={"sinkhole": "block"})


def test_the_digest_changes_with_whatever_changes_a_verdict(write: Write, tmp_path: Path) -> None:
    def digest(**modes: str) -> str:
        return WarningLists.load(shipped=False, folder=tmp_path, modes=modes).digest

    write("ours")
    seen = [digest(), digest(ours="block"), digest(ours="off")]
    assert digest(ours="inform") == seen[0], "the default, said or not"
    write("ours", list=["other.example.com"])
    seen.append(digest())
    write("more")
    seen.append(digest())
    write("ours", list=["other.example.com"], version=2)
    seen.append(digest())
    assert len(set(seen)) == len(seen)
    assert digest() == seen[-1]


def test_the_shipped_lists_are_small_and_whole() -> None:
    files = by_name(shipped_folder())
    packed = [
        f.read_bytes() if f.name.endswith(".gz") else gzip.compress(f.read_bytes()) for f in files.values()
    ]
    assert sum(map(len, packed)) < 600_000
    shipped = WarningLists.load()
    assert [one.name for one in shipped] == sorted(files)
    assert len(shipped) == len(files) == 24
    assert set(files) >= BLOCKED_UNLESS_SAID
    assert {name for name, mode in shipped.modes.items() if mode is Mode.BLOCK} == BLOCKED_UNLESS_SAID
    assert all(one.kinds and one.size and one.description for one in shipped)
    assert not shipped.own
    assert default_mode("whatever") is Mode.INFORM


def test_a_list_of_a_node_takes_the_place_of_a_shipped_one(write: Write, tmp_path: Path) -> None:
    write("public-dns-v4", type="cidr", list=["9.9.9.9"])
    found = WarningLists.load(folder=tmp_path)
    assert found.own == {"public-dns-v4"}
    assert found.modes["public-dns-v4"] is Mode.BLOCK
    assert found.screen(T.IPV4, ["8.8.8.8", "9.9.9.9"]) == {"public-dns-v4": [1]}
    assert WarningLists.load(folder=tmp_path / "none").screen(T.IPV4, ["8.8.8.8"]) == {"public-dns-v4": [0]}


def test_the_configuration_knows_the_modes() -> None:
    assert tuple(Mode) == WARNING_LIST_MODES


_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_fields = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("x") | _json, "description": _json, "version": st.just(1) | _json, "category": _json,
        "type": st.sampled_from(lists.ListType) | _json, "list": st.lists(st.text(max_size=12)) | _json,
        "matching_attributes": st.just(["ALL"]) | st.just(["ip-src|port", "domain"]) | _json,
    },
)  # fmt: skip


@given(_fields, st.lists(st.text("ab.@", min_size=1), max_size=3))
@settings(max_examples=400, deadline=None)
def test_a_hostile_list_is_refused_or_works(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any], values: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.json"
    path.write_text(json.dumps({"name": "x", "list": []} | fields))
    try:
        found = WarningList.read(path)
    except InputError as e:
        assert str(path) in str(e)  # noqa: PT017 (of many, some are lists)
        return
    for kind in found.kinds & {T.DOMAIN, T.MUTEX}:
        assert set(found.matcher.hits(kind, values)) <= set(range(len(values)))
