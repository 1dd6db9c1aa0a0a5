"""Ends for runs that nobody can go on with any more: the ledger says so, and our secrets of them go."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from crypto.secagg.base import Step
from exchange.aggregation.opening import Opening
from exchange.counting.apart import apart
from exchange.counting.books import CoordinatorsBooks, MembersBooks
from exchange.counting.taking_part import PATIENCE
from exchange.errors import ConfigError
from exchange.ledger.runs import CUT_OFF, DISCOVER, Run
from exchange.node import Node
from exchange.store.aggregations import KEPT, Aggregations
from exchange.store.contributions import Contribution, Contributions


def close(node: Node) -> None:
    """Close the runs of our ledger that can have no end any more: when a command begins, and a node.

    What we keep of one that is damaged is said, and the others are closed.

    Raises:
        LedgerError: the ledger cannot be read or written.
        StoreError: the folder of all cannot be read.
    """
    with node.ledger.turn():  # no other process is between the entry of a run and its folder, or closes it
        _close_convened(node)
        _close_joined(node)


def _close_convened(node: Node) -> None:
    """What has no folder, because we were killed before it had its name; and what was withdrawn just then."""
    store = Aggregations(node.home)
    books = CoordinatorsBooks(node.ledger, node.desk.clock, node.seal)
    for run in _going(node.ledger.runs().convening()):
        context = bytes.fromhex(run.session)
        folder = store.find(context)
        if folder is None:
            _cut_off(node, session=run.session)
            continue
        with apart(context):
            if (ending := folder.ended()) is not None and ending.code:
                opening = Opening.decode(folder.opening)
                names = tuple(opening.members[position] for position in ending.culprits)
                books.broken(opening, ending.code, names)


def _close_joined(node: Node) -> None:
    """What is gone from our disk, or long over at its coordinator."""
    kept = {one.context.hex(): one for one in Contributions(node.home).all()}
    for run in _going(node.ledger.runs().going()):
        ours = kept.get(run.session)
        if ours is None:
            _cut_off(node, session=run.session, peer=run.coordinator)
            continue
        with apart(ours.context):
            if _is_over(ours, datetime.fromisoformat(run.time), node.desk.clock()):
                _end(node, ours)


def _going(runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if run.key.measure != DISCOVER]


def _cut_off(node: Node, **named: Any) -> None:
    node.ledger.append("broken", now=node.desk.clock(), what={"reason": CUT_OFF, "by": "us"}, **named)


def _is_over(kept: Contribution, joined: datetime, now: datetime) -> bool:
    """Whether a coordinator that keeps the rules has deleted it, however long its steps took."""
    steps = timedelta(seconds=len(Step) * PATIENCE * Opening.decode(kept.opening).step_s)
    return now - joined > KEPT + steps


def _end(node: Node, kept: Contribution) -> None:
    try:
        with kept.alone():
            opening, result = Opening.decode(kept.opening), kept.counted()
            books = MembersBooks(node.ledger, node.load_policy, node.desk.clock, node.seal)
            if result is None:
                books.broken(opening, CUT_OFF, (), by="us")
            else:  # we were killed when all was done, and before it was written
                books.counted(opening, result.vector, result.tally)
            kept.end("" if result is not None else CUT_OFF, ())
    except ConfigError as e:
        if e.code != "aggregation-busy":
            raise
