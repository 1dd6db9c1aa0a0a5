"""``serve`` and ``match``: the two ends of a session."""

import asyncio
import signal
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from crypto.psi import DISCOVERED, PROTOCOLS, Output
from exchange.agreement import Rung
from exchange.cli import SHARE, app
from exchange.cli.home import check_purpose, open_home
from exchange.cli.output import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    emit,
    error_json,
    say,
    size,
    stderr,
    waiting,
)
from exchange.cli.planned import as_plan, as_planned, show_planned, why
from exchange.cli.results import as_found, in_words, show_matches, writer
from exchange.clock import utc_now
from exchange.disclosure import Outcome, Wish, fits
from exchange.disclosure.desk import Delta
from exchange.errors import ConfigError, CosightError
from exchange.export import MatchResult
from exchange.indicators import IndicatorType
from exchange.local.lines import Lines
from exchange.node import Node
from exchange.planning import AUTO
from exchange.policy import EVERYTHING, Condition
from exchange.together.closing import close

TYPES = ", ".join(IndicatorType)


class Both(StrEnum):
    """How the peer learns the result too."""

    PROOF = "proof"
    STRICT = "strict"


class Over(StrEnum):
    """What a sum adds up."""

    SIGHTINGS = "sightings"
    CONFIDENCE = "confidence"


