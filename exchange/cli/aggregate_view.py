"""What ``aggregate`` prints: for people, for scripts, and for other tools."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from rich.console import Console

from crypto.secagg.base import Step
from exchange.aggregation.opening import Opening
from exchange.cli.export import identifiers
from exchange.cli.output import Begin, say, stdout, table
from exchange.clock import utc_now
from exchange.counting.world import Progress
from exchange.export.counted import CountedBy, Entry, bundle, sightingdb
from exchange.indicators import Tlp
from exchange.node import Node
from exchange.store.contributions import Contribution
from exchange.together.joining import Asked
from exchange.together.outcome import Outcome

BEGINNING = 16
"""Digits of a session's name that are printed."""
SHOWN = 50
"""Rows of a result that are printed; --json has all of them."""
NAMED = 5
"""Members that are named in a line."""
DOING = {
    Step.JOINING: "who takes part",
    Step.DEALING: "sealed shares go round",
    Step.MASKING: "masked numbers are added up",
    Step.AGREEING: "whose numbers are in it",
    Step.UNMASKING: "shares open the sum",
    Step.SIGNING: "everybody checks the sum and signs it",
    Step.DONE: "done",
}


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
    return _broken(code, culprits)


def as_progress(progress: Progress) -> dict[str, Any]:
    """What the public JSON says of how far an aggregation has come."""
    if progress.broken:
        return _broken(progress.broken, progress.culprits)
    if progress.step is Step.DONE:
        return {"state": "counted"}
    return {
        "state": "joining" if progress.step is Step.JOINING else "running",
        "step": int(progress.step),
        "awaited": list(progress.awaited),
        "left_s": round(progress.left_s),
    }


def _broken(code: str, culprits: Sequence[str]) -> dict[str, Any]:
    blamed = [{"member": who, "reason": code} for who in culprits]
    return {"state": "broken", "reason": code, "culprits": blamed}


def as_asked(asked: Asked) -> dict[str, Any]:
    """What the public JSON says of an aggregation that a member asks us to join."""
    return as_opening(asked.opening) | as_progress(asked.progress) | {"joined": asked.ours is not None}


def told_of(begin: Begin, opening: Opening, named: str = "") -> Callable[[Progress], None]:
    """Say for people how far one run has come; ``named`` says which, where there are several."""
    seen: tuple[Step | None, tuple[str, ...]] = (None, ())

    def told(progress: Progress) -> None:
        nonlocal seen
        now = progress.step, progress.awaited
        if now == seen:
            return
        more, seen = seen[0] is progress.step, now
        count = "" if progress.step is Step.DONE else f"step {progress.step} of {len(Step) - 1}: "
        begin(f"{named}{count}{DOING[progress.step]}{_waits(progress, opening)}", more=more)

    return told


def _waits(progress: Progress, opening: Opening) -> str:
    """For whom it waits, and until when."""
    if not progress.awaited:
        return ""
    n, until = len(opening.members), utc_now() + timedelta(seconds=progress.left_s)
    joined = f" ({n - len(progress.awaited)} of {n} have joined)" if progress.step is Step.JOINING else ""
    return f"{joined}; waits for {_few(progress.awaited)} until {until:%H:%M:%S} UTC"


def _few(members: Sequence[str]) -> str:
    more = len(members) - NAMED
    return ", ".join(members[:NAMED]) + (f" and {more} more" if more > 0 else "")


def show_joined(opening: Opening, until: datetime) -> None:
    """Say for people what is left to do, and by when."""
    say(f"joined {opening.name[:BEGINNING]}; by {until:%Y-%m-%d %H:%M:%S} UTC go on with:")
    say(("  cosight aggregate run", "bold"))


def _state(told: dict[str, Any]) -> str:
    return f"{told['state']}: {told['reason']}" if told["state"] == "broken" else str(told["state"])


def show_list(told: Sequence[dict[str, Any]]) -> None:
    """Show for people which aggregations there are."""
    if not told:
        say("there is none")
        return
    listed = table("", "aggregation", "measure", "days", "state", "waits for")
    for one in told:
        joined = "; we have joined" if one.get("joined") and one["state"] == "joining" else ""
        awaited = one.get("awaited")
        waits = f"{_few(awaited)}, for {one['left_s']} s" if awaited else ""
        listed.add_row(
            one["session"][:BEGINNING],
            one["measure"],
            "..".join(one["window"]),
            f"{_state(one)}{joined}",
            waits,
        )
    stdout.print(listed)


def show_opening(opening: Opening, *, on: Console) -> None:
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
    on.print(shown)


def show_outcome(outcome: Outcome) -> None:
    """Show for people what came of a run."""
    opening, tally, rows = outcome.opening, outcome.counted.tally, outcome.rows()
    say(
        (f"{opening.measure} of {len(tally.survivors)} members", "bold"),
        f", signed by {len(tally.signatures)}; nobody learned whose number is whose",
    )
    if not opening.epsilon_milli and (everyone := sum(row.reporters == len(tally.survivors) for row in rows)):
        say(f"of {everyone:,} it is known: all {len(tally.survivors)} members saw them")
    if out := [member for member in opening.members if member not in outcome.survivors]:
        say(f"not in it, because they dropped out or did not join: {', '.join(out)}")
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
        listed.add_row(
            one["session"][:BEGINNING],
            one["coordinator"],
            one["measure"],
            "..".join(one["window"]),
            _state(one),
        )
    stdout.print(listed)
