"""Ends for runs that nobody can go on with any more: the ledger says so, and our secrets of them go."""

from datetime import datetime, timedelta

from crypto.secagg.base import Step
from exchange.aggregation.opening import Opening
from exchange.counting.books import CoordinatorsBooks, MembersBooks
from exchange.counting.taking_part import PATIENCE
from exchange.errors import ConfigError
from exchange.ledger.runs import CUT_OFF, DISCOVER
from exchange.node import Node
from exchange.store.aggregations import KEPT, Aggregations
from exchange.store.contributions import Contribution, Contributions


def close(node: Node) -> None:
    """Close the runs of our ledger that can have no end any more: when a command begins, and a node.

    Those are the joined ones that are gone from our disk, or long over at their coordinator; and the convened
    ones whose folder never got its name.

    Raises:
        LedgerError: the ledger cannot be written.
        StoreError, ConfigError: what we keep cannot be read, or not be deleted.
    """
    now = node.desk.clock()
    CoordinatorsBooks(node.ledger, node.desk.clock, node.seal).close_lost(Aggregations(node.home).contexts())
    kept = {one.context.hex(): one for one in Contributions(node.home).all()}
    for run in node.ledger.runs().going():
        if run.key.measure == DISCOVER:
            continue
        ours = kept.get(run.session)
        if ours is None:
            what = {"reason": CUT_OFF, "by": "us"}
            node.ledger.append("broken", now=now, session=run.session, peer=run.coordinator, what=what)
        elif _is_over(ours, datetime.fromisoformat(run.time), now):
            _end(node, ours)


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
