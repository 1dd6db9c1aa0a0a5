"""What ``aggregate`` prints: for people, for scripts, and for other tools."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from exchange.aggregation.opening import Opening
from exchange.cli.export import identifiers
from exchange.cli.output import say, stderr, stdout, table
from exchange.clock import utc_now
from exchange.export.counted import CountedBy, Entry, bundle, sightingdb
from exchange.indicators import Tlp
from exchange.node import Node
from exchange.store.contributions import Contribution
from exchange.together.outcome import Outcome

BEGINNING = 16
"""Digits of a session's name that are printed."""
SHOWN = 50
"""Rows of a result that are printed; --json has all of them."""


class Form(StrEnum):
    """For which tools a result is written."""

    SIGHTINGDB = "sightingdb"
    STIX = "stix"


def as_opening(opening: Opening) -> dict[str, Any]:
    """What the public JSON says of an aggregation."""
    first, last = opening.window
    return {
        "session": opening.name,
        "coordinator": opening.coordinator,
        "members": list(opening.members),
        "measure": str(opening.measure),
        "purpose": opening.purpose,
        "window": [first.isoformat(), last.isoformat()],
        "types": [str(kind) for kind in opening.types],
        "entries": opening.entries,
        "minimum": opening.minimum,
        "reporters": opening.reporters,
        "epsilon": opening.epsilon_milli / 1000,
        "visibility": str(opening.visibility),
        "step_s": opening.step_s,
    }


def as_outcome(outcome: Outcome) -> dict[str, Any]:
    """What the public JSON says of a result."""
    opening, tally = outcome.opening, outcome.counted.tally
    items = [
        {"type": str(row.indicator.type), "value": row.indicator.value}
        | {"number": row.number, "reporters": row.reporters, "own": row.own}
        for row in outcome.rows()
    ]
    return as_opening(opening) | {
        "state": "counted",
        "counted": len(tally.survivors),
        "survivors": [opening.members[position] for position in tally.survivors],
        "signed_by": [opening.members[position] for position in sorted(tally.signatures)],
        "digest": tally.digest.hex(),
        "result": {"count": outcome.released.count, "withheld": outcome.released.withheld, "items": items},
    }


def exported(node: Node, outcome: Outcome, form: Form, tlp: Tlp) -> dict[str, Any]:
    """The numbers that we may be shown, for other tools."""
    opening, (first, last) = outcome.opening, outcome.opening.window
    by = CountedBy(
        alliance=opening.alliance, session=opening.name, member=node.home.member,
        about=f"{opening.measure} of {len(outcome.counted.tally.survivors)} members",
        first=first, last=last, tlp=tlp, now=utc_now(),
    )  # fmt: skip
    entries = [Entry(row.indicator, row.number, row.reporters) for row in outcome.rows()]
    if form is Form.STIX:
        return bundle(entries, by, identifiers(node.home))
    return {"items": sightingdb(entries, by)}


def state(kept: Contribution) -> dict[str, Any]:
    """How it stands with what we took part in."""
    ended = kept.ended
    if ended is None:
        return {"state": "joined"}
    code, culprits = ended
    if not code:
        return {"state": "counted"}
    blamed = [{"member": who, "reason": code} for who in culprits]
    return {"state": "broken", "reason": code, "culprits": blamed}


def show_opening(opening: Opening) -> None:
    """Show for people what is asked."""
    first, last = opening.window
    shown = table("", "", "")
    shown.add_row("aggregation", opening.name[:BEGINNING])
    shown.add_row("asked by", opening.coordinator)
    shown.add_row("of", ", ".join(opening.members))
    shown.add_row("what", f"{opening.measure} over {opening.entries:,} indicators, {first} to {last}")
    shown.add_row("why", opening.purpose)
    shown.add_row("opened", f"the sum of at least {opening.minimum} members")
    noise = f", with noise of epsilon {opening.epsilon_milli / 1000:g}" if opening.epsilon_milli else ""
    shown.add_row("released", f"with at least {opening.reporters} reporters{noise}, to: {opening.visibility}")
    stderr.print(shown)


def show_outcome(outcome: Outcome) -> None:
    """Show for people what came of a run."""
    opening, tally, rows = outcome.opening, outcome.counted.tally, outcome.rows()
    say(
        (f"{opening.measure} of {len(tally.survivors)} members", "bold"),
        f", signed by {len(tally.signatures)}; nobody learned whose number is whose",
    )
    numbers = ("number", "reporters", "own")
    listed = table("", "type", "value", *numbers, numbers=numbers)
    for row in rows[:SHOWN]:
        listed.add_row(
            str(row.indicator.type), row.indicator.value, f"{row.number:,}", f"{row.reporters}", f"{row.own}"
        )
    stdout.print(listed)
    if len(rows) > SHOWN:
        say((f"and {len(rows) - SHOWN:,} more: --json has all of them", "dim"))
    for reason, count in outcome.released.withheld.items():
        say((f"{count:,} are withheld: {reason}", "dim"))


def show_many(told: Sequence[dict[str, Any]]) -> None:
    """Show for people what came of several runs."""
    listed = table("", "aggregation", "coordinator", "came to")
    for one in told:
        error = one.get("error")
        came = error["message"] if error else f"{one['result']['count']:,} numbers"
        listed.add_row(one["session"][:BEGINNING], one["coordinator"], came)
    stdout.print(listed)


def show_all(told: Sequence[dict[str, Any]]) -> None:
    """Show for people what we took part in."""
    if not told:
        say("we have taken part in no aggregation yet")
        return
    listed = table("", "aggregation", "coordinator", "measure", "days", "state")
    for one in told:
        state = f"{one['state']}: {one['reason']}" if one["state"] == "broken" else one["state"]
        listed.add_row(
            one["session"][:BEGINNING], one["coordinator"], one["measure"], "..".join(one["window"]), state
        )
    stdout.print(listed)
