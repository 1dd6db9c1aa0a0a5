"""Sets that were made by counting are told from sets that were observed."""

from itertools import pairwise

import numpy as np
import pytest

from exchange.guards import LIMITS, Finding, judge
from exchange.guards.enumeration import measures
from exchange.guards.prefixes import numbers, prefixes, spread
from exchange.indicators import IndicatorType
from tests.exchange.guards import attacks

T = IndicatorType


def kinds(kind: IndicatorType, values: list[str]) -> set[str]:
    found = judge({kind: values})
    assert all(f.type is kind and LIMITS[f.kind].exceeded(f.measure) for f in found)
    return {f.kind for f in found}


def observed(n: int, seed: int = 1) -> list[str]:
    """Addresses as feeds have them: a few in each of many small networks, which lie in some /16."""
    rng = np.random.default_rng(seed)
    sixteens = rng.choice(np.arange(256, 223 * 256), 600, replace=False)
    networks = rng.choice(sixteens, n // 4) * 256 + rng.integers(0, 256, n // 4)
    return attacks.dotted(np.unique(rng.choice(networks, n) * 256 + rng.integers(0, 256, n)))


def test_addresses_become_numbers_in_order_and_once() -> None:
    assert numbers(["2.0.0.1", "1.2.3.4", "2.0.0.1"]).tolist() == [0x01020304, 0x02000001]
    assert attacks.dotted(numbers(["255.254.1.0", "1.2.3.4"])) == ["1.2.3.4", "255.254.1.0"]


def test_prefixes_are_counted() -> None:
    addresses = numbers(["9.9.0.1", "9.9.0.2", "9.9.7.1", "9.8.0.1", "8.0.0.1"])
    assert prefixes(addresses, 8).counts.tolist() == [1, 4]
    assert prefixes(addresses, 16).counts.tolist() == [1, 1, 3]
    assert prefixes(addresses, 16).of.tolist() == [0, 1, 2, 2, 2]
    assert spread(addresses, 16, 24).tolist() == [1, 1, 2]


def test_what_looks_observed_is_no_finding() -> None:
    for n in (1, 2, 100, 1000, 5000, 50_000):
        assert judge({T.IPV4: observed(n + 8)}) == ()
    assert judge({}) == judge({T.IPV4: [], T.DOMAIN: []}) == judge({T.IPV4: ["8.8.8.8"]}) == ()


def test_a_swept_16_fills_it() -> None:
    found = judge({T.IPV4: attacks.sweep_of_16()})
    assert Finding("prefix-16-density", T.IPV4, 1.0, 0.125) in found
    assert Finding("address-run", T.IPV4, 65_536.0, 8192) in found


@pytest.mark.parametrize("way", ["in-order", "strided", "random"])
def test_every_daily_set_of_a_swept_8_is_found(way: str) -> None:
    for day in (0, 255):
        assert kinds(T.IPV4, attacks.days_of_8(day, way=way)) >= {"prefix-8-density", "prefix-8-share"}


@pytest.mark.parametrize("n", [2000, 10_000, 100_000])
def test_random_addresses_do_not_cluster(n: int) -> None:
    values = attacks.uniform(n)
    assert kinds(T.IPV4, values) == {"even-spread"}
    assert measures(T.IPV4, values)["even-spread"] == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("step", [10_000, 40_000, 65_536, 1_000_003])
def test_strides_are_found(step: int) -> None:
    assert {"address-stride", "even-spread"} <= kinds(T.IPV4, attacks.strided(step))


def test_a_hidden_part_of_a_16_is_found_by_how_much_of_it_is_held() -> None:
    feed = observed(60_000)
    quiet = attacks.part_of_16(8000, 1)
    assert kinds(T.IPV4, feed + quiet) == set()
    assert kinds(T.IPV4, feed + attacks.part_of_16(8400, 1)) == {"prefix-16-density"}
    assert kinds(T.IPV4, observed(20_000) + quiet) == {"prefix-16-share"}


def test_a_small_set_in_one_place_is_usual() -> None:
    assert kinds(T.IPV4, attacks.part_of_16(255, 1)) == set()
    assert kinds(T.IPV4, attacks.part_of_16(256, 1)) == {"prefix-16-share"}


@pytest.mark.parametrize(
    "names",
    [
        attacks.letters(attacks.DAILY),
        attacks.letters(1000),
        attacks.random_letters(attacks.DAILY, 4),
        attacks.random_letters(attacks.DAILY, 5),
        attacks.numbered(20_000, "host{}.example.com"),
        attacks.numbered(20_000, "{:05}-login.net"),
        attacks.dictionary(200),
        attacks.dictionary(200, between=""),
    ],
    ids=["letters", "few", "random-4", "random-5", "numbered", "zeros", "dictionary", "joined"],
)
def test_made_names_are_found(names: list[str]) -> None:
    assert kinds(T.DOMAIN, names) == kinds(T.URL_HOST, names) == {"name-series"}


def test_urls_in_series_are_found() -> None:
    assert kinds(T.URL, attacks.numbered(20_000, "http://example.com/{}")) == {"name-series"}


def test_long_random_names_are_as_many_feeds_have_them() -> None:
    """What malware makes for itself is observed, and not counted."""
    assert kinds(T.DOMAIN, attacks.random_letters(20_000, 12)) == set()
    assert kinds(T.DOMAIN, attacks.letters(999)) == set(), "too few to say"


def test_a_hidden_series_is_found_by_its_share() -> None:
    feed = attacks.random_letters(20_000, 12)
    found = [judge({T.DOMAIN: feed + attacks.letters(n)}) for n in (0, 1000, 4000, 20_000)]
    assert [len(f) for f in found] == [0, 0, 1, 1]
    shares = [measures(T.DOMAIN, feed + attacks.letters(n))["name-series"] for n in (1000, 4000, 20_000)]
    assert all(less < more for less, more in pairwise(shares))


def test_other_types_are_not_judged() -> None:
    digests = [f"{i:032x}" for i in range(5000)]
    assert judge({T.MD5: digests, T.CVE: [f"CVE-2024-{i}" for i in range(10_000, 15_000)]}) == ()


def test_a_finding_holds_no_value_and_no_place() -> None:
    found = judge({T.IPV4: attacks.sweep_of_16(), T.DOMAIN: attacks.letters(5000)})
    text = repr(found)
    assert len(found) > 3
    assert "93.184" not in text
    assert "aaaa" not in text
    assert all(len(f.kind) <= 31 and f.kind.replace("-", "").isalnum() and f.kind.islower() for f in found)
    assert set(LIMITS) >= {f.kind for f in found}
