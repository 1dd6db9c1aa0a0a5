"""The auditor decides every session once more, and says which one the policy would have refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.agreement import Agreement, Rung
from exchange.audit.decisions import Decisions, Found
from exchange.audit.log import Log
from exchange.audit.rosters import Rosters
from exchange.indicators import IndicatorType
from exchange.ledger import Kind, Leaf, timestamp
from exchange.ledger.leaf import FIRST
from exchange.ledger.order import History
from exchange.policy import Policy, approve, parse, request_hash
from tests.exchange.ledger.receipts import AGREEMENT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
APPROVER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
POLICY = """
version = 1
[peers.umbra]
directions = ["initiator", "responder"]
reveal = "overlap"
learns = ["us", "peer"]
types = ["ipv4"]
tlp = "AMBER"
legal_basis = "test"
protocols = ["voprf"]
our_size = { min = 0, max = 1000 }
peer_size = { min = 0, max = 4096 }
sessions_per_day = 2

[legal_bases.test]
basis = "other"
reference = "a test"

[approvers]
dana = "KEY"
""".replace("KEY", APPROVER.public_key().public_bytes_raw().hex())


@cache
def policy(**changes: str) -> Policy:
    text = POLICY
    for old, new in changes.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{old} ="))
        text = text.replace(line, f"{old} = {new}" if new else "")
    return parse(text)


class Book:
    """A log in memory, and what the auditor says of it."""

    def __init__(self, rules: Policy) -> None:
        self.rules = rules
        self.documents = {rules.hash.hex(): rules.encoded}
        self.log = Log("acme", Rosters((), ()), self.documents, [], History())
        self.decisions = Decisions(self.log)
        self.found: list[Found] = []
        self.seq = 0
        self.put(Kind.OPENED, NOON, member="acme", origin="cosight/acme", log_key="00" * 32)
        self.put(Kind.POLICY, NOON, policy=rules.hash.hex(), what={"revision": 0})

    def put(self, kind: Kind, when: datetime, **fields: Any) -> int:
        leaf = Leaf(self.seq, timestamp(when), kind, FIRST, fields)
        leaf.encode()
        assert self.log.history.admit(leaf) == ""
        session = self.log.take(leaf)
        self.found += self.decisions.entry(leaf, session)
        self.seq += 1
        return leaf.seq

    def agreement(self, n: int, direction: str, **changes: Any) -> Agreement:
        mine = {"initiator": "acme", "responder": "umbra", "receiver": "acme"}
        changes = {"initiator_nonce": n.to_bytes(32), **(mine if direction == "initiator" else {}), **changes}
        agreed = replace(AGREEMENT, **changes)
        self.documents[agreed.hash.hex()] = agreed.encoded
        return agreed

    def session(
        self,
        n: int,
        when: datetime = NOON,
        *,
        direction: str = "responder",
        result: Kind | None = Kind.DISCLOSED,
        agreed: dict[str, Any] | None = None,
        reason: str = "failed",
        **what: Any,
    ) -> int:
        """Everything a session leaves; the number of its intent."""
        agreement = self.agreement(n, direction, **(agreed or {}))
        named: dict[str, Any] = {"session": agreement.session, "peer": "umbra", "direction": direction}
        pinned = named | {"agreement": agreement.hash.hex()}
        intent = {
            "rung": "overlap", "output": "receiver", "types": ["ipv4"], "protocol": "voprf",
            "profile": "cti-c14n/1", "policy": self.rules.hash.hex(), "ours_padded": 1024,
            "entered": {"ipv4": 900}, "canaries": 8,
        } | what  # fmt: skip
        seq = self.put(Kind.INTENT, when, what=intent, **(pinned if direction == "responder" else named))
        if result is Kind.DISCLOSED:
            self.put(result, when, what={"learned_by_us": "size", "learned_by_peer": "overlap"}, **pinned)
        elif result is Kind.ABORTED:
            self.put(result, when, what={"reason": reason}, **pinned)
        return seq

    def faults(self) -> list[Found]:
        self.found += self.decisions.finish()
        return self.found


def refused(seq: int, rule: str) -> Found:
    return seq, f"the policy in force refuses this session, by {rule}"


@pytest.mark.parametrize("direction", ["initiator", "responder"])
class TestEverySession:
    def test_what_the_policy_allows(self, direction: str) -> None:
        book = Book(policy())
        book.session(1, direction=direction)
        book.session(2, NOON + HOUR, direction=direction)
        book.session(3, NOON + 25 * HOUR, direction=direction)
        assert book.faults() == []

    def test_a_quota(self, direction: str) -> None:
        book = Book(policy())
        for n in (1, 2):
            book.session(n, NOON + n * HOUR, direction=direction)
        third = book.session(3, NOON + 3 * HOUR, direction=direction)
        assert book.faults() == [refused(third, "p11-sessions-per-day")]

    @pytest.mark.parametrize(
        ("what", "rule"),
        [
            ({"types": ["domain"]}, "p3-types"),
            ({"protocol": "vole"}, "protocol"),
            ({"entered": {"ipv4": 993}}, "p7-our-size"),
            ({"entered": {"ipv4": 500, "domain": 600}}, "p7-our-size"),
            ({"profile": "cti-c14n/9"}, "p23-profile"),
        ],
    )
    def test_each_fact_of_the_intent(self, direction: str, what: dict[str, Any], rule: str) -> None:
        book = Book(policy())
        seq = book.session(1, direction=direction, **what)
        assert book.faults() == [refused(seq, rule)]

    def test_what_the_agreement_says(self, direction: str) -> None:
        theirs = "responder_padded" if direction == "initiator" else "initiator_padded"
        book = Book(policy())
        seq = book.session(1, direction=direction, agreed={theirs: 8192})
        assert book.faults() == [refused(seq, "p7-peer-size")]
        book = Book(policy(sessions_per_day='2\npurposes = ["research"]'))
        allowed = book.session(1, direction=direction, agreed={"purpose": "research"})
        seq = book.session(2, direction=direction, agreed={"purpose": "curiosity"})
        assert allowed < seq
        assert book.faults() == [refused(seq, "purpose")]

    def test_dates(self, direction: str) -> None:
        book = Book(policy(version="1\nvalid_until = 2026-03-01"))
        book.session(1, direction=direction)
        seq = book.session(2, NOON + 13 * HOUR, direction=direction)
        assert book.faults() == [refused(seq, "p2-policy-validity")]

    def test_quarantine_while_it_lasts(self, direction: str) -> None:
        book = Book(policy())
        book.put(Kind.QUARANTINE, NOON, peer="umbra", what={"reason": "canary"})
        seq = book.session(1, NOON + HOUR, direction=direction)
        book.put(Kind.LIFT, NOON + HOUR, peer="umbra", what={"reason": "explained"})
        book.session(2, NOON + HOUR, direction=direction)
        assert book.faults() == [refused(seq, "p22-quarantine")]

    def test_a_set_that_the_peer_is_not_bound_to(self, direction: str) -> None:
        shown = {"log_size": 9, "log_root": "10" * 32}
        bound = shown | {"peer_epoch": 1, "peer_set": "5c" * 32, "peer_set_padded": 2048}
        book = Book(policy(sessions_per_day='9\ncommitment = "required"\ngrowth_per_day = 0.5'))
        book.session(1, direction=direction, **bound)
        without = book.session(2, NOON + HOUR, direction=direction, **shown)
        small = book.session(3, NOON + HOUR, direction=direction, **bound | {"peer_set_padded": 512})
        grown = {"peer_epoch": 2, "peer_set": "5d" * 32, "peer_set_padded": 4096}
        much = book.session(4, NOON + 25 * HOUR, direction=direction, **shown | grown)
        assert book.faults() == [
            refused(without, "guard-commitment"),
            refused(small, "guard-commitment"),
            refused(much, "guard-growth"),
        ]

    def test_no_policy_at_all(self, direction: str) -> None:
        """Said where documents are looked for, and once."""
        book = Book(policy())
        book.session(1, direction=direction, policy="ff" * 32)
        assert book.faults() == []


class TestWhoDials:
    def test_a_session_that_came_to_no_agreement(self) -> None:
        book = Book(policy(sessions_per_day='2\npurposes = ["research"]'))
        book.session(1, direction="initiator", result=None)
        book.documents.clear()
        book.documents[book.rules.hash.hex()] = book.rules.encoded
        seq = book.session(2, direction="initiator", result=None, types=["domain"])
        assert book.faults() == [refused(seq, "p3-types")]

    def test_a_session_that_our_policy_ended_when_the_peer_had_said_its_size(self) -> None:
        for reason, expected in (("policy-refused", []), ("failed", ["p7-peer-size"])):
            book = Book(policy())
            agreed = {"responder_padded": 8192}
            seq = book.session(1, direction="initiator", result=Kind.ABORTED, agreed=agreed, reason=reason)
            assert book.faults() == [refused(seq, rule) for rule in expected]


class TestApprovals:
    rules = policy(sessions_per_day='9\napproval = { rungs = ["overlap"], people = 1, days = 7 }')

    def approve(self, book: Book, **changes: Any) -> int:
        request = request_hash("umbra", Rung.OVERLAP, [IndicatorType.IPV4], self.rules.hash, "")
        given = approve(
            request, Rung.OVERLAP, [IndicatorType.IPV4], approver="dana", key=APPROVER,
            expires=NOON + timedelta(days=3),
        )  # fmt: skip
        what = {
            "request": given.request, "rung": "overlap", "types": ["ipv4"], "approver": "dana",
            "expires": timestamp(given.expires), "signature": given.signature.hex(),
        } | changes  # fmt: skip
        return book.put(Kind.APPROVAL, NOON, peer="umbra", what=what)

    def test_a_session_waits_for_its_approval(self) -> None:
        book = Book(self.rules)
        before = book.session(1)
        self.approve(book)
        book.session(2)
        late = book.session(3, NOON + timedelta(days=4))
        assert book.faults() == [refused(before, "p19-approval"), refused(late, "p19-approval")]

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"signature": "00" * 64}, "the approver did not sign this approval"),
            ({"expires": timestamp(NOON + timedelta(days=5))}, "the approver did not sign this approval"),
            ({"request": "00" * 32}, "the approver did not sign this approval"),
            ({"approver": "eve"}, "the policy in force does not know this approver"),
        ],
    )
    def test_signatures(self, changes: dict[str, Any], fault: str) -> None:
        book = Book(self.rules)
        seq = self.approve(book, **changes)
        assert book.faults() == [(seq, fault)]
