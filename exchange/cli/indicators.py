"""``indicators``, ``feeds`` and ``forget``: what we hold, and from whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli import SHARE, app
from exchange.cli.home import open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, stdout, table
from exchange.clock import utc_now
from exchange.indicators import IndicatorType
from exchange.store import Store
from exchange.store.home import open_store

BARRED = {
    "p15-warning-list": ("warning-list", "on a warning list that blocks"),
    "p4-tlp": ("tlp", "marked RED, which travels to nobody"),
    "p14-embargo": ("embargo", "under an embargo"),
    "expired": ("expired", "expired"),
}
"""What may hold back from everybody, by the rule: its name here, and what it says. Others are of a policy."""


@app.command(rich_help_panel=SHARE)
def indicators(
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option("--type", metavar="TYPE", help="Only this type; may be repeated."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show what we hold, by type, source and marking, and what of it would enter a match."""
    wanted = list(types or IndicatorType)
    now = utc_now()
    with _store(home) as store:
        counts = [c for c in store.counts() if c.type in wanted]
        offer = store.offer(wanted, now=now)
    distinct = {str(t): offer.entered[t] for t in wanted if t in offer.entered}
    barred = offer.held_back
    rows = [{"type": str(c.type), "source": c.source, "tlp": str(c.tlp), "count": c.count} for c in counts]

    def show() -> None:
        listed = table("", "type", "source", "TLP", "indicators", numbers=("indicators",))
        for c in counts:
            listed.add_row(str(c.type), c.source, str(c.tlp), f"{c.count:,}")
        if counts:
            stdout.print(listed)
        goes_in = ", ".join(f"{n:,} {t}" for t, n in distinct.items())
        say("in a match: ", goes_in or "nothing; to change that: cosight import FILE...")
        for rule, n in barred.items():
            say(("held back: ", "dim"), f"{n:,} {BARRED[rule][1]}")

    held_back = {BARRED[rule][0]: n for rule, n in barred.items()}
    emit(as_json, {"indicators": rows, "in_a_match": distinct, "held_back": held_back}, show)


@app.command(rich_help_panel=SHARE)
def feeds(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Show what was imported from whom, and when."""
    with _store(home) as store:
        listed = store.feeds()
    rows = [
        {
            "source": f.source, "feed": f.feed, "own": f.own, "indicators": f.count,
            "last_imported": f.last_imported.isoformat(timespec="seconds"),
        }
        for f in listed
    ]  # fmt: skip

    def show() -> None:
        shown = table("", "source", "feed", "indicators", "last imported", "", numbers=("indicators",))
        for f in listed:
            when = f"{f.last_imported:%Y-%m-%d %H:%M}"
            shown.add_row(f.source, f.feed, f"{f.count:,}", when, "our own" if f.own else "")
        if listed:
            stdout.print(shown)
        else:
            say("nothing was imported yet: cosight import FILE...")

    emit(as_json, {"feeds": rows}, show)


@app.command(rich_help_panel=SHARE)
def forget(
    source: Annotated[str, typer.Argument(help="Who told us, as `feeds` shows it.")],
    feed: Annotated[str | None, typer.Option(help="Only this feed; all of the source if left out.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Erase what a source gave us; what others gave too stays theirs."""
    with _store(home) as store:
        gone = store.forget(source, feed)
    emit(
        as_json,
        {"source": source, "feed": feed, "given": gone.given, "erased": gone.erased},
        lambda: say((source, "bold"), f": {gone.given:,} indicators forgotten, {gone.erased:,} erased"),
    )


@contextmanager
def _store(home: Path) -> Iterator[Store]:
    store = open_store(open_home(home))
    try:
        yield store
    finally:
        store.close()
