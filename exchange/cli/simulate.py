"""``policy simulate``: what a session would put at stake, before any byte leaves."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from crypto.psi import DISCOVERED, Output
from exchange.agreement import OVER, Rung, size_class
from exchange.cli.home import open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, stdout, table, waiting
from exchange.cli.policies import types_or_all
from exchange.cli.policy import (
    PeerArgument,
    PolicyOption,
    PurposeOption,
    RevealOption,
    policy_app,
)
from exchange.disclosure import Simulation, Wish, simulate
from exchange.disclosure.simulation import Budget
from exchange.indicators import IndicatorType, Tlp
from exchange.node import Node
from exchange.planning import DEFAULTS
from exchange.policy import Request, Terms
from exchange.policy.request import BANDED, NOISY
from exchange.store.policies import home_policy, read_policy

_FROM = {
    "told": "as given with --peer-size",
    "last-session": "as in the last session with it",
    "policy-maximum": "the most that our policy allows: we have not met it yet",
    "unknown": "not known",
}
_WHY = {
    "p15-warning-list": "on a warning list",
    "p4-tlp": "marked more closed than the peer may have",
    "p5-pap": "may not be used so openly (PAP)",
    "p18-provenance": "not our own sighting",
    "p14-embargo": "under embargo",
    "expired": "expired",
    "p13-age": "too old for this peer",
    "p11-per-value": "has entered as many sessions with the peer as it may",
}


@policy_app.command("simulate")
def simulate_(
    peer: PeerArgument,
    reveal: RevealOption = Rung.OVERLAP,
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="May be repeated. Default: what we hold, as match; answering: all allowed.",
        ),
    ] = None,
    answering: Annotated[bool, typer.Option("--answering", help="The peer dials, and learns.")] = False,
    both: Annotated[bool, typer.Option("--both", help="The other side learns the result too.")] = False,
    protocol: Annotated[
        str | None, typer.Option(help=", ".join(DISCOVERED), show_default="the first for the level")
    ] = None,
    over: Annotated[str, typer.Option(help="What a sum adds up: " + ", ".join(OVER) + ".")] = OVER[0],
    peer_size: Annotated[
        int | None,
        typer.Option(min=0, help="How many items the peer would put in; counts as its size class."),
    ] = None,
    purpose: PurposeOption = "",
    file: PolicyOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Compute on our own data what a session would put at stake. Nothing leaves, nothing is written."""
    opened = open_home(home)
    policy = read_policy(file) if file is not None else home_policy(opened)[1]
    with Node(opened) as node:
        desk = replace(node.desk, policy=lambda: policy)
        held = () if types or answering else desk.items.types(now=desk.clock())
        asked = tuple(sorted(held)) or types_or_all(types, policy, peer)
        output = Output.BOTH if both else Output.RECEIVER
        wish = Wish(
            rung=reveal, types=asked, protocol=protocol or DEFAULTS[reveal], output=output,
            purpose=purpose, over=over,
        )  # fmt: skip
        padded = None if peer_size is None else size_class(peer_size)
        with waiting("counting what would enter", as_json):
            found = simulate(desk, peer, wish, answering=answering, peer_padded=padded)
    terms = (policy.terms(peer) or ("", Terms()))[1]
    emit(as_json, as_result(found), lambda: _show(found, terms))
    if not found.decision.allowed:
        raise typer.Exit(1)


def as_result(s: Simulation) -> dict[str, Any]:
    """The public JSON of a simulation."""
    r = s.request
    return {
        "peer": r.peer,
        "direction": r.direction,
        "reveal": str(r.rung),
        "output": str(r.output),
        "protocol": r.protocol,
        "types": [str(t) for t in r.types],
        "entered": {str(t): n for t, n in s.offer.entered.items()},
        "by_marking": {str(t): {str(m): n for m, n in marked.items()} for t, marked in s.marked.items()},
        "withheld": {rule: {str(t): n for t, n in held.items()} for rule, held in s.offer.withheld.items()},
        "canaries": s.canaries,
        "ours_padded": s.ours_padded,
        "peer_padded": r.peer_size_padded,
        "peer_padded_from": s.peer_from,
        "at_stake": s.at_stake,
        "budgets": [
            {"rule": b.rule, "before": b.before, "after": b.after, "most": b.most} for b in s.budgets
        ],
        "allowed": s.decision.allowed,
        "rule": s.decision.rule,
        "explanation": s.decision.explanation,
    }


