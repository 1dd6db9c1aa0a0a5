"""``ledger show|verify|export``: what left the house, whether its record is whole, and a copy to audit."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import ACCOUNT, app
from exchange.cli.home import open_home, open_keys
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, counting, emit, say, waiting
from exchange.clock import utc_now
from exchange.config import Home
from exchange.ledger import Kind, Leaf
from exchange.ledger.note import parse
from exchange.store.alliance import Alliance
from exchange.store.home import verify_ledger
from exchange.store.ledger import LedgerReader
from exchange.store.ledger.export import export as export_ledger

_STYLES = {
    Kind.ALARM: "bold red",
    Kind.QUARANTINE: "bold red",
    Kind.BROKEN: "bold red",
    Kind.REFUSED: "bold yellow",
}
ledger_app = typer.Typer(help="The record of what was disclosed.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger", rich_help_panel=ACCOUNT)


@ledger_app.command()
def show(
    last: Annotated[int, typer.Option(min=1, help="How many entries, the newest.")] = 50,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show the newest entries: intents, what was disclosed, receipts, refusals, alarms, policies, rosters."""
    with LedgerReader.open_read_only(open_home(home).ledger_file) as reader:
        note = reader.newest()
        size = 0 if note is None else parse(note).size
        shown = reader.entries(max(0, size - last), last)

    def print_them() -> None:
        say((f"{size:,} entries, the newest {len(shown):,}; times are UTC", "bold"))
        for leaf in shown:
            when = leaf.time[:19].replace("T", " ")
            about = f"  {_with(leaf)}" if leaf.peer else ""
            session = f"  session {leaf.session[:16]}" if leaf.session else ""
            say(f"{leaf.seq:>6}  {when}  ", (str(leaf.kind), _STYLES.get(leaf.kind, "bold")), about, session)
            if details := _details(leaf):
                say((f"        {details}", "dim"))

    emit(as_json, {"leaves": size, "entries": [leaf.as_json() for leaf in shown]}, print_them)


@ledger_app.command()
def verify(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Recompute the whole ledger and say whether anything in it was changed, added or lost."""
    with waiting("reading and hashing every entry", as_json):
        found = verify_ledger(open_home(home))
    result = {
        "ok": found.ok,
        "leaves": found.leaves,
        "sessions": found.sessions,
        "open_intents": list(found.open_intents),
        "runs": found.runs,
        "open_runs": list(found.open_runs),
        "problems": [{"seq": p.seq, "what": p.what} for p in found.problems],
        "warnings": [{"seq": p.seq, "what": p.what} for p in found.warnings],
    }

    def print_it() -> None:
        verdict = ("verified", "bold green") if found.ok else ("does not verify", "bold red")
        say(verdict, f": {found.leaves:,} entries, {found.sessions:,} sessions, {found.runs:,} runs")
        for p in found.problems:
            say(("  problem ", "red"), f"{_place(p.seq)}: {p.what}")
        for p in found.warnings:
            say(("  odd ", "yellow"), f"{_place(p.seq)}: {p.what}")
        for session in found.open_intents:
            say(
                ("  open ", "yellow"),
                f"session {session[:16]} has an intent and no result: running, or cut off",
            )
        for run in found.open_runs:
            say(("  open ", "yellow"), f"run {run[:16]} has no end: it goes on, or was cut off")

    emit(as_json, result, print_it)
    if not found.ok:
        raise typer.Exit(1)


@ledger_app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where; it must not exist, or be empty.", metavar="DIR")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write a folder for an auditor: everything that can be checked, on any machine, without keys."""
    opened, own = open_keys(home)
    alliance = Alliance(opened, own, utc_now)
    with (
        LedgerReader.open_read_only(opened.ledger_file) as reader,
        counting("writing entries", as_json) as progress,
    ):
        made = export_ledger(
            reader, folder, signed_rosters=alliance.signed(), reports=_reports(opened), key=own.log,
            now=utc_now(), progress=progress,
        )  # fmt: skip
    result = {"folder": str(folder), "log": made.origin, "leaves": made.size, "files": len(made.files) + 1}

    def print_it() -> None:
        say((str(folder), "bold"), f": {made.size:,} entries of {made.origin} in {len(made.files) + 1} files")
        say((f"to check it anywhere: cosight verify {folder}", "dim"))

    emit(as_json, result, print_it)


def _reports(home: Home) -> dict[str, Path]:
    """The reports that the home keeps, by digest; a file that was changed is left out, and missed later."""
    files = (home.path / "reports").glob("*.json")
    return {path.stem: path for path in files if sha256(path.read_bytes()).hexdigest() == path.stem}


def _with(leaf: Leaf) -> str:
    direction = {"initiator": "->", "responder": "<-"}.get(str(leaf.fields.get("direction")), "")
    return f"{direction} {leaf.peer}".strip()


_LONG = {
    "policy", "peer_signature", "signature", "transcript", "log_root", "peer_set", "root", "state", "below",
    "request", "digest", "dictionary", "purpose", "base", "abandons", "tally", "plan",
}  # fmt: skip
"""Hashes and signatures: ``--json`` has them."""


def _details(leaf: Leaf) -> str:
    what: dict[str, Any] = dict(leaf.what) or {
        k: v for k, v in leaf.fields.items() if k in {"alliance", "epoch", "member"}
    }
    if "culprits" in leaf.fields:
        what["by"] = leaf.fields["culprits"]
    if "accused" in leaf.fields:
        what["accused"] = leaf.fields["accused"]
    if "policy" in leaf.fields:
        what["policy "] = str(leaf.fields["policy"])[:16]
    return ", ".join(f"{k.strip().replace('_', ' ')} {_plain(v)}" for k, v in what.items() if k not in _LONG)


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "+".join(value)
    if isinstance(value, dict):
        counts = " ".join(f"{k} {f'({_plain(v)})' if isinstance(v, dict) else v}" for k, v in value.items())
        return counts or "none"
    return str(value)


def _place(seq: int | None) -> str:
    return "the log as a whole" if seq is None else f"entry {seq}"
