"""No change to a stored ledger goes unnoticed, and a log that lost its end is not continued."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exchange.errors import LedgerError
from exchange.store.ledger import LedgerReader, LedgerStore, head_path, recompute
from tests.exchange.store.ledgers import KEY, ORIGIN, PUBLIC, cut, fill, intend, problems, unlocked


class TestTheDatabaseRefuses:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE leaf SET time = time",
            "UPDATE node SET hash = hash",
            "UPDATE checkpoint SET note = note",
            "DELETE FROM leaf",
            "DELETE FROM node",
            "DELETE FROM checkpoint",
            "INSERT OR REPLACE INTO leaf SELECT * FROM leaf WHERE seq = 2",
            "INSERT OR REPLACE INTO node SELECT * FROM node WHERE idx = 1",
            "INSERT OR REPLACE INTO checkpoint SELECT * FROM checkpoint WHERE size = 2",
            "INSERT INTO leaf SELECT 99, time, kind, session, peer, body FROM leaf WHERE seq = 2",
            "INSERT INTO checkpoint SELECT 99, note FROM checkpoint WHERE size = 2",
        ],
    )
    def test_everything_but_appending(self, store: LedgerStore, path: Path, statement: str) -> None:
        fill(store)
        with (
            closing(sqlite3.connect(path)) as db,
            pytest.raises(sqlite3.IntegrityError, match="append-only"),
        ):
            db.execute(statement)
        assert problems(path) == []


class TestTampering:
    """By somebody who owns the file and has dropped the triggers."""

    @pytest.mark.parametrize("table", ["leaf", "node", "checkpoint"])
    def test_every_byte_of_every_stored_value(self, store: LedgerStore, path: Path, table: str) -> None:
        fill(store)
        with closing(unlocked(path)) as db, LedgerReader.open_read_only(path) as reader:
            db.execute("PRAGMA synchronous = OFF")
            cursor = db.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in cursor.description]
            keys = columns[:2] if table == "node" else columns[:1]
            changes = 0
            for row in cursor.fetchall():
                for column, old in zip(columns, row, strict=True):
                    for new in _changes(old):
                        where = " AND ".join(f"{key} = ?" for key in keys)
                        place = [row[columns.index(key)] for key in keys]
                        db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (new, *place))
                        assert not reader.verify().ok, (table, row[0], column)
                        moved = [new if key == column else was for key, was in zip(keys, place, strict=True)]
                        db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (old, *moved))
                        changes += 1
            assert changes > 250
            assert reader.verify().ok

    @pytest.mark.parametrize("table", ["leaf", "node", "checkpoint"])
    def test_two_processes_find_the_same_as_one(
        self, store: LedgerStore, path: Path, table: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(store)
        store.close()

        def found(apart_from: int) -> set[int | None]:
            monkeypatch.setattr(recompute, "APART_FROM", apart_from)
            with LedgerReader.open_read_only(path) as reader:
                return {problem.seq for problem in reader.verify(public_key=PUBLIC).problems}

        assert found(1) == set()
        with closing(unlocked(path)) as db:
            last = {
                "leaf": "UPDATE leaf SET body = x'00' WHERE seq = 3",
                "node": "INSERT INTO node VALUES (7, 0, zeroblob(32))",
                "checkpoint": "UPDATE checkpoint SET note = replace(note, '3', '4') WHERE size = 3",
            }[table]
            db.execute(last)
        assert found(1) == found(100) != set()

    def test_text_that_is_no_utf8(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        with closing(unlocked(path)) as db:
            db.execute("UPDATE leaf SET peer = CAST(x'ff' AS TEXT) WHERE seq = 2")
        assert problems(path) != []

    @pytest.mark.parametrize("table", ["leaf", "node", "checkpoint"])
    def test_rows_that_are_missing(self, store: LedgerStore, path: Path, table: str) -> None:
        fill(store)
        store.close()
        whole = path.read_bytes()
        with closing(sqlite3.connect(path)) as db:
            count = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for place in range(count):
            with closing(unlocked(path)) as db:
                rows = db.execute(f"SELECT * FROM {table}").fetchall()
                key = "level = ? AND idx = ?" if table == "node" else f"{_key(table)} = ?"
                db.execute(f"DELETE FROM {table} WHERE {key}", rows[place][: 2 if table == "node" else 1])
            assert problems(path) != [], place
            path.write_bytes(whole)
        assert problems(path) == []

    def test_rows_in_another_order(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        with closing(unlocked(path)) as db:
            for old, new in ((2, 99), (3, 2), (99, 3)):
                db.execute("UPDATE leaf SET seq = ? WHERE seq = ?", (new, old))
        found = problems(path)
        assert "the entry was written for another place in the log" in found

    def test_a_cut_end_is_found_by_the_head_file_and_not_continued(
        self, store: LedgerStore, path: Path
    ) -> None:
        fill(store)
        store.close()
        cut(path, 3)
        assert any("its end was cut off" in problem for problem in problems(path))
        with pytest.raises(LedgerError, match="cut off") as refused:
            LedgerStore.open(path, signer=KEY, origin=ORIGIN)
        assert refused.value.code == "ledger-cut"

    def test_a_cut_of_everything(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        store.close()
        path.unlink()
        with pytest.raises(LedgerError, match="cut off"):
            LedgerStore.open(path, signer=KEY, origin=ORIGIN)

    def test_an_open_writer_notices_too(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        cut(path, 3)
        with pytest.raises(LedgerError, match="cut off"):
            intend(store, 5)

    def test_a_second_history_is_found(self, store: LedgerStore, path: Path, tmp_path: Path) -> None:
        fill(store)
        store.close()
        other = tmp_path / "other" / "ledger.db"
        other.parent.mkdir()
        with LedgerStore.open(other, signer=KEY, origin=ORIGIN) as fork:
            intend(fork, 9)
            fill(fork)
        shutil.copy(other, path)
        with pytest.raises(LedgerError) as refused:
            LedgerStore.open(path, signer=KEY, origin=ORIGIN)
        assert refused.value.code == "ledger-forked"
        assert any("differs from a checkpoint" in problem for problem in problems(path))

    def test_a_tree_that_somebody_else_made_is_not_signed(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        store.close()
        with closing(unlocked(path)) as db:
            db.execute("UPDATE node SET hash = zeroblob(32) WHERE level = 2")
        with pytest.raises(LedgerError) as refused:
            LedgerStore.open(path, signer=KEY, origin=ORIGIN)
        assert refused.value.code == "ledger-damaged"

    def test_without_its_head_file(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        newest = store.newest()
        store.close()
        head_path(path).unlink()
        assert any("holds no checkpoint" in problem for problem in problems(path))
        with pytest.raises(LedgerError) as refused:
            LedgerStore.open(path, signer=KEY, origin=ORIGIN)
        assert refused.value.code == "ledger-head"
        assert newest is not None
        head_path(path).write_text(newest)  # what docs/ledger.md says to do
        assert problems(path) == []
        with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as again:
            intend(again, 5)
        assert problems(path) == []


def _key(table: str) -> str:
    return {"leaf": "seq", "checkpoint": "size"}[table]


def _changes(old: object) -> Iterator[object]:
    """Each byte of a value changed once, in its low bit so that text stays text; one bit of a number."""
    if isinstance(old, int):
        yield old ^ 64
    elif isinstance(old, bytes):
        for place in range(len(old)):
            yield old[:place] + bytes([old[place] ^ 1]) + old[place + 1 :]
    elif isinstance(old, str):
        raw = old.encode()
        yield from (bytes(change).decode() for change in _changes(raw) if isinstance(change, bytes))
        yield old + "x"
