"""The canonical profile: golden cases, bounds, and what a refusal may tell."""

import ipaddress
import time

import pytest

from exchange.indicators import (
    PROFILE,
    REASONS,
    IndicatorType,
    Refused,
    canonicalise,
    defang,
    recognise,
    refang,
)
from exchange.indicators.addresses import NOT_GLOBAL_V4
from exchange.indicators.canonical import RULES
from exchange.indicators.digests import LENGTHS, MEANINGLESS
from tests.exchange.indicators.golden import CASES, digest, expected_outcome, outcome

# The outcome of every golden case, under the name of the profile. Cases may be added: then the new digest
# goes here. A case whose outcome changes is another profile: it gets another name, or two nodes that run
# different versions lose matches in silence.
PINNED = {"cti-c14n/1": "7538620120e415b7d409aee0cc3f2f239ea9c910b287487bc0e983c56d28f21f"}

# Given by readers, and tested with them.
OF_READERS = {
    "unsupported-type", "victim-field", "not-for-detection", "revoked", "pattern-and", "pattern-followedby",
    "pattern-comparison", "pattern-qualifier", "pattern-language", "bad-pattern", "bad-composite",
    "bad-object",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "expected"), CASES)
def test_golden(kind: str, text: str, expected: str) -> None:
    assert outcome(kind, text) == expected_outcome(kind, expected)


def test_the_rules_are_those_of_their_name() -> None:
    assert {PROFILE: digest()} == PINNED, "read what is written above PINNED"


def test_every_type_and_every_reason_has_a_golden_case() -> None:
    assert set(RULES) == set(IndicatorType)
    assert {kind for kind, _, _ in CASES} == {*IndicatorType, "any"}
    accepted = {kind for kind, _, expected in CASES if not expected.startswith("!")}
    refused = {kind for kind, _, expected in CASES if expected.startswith("!")}
    assert accepted == refused == {*IndicatorType, "any"}
    golden = {expected[1:] for _, _, expected in CASES if expected.startswith("!")}
    assert golden | OF_READERS | {"too-long"} == set(REASONS)
    assert not golden & OF_READERS


@pytest.mark.parametrize("text", ["secret-name.local", "secret-name.exe", "10.9.8.7", "secret-name://x"])
def test_a_refusal_says_why_never_what(text: str) -> None:
    with pytest.raises(Refused) as refused:
        recognise(text)
    assert text not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (IndicatorType.URL, "http://evil.com/" + "a" * 9000),
        (IndicatorType.URL, "http://evil.com/" + "ü" * 3000),
        (IndicatorType.DOMAIN, "a." * 130 + "com"),
        (IndicatorType.EMAIL, "a" * 60 + "@" + "b." * 100 + "com"),
        (IndicatorType.MUTEX, "m" * 261),
        (IndicatorType.FILE_NAME, "f" * 252 + ".exe"),
    ],
)
def test_length_is_bounded(kind: IndicatorType, text: str) -> None:
    with pytest.raises(Refused, match="too-long"):
        canonicalise(kind, text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 8000, "[" * 4000 + "." + "]" * 4000, "\\" * 8000 + ".", "[\\" * 2700 + "." + "]" * 2700,
        " " * 4000 + "[" + " " * 4000, "x" + " " * 8000 + "y", "[." * 4000, "[at" * 2700, "h**p:" * 1600,
        "[" * 2000 + ":" + "[/]" * 2 + "]" * 2000, "a." * 4000 + "com", "a-" * 4000 + ".com", "1:" * 4000,
        "a.a" * 2600 + "@", "http://" + "[" * 8000, "http://evil.com/" + "../" * 2700, "9" * 8000,
        "AS" + "9" * 8000, "CVE-2021-" + "9" * 8000, "xn--" * 2000 + ".com", "http://" + "%2e" * 2700,
        "bc1" + "q" * 8000, "\u0308" * 8000, "Global\\" * 1000, "/" * 8000, "." * 8000, "x." + " ." * 4000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_no_value_is_slow(text: str) -> None:
    """A line may be hostile. The worst of these takes milliseconds; the square of its length is seconds."""
    start = time.process_time()
    for kind in ("any", *IndicatorType):
        outcome(kind, text)
    assert time.process_time() - start < 1


def test_a_defanged_value_is_no_link() -> None:
    assert defang("http://evil.com/a.b") == "hxxp[:]//evil[.]com/a[.]b"
    assert defang("bad@evil.com") == "bad[@]evil[.]com"


@pytest.mark.parametrize(
    ("defanged", "meant"),
    [
        ("evil[.]com", "evil.com"),
        ("evil (dot) com", "evil.com"),
        ("evil\\[.\\]com", "evil.com"),
        ("[[[.]]]", "."),
        ("[:[/]/]", "://"),
        ("hXXps[:]//x", "https://x"),
        ("h[tt]p://x", "http://x"),
        ("fxp://x", "ftp://x"),
        ("http://x", "http://x"),
        ("a[0] {b}", "a[0] {b}"),
    ],
)
def test_refang(defanged: str, meant: str) -> None:
    assert refang(defanged) == meant


@pytest.mark.parametrize("network", NOT_GLOBAL_V4, ids=str)
def test_the_edges_of_special_networks(network: ipaddress.IPv4Network) -> None:
    for address in (network[0], network[-1]):
        assert outcome("any", str(address)) == outcome("any", f"{address}:53") == "not-global"
    for address in (int(network[0]) - 1, int(network[-1]) + 1):
        if 0 <= address < 2**32 and not any(ipaddress.IPv4Address(address) in n for n in NOT_GLOBAL_V4):
            assert recognise(str(ipaddress.IPv4Address(address))).type is IndicatorType.IPV4


def test_digests_of_nothing_are_of_every_length() -> None:
    assert {len(value) for value in MEANINGLESS} == {n for lengths in LENGTHS.values() for n in lengths}
    assert len(MEANINGLESS) == 7 + 6, "zeros of every length, six algorithms"
