"""What must hold for every value of every type: canonical stays canonical, defanging changes nothing."""

import ipaddress
import re

import ioc_fanger
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange.indicators import (
    REASONS,
    Batch,
    Indicator,
    IndicatorType,
    canonicalise,
    defang,
    recognise,
    refang,
)
from exchange.indicators.addresses import NOT_GLOBAL_V4
from exchange.indicators.bitcoin import is_base58check
from exchange.indicators.digests import BY_LENGTH, LENGTHS
from exchange.indicators.urls import url_host
from tests.exchange.indicators.golden import CASES, outcome
from tests.exchange.indicators.texts import KINDS, TEXTS, VALUES

T = IndicatorType
SELF_EVIDENT = {
    T.IPV4, T.IPV6, T.CIDR, T.DOMAIN, T.URL, T.EMAIL, T.JA4, T.MAC, T.CVE, T.BTC, *BY_LENGTH.values()
}  # fmt: skip
"""The types whose values nobody needs to state the type of."""
NAMES = {T.MUTEX, T.FILE_NAME}
"""The types whose values may be in any script, and are not defanged as a rule."""
BESIDE_A_MARK = re.compile(r"[\s\[({\\][.@:/]|[.@:/][\s\])}\\]")
"""White space and brackets beside what is put in brackets are layout to ``refang`` (docs/profile.md)."""


def _check_canonical(found: Indicator) -> None:
    assert canonicalise(found.type, found.value) == found
    if found.type in SELF_EVIDENT:
        assert recognise(found.value) == found
    assert found.type in NAMES or found.value.isascii()
    assert found.value == found.value.strip()
    assert found.value.isprintable() or found.type in NAMES


@settings(max_examples=1000, deadline=None)
@given(KINDS, TEXTS)
@example(T.URL, "http://evil.com/[[.]]")
@example(T.URL, "http://evil.com/?q=\\\t.")
@example(T.URL, "http://evil.com/[\u200b.]")
@example(T.URL, "http://evil.com/a [.]")
@example(T.URL, "http://evil.com/hxxp:#")
@example(T.URL, "http://evil.com/?#?")
@example(T.DOMAIN, "İ.com")
@example(T.MUTEX, "Global\\ Local\\x")
@example(T.FILE_NAME, 'a/"b". .')
@example(T.FILE_NAME, "[(.)(.)]x")
def test_canonical_is_idempotent(kind: IndicatorType | str, text: str) -> None:
    first = outcome(kind, text)
    if isinstance(first, Indicator):
        _check_canonical(first)
    else:
        assert first in REASONS


@pytest.mark.parametrize("kind", [*VALUES], ids=str)
def test_canonical_is_idempotent_on_plausible_values(kind: IndicatorType) -> None:
    accepted = 0

    @settings(max_examples=60, deadline=None)
    @given(VALUES[kind], st.sampled_from([str, str.upper, str.lower, " {}\u200b".format]))
    def check(value: str, spelled) -> None:
        nonlocal accepted
        found = outcome(kind, spelled(value))
        if isinstance(found, Indicator):
            accepted += 1
            _check_canonical(found)

    check()
    assert accepted > 10, "the values are plausible"


@pytest.mark.parametrize(("kind", "text", "_expected"), CASES)
def test_golden_results_are_canonical(kind: str, text: str, _expected: str) -> None:
    if isinstance(found := outcome(kind, text), Indicator):
        _check_canonical(found)


FANGS = {
    "ours": defang,
    "ioc-fanger": ioc_fanger.defang,
    "parentheses": lambda v: v.replace(".", "(.)").replace("http", "hXXp"),
    "words": lambda v: v.replace(".", " [dot] ").replace("@", " [at] "),
    "braces": lambda v: v.replace(".", "{.}").replace("://", "[://]"),
    "backslashes": lambda v: v.replace(".", "\\.").replace("@", "(@)"),
    "markdown": lambda v: v.replace(".", "\\[.\\]"),
}


