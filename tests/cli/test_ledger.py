"""``ledger verify`` notices whatever was changed in the files, by whatever means."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exchange.config import Home
from tests.cli.command import cosight
from tests.e2e.nodes import import_values, members, serve

EVERY = 41
"""Every so many bytes of an entry are flipped in the file: all of them are, in the ledger's own tests."""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A member whose ledger holds a session."""
    alice, bob = members(tmp_path_factory.mktemp("members"), "alice", "bob")
    import_values(alice, ["8.8.8.3"])
    with serve(bob) as served:
        assert cosight("match", "bob", "--address", served.address, home=alice.path).code == 0
    assert cosight("ledger", "verify", home=alice.path).code == 0
    with closing(sqlite3.connect(alice.ledger_file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return alice


@pytest.fixture
def recorded(once: Home, tmp_path: Path) -> Home:
    """The same, for one test to spoil."""
    return Home.open(shutil.copytree(once.path, tmp_path / "alice"))


def fails(home: Home) -> None:
    """``verify`` fails, for people and for scripts."""
    for_scripts = cosight("ledger", "verify", "--json", home=home.path)
    assert for_scripts.code == 1
    if "error" in for_scripts.json:
        assert for_scripts.error["code"].startswith("ledger")
    else:
        assert for_scripts.json["ok"] is False
        assert for_scripts.json["problems"]
    for_people = cosight("ledger", "verify", home=home.path)
    assert for_people.code == 1
    assert "verified" not in for_people.out
    assert "does not verify" in for_people.out or "error (ledger" in for_people.err


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaf SET time = '2026-01-01T00:00:00.000000Z' WHERE kind = 'intent'",
        "UPDATE leaf SET peer = 'carol' WHERE kind = 'intent'",
        "UPDATE leaf SET body = CAST(replace(body, 'bob', 'eve') AS BLOB) WHERE kind = 'intent'",
        "UPDATE checkpoint SET note = replace(note, 'alice', 'carol') WHERE size = 3",
        "UPDATE node SET hash = zeroblob(32) WHERE level = 0 AND idx = 1",
        "DELETE FROM leaf WHERE seq = 3",
        "DELETE FROM leaf",
        "INSERT INTO leaf SELECT 99, time, kind, session, peer, body FROM leaf WHERE seq = 3",
    ],
)
def test_a_change_in_the_database(recorded: Home, statement: str) -> None:
    with closing(sqlite3.connect(recorded.ledger_file)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        assert db.execute(statement).rowcount > 0
        db.commit()
    fails(recorded)


def test_the_end_cut_off(recorded: Home) -> None:
    with closing(sqlite3.connect(recorded.ledger_file)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        last = db.execute("SELECT max(seq) FROM leaf").fetchone()[0]
        db.execute("DELETE FROM leaf WHERE seq = ?", (last,))
        db.execute("DELETE FROM checkpoint WHERE size = ?", (last + 1,))
        db.execute("DELETE FROM node WHERE (idx + 1) << level > ?", (last,))
        db.commit()
    fails(recorded)


@pytest.mark.parametrize("seq", [0, 2, 3])
def test_a_bit_in_the_file(recorded: Home, seq: int) -> None:
    file = recorded.ledger_file
    with closing(sqlite3.connect(file)) as db:
        body: bytes = db.execute("SELECT body FROM leaf WHERE seq = ?", (seq,)).fetchone()[0]
    whole = file.read_bytes()
    start = whole.index(body)
    for offset in range(start, start + len(body), EVERY):
        changed = bytearray(whole)
        changed[offset] ^= 1
        file.write_bytes(changed)
        fails(recorded)
    file.write_bytes(whole)
    assert cosight("ledger", "verify", home=recorded.path).code == 0


@pytest.mark.parametrize("content", [None, b"", b"no ledger", b"SQLite format 3\0"])
def test_a_file_that_is_no_ledger(recorded: Home, content: bytes | None) -> None:
    Path(recorded.ledger_file).unlink()
    if content is not None:
        recorded.ledger_file.write_bytes(content)
    done = cosight("ledger", "verify", "--json", home=recorded.path)
    assert done.code == 1
    assert "Traceback" not in done.err
