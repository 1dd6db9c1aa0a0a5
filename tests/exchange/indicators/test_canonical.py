"""The canonical profile: golden cases, then what must hold for every value."""

import ipaddress
import re
from pathlib import Path

import ioc_fanger
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange.indicators import (
    REASONS,
    Indicator,
    IndicatorType,
    Refused,
    canonicalise,
    defang,
    recognise,
    refang,
)
from exchange.indicators.addresses import NOT_GLOBAL_V4

GOLDEN = Path(__file__).parent / "golden.tsv"


def _golden():
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            kind, written, expected = line.split("\t")
            text = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), written)
            yield kind, text, expected


def _canonical(kind: str, text: str) -> Indicator:
    return recognise(text) if kind == "any" else canonicalise(IndicatorType(kind), text)


def _outcome(kind: str, text: str) -> Indicator | str:
    """The canonical form, or the reason why there is none."""
    try:
        return _canonical(kind, text)
    except Refused as e:
        return e.reason


def _expected(kind: str, text: str) -> Indicator:
    named, _, value = text.partition(":")
    if named in set(IndicatorType):
        return Indicator(IndicatorType(named), value)
    return Indicator(IndicatorType(kind), text)


CASES = list(_golden())


@pytest.mark.parametrize(("kind", "text", "expected"), CASES)
def test_golden(kind: str, text: str, expected: str) -> None:
    if expected.startswith("!"):
        assert _outcome(kind, text) == expected[1:]
    else:
        assert _outcome(kind, text) == _expected(kind, expected)


@pytest.mark.parametrize("text", ["secret-name.local", "secret-name.exe", "10.9.8.7", "secret-name://x"])
def test_a_refusal_says_why_never_what(text: str) -> None:
    with pytest.raises(Refused) as refused:
        recognise(text)
    assert text not in str(refused.value) + repr(refused.value)


def test_every_reason_is_documented_and_used() -> None:
    golden = {expected[1:] for _, _, expected in CASES if expected.startswith("!")}
    elsewhere = {"too-long", "unsupported-type"}  # tested below, and with the readers
    assert golden | elsewhere == set(REASONS)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (IndicatorType.URL, "http://evil.com/" + "a" * 9000),
        (IndicatorType.URL, "http://evil.com/" + "ü" * 3000),
        (IndicatorType.DOMAIN, "a." * 130 + "com"),
        (IndicatorType.EMAIL, "a" * 60 + "@" + "b." * 100 + "com"),
    ],
)
def test_length_is_bounded(kind: IndicatorType, text: str) -> None:
    with pytest.raises(Refused, match="too-long"):
        canonicalise(kind, text)


# Texts that look like something: parts of all the types put together at random, between heads and tails that
# make them pass as one.
_FANGED = ["http://", "hxxp", "ftp://", "https[:]//", "[.]", "(dot)", "[at]"]
_PLAIN = [
    "com",
    ".com",
    ".co.uk",
    "xn--",
    "8.8.8.8",
    "::",
    "ffff",
    "2606:4700::",
    "/24",
    ":80",
    "%2e",
    "%00",
    "..",
]
_ODD = ["ß", "\u200b", "\ufeff", "\u0308", "é", "İ", "。", "\uff0e", "\uff11", "\u0149", "①", "㎏", "💀"]
_PIECES = st.sampled_from(
    [*"abcXYZ019._-/:@[](){}%#?&=+*~^$!'\",;|<>\\ \t\n\r\0\xa0\x85\ud800", *_FANGED, *_PLAIN, *_ODD]
)
_HEADS = st.sampled_from(
    ["", "", "http://", "http://evil.com/", "ftp://evil.com/?", "hxxp://", "a@", "8.8.", "2606:"]
)
_TAILS = st.sampled_from(["", "", ".com", ".example.com/", "@evil.com", "::1", "/24", ".8.8"])
_MIDDLES = st.one_of(st.text(max_size=20), st.lists(_PIECES, max_size=10).map("".join))
_TEXTS = st.builds("{}{}{}".format, _HEADS, _MIDDLES, _TAILS)
_KINDS = st.sampled_from([*IndicatorType, "any"])


