"""``aggregate``: the alliance counts together, and nobody learns who."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from crypto.secagg.base import Step
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import MAX_AGE_DAYS, MAX_STEP_S, MEMBERS, Measure, Opening, Visibility
from exchange.aggregation.release import released_from
from exchange.cli import SHARE, app
from exchange.cli.aggregate_choice import chosen, nothing_to_run
from exchange.cli.aggregate_view import (
    BEGINNING,
    Form,
    as_asked,
    as_opening,
    as_outcome,
    as_progress,
    exported,
    show_all,
    show_joined,
    show_list,
    show_many,
    show_opening,
    show_outcome,
    state,
    told_of,
)
from exchange.cli.explained import ExplainOption, emit_explained
from exchange.cli.export import MARKINGS, marking
from exchange.cli.home import check_purpose, open_home
from exchange.cli.output import (
    DEFAULT_HOME,
    Begin,
    HomeOption,
    JsonOption,
    emit,
    error_json,
    print_json,
    say,
    stderr,
    stdout,
    steps,
)
from exchange.clock import utc_now
from exchange.errors import CosightError
from exchange.indicators import Indicator
from exchange.indicators.readers import read
from exchange.ledger import timestamp
from exchange.node import Node
from exchange.policy.rules import Explained
from exchange.together import convening
from exchange.together.convened import convened, withdraw
from exchange.together.joining import Joining
from exchange.together.outcome import Outcome
from exchange.together.outcome import result as outcome_of

aggregate_app = typer.Typer(help="Count together; nobody learns who saw what.", no_args_is_help=True)
app.add_typer(aggregate_app, name="aggregate", rich_help_panel=SHARE)

Session = Annotated[str, typer.Argument(help="The aggregation's name, or how it begins.", show_default=False)]
Address = Annotated[
    str | None, typer.Option(help="The coordinator's HOST:PORT, if the roster's is not right.")
]


@aggregate_app.command("open")
def open_(
    window: Annotated[str, typer.Option(metavar="FIRST..LAST", help="Days, such as 2026-02-01..2026-02-28.")],
    purpose: Annotated[str, typer.Option(help="Why; every member's policy asks for it.")],
    dictionary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The indicators to count, in any form of import.")
    ] = None,
    measure: Annotated[Measure, typer.Option(help="What is counted.")] = Measure.COUNT,
    members: Annotated[
        str, typer.Option(metavar="A,B,...", help="Who is asked. Default: everybody on the roster.")
    ] = "",
    minimum: Annotated[
        int | None,
        typer.Option(
            min=MEMBERS[0],
            max=MEMBERS[1],
            help="Least members whose sum is opened. Default: two thirds and one.",
        ),
    ] = None,
    reporters: Annotated[
        int, typer.Option(min=2, max=MEMBERS[1], help="Least reporters behind a number that is released.")
    ] = 3,
    deadline: Annotated[
        int, typer.Option(min=1, max=MAX_STEP_S, help="How long each step waits, in seconds.")
    ] = 600,
    max_age: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_AGE_DAYS, help="Seen in so many last days of the window, if that is less."
        ),
    ] = None,
    epsilon: Annotated[
        float, typer.Option(min=0, help="Add noise, of this privacy loss for each number; 0: exact.")
    ] = 0,
    visibility: Annotated[Visibility, typer.Option(help="Who sees the numbers.")] = Visibility.EVERYONE,
    base: Annotated[
        str, typer.Option(metavar="SESSION", help="The count that a sum goes on from, instead of FILE.")
    ] = "",
    explain: ExplainOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Ask the alliance to count together. `cosight serve` of this home coordinates it."""
    check_purpose(purpose)
    if (dictionary is None) == (measure is Measure.COUNT) or bool(base) == (measure is Measure.COUNT):
        raise typer.BadParameter("a count takes --dictionary, a sum takes --base")
    epsilon_milli = round(1000 * epsilon)
    if epsilon and (not epsilon_milli or measure is not Measure.COUNT):
        fault = "a sum is exact: it takes no noise" if epsilon_milli else "it is 0, or 0.001 at the least"
        raise typer.BadParameter(fault, param_hint="--epsilon")
    plan = convening.Plan(
        dictionary=None if dictionary is None else _dictionary(dictionary),
        measure=measure,
        window=_window(window),
        purpose=purpose,
        members=[name for name in members.split(",") if name],
        minimum=minimum,
        reporters=reporters,
        step_s=deadline,
        max_age_days=max_age,
        epsilon_milli=epsilon_milli,
        visibility=visibility,
        base=base,
    )
    with Node(open_home(home)) as node:
        if explain:
            emit_explained(as_json, convening.explain(node, plan))
            return
        opening = convening.convene(node, plan)
    least = released_from(opening)
    told = as_opening(opening) | {
        "abandons": [context.hex() for context in opening.abandons],
        "released_from": least,
    }

    def show() -> None:
        show_opening(opening, on=stdout)
        if opening.epsilon_milli:
            n = len(opening.members)
            often = f"is released more often than not if {least} members saw it"
            rarely = f"; there are {n}: mostly nothing will be released" if least > n else f", of {n}"
            say(("look", "yellow"), f"  with this noise, an entry {often}{rarely}", on=stderr)
        say("this node has to answer meanwhile: cosight serve")
        say("members join it with:")
        say((f"  cosight aggregate join {opening.coordinator} {opening.name[:BEGINNING]}", "bold"))

    emit(as_json, told, show)


