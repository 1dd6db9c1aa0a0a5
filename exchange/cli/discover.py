"""``discover``: which indicators at least so many members of the alliance hold."""

import asyncio
from itertools import islice
from typing import Annotated, Any

import typer

from crypto.secagg import discovery
from crypto.secagg import strict as tables
from exchange.aggregation.lots import LEAST_MEMBERS, Parts
from exchange.aggregation.round import LEAST_THRESHOLD, MAX_LARGEST, MAX_MEMBERS, Learns
from exchange.cli import SHARE, app
from exchange.cli.home import check_purpose, open_home
from exchange.cli.match import TYPES
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, size, stderr, waiting
from exchange.discoveries import take_part
from exchange.discovery.search import Found, Search
from exchange.indicators import IndicatorType
from exchange.node import Node

SHOWN = 20
"""Indicators that are printed for people; ``--json`` prints all."""
MAX_WAIT_S = 86_400


@app.command(rich_help_panel=SHARE)
def discover(
    threshold: Annotated[
        int,
        typer.Option(
            "--threshold",
            "-t",
            min=LEAST_THRESHOLD,
            max=MAX_MEMBERS,
            help="How many members must hold an indicator.",
        ),
    ],
    minimum: Annotated[
        int | None,
        typer.Option(
            min=LEAST_MEMBERS,
            max=MAX_MEMBERS,
            help="Of how many members batches must have come. Default: of more than two thirds.",
        ),
    ] = None,
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option(
            "--type", metavar="TYPE", help=f"Only this type; may be repeated: {TYPES}. Default: all."
        ),
    ] = None,
    purpose: Annotated[str, typer.Option(help="Why; everybody has to state the same.")] = "",
    learn: Annotated[
        Learns, typer.Option(help="Who learns it: the holders, all members, or only how many there are.")
    ] = Learns.INDIVIDUAL,
    strict: Annotated[
        bool, typer.Option("--strict", help="The counter sees nothing below the threshold; it takes longer.")
    ] = False,
    largest: Annotated[
        int,
        typer.Option(min=1, max=MAX_LARGEST, help="With --strict: the most indicators that any member has."),
    ] = 100_000,
    max_seconds: Annotated[
        float, typer.Option(min=0, help="With --strict: refuse what would take the counter longer.")
    ] = 60,
    wait: Annotated[
        int, typer.Option(min=1, max=MAX_WAIT_S, help="How long to wait for the others, in seconds.")
    ] = 900,
    relay: Annotated[str | None, typer.Option(help="The member that relays, where it is not drawn.")] = None,
    counter: Annotated[
        str | None, typer.Option(help="The member that counts, where it is not drawn.")
    ] = None,
    helpers: Annotated[
        list[str] | None,
        typer.Option("--helper", help="A member that holds a part of the key, where it is not drawn; twice."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Find which indicators at least so many members hold; all of them run this on the same day."""
    check_purpose(purpose)
    search = Search(
        threshold=threshold,
        minimum=minimum,
        types=tuple(sorted(set(types or IndicatorType))),
        purpose=purpose,
        learns=learn,
        parts=_parts(relay, counter, helpers or []),
        wait_s=wait,
        largest=largest if strict else 0,
        max_seconds=max_seconds,
    )
    with Node(open_home(home)) as node, waiting("joining a discovery", as_json) as progress:
        found = asyncio.run(take_part(node.home, node.alliance, node.desk, search, progress=progress))
    emit(as_json, as_result(found), lambda: _show(found))


def _parts(relay: str | None, counter: str | None, helpers: list[str]) -> Parts | None:
    """Who does what, where it is not drawn.

    Raises:
        typer.BadParameter: only some are named, or they do not go together.
    """
    if relay is None and counter is None and not helpers:
        return None
    if relay is None or counter is None:
        raise typer.BadParameter("name all of them, or none: --relay, --counter and --helper twice")
    parts = Parts(relay=relay, counter=counter, helpers=tuple(sorted(helpers)))
    if fault := parts.fault():
        raise typer.BadParameter(fault)
    return parts


def as_result(found: Found) -> dict[str, Any]:
    """The public JSON of a discovery."""
    of = found.round
    rows = None if found.items is None else [
        {"type": str(one.type), "value": one.value, "at_least": of.threshold, "members": int(voices)}
        for one, voices in zip(*found.items, strict=True)
    ]  # fmt: skip
    return {
        "session": of.session,
        "threshold": of.threshold,
        "minimum": of.minimum,
        "types": [str(t) for t in of.types],
        "learn": str(of.learns),
        "strict": bool(of.largest),
        "members": len(of.members),
        "batches": found.counted,
        "sizes": {"ours": found.ours, "ours_padded": found.padded, "asked": found.asked},
        "result": {"count": count_of(found), "items": rows},
        "roles": {
            "relay": of.parts.relay,
            "counter": of.parts.counter,
            "helpers": list(of.parts.helpers),
            "overlap": of.parts.overlap,
        },
        "culprits": [{"member": who, "reason": why} for who, why in found.culprits],
        "accused": [{"member": who, "reason": why} for who, why in found.accused],
        "seconds": {"total": round(found.total_s, 4), "crypto": round(found.crypto_s, 4)},
        "bytes": {"sent": found.sent, "received": found.received},
        "leaks": leaks(found),
    }


def count_of(found: Found) -> int:
    """How many are held by enough members: in all, or where that is not told, of ours."""
    return len(found.items.indicators) if found.round.largest and found.items is not None else found.count


def leaks(found: Found) -> list[str]:
    """What everybody who had a part learned, and what coalitions could: one sentence each."""
    overlap = found.round.parts.overlap
    told = tables.LEAKS if found.round.largest else discovery.LEAKS
    return [*told.values(), *([overlap] if overlap else [])]


def _show(found: Found) -> None:
    of, known = found.round, 0 if found.items is None else len(found.items.indicators)
    for one, voices in islice(zip(*(found.items or ((), ())), strict=True), SHOWN):
        say((f"{one.type}  ", "dim"), (one.value, "bold"), (f"  {voices} members", "dim"))
    if known > SHOWN:
        say((f"and {known - SHOWN:,} more: --json prints all", "dim"))
    say(
        (f"{count_of(found):,} indicators are held by at least {of.threshold} members", "bold"),
        "" if found.items is None else f"; {known:,} of them we know by name",
    )
    counted = f"{found.counted} of {len(of.members)} members took part"
    traffic = f"{size(found.sent)} sent, {size(found.received)} received"
    for line in (
        f"{counted}; {found.ours:,} of ours went in, shown as {found.padded:,}",
        f"{found.total_s:.2f} s ({found.crypto_s:.2f} s computing), {traffic}, session {of.session[:16]}",
        f"relay {of.parts.relay}, counter {of.parts.counter}, key helpers {' and '.join(of.parts.helpers)}",
    ):
        say((line, "dim"), on=stderr)
    for who, why in found.culprits:
        say(("alarm", "bold red"), f"  {who} broke the rules: {why}", on=stderr)
    for who, why in found.accused:
        say((f"{who} is accused by relay and counter, without proof: {why}", "dim"), on=stderr)
    say(("what this told whom", "bold"), on=stderr)
    for line in leaks(found):
        say((f"- {line}", "dim"), on=stderr)
