"""A ledger refuses a second sum of one window when it is written, not only when it is verified."""

from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from exchange.errors import LedgerError
from exchange.ledger.draft import Draft
from exchange.store.ledger import LedgerReader, LedgerStore
from tests.exchange.ledger.entries import ASKED
from tests.exchange.store.ledgers import KEY, NOW, ORIGIN, problems

OLD, NEW = "01" * 32, "02" * 32


def write(store: LedgerStore, kind: str, session: str, **what: Any) -> int:
    return store.append(kind, now=NOW, session=session, peer="umbra", what=what)


def test_a_window_is_joined_once_whoever_opens_the_ledger(store: LedgerStore, path: Path) -> None:
    write(store, "joined", OLD, **ASKED)
    write(store, "masked", OLD, entered={})
    with pytest.raises(LedgerError, match="in the way") as refused:
        write(store, "joined", NEW, **ASKED)
    assert refused.value.code == "ledger-order"
    with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as other:
        with pytest.raises(LedgerError, match="in the way"):
            write(other, "joined", NEW, **ASKED)
        write(other, "joined", NEW, **ASKED | {"abandons": [OLD]})
    with pytest.raises(LedgerError, match="was abandoned"):
        write(store, "shared", OLD, survivors=4)
    write(store, "masked", NEW, entered={"ipv4": 3})
    assert problems(path) == []
    with LedgerReader.open_read_only(path) as reader:
        assert [(run.session, run.abandoned, run.masked) for run in reader.runs()] == [
            (OLD, True, True),
            (NEW, False, True),
        ]


def test_what_is_undone_leaves_no_trace(store: LedgerStore) -> None:
    joined = Draft("joined", {"session": OLD, "peer": "umbra", "what": ASKED})
    twice = Draft("joined", {"session": OLD, "peer": "umbra", "what": ASKED})
    with pytest.raises(LedgerError, match="joined already"):
        store.append_all([joined, twice], now=NOW)
    assert len(store.runs()) == 0
    store.append_all([joined], now=NOW)
    assert len(store.runs()) == 1


def test_of_many_that_join_one_window_at_once_one_does(store: LedgerStore) -> None:
    refused = []

    def join(n: int) -> None:
        try:
            write(store, "joined", f"{n:064x}", **ASKED)
        except LedgerError as e:
            refused.append(e.code)

    threads = [Thread(target=join, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["ledger-order"] * 7
    assert len(store.runs()) == 1
