"""Ledgers of a member as real sessions leave them, written through the store, for the tests of reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.psi import Output
from exchange import policy, report
from exchange.agreement import Agreement, Rung, size_class
from exchange.indicators import IndicatorType
from exchange.ledger import origin
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.note import parse
from exchange.ledger.receipt import NOTHING, InitiatorPart, ResponderPart, countersign, sign_initiator
from exchange.policy import Policy
from exchange.store.ledger import LedgerStore

US, ALLIANCE = "acme", "threats.example"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG_KEY = LOG.public_key().public_bytes_raw()
SOFTWARE = "cosight 0.1.0"
ROSTER = sha256(b"roster").hexdigest()
POLICY = """\
version = 1
revision = 7
valid_from = 2026-01-01
valid_until = 2026-12-31
regions = ["EU"]

[iep]
id = "acme-sharing-2026"
name = "Sharing with alliance members"
iep_version = 2.0
start_date = 2026-01-01
end_date = 2026-12-31
attribution = "may"
tlp = "AMBER"
permitted_actions = "internally-visible-actions"
unmodified_resale = "must-not"

[personal_data]
types = ["ipv4", "email"]

[legal_bases.legitimate]
basis = "gdpr-6-1-f"
balancing_test = "DPO-2026-014"
reference = "Records of processing, no. 31"
valid_from = 2026-01-01
valid_until = 2026-12-31

[arrangements.nis2]
reference = "NIS2 Art. 29 arrangement of 12 January 2026"
parties = ["acme", "umbra", "globex"]
conditions = "technical indicators only; no prices, customers or detection rates"
valid_from = 2026-01-12
valid_until = 2027-01-11

[peers.umbra]
directions = ["initiator", "responder"]
reveal = "overlap"
learns = ["us", "peer"]
types = ["ipv4", "domain", "sha256"]
protocols = ["voprf", "vole"]
our_size = { min = 100, max = 1000000 }
peer_size = { min = 100, max = 1000000 }
sessions_per_day = 24
values_per_day = 20000
values_per_year = 2000000
share = { most = 0.25, days = 365 }
tlp = "AMBER"
pap = "AMBER"
legal_basis = "legitimate"
arrangement = "nis2"
region = "EU"
tell_count = "band"
canaries = 8

[peers."*"]
directions = ["responder"]
reveal = "overlap"
learns = ["peer"]
types = ["domain", "sha256"]
protocols = ["voprf"]
our_size = { min = 100, max = 1000000 }
peer_size = { min = 100, max = 1000000 }
sessions_per_day = 4
tlp = "GREEN"
attribution = "must-not"
"""
PEERS = ("umbra", "globex")


def identity(member: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(member.encode()).digest())


def public(member: str) -> bytes:
    return identity(member).public_key().public_bytes_raw()


KEYS = {member: public(member) for member in (US, *PEERS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session to be written."""

    n: int = 1
    peer: str = "umbra"
    direction: str = "initiator"
    rung: Rung = Rung.OVERLAP
    output: Output = Output.RECEIVER
    protocol: str = "voprf"
    began: datetime = NOW
    entered: dict[str, int] = field(default_factory=lambda: {"domain": 1310, "ipv4": 612, "sha256": 63})
    withheld: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"p15-warning-list": {"domain": 31, "ipv4": 9}, "p4-tlp": {"sha256": 12}}
    )
    theirs: int = 4000
    matched: int | None = 7
    told: int | None = None
    outcome: str = "disclosed"
    receipt: bool = True
    policy: Policy | None = None
    purpose: str = "ransomware working group"

    @property
    def id(self) -> str:
        return sha256(b"session %d" % self.n).hexdigest()


