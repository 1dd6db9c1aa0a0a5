"""The store of indicators: what an import changes, what it never half changes, and what goes into a set."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, event, text

from crypto.hashing import item_rows
from exchange.errors import InputError, StoreError
from exchange.indicators import Batch, Indicator, IndicatorType, Tlp, read
from exchange.policy.admission import Admission
from exchange.store import ImportReport, Store, engine, importer, indicators, items

NOW = datetime(2026, 8, 22, 12, tzinfo=UTC)
ALL = list(IndicatorType)
IPV4, DOMAIN, MD5 = IndicatorType.IPV4, IndicatorType.DOMAIN, IndicatorType.MD5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{path}")
    yield store
    store.close()


def put(
    store: Store, *values: str, source: str = "a", tlp: str = "AMBER", now: datetime = NOW
) -> ImportReport:
    batch = Batch.of([(value, None, None) for value in values])
    return store.import_indicators([batch], source=source, tlp=tlp, now=now)


def held(store: Store, types=ALL, **how) -> set[str]:
    return {indicator.value for indicator in store.values(store.item_set(types, now=NOW, **how).ids)}


def test_a_report_accounts_for_every_value(store: Store) -> None:
    values = ["8.8.8.8", "8.8.8.8:53", "8.8.4.4", "evil.com", "EVIL[.]com", "10.0.0.1", "x", "y"]
    report = put(store, *values)
    assert report.to_json() == {
        "read": 8,
        "accepted": 3,
        "duplicates": 2,
        "refused": {"bad-domain": 2, "not-global": 1},
        "by_type": {"domain": 1, "ipv4": 2},
        "added": 3,
        "removed": 0,
        "unchanged": 0,
        "blocked": {},
        "informed": {},
        "places": {},
        "notes": {},
    }
    again = put(store, *values, source="b")
    assert (again.read, again.accepted, again.duplicates, again.by_type) == (8, 0, 5, {})


def test_the_items_are_those_of_the_values(store: Store) -> None:
    put(store, "8.8.8.8", "8.8.4.4", "evil.com", "5d41402abc4b2a76b9719d911017c592")
    items = store.item_set([IPV4, DOMAIN], now=NOW)
    assert (items.rows.shape, items.rows.dtype, items.ids.dtype) == ((3, 32), np.uint8, np.int64)
    assert items.rows.flags.c_contiguous
    for row, indicator in zip(items.rows, store.values(items.ids), strict=True):
        assert row.tobytes() == item_rows(indicator.type, [indicator.value]).tobytes()
    assert store.size([IPV4, DOMAIN], now=NOW) == 3
    assert store.size(ALL, now=NOW) == 4


def test_an_empty_store_has_empty_sets(store: Store) -> None:
    items = store.item_set(ALL, now=NOW)
    assert (items.rows.shape, items.ids.shape) == ((0, 32), (0,))
    assert (store.size(ALL, now=NOW), store.counts(), store.values(items.ids)) == (0, [], [])
    put(store, "8.8.8.8")
    assert store.item_set([], now=NOW).rows.shape == store.item_set([MD5], now=NOW).rows.shape == (0, 32)


def test_the_order_of_items_tells_nothing_of_the_imports(path: Path, tmp_path: Path) -> None:
    addresses = [f"8.8.{i >> 8}.{i & 255}" for i in range(2000)]
    orders = []
    for name, pieces in (("x", [addresses]), ("y", [addresses[1000:], addresses[:1000]])):
        other = Store.open(f"sqlite:///{tmp_path / name}")
        for piece in pieces:
            put(other, *piece, source=piece[0])
        orders.append(other.item_set([IPV4], now=NOW).rows)
        other.close()
    assert np.array_equal(*orders)


def test_values_come_in_the_order_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indicators, "_IDS_PER_QUERY", 7)
    put(store, *(f"8.8.8.{i}" for i in range(100)))
    ids = store.item_set([IPV4], now=NOW).ids
    forward = store.values(ids)
    assert store.values(ids[::-1]) == forward[::-1]
    assert store.values(np.array([ids[5], ids[5]])) == [forward[5]] * 2
    with pytest.raises(StoreError, match="does not hold"):
        store.values(np.array([ids[0], 10**9]))


def test_slices_and_runs_change_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "RUN_SIZE", 50)
    monkeypatch.setattr(items, "_IDS_PER_SLICE", 16)
    addresses = {f"8.{i % 7}.8.{i % 251}" for i in range(1000)}
    batches = [Batch.of([(a, None, None)]) for a in (*addresses, *addresses)]
    report = store.import_indicators(batches, source="a", tlp="GREEN", now=NOW)
    assert (report.accepted, report.duplicates) == (len(addresses), len(addresses))
    assert held(store) == addresses


def test_markings_decide_what_enters_a_set(store: Store) -> None:
    for tlp, value in zip(Tlp, ("8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4", "8.8.8.5"), strict=True):
        put(store, value, source=tlp, tlp=tlp)
    for ceiling, count in (
        (Tlp.CLEAR, 1),
        (Tlp.GREEN, 2),
        (Tlp.AMBER, 3),
        (Tlp.AMBER_STRICT, 4),
        (Tlp.RED, 4),
    ):
        expected = {f"8.8.8.{i + 1}" for i in range(count)}
        assert held(store, admission=Admission(tlp=ceiling)) == expected
        assert store.size(ALL, admission=Admission(tlp=ceiling), now=NOW) == count


def test_the_most_open_source_decides(store: Store) -> None:
    put(store, "8.8.8.8", "8.8.4.4", source="a", tlp="RED")
    assert held(store) == set()
    put(store, "8.8.8.8", source="b", tlp="green")
    assert held(store) == {"8.8.8.8"}
    assert held(store, admission=Admission(tlp=Tlp.CLEAR)) == set()


def test_a_source_can_mark_again(store: Store) -> None:
    put(store, "8.8.8.8", tlp="CLEAR")
    put(store, "8.8.8.8", tlp="RED")
    assert held(store) == set()
    assert [(c.source, c.tlp, c.count) for c in store.counts()] == [("a", Tlp.RED, 1)]


def test_an_observation_keeps_its_first_time(store: Store) -> None:
    put(store, "8.8.8.8")
    put(store, "8.8.8.8", now=(NOW + timedelta(days=1)).astimezone(timezone(timedelta(hours=5))))
    [[told]] = store.held([Indicator(IPV4, "8.8.8.8")])
    assert (told.first_imported, told.last_imported) == (NOW, NOW + timedelta(days=1))


def test_counts_are_by_type_source_and_marking(store: Store) -> None:
    put(store, "8.8.8.8", "evil.com", source="a", tlp="CLEAR")
    put(store, "8.8.8.8", "8.8.4.4", source="b")
    found = [(c.type, c.source, c.tlp, c.count) for c in store.counts()]
    assert found == [(DOMAIN, "a", Tlp.CLEAR, 1), (IPV4, "a", Tlp.CLEAR, 1), (IPV4, "b", Tlp.AMBER, 2)]


@pytest.mark.parametrize(("source", "tlp"), [("a", "PURPLE"), (" ", "AMBER")])
def test_an_import_needs_a_source_and_a_marking(store: Store, source: str, tlp: str) -> None:
    with pytest.raises(InputError):
        put(store, "8.8.8.8", source=source, tlp=tlp)
    assert store.counts() == []


def test_progress_is_told(store: Store) -> None:
    told: list[int] = []
    batches = [Batch.of([("8.8.8.8", None, None), ("x", None, None)])] * 3
    store.import_indicators(batches, source="a", tlp="AMBER", now=NOW, progress=told.append)
    assert told == [2, 4, 6]


def test_a_failed_import_changes_nothing(store: Store, path: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(importer, "RUN_SIZE", 10)
    put(store, "9.9.9.9", source="before")
    before = list(sqlite3.connect(path).iterdump())
    feed = tmp_path / "feed.txt"
    feed.write_bytes(b"".join(b"8.8.%d.%d\n" % (i >> 8, i & 255) for i in range(60_000)) + b"\xff\n")
    with pytest.raises(InputError, match="line 60001"):
        store.import_indicators(read(feed), source="a", tlp="CLEAR", now=NOW)
    assert list(sqlite3.connect(path).iterdump()) == before
    assert put(store, "8.8.8.8").accepted == 1, "and the next import works"


CHILD = """
import sys, time
from datetime import UTC, datetime
from exchange.indicators import Batch
from exchange.store import Store, importer

