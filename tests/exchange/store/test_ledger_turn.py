"""Two decisions at once: what the first one writes, the second one sees, whoever has opened the ledger."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest

from exchange.config import Home
from exchange.counting.books import MembersBooks
from exchange.discovery.books import Books
from exchange.errors import LedgerError, PolicyRefusal
from exchange.policy import Policy, parse
from exchange.policy.aggregation import Together, decide, meeting
from exchange.store.discovery.member import Asked
from exchange.store.ledger import LedgerStore, head
from tests.exchange.aggregation.openings import OPENING, opening
from tests.exchange.audit.test_discoveries import put_in
from tests.exchange.disclosure.desks import KEYS, NOON, Side
from tests.exchange.discovery.alliance import ROSTER
from tests.exchange.discovery.test_words import KEYED
from tests.exchange.policy.cases import NOW
from tests.exchange.policy.searching import searching
from tests.exchange.policy.together import Alone, together
from tests.exchange.store.ledgers import KEY, ORIGIN

POLICY = parse(together(per_day="9", purposes='["weekly count", "another"]'))
SHORT_S = 1.0
"""How long one decision waits for the other to be made at the same moment; in vain, if they take turns."""


class Both:
    """Holds a decision back until a second one is being made: at once, unless something stops it."""

    def __init__(self) -> None:
        self._barrier = Barrier(2)

    def wait(self) -> None:
        with suppress(BrokenBarrierError):
            self._barrier.wait(SHORT_S)


def at_once(*works: Callable[[], None]) -> list[BaseException | None]:
    """What became of each."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.exception() for done in [pool.submit(work) for work in works]]


def joining(path: Path, opening: Any, both: Both) -> Callable[[], None]:
    """A member that opens its ledger for itself, as a process does, and joins a run."""

    def work() -> None:
        with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as ledger:

            def decided() -> Policy:
                runs = ledger.runs()
                again = opening.entries if meeting(opening, runs) else 0
                asked = replace(Alone().request(), opening=opening, repeated=again)
                both.wait()
                decision = decide(POLICY, asked, Together(runs), NOW)
                if not decision.allowed:
                    raise PolicyRefusal(decision.explanation, rule=decision.rule)
                return POLICY

            MembersBooks(ledger, decided, lambda: NOW, lambda: None).joined(opening)

    return work


def test_one_entry_is_not_counted_twice_by_two_that_join_at_once(store: LedgerStore, path: Path) -> None:
    """Differencing by haste: two runs over the same entries, under two names, joined at the same moment."""
    both, other = Both(), opening(session=b"o" * 32, dictionary=b"x" * 32, purpose="another")
    errors = [e for e in at_once(joining(path, OPENING, both), joining(path, other, both)) if e is not None]
    assert [getattr(e, "rule", e) for e in errors] == ["a14-repeated"]
    assert len(store.runs()) == 1


def test_what_is_allowed_once_a_day_is_brought_once_by_two_that_search_at_once(tmp_path: Path) -> None:
    home = Home.init(tmp_path, "erin", keys=KEYS["erin"].to_pem())
    side, both = Side("erin", ["a.example"]), Both()
    purposes = '["weekly", "another"]'
    policy = parse(searching(relays='["*"]', purposes=purposes, types='["domain"]', legal_basis=None))

    def decided() -> Policy:
        both.wait()
        return policy

    desk = replace(side.desk, roster=lambda: (ROSTER.epoch, ROSTER.hash), policy=lambda: policy)
    rounds = [KEYED, replace(KEYED, purpose="another")]
    for of in rounds:
        Books(desk, Asked(home)).joined(of, put_in(NOON), policy)
    slow = Books(replace(desk, policy=decided), Asked(home))
    errors = [e for e in at_once(*(lambda of=of: slow.brought(of) for of in rounds)) if e is not None]
    assert [getattr(e, "rule", e) for e in errors] == ["d8-per-day"]
    assert side.books.kinds().count("brought") == 1
    assert sum(bool(run.left) for run in side.books.runs()) == 1


def test_a_turn_that_does_not_come_is_given_up(store: LedgerStore, path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(head, "_DECIDING_S", 0)
    with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as other, store.turn():
        with pytest.raises(LedgerError, match="in use"), other.turn():
            pass
        other.append("lift", now=NOW, peer="umbra", what={"reason": "operator"})  # this needs no turn
    with store.turn():
        pass
