"""``verify``: an auditor checks what members have exported. Needs no home, no key and no network."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.audit import folder as folders
from exchange.audit.exam import Finding
from exchange.audit.verify import Audit, audit
from exchange.cli import ACCOUNT, app
from exchange.cli.output import JsonOption, counting, emit, say


@app.command(rich_help_panel=ACCOUNT)
def verify(
    exports: Annotated[
        list[Path], typer.Argument(help="Folders that members have exported.", metavar="DIR...")
    ],
    as_json: JsonOption = False,
) -> None:
    """Check exported ledgers offline: that they are whole, signed, agree, and kept to their policies."""
    with counting("checking entries", as_json) as progress:
        files = {str(path): folders.read(path) for path in exports}
        found = audit(files, lambda _folder, done: progress(done))
    emit(as_json, as_json_object(found), lambda: _show(found))
    if not found.ok:
        raise typer.Exit(1)


def as_json_object(found: Audit) -> dict[str, Any]:
    """The public JSON of an audit."""
    return {
        "ok": found.ok,
        "leaves": sum(one.leaves for one in found.exports),
        "sessions": sum(one.sessions for one in found.exports),
        "receipts": sum(one.receipts for one in found.exports),
        "runs": sum(one.runs for one in found.exports),
        "discoveries": sum(one.discoveries for one in found.exports),
        "tallies": sum(one.tallies for one in found.exports),
        "signers": sorted(frozenset[str]().union(*(one.signers for one in found.exports))),
        "exports": [
            {
                "folder": one.folder, "member": one.member, "alliance": one.alliance, "genesis": one.genesis,
                "leaves": one.leaves, "sessions": one.sessions, "receipts": one.receipts, "runs": one.runs,
                "discoveries": one.discoveries, "tallies": one.tallies, "signers": sorted(one.signers),
                "time": one.time,
            }
            for one in found.exports
        ],
        "problems": list(map(_finding, found.problems)),
        "warnings": list(map(_finding, found.warnings)),
    }  # fmt: skip


def _finding(found: Finding) -> dict[str, Any]:
    return {"folder": found.folder, "file": found.file, "seq": found.seq, "what": found.what}


def _show(found: Audit) -> None:
    for one in found.exports:
        say(
            (one.member or "nobody", "bold"),
            f" of {one.alliance or 'no alliance'}, exported {one.time[:19]}: ",
        )
        say(f"  {one.leaves:,} entries, {one.sessions:,} sessions, {one.receipts:,} with a receipt")
        if one.runs:
            found_by = f"{one.runs:,} runs with the alliance, {one.discoveries:,} of them discoveries"
            say(f"  {found_by}: {one.tallies:,} results checked, signed by {len(one.signers):,} members")
        if one.genesis:
            say((f"  first roster {one.genesis}: compare it with `cosight alliance roster`", "dim"))
    say(("verified", "bold green") if found.ok else ("does not verify", "bold red"))
    for word, style, findings in (("problem", "red", found.problems), ("odd", "yellow", found.warnings)):
        for one_of in findings:
            place = f"{one_of.folder}/{one_of.file}" + ("" if one_of.seq is None else f", entry {one_of.seq}")
            say((f"  {word} ", style), f"{place}: {one_of.what}")
