"""The ledger on disk: durable, append-only, safe between processes, and no change to it goes unnoticed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import LedgerError
from exchange.ledger import Kind, note, tree
from exchange.policy import History
from exchange.store.ledger import LedgerReader, LedgerStore, head_path
from tests.reference import merkle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = KEY.public_key().public_bytes_raw()
ORIGIN = "cosight/acme"
INTENT = {
    "rung": "overlap",
    "output": "receiver",
    "types": ["ipv4"],
    "protocol": "voprf",
    "ours_padded": 1024,
}
DISCLOSED = {"learned_by_us": "overlap", "learned_by_peer": "size", "matched": 7}
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from exchange.store.ledger import LedgerStore
key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
what = {"rung": "overlap", "output": "receiver", "types": ["ipv4"], "protocol": "voprf", "ours_padded": 1024}
with LedgerStore.open(Path(sys.argv[1]), signer=key, origin="cosight/acme") as ledger:
    for i in range(int(sys.argv[3])):
        session = f"{sys.argv[2]}{i:08x}".rjust(64, "0")
        seq = ledger.append("intent", now=datetime.now(UTC), session=session, peer="umbra",
                            direction="initiator", what=what)
        print(seq, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[LedgerStore]:
    with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as ledger:
        yield ledger


def session(n: int) -> str:
    return f"{n:064x}"


def intend(store: LedgerStore, n: int, *, peer: str = "umbra", now: datetime = NOW) -> int:
    return store.append("intent", now=now, session=session(n), peer=peer, direction="initiator", what=INTENT)


def disclose(store: LedgerStore, n: int) -> int:
    fields = {"session": session(n), "peer": "umbra", "direction": "initiator", "agreement": "a9" * 32}
    return store.append(Kind.DISCLOSED, now=NOW, what=DISCLOSED, **fields)


def adopt(store: LedgerStore, epoch: int = 1, alliance: str = "threats.example") -> int:
    return store.append("roster", now=NOW, alliance=alliance, epoch=epoch, roster="70" * 32)


def fill(store: LedgerStore) -> None:
    adopt(store)
    intend(store, 1)
    disclose(store, 1)
    intend(store, 2)


def problems(path: Path) -> list[str]:
    with LedgerReader.open_read_only(path) as reader:
        found = reader.verify(public_key=PUBLIC)
    assert found.ok is not bool(found.problems)
    return [problem.what for problem in found.problems]


def unlocked(path: Path) -> sqlite3.Connection:
    """A connection of somebody who owns the file: the triggers are gone."""
    db = sqlite3.connect(path, isolation_level=None)
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    return db


def cut(path: Path, size: int) -> None:
    with closing(unlocked(path)) as db:
        db.execute("DELETE FROM leaf WHERE seq >= ?", (size,))
        db.execute("DELETE FROM node WHERE ((idx + 1) << level) > ?", (size,))
        db.execute("DELETE FROM checkpoint WHERE size > ?", (size,))


class TestAppending:
    def test_what_is_written_is_read(self, store: LedgerStore, path: Path) -> None:
        assert store.newest() is None
        fill(store)
        kinds = [leaf.kind for leaf in store.entries()]
        assert kinds == [Kind.OPENED, Kind.ROSTER, Kind.INTENT, Kind.DISCLOSED, Kind.INTENT]
        assert [leaf.seq for leaf in store.entries(start=1, limit=2)] == [1, 2]
        first, second = store.sessions()
        assert (first.session, first.intent.seq) == (session(1), 2)
        assert first.result is not None
        assert first.result.what == DISCLOSED
        assert (second.session, second.result) == (session(2), None)
        found = store.verify(public_key=PUBLIC, every_signature=True)
        assert (found.ok, found.leaves, found.sessions) == (True, 5, 2)
        assert found.open_intents == (session(2),)
        assert (path.stat().st_mode | head_path(path).stat().st_mode) & 0o077 == 0

    def test_an_open_ledger_goes_on(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        store.close()
        with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as again:
            assert intend(again, 3) == 5
            assert again.verify().ok

    def test_questions(self, store: LedgerStore) -> None:
        fill(store)
        assert store.has_session(session(1))
        assert not store.has_session(session(9))
        assert not store.has_session("")
        intend(store, 3, now=NOW + timedelta(hours=25))
        intend(store, 4, peer="globex", now=NOW + timedelta(hours=25))
        assert store.history("umbra", NOW) == History(sessions_last_day=3)
        assert store.history("umbra", NOW + timedelta(hours=25)) == History(sessions_last_day=1)
        assert store.history("initech", NOW) == History()
        assert store.roster_epoch() == 1

    def test_the_log_takes_the_name_of_the_alliance(self, store: LedgerStore) -> None:
        intend(store, 1)
        before = store.verify().head
        adopt(store)
        after = store.verify().head
        assert before is not None
        assert after is not None
        assert (before.origin, after.origin) == ("cosight/acme", "cosight/threats.example/acme")

    def test_proofs(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        with closing(sqlite3.connect(path)) as db:
            bodies = [body for (body,) in db.execute("SELECT body FROM leaf ORDER BY seq")]
        newest = store.newest()
        assert newest is not None
        root = note.read(newest, PUBLIC).root
        proof = store.inclusion_proof(2, 5)
        assert tree.verify_inclusion(2, 5, tree.leaf_hash(bodies[2]), proof, root)
        assert tree.verify_consistency(3, 5, merkle.root(bodies[:3]), root, store.consistency_proof(3, 5))
        with pytest.raises(LedgerError):
            store.inclusion_proof(2, 99)

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            ("payment", {}),
            ("opened", {"member": "acme", "origin": ORIGIN, "log_key": PUBLIC.hex()}),
            ("disclosed", {"session": session(9), "agreement": "a9" * 32, "what": DISCLOSED}),
            ("intent", {"session": session(1), "what": INTENT}),
            ("disclosed", {"session": session(1), "agreement": "a9" * 32, "what": DISCLOSED}),
            ("aborted", {"session": session(1), "what": {"reason": "failed"}}),
            ("aborted", {"session": session(2), "peer": "globex", "what": {"reason": "failed"}}),
            ("aborted", {"session": session(2), "what": {"reason": "198.51.100.7"}}),
            ("aborted", {"session": session(2), "what": {}}),
            ("aborted", {"session": session(2), "reason": "failed"}),
        ],
    )
    def test_what_is_out_of_order_or_malformed_is_not_written(
        self, store: LedgerStore, kind: str, fields: dict[str, object]
    ) -> None:
        fill(store)
        newest = store.newest()
        if kind not in {"opened", "payment"}:
            fields = {"peer": "umbra", "direction": "initiator"} | fields
        with pytest.raises(LedgerError) as refused:
            store.append(kind, now=NOW, **fields)
        assert "198.51.100.7" not in str(refused.value)
        assert store.newest() == newest
        assert store.verify().ok

    def test_rosters_go_forward(self, store: LedgerStore) -> None:
        adopt(store, 2)
        for epoch, alliance in ((2, "threats.example"), (1, "threats.example"), (3, "other.example")):
            with pytest.raises(LedgerError):
                adopt(store, epoch, alliance)
        adopt(store, 5)
        assert store.roster_epoch() == 5

    def test_another_members_ledger_is_not_continued(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        with pytest.raises(LedgerError, match="another member"):
            LedgerStore.open(path, signer=KEY, origin="cosight/globex")
        with pytest.raises(LedgerError):
            LedgerStore.open(path, signer=Ed25519PrivateKey.generate(), origin=ORIGIN)
        with pytest.raises(LedgerError, match="named"):
            LedgerStore.open(path, signer=KEY, origin="Acme Corp")

    def test_an_auditor_needs_no_key_and_writes_nothing(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        with LedgerReader.open_read_only(path) as reader:
            assert reader.verify().ok
            assert reader.verify(public_key=PUBLIC).ok
            other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
            assert not reader.verify(public_key=other).ok
        with pytest.raises(LedgerError, match="no ledger"):
            LedgerReader.open_read_only(path.with_name("none.db"))


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


class TestAccidents:
    def test_a_torn_head_costs_one_entry_of_memory(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        store.close()
        content = bytearray(head_path(path).read_bytes())
        newest = 5 % 2 * 2048
        content[newest + 40 : newest + 60] = bytes(20)
        head_path(path).write_bytes(content)
        assert problems(path) == []
        with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as again:
            intend(again, 5)
        assert problems(path) == []

    def test_a_head_that_lags_behind_is_no_problem(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        lagging = head_path(path).read_bytes()
        intend(store, 5)
        intend(store, 6)
        store.close()
        head_path(path).write_bytes(lagging)
        assert problems(path) == []
        with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as again:
            assert intend(again, 7) == 7
        assert problems(path) == []

    def test_a_full_disk(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        with store._engine.connect() as db:  # the same pooled connection will write
            pages = db.exec_driver_sql("PRAGMA page_count").scalar()
            db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerError, match="does not fit on the disk"):
            [intend(store, n) for n in range(100, 200)]
        with store._engine.connect() as db:
            db.exec_driver_sql("PRAGMA max_page_count = 100000")
        intend(store, 999)
        assert problems(path) == []

    def test_a_database_that_another_program_holds(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        with store._engine.connect() as db:
            db.exec_driver_sql("PRAGMA busy_timeout = 10")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="in use"):
                intend(store, 5)
        intend(store, 5)
        assert problems(path) == []

    def test_no_database(self, path: Path) -> None:
        path.write_text("this is no database, and long enough to be told from an empty one" * 20)
        with pytest.raises(LedgerError):
            LedgerStore.open(path, signer=KEY, origin=ORIGIN)
        with pytest.raises(LedgerError):
            LedgerStore.open(path.parent / "no" / "folder.db", signer=KEY, origin=ORIGIN)


class TestTogether:
    def test_threads(self, store: LedgerStore, path: Path) -> None:
        def work(part: int) -> None:
            for n in range(25):
                intend(store, part * 100 + n)

        threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.verify().leaves == 101
        assert problems(path) == []

    def test_processes(self, path: Path) -> None:
        writers = [_writer(path, part, 60) for part in "abc"]
        seqs: list[int] = []
        for writer in writers:
            out, _ = writer.communicate(timeout=60)
            assert writer.returncode == 0
            seqs += map(int, out.split())
        assert sorted(seqs) == list(range(1, 181))
        assert problems(path) == []

    def test_verifying_while_others_append(self, path: Path) -> None:
        writer = _writer(path, "d", 300)
        assert writer.stdout is not None
        writer.stdout.readline()
        with LedgerReader.open_read_only(path) as reader:
            sizes = []
            while writer.poll() is None:
                found = reader.verify()
                assert found.problems == ()
                sizes.append(found.leaves)
        writer.communicate()
        assert sizes == sorted(sizes)
        assert len(set(sizes)) > 1

    @pytest.mark.slow
    def test_killed_while_appending(self, path: Path) -> None:
        for attempt in range(8):
            writer = _writer(path, f"{attempt:x}", 100_000)
            assert writer.stdout is not None
            for _ in range(1 + 7 * attempt):
                last = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            rest, _ = writer.communicate(timeout=30)
            acknowledged = [int(line) for line in rest.split("\n")[:-1]]
            with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as again:
                found = again.verify(public_key=PUBLIC, every_signature=True)
                assert found.problems == ()
                assert found.leaves > max([last, *acknowledged])
                assert len(found.open_intents) == found.leaves - 1


def _writer(path: Path, part: str, count: int) -> "subprocess.Popen[str]":
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), part, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": root},
    )


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
