"""A policy that allows a run with the alliance, and for every rule what makes it alone refuse."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from exchange.indicators import IndicatorType
from exchange.ledger import Kind, Leaf, timestamp
from exchange.ledger.leaf import FIRST
from exchange.ledger.runs import Runs
from exchange.policy import Decision, parse
from exchange.policy.aggregation import Convening, Together, decide, key_of
from tests.exchange.aggregation.openings import MEMBERS, OPENING, SUM, opening
from tests.exchange.policy.cases import NOW

USUAL = {
    "coordinators": '["umbra"]',
    "purposes": '["weekly count"]',
    "measures": '["count"]',
    "types": '["domain", "ipv4"]',
    "tlp": '"AMBER"',
    "legal_basis": '"security"',
    "members": "5",
    "reporters": "3",
    "dictionary": "{ min = 1000, max = 9999 }",
    "visibility": '["everyone"]',
    "per_day": "1",
}
BASIS = '[legal_bases.security]\nbasis = "other"\n'


def together(top: str = "", basis: str = "", **lines: str | None) -> str:
    """A policy with lines of ``[aggregate]`` added, replaced or, where they are None, left out."""
    table = [f"{name} = {value}" for name, value in (USUAL | lines).items() if value is not None]
    return "\n".join(["version = 1", top, "[aggregate]", *table, "", BASIS + basis])


def entry(kind: Kind, session: str, ago: timedelta = timedelta(days=3), **what: Any) -> Leaf:
    fields = {"session": session, "peer": "umbra", "what": what}
    return Leaf(0, timestamp(NOW - ago), kind, FIRST, fields)


def joined(session: bytes = b"b" * 32, ago: timedelta = timedelta(days=3), **change: Any) -> Leaf:
    given_up = change.pop("abandons", [])
    key = key_of(opening(**change))
    asked: dict[str, Any] = {
        "types": list(map(str, OPENING.types)),
        "epsilon_milli": change.get("epsilon_milli", 0),
    }
    return entry(Kind.JOINED, session.hex(), ago, **key._asdict(), **asked, abandons=given_up)


def history(*leaves: Leaf, quarantined: str = "") -> Together:
    runs = Runs()
    for leaf in leaves:
        assert runs.admit(leaf) == ""
    return Together(runs, quarantined)


BASE = b"b" * 32
MASKED, SHARED = (entry(kind, BASE.hex()) for kind in (Kind.MASKED, Kind.SHARED))
COUNTED = entry(Kind.COUNTED, BASE.hex())
DONE = (MASKED, SHARED, COUNTED)
ROOT = b"e" * 32
SUMMING = {"measures": '["count", "sightings"]'}
ADDING = SUM | {"dictionary": ROOT}
HALVES = {IndicatorType.DOMAIN: 2500, IndicatorType.IPV4: 2500}


TEN = tuple(sorted((*MEMBERS, "bachman", "massive", "pied", "piper", "soylent")))
GIVEN_UP = {"given_up": {BASE.hex(): replace(OPENING, members=TEN)}}
NEWCOMERS = {"given_up": {BASE.hex(): replace(OPENING, members=("acme", "hooli", "pied", "piper", "umbra"))}}
NOISY: dict[str, Any] = {"slots": 1, "width": 16, "epsilon_milli": 1000}
SPENT = [
    leaf
    for n in range(4)
    for leaf in (
        joined(bytes([n]) * 32, timedelta(days=29 - n), window=(date(2025, 1 + n, 1),) * 2, **NOISY),
        *([entry(Kind.MASKED, (bytes([n]) * 32).hex())] if n % 2 else []),
    )
]
"""All that may be told in 30 days: joined is as good as told, for the vector may leave at any time."""


@dataclass(frozen=True)
class Alone:
    """What makes one rule refuse: lines of the policy, of the opening, of the request, and what happened."""

    lines: dict[str, Any] = field(default_factory=dict)
    opening: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    history: Callable[[], Together] = history
    now: datetime = NOW

    def text(self) -> str:
        return together(**self.lines)

    def request(self) -> Convening:
        usual: dict[str, Any] = {
            "opening": replace(OPENING, **self.opening), "us": "acme", "roster_epoch": 4,
            "roster_hash": b"r" * 32, "by_type": HALVES, "derived": ROOT, "repeated": 0,
        }  # fmt: skip
        return Convening(**(usual | self.asked))

    def decision(self, text: str = "") -> Decision:
        return decide(parse(text or self.text()), self.request(), self.history(), self.now)


def before(
    *leaves: Leaf, lines: dict[str, Any] | None = None, asked: dict[str, Any] | None = None, **change: Any
) -> Alone:
    return Alone({"per_day": "9"} | (lines or {}), change, asked or {}, lambda: history(*leaves))


REFUSED: dict[str, list[Alone]] = {
    "p2-policy-validity": [Alone({"top": "valid_until = 2026-02-28"})],
    "p22-suspended": [Alone({"top": "suspended = true"}), Alone({"suspended": "true"})],
    "a1-coordinator": [Alone({"coordinators": '["globex"]'}), Alone({"coordinators": None})],
    "p22-quarantine": [Alone(history=lambda: history(quarantined="bad-share"))],
    "a1-validity": [Alone({"valid_until": "2026-02-28"}), Alone({"valid_from": "2026-03-02"})],
    "a2-roster": [
        Alone(asked={"us": "newcomer"}),
        Alone(asked={"roster_epoch": 5}),
        Alone(asked={"roster_hash": b"R" * 32}),
    ],
    "a3-purpose": [Alone(opening={"purpose": "another"}), Alone({"purposes": None})],
    "p16-personal-data": [
        Alone({"legal_basis": None}),
        Alone({"basis": "valid_until = 2026-02-01"}),
    ],
    "p23-profile": [Alone(opening={"profile": "cti-c14n/2"})],
    "a4-measure": [Alone({"measures": '["sightings"]'}), Alone({"measures": None})],
    "a5-types": [
        Alone({"types": '["ipv4"]'}),
        Alone({"types": None}),
    ],
    "p4-tlp": [Alone({"tlp": None})],
    "a6-members": [Alone({"members": "6"}), Alone({"members": None})],
    "a6-minimum": [Alone({"minimum": "5"}), Alone(opening={"minimum": 3}, lines={"minimum": "4"})],
    "p9-reporters": [Alone({"reporters": "4"}), Alone({"reporters": None})],
    "p9-dominance": [
        before(joined(), *DONE, lines=SUMMING | {"dominance": "0.7"}, **ADDING),
    ],
    "a7-noise": [
        Alone({"epsilon": "1"}),
        Alone({"epsilon": "0.5"}, {"slots": 1, "width": 16, "epsilon_milli": 501}),
    ],
    "a7-budget": [
        Alone(opening=NOISY | {"epsilon_milli": 1001}),
        before(joined(**NOISY, dictionary=ROOT), *DONE, **NOISY),
        before(*SPENT, **NOISY),
    ],
    "a8-visibility": [Alone({"visibility": '["reporters"]'}), Alone({"visibility": None})],
    "a9-window": [Alone(opening={"window": (date(2026, 2, 1), date(2026, 3, 2))})],
    "a10-once": [
        before(joined(b"n" * 32, abandons=[OPENING.name]), entry(Kind.BROKEN, (b"n" * 32).hex())),
        before(joined(), *DONE),
        before(joined(), *DONE, window=(date(2026, 2, 28), date(2026, 3, 1))),
        before(joined(), MASKED, SHARED, abandons=(BASE,)),
        before(joined(), MASKED),
        before(joined()),
        before(joined(), MASKED, abandons=(BASE,)),
        before(joined(), MASKED, asked=GIVEN_UP, abandons=(BASE,)),
        before(joined(), MASKED, asked=NEWCOMERS, abandons=(BASE,)),
    ],
    "a11-base": [
        before(lines=SUMMING, **ADDING),
        before(joined(), MASKED, lines=SUMMING, **ADDING),
        before(joined(purpose="other"), *DONE, lines=SUMMING, **ADDING),
        before(joined(window=(date(2026, 2, 1), date(2026, 2, 27))), *DONE, lines=SUMMING, **ADDING),
        before(joined(), *DONE, lines=SUMMING, **ADDING | {"dictionary": b"x" * 32}),
        before(joined(), *DONE, lines=SUMMING, asked={"strays": "other days"}, **ADDING),
        before(
            entry(Kind.JOINED, BASE.hex(), **key_of(opening(**ADDING))._asdict()),
            *DONE,
            lines=SUMMING,
            **ADDING | {"measure": SUM["measure"], "dictionary": b"x" * 32},
        ),
    ],
    "a12-per-day": [
        Alone(history=lambda: history(joined(ago=timedelta(hours=24), purpose="another"))),
        Alone({"per_day": None}),
    ],
    "a13-dictionary": [
        Alone({"dictionary": "{ min = 5001, max = 9999 }"}),
        Alone({"dictionary": "{ min = 1000, max = 4999 }"}),
        Alone({"dictionary": None}),
        Alone({"each_type": "100"}, asked={"by_type": {IndicatorType.DOMAIN: 4999, IndicatorType.IPV4: 1}}),
        Alone(asked={"by_type": {IndicatorType.DOMAIN: 5000}}),
        Alone(asked={"by_type": HALVES | {IndicatorType.IPV4: 2501}}),
    ],
}
REFUSED["a14-repeated"] = [
    Alone(asked={"repeated": 1}),
    Alone({"repeated": "0.5"}, asked={"repeated": 2501}),
    before(joined(purpose="another"), *DONE, asked={"repeated": 5000}),
    before(joined(purpose="another"), *DONE, asked={"repeated": None}),
]
CASES = [(rule, case) for rule, cases in REFUSED.items() for case in cases]
