"""The use case itself: policy, agreement, session, ledger, in this order, on both sides.

Knows no transport, no database and no clock of its own: they come in through the ``Desk`` and the channel.
What it guarantees: nothing that depends on a set leaves before our policy allowed it and the ledger holds the
intent; and every intent is closed by what became of it, whatever ends the session short of a crash.
"""

from exchange.disclosure.ahead import Warmed, warm
from exchange.disclosure.committing import commit
from exchange.disclosure.contact import Greeting, Link, greet
from exchange.disclosure.desk import Answer, Desk, Estimated, Found, Learned, Outcome, Proposal, agreement_of
from exchange.disclosure.found import fits, found_of
from exchange.disclosure.initiator import Ours, Wish, allows, match, ours_for
from exchange.disclosure.judging import judge_ours, judge_peer
from exchange.disclosure.responder import Responder
from exchange.disclosure.settling import Settled, Settlement
from exchange.disclosure.simulation import Simulation, simulate
from exchange.disclosure.standing import MAX_PROOF, Stale, Standing, standing
from exchange.disclosure.world import Channel, Items, ItemSet, Ledger

__all__ = [
    "MAX_PROOF",
    "Answer",
    "Channel",
    "Desk",
    "Estimated",
    "Found",
    "Greeting",
    "ItemSet",
    "Items",
    "Learned",
    "Ledger",
    "Link",
    "Ours",
    "Outcome",
    "Proposal",
    "Responder",
    "Settled",
    "Settlement",
    "Simulation",
    "Stale",
    "Standing",
    "Warmed",
    "Wish",
    "agreement_of",
    "allows",
    "commit",
    "fits",
    "found_of",
    "greet",
    "judge_ours",
    "judge_peer",
    "match",
    "ours_for",
    "simulate",
    "standing",
    "warm",
]
