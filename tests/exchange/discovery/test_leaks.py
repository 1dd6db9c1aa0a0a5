"""What is printed beside a result says what that very way to count and to tell discloses."""

from dataclasses import replace

import pytest

from crypto.secagg import discovery, strict
from exchange.aggregation.leaks import leaks
from exchange.aggregation.lots import Parts
from exchange.aggregation.round import Learns
from exchange.discovery.preparing import plan_of
from tests.exchange.discovery.alliance import SEARCH

MODES = {
    "individual": SEARCH,
    "all": replace(SEARCH, learns=Learns.ALL),
    "collective": replace(SEARCH, learns=Learns.COLLECTIVE),
    "strict": replace(SEARCH, largest=8),
}
SAID = {
    "individual": ["which of its own items", "counter's word", "of how many items that is true in all"],
    "all": ["which items are found", "also those that it does not hold", "which member holds which of the"],
    "collective": ["and not of which", "how many of these somebody else holds"],
    "strict": ["how many places of the tables", "It learns nothing of any other item"],
}


def said(alliance, mode, **how):
    return " ".join(leaks(replace(plan_of(alliance.members["erin"].office, MODES[mode]), **how)))


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_has_a_text_of_its_own(alliance, mode):
    ours = said(alliance, mode)
    assert all(sentence in ours for sentence in SAID[mode])
    others = [sentence for other in SAID if other != mode for sentence in SAID[other][-1:]]
    assert not any(sentence in ours for sentence in others)


@pytest.mark.parametrize("mode", MODES)
def test_every_coalition_is_named(alliance, mode):
    ours = said(alliance, mode)
    named = (
        "Counter and relay together",
        "The counter and a member together",
        "one fewer than the threshold",
    )
    assert all(words in ours for words in (*named, "Together with the relay", "every copy of a sealed batch"))
    assert discovery.LEAKS.keys() - strict.LEAKS.keys() == {"counter and a helper"}


def test_a_member_with_two_parts_is_named(alliance):
    parts = Parts(relay="alice", counter="bob", helpers=("alice", "carol"))
    assert said(alliance, "all", parts=parts) == f"{said(alliance, 'all')} {parts.overlap}"
    assert parts.overlap


@pytest.mark.parametrize("mode", ["individual", "all", "collective"])
async def test_only_where_all_learn_them_does_the_relay_have_the_items(alliance, mode):
    async with alliance.serving():
        await alliance.ask_all(MODES[mode])
    files = [
        path for path in (alliance.folder / "alice" / "discoveries").rglob("*.outcome") if path.is_file()
    ]
    assert files
    assert any(b"c.example" in path.read_bytes() for path in files) is (mode == "all")
