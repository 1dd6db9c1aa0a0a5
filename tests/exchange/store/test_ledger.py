"""The ledger on disk: what is written is read, and what may not be written is not."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import LedgerError
from exchange.ledger import Checkpoint, Kind, note, tree
from exchange.store.ledger import Draft, LedgerReader, LedgerStore, head_path
from tests.exchange.store.ledgers import (
    DISCLOSED,
    INTENT,
    KEY,
    NOW,
    ORIGIN,
    PUBLIC,
    adopt,
    fill,
    intend,
    session,
    settle,
)
from tests.reference import merkle


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
        assert store.intents_since("umbra", NOW) == 3
        assert store.intents_since("umbra", NOW + timedelta(hours=1)) == 1
        assert store.intents_since("globex", NOW) == 1
        assert store.note(3) != ""
        assert note.read(store.note(3), PUBLIC) == Checkpoint(
            "cosight/threats.example/acme", 3, store.root_at(3)
        )
        assert store.note(99) == ""
        assert store.roster_epoch() == 1

    def test_a_session_is_found_with_what_became_of_it(self, store: LedgerStore) -> None:
        fill(store)
        settle(store, 1)
        found = store.session(session(1))
        assert found is not None
        assert found.result is not None
        assert found.receipt is not None
        assert [leaf.seq for leaf in (found.intent, found.result, found.receipt)] == [2, 3, 5]
        assert found.agreement == "a9" * 32
        assert store.sessions()[0] == found
        assert store.session(session(2)) == store.sessions()[1]
        assert store.sessions()[1][2:] == (None, None)
        assert store.session(session(9)) is None
        assert store.session("") is None

    def test_several_entries_are_written_together_or_not_at_all(self, store: LedgerStore) -> None:
        one = Draft(
            "intent", {"session": session(1), "peer": "umbra", "direction": "responder", "what": INTENT}
        )
        end = {"session": session(1), "peer": "umbra", "direction": "responder", "agreement": "a9" * 32}
        drafts = [one, Draft(Kind.DISCLOSED, end | {"what": DISCLOSED})]
        assert store.append_all(drafts, now=NOW) == [1, 2]
        again = Draft("intent", dict(one.fields) | {"session": session(2)})
        for wrong in (one, Draft("payment", {}), Draft("intent", {})):
            with pytest.raises(LedgerError):
                store.append_all([again, wrong], now=NOW)
        assert len(store.entries()) == 3
        assert store.append_all([again], now=NOW) == [3]
        assert store.append_all([], now=NOW) == []
        assert store.verify(public_key=PUBLIC, every_signature=True).ok

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
