"""Sessions as a report sees them: what the entries of one session, and what they name, say together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from crypto.psi import Output
from exchange.agreement import SMALLEST_CLASS, Agreement, Rung, size_class
from exchange.errors import LedgerError, PeerMisbehaved
from exchange.ledger import RESULTS, Kind, Leaf
from exchange.ledger.receipt import Receipt
from exchange.policy.history import askable

VERIFIED = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One session.

    Attributes:
        intent: its first entry.
        result: its last one; None while it runs or where it was cut off.
        receipt: the entry with the receipt, if there is one.
        agreement: what both sides pinned, where the ledger still holds it.
        signed: the receipt, where there is one that can be read.
        state: of the receipt: ``verified``, ``absent``, ``unchecked`` or ``wrong``.
        reason: why, in words.
    """

    intent: Leaf
    result: Leaf | None
    receipt: Leaf | None
    agreement: Agreement | None
    signed: Receipt | None
    state: str
    reason: str

    @property
    def session(self) -> str:
        """Its id, in hex."""
        return self.intent.session

    @property
    def peer(self) -> str:
        """The other member."""
        return self.intent.peer

    @property
    def direction(self) -> str:
        """Our part: ``initiator`` or ``responder``."""
        return str(self.intent.fields["direction"])

    @property
    def outcome(self) -> str:
        """``disclosed``, ``aborted`` or ``open``."""
        return "open" if self.result is None else str(self.result.kind)

    @property
    def rung(self) -> Rung:
        """What the receiver was to learn."""
        return Rung(str(self.said("rung")))

    @property
    def output(self) -> str:
        """Whether the sender learns it too."""
        return str(self.said("output"))

    @property
    def protocol(self) -> str:
        """The protocol that ran."""
        return str(self.said("protocol"))

    @property
    def types(self) -> tuple[str, ...]:
        """Types of indicators that went in."""
        types = self.said("types")
        return tuple(types) if isinstance(types, list) else ()

    @property
    def ours_padded(self) -> int:
        """The size class that we declared."""
        return self.number("ours_padded") or 0

    @property
    def ours(self) -> int | None:
        """How many items of ours entered, where the ledger says it."""
        entered = self.said("entered")
        return sum(entered.values()) if isinstance(entered, dict) else None

    @property
    def receives(self) -> bool:
        """Whether we are the receiver: whoever dials is, unless the session is turned."""
        if self.agreement is None:
            return (self.direction == "initiator") is not self.turned
        return (self.agreement.receiver == self.agreement.initiator) == (self.direction == "initiator")

    @property
    def turned(self) -> bool:
        """Whether the responder was to be the receiver."""
        return "turned" in self.intent.what

    @property
    def peer_learns(self) -> bool:
        """Whether the peer was to learn a result."""
        return self.rung is not Rung.SIZE and (not self.receives or self.output == Output.BOTH)

    @property
    def we_learn(self) -> bool:
        """Whether we were to learn a result."""
        return self.rung is not Rung.SIZE and (self.receives or self.output == Output.BOTH)

    def said(self, name: str) -> Any:
        """What the entries say: the result's word goes before the intent's."""
        later = {} if self.result is None else self.result.what
        return later.get(name, self.intent.what.get(name))

    def number(self, name: str) -> int | None:
        """A count that the entries state, or None."""
        value = self.said(name)
        return value if isinstance(value, int) else None

    @property
    def told(self) -> int | None:
        """How many matched at most, as the receiver says in a receipt that verifies."""
        return self.signed.initiator.told if self.signed is not None and self.state == VERIFIED else None

    @property
    def at_stake(self) -> int:
        """The most items of ours that the peer can have learned of: as the policy counts it.

        Entries state it. Where an old one does not, it is nothing if no more than sizes was learned, else all
        that we declared.
        """
        learned = None if self.result is None else self.result.what.get("learned_by_peer", str(Rung.SIZE))
        if (stated := self.number("at_stake")) is not None:
            return stated
        return 0 if str(Rung.SIZE) in {learned, self.rung} else self.ours_padded

    @property
    def charge(self) -> int:
        """What counts against the budget: what the peer signed to have matched, else the worst case."""
        if self.direction == "responder" and not self.turned and self.told is not None:
            return min(self.at_stake, self.told)
        return self.at_stake

    @property
    def asked(self) -> int:
        """How many values the peer can have asked about, where it was to learn."""
        answers = not self.receives and self.rung is not Rung.SIZE
        padded, epsilon = self.number("peer_padded") or 0, self.number("epsilon_milli") or 0
        return askable(self.rung, padded, epsilon, self.number("asked")) if answers or self.charge else 0


