"""The order in which entries may stand in a log: rules for whoever writes one and whoever verifies one."""

from dataclasses import dataclass, field

from exchange.ledger import note as notes
from exchange.ledger.leaf import RUNS, Kind, Leaf
from exchange.ledger.runs import Runs


@dataclass(slots=True)
class History:
    """What the entries so far allow next: the rules of order, for the writer and for the verifier."""

    member: str = ""
    origin: str = ""
    log_key: str = ""
    alliance: str = ""
    epoch: int = -1
    committed: int = 0
    policy: str = ""
    sessions: set[str] = field(default_factory=set)
    open: dict[str, Leaf] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    runs: Runs = field(default_factory=Runs)

    def admit(self, leaf: Leaf) -> str:
        """Take in the next entry; return what is wrong with its place in the log, or ``""``."""
        if leaf.kind is not Kind.OPENED and not self.origin:
            return "the log does not begin with its opening entry"
        if leaf.kind in RUNS:
            return self.runs.admit(leaf)
        rule = {
            Kind.OPENED: self._opened,
            Kind.ROSTER: self._roster,
            Kind.INTENT: self._intent,
            Kind.DISCLOSED: self._result,
            Kind.ABORTED: self._result,
            Kind.RECEIPT: self._receipt,
            Kind.COMMITMENT: self._commitment,
            Kind.POLICY: self._policy,
        }.get(leaf.kind)
        return "" if rule is None else rule(leaf)

    def _opened(self, leaf: Leaf) -> str:
        if self.origin:
            return "the log is opened a second time"
        self.member, self.origin, self.log_key = (
            str(leaf.fields[name]) for name in ("member", "origin", "log_key")
        )
        self.alliance = self.origin.split("/")[1] if self.origin.count("/") > 1 else ""
        return "" if self.origin.endswith(f"/{self.member}") else "the log's name is not its member's"

    def _roster(self, leaf: Leaf) -> str:
        alliance, epoch = str(leaf.fields["alliance"]), leaf.fields["epoch"]
        assert isinstance(epoch, int)
        if self.alliance not in {"", alliance}:
            return "the roster is another alliance's"
        if epoch <= self.epoch:
            return "the roster is not newer than the one adopted before"
        self.alliance, self.epoch, self.origin = alliance, epoch, notes.origin(self.member, alliance)
        return ""

    def _intent(self, leaf: Leaf) -> str:
        if leaf.session in self.sessions:
            return "the session has an intent already"
        self.sessions.add(leaf.session)
        self.open[leaf.session] = leaf
        return ""

    def _receipt(self, leaf: Leaf) -> str:
        """A session that was cut off by a crash has no result, and may have a receipt that says so."""
        if leaf.session not in self.sessions:
            return "the receipt is of a session that has no intent"
        if leaf.session in self.settled:
            return "the session has a receipt already"
        self.settled.add(leaf.session)
        return ""

    def _commitment(self, leaf: Leaf) -> str:
        self.committed, before = _number(leaf.what["epoch"]), self.committed
        return "" if self.committed == before + 1 else "the commitment is not of the epoch that is due"

    def _policy(self, leaf: Leaf) -> str:
        self.policy = str(leaf.fields["policy"])
        return ""

    def _result(self, leaf: Leaf) -> str:
        intent = self.open.pop(leaf.session, None)
        if intent is None:
            known = leaf.session in self.sessions
            return f"the session has a result {'already' if known else 'but no intent before it'}"
        pinned = {"peer", "direction", "agreement"} & intent.fields.keys()
        same = all(leaf.fields.get(name) == intent.fields[name] for name in pinned)
        return "" if same else "the result names another peer, direction or agreement than the intent"


def _number(value: object) -> int:
    assert isinstance(value, int)  # the schema says so
    return value
