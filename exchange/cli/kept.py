"""``results``: what sessions told us, those that peers began among them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import SHARE, app
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, stdout, table
from exchange.cli.policies import find_home
from exchange.cli.results import as_found, in_words, show_matches, writer
from exchange.config import Home
from exchange.disclosure import Learned
from exchange.errors import StoreError
from exchange.export import MatchResult
from exchange.indicators import Indicator
from exchange.store.home import open_store
from exchange.store.results import Results

BEGINNING = 16
"""Digits of a session's id that are printed."""


@app.command(rich_help_panel=SHARE)
def results(
    session: Annotated[
        str, typer.Argument(help="A session's id, or how it begins. Default: all.", show_default=False)
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write every match here, in the forms of match --out.")
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Delete this result. The ledger keeps its entry.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show what sessions told us, also those that a peer began."""
    opened = find_home(home)
    kept = Results(opened)
    if not session:
        if drop or out is not None:
            raise typer.BadParameter("says which session", param_hint="SESSION")
        found = sorted(kept.all(), key=lambda learned: learned.time)
        emit(as_json, {"results": [_as_line(learned) for learned in found]}, lambda: _show_all(found))
    elif drop:
        gone = kept.drop(session)
        emit(as_json, {"dropped": gone}, lambda: say("dropped ", (gone[:BEGINNING], "bold")))
    else:
        learned = kept.find(session)
        write = None if out is None else writer(opened, out, learned.rung, as_json)
        matches = _matches(opened, learned)
        told = _as_line(learned) | {"result": as_found(learned.found, matches, learned.over)}
        if write is not None:
            write(MatchResult.of(learned.session, learned.peer, matches, learned.found.contexts), told)
        emit(as_json, told, lambda: _show(learned, matches))


def _matches(home: Home, learned: Learned) -> list[Indicator] | None:
    """The indicators behind a result.

    Raises:
        StoreError: we do not hold all of them any more.
    """
    if learned.found.ids is None:
        return None
    store = open_store(home)
    try:
        return store.values(learned.found.ids)
    except StoreError as e:
        raise StoreError(
            "we no longer hold all that matched in this session",
            hint="a feed was replaced since",
        ) from e
    finally:
        store.close()


def _as_line(learned: Learned) -> dict[str, Any]:
    """A result in the list: without the matches themselves."""
    told = as_found(learned.found, None, learned.over)
    del told["items"]
    return {
        "session": learned.session, "peer": learned.peer, "direction": learned.direction,
        "time": learned.time, "reveal": str(learned.rung), "protocol": learned.protocol,
        "types": [str(kind) for kind in learned.types], "result": told,
    }  # fmt: skip


def _show_all(found: list[Learned]) -> None:
    if not found:
        say("no session has told us anything yet; of counting together: cosight aggregate result")
        return
    rows = table("", "session", "time", "with", "began", "level", "result")
    for learned in found:
        words = in_words(learned.found, learned.over) or ("", "")
        began = "us" if learned.direction == "initiator" else learned.peer
        when = learned.time[:16].replace("T", " ")
        rows.add_row(learned.session[:BEGINNING], when, learned.peer, began, str(learned.rung), words[0])
    stdout.print(rows)


def _show(learned: Learned, matches: list[Indicator] | None) -> None:
    words = in_words(learned.found, learned.over) or ("nothing", "")
    say(
        (words[0], "bold"),
        f" with {learned.peer}, by {learned.protocol}, {learned.time[:16].replace('T', ' ')} UTC",
    )
    if matches is not None:
        show_matches(learned.types, matches, learned.found.contexts)
