"""What rules on counting and on finding together look at, and those that both have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from exchange.indicators import PROFILE, IndicatorType
from exchange.policy.budget import DAY
from exchange.policy.rule import Objection, Rule, Situation, listed
from exchange.policy.rules import Decision, by_rules, refusal


class Asked(Protocol):
    """What is asked of an alliance: the opening of a run, or a discovery."""

    @property
    def members(self) -> tuple[str, ...]:
        """Of whom."""

    @property
    def purpose(self) -> str:
        """Why, or ``""``."""

    @property
    def profile(self) -> str:
        """Canonical profile of the indicators."""

    @property
    def types(self) -> Sequence[IndicatorType]:
        """Types of indicators."""

    @property
    def roster_epoch(self) -> int:
        """Number of the roster that it names."""

    @property
    def roster_hash(self) -> bytes:
        """Its hash, 32 bytes."""


class Meeting(Situation, Protocol):
    """What such a rule may look at: ``terms`` are a ``Shared``; ``request`` has our name and roster."""

    @property
    def table(self) -> str:
        """The name of the table that the terms stand in."""

    @property
    def asked(self) -> Asked:
        """What is asked."""


class Standing(Situation, Protocol):
    """The same where nothing is asked yet."""

    @property
    def table(self) -> str:
        """The name of the table that the terms stand in."""


S = TypeVar("S", bound=Standing)


def decided(rules: Iterable[Rule[S]], case: S) -> Decision:
    """Decide by rules. Where a line is wanting, all that are wanting are shown, to be written at once."""
    objections = [(rule.id, said) for rule in rules if isinstance(said := rule.check(case), Objection)]
    if not objections:
        return by_rules((), case, case.table)
    wanting = {*case.terms.NEEDED, "purposes", "legal_basis"} - case.terms.content().keys()
    (rule, first), *others = objections
    if first.line in wanting:
        more = {said.line: said for _, said in others if said.line in wanting - {first.line}}
        remedy = "\n".join([first.remedy, *(said.remedy for said in more.values())])
        tables = "\n\n".join(filter(None, [first.tables, *(said.tables for said in more.values())]))
        also = f"; [{case.table}] states no {', '.join(more)} either" if more else ""
        first = replace(first, reason=first.reason + also, remedy=remedy, tables=tables)
    return refusal(rule, first, case.table)


def room(times: Iterable[str], allowed: int) -> str:
    """When there is room for one more within 24 hours, for people; ``""`` where there never is.

    Args:
        times: when those of the last 24 hours were, as the ledger has it.
        allowed: so many are, within 24 hours.
    """
    if not allowed:
        return ""
    frees = datetime.fromisoformat(sorted(times)[-allowed]) + DAY
    return f"there is room again after {frees:%Y-%m-%d %H:%M:%S} UTC"


def suspended(case: Standing) -> Objection | None:
    """Object where everything is suspended, or what the table is about."""
    if case.policy.suspended:
        return Objection("everything is suspended: suspended = true at the top of the policy")
    return Objection(f"suspended = true stands under [{case.table}]") if case.terms.suspended else None


def validity(case: Standing) -> Objection | None:
    """Object where the table is not in force."""
    if case.terms.validity.covers(case.now):
        return None
    return Objection(f"the table is in force {case.terms.validity}; renew valid_from and valid_until")


def quarantine(member: str, reason: str) -> Objection:
    """The objection to somebody who is in quarantine."""
    return Objection(f"{member} is in quarantine ({reason}); `cosight policy lift {member}` ends it")


def roster(case: Meeting) -> Objection | None:
    """Object to what does not name us, or names another roster than the one in force here."""
    here: Any = case.request
    if here.us not in case.asked.members:
        return Objection(f"{here.us} is not among the members that it names")
    if (case.asked.roster_epoch, case.asked.roster_hash) != (here.roster_epoch, here.roster_hash):
        return Objection("it names another roster than the one in force here: nobody joins later")
    return None


def purpose(case: Meeting) -> Objection | None:
    """Object to a purpose that is not stated in the table."""
    if case.asked.purpose in case.terms.purposes:
        return None
    if not case.asked.purpose:
        allowed = ", ".join(sorted(case.terms.purposes)) or "none is"
        return Objection(f"a purpose must be stated, one of those under purposes: {allowed}")
    remedy = listed("purposes", {*case.terms.purposes, case.asked.purpose})
    return Objection("the stated purpose is not among those allowed", remedy)


def profile(case: Meeting) -> Objection | None:
    """Object to another canonical profile than this version's."""
    if case.asked.profile == PROFILE:
        return None
    return Objection(f"not under the canonical profile {case.asked.profile}")


def tlp(case: Standing) -> Objection | None:
    """Object where no marking may go in."""
    if case.terms.tlp is not None:
        return None
    return Objection("no ceiling is stated for the markings of what may go in", 'tlp = "AMBER"')


def members(case: Meeting) -> Objection | None:
    """Object to an alliance that is too small."""
    n, least = len(case.asked.members), case.terms.members
    if least and n >= least:
        return None
    wanted = f"at least {least} are" if least else "it is not stated how many are"
    return Objection(f"it is asked of {n} members, and {wanted} needed", f"members = {n}")
