"""One member's log, as the checks look at it: what entries name, and what became of every session so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cbor2

from exchange.aggregation.announced import Split
from exchange.aggregation.opening import Opening
from exchange.aggregation.round import Round
from exchange.aggregation.tally import Tally
from exchange.agreement import Agreement
from exchange.audit.rosters import Rosters
from exchange.audit.sessions import Session, grouped
from exchange.errors import CosightError
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.leaf import Kind, Leaf
from exchange.ledger.note import parse
from exchange.ledger.order import History
from exchange.policy import Policy


@dataclass
class Log:
    """What the checks share.

    Attributes:
        member: whose log it is.
        rosters: the alliance's.
        documents: what entries name, by hash in hex.
        notes: the checkpoint after each entry.
        history: what the entries so far say.
        sessions: the sessions so far, by id.
        committed: our commitments to our set so far, in hex.
    """

    member: str
    rosters: Rosters
    documents: Mapping[str, bytes]
    notes: Sequence[str]
    history: History
    sessions: dict[str, Session] = field(default_factory=dict)
    committed: set[str] = field(default_factory=set)

    def take(self, leaf: Leaf) -> Session | None:
        """Take in the next entry; return its session as it stands now, None where it belongs to none."""
        if leaf.kind is Kind.COMMITMENT:
            self.committed.add(str(leaf.what["root"]))
        if not leaf.session:
            return None
        known = self.sessions.get(leaf.session)
        found = grouped([leaf], {} if known is None else {leaf.session: known}).get(leaf.session)
        if found is not None:
            self.sessions[leaf.session] = found
        return found

    def root(self, size: int) -> bytes | None:
        """The root that our own checkpoint at a size signs; None where the log was never so long."""
        try:
            return parse(self.notes[size - 1]).root if 0 < size <= len(self.notes) else None
        except CosightError:
            return None

    def agreement(self, name: str) -> Agreement | None:
        """The agreement of a hash in hex; None where it is not there, or none."""
        if name not in self._agreements:
            self._agreements[name] = self._read_agreement(name)
        return self._agreements[name]

    def policy(self, name: str) -> Policy | None:
        """The policy of a hash in hex; None where it is not there, or none."""
        if name not in self._policies:
            self._policies[name] = self._read_policy(name)
        return self._policies[name]

    def opening(self, name: str) -> Opening | None:
        """The opening of a run, whose context in hex is its name; None where it is not there, or none."""
        body = self.documents.get(name, b"")
        if Document(DocumentKind.OPENING, body).hash != name:
            return None
        try:
            return Opening.decode(body)
        except CosightError:
            return None

    def round(self, name: str) -> Round | None:
        """The discovery whose context in hex is its name; None where it is not there, or none."""
        body = self.documents.get(name, b"")
        if Document(DocumentKind.ROUND, body).hash != name:
            return None
        try:
            return Round.decode(body)
        except CosightError:
            return None

    def split(self, name: str) -> Split | None:
        """What shows that a member announced two sets of keys, by its hash; None where it is not there."""
        body = self.documents.get(name, b"")
        return Split.decode(body) if Document(DocumentKind.SPLIT, body).hash == name else None

    def tally(self, name: str) -> Tally | None:
        """The tally of a hash in hex; None where it is not there, or none."""
        body = self.documents.get(name, b"")
        if Document(DocumentKind.TALLY, body).hash != name:
            return None
        try:
            return Tally.decode(body)
        except CosightError:
            return None

    @cached_property
    def _agreements(self) -> dict[str, Agreement | None]:
        return {}

    @cached_property
    def _policies(self) -> dict[str, Policy | None]:
        return {}

    def _read_agreement(self, name: str) -> Agreement | None:
        try:
            found = Agreement.from_bytes(self.documents.get(name, b""))
        except CosightError:
            return None
        return found if found.hash.hex() == name else None

    def _read_policy(self, name: str) -> Policy | None:
        body = self.documents.get(name, b"")
        if Document(DocumentKind.POLICY, body).hash != name:
            return None
        try:
            found = Policy.from_content(cbor2.loads(body))
        except Exception:  # noqa: BLE001  # whatever a decoder can raise on arbitrary bytes means the same here
            return None
        return found if found.encoded == body else None
