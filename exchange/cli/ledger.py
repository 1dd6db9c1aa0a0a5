"""``ledger show`` and ``ledger verify``: what left the house, and whether the record of it is whole."""

from typing import Annotated, Any

import typer

from exchange.cli import app
from exchange.cli.membership import alliance_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, stdout, table
from exchange.ledger import Leaf
from exchange.node import verify_ledger
from exchange.store.ledger import LedgerReader

ledger_app = typer.Typer(help="The record of what was disclosed.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command()
def show(
    last: Annotated[int, typer.Option(min=1, help="How many entries, the newest.")] = 50,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show the newest entries: intents, disclosures, aborts, refusals, rosters."""
    with LedgerReader.open_read_only(alliance_home(home).ledger_file) as reader:
        entries = reader.entries()
    shown = entries[-last:]

    def print_them() -> None:
        listed = table(
            f"{len(entries):,} entries",
            "no",
            "time (UTC)",
            "what",
            "with",
            "session",
            "details",
            numbers=("no",),
        )
        for leaf in shown:
            listed.add_row(
                str(leaf.seq),
                leaf.time[:19].replace("T", " "),
                str(leaf.kind),
                _with(leaf),
                leaf.session[:12],
                _details(leaf),
            )
        stdout.print(listed, highlight=False)

    emit(as_json, {"leaves": len(entries), "entries": [leaf.as_dict() for leaf in shown]}, print_them)


@ledger_app.command()
def verify(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Recompute the whole ledger and say whether anything in it was changed, added or lost."""
    found = verify_ledger(alliance_home(home))
    result = {
        "ok": found.ok,
        "leaves": found.leaves,
        "sessions": found.sessions,
        "open_intents": list(found.open_intents),
        "problems": [{"seq": p.seq, "what": p.what} for p in found.problems],
        "warnings": [{"seq": p.seq, "what": p.what} for p in found.warnings],
    }

    def print_it() -> None:
        verdict = "[bold green]verified[/]" if found.ok else "[bold red]does not verify[/]"
        stdout.print(f"{verdict}: {found.leaves:,} entries, {found.sessions:,} sessions", highlight=False)
        for p in found.problems:
            stdout.print(f"  [red]problem[/] {_place(p.seq)}: {p.what}", highlight=False)
        for p in found.warnings:
            stdout.print(f"  [yellow]odd[/] {_place(p.seq)}: {p.what}", highlight=False)
        for session in found.open_intents:
            stdout.print(
                f"  [yellow]open[/] session {session[:12]} has an intent and no result: running, or cut off"
            )

    emit(as_json, result, print_it)
    if not found.ok:
        raise typer.Exit(1)


def _with(leaf: Leaf) -> str:
    direction = {"initiator": "->", "responder": "<-"}.get(str(leaf.fields.get("direction")), "")
    return f"{direction} {leaf.peer}".strip()


def _details(leaf: Leaf) -> str:
    what: dict[str, Any] = dict(leaf.what) or {
        k: v for k, v in leaf.fields.items() if k in {"alliance", "epoch", "member"}
    }
    what.pop("policy", None)
    return ", ".join(f"{k} {'+'.join(v) if isinstance(v, list) else v}" for k, v in what.items())


def _place(seq: int | None) -> str:
    return "the log as a whole" if seq is None else f"entry {seq}"
