"""On the public feeds: no false alarm anywhere, and what is made by counting is found among them."""

from pathlib import Path

import numpy as np
import pytest

from exchange.guards import LIMITS, canaries, judge, judge_matches
from exchange.guards.canaries import _EMPTY_V4
from exchange.indicators import IndicatorType
from tests.exchange.guards import attacks, hidden, honest

pytestmark = pytest.mark.realdata

T = IndicatorType
PAGE = Path(__file__).parents[3] / "docs/guards.md"
LARGE = ("threatfox-ips", "ipsum", "maltrail-malware", "sekio-ips")


def test_no_honest_set_is_a_finding() -> None:
    assert len(honest.sets()) == 25
    assert {name: found for name, values in honest.sets().items() if (found := judge(values))} == {}


def test_no_honest_pair_is_a_finding() -> None:
    for kind, measures in honest.measured().items():
        assert [name for name, measure in measures.items() if LIMITS[kind].exceeded(measure)] == []
    assert len(honest.measured()["matched-prefix-16"]) == 876


def test_the_limits_state_what_was_measured() -> None:
    for kind, limit in LIMITS.items():
        assert honest.number(limit.honest) == honest.number(honest.worst(kind)[1])


def test_the_page_has_the_table() -> None:
    assert "\n".join(honest.table()) in PAGE.read_text()


@pytest.mark.parametrize(
    ("way", "name"),
    [(way, name) for way in hidden.WAYS for name in ("sekoia", "threatfox-ips", "tweetfeed-2026")
     if name in (hidden.NAMES if hidden.WAYS[way][0] is T.DOMAIN else hidden.ADDRESSES)],
)  # fmt: skip
def test_the_page_says_from_where_on_a_hidden_enumeration_is_found(way: str, name: str) -> None:
    feed = honest.sets()[name][hidden.WAYS[way][0]]
    n = hidden.found_from(feed, way)
    assert n is not None
    assert f"| {way} | {name}, {len(feed):,} | {n:,} | {n / (n + len(feed)):.0%} |" in PAGE.read_text()


def test_the_page_says_which_sweeps_a_match_shows() -> None:
    assert "\n".join(hidden.swept_table()) in PAGE.read_text()
    assert "\n".join(hidden.daily_table()) in PAGE.read_text()


@pytest.mark.parametrize("name", LARGE)
def test_a_part_of_a_feed_is_as_honest_as_the_feed(name: str) -> None:
    values = honest.sets()[name][T.IPV4]
    for n, seed in ((1000, 1), (1000, 2), (3000, 3), (10_000, 4)):
        part = np.random.default_rng(seed).choice(values, n, replace=False).tolist()
        assert judge({T.IPV4: part}) == ()


@pytest.mark.parametrize("name", LARGE)
def test_a_peer_that_sweeps_a_16_a_day_is_found_in_what_matched_over_two_months(name: str) -> None:
    ours = honest.sets()[name][T.IPV4]
    of_16 = np.array([value.rsplit(".", 2)[0] for value in ours])
    swept = set(np.random.default_rng(1).choice(np.unique(of_16), 60, replace=False).tolist())
    matched = [value for value, prefix in zip(ours, of_16.tolist(), strict=True) if prefix in swept]
    assert "matched-prefixes" in {f.kind for f in judge_matches({T.IPV4: ours}, {T.IPV4: matched})}


def test_a_feed_with_a_swept_16_in_it_is_found() -> None:
    for name in LARGE:
        found = judge({T.IPV4: honest.sets()[name][T.IPV4] + attacks.sweep_of_16()})
        assert "prefix-16-density" in {f.kind for f in found}


def test_canaries_are_in_no_feed() -> None:
    everything = {
        (kind, v) for found in honest.sets().values() for kind, values in found.items() for v in values
    }
    made = [one for peer in ("acme", "umbra", "globex") for one in canaries(bytes(32), peer, list(T), 2000)]
    assert not {(one.type, one.value) for one in made} & everything
    known = np.unique(np.concatenate(list(honest.addresses().values())))
    for network in _EMPTY_V4:
        low, high = int(network[0]), int(network[-1])
        assert not ((known >= low) & (known <= high)).any()


def test_no_canary_makes_an_honest_set_a_finding() -> None:
    """Our own set is judged with the canaries in it, before we commit to it."""
    for name in LARGE:
        planted = [one.value for one in canaries(bytes(32), "umbra", [T.IPV4], 64)]
        assert judge({T.IPV4: honest.sets()[name][T.IPV4] + planted}) == ()
