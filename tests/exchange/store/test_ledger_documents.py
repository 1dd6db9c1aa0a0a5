"""What entries name by hash is kept beside them, once, in the same transaction; older ledgers learn to."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from crypto import labels
from exchange.errors import LedgerError
from exchange.store.ledger import Document, DocumentKind, LedgerReader, LedgerStore
from tests.exchange.store.ledgers import INTENT, KEY, NOW, ORIGIN, fill, intend, problems, session

AGREEMENT = Document(DocumentKind.AGREEMENT, b"the agreement")
POLICY = Document(DocumentKind.POLICY, b"the policy")
NOTE = Document(DocumentKind.NOTE, b"a note")


def write(store: LedgerStore, n: int, *documents: Document) -> int:
    fields = {"session": session(n), "peer": "umbra", "direction": "responder"}
    return store.append("intent", now=NOW, documents=documents, what=INTENT, **fields)


class TestDocuments:
    def test_names(self) -> None:
        assert AGREEMENT.hash == sha256(labels.AGREEMENT.encode() + b"\x00the agreement").hexdigest()
        assert POLICY.hash == sha256(labels.POLICY.encode() + b"\x00the policy").hexdigest()
        assert NOTE.hash == sha256(b"a note").hexdigest()

    def test_what_is_kept_is_found_by_its_hash(self, store: LedgerStore, path: Path) -> None:
        write(store, 1, AGREEMENT, POLICY)
        write(store, 2, NOTE, POLICY)
        write(store, 3, AGREEMENT, AGREEMENT)
        with LedgerReader.open_read_only(path) as reader:
            for document in (AGREEMENT, POLICY, NOTE):
                assert reader.document(document.hash) == document.body
            assert reader.document("00" * 32) is None
            assert {d.hash for d in reader.documents()} == {d.hash for d in (AGREEMENT, POLICY, NOTE)}
        assert len(list(store.documents())) == 3
        assert problems(path) == []

    def test_what_is_not_written_leaves_no_document(self, store: LedgerStore) -> None:
        write(store, 1)
        with pytest.raises(LedgerError):
            write(store, 1, POLICY)
        assert store.document(POLICY.hash) is None

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE document SET body = body",
            "DELETE FROM document",
            "INSERT OR REPLACE INTO document SELECT * FROM document",
        ],
    )
    def test_the_database_refuses_changes(self, store: LedgerStore, path: Path, statement: str) -> None:
        write(store, 1, POLICY)
        with (
            closing(sqlite3.connect(path)) as db,
            pytest.raises(sqlite3.IntegrityError, match="append-only"),
        ):
            db.execute(statement)

    def test_a_ledger_of_version_1_is_read_and_goes_on(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        store.close()
        schema = _schema(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("DROP TABLE document")
            for index in ("leaf_dealings", "leaf_decided", "leaf_runs", "leaf_standing"):
                db.execute(f"DROP INDEX {index}")
            db.execute("CREATE INDEX leaf_standing ON leaf (seq) WHERE kind IN ('opened', 'roster')")
            db.execute("UPDATE meta SET version = 1 WHERE part = 'ledger'")
        with LedgerReader.open_read_only(path) as reader:
            assert reader.document(POLICY.hash) is None
            assert list(reader.documents()) == []
            assert reader.session(session(1)) is not None
            assert reader.seen("umbra") is None
            assert reader.verify().ok
        with LedgerStore.open(path, signer=KEY, origin=ORIGIN) as again:
            write(again, 7, POLICY)
            intend(again, 8)
            assert again.document(POLICY.hash) == POLICY.body
        assert _schema(path) == schema
        assert problems(path) == []

    def test_a_ledger_of_version_2_gets_the_index_of_runs(self, store: LedgerStore, path: Path) -> None:
        fill(store)
        store.close()
        schema = _schema(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("DROP INDEX leaf_runs")
            db.execute("UPDATE meta SET version = 2 WHERE part = 'ledger'")
        with LedgerReader.open_read_only(path) as reader:
            assert len(reader.runs()) == 0
        LedgerStore.open(path, signer=KEY, origin=ORIGIN).close()
        assert _schema(path) == schema


def _schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        return set(db.execute("SELECT name, sql FROM sqlite_master"))
