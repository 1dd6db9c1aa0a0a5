"""Runs in which an alliance counted together: their openings, who may have asked, and what was signed.

In which order their entries stand, and that no window is counted twice, are rules of the log itself.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from exchange.aggregation import entries
from exchange.aggregation.opening import Opening
from exchange.aggregation.round import Round
from exchange.aggregation.tally import Tally
from exchange.audit.log import Log
from exchange.audit.papers import LEAVES, Found, name_of
from exchange.audit.sessions import count, moment, quarantine_of
from exchange.errors import PeerMisbehaved
from exchange.identity.roster import Roster
from exchange.ledger.leaf import RUNS, Kind, Leaf
from exchange.ledger.runs import DISCOVER, Runs
from exchange.policy import Decision, Policy, discovery
from exchange.policy.aggregation import Convening, Together, decide

_NOTE = "what the entry says of the run is not what its opening says"


class RunPapers:
    """Follows every run through the log.

    Attributes:
        named: hashes of the documents that entries of runs name.
        tallies: by run, its result and survivors as one text, and the entry that says so.
        signed: by run, whose signatures stand on its tally, all of them checked.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._runs = Runs()
        self._decided: dict[str, list[Leaf]] = {}
        self.named: set[str] = set()
        self.tallies: dict[str, tuple[str, int]] = {}
        self.signed: dict[str, frozenset[str]] = {}

    def entry(self, leaf: Leaf) -> Iterator[Found]:
        """Look at one entry."""
        if leaf.kind in {Kind.QUARANTINE, Kind.LIFT}:
            self._decided.setdefault(leaf.peer, []).append(leaf)
        if leaf.kind not in RUNS:
            return
        before = self._runs.copy()
        self._runs.admit(leaf)  # what is wrong with its place is said where the order is looked at
        if leaf.kind in {Kind.CONVENED, Kind.JOINED}:
            if leaf.what["measure"] == DISCOVER:
                yield from self._discovery(leaf, before)
            else:
                yield from self._opened(leaf, before)
            return
        if leaf.kind is Kind.BROUGHT and (found := self._log.round(leaf.session)) is not None:
            yield from self._may_search(leaf, found, before)
        opening = self._log.opening(leaf.session)
        if opening is not None:
            yield from self._later(leaf, opening)
        discovery = self._log.round(leaf.session)
        if discovery is not None and not set(leaf.blamed) <= set(discovery.members):
            yield LEAVES, "somebody is blamed who is not in the run"

    def _opened(self, leaf: Leaf, before: Runs) -> Iterator[Found]:
        self.named.add(leaf.session)
        if leaf.session not in self._log.documents:
            yield name_of(leaf.session), "the opening of a run is missing"
            return
        opening = self._log.opening(leaf.session)
        if opening is None:
            yield name_of(leaf.session), "it is no opening of a version that this cosight knows"
            return
        said = {name: value for name, value in leaf.what.items() if name != "policy"}
        coordinator = leaf.peer or self._log.member
        if said != entries.asked(opening) or opening.coordinator != coordinator:
            yield LEAVES, _NOTE
        roster = self._roster(opening)
        if roster is None:
            yield LEAVES, "the run names a roster that is not in the export"
        elif not {*opening.members, opening.coordinator} <= roster.by_id.keys():
            yield LEAVES, "the run names somebody who is not on its roster"
        if leaf.kind is Kind.JOINED:
            yield from self._allowed(leaf, opening, before)

    def _discovery(self, leaf: Leaf, before: Runs) -> Iterator[Found]:
        """What was agreed on in a discovery is there, and is what the entry says; our policy let us join."""
        self.named.add(leaf.session)
        found = self._log.round(leaf.session)
        if found is None:
            yield name_of(leaf.session), "what a discovery was agreed on is missing, or is none"
            return
        if any(leaf.what.get(name) != value for name, value in found.asked(self._log.member).items()):
            yield LEAVES, "what the entry says of the discovery is not what was agreed on"
        if leaf.peer not in {"", found.parts.relay}:
            yield LEAVES, "the discovery was joined with somebody who does not relay it"
        roster = self._log.rosters.at(found.roster_epoch)
        if roster is None or roster.hash != found.roster_hash or tuple(roster.by_id) != found.members:
            yield LEAVES, "the discovery names a roster that is not in the export"
        if leaf.kind is Kind.JOINED:
            yield from self._may_search(leaf, found, before)

    def _may_search(self, leaf: Leaf, of: Round, before: Runs) -> Iterator[Found]:
        """The same as ``_allowed`` of a discovery: when it is joined, and when our batch leaves."""
        asked = discovery.Searching(of=of, us=self._log.member, **self._here())
        others = {of.parts.relay, of.parts.counter, *of.parts.helpers} - {self._log.member}
        found = {name: quarantine_of(self._decided.get(name, ())) for name in others}
        history = discovery.Before(before, {name: reason for name, reason in found.items() if reason})
        yield from self._judged(leaf, lambda policy, now: discovery.decide(policy, asked, history, now))

    def _allowed(self, leaf: Leaf, opening: Opening, before: Runs) -> Iterator[Found]:
        """The policy that is named was in force, and lets the run be joined, from the entries before it."""
        asked = Convening(
            opening=opening,
            us=self._log.member,
            given_up={c.hex(): o for c in opening.abandons if (o := self._log.opening(c.hex())) is not None},
            **self._here(),
        )
        history = Together(before, quarantine_of(self._decided.get(leaf.peer, ())))
        yield from self._judged(leaf, lambda policy, now: decide(policy, asked, history, now))

    def _judged(self, leaf: Leaf, decided: Callable[[Policy, datetime], Decision]) -> Iterator[Found]:
        """The policy that an entry names was in force, and allowed what it says."""
        name = str(leaf.what.get("policy", ""))
        self.named.add(name)
        policy = self._log.policy(name)
        if policy is None or name != self._log.history.policy:
            yield LEAVES, "the run names no policy that is in force"
            return
        decision = decided(policy, moment(leaf.time))
        if not decision.allowed:
            yield LEAVES, f"the policy in force refuses this run, by {decision.rule}"

    def _here(self) -> dict[str, Any]:
        """The roster in force, as it is asked for."""
        epoch = self._log.history.epoch
        roster = self._log.rosters.at(epoch)
        return {"roster_epoch": epoch, "roster_hash": b"" if roster is None else roster.hash}

    def _roster(self, opening: Opening) -> Roster | None:
        roster = self._log.rosters.at(opening.roster_epoch)
        return roster if roster is not None and roster.hash == opening.roster_hash else None

    def _later(self, leaf: Leaf, opening: Opening) -> Iterator[Found]:
        if leaf.kind is Kind.MASKED:
            entered = leaf.what["entered"]
            assert isinstance(entered, Mapping)  # the schema says so
            types = set(map(str, opening.types))
            if not entered.keys() <= types or sum(entered.values()) > opening.entries:
                yield LEAVES, "more went in than the dictionary of the run has"
        elif leaf.kind is Kind.COUNTED:
            yield from self._counted(leaf, opening)
        if not set(leaf.blamed) <= {*opening.members, opening.coordinator}:
            yield LEAVES, "somebody is blamed who is not in the run"

    def _counted(self, leaf: Leaf, opening: Opening) -> Iterator[Found]:
        name = str(leaf.what.get("tally", ""))
        self.named.add(name)
        tally = self._log.tally(name)
        if tally is None:
            yield (name_of(name) if name else LEAVES), "the tally of a run is missing, or is none"
            return
        self.tallies[leaf.session] = (f"{tally.digest.hex()} {tally.survivors}", leaf.seq)
        what = (leaf.what["digest"], leaf.what["survivors"], leaf.session)
        if what != (tally.digest.hex(), len(tally.survivors), tally.context.hex()):
            yield LEAVES, "the tally is not of this run and result"
        if count(leaf.what.get("released", 0)) > opening.entries:
            yield LEAVES, "more is released than the dictionary of the run has"
        if leaf.peer and opening.position(self._log.member) not in tally.survivors:
            yield LEAVES, "the result is one that this member is no part of"
        if fault := self._signatures(tally, opening):
            yield LEAVES, fault
        else:
            self.signed[leaf.session] = frozenset(opening.members[place] for place in tally.signatures)

    def _signatures(self, tally: Tally, opening: Opening) -> str:
        roster = self._roster(opening)
        members = [] if roster is None else [roster.by_id.get(name) for name in opening.members]
        keys = [member.identity_key for member in members if member is not None]
        try:
            signed = bool(keys) and tally.check(opening.setup(keys))
        except PeerMisbehaved:
            signed = False
        if len(tally.survivors) < opening.minimum:
            return "the sum is of fewer members than the run needs"
        return "" if signed else "the tally is not signed by enough of the members"
