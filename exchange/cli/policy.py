"""``policy``: what the file allows, why a request is refused, what another file would change."""

from pathlib import Path
from typing import Annotated, Any

import typer

from crypto.psi import DISCOVERED, Output
from exchange.agreement import OVER, Rung, size_class
from exchange.cli import ACCOUNT, app
from exchange.cli.explained import emit_explained
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say
from exchange.cli.policies import find_home, history_of, home_if_any, role_of, types_or_all
from exchange.clock import utc_now
from exchange.indicators import PROFILE, IndicatorType
from exchange.planning import DEFAULTS
from exchange.policy import (
    Difference,
    Policy,
    Request,
    Sentence,
    Sweep,
    decide,
    diff,
    doubts,
    explain,
    limits,
    sweep,
    warnings,
    with_all,
)
from exchange.policy.request import noise_milli
from exchange.policy.rules import Explained
from exchange.policy.sweep import IPV4, SLASH_16, YEAR_DAYS
from exchange.store.policies import home_policy, read_policy

policy_app = typer.Typer(help="What may be disclosed, to whom.", no_args_is_help=True)
app.add_typer(policy_app, name="policy", rich_help_panel=ACCOUNT)

PeerArgument = Annotated[str, typer.Argument(help="The other member's id.")]
RevealOption = Annotated[Rung, typer.Option(metavar="LEVEL", help="What the receiver would learn.")]
TypesOption = Annotated[
    list[IndicatorType] | None,
    typer.Option("--type", metavar="TYPE", help="May be repeated. Default: all that the terms allow."),
]
PurposeOption = Annotated[str, typer.Option(help="Why, as the session would state it.")]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="Another file than the home's; .json for a FIRST IEP.")
]


@policy_app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A policy; the home's if left out.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Read a policy strictly, and say in words what it allows and what deserves a second look."""
    path, policy = home_policy(find_home(home)) if file is None else (file, read_policy(file))
    now = utc_now()
    seen_twice = [*warnings(policy, now), *doubts(policy, now)]
    sentences, alliance = limits(policy), with_all(policy)
    result = {
        "file": str(path),
        "revision": policy.revision,
        "hash": policy.hash.hex(),
        "validity": policy.validity.content(),
        "iep": None if policy.iep is None else policy.iep.id,
        "peers": {name: _peer(name, policy, sentences) for name in sorted(policy.peers)},
        "alliance": {s.about: [o.text for o in alliance if o.about == s.about] for s in alliance},
        "warnings": [{"peer": s.peer, "about": s.about, "text": s.text} for s in seen_twice],
    }

    def show() -> None:
        say((str(path), "bold"), f": revision {policy.revision}, hash {policy.hash.hex()[:16]}")
        say(f"in force {policy.validity}" if str(policy.validity) else "in force without an end")
        if not policy.peers and not alliance:
            say("it allows nothing: there are no terms")
        for about, title in (("aggregate", "counting together"), ("discover", "finding together")):
            told = [s.text for s in alliance if s.about == about]
            if told:
                say((title, "bold"))
            for text in told:
                say(f"  {text}")
        for name in sorted(policy.peers):
            say((name, "bold"))
            for sentence in sentences:
                if sentence.peer == name:
                    say(f"  {sentence.text}")
        for doubt in seen_twice:
            say(("look", "yellow"), f"  {doubt.text}")

    emit(as_json, result, show)


def _peer(name: str, policy: Policy, sentences: list[Sentence]) -> dict[str, Any]:
    found = sweep(policy.peers[name])
    said = {s.about: s.text for s in sentences if s.peer == name}
    return {"says": said, "sweep": None if found is None else _sweep(found)}


def _sweep(found: Sweep) -> dict[str, Any]:
    whole = found.days(IPV4)
    return {
        "values_per_day": found.per_day,
        "values_per_year": found.per_year,
        "ipv4_days": whole,
        "ipv4_years": None if whole is None else round(whole / YEAR_DAYS, 1),
        "slash16_days": found.days(SLASH_16),
    }


