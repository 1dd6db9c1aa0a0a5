"""``import``: what an analyst already has goes in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import SHARE, app
from exchange.cli.home import open_home
from exchange.cli.output import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    counting,
    emit,
    error_json,
    fail,
    say,
    stderr,
)
from exchange.clock import utc_now
from exchange.indicators import Tlp
from exchange.indicators.readers import formats
from exchange.indicators.readers.base import Options
from exchange.intake import Delivery, Terms, take
from exchange.store import ImportReport
from exchange.store.home import open_store
from exchange.store.warninglists import node_lists

SHOWN = 8
"""Files of one command whose numbers are printed for people one by one; beyond that, only their sum."""


@app.command("import", rich_help_panel=SHARE)
def import_(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Files, folders, - for standard input, or taxii+https://... addresses."
        ),
    ],
    format_: Annotated[
        str, typer.Option("--format", help="auto, or one of: " + ", ".join(formats()))
    ] = "auto",
    source: Annotated[
        str | None, typer.Option(help="Who told us; the name of the file, folder or server if left out.")
    ] = None,
    feed: Annotated[
        str | None,
        typer.Option(help="Which of the source's feeds, where the file's name differs from day to day."),
    ] = None,
    tlp: Annotated[
        str | None,
        typer.Option(help="Marking of what has none, and the most open one of all: " + ", ".join(Tlp)),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own", help="These are our own sightings, copied from nobody.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Keep what this feed gave before and does not give now.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(help="Of a table: the name of each column, - to leave one out, commas between."),
    ] = None,
    every_attribute: Annotated[
        bool, typer.Option("--every-attribute", help="Of MISP: also what is not meant for detection.")
    ] = False,
    url_hosts: Annotated[
        bool, typer.Option("--url-hosts", help="Take the host of every URL, too, as type url-host.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Of TAXII: all of the collection, not only what is new.")
    ] = False,
    ca: Annotated[
        Path | None, typer.Option(help="Of TAXII: a file of certificates to trust beside the usual ones.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Import indicators in their canonical form. A file goes in whole or not at all.

    A file of the same source and name takes the place of the one before: what it no longer holds leaves.
    """
    options = Options(
        every_attribute=every_attribute,
        columns=tuple(part.strip() for part in columns.split(",")) if columns else (),
        url_hosts=url_hosts,
    )
    terms = Terms(
        source=source,
        feed=feed,
        tlp=tlp,
        own=own,
        keep=add,
        full=full,
        format=format_,
        options=options,
        ca=ca,
    )
    opened = open_home(home)
    store = open_store(opened)
    try:
        lists = node_lists(opened)
        taken = list(
            take(store, lists, names, terms, clock=utc_now, counting=lambda what: counting(what, as_json))
        )
    finally:
        store.close()
    failed = [one.error for one in taken if one.error]
    result: dict[str, Any] = total([one.report for one in taken if one.report]).to_json()
    if len(taken) > 1 or failed:
        result["files"] = [_as_json(one) for one in taken]
    if failed:
        result["error"] = error_json(failed[0])
    emit(as_json, result, lambda: _show(taken))
    if failed:
        if not as_json:
            for error in failed:
                fail(error, as_json=False)
        raise typer.Exit(1)


def total(reports: Sequence[ImportReport]) -> ImportReport:
    """The sum of several reports. Places are left out of it: they would not say of which file they are."""
    if len(reports) == 1:
        return reports[0]
    summed = ImportReport()
    for field in fields(ImportReport):
        values = [getattr(report, field.name) for report in reports]
        if field.name == "places":
            continue
        if isinstance(getattr(summed, field.name), int):
            setattr(summed, field.name, sum(values))
        else:
            counted = Counter[str]()
            for value in values:
                counted.update(value)
            setattr(summed, field.name, dict(sorted(counted.items())))
    return summed


def _as_json(one: Delivery) -> dict[str, Any]:
    told: dict[str, Any] = {"file": one.name}
    if one.skipped:
        return told | {"skipped": one.skipped}
    told |= {"source": one.source, "feed": one.feed}
    if one.error:
        return told | {"error": error_json(one.error)}
    return told | (one.report.to_json() if one.report else {})


def _show(taken: Sequence[Delivery]) -> None:
    """A paragraph for each file, or one for all if they are many."""
    skipped = [one for one in taken if one.skipped]
    done = [
        (Path(one.name).name if "://" not in one.name else one.name, one.report)
        for one in taken
        if one.report
    ]
    if len(done) > SHOWN:
        done = [(f"{len(done):,} files", total([report for _, report in done]))]
    for name, report in done:
        _show_report(name, report)
    for one in skipped[:SHOWN]:
        say((f"{one.name} was left out: {one.skipped}", "dim"), on=stderr)
    if len(skipped) > SHOWN:
        say((f"and {len(skipped) - SHOWN:,} more were left out; --json lists them", "dim"), on=stderr)


def _show_report(name: str, r: ImportReport) -> None:
    """What went in and what did not, and what that changes about the feed."""
    refused = sum(r.refused.values())
    say(
        (name, "bold"),
        f": of {r.read:,}, {r.accepted:,} new, {r.duplicates:,} known, {refused:,} refused",
    )
    if r.removed or r.unchanged:
        say(("  feed     ", "dim"), f"{r.added:,} added, {r.removed:,} removed, {r.unchanged:,} unchanged")
    lines = (
        ("new", r.by_type),
        ("refused", r.refused),
        ("blocked", r.blocked),
        ("listed", r.informed),
        ("notes", r.notes),
    )
    for what, counts in lines:
        if counts:
            say((f"  {what:<9}", "dim"), ", ".join(f"{n:,} {key}" for key, n in counts.items()))
    for reason, places in r.places.items():
        say((f"  {reason} at ", "dim"), "; ".join(places[:3]), ("" if len(places) <= 3 else "; ...", "dim"))  # noqa: PLR2004
    if r.removed > r.unchanged:
        say(
            "more left than stayed: was the file whole? if it holds only what is new, say --add",
            style="yellow",
            on=stderr,
        )
    if refused == r.read:
        say(f"nothing in {name} was an indicator; is --format right?", style="yellow", on=stderr)