@dataclass(frozen=True, slots=True)
class Keys:
    """Identity keys, as the roster says: ours, and the peers' by member."""

    ours: bytes
    peers: Mapping[str, bytes]


def runs(leaves: Iterable[Leaf], documents: Mapping[str, bytes], keys: Keys) -> list[Run]:
    """Return the sessions in these entries, oldest first.

    Raises:
        LedgerError: one ran a rung that this version does not know.
    """
    intents: dict[str, Leaf] = {}
    results: dict[str, Leaf] = {}
    receipts: dict[str, Leaf] = {}
    for leaf in leaves:
        if leaf.kind is Kind.INTENT:
            intents[leaf.session] = leaf
        elif leaf.kind in RESULTS:
            results[leaf.session] = leaf
        elif leaf.kind is Kind.RECEIPT:
            receipts[leaf.session] = leaf
    return [
        _run(intent, results.get(session), receipts.get(session), documents, keys)
        for session, intent in intents.items()
    ]


def _run(
    intent: Leaf, result: Leaf | None, receipt: Leaf | None, documents: Mapping[str, bytes], keys: Keys
) -> Run:
    if str(intent.what["rung"]) not in set(Rung):
        raise LedgerError(f"entry {intent.seq} has a rung that this cosight does not know")
    signed = _receipt(receipt)
    named = next((str(x.fields["agreement"]) for x in (intent, result) if x and "agreement" in x.fields), "")
    agreement = _agreement(documents.get(named) or (signed.initiator.agreement if signed else b""), named)
    state, reason = _state(intent, result, receipt, signed, keys)
    return Run(
        intent=intent, result=result, receipt=receipt, agreement=agreement, signed=signed, state=state,
        reason=reason,
    )  # fmt: skip


def _state(
    intent: Leaf, result: Leaf | None, receipt: Leaf | None, signed: Receipt | None, keys: Keys
) -> tuple[str, str]:
    """Whether there is a receipt that both sides signed, and why not."""
    if receipt is None:
        return "absent", _why_absent(result)
    if signed is None:
        return "wrong", "the receipt in the ledger cannot be read"
    theirs = keys.peers.get(intent.peer, b"")
    if not (keys.ours and theirs):
        return "unchecked", "the identity key of a party is not known here: see the roster"
    ours_first = intent.fields["direction"] == "initiator"
    if not signed.check(*((keys.ours, theirs) if ours_first else (theirs, keys.ours))):
        return "wrong", "a signature on the receipt is not that party's"
    if _agreement(signed.initiator.agreement, str(receipt.fields["agreement"])) is None:
        return "wrong", "the receipt is of another agreement than the entry says"
    return VERIFIED, "both signatures verify, over one agreement"


def _why_absent(result: Leaf | None) -> str:
    if result is None:
        return "the session has not ended"
    if result.kind is Kind.ABORTED:
        return "the session ended early, and no receipt was exchanged"
    return "no receipt was exchanged: the peer could not be reached afterwards, or gave none"


def _receipt(leaf: Leaf | None) -> Receipt | None:
    data = None if leaf is None else leaf.fields["receipt"]
    try:
        return Receipt.decode(data) if isinstance(data, bytes) else None
    except PeerMisbehaved:
        return None


def _agreement(encoded: bytes, named: str) -> Agreement | None:
    """The agreement with this hash, or None: a document under a wrong name is not believed."""
    try:
        agreement = Agreement.from_bytes(encoded) if encoded else None
    except PeerMisbehaved:
        return None
    return agreement if agreement is not None and agreement.hash.hex() == named else None


@lru_cache(maxsize=1024)
def smallest(padded: int) -> int:
    """Return the smallest set that is declared as ``padded``; of a number that is no class, itself."""
    if padded <= SMALLEST_CLASS:
        return 0
    low, high = 0, padded  # size_class never falls: find where it first reaches the class
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if size_class(middle) >= padded else (middle + 1, high)
    return low
