"""``filter query``: questions about a filter that a peer publishes."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from exchange.cli.filter import SHOWN, filter_app, given
from exchange.cli.filter_published import described
from exchange.cli.home import check_purpose, open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, counting, emit, say, size, stderr
from exchange.disclosure.asking import Answered
from exchange.errors import InputError
from exchange.indicators import Indicator, Refused, recognise
from exchange.node import Node


@filter_app.command()
def query(
    peer: Annotated[str, typer.Argument(help="The member that publishes the filter.")],
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="VALUE...|-", help="Indicators, defanged or not; - for one a line on standard input."
        ),
    ],
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Have positives confirmed; it tells the peer a little of each.")
    ] = False,
    purpose: Annotated[str, typer.Option(help="Why; the peer's policy may ask for it.")] = "",
    address: Annotated[
        str | None, typer.Option(help="The peer's HOST:PORT, if the roster's is not right.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Ask the filter that a peer publishes: it learns how many questions there are, and none of them."""
    check_purpose(purpose)
    opened = open_home(home)
    questions, refused = _recognised(values)
    if not questions:
        raise InputError("there is nothing to ask: none of the values is an indicator")
    with Node(opened) as node, counting(f"asking {peer}", as_json) as progress:
        answered = asyncio.run(
            node.query(peer, questions, purpose=purpose, confirm=confirm, address=address, progress=progress)
        )
    emit(as_json, _as_json(answered, refused), lambda: _show(answered, refused))


def _recognised(values: Iterable[str]) -> tuple[list[Indicator], int]:
    """The indicators in these values, and how many values are none."""
    found, refused = [], 0
    for text in given(values):
        try:
            found.append(recognise(text))
        except Refused:
            refused += 1
    return found, refused


def _as_json(answered: Answered, refused: int) -> dict[str, Any]:
    publication = described(answered.publication) | {"age": round(answered.age.total_seconds(), 1)}
    doubt = 0.0 if answered.confirmed else answered.false_each
    return {
        "session": answered.session,
        "peer": answered.peer,
        "publication": publication,
        "asked": answered.asked,
        "refused": refused,
        "not_covered": [{"type": str(one.type), "value": one.value} for one in answered.uncovered],
        "positives": [
            {"type": str(one.type), "value": one.value, "false_positive_probability": doubt}
            for one in answered.positives
        ],
        "confirmed": answered.confirmed,
        "expected_false": doubt * answered.asked,
        "seconds": {"total": round(answered.total_s, 4), "crypto": round(answered.crypto_s, 4)},
        "bytes": {"sent": answered.sent, "received": answered.received, "filter": answered.fetched},
        "settled": answered.settled,
    }


def _show(answered: Answered, refused: int) -> None:
    for one in answered.positives[:SHOWN]:
        say((f"{one.type}  ", "dim"), (one.value, "bold"))
    if len(answered.positives) > SHOWN:
        say((f"and {len(answered.positives) - SHOWN:,} more: --json prints all", "dim"))
    p, expected = answered.publication, answered.false_each * answered.asked
    worth = "confirmed" if answered.confirmed else f"{expected:.2g} of them are expected to be false"
    say(f"{answered.peer} holds {len(answered.positives):,} of {answered.asked:,}; {worth}")
    if refused:
        say((f"{refused:,} values are no indicators, and were not asked", "dim"), on=stderr)
    if answered.uncovered:
        say((f"{len(answered.uncovered):,} are of types that the filter does not hold", "dim"), on=stderr)
    fetched = f", {size(answered.fetched)} of the filter fetched" if answered.fetched else ""
    say(
        (f"filter {p.number} of epoch {p.epoch_name[:8]}, made {p.made_at:%Y-%m-%d %H:%M} UTC", "dim"),
        on=stderr,
    )
    traffic = f"{size(answered.sent)} sent, {size(answered.received)} received"
    say((f"{answered.total_s:.2f} s, {traffic}{fetched}", "dim"), on=stderr)
