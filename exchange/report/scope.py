"""What a report is about, and what it states that no ledger holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from exchange.ledger import Leaf


class ScopeKind(StrEnum):
    """How the sessions of a report were chosen."""

    SESSION = "session"
    PEER = "peer"
    PERIOD = "period"
    RUN = "run"
    """One run with the alliance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a report is about.

    Attributes:
        kind: how its sessions were chosen.
        session: the one session or run, or ``""``.
        peer: the one peer, or ``""`` for all of them; that of the session where there is one.
        since: first day, ``2026-03-01``, or ``""`` for the beginning of the log.
        until: last day, or ``""`` for the day of the report.
    """

    kind: ScopeKind
    session: str = ""
    peer: str = ""
    since: str = ""
    until: str = ""

    def covers(self, leaf: Leaf) -> bool:
        """Say whether an entry on a peer belongs to what the report is about."""
        if self.session and leaf.session != self.session:
            return False
        day = leaf.time[:10]
        in_time = self.since <= day and (not self.until or day <= self.until)
        return in_time and (self.peer in leaf.blamed or leaf.peer == (self.peer or leaf.peer))

    def as_json(self, called: Mapping[str, str]) -> dict[str, str]:
        """Return what the report says of it; ``called`` gives pseudonyms."""
        peer = called.get(self.peer, self.peer)
        stated = {"session": self.session, "peer": peer, "since": self.since, "until": self.until}
        return {"kind": str(self.kind)} | stated

    @classmethod
    def from_json(cls, stated: Mapping[str, str], known_as: Mapping[str, str]) -> Self:
        """Read it back; ``known_as`` resolves pseudonyms.

        Raises:
            ValueError, KeyError: it is malformed.
        """
        peer = stated["peer"]
        return cls(
            kind=ScopeKind(stated["kind"]),
            session=stated["session"],
            peer=known_as.get(peer, peer),
            since=stated["since"],
            until=stated["until"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a report states beside the ledger: who made it and when, and settings that are in force then.

    Attributes:
        report: 16 random bytes in hex that name the report.
        made_at: when it was made, RFC 3339.
        member: who made it.
        software: name and version of what made it.
        expiry: by type, after how many days without news an indicator no longer enters a set.
        result: SHA-256 of the annex that lists what matched, in hex, or ``""`` where none was named.
    """

    report: str
    made_at: str
    member: str
    software: str
    expiry: Mapping[str, int] = field(default_factory=dict)
    result: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as the report holds it."""
        return {
            "report": self.report,
            "made_at": self.made_at,
            "member": self.member,
            "software": self.software,
            "expiry": dict(sorted(self.expiry.items())),
            "result": self.result,
        }
