"""What entries say of runs in which an alliance counts together, and what may follow: one sum for one window.

A coordinator that could have a window counted twice, with one member missing the second time, would subtract
what that member put in. So a member's own log refuses a second run over the same dictionary, purpose and
measure in a window that overlaps, unless the run before it can never be opened any more: it is named in the
new opening's ``abandons``, and this member has handed out no shares there. See docs/adr/0011.

Source: Bonawitz et al., CCS 2017, section 6 (what a second, differing sum would tell).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from exchange.ledger.leaf import RUNS, Kind, Leaf

CUT_OFF = "cut-off"
"""Why a run was given up that nobody went on with after its process was killed."""
DISCOVER = "discover"
"""The measure of a run that asks which indicators many hold: it has no dictionary, and nothing is masked."""


class Key(NamedTuple):
    """What is counted: two runs with keys that overlap could be subtracted from one another.

    Attributes:
        dictionary: the root of the dictionary in hex; ``""`` where there is none.
        purpose: hash of the purpose in hex.
        measure: the measure.
        first: first day of the window, as ISO 8601 has it, so that text sorts.
        last: its last day.
    """

    dictionary: str
    purpose: str
    measure: str
    first: str
    last: str

    def overlaps(self, other: "Key") -> bool:
        """Whether both count the same, on at least one day in common."""
        return self[:2] == other[:2] and bool(self.dictionary) and self.meets(other)

    def meets(self, other: "Key") -> bool:
        """Whether both take the same measure on at least one day in common, over whatever dictionary."""
        return self.measure == other.measure and self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run that this member has joined, or convened.

    Attributes:
        session: its context in hex.
        coordinator: who asked; ``""`` in what this member says as the one who did.
        time: when it was joined or convened, RFC 3339.
        key: what it counts.
        types: types of the indicators in its dictionary.
        plan: of a discovery, what is asked of whom, under whatever keys: a hash in hex.
        left: of a discovery, when our batch left last, RFC 3339; ``""`` where none has.
        brought: whether one has left since it was begun, or begun anew.
        epsilon_milli: privacy loss of its noise, in thousandths; 0 for exact numbers.
        masked: whether the masked vector has left.
        shared: whether shares have left with which the sum can be opened.
        counted: whether it came to its end.
        broken: whether it was given up.
        abandoned: whether a later run was joined on the promise to say nothing more here.
    """

    session: str
    coordinator: str
    time: str
    key: Key
    types: tuple[str, ...] = ()
    plan: str = ""
    left: str = ""
    brought: bool = False
    epsilon_milli: int = 0
    masked: bool = False
    shared: bool = False
    counted: bool = False
    broken: bool = False
    abandoned: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more may be said in it."""
        return self.counted or self.broken or self.abandoned

    @property
    def again(self) -> bool:
        """Whether it may be begun anew: a discovery that was given up. Nothing in it could be subtracted."""
        return self.broken and not self.counted and self.key.measure == DISCOVER

    @property
    def harmless(self) -> bool:
        """Whether nothing of ours can come to light in it any more, whoever else goes on."""
        return not self.shared and not self.counted and (self.abandoned or (self.broken and not self.masked))


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A run that forbids another one.

    Attributes:
        run: it.
        reason: ``counted``, ``shared`` or ``unfinished``: the last one could be abandoned.
    """

    run: Run
    reason: str


