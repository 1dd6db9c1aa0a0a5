"""``discover``: which indicators at least so many members of the alliance hold."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from exchange import discoveries
from exchange.aggregation.lots import LEAST_MEMBERS, Parts
from exchange.aggregation.round import LEAST_THRESHOLD, MAX_LARGEST, MAX_MEMBERS, Learns
from exchange.agreement import Rung
from exchange.cli import SHARE, app
from exchange.cli.discover_view import as_result, show
from exchange.cli.explained import ExplainOption, emit_explained
from exchange.cli.home import check_purpose, open_home
from exchange.cli.match import TYPES
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, telling
from exchange.cli.results import writer
from exchange.discovery.search import Search
from exchange.export import MatchResult
from exchange.indicators import IndicatorType
from exchange.node import Node

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
        int,
        typer.Option(
            min=1,
            max=MAX_WAIT_S,
            help="How long to wait for parts that are away, then for the others (an hour at most); seconds.",
        ),
    ] = 900,
    relay: Annotated[str | None, typer.Option(help="The member that relays, where it is not drawn.")] = None,
    counter: Annotated[
        str | None, typer.Option(help="The member that counts, where it is not drawn.")
    ] = None,
    helpers: Annotated[
        list[str] | None,
        typer.Option("--helper", help="A member that holds a part of the key, where it is not drawn; twice."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write what was found here: .csv, .stix.json and .misp.json as `export` does, else a table.",
        ),
    ] = None,
    explain: ExplainOption = False,
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
    if out is not None and learn is Learns.COLLECTIVE:
        raise typer.BadParameter("with --learn collective nobody learns which", param_hint="--out")
    opened = open_home(home)
    if explain:
        with Node(opened) as node:
            said = discoveries.explain(node.home, node.alliance, node.desk, search)
        emit_explained(as_json, said)
        return
    write = None if out is None else writer(opened, out, Rung.OVERLAP, as_json)
    with Node(opened) as node, telling("joining a discovery") as progress:
        found = asyncio.run(
            discoveries.take_part(node.home, node.alliance, node.desk, search, progress=progress)
        )
    told = as_result(found)
    if write is not None and found.items is not None:
        write(MatchResult.of(found.round.session, "", found.items.indicators), told)
    emit(as_json, told, lambda: show(found, out))


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
