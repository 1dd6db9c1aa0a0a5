"""What entries name by hash must be there, and be what the entry says."""

from collections.abc import Iterator

from exchange.agreement import Agreement
from exchange.audit.log import Log
from exchange.audit.sessions import Session
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.leaf import Kind, Leaf

Found = tuple[str, str]
"""A file, and what is wrong there."""
LEAVES = "leaves"
FOLDER = "documents"
_WITH_AGREEMENT = {Kind.INTENT, Kind.DISCLOSED, Kind.ABORTED, Kind.RECEIPT}


def name_of(digest: str) -> str:
    """The path of a document in an export."""
    return f"{FOLDER}/{digest}"


def misnamed(documents: dict[str, bytes]) -> Iterator[Found]:
    """Documents whose bytes do not hash to their name, as none of the kinds."""
    for name, body in documents.items():
        if all(Document(kind, body).hash != name for kind in DocumentKind):
            yield name_of(name), "its name is not the hash of its bytes"


class Papers:
    """Looks for every document that entries name."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._in_force: set[str] = set()
        self.named: set[str] = set()

    def entry(self, leaf: Leaf, session: Session | None) -> Iterator[Found]:
        """Look at one entry."""
        what, fields = leaf.what, leaf.fields
        if leaf.kind in _WITH_AGREEMENT and "agreement" in fields:
            yield from self._agreement(leaf, session, str(fields["agreement"]))
        if leaf.kind is Kind.POLICY:
            self._in_force.add(str(fields["policy"]))
            yield from self._policy(str(fields["policy"]))
        if leaf.kind is Kind.INTENT and "policy" in what:
            yield from self._policy(str(what["policy"]))
            if what["policy"] not in self._in_force:
                yield LEAVES, "the policy of the session is not one that came into force before it"
        elif leaf.kind is Kind.INTENT:
            yield LEAVES, "the session names no policy"
        if leaf.kind is Kind.ALARM and "digest" in what:
            yield from self._there(str(what["digest"]), "the evidence of the alarm")
        if leaf.kind is Kind.REFUSED and "digest" in what:
            yield from self._accused(leaf, str(what["digest"]))
        if leaf.kind is Kind.ROSTER:
            yield from self._roster(leaf)

    def _there(self, name: str, what: str) -> Iterator[Found]:
        self.named.add(name)
        if name not in self._log.documents:
            yield name_of(name), f"{what} is missing"

    def _policy(self, name: str) -> Iterator[Found]:
        yield from self._there(name, "a policy that an entry names")
        if name in self._log.documents and self._log.policy(name) is None:
            yield name_of(name), "it is no policy of a version that this cosight knows"

    def _agreement(self, leaf: Leaf, session: Session | None, name: str) -> Iterator[Found]:
        yield from self._there(name, "an agreement that an entry names")
        agreement = self._log.agreement(name)
        if agreement is None:
            if name in self._log.documents:
                yield name_of(name), "it is no agreement of a version that this cosight knows"
            return
        if session is None or leaf.kind is not (
            Kind.INTENT if session.result is None else session.result.kind
        ):
            return
        if fault := _unlike(agreement, session.intent, self._log):
            yield LEAVES, f"the entry does not fit its agreement: {fault}"

    def _accused(self, leaf: Leaf, name: str) -> Iterator[Found]:
        """What shows that the member whom we refused has lied: anybody can check it."""
        yield from self._there(name, "the evidence of a refusal")
        if name not in self._log.documents:
            return
        split, rosters = self._log.split(name), self._log.rosters
        alliance = rosters.by_epoch[-1].alliance if rosters.by_epoch else ""
        if split is None or leaf.what["reason"] != split.CODE or split.member != leaf.peer:
            yield name_of(name), "it is no evidence of what the entry says"
        elif split.plan(rosters.entry, alliance) is None:
            yield name_of(name), f"it does not show that {leaf.peer} announced two sets of keys"

    def _roster(self, leaf: Leaf) -> Iterator[Found]:
        epoch = leaf.fields["epoch"]
        assert isinstance(epoch, int)  # the schema says so
        roster = self._log.rosters.at(epoch)
        if roster is None:
            yield LEAVES, f"roster {epoch} was adopted, but is not in the export"
        elif (roster.alliance, roster.hash.hex()) != (leaf.fields["alliance"], leaf.fields["roster"]):
            yield LEAVES, f"another roster {epoch} was adopted than the one in the export"


def _unlike(agreement: Agreement, intent: Leaf, log: Log) -> str:
    """Say in what an intent and the agreement of its session differ, or ``""``."""
    member, what = log.member, intent.what
    ours = ("initiator", agreement.initiator_policy, agreement.initiator_set, agreement.responder_set)
    if intent.fields["direction"] == "responder":
        ours = ("responder", agreement.responder_policy, agreement.responder_set, agreement.initiator_set)
    role, policy, our_set, their_set = ours
    if {agreement.initiator, agreement.responder} != {member, intent.peer} or getattr(
        agreement, role
    ) != member:
        return "the parties"
    pairs = {
        "the session": (agreement.session, intent.session),
        "the rung": (agreement.rung, what["rung"]),
        "the output": (agreement.output, what["output"]),
        "the types": (list(agreement.types), what["types"]),
        "the protocol": (agreement.protocol, what["protocol"]),
        "our size": (agreement.padded_of(member), what["ours_padded"]),
        "our policy": (policy.hex(), what.get("policy")),
        "the peer's set": (their_set.hex(), what.get("peer_set", "")),
        "our set": (our_set.hex() in {"", *log.committed}, True),
    }
    return next((name for name, (agreed, written) in pairs.items() if agreed != written), "")
