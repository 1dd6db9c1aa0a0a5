"""What a policy says about counting and finding together with the alliance, in words."""

from collections.abc import Iterator
from datetime import datetime

from exchange.aggregation.opening import Measure
from exchange.aggregation.round import LEAST_THRESHOLD, usual_minimum
from exchange.policy.model import Policy
from exchange.policy.terms import ANYONE
from exchange.policy.together import Aggregate, Discover, Shared
from exchange.policy.words import FEW, Sentence, ending, list_of, plainly

_SUMS = {str(Measure.SIGHTINGS), str(Measure.SEVERITY)}
_SMALL = 4
"""With three reporters, one that knows its own number has two sums for two unknown ones."""


def with_all(policy: Policy) -> list[Sentence]:
    """Say what may be counted and found together with the alliance."""
    return [
        Sentence("", name, text)
        for name, table in (("aggregate", policy.aggregate), ("discover", policy.discover))
        if table is not None
        for text in _of(table)
    ]


def with_all_in_short(table: Shared) -> str:
    """The first thing to say about a table."""
    return next(_of(table))


def doubts(policy: Policy, now: datetime) -> list[Sentence]:
    """Say what is allowed together with the alliance and yet deserves a second look."""
    found = []
    for name, table in (("aggregate", policy.aggregate), ("discover", policy.discover)):
        if table is not None:
            found += [Sentence("", name, text) for text in _doubts(f"[{name}]", policy, table, now)]
    return found


def _of(table: Shared) -> Iterator[str]:
    yield from _counting(table) if isinstance(table, Aggregate) else ()
    yield from _finding(table) if isinstance(table, Discover) else ()
    ceiling = "nothing, for want of tlp" if table.tlp is None else f"up to TLP {table.tlp}"
    pap = "" if table.pap is None else f", up to PAP {table.pap}"
    own = ", our own sightings alone" if table.provenance == "own" else ""
    yield f"{list_of(table.types) or 'nothing'} go in, {ceiling}{pap}{own}"
    stated = table.content()
    shown = ("legal_basis", "max_age_days", "suspended")
    if said := [f"{line} {plainly(stated[line])}" for line in shown if line in stated]:
        yield "; ".join(said)
    if validity := str(table.validity):
        yield f"in force {validity}"


def _who(names: frozenset[str]) -> str:
    return "every member" if ANYONE in names else list_of(names)


def _counting(table: Aggregate) -> Iterator[str]:
    if table.lacks:
        yield f"nothing may be counted together, for want of {', '.join(table.lacks)}"
    else:
        yield (
            f"{_who(table.coordinators)} may convene us to measure {list_of(table.measures)}, "
            f"{table.per_day} times a day at most, for: {list_of(table.purposes)}"
        )
    many = f"at least {table.members} members, " if table.members else ""
    least = f"{many}no sum of fewer than {table.minimum} of them"
    yield (
        f"{least}, no number with fewer than {table.reporters} reporters behind it"
        if table.reporters
        else least
    )
    bounds = table.dictionary
    many = "no size is stated" if bounds is None else f"{bounds.least:,} to {bounds.most:,} entries"
    yield f"dictionaries: {many}, at least {table.each_type:,} of each type in it"
    if table.repeated:
        yield f"of a dictionary, {table.repeated:.0%} may have been counted before on the same days"
    if _SUMS & table.measures:
        yield f"no member behind more than {table.dominance:.0%} of a released sum"
    if table.epsilon is not None:
        yield f"only with noise, epsilon {table.epsilon:g} at most"
    yield f"released numbers may be shown to: {list_of(table.visibility) or 'nobody'}"


def _finding(table: Discover) -> Iterator[str]:
    if table.lacks:
        yield f"nothing may be looked for together, for want of {', '.join(table.lacks)}"
    else:
        why = f"for: {list_of(table.purposes)}" if table.purposes else "where no purpose is stated"
        yield (
            f"what at least {table.threshold} of at least {table.members} members hold may be found, "
            f"{table.per_day} times a day at most, {why}"
        )
    least = table.least or "more than two thirds"
    many = f"nothing is counted before {least} of the members have brought a batch"
    yield f"{many}, one more than must hold it where there are so many"
    if table.relays:
        yield f"{_who(table.relays)} may relay and count"
    if table.learns:
        yield f"what is found is learned: {list_of(table.learns)}"
    yield (
        f"this node may be drawn as {list_of(table.parts)}"
        if table.parts
        else "this node serves no part of it"
    )
    if table.helper:
        yield f"as a helper it answers {table.quota:g} times what a member declares, and no more"


def _doubts(name: str, policy: Policy, table: Shared, now: datetime) -> Iterator[str]:
    yield from ending(name, table.validity, now)
    if table.lacks:
        yield f"{name} states no {', '.join(table.lacks)}: every run is refused"
    if table.legal_basis is None and (personal := policy.personal_data & table.types):
        so = "stay out" if isinstance(table, Discover) else "are refused"
        runs = "" if isinstance(table, Discover) else "runs with "
        yield f"{name} states no legal_basis: {runs}{list_of(personal)} {so}"
    if isinstance(table, Aggregate):
        yield from _counting_too_freely(name, table)
    if isinstance(table, Discover):
        yield from _finding_too_freely(name, table)


def _finding_too_freely(name: str, table: Discover) -> Iterator[str]:
    if table.threshold == LEAST_THRESHOLD:
        yield f"{name} allows a threshold of 2: one that guesses learns which of its guesses somebody holds"
    if table.least and table.members and table.least < usual_minimum(table.members, table.threshold):
        yield (
            f"{name} lets the batches of {table.least} members be counted, of {table.members} or more: "
            "whoever takes part hides among few"
        )


def _counting_too_freely(name: str, table: Aggregate) -> Iterator[str]:
    if table.repeated:
        yield (
            f"{name} lets entries be counted again on the same days: the counts can be subtracted from one "
            "another, down to what a single member put in"
        )
    if table.dictionary is not None and table.dictionary.least < FEW:
        yield f"{name} allows a dictionary of {table.dictionary.least} entries: it asks about single ones"
    if 0 < table.reporters < _SMALL and _SUMS & table.measures:
        yield (
            f"{name} allows sums with {table.reporters} reporters behind them: one that knows its own number "
            "can work out the others', though not whose they are"
        )
