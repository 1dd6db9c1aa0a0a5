"""``lookup``: what our own sources say of a value, or which other members hold it."""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.agreement import Rung
from exchange.cli import SHARE, app
from exchange.cli.home import check_purpose, open_home
from exchange.cli.member_file import PassphraseOption, StateOption, read_light, state_folder
from exchange.cli.output import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    counting,
    emit,
    say,
    stderr,
    stdout,
    table,
    waiting,
)
from exchange.clock import utc_now
from exchange.config import Home
from exchange.disclosure import Wish
from exchange.errors import InputError
from exchange.indicators import Indicator, IndicatorType, Refused, defang, recognise
from exchange.indicators.observed import Observed, observe
from exchange.light import Asked, alone, sift, unpack
from exchange.light.asking import Told, ask, reachable
from exchange.names import is_address
from exchange.node import Node
from exchange.store.held import Held
from exchange.store.home import open_store
from exchange.store.warninglists import node_lists

SHOWN = 100
"""Hits that are printed for people; ``--json`` has all."""
DEFAULT_PROTOCOL = "voprf"
STDIN = "-"
OTHER_TYPE = "type"
"""The reason for which values of other types than those of ``--type`` are not asked about."""


@app.command(rich_help_panel=SHARE)
def lookup(
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="VALUE...|-", help="Indicators, defanged or not; with --alliance, - for a log on stdin."
        ),
    ],
    alliance: Annotated[
        Path | None, typer.Option(help="Ask other members privately, as the light member of this file.")
    ] = None,
    members: Annotated[
        list[str] | None,
        typer.Option("--member", metavar="MEMBER", help="Ask this one; may be repeated. Default: all."),
    ] = None,
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option("--type", metavar="TYPE", help="Ask about this type alone; may be repeated."),
    ] = None,
    addresses: Annotated[
        list[str] | None,
        typer.Option("--address", help="MEMBER=HOST:PORT, where the roster's is not right; may be repeated."),
    ] = None,
    purpose: Annotated[str, typer.Option(help="Why; a member's policy may ask for it.")] = "",
    state: StateOption = None,
    passphrase_file: PassphraseOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Say what our own sources say of an indicator, without asking anybody. Or ask others: --alliance."""
    if alliance is None:
        if members or types or addresses or purpose:
            raise typer.BadParameter("only together with it", param_hint="--alliance")
        _own(values, home, as_json)
        return
    check_purpose(purpose)
    where = dict(_member_address(text) for text in addresses or [])
    light = read_light(alliance, passphrase_file, as_json)
    folder = state_folder(light, state)
    opened = unpack(light, folder)
    seen = _seen(values, as_json)
    asked, skipped = _sifted(seen, types, opened)
    with alone(folder), Node(opened, items=asked) as node:
        whom = list(dict.fromkeys(members or reachable(node, where)))
        wish = Wish(
            rung=Rung.OVERLAP, types=tuple(sorted(asked.types(now=utc_now()))), protocol=DEFAULT_PROTOCOL,
            purpose=purpose,
        )  # fmt: skip
        with waiting(f"asking {', '.join(whom)} about {len(asked.indicators):,} values", as_json):
            told = asyncio.run(ask(node, whom, wish, where))
    result = _as_json(seen, asked, skipped, told) | {"state": str(folder)}
    emit(as_json, result, lambda: _show(seen, asked, skipped, told))
    if not any(one.status == "answered" for one in told):
        raise typer.Exit(1)


def _seen(values: Sequence[str], as_json: bool) -> Observed:
    """The values of the command line, and for ``-`` those of a log on standard input."""
    found = Observed()
    for value in values:
        if value == STDIN:
            with counting("lines of the log", as_json) as count:
                log = observe(sys.stdin.buffer, progress=count)
            found.indicators |= log.indicators
            found.lines += log.lines
            found.skipped += log.skipped
            continue
        try:
            found.indicators.add(recognise(value))
        except Refused as refused:
            found.skipped[refused.reason] += 1
            if not as_json:
                say((value, "bold"), "  no indicator: ", refused.reason, on=stderr)
    return found


def _sifted(seen: Observed, types: Sequence[IndicatorType] | None, home: Home) -> tuple[Asked, Counter[str]]:
    """What is asked about, and how many values are not, by reason.

    Raises:
        InputError: nothing is left.
    """
    wanted = [one for one in seen.indicators if not types or one.type in types]
    left, warned = sift(wanted, node_lists(home))
    skipped = seen.skipped + warned
    if others := len(seen.indicators) - len(wanted):
        skipped[OTHER_TYPE] += others
    if not left:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(skipped.items()))
        raise InputError(
            f"nothing is left to ask about ({reasons})" if reasons else "there is nothing to ask about",
            code="nothing-to-ask",
            hint="what each reason means: docs/errors.md",
        )
    return Asked.of(left), skipped


def _by_value(told: Sequence[Told]) -> dict[Indicator, list[str]]:
    """Who holds what, for what anybody holds."""
    held: dict[Indicator, list[str]] = {}
    for one in told:
        for indicator in one.held:
            held.setdefault(indicator, []).append(one.member)
    return dict(sorted(held.items(), key=lambda pair: (pair[0].type, pair[0].value)))


def _as_json(
    seen: Observed, asked: Asked, skipped: Mapping[str, int], told: Sequence[Told]
) -> dict[str, Any]:
    """The public JSON of a lookup among members."""
    held = _by_value(told)
    return {
        "asked": len(asked.indicators),
        "lines": seen.lines,
        "skipped": dict(sorted(skipped.items())),
        "members": [_member(one) for one in told],
        "hits": [{"type": str(one.type), "value": one.value, "members": who} for one, who in held.items()],
        "nobody": len(asked.indicators) - len(held),
    }


def _member(told: Told) -> dict[str, Any]:
    if told.status != "answered":
        return {"member": told.member, "status": told.status, "code": told.code, "message": told.why}
    return {
        "member": told.member, "status": told.status, "session": told.session, "asked_padded": told.padded,
        "held": len(told.held), "seconds": round(told.seconds, 4), "settled": told.settled,
    }  # fmt: skip


def _show(seen: Observed, asked: Asked, skipped: Mapping[str, int], told: Sequence[Told]) -> None:
    """Print a lookup for people: who holds what, then who did not answer and why, then what was left out."""
    held = _by_value(told)
    answered = [one for one in told if one.status == "answered"]
    listed = table("", "value", "type", "held by")
    for hit, who in list(held.items())[:SHOWN]:
        listed.add_row(defang(hit.value), str(hit.type), ", ".join(who))
    if held:
        stdout.print(listed)
    if len(held) > SHOWN:
        say((f"and {len(held) - SHOWN:,} more: --json prints all", "dim"))
    if answered:
        nobody = len(asked.indicators) - len(held)
        say((f"{len(held):,} held by somebody", "bold"), f", {nobody:,} by nobody of those who answered")
    for one in told:
        if one.status != "answered":
            say((one.member, "bold"), (f" {one.status}", "yellow"), f" ({one.code})  {one.why}", on=stderr)
    for one in answered:
        receipt = "receipt signed" if one.settled else "receipt still due"
        learned = f"learned that we asked about {one.padded:,} values at most"
        say(
            (f"{one.member} {learned}; {one.seconds:.2f} s, session {one.session[:16]}, {receipt}", "dim"),
            on=stderr,
        )
    of = f" in {seen.lines:,} lines" if seen.lines else ""
    say((f"{len(asked.indicators):,} values{of} to ask about", "dim"), on=stderr)
    if skipped:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(skipped.items()))
        say((f"not asked about: {reasons}", "dim"), on=stderr)


def _member_address(text: str) -> tuple[str, str]:
    member, found, address = text.partition("=")
    if not found or not is_address(address):
        raise typer.BadParameter("write MEMBER=HOST:PORT", param_hint="--address")
    return member, address


def _own(values: Sequence[str], home: Path, as_json: bool) -> None:
    """What our own sources say."""
    found: list[dict[str, Any]] = []
    store = open_store(open_home(home))
    try:
        for text in values:
            try:
                one = recognise(text)
            except Refused as refused:
                found.append({"value": text, "type": None, "reason": refused.reason, "sources": []})
            else:
                told = [_told(held) for held in store.held([one])[0]]
                found.append({"value": one.value, "type": str(one.type), "reason": None, "sources": told})
    finally:
        store.close()
    emit(as_json, {"values": found}, lambda: _show_own(found))


def _show_own(found: Sequence[dict[str, Any]]) -> None:
    for one in found:
        if one["reason"]:
            say((one["value"], "bold"), "  no indicator: ", one["reason"])
            continue
        say((one["value"], "bold"), f"  {one['type']}", "" if one["sources"] else ": we do not hold it")
        for told in one["sources"]:
            own = ", our own sighting" if told["own"] else ""
            since = f"TLP:{told['tlp']}, first imported {told['first_imported']}{own}"
            say(f"  {told['source']} {told['feed']}: {since}")
            for key, value in told["context"].items():
                say((f"    {key:<11} ", "dim"), ", ".join(value) if isinstance(value, list) else str(value))


def _told(held: Held) -> dict[str, Any]:
    return {
        "source": held.source, "feed": held.feed, "own": held.own, "tlp": str(held.tlp),
        "first_imported": held.first_imported.isoformat(timespec="seconds"),
        "last_imported": held.last_imported.isoformat(timespec="seconds"),
        "context": held.context.to_json(),
    }  # fmt: skip