@app.command(rich_help_panel=SHARE)
def serve(
    listen: Annotated[str | None, typer.Option(help="HOST:PORT; the configuration's if left out.")] = None,
    lines: Annotated[
        Path | None, typer.Option(hidden=True, help="Lines of this file in place of the store; for psi.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Answer the other members, until interrupted."""
    items = None if lines is None else Lines.read(lines)

    async def run() -> None:
        with Node(open_home(home), items=items) as node:
            close(node)
            stop = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            port = await node.serve(listen)
            host = (listen or node.home.settings.listen).rpartition(":")[0]
            result = {
                "member": node.home.member,
                "alliance": node.alliance.alliance,
                "address": f"{host}:{port}",
                "items": node.desk.items.size(list(IndicatorType), now=utc_now(), admission=EVERYTHING),
            }
            line = f" of {node.alliance.alliance} answers at {host}:{port}; Ctrl-C stops it"
            emit(as_json, result, lambda: say((node.home.member, "bold"), line))
            await stop.wait()
            await node.stop()

    asyncio.run(run())


@app.command(rich_help_panel=SHARE)
def match(
    peer: Annotated[str, typer.Argument(help="The other member's id.")],
    reveal: Annotated[
        Rung,
        typer.Option(metavar="LEVEL", help="How much we want to learn: " + ", ".join(Rung) + "."),
    ] = Rung.OVERLAP,
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option(
            "--type", metavar="TYPE", help=f"Only this type; may be repeated: {TYPES}. Default: all we hold."
        ),
    ] = None,
    protocol: Annotated[str, typer.Option(help="auto, or one of: " + ", ".join(DISCOVERED))] = AUTO,
    both: Annotated[
        Both | None,
        typer.Option(
            "--both",
            help="The peer learns it too: by proofs of match; or strict: in a run of its own.",
        ),
    ] = None,
    over: Annotated[Over, typer.Option(help="What a sum adds up.")] = Over.SIGHTINGS,
    condition: Annotated[
        str | None,
        typer.Option(
            "--if", metavar="CONDITION", help='Ask the rung below first: go on if "cardinality >= 20".'
        ),
    ] = None,
    purpose: Annotated[str, typer.Option(help="Why; the peer's policy may ask for it.")] = "",
    plan: Annotated[
        bool, typer.Option("--plan", help="Only predict what it would cost: the peer is greeted, no more.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(help="The peer's HOST:PORT, if the roster's is not right.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write every match here: .stix.json, .misp.json and .csv as export, .json as --json does, "
            "else type, tab, value.",
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Match our indicators against a peer's, privately."""
    output = Output.BOTH if both is Both.PROOF else Output.RECEIVER
    _check_words(reveal, protocol, output, purpose)
    if both is not None:
        _check_both(both, reveal, condition)
    asked = None if condition is None else condition_below(condition, reveal)
    if plan:
        _check_plan(reveal, both, condition, out)
    opened = open_home(home)
    write = None if out is None else writer(opened, out, reveal, as_json)
    with Node(opened) as node:
        wish = Wish(
            rung=reveal,
            types=_chosen(node, types),
            protocol=protocol,
            output=output,
            purpose=purpose,
            over=str(over),
        )
        if plan:
            with waiting(f"planning a match with {peer}", as_json):
                planned = asyncio.run(node.plan(peer, wish, address=address))
            emit(as_json, as_planned(peer, wish, planned), lambda: show_planned(peer, planned))
            return
        with waiting(f"matching with {peer}", as_json):
            run = _run(node, peer, wish, asked, strict=both is Both.STRICT, address=address)
            outcome, lower, turned = asyncio.run(run)
    if write is not None and outcome is not lower:
        told = MatchResult.of(outcome.session, outcome.peer, outcome.matches, outcome.found.contexts)
        write(told, as_result(outcome))
    more = {} if asked is None or lower is None else as_climb(asked, lower, held=outcome is not lower)
    if turned is not None:
        more = {"turned": _as_turned(turned)}

    def show() -> None:
        show_climb(outcome, lower, asked)
        if isinstance(turned, CosightError):
            say(("the second run failed", "bold red"), f": {turned}", on=stderr)
        elif turned is not None:
            again = f"in a second run {peer} learned the same of us: session {turned.session[:16]}"
            say((again, "dim"), on=stderr)

    emit(as_json, as_result(outcome) | more, show)
    if isinstance(turned, CosightError):
        raise typer.Exit(1)


def _as_turned(turned: Outcome | CosightError) -> dict[str, Any]:
    """What the public JSON says of the second of two runs."""
    if isinstance(turned, CosightError):
        return {"session": None, "settled": False, "error": error_json(turned)}
    return {"session": turned.session, "settled": turned.settled}


async def _run(
    node: Node, peer: str, wish: Wish, asked: Condition | None, *, strict: bool, address: str | None
) -> tuple[Outcome, Outcome | None, Outcome | CosightError | None]:
    """The session that is asked for, the one below it, and the one the other way."""
    if strict:
        outcome, turned = await node.match_both_ways(peer, wish, address=address)
        return outcome, None, turned
    if asked is None:
        return await node.match(peer, wish, address=address), None, None
    lower, higher = await node.climb(peer, wish, asked, address=address)
    return higher or lower, lower, None


def _check_words(reveal: Rung, protocol: str, output: Output, purpose: str) -> None:
    if protocol not in {AUTO, *DISCOVERED}:
        raise typer.BadParameter(f"there is no protocol {protocol!r}", param_hint="--protocol")
    if protocol != AUTO and not fits(DISCOVERED[protocol], reveal, output):
        fault = f"{protocol} does not reveal {reveal}"
        if fits(DISCOVERED[protocol], reveal, Output.BOTH):
            fault = f"with {protocol} the peer learns what is shared too: add --both"
        elif fits(DISCOVERED[protocol], reveal, Output.RECEIVER):
            fault = f"{protocol} tells the result to who dials alone"
        raise typer.BadParameter(fault, param_hint="--protocol")
    check_purpose(purpose)


def _check_both(both: Both, reveal: Rung, condition: str | None) -> None:
    fault = ""
    if both is Both.PROOF and reveal not in {Rung.SIZE, Rung.OVERLAP, Rung.CONTEXT}:
        fault = f"there are no proofs of a {reveal}: use --both strict"
    elif both is Both.STRICT and reveal is Rung.CONTEXT:
        fault = "contexts go to who dials: the peer has to dial too"
    elif both is Both.STRICT and condition is not None:
        fault = "not together with --if"
    if fault:
        raise typer.BadParameter(fault, param_hint="--both")


def _check_plan(reveal: Rung, both: Both | None, condition: str | None, out: Path | None) -> None:
    fault = ""
    if reveal is Rung.SIZE:
        fault = "a size takes no run: a greeting and a proposal are all"
    elif both is Both.STRICT or condition is not None:
        fault = "one session at a time: without --both strict and --if"
    elif out is not None:
        fault = "nothing is matched: there is nothing to write with --out"
    if fault:
        raise typer.BadParameter(fault, param_hint="--plan")


@app.command(rich_help_panel=SHARE)
def warm(
    peer: Annotated[str, typer.Argument(help="The other member's id.")],
    items: Annotated[
        int, typer.Option("--size", min=1, help="For a match of up to so many of our indicators.")
    ],
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option("--type", metavar="TYPE", help="As for match: what the policy is asked about."),
    ] = None,
    protocol: Annotated[str, typer.Option(help="One that can do a part ahead.")] = "vole",
    address: Annotated[
        str | None, typer.Option(help="The peer's HOST:PORT, if the roster's is not right.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Do with a peer now what the next match with it can do ahead: it will take half the time."""
    if protocol not in PROTOCOLS:
        raise typer.BadParameter(f"there is no protocol {protocol!r}", param_hint="--protocol")
    with Node(open_home(home)) as node:
        asked = set(types or held_types(node) or IndicatorType)
        wish = Wish(rung=Rung.SIZE, types=tuple(sorted(asked)), protocol=protocol)
        with waiting(f"preparing a match with {peer}", as_json):
            made = asyncio.run(node.warm(peer, wish, items, address=address))
    result = {
        "session": made.session,
        "peer": made.peer,
        "protocol": made.protocol,
        "size_padded": made.padded,
        "elements": made.elements,
        "seconds": {"total": round(made.total_s, 4), "crypto": round(made.crypto_s, 4)},
        "bytes": {"sent": made.sent, "received": made.received},
    }

    def show() -> None:
        say(("ready", "bold"), f" for one match of up to {made.padded:,} of our indicators with {made.peer}")
        traffic = f"{size(made.sent)} sent, {size(made.received)} received"
        say((f"{made.total_s:.2f} s, {traffic}; {made.peer} learned that size class", "dim"), on=stderr)

    emit(as_json, result, show)


def _chosen(node: Node, types: list[IndicatorType] | None) -> tuple[IndicatorType, ...]:
    """The types that are asked for, or all that we hold."""
    chosen = tuple(sorted(set(types or held_types(node))))
    if not chosen:
        raise ConfigError("we hold no indicators", code="empty-store", hint="run: cosight import FILE...")
    return chosen


def held_types(node: Node) -> list[IndicatorType]:
    """The types that we hold anything of."""
    return node.desk.items.types(now=utc_now())


def condition_below(text: str, rung: Rung) -> Condition:
    """The condition of ``--if``: on a rung below the one that is wanted.

    Raises:
        typer.BadParameter: it is anything else.
    """
    try:
        found = Condition.parse(text)
    except ValueError as e:
        raise typer.BadParameter(str(e), param_hint="--if") from None
    if found.rung.level >= rung.level:
        raise typer.BadParameter(f"{found.rung} is not below {rung}", param_hint="--if")
    return found


def as_climb(condition: Condition, lower: Outcome, *, held: bool) -> dict[str, Any]:
    """What the public JSON of a match says besides, where it climbed the ladder."""
    below = {"session": lower.session, "reveal": str(lower.rung), "settled": lower.settled}
    return {"condition": {"text": str(condition), "held": held}, "below": below}


def show_climb(outcome: Outcome, lower: Outcome | None, condition: Condition | None) -> None:
    """Print a match for people, and whether it came as far as it was to."""
    show_outcome(outcome)
    if lower is not None:
        verdict = "does not hold: went no further" if outcome is lower else "held: went on"
        say((f"{condition} {verdict}", "dim"), on=stderr)


def as_result(o: Outcome) -> dict[str, Any]:
    """The public JSON of a match."""
    return {
        "session": o.session,
        "peer": o.peer,
        "reveal": str(o.rung),
        "output": str(o.output),
        "protocol": o.protocol,
        "ahead": o.ahead,
        "delta": None if o.delta is None else asdict(o.delta),
        "plan": None if o.plan is None else as_plan(o.plan),
        "types": [str(t) for t in o.types],
        "sizes": {"ours": o.ours, "ours_padded": o.ours_padded, "peer_padded": o.peer_padded},
        "result": as_found(o.found, o.matches, o.over),
        "seconds": {
            "total": round(o.total_s, 4),
            "crypto": round(o.crypto_s, 4),
            "offline": round(o.offline_s, 4),
        },
        "bytes": {"sent": o.sent, "received": o.received},
        "settled": o.settled,
        "alarms": (["canary"] if o.canaries else []) + list(o.alarms),
    }


def show_outcome(o: Outcome) -> None:
    """Print a match for people: the result first, then what it cost and what each side learned."""
    sizes = f": {o.ours:,} of ours (shown as {o.ours_padded:,}) against a set of size class {o.peer_padded:,}"
    if o.matches is not None:
        say((f"{len(o.matches):,} shared with {o.peer}", "bold"), sizes)
        show_matches(o.types, o.matches, o.found.contexts)
    elif (words := in_words(o.found, o.over)) is not None:
        say(
            (f"{words[0]} with {o.peer}" if "," not in words[0] else f"{o.peer}: {words[0]}", "bold"),
            f", {words[1]}{sizes}",
        )
    else:
        say((o.peer, "bold"), sizes)
    both = o.output is Output.BOTH and o.matches is not None
    learned = "and which of its items we share" if both else "and nothing of what we hold"
    traffic = f"{size(o.sent)} sent, {size(o.received)} received"
    protocol = "" if o.protocol is None else f" protocol {o.protocol},"
    chosen = [] if o.plan is None or len(o.plan.costs) == 1 else [why(o.plan)]
    offline = ", the offline part done before" if o.ahead else f", {o.offline_s:.2f} s offline"
    spent = f"{o.crypto_s:.2f} s computing{offline if o.offline_s else ''}"
    for line in (
        *chosen,
        f"{o.total_s:.2f} s ({spent}), {traffic},{protocol} session {o.session[:16]}",
        *([] if o.delta is None else [_since(o.delta)]),
        f"{o.peer} learned our size class, {learned}",
        "both sides signed the receipt"
        if o.settled
        else f"{o.peer} still owes the receipt: asked for next time",
    ):
        say((line, "dim"), on=stderr)
    if o.canaries:
        planted = f"values that we planted for {o.peer} matched: no honest feed holds them"
        say(("alarm", "bold red"), f"  {o.canaries} {planted}", on=stderr)
    if o.alarms:
        counted = f"what {o.peer} shares with us looks counted, not observed: {', '.join(o.alarms)}"
        say(("alarm", "bold red"), f"  {counted}", on=stderr)
    if o.canaries or o.alarms:
        say("see: cosight ledger show; cosight policy explain " + o.peer, on=stderr)


def _since(delta: Delta) -> str:
    """How much was new, in one line."""
    return (
        f"only what is new since session {delta.base[:16]}: "
        f"at most {delta.new_ours:,} of ours and {delta.new_peer:,} of the peer's"
    )
