"""``ledger show`` and ``ledger verify``: what left the house, and whether the record of it is whole."""

from typing import Annotated, Any

import typer

from exchange.cli import ACCOUNT, app
from exchange.cli.home import open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say
from exchange.ledger import Leaf
from exchange.node import verify_ledger
from exchange.store.ledger import LedgerReader

ledger_app = typer.Typer(help="The record of what was disclosed.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger", rich_help_panel=ACCOUNT)


@ledger_app.command()
def show(
    last: Annotated[int, typer.Option(min=1, help="How many entries, the newest.")] = 50,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show the newest entries: intents, disclosures, aborts, refusals, rosters."""
    with LedgerReader.open_read_only(open_home(home).ledger_file) as reader:
        entries = reader.entries()
    shown = entries[-last:]

    def print_them() -> None:
        say((f"{len(entries):,} entries, the newest {len(shown):,}; times are UTC", "bold"))
        for leaf in shown:
            when = leaf.time[:19].replace("T", " ")
            session = f"  {_with(leaf)}  session {leaf.session[:16]}" if leaf.session else ""
            say(f"{leaf.seq:>6}  {when}  ", (str(leaf.kind), "bold"), session)
            if details := _details(leaf):
                say((f"        {details}", "dim"))

    emit(as_json, {"leaves": len(entries), "entries": [leaf.as_json() for leaf in shown]}, print_them)


@ledger_app.command()
def verify(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Recompute the whole ledger and say whether anything in it was changed, added or lost."""
    found = verify_ledger(open_home(home))
    result = {
        "ok": found.ok,
        "leaves": found.leaves,
        "sessions": found.sessions,
        "open_intents": list(found.open_intents),
        "problems": [{"seq": p.seq, "what": p.what} for p in found.problems],
        "warnings": [{"seq": p.seq, "what": p.what} for p in found.warnings],
    }

    def print_it() -> None:
        verdict = ("verified", "bold green") if found.ok else ("does not verify", "bold red")
        say(verdict, f": {found.leaves:,} entries, {found.sessions:,} sessions")
        for p in found.problems:
            say(("  problem ", "red"), f"{_place(p.seq)}: {p.what}")
        for p in found.warnings:
            say(("  odd ", "yellow"), f"{_place(p.seq)}: {p.what}")
        for session in found.open_intents:
            say(
                ("  open ", "yellow"),
                f"session {session[:16]} has an intent and no result: running, or cut off",
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
    for long in ("policy", "peer_signature"):  # --json has them
        what.pop(long, None)
    return ", ".join(
        f"{k.replace('_', ' ')} {'+'.join(v) if isinstance(v, list) else v}" for k, v in what.items()
    )


def _place(seq: int | None) -> str:
    return "the log as a whole" if seq is None else f"entry {seq}"