class Book:
    """A ledger open for writing, and what it takes to write a whole session into it."""

    def __init__(self, folder: Path) -> None:
        self.policy = policy.parse(POLICY)
        self.store = LedgerStore.open(folder / "ledger.db", signer=LOG, origin=origin(US))

    def begin(self, when: datetime = NOW - timedelta(days=300)) -> None:
        """The roster, the policy and the commitment that frame what follows."""
        self.store.append("roster", now=when, alliance=ALLIANCE, epoch=3, roster=ROSTER)
        document = Document(DocumentKind.POLICY, self.policy.encoded)
        self.store.append(
            "policy", now=when, policy=self.policy.hash.hex(), what={"revision": 7}, documents=[document]
        )
        committed = {"epoch": 1, "root": "5c" * 32, "padded": 2048, "state": "57" * 32}
        self.store.append("commitment", now=when, what=committed)

    def write(self, s: Session) -> None:
        """Everything that a session leaves."""
        agreement = self._agreement(s)
        named = {"session": s.id, "peer": s.peer, "direction": s.direction}
        agreed = named | {"agreement": agreement.hash.hex()}
        document = Document(DocumentKind.AGREEMENT, agreement.encoded)
        first = named if s.direction == "initiator" else agreed
        self.store.append("intent", now=s.began, what=self._intended(s), documents=[document], **first)
        ended = s.began + timedelta(seconds=3)
        if s.outcome == "disclosed":
            self.store.append("disclosed", now=ended, what=self._disclosed(s), **agreed)
        elif s.outcome == "aborted":
            what = {"reason": "peer-unavailable", "by": "us", "learned_by_peer": "size", "at_stake": 0}
            self.store.append("aborted", now=ended, what=what, **agreed)
        if s.receipt and s.outcome != "open":
            signed = self._receipt(s, agreement)
            shown = {"log_size": 41, "log_root": "41" * 32}
            self.store.append("receipt", now=ended, receipt=signed, what=shown, **agreed)

    def _agreement(self, s: Session) -> Agreement:
        us_first = s.direction == "initiator"
        ours, theirs = size_class(sum(s.entered.values())), size_class(s.theirs)
        hashes = ((s.policy or self.policy).hash, sha256(b"policy of " + s.peer.encode()).digest())
        first, second = hashes if us_first else hashes[::-1]
        return Agreement(
            alliance=ALLIANCE, roster_epoch=3, roster_hash=bytes.fromhex(ROSTER),
            initiator=US if us_first else s.peer, responder=s.peer if us_first else US,
            receiver=US if us_first else s.peer, output=s.output, rung=s.rung, protocol=s.protocol,
            profile="cti-c14n/1", types=tuple(map(IndicatorType, sorted(s.entered))),
            initiator_padded=ours if us_first else theirs, responder_padded=theirs if us_first else ours,
            initiator_nonce=bytes.fromhex(s.id), responder_nonce=sha256(s.id.encode()).digest(), stat_sec=40,
            purpose=s.purpose, initiator_policy=first, responder_policy=second, deadline_s=600,
            initiator_software=SOFTWARE, responder_software=SOFTWARE,
        )  # fmt: skip

    def _intended(self, s: Session) -> dict[str, Any]:
        return {
            "rung": str(s.rung), "output": str(s.output), "types": sorted(s.entered), "protocol": s.protocol,
            "profile": "cti-c14n/1", "policy": (s.policy or self.policy).hash.hex(), "stage": "whole",
            "ours_padded": size_class(sum(s.entered.values())), "entered": s.entered, "withheld": s.withheld,
            "canaries": 8, "at_stake": self._at_stake(s),
            "peer_epoch": 4, "peer_set": "6d" * 32, "peer_set_padded": size_class(s.theirs),
        }  # fmt: skip

    def _at_stake(self, s: Session) -> int:
        learns = s.rung is not Rung.SIZE and (s.direction == "responder" or s.output is Output.BOTH)
        return min(sum(s.entered.values()), size_class(s.theirs)) if learns else 0

    def _disclosed(self, s: Session) -> dict[str, Any]:
        we_learn = s.direction == "initiator" or s.output is Output.BOTH
        known = (
            {"matched": s.matched} if we_learn and s.matched is not None and s.rung is not Rung.SIZE else {}
        )
        told = {"told": s.told} if s.told is not None and s.direction == "initiator" else {}
        return known | told | {
            "learned_by_us": str(s.rung) if we_learn else "size",
            "learned_by_peer": str(s.rung) if self._at_stake(s) else "size", "at_stake": self._at_stake(s),
            "ours_padded": size_class(sum(s.entered.values())), "peer_padded": size_class(s.theirs),
            "bytes_sent": 181_344, "bytes_received": 402_112, "messages_sent": 2, "transcript": "7a" * 32,
        }  # fmt: skip

    def _receipt(self, s: Session, agreement: Agreement) -> bytes:
        us_first = s.direction == "initiator"
        part = InitiatorPart(
            agreement=agreement.encoded, outcome=s.outcome,
            transcript=b"\x7a" * 32 if s.outcome == "disclosed" else NOTHING, told=s.told,
            time="2026-03-01T12:00:03.000000Z", size=57, root=b"\x57" * 32,
            peer_size=40, peer_root=b"\x40" * 32,
        )  # fmt: skip
        answer = ResponderPart(
            outcome=s.outcome, time="2026-03-01T12:00:04.000000Z", size=42, root=b"\x42" * 32
        )
        first, second = (US, s.peer) if us_first else (s.peer, US)
        signature = sign_initiator(part, identity(first))
        return countersign(part, signature, answer, identity(second)).encode()

    def decisions(self, when: datetime = NOW) -> None:
        """One entry of each kind of decision."""
        refused = {"by": "us", "reason": "policy-refused", "rule": "p3-types"}
        self.store.append("refused", now=when, peer="umbra", direction="responder", what=refused)
        approval = {
            "request": "4e" * 32, "rung": "overlap", "types": ["domain", "ipv4"], "approver": "dana",
            "expires": "2026-03-08T12:00:00.000000Z", "signature": "51" * 64,
        }  # fmt: skip
        self.store.append("approval", now=when, peer="umbra", what=approval)
        self.store.append("alarm", now=when, peer="umbra", what={"guard": "canary", "count": 1})
        self.store.append("quarantine", now=when, peer="umbra", what={"reason": "canary"})
        self.store.append("lift", now=when, peer="umbra", what={"reason": "explained"})


