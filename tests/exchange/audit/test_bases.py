"""A session that goes on from another: from which it may, and what it is charged."""

from dataclasses import replace
from typing import Any

import pytest

from exchange.agreement import Agreement, Rung
from exchange.audit.bases import Bases
from exchange.audit.log import Log
from exchange.audit.rosters import Rosters
from exchange.ledger import Kind, Leaf
from exchange.ledger.leaf import FIRST
from exchange.ledger.order import History
from tests.exchange.ledger.receipts import AGREEMENT

TIME = "2026-03-01T12:00:00.000000Z"
WHOLE = replace(AGREEMENT, protocol="voprf-epoch")
DELTA = replace(
    WHOLE, initiator_nonce=b"\x5d" * 32, base=WHOLE.initiator_nonce, initiator_new=128, responder_new=64
)
GOING_ON = "the session goes on from one "


class Book:
    """The log of acme, whom umbra dials."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.log = Log("acme", Rosters((), ()), self.documents, [], History())
        self.bases = Bases(self.log)
        self.found: list[str] = []
        self.seq = 0

    def put(self, kind: Kind, agreement: Agreement, what: dict[str, Any], **fields: Any) -> None:
        self.documents[agreement.hash.hex()] = agreement.encoded
        named = {"session": agreement.session, "peer": "umbra", "direction": "responder"} | fields
        leaf = Leaf(self.seq, TIME, kind, FIRST, named | {"agreement": agreement.hash.hex(), "what": what})
        leaf.encode()
        self.found += self.bases.entry(leaf, self.log.take(leaf))
        self.seq += 1

    def run(
        self, agreement: Agreement, stake: int = 192, end: Kind | None = Kind.DISCLOSED, **fields: Any
    ) -> None:
        begun = {
            "rung": str(agreement.rung), "output": "receiver", "types": ["ipv4"],
            "protocol": agreement.protocol, "ours_padded": 1024, "at_stake": stake,
        }  # fmt: skip
        self.put(Kind.INTENT, agreement, begun, **fields)
        over = {"learned_by_us": "size", "learned_by_peer": "overlap", "at_stake": stake}
        if end is Kind.DISCLOSED:
            self.put(end, agreement, over, **fields)
        elif end is not None:
            self.put(end, agreement, {"reason": "peer-closed"}, **fields)


def told(
    agreement: Agreement = DELTA, before: Agreement | None = WHOLE, *, how: Any = None, **more: Any
) -> set[str]:
    book = Book()
    if before is not None:
        book.run(before, 1024, **how or {})
    book.run(agreement, **more)
    return set(book.found)


def test_an_honest_one():
    assert told() == set()
    assert told(before=None, agreement=WHOLE) == set()


@pytest.mark.parametrize("stake", [0, 191, 193, 1024])
def test_another_charge(stake):
    assert told(stake=stake) == {"what the session puts at stake is not what its agreement declares as new"}


@pytest.mark.parametrize(
    ("before", "how", "why"),
    [
        (None, None, "that is not in the log before it"),
        (WHOLE, {"end": None}, "that did not run to its end"),
        (WHOLE, {"end": Kind.ABORTED}, "that did not run to its end"),
        (WHOLE, {"peer": "globex"}, "with another peer or direction"),
        (WHOLE, {"direction": "initiator"}, "with another peer or direction"),
        (replace(WHOLE, protocol="voprf"), None, "of another kind"),
        (replace(WHOLE, rung=Rung.CONTEXT), None, "of another kind"),
        (replace(WHOLE, receiver="acme"), None, "of another kind"),
    ],
    ids=str,
)
def test_what_a_session_cannot_go_on_from(before, how, why):
    assert told(before=before, how=how) == {GOING_ON + why}


def test_a_session_does_not_go_on_from_itself():
    looped = replace(DELTA, base=DELTA.initiator_nonce)
    assert told(looped) == {GOING_ON + "that is not in the log before it"}


def test_a_session_that_ended_before_anything_left_is_charged_nothing():
    book = Book()
    book.run(WHOLE, 1024)
    book.run(DELTA, end=None)
    book.put(Kind.ABORTED, DELTA, {"reason": "peer-closed", "learned_by_peer": "size", "at_stake": 0})
    assert book.found == []
    book.put(Kind.ABORTED, DELTA, {"reason": "peer-closed", "learned_by_peer": "overlap", "at_stake": 0})
    assert len(book.found) == 1
