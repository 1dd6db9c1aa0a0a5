"""One aggregation whose folder is damaged is named, and keeps no other from going on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange.aggregation import entries
from exchange.aggregation.opening import Opening
from exchange.clock import utc_now
from exchange.config import Home
from exchange.counting.world import Ending
from exchange.node import Node
from exchange.store.aggregations import KEPT, Aggregations
from exchange.store.contributions import Contributions
from exchange.together.closing import close
from exchange.together.convened import convened
from exchange.together.convening import convene
from exchange.together.joining import Joining
from tests.e2e.nodes import members
from tests.exchange.together.test_convening import PLAN

DAMAGES: dict[str, Callable[[Path], Any]] = {
    "how it ended": lambda folder: (folder / "ended").write_bytes(b"\xff"),
    "its opening": lambda folder: (folder / "opening").write_bytes(b"\xff"),
}
WINDOWS = [
    (day, day + timedelta(days=6)) for day in (PLAN.window[0] + timedelta(days=7) * n for n in range(3))
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return members(tmp_path, "alice", "bob", "carol", "dave")[0]


def opened(node: Node) -> list[Opening]:
    """Three aggregations, of which the second will be damaged."""
    return [convene(node, replace(PLAN, window=window)) for window in WINDOWS]


def named(caplog: pytest.LogCaptureFixture, opening: Opening) -> bool:
    said = {record.getMessage() for record in caplog.records if "is left as it is" in record.getMessage()}
    assert len(said) == 1
    return opening.name[:16] in said.pop()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_what_we_coordinate(home: Home, caplog: pytest.LogCaptureFixture, damage: Any) -> None:
    with Node(home) as node:
        first, bad, last = opened(node)
        damage(home.path / "aggregations" / bad.name)
        assert [one.opening for one in convened(node)] == [last, first]
        assert named(caplog, bad)
        caplog.clear()
        assert [one.opening for one in await node.counts.convened("bob")] == [first.encoded, last.encoded]
        assert named(caplog, bad)
        caplog.clear()
        day = WINDOWS[-1][1] + timedelta(days=1)
        assert convene(node, replace(PLAN, window=(day, day))).window == (day, day)


def test_what_ended_is_closed_in_the_ledger(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    with Node(home) as node:
        store = Aggregations(home)
        _, bad, last = opened(node)
        for one in (bad, last):
            folder = store.find(one.context)
            assert folder is not None
            folder.end(Ending("withdrawn", (), utc_now() - KEPT))
        DAMAGES["how it ended"](home.path / "aggregations" / bad.name)
        close(node)
        assert [leaf.session for leaf in node.ledger.entries() if leaf.kind == "broken"] == [last.name]
        assert named(caplog, bad)
        assert store.expire(utc_now()) == [last.context]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_we_take_part_in(home: Home, caplog: pytest.LogCaptureFixture, damage: Any) -> None:
    """Also where it is long over, and where secrets of what has ended are deleted."""
    now = utc_now()
    with Node(home) as node:
        asked, store = opened(node), Contributions(home)
        policy = node.load_policy().hash
        for one in asked:
            node.ledger.append_all([entries.joined(one, policy)], now=now)
            store.begin(one.context, one.encoded, b"s" * 64, b"d").seed()
        first, bad, last = asked
        store.find(first.name).end("", ())
        damage(home.path / "contributions" / bad.name)
    with Node(home, clock=lambda: now + 2 * KEPT) as node:
        assert [opening for opening, _ in Joining(node).joined()] == [last, first]
        assert store.find(last.name).ended == ("cut-off", ())
        assert last.name in {leaf.session for leaf in node.ledger.entries() if leaf.kind == "broken"}
    assert named(caplog, bad)
