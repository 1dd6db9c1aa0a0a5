"""Full disks, torn writes, locks, killed writers, and several writers at once."""

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from exchange.errors import LedgerError
from exchange.store.ledger import LedgerReader, LedgerStore, head, head_path
from tests.exchange.store.ledgers import KEY, ORIGIN, PUBLIC, fill, intend, problems

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

    def test_a_writer_that_does_not_let_go(
        self, store: LedgerStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(head, "BUSY_TIMEOUT_S", 0.05)
        with head_path(path).open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
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

    def test_one_that_is_refused_stops_none_of_the_others(self, store: LedgerStore, path: Path) -> None:
        intend(store, 0)
        wrong: list[LedgerError] = []

        def work(part: int) -> None:
            for n in range(20):
                try:
                    intend(store, 0 if part == 0 else part * 100 + n)
                except LedgerError as e:
                    wrong.append(e)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert {e.code for e in wrong} == {"ledger-order"}
        assert len(wrong) == 20
        assert store.verify().leaves == 62
        assert problems(path) == []

    def test_all_who_wait_hear_that_the_disk_is_busy(
        self, store: LedgerStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        intend(store, 0)
        monkeypatch.setattr(head, "BUSY_TIMEOUT_S", 0.2)

        def work(n: int) -> str:
            try:
                return str(intend(store, n))
            except LedgerError as e:
                return str(e)

        with head_path(path).open("rb") as other, ThreadPoolExecutor(4) as pool:
            fcntl.flock(other, fcntl.LOCK_EX)
            said = list(pool.map(work, range(1, 5)))
        assert all("in use" in text for text in said)
        assert [intend(store, n) for n in range(1, 5)] == [2, 3, 4, 5]
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