def _show(s: Simulation, terms: Terms) -> None:
    r = s.request
    verdict = ("allowed", "bold green") if s.decision.allowed else ("refused", "bold red")
    act = f"{r.peer} dials us" if r.direction == "responder" else f"we dial {r.peer}"
    say(verdict, f": {act}, up to {r.rung}, with {r.protocol}")
    if not s.decision.allowed:
        say(s.decision.explanation)
    say("")
    _show_sets(s)
    say("")
    say(("What the peer could learn of ours", "bold"))
    for line in _learns(s, terms):
        say(f"  {line}")
    say("")
    say(("Budgets", "bold"))
    for b in s.budgets:
        say(f"  {b.rule:<22} {_budget(b)}")


def _show_sets(s: Simulation) -> None:
    """What would enter by type and marking, and what would not."""
    markings = [m for m in Tlp if any(m in marked for marked in s.marked.values())]
    shown = table("What would enter", "type", *markings, "in all", numbers=(*markings, "in all"))
    for kind, count in s.offer.entered.items():
        by_marking = (s.marked.get(kind, {}).get(m, 0) for m in markings)
        shown.add_row(str(kind), *(f"{n:,}" if n else "" for n in by_marking), f"{count:,}")
    stdout.print(shown)
    extra = f", {s.canaries} of them planted for this peer" if s.canaries else ""
    total = s.offer.size + s.canaries
    say(f"{total:,} in all{extra}; the peer sees the size class {s.ours_padded:,}")
    if s.offer.withheld:
        say("")
        kept = table("What would be held back", "rule", "because it is", "type", "items", numbers=("items",))
        for rule, held in s.offer.withheld.items():
            for kind, count in held.items():
                kept.add_row(rule, _WHY[rule], str(kind), f"{count:,}")
        stdout.print(kept)


def _learns(s: Simulation, terms: Terms) -> list[str]:
    r = s.request
    size = (
        "its size is not known" if r.peer_size_padded is None else f"its size class is {r.peer_size_padded:,}"
    )
    lines = [f"the size class {s.ours_padded:,}, the types, the purpose"]
    if not r.answers:
        return [*lines, "nothing about any single item"]
    most = "any number" if s.at_stake is None else f"at most {s.at_stake:,}"
    whole = r.our_size or 0
    part = f", {s.at_stake / whole:.1%} of what enters" if s.at_stake and whole else ""
    which = f"which of its own items we hold: {most}{part} ({size}, {_FROM[s.peer_from]})"
    told = _told(r, terms)
    if told:
        return [*lines, f"as agreed, {told}", f"with altered software, {which}"]
    return [*lines, which, *_said(r, terms)]


def _told(r: Request, terms: Terms) -> str:
    """What a rung tells that tells less than which items are shared."""
    if r.rung is Rung.ESTIMATE:
        return "how similar the two sets are, within bounds"
    if r.protocol == BANDED:
        return f"how many items we share, in bands from {', '.join(f'{n:,}' for n in terms.bands)}"
    if r.protocol == NOISY:
        return f"how many items we share, with noise of epsilon {r.epsilon_milli / 1000:g}"
    if r.rung is Rung.CARDINALITY:
        return "how many items we share"
    return f"how many items we share, and the sum of our {r.over} on them" if r.rung is Rung.SUM else ""


def _said(r: Request, terms: Terms) -> list[str]:
    """What of a context goes with what is shared."""
    if r.rung is not Rung.CONTEXT or terms.context is None or not r.sends:
        return []
    fields = ", ".join(sorted(terms.context.fields))
    return [f"of each of these what we say of it: {fields}; filled up to {terms.context.bytes:,} bytes"]


def _budget(b: Budget) -> str:
    most = "no limit is stated" if b.most is None else f"{b.most:,.10g} allowed"
    return f"{b.before:,.10g} used, {b.after:,.10g} after this at the worst; {most}"