@pytest.mark.parametrize("fang", FANGS)
@pytest.mark.parametrize("kind", [k for k in VALUES if k not in NAMES], ids=str)
def test_defanging_changes_nothing(kind: IndicatorType, fang: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(VALUES[kind])
    def check(value: str) -> None:
        defanged = FANGS[fang](value)
        assert outcome(kind, defanged) == outcome(kind, value)
        assert outcome(kind, refang(defanged)) == outcome(kind, value)
        if kind in SELF_EVIDENT:
            assert outcome("any", defanged) == outcome("any", value)

    check()


@pytest.mark.parametrize("kind", sorted(NAMES), ids=str)
@pytest.mark.parametrize("fang", ["ours", "ioc-fanger"])
def test_names_survive_being_defanged_and_refanged(kind: IndicatorType, fang: str) -> None:
    @settings(max_examples=50, deadline=None)
    @given(VALUES[kind].filter(lambda v: refang(v) == v and not BESIDE_A_MARK.search(v)))
    @example("0 setup.exe")
    @example("a{b}.c")
    def check(value: str) -> None:
        assert outcome(kind, refang(FANGS[fang](value))) == outcome(kind, value)

    check()


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_the_fast_path_knows_the_table(address: ipaddress.IPv4Address) -> None:
    special = any(address in network for network in NOT_GLOBAL_V4)
    plain = Indicator(T.IPV4, str(address))
    for text in (str(address), f"{address}:443", f"[::ffff:{address}]"):
        assert outcome("any", text) == ("not-global" if special else plain)


@settings(deadline=None, max_examples=50)
@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_networks_are_those_of_the_standard_library(address: ipaddress.IPv4Address, bits: int) -> None:
    network = ipaddress.IPv4Network((address, bits), strict=False)
    found = outcome("cidr", f"{address}/{bits}")
    assert outcome("cidr", f"::ffff:{address}/{96 + bits}") == found
    if any(network.overlaps(special) for special in NOT_GLOBAL_V4):
        assert found == "not-global"
    else:
        assert found == (Indicator(T.CIDR, str(network)) if bits < 32 else Indicator(T.IPV4, str(address)))


@settings(deadline=None)
@given(st.ip_addresses(v=6, network="2a00::/12"))
def test_ipv6_is_rfc_5952(address: ipaddress.IPv6Address) -> None:
    assert canonicalise(T.IPV6, address.exploded.upper()).value == address.compressed


@settings(deadline=None, max_examples=50)
@given(
    st.ip_addresses(v=4).filter(lambda a: isinstance(outcome("ipv4", str(a)), Indicator)), st.integers(0, 4)
)
def test_the_host_of_a_url_may_be_written_as_any_number(address: ipaddress.IPv4Address, form: int) -> None:
    a, b, c, d = address.packed
    written = [
        str(int(address)), hex(int(address)), f"0{int(address):o}", f"{a:#x}.{b << 16 | c << 8 | d}",
        f"0{a:o}.{b}.{c << 8 | d:#X}",
    ][form]  # fmt: skip
    assert outcome("url", f"http://{written}/x") == Indicator(T.URL, f"http://{address}/x")
    assert outcome("url-host", written) == Indicator(T.URL_HOST, str(address))


@settings(deadline=None, max_examples=100)
@given(VALUES[T.URL])
def test_the_host_of_a_url_is_the_host_alone(value: str) -> None:
    url = outcome("url", value)
    if isinstance(url, Indicator):
        host = url_host(url)
        assert outcome("url-host", value) == outcome("url-host", host.value) == host
        assert outcome("any", host.value).value == host.value, "the same value as the address or domain alone"
        made = Batch.of([(value, T.URL, None)], url_hosts=True)
        assert made.values[T.URL_HOST] == [host.value]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_asplain_and_asdot_are_one_number(number: int) -> None:
    plain = outcome("asn", f"AS{number}")
    assert outcome("asn", f"{number >> 16}.{number & 0xFFFF}") == plain
    assert plain in (Indicator(T.ASN, str(number)), "not-global")


@settings(deadline=None, max_examples=50)
@given(st.binary(min_size=6, max_size=6))
def test_spellings_of_a_mac_address_are_one(octets: bytes) -> None:
    digits = octets.hex()
    pairs = [digits[i : i + 2] for i in range(0, 12, 2)]
    spelled = [
        ":".join(pairs),
        "-".join(pairs).upper(),
        ".".join(digits[i : i + 4] for i in (0, 4, 8)),
        digits,
    ]
    assert len({outcome("mac", text) for text in spelled}) == 1
    assert outcome("mac", ":".join(f"{o:x}" for o in octets)) == outcome("mac", digits)


def test_no_digest_is_taken_for_another_type() -> None:
    for kind, (length, *_) in LENGTHS.items():
        value = "1" + "ab" * (length // 2 - 1) + "c"
        assert outcome(kind, value) == Indicator(kind, value)
        assert outcome("any", value) == Indicator(BY_LENGTH[length], value)
        assert not is_base58check(value)
