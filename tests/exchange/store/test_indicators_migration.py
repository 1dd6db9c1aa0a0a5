"""A store of the first version opens as one of this version, with all that was in it."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from crypto.hashing import item_rows
from exchange.indicators import Tlp
from exchange.store import Store
from tests.exchange.store.deliveries import ALL, IPV4, put, told, travelling

# As version 1 made them.
VERSION_1 = """
CREATE TABLE meta (part VARCHAR NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (part));
CREATE TABLE source (id INTEGER NOT NULL, name VARCHAR NOT NULL, tlp VARCHAR NOT NULL,
    PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE indicator (id INTEGER NOT NULL, type VARCHAR NOT NULL, value VARCHAR NOT NULL,
    digest BLOB NOT NULL, PRIMARY KEY (id), UNIQUE (digest));
CREATE TABLE observation (indicator_id INTEGER NOT NULL, source_id INTEGER NOT NULL, tlp VARCHAR NOT NULL,
    first_imported VARCHAR NOT NULL, last_imported VARCHAR NOT NULL, PRIMARY KEY (indicator_id, source_id),
    FOREIGN KEY(indicator_id) REFERENCES indicator (id),
    FOREIGN KEY(source_id) REFERENCES source (id)) WITHOUT ROWID;
INSERT INTO meta VALUES ('indicators', 1);
INSERT INTO source VALUES (3, 'first', 'GREEN'), (4, 'second', 'RED');
INSERT INTO observation VALUES
    (7, 3, 'GREEN', '2026-08-20T12:00:00+00:00', '2026-08-21T12:00:00+00:00'),
    (9, 3, 'AMBER+STRICT', '2026-08-20T12:00:00+00:00', '2026-08-20T12:00:00+00:00'),
    (9, 4, 'RED', '2026-08-22T12:00:00+00:00', '2026-08-22T12:00:00+00:00')
"""
VALUES = {7: "8.8.8.7", 9: "8.8.8.9"}


def test_a_store_of_version_1_opens(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    old = sqlite3.connect(path)
    old.execute("PRAGMA foreign_keys = OFF")
    old.executescript(VERSION_1)
    for number, value in VALUES.items():
        row = (number, "ipv4", value, item_rows("ipv4", [value]).tobytes())
        old.execute("INSERT INTO indicator VALUES (?, ?, ?, ?)", row)
    old.commit()
    old.close()

    store = Store.open(f"sqlite:///{path}")
    now = datetime(2026, 8, 23, tzinfo=UTC)
    assert travelling(store, now=now) == set(VALUES.values())
    assert set(store.item_set(ALL, now=now).ids) == set(VALUES)
    both = [(h.source, h.feed, h.own, h.tlp, h.first_imported.day) for h in told(store, VALUES[9])]
    assert both == [("first", "", False, Tlp.AMBER_STRICT, 20), ("second", "", False, Tlp.RED, 22)]
    [found] = told(store, VALUES[7])
    times = (found.first_imported, found.last_imported)
    assert times == (datetime(2026, 8, 20, 12, tzinfo=UTC), datetime(2026, 8, 21, 12, tzinfo=UTC))
    report = put(store, VALUES[7], "8.8.4.4", source="first", now=now)
    assert (report.added, report.removed, report.unchanged, report.accepted) == (1, 1, 1, 1)
    assert max(store.item_set([IPV4], now=now).ids) > max(VALUES)
    store.close()
    Store.open(f"sqlite:///{path}").close()
    rows = sqlite3.connect(path).execute
    assert rows("SELECT version FROM meta").fetchall() == [(2,)]
    assert rows("PRAGMA foreign_key_check").fetchall() == rows("SELECT 1 WHERE 0").fetchall()
    assert rows("SELECT count(*) FROM sqlite_master WHERE name LIKE '%v1%'").fetchone() == (0,)