@policy_app.command("explain")
def explain_(
    peer: PeerArgument,
    reveal: RevealOption = Rung.OVERLAP,
    types: TypesOption = None,
    answering: Annotated[bool, typer.Option("--answering", help="The peer dials, and learns.")] = False,
    both: Annotated[bool, typer.Option("--both", help="The other side learns the result too.")] = False,
    protocol: Annotated[
        str | None, typer.Option(help=", ".join(DISCOVERED), show_default="the first for the level")
    ] = None,
    over: Annotated[str, typer.Option(help="What a sum adds up: " + ", ".join(OVER) + ".")] = OVER[0],
    our_size: Annotated[int | None, typer.Option(min=0, help="How many items we would put in.")] = None,
    peer_size: Annotated[
        int | None, typer.Option(min=0, help="How many the peer would; counts as its size class.")
    ] = None,
    purpose: PurposeOption = "",
    role: Annotated[
        str | None, typer.Option(help="The peer's role in the roster; member where there is none.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Canonical profile of the indicators.")] = PROFILE,
    ahead_hours: Annotated[
        float | None, typer.Option(min=0, help="How old what was made ahead would be.")
    ] = None,
    attributed: Annotated[
        bool | None, typer.Option("--attributed/--anonymous", help="Whether an export would name the peer.")
    ] = None,
    uncommitted: Annotated[
        bool, typer.Option("--uncommitted", help="The peer is not committed to its set.")
    ] = False,
    growth: Annotated[
        float | None, typer.Option(help="By which part of itself the peer's set grew in a day.")
    ] = None,
    file: PolicyOption = None,
    brief: Annotated[bool, typer.Option("--brief", help="The decision alone, without all rules.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Say which rule decides on a session, why, and what every other rule says. Nobody is asked.

    Of runs with the whole alliance the same is said by aggregate open, aggregate join and discover, each with
    --explain.
    """
    opened = find_home(home) if file is None else home_if_any(home)
    policy = home_policy(find_home(home))[1] if file is None else read_policy(file)
    now = utc_now()
    request = Request(
        peer=peer,
        direction="responder" if answering else "initiator",
        rung=reveal,
        types=types_or_all(types, policy, peer),
        protocol=protocol or DEFAULTS[reveal],
        over=over if reveal is Rung.SUM else "",
        epsilon_milli=noise_milli(policy, peer, protocol or DEFAULTS[reveal]) if answering else 0,
        output=Output.BOTH if both else Output.RECEIVER,
        our_size=our_size,
        peer_size_padded=None if peer_size is None else size_class(peer_size),
        purpose=purpose,
        role=role or role_of(opened, peer),
        profile=profile,
        ahead_age_s=None if ahead_hours is None else ahead_hours * 3600,
        attributed=attributed,
        peer_commitment=False if uncommitted else None,
        peer_growth=growth,
    )
    history = history_of(opened, peer, now)
    found = Explained(decide(policy, request, history, now), explain(policy, request, history, now))
    emit_explained(as_json, found, brief=brief)


@policy_app.command("diff")
def diff_(
    old: Annotated[Path, typer.Argument(help="The policy as it was.")],
    new: Annotated[Path, typer.Argument(help="The policy as it will be.")],
    as_json: JsonOption = False,
) -> None:
    """Say in words what becomes allowed, and what is no longer allowed."""
    found: Difference = diff(read_policy(old), read_policy(new))
    result = {"allowed": found.allowed, "forbidden": found.forbidden, "changed": found.changed}

    def show() -> None:
        for title, style, sentences in (
            ("allowed now", "yellow", found.allowed),
            ("no longer allowed", "green", found.forbidden),
            ("changed", "dim", found.changed),
        ):
            if sentences:
                say((title, style))
            for sentence in sentences:
                say(f"  {sentence}")
        if not found:
            say("they mean the same")

    emit(as_json, result, show)
