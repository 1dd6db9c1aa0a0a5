"""What a ledger says about one peer: sessions and their cost, its log and set as shown, what was decided."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exchange.agreement import Rung
from exchange.indicators import IndicatorType
from exchange.ledger import Kind
from exchange.policy.history import Approval, Past
from exchange.store.ledger import LedgerReader, LedgerStore, Seen
from exchange.store.ledger.schema import COMMITMENT
from tests.exchange.ledger.entries import FIELDS
from tests.exchange.ledger.receipts import receipt
from tests.exchange.store.ledgers import NOW, adopt, disclose, fill, intend, session, settle

DAY = timedelta(days=1)
ROOT = "10" * 32


def past(store: LedgerReader, now: datetime = NOW) -> dict[str, Past]:
    return {one.session: one for one in store.history("umbra", now).past}


class TestPast:
    def test_a_session_from_its_intent_to_its_result(self, store: LedgerStore) -> None:
        entered = {"entered": {"ipv4": 600, "domain": 300}, "at_stake": 900}
        intend(store, 1, **entered)
        intend(store, 2, peer="globex")
        begun = Past(
            session=session(1),
            began=NOW,
            direction="initiator",
            rung=Rung.OVERLAP,
            types=(IndicatorType.IPV4,),
            ours=900,
            charge=900,
        )
        assert past(store) == {session(1): begun}
        disclose(store, 1, matched=7, peer_padded=2048, at_stake=0)
        (found,) = past(store).values()
        assert (found.charge, found.matched, found.peer_padded, found.closed) == (0, 7, 2048, True)

    @pytest.mark.parametrize(
        ("intent", "result", "expected"),
        [
            ({}, None, 1024),
            ({"at_stake": 30}, None, 30),
            ({"rung": "size"}, None, 0),
            ({}, {"learned_by_peer": "overlap"}, 1024),
            ({}, {"learned_by_peer": "size"}, 0),
            ({"at_stake": 30}, {"learned_by_peer": "size"}, 30),
            ({"at_stake": 30}, {"at_stake": 0}, 0),
            ({}, {"at_stake": 12, "learned_by_peer": "overlap"}, 12),
        ],
    )
    def test_what_a_session_cost(
        self, store: LedgerStore, intent: dict[str, object], result: dict[str, object] | None, expected: int
    ) -> None:
        intend(store, 1, direction="responder", **intent)
        if result is not None:
            disclose(store, 1, direction="responder", **result)
        assert past(store)[session(1)].charge == expected

    @pytest.mark.parametrize(("told", "expected"), [(None, 500), (3, 3), (0, 0), (900, 500)])
    def test_a_peer_that_signs_how_many_it_found_is_charged_that(
        self, store: LedgerStore, told: int | None, expected: int
    ) -> None:
        for n, direction in ((1, "responder"), (2, "initiator")):
            intend(store, n, direction=direction, at_stake=500)
            disclose(store, n, direction=direction, at_stake=500)
            assert past(store)[session(n)].charge == 500
            settle(store, n, receipt(told=told).encode(), direction=direction)
        found = past(store)
        assert found[session(1)].charge == expected
        assert found[session(2)].charge == 500

    def test_a_year_counts_and_no_more(self, store: LedgerStore, path: Path) -> None:
        for n, age in enumerate((400, 367, 366, 100, 0)):
            intend(store, n, now=NOW - age * DAY)
        assert past(store).keys() == {session(n) for n in (2, 3, 4)}
        assert past(store, NOW + 300 * DAY).keys() == {session(4)}
        intend(store, 5, now=NOW + 300 * DAY)
        assert past(store, NOW + 300 * DAY).keys() == {session(4), session(5)}
        with LedgerReader.open_read_only(path) as reader:
            assert past(reader, NOW + 300 * DAY) == past(store, NOW + 300 * DAY)

    def test_what_is_kept_in_memory_is_what_is_read_anew(self, store: LedgerStore, path: Path) -> None:
        steps = (
            lambda n: intend(store, n, direction="responder", log_size=n + 3, log_root=ROOT),
            lambda n: disclose(store, n, direction="responder"),
            lambda n: settle(store, n, receipt(told=1).encode(), direction="responder", log_size=n),
        )
        for n in range(12):
            for step in steps[: n % 4]:
                step(n)
                with LedgerReader.open_read_only(path) as anew:
                    assert store.history("umbra", NOW) == anew.history("umbra", NOW)
                    assert store.unsettled("umbra", "responder") == anew.unsettled("umbra", "responder")
                    assert store.seen("umbra") == anew.seen("umbra")


class TestUnsettled:
    def test_sessions_that_lack_a_receipt(self, store: LedgerStore) -> None:
        for n in range(1, 5):
            intend(store, n, direction="responder" if n == 4 else "initiator")
        for n in (3, 1, 2):
            disclose(store, n)
        disclose(store, 4, direction="responder")
        intend(store, 5)  # no agreement yet
        settle(store, 2)
        assert [s.session for s in store.unsettled("umbra", "initiator")] == [session(1), session(3)]
        assert [s.session for s in store.unsettled("umbra", "responder")] == [session(4)]
        assert store.unsettled("globex", "initiator") == []


class TestWitnessing:
    def test_the_longest_log_that_was_shown(self, store: LedgerStore, path: Path) -> None:
        assert store.seen("umbra") is None
        fill(store)
        assert store.seen("umbra") is None
        intend(store, 3, log_size=9, log_root="22" * 32)
        settle(store, 1, log_size=6, log_root="11" * 32)  # of an older state
        intend(store, 4, peer="globex", log_size=99, log_root="99" * 32)
        for ledger in (store, LedgerReader.open_read_only(path)):
            assert ledger.seen("umbra") == Seen(9, b"\x22" * 32)
            assert ledger.seen("globex") == Seen(99, b"\x99" * 32)

    def test_what_was_seen_long_ago_still_counts(self, store: LedgerStore, path: Path) -> None:
        intend(store, 1, log_size=9, log_root=ROOT, peer_epoch=1, peer_set=ROOT, peer_set_padded=32)
        intend(store, 2, now=NOW + 500 * DAY)
        with LedgerReader.open_read_only(path) as reader:
            assert reader.seen("umbra") == Seen(9, b"\x10" * 32)
            assert reader.peer_commitment("umbra") == (1, b"\x10" * 32, 32, NOW)

    def test_the_set_that_was_shown_last(self, store: LedgerStore) -> None:
        intend(store, 1, peer_epoch=1, peer_set="11" * 32, peer_set_padded=512)
        intend(store, 2, now=NOW + DAY, peer_epoch=2, peer_set="22" * 32, peer_set_padded=1024)
        intend(store, 3, now=NOW + 2 * DAY)
        assert store.peer_commitment("umbra") == (2, b"\x22" * 32, 1024, NOW + DAY)
        assert store.peer_commitment("globex") is None

    def test_our_own_commitment(self, store: LedgerStore) -> None:
        assert store.commitment() is None
        what = FIELDS[Kind.COMMITMENT]["what"]
        assert isinstance(what, dict)
        for epoch in (1, 2):
            store.append("commitment", now=NOW, what=what | {"epoch": epoch})
        adopt(store)
        found = store.commitment()
        assert found is not None
        assert found.what["epoch"] == 2


class TestDecisions:
    def test_quarantine_lasts_until_it_is_lifted(self, store: LedgerStore) -> None:
        for kind, reason, expected in (
            ("quarantine", "canary", "canary"), ("quarantine", "log-forked", "log-forked"),
            ("lift", "explained", ""), ("quarantine", "by-hand", "by-hand"),
        ):  # fmt: skip
            store.append(kind, now=NOW, peer="umbra", what={"reason": reason})
            intend(store, len(store.entries()))
            assert store.quarantined("umbra") == store.history("umbra", NOW).quarantined == expected
        assert store.quarantined("globex") == ""

    def test_approvals(self, store: LedgerStore) -> None:
        store.append("approval", now=NOW, **FIELDS[Kind.APPROVAL])
        store.append("quarantine", now=NOW, peer="umbra", what={"reason": "canary"})
        assert [leaf.seq for leaf in store.approvals("umbra")] == [1]
        assert store.approvals("globex") == []
        assert store.history("umbra", NOW).approvals == (
            Approval(
                request="4e" * 32,
                rung=Rung.OVERLAP,
                types=(IndicatorType.IPV4,),
                approver="dana",
                expires=datetime(2026, 3, 8, 12, tzinfo=UTC),
                signature=b"\x51" * 64,
            ),
        )


def test_the_questions_are_answered_by_indexes(store: LedgerStore) -> None:
    fill(store)
    asked = {
        "leaf_dealings": "SELECT body FROM leaf WHERE peer = 'a' AND session <> '' AND seq >= 5 ORDER BY seq",
        "leaf_decided": "SELECT body FROM leaf WHERE peer = 'a' "
        "AND kind IN ('quarantine', 'lift', 'approval') ORDER BY seq",
        "leaf_standing": str(COMMITMENT.compile(compile_kwargs={"literal_binds": True})),
        "leaf_quota": "SELECT min(seq) FROM leaf WHERE peer = 'a' AND time >= '2026' AND kind = 'intent'",
    }
    with store._engine.connect() as db:
        for index, query in asked.items():
            (*_, plan) = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").one()
            assert f"INDEX {index} " in f"{plan} ", plan
