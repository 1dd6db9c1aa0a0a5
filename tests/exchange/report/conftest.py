"""One ledger with everything in it, and a report on its session."""

from collections.abc import Iterator

import pytest

from exchange.report import Made
from tests.exchange.report.homes import Book, Session, book, made, of_session

SESSION = Session()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """A session with umbra, and a decision of each kind."""
    with book(tmp_path_factory.mktemp("ledger"), SESSION) as opened:
        opened.decisions()
        yield opened


@pytest.fixture(scope="module")
def one(ledger: Book) -> Made:
    """The report on that session."""
    return made(ledger, of_session(SESSION))