@settings(max_examples=1000, deadline=None)
@given(_KINDS, _TEXTS)
@example(IndicatorType.URL, "http://evil.com/[[.]]")
@example(IndicatorType.URL, "http://evil.com/?q=\\\t.")
@example(IndicatorType.URL, "http://evil.com/[\u200b.]")
@example(IndicatorType.URL, "http://evil.com/a [.]")
@example(IndicatorType.URL, "http://evil.com/hxxp:#")
@example(IndicatorType.DOMAIN, "İ.com")
def test_canonical_is_idempotent(kind: IndicatorType | str, text: str) -> None:
    first = _outcome(kind, text)
    if isinstance(first, Indicator):
        assert canonicalise(first.type, first.value) == first
        assert recognise(first.value) == first
        assert first.value.isascii()
    else:
        assert first in REASONS


_LABELS = st.from_regex(r"[a-z0-9](?:[a-z0-9_-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda s: "--" not in s
)
_DOMAINS = st.builds(lambda labels: ".".join([*labels, "com"]), st.lists(_LABELS, min_size=1, max_size=3))
_ADDRESSES = st.ip_addresses(v=4).map(str)
_VALUES = st.one_of(
    _DOMAINS,
    _ADDRESSES,
    st.builds(
        "http://{}/{}".format,
        st.one_of(_DOMAINS, _ADDRESSES),
        st.from_regex(r"[a-z0-9/]{0,9}", fullmatch=True),
    ),
    st.builds("{}@{}".format, _LABELS, _DOMAINS),
)
_FANGS = st.sampled_from(
    [
        defang,
        ioc_fanger.defang,
        lambda v: v.replace(".", "(.)").replace("http", "hXXp"),
        lambda v: v.replace(".", " [dot] ").replace("@", " [at] "),
        lambda v: v.replace(".", "{.}").replace("://", "[://]"),
        lambda v: v.replace(".", "\\.").replace("@", "(@)"),
    ]
)


@settings(deadline=None)
@given(_VALUES, _FANGS)
def test_defanging_changes_nothing(value: str, fang) -> None:
    assert _outcome("any", fang(value)) == _outcome("any", value)
    assert _outcome("any", refang(fang(value))) == _outcome("any", value)


def test_a_defanged_value_is_no_link() -> None:
    assert defang("http://evil.com/a.b") == "hxxp[:]//evil[.]com/a[.]b"
    assert defang("bad@evil.com") == "bad[@]evil[.]com"


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_the_fast_path_knows_the_table(address: ipaddress.IPv4Address) -> None:
    special = any(address in network for network in NOT_GLOBAL_V4)
    plain = Indicator(IndicatorType.IPV4, str(address))
    assert _outcome("any", str(address)) == ("not-global" if special else plain)


@pytest.mark.parametrize("network", NOT_GLOBAL_V4, ids=str)
def test_the_edges_of_special_networks(network: ipaddress.IPv4Network) -> None:
    for address in (network[0], network[-1]):
        with pytest.raises(Refused, match="not-global"):
            recognise(str(address))
    for address in (int(network[0]) - 1, int(network[-1]) + 1):
        if 0 <= address < 2**32 and not any(ipaddress.IPv4Address(address) in n for n in NOT_GLOBAL_V4):
            assert recognise(str(ipaddress.IPv4Address(address))).type is IndicatorType.IPV4


@settings(deadline=None)
@given(st.ip_addresses(v=6, network="2a00::/12"))
def test_ipv6_is_rfc_5952(address: ipaddress.IPv6Address) -> None:
    assert canonicalise(IndicatorType.IPV6, address.exploded.upper()).value == address.compressed
