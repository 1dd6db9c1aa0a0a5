"""A peer that swept ranges is told from one that holds an overlapping feed."""

import numpy as np

from exchange.guards import Finding, judge_matches
from exchange.indicators import IndicatorType
from tests.exchange.guards import attacks
from tests.exchange.guards.test_enumeration import observed

T = IndicatorType
NAMES = attacks.random_letters(2000, 12)


def kinds(ours: list[str], matched: list[str]) -> set[str]:
    found = judge_matches({T.IPV4: ours}, {T.IPV4: matched})
    assert all(f.type is T.IPV4 and f.measure > f.threshold for f in found)
    return {f.kind for f in found}


def within(values: list[str], prefix: str) -> list[str]:
    return [value for value in values if value.startswith(prefix)]


def some(values: list[str], share: float, seed: int = 2) -> list[str]:
    return np.random.default_rng(seed).permutation(values)[: int(share * len(values))].tolist()


def feed_with(n: int) -> list[str]:
    """A feed, and so many addresses in one /16, each in a /24 of its own."""
    return [
        *(v for v in observed(20_000) if not v.startswith("93.184.")),
        *(f"93.184.{i}.7" for i in range(n)),
    ]


def test_nothing_matched_or_nothing_put_in_is_no_finding() -> None:
    assert judge_matches({}, {}) == judge_matches({T.IPV4: observed(100)}, {}) == ()
    assert judge_matches({T.DOMAIN: NAMES}, {T.DOMAIN: NAMES}) == ()


def test_feeds_that_overlap_are_no_finding() -> None:
    ours = feed_with(60)
    for share in (0.01, 0.1, 0.3, 0.7, 0.99, 1):
        assert kinds(ours, some(ours, share)) == set()


def test_a_swept_16_is_found_where_we_hold_much_of_it() -> None:
    assert kinds(feed_with(40), within(feed_with(40), "93.184.")) == {"matched-prefixes"}
    assert kinds(feed_with(41), within(feed_with(41), "93.184.")) == {"matched-prefixes", "matched-prefix-16"}
    assert kinds(feed_with(20), within(feed_with(20), "93.184.")) == set(), "we hold too little of it"


def test_a_real_feed_beside_the_sweep_does_not_hide_it() -> None:
    ours = feed_with(60)
    swept = within(ours, "93.184.")
    assert kinds(ours, sorted({*swept, *some(ours, 0.04)})) == {"matched-prefix-16"}
    assert kinds(ours, sorted({*swept, *some(ours, 0.08)})) == set(), "a larger one does"


def test_one_address_that_is_missed_is_no_sweep() -> None:
    ours = feed_with(60)
    assert kinds(ours, within(ours, "93.184.")[1:]) == set()


def test_neighbours_are_one_observation() -> None:
    """A feed may well have a whole network that we have."""
    ours = [*observed(20_000), *(f"93.184.7.{i}" for i in range(256))]
    assert kinds(ours, within(ours, "93.184.7.")) == set()


def test_a_swept_8_is_found() -> None:
    ours = observed(50_000)
    first = max(
        {v.split(".")[0] for v in ours}, key=lambda o: len({v.split(".")[1] for v in within(ours, f"{o}.")})
    )
    extra = [f"{first}.{i}.9.9" for i in range(60)]
    assert "matched-prefix-8" in kinds([*ours, *extra], within([*ours, *extra], f"{first}."))


def test_a_sweep_of_several_16_matches_all_or_nothing() -> None:
    ours = observed(20_000)
    sixteens = sorted({v.rsplit(".", 2)[0] for v in ours})[:30]
    swept = [v for v in ours if v.rsplit(".", 2)[0] in sixteens]
    assert len(swept) < len(ours) / 4
    assert kinds(ours, swept) == {"matched-prefixes"}


def test_all_addresses_and_no_name_is_found_and_all_of_both_is_not() -> None:
    ours = {T.IPV4: observed(20_000), T.DOMAIN: NAMES}
    (found,) = judge_matches(ours, {T.IPV4: ours[T.IPV4], T.DOMAIN: NAMES[:20]})
    assert (found.kind, found.threshold) == ("matched-all", 255)
    assert (
        judge_matches(ours, ours) == judge_matches(ours, {T.IPV4: ours[T.IPV4], T.DOMAIN: NAMES[:21]}) == ()
    )
    assert judge_matches({T.IPV4: ours[T.IPV4]}, {T.IPV4: ours[T.IPV4]}) == (), "nothing to compare with"


def test_a_finding_holds_no_value_and_no_place() -> None:
    ours = feed_with(60)
    found = judge_matches({T.IPV4: ours}, {T.IPV4: within(ours, "93.184.")})
    assert found[0] == Finding("matched-prefix-16", T.IPV4, 60, 40)
    assert "93.184" not in repr(found)