@aggregate_app.command()
def join(
    coordinator: Annotated[str, typer.Argument(help="The member that asks.", metavar="PEER")],
    session: Session = "",
    later: Annotated[
        bool,
        typer.Option("--later", help="Only say that we take part; run does the rest."),
    ] = False,
    address: Address = None,
    explain: ExplainOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Take part in an aggregation, if our policy allows it."""
    with Node(open_home(home)) as node:
        joining = Joining(node)

        async def said() -> Explained:
            asked = chosen(await joining.asked(coordinator, address=address), session)
            return await joining.explained(asked.opening, address=address)

        if explain:
            emit_explained(as_json, asyncio.run(said()))
            return

        async def work(begin: Begin) -> Opening:
            begin(f"asking {coordinator} what it asks us")
            asked = chosen(await joining.asked(coordinator, address=address), session)
            if not as_json:
                show_opening(asked.opening, on=stderr)
            kept = asked.ours or await joining.take_up(asked.opening, address=address)
            await joining.go_on(
                kept, address=address, only_join=later,
                told=told_of(begin, asked.opening),
            )  # fmt: skip
            return asked.opening

        with steps(len(Step) + 1, as_json=False) as begin:  # minutes are waited: with --json it is said too
            opening = asyncio.run(work(begin))
        if later:
            # Should the last one join now, the next step ends so much later.
            until = utc_now() + timedelta(seconds=opening.step_s)
            told = as_opening(opening) | {"joined": True, "until": timestamp(until)}
            emit(as_json, told, lambda: show_joined(opening, until))
        else:
            _emit_outcome(as_json, outcome_of(node, opening.name))


@aggregate_app.command("list")
def list_(
    coordinator: Annotated[
        str, typer.Argument(help="A member, for what it asks us. Default: what we ask.", metavar="PEER")
    ] = "",
    address: Address = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """List the aggregations that this node coordinates; or those that a member asks us to join."""
    with Node(open_home(home)) as node:
        if coordinator:
            asked = asyncio.run(Joining(node).asked(coordinator, address=address))
            told = [as_asked(one) for one in asked]
        else:
            told = [as_opening(one.opening) | as_progress(one.progress) for one in convened(node)]
    emit(as_json, {"aggregations": told}, lambda: show_list(told))


@aggregate_app.command("withdraw")
def withdraw_(
    session: Session,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Take back an aggregation that this node coordinates, before its sum can be opened."""
    with Node(open_home(home)) as node:
        opening = withdraw(node, session)
    told = as_opening(opening) | {"withdrawn": True}
    emit(as_json, told, lambda: say(f"withdrawn: {opening.name[:BEGINNING]}; its members are told"))


@aggregate_app.command()
def run(
    session: Session = "",
    address: Address = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Go on with what we have joined, to the end."""
    with Node(open_home(home)) as node:
        joining = Joining(node)
        named = [(opening, kept) for opening, kept in joining.joined() if opening.name.startswith(session)]
        left = [(opening, kept) for opening, kept in named if kept.ended is None]
        if not left:
            raise nothing_to_run(session, [kept for _, kept in named])

        alone = len(left) == 1

        async def work(begin: Begin) -> list[BaseException | None]:
            going = (
                joining.go_on(
                    kept, address=address,
                    told=told_of(begin, opening, "" if alone else f"{opening.name[:BEGINNING]} "),
                )
                for opening, kept in left
            )  # fmt: skip
            return await asyncio.gather(*going, return_exceptions=True)

        with steps(len(Step), as_json=False, bar=alone) as begin:
            ended = asyncio.run(work(begin))
        if alone:
            if ended[0] is not None:
                raise ended[0]
            _emit_outcome(as_json, outcome_of(node, left[0][0].name))
            return
        told = [_one_of_many(node, opening, error) for (opening, _), error in zip(left, ended, strict=True)]
    emit(as_json, {"runs": told}, lambda: show_many(told))
    if any("error" in one for one in told):
        raise typer.Exit(1)


@aggregate_app.command()
def result(
    session: Session = "",
    form: Annotated[
        Form | None,
        typer.Option("--format", help="For other tools: SightingDB records, or STIX."),
    ] = None,
    tlp: Annotated[str, typer.Option(help=f"The marking of what is written: {MARKINGS}.")] = "AMBER",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show what came of an aggregation; or, with no name, all that we took part in."""
    opened = open_home(home)
    with Node(opened) as node:
        if session:
            outcome = outcome_of(node, session)
            if form is None:
                _emit_outcome(as_json, outcome)
            else:
                print_json(exported(node, outcome, form, marking(tlp, "--tlp")))
            return
        if form is not None:
            raise typer.BadParameter("says which aggregation", param_hint="SESSION")
        told = [as_opening(opening) | state(kept) for opening, kept in Joining(node).joined()]
    emit(as_json, {"aggregations": told}, lambda: show_all(told))


def _dictionary(path: Path) -> Dictionary:
    """The indicators in a file, each once; what ``import`` would refuse is left out, and said."""
    refused: Counter[str] = Counter()

    def values() -> Iterator[Indicator]:
        for batch in read(path):
            refused.update(batch.refused)
            for kind, column in batch.values.items():
                yield from (Indicator(kind, value) for value in column)

    dictionary = Dictionary.of(values())
    for reason, count in refused.items():
        say((f"left out: {count:,} of the file, {reason}", "dim"), on=stderr)
    return dictionary


def _window(text: str) -> tuple[date, date]:
    try:
        first, _, last = text.partition("..")
        window = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise typer.BadParameter("two days, such as 2026-02-01..2026-02-28", param_hint="--window") from None
    if window[0] > window[1]:
        raise typer.BadParameter("the first day is after the last", param_hint="--window")
    return window


def _one_of_many(node: Node, opening: Opening, error: BaseException | None) -> dict[str, Any]:
    if error is None:
        return as_outcome(outcome_of(node, opening.name))
    if not isinstance(error, CosightError):
        raise error
    return as_opening(opening) | {"error": error_json(error)}


def _emit_outcome(as_json: bool, outcome: Outcome) -> None:
    emit(as_json, as_outcome(outcome), lambda: show_outcome(outcome))
