"""A policy, a request that it allows, and for every rule the changes under which it alone refuses."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.psi import Output
from exchange.indicators import IndicatorType
from exchange.policy import (
    Approval,
    Decision,
    History,
    Past,
    Policy,
    Request,
    Rung,
    approve,
    decide,
    parse,
    request_hash,
)
from exchange.policy.request import BANDED, NOISY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i, name in enumerate(("ann", "bo"), 1)
}
LINES = "\n".join(f'{name} = "{key.public_key().public_bytes_raw().hex()}"' for name, key in KEYS.items())
FILE = """\
version = 1
valid_from = 2026-01-01
valid_until = 2026-12-31

[legal_bases.security]
basis = "gdpr-6-1-f"
balancing_test = "file 7"
valid_until = 2026-09-30

[peers.umbra]
directions = ["initiator"]
reveal = "overlap"
learns = ["us"]
types = ["domain", "ipv4"]
tlp = "AMBER"
legal_basis = "security"
protocols = ["voprf"]
our_size = { min = 100, max = 1_000_000 }
peer_size = { min = 100, max = 1_000_000 }
sessions_per_day = 3
purposes = ["shared incident response"]
valid_from = 2026-02-01
valid_until = 2026-06-30
"""
POLICY = parse(FILE)
REQUEST = Request(
    peer="umbra",
    direction="initiator",
    rung=Rung.OVERLAP,
    types=(IndicatorType.DOMAIN, IndicatorType.IPV4),
    protocol="voprf",
    output=Output.RECEIVER,
    our_size=1000,
    peer_size_padded=2048,
    purpose="shared incident response",
)
UNKNOWN = History()
# When umbra asks: the lines that allow it, and the request.
ANSWERING = 'directions = ["responder"]\nlearns = ["peer"]'
ASKED = {"direction": "responder"}


def past(ago: timedelta = timedelta(hours=1), **change: Any) -> Past:
    """A session of the past."""
    usual: dict[str, Any] = {
        "session": "00" * 32, "began": NOW - ago, "direction": "responder", "rung": Rung.OVERLAP,
        "types": REQUEST.types, "ours": 1000, "peer_padded": 2048, "closed": True,
    }  # fmt: skip
    return Past(**(usual | change))


def written(text: str, *, terms: str = "", top: str = "", tables: str = "", without: str = "") -> str:
    """A policy with lines added or replaced in the terms and at the top, and with tables before the terms."""
    head, start, own = text.partition("[peers.umbra]\n")
    keys = {line.partition(" ")[0] for line in (*terms.splitlines(), *without.split())}
    kept = [line for line in own.splitlines() if line.partition(" ")[0] not in keys]
    first, _, rest = head.partition("\n")
    tops = {line.partition(" ")[0] for line in top.splitlines()}
    above, table, below = rest.partition("\n[")
    above = "\n".join(line for line in above.splitlines() if line.partition(" ")[0] not in tops)
    parts = [first, top, above + table + below, tables, start + "\n".join(kept), terms]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True)
class Alone:
    """What makes one rule refuse what is allowed otherwise.

    Attributes:
        policy: what is written into the policy, as ``written`` takes it.
        request: what is changed in the request.
        history: what happened before.
        now: when it is asked.
        allowed: further changes under which the very same is allowed: of the policy, or of the rest.
    """

    policy: dict[str, str] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    history: History = UNKNOWN
    now: datetime = NOW

    def text(self) -> str:
        return written(FILE, **self.policy)

    def asked(self) -> Request:
        return replace(REQUEST, **self.request)

    def decision(self, policy: Policy | None = None) -> Decision:
        return decide(policy or parse(self.text()), self.asked(), self.history, self.now)


def terms(lines: str, history: History = UNKNOWN, **request: Any) -> Alone:
    """A change of the terms for the peer."""
    return Alone({"terms": lines}, request, history)


def answering(lines: str, *before: Past, **request: Any) -> Alone:
    """The peer asks, under further lines, after these sessions."""
    return terms(f"{ANSWERING}\n{lines}", History(before), **ASKED, **request)


APPROVAL = {
    "tables": f"[approvers]\n{LINES}\n",
    "terms": 'approval = { rungs = ["overlap"], people = 2, days = 7 }',
}
APPROVED = parse(written(FILE, **APPROVAL))
SIGNED = request_hash("umbra", Rung.OVERLAP, REQUEST.types, APPROVED.hash, REQUEST.purpose)


def approval(name: str, *, request: str = SIGNED, days: float = 3, key: str = "") -> Approval:
    """One person's approval."""
    expires = NOW + timedelta(days=days)
    return approve(
        request, Rung.OVERLAP, REQUEST.types, approver=name, key=KEYS[key or name], expires=expires
    )


