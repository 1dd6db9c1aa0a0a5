"""``export``: what a match found, as STIX, as a MISP event, as CSV."""

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import SHARE, app
from exchange.cli.home import check_writable, open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, stderr, waiting
from exchange.clock import utc_now
from exchange.config import Home, read_secret, write_atomic, write_once
from exchange.errors import ConfigError, InputError
from exchange.export import KEY_BYTES, Export, Format, Ids, MatchResult, format_of, render, select
from exchange.indicators import Tlp
from exchange.store.home import open_store
from exchange.store.policies import home_policy

MARKINGS = ", ".join(t for t in Tlp if t is not Tlp.RED)
_MAX_RESULT_BYTES = 512 << 20


@app.command(rich_help_panel=SHARE)
def export(
    result: Annotated[
        Path, typer.Argument(help="What match --json or discover --json printed; - for standard input.")
    ],
    form: Annotated[
        Format | None,
        typer.Option("--format", metavar="FORM", help="stix, misp or csv; by the end of --out, else stix."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here; else to standard output.")
    ] = None,
    tlp: Annotated[
        str, typer.Option(help=f"Mark everything at least as closed as this: {MARKINGS}.")
    ] = "CLEAR",
    tlp_ceiling: Annotated[
        str, typer.Option(help="Leave out what is more closed than this.")
    ] = Tlp.AMBER_STRICT,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write what a match or a discovery found for other tools, under the markings of its sources."""
    if as_json and out is None:
        raise typer.BadParameter("standard output has one JSON object: say --out FILE", param_hint="--json")
    floor, ceiling = marking(tlp, "--tlp"), marking(tlp_ceiling, "--tlp-ceiling")
    chosen = form or (format_of(out.name) if out else None) or Format.STIX
    opened = open_home(home)
    if out is not None:
        check_writable(out)
    ids = identifiers(opened)
    found = MatchResult.parse(_read(result), name=str(result))
    if found.peer == opened.member:
        raise InputError(
            f"{result}: the peer in it is {found.peer}, and so are we", hint="choose another --home"
        )
    with waiting("exporting", as_json):
        try:
            selected = selection(opened, found, floor=floor, ceiling=ceiling)
        except ValueError as e:
            raise typer.BadParameter(str(e), param_hint="--tlp-ceiling") from None
        written = render(chosen, selected, ids)
    if out is None:
        sys.stdout.write(written.decode())
        sys.stdout.flush()
    else:
        write_atomic(out, written)
    summary = as_summary(selected, chosen) | {"file": None if out is None else str(out)}
    emit(as_json, summary, lambda: _show(selected, out))


def identifiers(home: Home) -> Ids:
    """What makes the identifiers of this node; its key is made when it is first needed.

    Raises:
        ConfigError: the key is damaged or exposed, or cannot be written.
    """
    path = home.key_file("").parent / "export.key"
    if not path.exists():
        write_once(path, f"{secrets.token_hex(KEY_BYTES)}\n".encode())
    try:
        return Ids(bytes.fromhex(read_secret(path).decode()))
    except ValueError:  # its text would quote the key
        raise ConfigError(f"{path} is damaged", hint="restore it from your backup") from None


def selection(
    home: Home, result: MatchResult, *, floor: Tlp = Tlp.CLEAR, ceiling: Tlp = Tlp.AMBER_STRICT
) -> Export:
    """A result with what the store of this home says of it; the peer is named if our policy lets it be.

    Raises:
        ConfigError: the policy cannot be read, or asks that the peer be named, and the ceiling is too open.
        StoreError: the database refused.
        ValueError: the ceiling is under the floor, or RED.
    """
    store = open_store(home)
    try:
        said = store.held(result.items)
    finally:
        store.close()
    attribution = home_policy(home)[1].attribution(result.peer) if result.peer else "must-not"
    named = attribution != "must-not"
    made = select(result, said, member=home.member, now=utc_now(), floor=floor, ceiling=ceiling, named=named)
    if attribution == "must" and made.about_peer is None:
        raise ConfigError(
            f"our policy asks that {result.peer} be named, and nothing as open as {ceiling} may name it",
            code="policy-refused",
            hint="raise --tlp-ceiling to AMBER",
        )
    return made


def as_summary(selected: Export, form: Format) -> dict[str, Any]:
    """The public JSON of an export."""
    return {
        "format": str(form),
        "session": selected.session,
        "items": len(selected.items),
        "left_out": selected.left_out,
        "not_held": selected.not_held,
        "peer_says": sum(item.peer_says is not None for item in selected.items),
        "peer_left_out": selected.peer_left_out,
        "names_peer": selected.about_peer is not None,
        "by_tlp": {str(t): n for t in Tlp if (n := sum(item.tlp is t for item in selected.items))},
    }


def show_selected(selected: Export) -> None:
    """Say on standard error what an export does not hold, if it is not all."""
    if selected.left_out:
        say(f"left out: {reasons(selected.left_out)}", style="yellow", on=stderr)
    if selected.not_held:
        say(f"{selected.not_held:,} we hold no longer: marked AMBER, without context", style="dim", on=stderr)
    if selected.peer_left_out:
        left = reasons(selected.peer_left_out)
        say(f"what {selected.peer} says is left out: {left}", style="yellow", on=stderr)
    if selected.peer and selected.about_peer is None:
        say(f"{selected.peer} is not named: that would be AMBER", style="dim", on=stderr)


def reasons(counts: Mapping[str, int]) -> str:
    """How many are left out, and why, in one line."""
    return ", ".join(f"{n:,} by {reason}" for reason, n in counts.items())


def _show(selected: Export, out: Path | None) -> None:
    show_selected(selected)
    if out is not None:
        say((f"{len(selected.items):,} written", "bold"), f" to {out}")


def marking(text: str, option: str) -> Tlp:
    """The marking that an option names.

    Raises:
        typer.BadParameter: it is none, or one that stays with whoever received it.
    """
    try:
        found = Tlp.parse(text)
    except ValueError:
        found = Tlp.RED
    if found is Tlp.RED:  # stays with whoever received it
        raise typer.BadParameter(f"one of: {MARKINGS}", param_hint=option)
    return found


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(_MAX_RESULT_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_MAX_RESULT_BYTES + 1)
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}") from e
    if len(data) > _MAX_RESULT_BYTES:
        raise InputError(
            f"{path} is longer than {_MAX_RESULT_BYTES >> 20} MiB",
            hint="let the match write the export: cosight match PEER --out FILE",
        )
    return data
