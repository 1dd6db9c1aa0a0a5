"""From a server into the store, the way ``cosight import`` goes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from exchange import taxii
from exchange.errors import InputError
from exchange.indicators import IndicatorType
from exchange.store import ImportReport, Store
from tests.exchange.taxii.servers import Liar, Reply, added, indicator, liar, page

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


def take(store: Store, server: Liar, *, full: bool = False) -> ImportReport:
    with taxii.connect(server.address, environ={"NETRC": ""}) as found:
        since = None if full else store.cursor("them", found.address)
        with found.download(since=since) as got:
            return store.import_indicators(
                got.batches(), source="them", feed=found.address, now=NOW, keep=got.incremental,
                cursor=lambda: got.cursor,
            )  # fmt: skip


def count(store: Store) -> int:
    return store.size([IndicatorType.IPV4], now=NOW)


def test_deliveries_add_up_and_what_is_revoked_goes(store: Store) -> None:
    with liar() as server:
        server.objects = lambda _: page(indicator(1), indicator(2), headers=added("2024-01-01T00:00:00Z"))
        first = take(store, server)
        assert (first.added, first.removed, count(store)) == (2, 0, 2)

        gone = indicator(1, modified="2025-01-01T00:00:00Z", revoked=True)
        server.objects = lambda _: page(gone, indicator(3), headers=added("2024-01-02T00:00:00Z"))
        second = take(store, server)
        assert server.asked[-1]["added_after"] == "2024-01-01T00:00:00.000000Z"
        assert (second.added, second.removed, count(store)) == (1, 1, 2)


def test_a_failure_changes_neither_the_set_nor_the_cursor(store: Store) -> None:
    with liar() as server:
        server.objects = lambda _: page(indicator(1), headers=added("2024-01-01T00:00:00Z"))
        take(store, server)
        before = store.cursor("them", server.address)
        replies = iter([page(), page(indicator(2), more=True, next="on"), Reply(status=500)])
        server.objects = lambda _: next(replies)
        with pytest.raises(InputError):
            take(store, server)
        assert store.cursor("them", server.address) == before
        assert count(store) == 1


def test_from_the_beginning_what_the_server_no_longer_has_goes(store: Store) -> None:
    with liar() as server:
        server.objects = lambda _: page(indicator(1), indicator(2), headers=added("2024-01-01T00:00:00Z"))
        take(store, server)
        server.objects = lambda _: page(indicator(2), headers=added("2024-01-01T00:00:00Z"))
        report = take(store, server, full=True)
        assert (report.removed, report.unchanged, count(store)) == (1, 1, 1)