def approved(*given: Approval) -> Alone:
    return Alone(APPROVAL, history=History(approvals=given))


BANDED_RUN = past(rung=Rung.CARDINALITY, direction="initiator", matched=10, exact=False)
LOWER_RUN = past(rung=Rung.CARDINALITY, direction="initiator")
COUNTED = {"rung": Rung.CARDINALITY, "protocol": NOISY}
NOISE = 'protocols = ["cardinality-noisy"]\nnoise = { epsilon = 1.0'
CLIMB_IF = 'climb_if = { overlap = "size >= 3000" }'
HALF = "share = { most = 0.5, days = 30 }"
ISAC = '[arrangements.isac]\nreference = "file 9"\n'

REFUSED: dict[str, list[Alone]] = {
    "p2-policy-validity": [
        Alone({"top": "valid_until = 2026-02-28"}),
        Alone({"top": "valid_from = 2026-03-02"}),
        Alone(
            {"tables": '[iep]\nid = "7"\nname = "x"\niep_version = 2.0\nend_date = 2026-03-01T11:59:59Z\n'}
        ),
    ],
    "p22-suspended": [Alone({"top": "suspended = true"}), terms("suspended = true")],
    "p1-peer": [Alone(request={"peer": "globex"})],
    "p22-quarantine": [Alone(history=History(quarantined="canary"))],
    "p2-validity": [
        Alone(now=datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        Alone(now=datetime(2026, 7, 1, tzinfo=UTC)),
    ],
    "p2-arrangement": [
        Alone({"tables": ISAC + "valid_until = 2026-02-28\n", "terms": 'arrangement = "isac"'}),
        Alone({"tables": ISAC + 'parties = ["globex"]\n', "terms": 'arrangement = "isac"'}),
    ],
    "p1-role": [terms('roles = ["administrator"]'), terms('roles = ["member"]', role="administrator")],
    "p21-region": [
        Alone({"top": 'regions = ["EU"]'}),
        Alone({"top": 'regions = ["EU"]', "terms": 'region = "US"'}),
    ],
    "p24-attestation": [terms("attestation = true")],
    "p1-direction": [Alone({"terms": 'learns = ["us", "peer"]'}, {"direction": "responder"})],
    "purpose": [Alone(request={"purpose": "marketing"}), Alone(request={"purpose": ""})],
    "p6-attribution": [
        terms('attribution = "must-not"', attributed=True),
        terms('attribution = "must"', attributed=False),
        Alone(
            {"tables": '[iep]\nid = "7"\nname = "x"\niep_version = 2\nattribution = "must-not"\n'},
            {"attributed": True},
        ),
    ],
    "p16-personal-data": [
        Alone({"without": "legal_basis"}),
        Alone({"terms": "valid_until = 2026-12-31"}, now=datetime(2026, 10, 1, tzinfo=UTC)),
        Alone(
            {"without": "legal_basis", "tables": '[personal_data]\ntypes = ["domain"]\n'},
            {"types": (IndicatorType.DOMAIN,)},
        ),
    ],
    "p23-profile": [Alone(request={"profile": "cti-c14n/2"}), terms('profiles = ["cti-c14n/2"]')],
    "p8-rung": [terms('reveal = "size"')],
    "p8-output": [Alone(request={"output": Output.BOTH})],
    "p3-types": [
        Alone(request={"types": (IndicatorType.IPV4, IndicatorType.URL)}),
        Alone(request={"types": ()}),
    ],
    "p4-tlp": [Alone({"without": "tlp"})],
    "protocol": [Alone(request={"protocol": "vole"})],
    "p8-sum": [
        answering("", rung=Rung.SUM, over="sightings"),
        answering('sums = ["confidence"]', rung=Rung.SUM, over="sightings"),
        terms('learns = ["us", "peer"]', rung=Rung.SUM, over="sightings", turned=True),
    ],
    "p8-context": [answering('reveal = "context"', rung=Rung.CONTEXT)],
    "p10-bands": [answering('protocols = ["cardinality-banded"]', rung=Rung.CARDINALITY, protocol=BANDED)],
    "p10-noise": [
        answering('protocols = ["cardinality-noisy"]', **COUNTED),
        answering(f"{NOISE}, most = 0.9, days = 30 }}", **COUNTED),
        answering(
            f"{NOISE}, most = 1.9, days = 30 }}", past(timedelta(days=29), epsilon_milli=1000), **COUNTED
        ),
    ],
    "p20-ahead": [terms("ahead_hours = 24", ahead_age_s=24 * 3600 + 1)],
    "p7-our-size": [Alone(request={"our_size": 99}), Alone(request={"our_size": 1_000_001})],
    "p7-peer-size": [Alone(request={"peer_size_padded": 96}), Alone(request={"peer_size_padded": 1 << 20})],
    "p7-ratio": [
        terms("size_ratio = 1.9"),
        terms("size_ratio = 10", our_size=100, peer_size_padded=2048),
        terms("size_ratio = 2\npeer_size = { min = 0, max = 9 }", peer_size_padded=0),
    ],
    "guard-commitment": [terms('commitment = "required"', peer_commitment=False)],
    "guard-growth": [terms("growth_per_day = 0.5", peer_growth=0.51)],
    "p11-sessions-per-day": [
        Alone(history=History((past(),) * 3)),
        Alone(history=History((past(timedelta(hours=24), rung=Rung.SIZE, closed=False),) * 4)),
    ],
    "p11-values-per-day": [
        answering("values_per_day = 2000"),
        answering("values_per_day = 4000", past()),
        answering("values_per_day = 2000", past(), peer_size_padded=None),
        Alone(
            {"terms": 'learns = ["us", "peer"]\nvalues_per_day = 4000'},
            {"output": Output.BOTH},
            History((past(direction="initiator", charge=2),)),
        ),
    ],
    "p11-values-per-year": [answering("values_per_year = 4000", past(timedelta(days=365)))],
    "p12-share": [
        answering("share = { most = 0.9, days = 30 }"),
        answering(HALF, past(timedelta(days=29), charge=400), peer_size_padded=128),
        answering(HALF, past(charge=501), peer_size_padded=None),
        answering(HALF, past(charge=501)),
        answering('protocols = ["vole"]\nshare = { most = 0.6, days = 30 }', protocol="vole", our_size=2048),
    ],
    "p8-climb": [
        terms("climb = true"),
        terms("climb = true", History((replace(LOWER_RUN, closed=False),))),
        terms("climb = true", History((replace(LOWER_RUN, types=(IndicatorType.IPV4,)),))),
        terms("climb = true", History((replace(LOWER_RUN, began=NOW - timedelta(hours=24, seconds=1)),))),
        terms("climb = true", History((LOWER_RUN,)), below=past()),
        terms(CLIMB_IF, History((LOWER_RUN,))),
        terms('climb_if = { overlap = "cardinality > 1" }', History((LOWER_RUN,))),
        terms('climb_if = { overlap = "cardinality < 9" }', History((BANDED_RUN,))),
        terms('climb_if = { overlap = "cardinality >= 11" }', History((BANDED_RUN,))),
        terms('reveal = "context"\nclimb = true', History((LOWER_RUN,)), rung=Rung.CONTEXT),
    ],
    "p19-approval": [
        approved(),
        approved(approval("ann"), approval("ann", days=2)),
        approved(approval("ann"), approval("bo", days=-0.001)),
        approved(approval("ann"), approval("bo", days=7.001)),
        approved(approval("ann"), approval("bo", key="ann")),
        approved(approval("ann"), approval("bo", request="00" * 32)),
    ],
}
CASES = [(rule, case) for rule, cases in REFUSED.items() for case in cases]


def helps_first(explanation: str, instead: str) -> bool:
    """Whether a refusal names what helps without opening the policy, and after it what opens it."""
    opens = explanation.find(". To allow it all the same, write in policy.toml:")
    return 0 < explanation.find(f"; {instead}") < opens
