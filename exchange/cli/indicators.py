"""``import`` and ``indicators``: what we hold."""

from collections import Counter
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
    stdout,
    table,
)
from exchange.errors import ConfigError, CosightError, InputError
from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.readers import formats, read
from exchange.node import utc_now
from exchange.store import ImportReport, Store


@app.command("import", rich_help_panel=SHARE)
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files of indicators, gzipped or not.")],
    format_: Annotated[
        str, typer.Option("--format", help="auto, or one of: " + ", ".join(formats()))
    ] = "auto",
    source: Annotated[str | None, typer.Option(help="Who told us; the file's name if left out.")] = None,
    tlp: Annotated[str, typer.Option(help="Marking: " + ", ".join(Tlp))] = Tlp.AMBER,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Import indicators in their canonical form. A file goes in whole or not at all."""
    store = Store.open(open_home(home).store_url)
    reports: list[dict[str, Any]] = []
    failed: list[CosightError] = []
    try:
        for path in files:
            try:
                with counting(f"importing {path.name}", as_json) as count:
                    report = store.import_indicators(
                        read(path, format=format_), source=source or source_name(path), tlp=tlp,
                        now=utc_now(), progress=count,
                    )  # fmt: skip
                reports.append({"file": str(path), **report.to_json()})
            except InputError as e:
                failed.append(e)
                reports.append({"file": str(path), "error": error_json(e)})
    finally:
        store.close()
    result: dict[str, Any] = total([r for r in reports if "error" not in r]).to_json()
    if len(files) > 1 or failed:
        result["files"] = reports
    if failed:
        result["error"] = error_json(failed[0])
    emit(as_json, result, lambda: _show(reports))
    if failed:
        if not as_json:
            for error in failed:
                fail(error, as_json=False)
        raise typer.Exit(1)


@app.command(rich_help_panel=SHARE)
def indicators(
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option("--type", metavar="TYPE", help="Only this type; may be repeated."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show what we hold, by type, source and marking."""
    store = Store.open(open_home(home).store_url)
    try:
        counts = [c for c in store.counts() if types is None or c.type in types]
        distinct = {
            str(t): n for t in IndicatorType if (types is None or t in types) and (n := store.size([t], now=utc_now()))
        }
    finally:
        store.close()
    rows = [{"type": str(c.type), "source": c.source, "tlp": str(c.tlp), "count": c.count} for c in counts]

    def show() -> None:
        listed = table("", "type", "source", "TLP", "indicators", numbers=("indicators",))
        for c in counts:
            listed.add_row(str(c.type), c.source, str(c.tlp), f"{c.count:,}")
        if counts:
            stdout.print(listed)
        goes_in = ", ".join(f"{n:,} {t}" for t, n in distinct.items())
        say("in a match: ", goes_in or "nothing; to change that: cosight import FILE...")

    emit(as_json, {"indicators": rows, "in_a_match": distinct}, show)


def source_name(path: Path) -> str:
    """The name of a source where none is given: the file's, without its endings."""
    name = path.name.split(".")[0]
    if not name:
        raise ConfigError(f"{path} has no name to call the source by", hint="give it one: --source NAME")
    return name


def total(reports: list[dict[str, Any]]) -> ImportReport:
    """The sum of several reports."""
    sums: dict[str, Counter[str]] = {"refused": Counter(), "by_type": Counter()}
    for report in reports:
        for field, counter in sums.items():
            counter.update(report[field])
    numbers = {field: sum(r[field] for r in reports) for field in ("read", "accepted", "duplicates")}
    return ImportReport(**numbers, refused=dict(sums["refused"]), by_type=dict(sums["by_type"]))


def _show(reports: list[dict[str, Any]]) -> None:
    """A line for each file, and below it what went in and what did not."""
    for r in reports:
        if "error" in r:
            continue
        refused = sum(r["refused"].values())
        say(
            (Path(r["file"]).name, "bold"),
            f": of {r['read']:,}, {r['accepted']:,} new, {r['duplicates']:,} known, {refused:,} refused",
        )
        for what, counts in (("new", r["by_type"]), ("refused", r["refused"])):
            if counts:
                say((f"  {what:<9}", "dim"), ", ".join(f"{n:,} {name}" for name, n in counts.items()))
        if refused == r["read"]:
            say(f"nothing in {r['file']} was an indicator; is --format right?", style="yellow", on=stderr)
