"""``warninglists``: what is no threat, or says little, and what follows when we hold it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import SHARE, app
from exchange.cli.home import open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, counting, emit, say, stdout, table
from exchange.config import Home
from exchange.indicators import Indicator, Refused, recognise
from exchange.indicators.warninglists import Mode, WarningList, WarningLists, default_mode
from exchange.store import Store
from exchange.store.warninglists import add_lists, node_lists, remove_list, set_modes

lists_app = typer.Typer(help="What is no threat, or says little, and stays out.", no_args_is_help=True)
app.add_typer(lists_app, name="warninglists", rich_help_panel=SHARE)

NameArgument = Annotated[str, typer.Argument(help="The name of a list, as `warninglists list` shows it.")]
ModeArgument = Annotated[Mode, typer.Argument(help="block, inform or off.")]
BLOCKED, NOTED, CLEAR, REFUSED = "blocked", "noted", "clear", "refused"


@lists_app.command("list")
def list_(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Show the lists, what they apply to and what follows from them."""
    lists = node_lists(open_home(home))

    def show() -> None:
        shown = table("", "list", "mode", "entries", "compared as", "origin", numbers=("entries",))
        for one in lists:
            shown.add_row(
                one.name, str(lists.modes[one.name]), f"{one.size:,}", str(one.type), _origin(lists, one.name)
            )
        stdout.print(shown)

    result = {"lists": [_facts(lists, one) for one in lists], "digest": lists.digest}
    emit(as_json, result, show)


@lists_app.command()
def add(
    path: Annotated[
        Path,
        typer.Argument(help="A list as MISP writes it, a folder of lists, or a copy of their repository."),
    ],
    mode: Annotated[Mode | None, typer.Option(help="What follows from them; by default inform.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Take lists of our own, or newer copies of those that are shipped."""
    opened = open_home(home)
    names = [one.name for one in add_lists(opened, path)]
    if mode is not None:
        set_modes(open_home(home), names, mode)
    _emit_changed(open_home(home), names, as_json)


@lists_app.command("set")
def set_(
    name: NameArgument, mode: ModeArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> None:
    """Say what follows from a list, in config.toml: block, inform or off."""
    set_modes(open_home(home), [name], mode)
    _emit_changed(open_home(home), [name], as_json)


@lists_app.command()
def remove(name: NameArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Remove a list that was added."""
    remove_list(open_home(home), name)
    _emit_changed(open_home(home), [], as_json)


@lists_app.command()
def check(
    values: Annotated[list[str], typer.Argument(help="Indicators, defanged or not.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Say which lists a value is on, and what follows."""
    lists = node_lists(open_home(home))
    found = [_checked(lists, value) for value in values]

    def show() -> None:
        for one in found:
            on = ", ".join(f"{hit['list']} ({hit['mode']})" for hit in one["lists"])
            why = f": {one['reason']}" if one["reason"] else f": on {on}" if on else ""
            style = {BLOCKED: "red", REFUSED: "red", NOTED: "yellow", CLEAR: "green"}[one["follows"]]
            say((one["value"], "bold"), "  ", (one["follows"], style), why)

    emit(as_json, {"values": found}, show)


def _checked(lists: WarningLists, text: str) -> dict[str, Any]:
    """A value, the lists it is on, and what follows."""
    try:
        found: Indicator = recognise(text)
    except Refused as refused:
        return {"value": text, "type": None, "lists": [], "follows": REFUSED, "reason": refused.reason}
    on = [{"list": n, "mode": str(lists.modes[n])} for n in lists.screen(found.type, [found.value])]
    modes = {hit["mode"] for hit in on}
    follows = BLOCKED if Mode.BLOCK in modes else NOTED if modes else CLEAR
    return {
        "value": found.value, "type": str(found.type), "lists": on, "follows": follows, "reason": None
    }  # fmt: skip


def _emit_changed(home: Home, names: list[str], as_json: bool) -> None:
    """Look up what we hold in the lists as they are now, and print what changed."""
    lists = node_lists(home)
    store = Store.open(home.store_url)
    try:
        with counting("looking up what we hold", as_json) as count:
            listed = store.screen(lists, progress=count)
    finally:
        store.close()
    blocked, noted = (listed.get(mode, {}) for mode in (Mode.BLOCK, Mode.INFORM))
    changed = [one for one in lists if one.name in names]

    def show() -> None:
        for one in changed:
            entries = "1 entry" if one.size == 1 else f"{one.size:,} entries"
            say((one.name, "bold"), f": {lists.modes[one.name]}, {entries}")
        held = f"{sum(blocked.values()):,} blocked, {sum(noted.values()):,} noted"
        say(f"of what we hold, {held}; an indicator on several lists counts for each")

    result = {"lists": [_facts(lists, one) for one in changed], "blocked": blocked, "informed": noted}
    emit(as_json, result, show)


def _facts(lists: WarningLists, one: WarningList) -> dict[str, Any]:
    return {
        "name": one.name, "title": one.title, "version": one.version, "type": str(one.type),
        "entries": one.size, "applies_to": sorted(one.kinds), "mode": str(lists.modes[one.name]),
        "default": str(default_mode(one.name)), "origin": _origin(lists, one.name),
    }  # fmt: skip


def _origin(lists: WarningLists, name: str) -> str:
    return "ours" if name in lists.own else "shipped"
