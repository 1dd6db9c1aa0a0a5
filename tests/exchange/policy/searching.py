"""A policy that allows a discovery, and for every rule what makes it alone refuse."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from exchange.aggregation.lots import Parts
from exchange.aggregation.round import Learns, Round, day_of
from exchange.indicators import IndicatorType
from exchange.ledger import Kind, Leaf
from exchange.ledger.runs import Runs
from exchange.policy import Decision, parse
from exchange.policy.discovery import Before, Searching, decide
from tests.exchange.policy.cases import NOW
from tests.exchange.policy.together import entry

USUAL = {
    "relays": '["initech", "umbra"]',
    "purposes": '["weekly search"]',
    "types": '["domain", "ipv4"]',
    "tlp": '"AMBER"',
    "legal_basis": '"security"',
    "members": "5",
    "threshold": "3",
    "learns": '["individual"]',
    "per_day": "1",
}
BASIS = '[legal_bases.security]\nbasis = "other"\n'
ROUND = Round(
    alliance="threats.example", roster_epoch=4, roster_hash=b"r" * 32,
    members=("acme", "globex", "hooli", "initech", "umbra"), day=day_of(NOW),
    types=(IndicatorType.DOMAIN, IndicatorType.IPV4, IndicatorType.URL), threshold=3, minimum=4,
    purpose="weekly search", learns=Learns.INDIVIDUAL, largest=0,
    parts=Parts(relay="umbra", counter="initech", helpers=("globex", "hooli")),
)  # fmt: skip


def searching(top: str = "", basis: str = "", **lines: str | None) -> str:
    """A policy with lines of ``[discover]`` added, replaced or, where they are None, left out."""
    table = [f"{name} = {value}" for name, value in (USUAL | lines).items() if value is not None]
    return "\n".join(["version = 1", top, "[discover]", *table, "", BASIS + basis])


def discovered(*kinds: Kind, session: str = "d0" * 32, ago: timedelta, of: Round) -> list[Leaf]:
    """The entries of an earlier discovery, joined so long ago."""
    return [
        entry(kind, session, ago, **(of.asked("acme") if kind is Kind.JOINED else {}))
        for kind in (Kind.JOINED, *kinds)
    ]


def history(*leaves: Leaf, **quarantined: str) -> Before:
    runs = Runs()
    for leaf in leaves:
        assert runs.admit(leaf) == ""
    return Before(runs, quarantined)


@dataclass(frozen=True)
class Alone:
    """What makes one rule refuse: lines of the policy, what is asked, who asks, and what happened."""

    lines: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    here: dict[str, Any] = field(default_factory=dict)
    history: Callable[[], Before] = history

    def text(self) -> str:
        return searching(**self.lines)

    def request(self) -> Searching:
        usual = {"us": "acme", "roster_epoch": 4, "roster_hash": b"r" * 32}
        return Searching(of=replace(ROUND, **self.asked), **(usual | self.here))

    def decision(self, text: str = "") -> Decision:
        return decide(parse(text or self.text()), self.request(), self.history(), NOW)


OTHER = replace(ROUND, purpose="another")
HOURS = timedelta(hours=23)
REFUSED: dict[str, list[Alone]] = {
    "p2-policy-validity": [Alone({"top": "valid_until = 2026-02-28"})],
    "p22-suspended": [Alone({"top": "suspended = true"}), Alone({"suspended": "true"})],
    "d1-relays": [
        Alone({"relays": None}),
        Alone({"relays": '["umbra"]'}),
        Alone(asked={"parts": replace(ROUND.parts, relay="acme")}),
    ],
    "p22-quarantine": [Alone(history=lambda: history(hooli="canary"))],
    "d1-validity": [Alone({"valid_until": "2026-02-28"}), Alone({"valid_from": "2026-03-02"})],
    "d2-roster": [
        Alone(here={"us": "newcomer"}),
        Alone(here={"roster_epoch": 5}),
        Alone(here={"roster_hash": b"R" * 32}),
    ],
    "d3-purpose": [
        Alone({"purposes": None}),
        Alone(asked={"purpose": ""}),
        Alone(asked={"purpose": "another"}),
    ],
    "p16-personal-data": [
        Alone({"legal_basis": None}, {"types": (IndicatorType.IPV4,)}),
        Alone({"types": '["ipv4"]', "basis": "valid_until = 2026-02-01"}),
    ],
    "p23-profile": [Alone(asked={"profile": "cti-c14n/2"})],
    "d4-learns": [Alone({"learns": None}), Alone(asked={"learns": Learns.ALL})],
    "d5-types": [Alone({"types": None}), Alone(asked={"types": (IndicatorType.URL,)})],
    "p4-tlp": [Alone({"tlp": None})],
    "d6-members": [Alone({"members": None}), Alone({"members": "6"})],
    "d6-minimum": [
        Alone({"least": "5"}),
        Alone({"least": "3"}, {"minimum": 3}),
        Alone(asked={"minimum": 3}),
        Alone({"threshold": "2"}, {"threshold": 2, "minimum": 3}),
    ],
    "d7-threshold": [Alone({"threshold": None}), Alone({"threshold": "4"})],
    "d8-per-day": [
        Alone({"per_day": None}),
        Alone(history=lambda: history(*discovered(Kind.BROUGHT, ago=HOURS, of=OTHER))),
        Alone(history=lambda: history(*discovered(Kind.BROUGHT, Kind.BROKEN, ago=HOURS, of=OTHER))),
        Alone(history=lambda: history(*discovered(Kind.BROUGHT, Kind.COUNTED, ago=HOURS, of=OTHER))),
    ],
}
CASES = [(rule, case) for rule, cases in REFUSED.items() for case in cases]
