"""What the policy of a session says, read from the document that the ledger holds of it.

A document is what was hashed, as the file states it: names of keys are those of ``docs/policy.md``. Nothing
is filled in: what it does not say, a report does not say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2

from exchange.policy import ANYONE

MUST_NOT = "must-not"


@dataclass(frozen=True, slots=True)
class Stated:
    """A policy as its document states it.

    Attributes:
        hash: its name, in hex, or ``""`` where the entry names none.
        content: what it says; empty where we do not hold the document.
    """

    hash: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether the ledger holds the document."""
        return bool(self.content)

    @property
    def iep(self) -> Mapping[str, Any]:
        """The FIRST IEP that heads it."""
        return _table(self.content.get("iep"))

    def terms(self, peer: str) -> Mapping[str, Any]:
        """The terms for a peer, or for anyone."""
        return _table(_table(self.content.get("peers")).get(self.heading(peer)))

    def heading(self, peer: str) -> str:
        """The name that the terms for a peer stand under, or ``""``."""
        peers = _table(self.content.get("peers"))
        return next((name for name in (peer, ANYONE) if name in peers), "")

    def named(self, table: str, name: object) -> Mapping[str, Any] | None:
        """One entry of a table by its name, with the name in ``id``; None where there is none."""
        found = _table(self.content.get(table)).get(str(name))
        return None if name is None or not isinstance(found, dict) else {"id": name} | found

    def attribution(self, peer: str) -> str:
        """Whether the peer may, must or must not be named; ``""`` where it is not stated."""
        return str(self.terms(peer).get("attribution") or self.iep.get("attribution") or "")

    @property
    def name(self) -> str:
        """Its id, as its IEP states it, or ``""``."""
        return str(self.iep.get("id") or "")

    @property
    def revision(self) -> int:
        """Its revision; 0 where it states none."""
        revision = self.content.get("revision", 0)
        return revision if isinstance(revision, int) else 0


def stated(policy_hash: str, documents: Mapping[str, bytes]) -> Stated:
    """Return the policy with this hash, without content where its document is not held."""
    return Stated(policy_hash, _content(documents.get(policy_hash, b"")))


def _content(encoded: bytes) -> Mapping[str, Any]:
    try:
        return _table(cbor2.loads(encoded)) if encoded else {}
    except Exception:  # noqa: BLE001 - whatever a decoder can raise means: this is no policy
        return {}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