@contextmanager
def book(folder: Path, *sessions: Session) -> Iterator[Book]:
    """A ledger with these sessions; closed at the end."""
    opened = Book(folder)
    try:
        opened.begin()
        for session in sessions:
            opened.write(session)
        yield opened
    finally:
        opened.store.close()


GIVEN = report.Given(
    report="0f" * 16,
    made_at="2026-03-02T09:00:00.000000Z",
    member=US,
    software=SOFTWARE,
    expiry={"domain": 365, "ipv4": 90},
)
MADE = datetime.fromisoformat(GIVEN.made_at)


def made(b: Book, scope: report.Scope, given: report.Given = GIVEN) -> report.Made:
    """A report on a ledger."""
    now = datetime.fromisoformat(given.made_at)
    evidence = report.collect(b.store, scope, now, KEYS)
    return report.make(scope, given, evidence, identity(US))


def of_session(s: Session) -> report.Scope:
    return report.Scope(kind=report.ScopeKind.SESSION, session=s.id, peer=s.peer)


def of_peer(peer: str = "umbra") -> report.Scope:
    return report.Scope(kind=report.ScopeKind.PEER, peer=peer)


def of_period(since: str = "2026-01-01", until: str = "2026-12-31") -> report.Scope:
    return report.Scope(kind=report.ScopeKind.PERIOD, since=since, until=until)


def many(n: int) -> list[Session]:
    """A year of sessions, of several kinds, one after the other."""
    kinds = (
        Session(),
        Session(direction="responder", told=40, matched=None),
        Session(direction="responder", matched=None),
        Session(rung=Rung.SIZE, matched=None, receipt=False),
        Session(outcome="aborted", matched=None),
        Session(peer="globex", direction="responder", matched=None, theirs=900),
        Session(protocol="vole", output=Output.BOTH, theirs=90_000, matched=312),
    )
    first = NOW - timedelta(days=290)
    return [replace(kinds[i % len(kinds)], n=i, began=first + timedelta(days=290) * i / n) for i in range(n)]


def size_of(b: Book) -> int:
    note = b.store.newest()
    assert note is not None
    return parse(note).size
