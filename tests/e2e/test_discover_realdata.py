"""Five members, each with a public feed, find the addresses that many of them hold: exactly those."""

from collections import Counter

import pytest

from exchange.indicators.readers import read
from exchange.indicators.warninglists import Mode, shipped_folder
from exchange.indicators.warninglists.lists import by_name
from exchange.store.warninglists import set_modes
from tests.e2e.discoveries import discover, serving, values
from tests.e2e.nodes import members
from tests.e2e.test_realdata import FEEDS, take_in
from tests.realdata import data_dir

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
HOLDERS = {"ann": "ipsum", "ben": "sekio", "clara": "threatfox", "dora": "tweetfeed", "emil": "maltrail"}
DOCUMENTED = {2: 46_441, 3: 709, 4: 77, 5: 0}
DISTINCT = 414_005
NOT_GLOBAL = 8
"""Addresses that the profile refuses: 7 of carriers in one feed, 1 in another; none is in a second one."""


def addresses(name: str) -> set[str]:
    """What a feed gives, read without a store."""
    found: set[str] = set()
    for batch in read(data_dir() / FEEDS[name]):
        found.update(batch.values.get("ipv4", ()))
    return found


@pytest.mark.timeout(1800)
def test_five_feeds(tmp_path, capsys):
    held = {member: addresses(feed) for member, feed in HOLDERS.items()}
    counts = Counter(value for each in held.values() for value in each)
    assert len(counts) + NOT_GLOBAL == DISTINCT
    homes = members(tmp_path, *HOLDERS, reachable=True)
    for home in homes:
        set_modes(home, sorted(by_name(shipped_folder())), Mode.OFF)  # the published overlaps know no lists
        take_in(home, HOLDERS[home.member], own=True)
    strict = ("--strict", "--largest", str(max(map(len, held.values()))), "--max-seconds", "600")
    asked = [(threshold, ()) for threshold in DOCUMENTED] + [(3, strict), (4, strict)]
    with serving(homes):
        for threshold, how in asked:
            shared = {value for value, count in counts.items() if count >= threshold}
            assert len(shared) == DOCUMENTED[threshold]
            arguments = ("--threshold", str(threshold), "--type", "ipv4", "--wait", "900", *how)
            results = discover(homes, *arguments, timeout_s=1000)
            for member, result in results.items():
                assert result["code"] == 0, result
                assert result["counted"] == len(HOLDERS)
                assert values(result) == shared & held[member]
            found = set().union(*map(values, results.values()))
            assert len(found) == DOCUMENTED[threshold]
            if not how:
                assert {result["result"]["count"] for result in results.values()} == {len(shared)}
            with capsys.disabled():
                costs = ", ".join(
                    f"{member} {r['sizes']['ours']:,}: {r['seconds']['total']:.1f} s"
                    f" ({r['seconds']['crypto']:.1f} computing), {r['bytes']['sent'] / 1e6:.1f} MB sent"
                    for member, r in results.items()
                )
                mode = "strictly " if how else ""
                print(f"\n{mode}at least {threshold}: {len(found):,}; {costs}")  # noqa: T201
