"""One ledger with everything in it and one with a year of sessions, and a report on each."""

from collections.abc import Iterator

import pytest

from exchange.report import Made
from tests.exchange.report.homes import Book, Session, book, made, many, of_period, of_session

SESSION = Session()
SESSIONS = 200


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


@pytest.fixture(scope="package")
def year(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The report on a year of sessions of several kinds, one peer of which must not be named."""
    with book(tmp_path_factory.mktemp("year"), *many(SESSIONS)) as opened:
        return made(opened, of_period("2025-01-01"))
