"""A ledger on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.store.ledger import LedgerStore
from tests.exchange.store.ledgers import KEY, ORIGIN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[LedgerStore]:
    with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as ledger:
        yield ledger
