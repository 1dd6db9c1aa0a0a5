"""Opening an aggregation: which earlier attempts it gives up, and what forbids it."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from exchange.aggregation import entries
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import MAX_ABANDONS, Measure, Opening
from exchange.aggregation.vector import Filled
from exchange.clock import utc_now
from exchange.config import Home
from exchange.counting import coordinating
from exchange.counting.world import Ending
from exchange.errors import InputError
from exchange.indicators import Indicator, IndicatorType
from exchange.ledger.draft import Draft
from exchange.node import Node
from exchange.store.aggregations import KEPT, Aggregations
from exchange.together.convening import Plan, convene
from tests.e2e.nodes import members

DICTIONARY = Dictionary.of(Indicator(IndicatorType.DOMAIN, f"d{n}.example.com") for n in range(8))
PLAN = Plan(
    dictionary=DICTIONARY, measure=Measure.COUNT, window=(date(2026, 2, 1), date(2026, 2, 28)),
    purpose="demonstration", step_s=1,
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return members(tmp_path, "alice", "bob", "carol", "dave")[0]


async def fails(node: Node, opening: Opening) -> None:
    """Wait until the coordinator has given it up: nobody joins it."""
    folder = Aggregations(node.home).find(opening.context)
    assert folder is not None
    while folder.ended() is None:  # a file
        await node.counts.tick()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("others", [(), ("bob", "carol", "dave")], ids=["one of them", "none of them"])
async def test_an_attempt_is_given_up_however_long_ago_it_failed(
    home: Home, monkeypatch: pytest.MonkeyPatch, others: tuple[str, ...]
) -> None:
    monkeypatch.setattr(coordinating, "IDLE_S", -1)  # look at once for what is past
    plan = replace(PLAN, members=others)
    with Node(home) as node:
        first = convene(node, plan)
        await asyncio.wait_for(fails(node, first), 20)
    with Node(home, clock=lambda: utc_now() + KEPT + timedelta(days=1)) as node:
        await node.counts.tick()
        assert Aggregations(home).contexts() == [], "it is forgotten, but for the ledger"
        assert convene(node, plan).abandons == (first.context,)


def forget(home: Home) -> None:
    """Every aggregation has failed, long ago: the ledger alone knows of it."""
    store, long_ago = Aggregations(home), utc_now() - KEPT
    for context in store.contexts():
        folder = store.find(context)
        assert folder is not None
        folder.end(Ending("too-few", (), long_ago))
    store.expire(utc_now())


def write(node: Node, *drafts: Draft) -> None:
    for draft in drafts:
        node.ledger.append_all([draft], now=utc_now())


def test_what_another_convened_is_given_up_too(home: Home) -> None:
    """It has ended for us; whoever joined it and was not there at its end still waits for that."""
    with Node(home) as node:
        first = convene(node, PLAN)
        theirs = replace(first, coordinator="bob", session=b"b" * 32)
        write(node, entries.joined(theirs, bytes(32)), entries.broken(theirs, "too-few"))
        forget(home)
        assert set(convene(node, PLAN).abandons) == {first.context, theirs.context}


def test_a_window_that_was_counted_long_ago(home: Home) -> None:
    with Node(home) as node:
        first = convene(node, PLAN)
        write(
            node, entries.joined(first, bytes(32)),
            entries.masked(first, Filled(np.zeros(0, np.uint8), {}, 0)), entries.shared(first, 4),
        )  # fmt: skip
        forget(home)
        with pytest.raises(InputError) as refused:
            convene(node, PLAN)
    assert refused.value.code == "window-counted"


def test_too_many_attempts(home: Home) -> None:
    with Node(home) as node:
        for _ in range(MAX_ABANDONS + 1):
            convene(node, PLAN)
            forget(home)
        with pytest.raises(InputError, match="attempts to count this window have failed") as refused:
            convene(node, PLAN)
    assert refused.value.code == "aggregation-malformed"
