"""The use case itself: policy, agreement, session, ledger, in this order, on both sides.

Knows no transport, no database and no clock of its own: they come in through the ``Desk`` and the channel.
What it guarantees: nothing that depends on a set leaves before our policy allowed it and the ledger holds the
intent; and every intent is closed by what became of it, whatever ends the session short of a crash.
"""

from exchange.disclosure.ahead import Warmed, warm
from exchange.disclosure.desk import (
    Answer,
    Channel,
    Desk,
    Items,
    ItemSet,
    Ledger,
    Outcome,
    Proposal,
    agreement_of,
)
from exchange.disclosure.initiator import Link, Wish, allows, match
from exchange.disclosure.responder import Responder

__all__ = [
    "Answer",
    "Channel",
    "Desk",
    "ItemSet",
    "Items",
    "Ledger",
    "Link",
    "Outcome",
    "Proposal",
    "Responder",
    "Warmed",
    "Wish",
    "agreement_of",
    "allows",
    "match",
    "warm",
]