importer.RUN_SIZE = 1000

def batches():
    for i in range(20):
        yield Batch.of([(f"8.{i}.{j >> 8}.{j & 255}", None, None) for j in range(2000)])
    print("halfway", flush=True)
    time.sleep(60)

store = Store.open(sys.argv[1])
store.import_indicators(batches(), source="a", tlp="CLEAR", now=datetime.now(UTC))
"""


def test_a_killed_import_changes_nothing(store: Store, path: Path) -> None:
    put(store, "9.9.9.9", source="before")
    command = [sys.executable, "-c", textwrap.dedent(CHILD), f"sqlite:///{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"halfway\n"
        assert held(store) == {"9.9.9.9"}, "what is not committed is not seen"
        os.kill(child.pid, signal.SIGKILL)
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [(c.source, c.count) for c in store.counts()] == [("before", 1)]
    assert put(store, "8.0.0.0").accepted == 1


def test_two_imports_at_once_both_arrive(store: Store, path: Path) -> None:
    other = Store.open(f"sqlite:///{path}")
    threads = [
        threading.Thread(
            target=put, args=(s, *(f"8.{i}.8.{j}" for j in range(200))), kwargs={"source": str(i)}
        )
        for i, s in enumerate((store, other, store))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held(store)) == store.size(ALL, now=NOW) == 600
    other.close()


def test_a_locked_store_says_so(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.1)
    hurried = Store.open(f"sqlite:///{path}")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="in use by another process"):
        put(hurried, "8.8.8.8")
    holder.close()
    assert put(hurried, "8.8.8.8").accepted == 1
    hurried.close()


def test_a_full_disk_says_so(path: Path) -> None:
    Store.open(f"sqlite:///{path}").close()
    small = engine.open_engine(f"sqlite:///{path}", durable=False)
    event.listen(small, "begin", lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 30"))
    store = Store(small)
    with pytest.raises(StoreError, match="does not fit on the disk"):
        put(store, *(f"8.8.{i >> 8}.{i & 255}" for i in range(5000)))
    assert store.counts() == []
    store.close()


def test_a_damaged_store_says_so(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a SQLite database") as error:
        Store.open(f"sqlite:///{path}")
    assert error.value.hint


@pytest.mark.parametrize(("version", "hint"), [(99, "upgrade cosight"), (0, "new database")])
def test_another_schema_is_refused(store: Store, path: Path, version: int, hint: str) -> None:
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(text("UPDATE meta SET version = :v"), {"v": version})
    with pytest.raises(StoreError, match=f"version {version} of the indicators tables") as error:
        Store.open(f"sqlite:///{path}")
    assert hint in error.value.hint


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x", "sqlite:////none/such/folder/store.db"])
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        Store.open(url)


def test_a_password_is_never_printed() -> None:
    with pytest.raises(StoreError) as error:
        Store.open("postgresql://node:secret-word@127.0.0.1:1/cosight")
    chain: list[str] = []
    cause: BaseException | None = error.value
    while cause:
        chain.append(str(cause))
        cause = cause.__cause__
    assert "secret-word" not in "".join(chain)


def test_errors_of_the_database_hold_no_values(store: Store) -> None:
    with pytest.raises(StoreError) as error, engine.writing(store._engine) as connection:
        connection.execute(text("INSERT INTO indicator VALUES (1, 2, :v, NULL)"), {"v": "secret-name.com"})
    assert "secret-name" not in str(error.value) + str(error.value.__cause__)


def test_the_file_is_the_owners_alone(store: Store, path: Path) -> None:
    put(store, "8.8.8.8")
    assert {entry.stat().st_mode & 0o077 for entry in path.parent.iterdir()} == {0}


def test_a_read_only_store_reads(store: Store, path: Path) -> None:
    put(store, "8.8.8.8")
    reader = Store(engine.open_engine(f"sqlite:///{path}", durable=False, read_only=True))
    assert reader.values(reader.item_set(ALL, now=NOW).ids) == [Indicator(IPV4, "8.8.8.8")]
    with pytest.raises(StoreError, match="read-only"):
        put(reader, "8.8.4.4")
    reader.close()