class Runs:
    """The runs that a log speaks of: those joined as a member, and those convened as a coordinator."""

    def __init__(self) -> None:
        self._joined: dict[str, Run] = {}
        self._convened: dict[str, Run] = {}
        self._abandoned = frozenset[str]()

    def copy(self) -> "Runs":
        """Return the same, to be gone on from without changing this one."""
        made = Runs()
        made._joined, made._convened = dict(self._joined), dict(self._convened)
        made._abandoned = self._abandoned
        return made

    def __iter__(self) -> Iterator[Run]:
        return iter(self._joined.values())

    def __len__(self) -> int:
        return len(self._joined)

    def joined(self, session: str) -> Run | None:
        """Return a run that was joined, by its context in hex."""
        return self._joined.get(session)

    def convened(self, session: str) -> bool:
        """Say whether this member is the coordinator of a run."""
        return session in self._convened

    def over(self, session: str) -> bool:
        """Say whether this member, as the coordinator of a run, has written how it ended."""
        run = self._convened.get(session)
        return run is not None and run.ended

    def abandoned(self, session: str) -> bool:
        """Say whether a run was joined on the promise to say nothing in this one, joined or not."""
        return session in self._abandoned

    @property
    def sessions(self) -> set[str]:
        """The contexts of all runs that were joined or convened, in hex."""
        return {*self._joined, *self._convened}

    @property
    def discoveries(self) -> set[str]:
        """Those of them that look for what many hold."""
        runs = (*self._joined.values(), *self._convened.values())
        return {run.session for run in runs if run.key.measure == DISCOVER}

    def going(self) -> list[Run]:
        """Return the runs that were joined and have no end yet, oldest first."""
        return [run for run in self._joined.values() if not run.ended]

    def convening(self) -> list[Run]:
        """Return the runs that this member convened and that have no end yet, oldest first."""
        return [run for run in self._convened.values() if not run.ended]

    def attempts(self, key: Key) -> list[Run]:
        """Return the runs over the same that were joined or convened here, however they ended, oldest first.

        Others may have joined one of them, and wait for its end: until it is given up, their logs refuse the
        next one. So none is left out because this member itself is done with it.
        """
        known = (*self._convened.values(), *self._joined.values())
        return sorted((run for run in known if run.key.overlaps(key)), key=lambda run: run.time)

    def in_the_way(self, key: Key, abandons: Collection[str] = ()) -> list[InTheWay]:
        """Return the runs because of which a run over this key may not be joined.

        Args:
            key: what would be counted.
            abandons: contexts in hex that the new opening gives up.
        """
        found = []
        for run in self._joined.values():
            if not run.key.overlaps(key) or run.harmless:
                continue
            if run.counted or run.shared:
                found.append(InTheWay(run, "counted" if run.counted else "shared"))
            elif run.session not in abandons:
                found.append(InTheWay(run, "unfinished"))
        return found

    def meeting(self, key: Key, abandons: Collection[str] = ()) -> list[Run]:
        """Return the runs that may have counted exactly on days of this key, over whatever dictionary.

        Where two dictionaries have entries in common, those are counted twice, and can be subtracted. Noise
        has a budget of its own.

        Args:
            key: what would be counted.
            abandons: contexts in hex that the new opening gives up.
        """
        return [
            run
            for run in self._joined.values()
            if run.key.meets(key)
            and not (run.harmless or run.epsilon_milli)
            and (run.shared or run.counted or run.session not in abandons)
        ]

    def admit(self, leaf: Leaf) -> str:
        """Take in the next entry; return what is wrong with its place in the log, or ``""``."""
        if leaf.kind not in RUNS:
            return ""
        if leaf.kind is Kind.CONVENED:
            return self._convene(leaf)
        if leaf.kind is Kind.JOINED:
            return self._join(leaf)
        if not leaf.peer:
            return self._close(leaf)
        run = self._joined.get(leaf.session)
        if run is None or run.coordinator != leaf.peer:
            return "the entry is of a run that was not joined with this coordinator"
        fault, after = _next(run, leaf)
        if not fault:
            self._joined[run.session] = after
        return fault

    def _convene(self, leaf: Leaf) -> str:
        before = self._convened.get(leaf.session)
        if before is not None and not before.again:
            return "the run was convened already"
        self._convened[leaf.session] = _begun(leaf)
        return ""

    def _close(self, leaf: Leaf) -> str:
        """An end as the coordinator has it."""
        run = self._convened.get(leaf.session)
        if run is None or run.ended:
            return "the run was not convened here" if run is None else "the run has an end already"
        broken = leaf.kind is Kind.BROKEN
        self._convened[leaf.session] = replace(run, broken=broken, counted=not broken)
        return ""

    def _join(self, leaf: Leaf) -> str:
        key, abandons = key_of(leaf), abandons_of(leaf)
        joined = self._joined.get(leaf.session)
        if joined is not None and not joined.again:
            return "the run was joined already"
        if self.abandoned(leaf.session):
            return "the run was abandoned before"
        if found := self.in_the_way(key, abandons):
            return f"an earlier run over the same window is in the way: it is {found[0].reason}"
        self._abandoned |= set(abandons)
        for session in abandons:
            if (before := self._joined.get(session)) is not None:
                self._joined[session] = replace(before, abandoned=True)
        earlier = "" if joined is None else joined.left
        self._joined[leaf.session] = replace(_begun(leaf), left=earlier)
        return ""


def _begun(leaf: Leaf) -> Run:
    """The run that begins with an entry."""
    epsilon = leaf.what.get("epsilon_milli", 0)
    assert isinstance(epsilon, int)
    types = tuple(leaf.listed("types"))
    return Run(
        session=leaf.session, coordinator=leaf.peer, time=leaf.time, key=key_of(leaf), types=types,
        plan=str(leaf.what.get("plan", "")), epsilon_milli=epsilon,
    )  # fmt: skip


def key_of(leaf: Leaf) -> Key:
    """Return what a run counts, from the entry that it was joined or convened with."""
    names = ("dictionary", "purpose", "measure", "first", "last")
    return Key(*(str(leaf.what.get(name, "")) for name in names))


def abandons_of(leaf: Leaf) -> tuple[str, ...]:
    """Return the contexts, in hex, that were given up with an entry."""
    return tuple(leaf.listed("abandons"))


def _next(run: Run, leaf: Leaf) -> tuple[str, Run]:
    """What is wrong with an entry that follows in a run, and the run after it."""
    if leaf.kind is Kind.BROKEN:
        return ("the run has an end already" if run.counted or run.broken else ""), replace(run, broken=True)
    if run.ended:
        why = "was abandoned" if run.abandoned else "has an end already"
        return f"the run {why}", run
    return (_searched if run.key.measure == DISCOVER else _counted)(run, leaf)


def _searched(run: Run, leaf: Leaf) -> tuple[str, Run]:
    """The same of a discovery that goes on."""
    if leaf.kind is Kind.BROUGHT:
        return ("the batch left already" if run.brought else ""), replace(run, brought=True, left=leaf.time)
    if leaf.kind is Kind.COUNTED:
        return ("" if run.brought else "no batch has left in this run"), replace(run, counted=True)
    return "nothing is masked in a discovery", run


def _counted(run: Run, leaf: Leaf) -> tuple[str, Run]:
    """The same of a run that goes on in which something is counted."""
    if leaf.kind is Kind.BROUGHT:
        return "nothing is brought in a run that counts", run
    if leaf.kind is Kind.MASKED:
        return ("the masked vector left already" if run.masked else ""), replace(run, masked=True)
    if not run.masked:
        return "no masked vector has left in this run", run
    if leaf.kind is Kind.SHARED:
        return ("shares left already" if run.shared else ""), replace(run, shared=True)
    return "", replace(run, counted=True)
