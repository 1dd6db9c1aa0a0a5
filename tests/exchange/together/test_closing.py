"""A run that was begun has an end in the ledger, also where somebody was killed or vanished."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from exchange.aggregation import entries
from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import Filled
from exchange.clock import utc_now
from exchange.config import write_atomic
from exchange.counting.world import Counted, Ending
from exchange.local.alliance import found
from exchange.node import Node
from exchange.store.aggregations import Aggregations
from exchange.store.contributions import Contribution, Contributions
from exchange.together.closing import close
from tests.exchange.audit.runs_world import MEMBERS, NAME, POLICY, WORDS, _opening
from tests.exchange.audit.world import Clock
from tests.exchange.disclosure.desks import Set

LONG = timedelta(days=30)


@pytest.fixture
def clock() -> Clock:
    return Clock(utc_now())


@pytest.fixture
def node(tmp_path: Path, clock: Clock) -> Iterator[Node]:
    home = found(NAME, MEMBERS, tmp_path)[1]
    write_atomic(home.policy_file, POLICY.encode())
    with Node(home, items=Set(["a"]), clock=clock) as node:
        yield node


@pytest.fixture
def opening(tmp_path: Path, node: Node, clock: Clock) -> Opening:
    opening = _opening(node.home, clock.now, session=b"1" * 32)
    node.ledger.append_all([entries.joined(opening, node.load_policy().hash)], now=clock())
    return opening


def kept(node: Node, opening: Opening) -> Contribution:
    folder = Contributions(node.home).begin(opening.context, opening.encoded, b"s" * 64, WORDS.encoded)
    folder.seed()
    return folder


def told(node: Node) -> list[tuple[str, object]]:
    runs = {"convened", "joined", "counted", "broken"}
    return [(str(e.kind), e.what.get("reason")) for e in node.ledger.entries() if e.kind in runs]


def test_what_can_still_be_gone_on_with_stays_open(node: Node, opening: Opening) -> None:
    folder = kept(node, opening)
    close(node)
    assert told(node) == [("joined", None)]
    assert folder.has_secrets()


def test_what_is_gone_from_our_disk_is_closed(node: Node, opening: Opening) -> None:
    close(node)
    close(node)
    assert told(node) == [("joined", None), ("broken", "cut-off")]
    assert node.ledger.verify().problems == ()


def test_what_is_long_over_is_closed_and_its_secrets_go(node: Node, opening: Opening, clock: Clock) -> None:
    folder = kept(node, opening)
    clock.now += LONG
    with folder.alone():
        close(node)
    assert told(node) == [("joined", None)], "another process is at it"
    close(node)
    assert told(node) == [("joined", None), ("broken", "cut-off")]
    assert folder.ended == ("cut-off", ())
    assert not folder.has_secrets()


def test_what_came_to_its_end_before_it_was_written_is_written(
    node: Node, opening: Opening, clock: Clock
) -> None:
    folder, tally = kept(node, opening), Tally(opening.context, (0, 1, 2), b"d" * 32, {0: bytes(64)})
    sums = np.zeros(opening.size, np.uint8)
    folder.finish(Counted(sums, tally, np.zeros(opening.entries, bool)))
    node.ledger.append_all(
        [entries.masked(opening, Filled(sums, {}, 0)), entries.shared(opening, 3)], now=clock()
    )
    clock.now += LONG
    close(node)
    assert told(node) == [("joined", None), ("counted", None)]
    assert folder.ended == ("", ())


def test_what_was_convened_and_has_no_folder_is_closed(node: Node, tmp_path: Path, clock: Clock) -> None:
    opening = _opening(node.home, clock.now, session=b"3" * 32)
    node.ledger.append_all([entries.convened(opening)], now=clock())
    close(node)
    close(node)
    assert told(node) == [("convened", None), ("broken", "cut-off")]


def test_what_was_withdrawn_and_not_written_is_written(node: Node, clock: Clock) -> None:
    opening, store = _opening(node.home, clock.now, session=b"3" * 32), Aggregations(node.home)
    node.ledger.append_all([entries.convened(opening)], now=clock())
    store.convene(opening.context, opening.encoded, b"s" * 64, WORDS.encoded, now=clock())
    close(node)
    assert told(node) == [("convened", None)]
    folder = store.find(opening.context)
    assert folder is not None
    assert folder.withdraw(Ending("withdrawn", (), clock()))
    close(node)
    close(node)
    assert told(node) == [("convened", None), ("broken", "withdrawn")]
