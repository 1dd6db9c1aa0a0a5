"""``filter``: what is published to members."""

import math
import re
from time import perf_counter
from typing import Annotated, Any

import typer

from exchange.cli.filter import filter_app
from exchange.cli.home import open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, counting, emit, say, size, stderr, table
from exchange.clock import utc_now
from exchange.disclosure.publishing import Built, Edition
from exchange.disclosure.shelf import Published
from exchange.indicators import IndicatorType
from exchange.node import Node
from exchange.publication import MAX_DAYS, Kind, Publication
from exchange.store.fetched import Fetched
from exchange.store.publications import Publications

_POWER = re.compile(r"2\^-([0-9]{1,2})")


def rate(text: str) -> float:
    """A rate of false positives as people write it: ``2^-30`` or ``1e-9``.

    Raises:
        typer.BadParameter: it is none, or above 1/2.
    """
    power = _POWER.fullmatch(text)
    try:
        found = 2.0 ** -int(power[1]) if power else float(text)
    except ValueError:
        found = math.nan
    if not 0 < found <= 1 / 2:
        raise typer.BadParameter("write a rate up to 1/2, such as 2^-30 or 1e-9", param_hint="--fpr")
    return found


@filter_app.command()
def build(
    kind: Annotated[
        Kind | None, typer.Option(help="golomb: smallest; bloom: fastest; sorted: exact, with deltas.")
    ] = None,
    fpr: Annotated[
        str | None, typer.Option(metavar="RATE", help="False positives: 2^-30, or 2^-60 for sorted.")
    ] = None,
    audience: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="PEER", help="Who may ask; may be repeated. Default: all whom the policy lets."
        ),
    ] = None,
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option("--type", metavar="TYPE", help="Only this type; may be repeated."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="How long a new epoch is.")] = 7,
    new_epoch: Annotated[bool, typer.Option("--new-epoch", help="Begin an epoch with another key.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Publish our set as a filter, or the next one of the epoch: members take it home and ask about it."""
    start = perf_counter()
    edition = Edition(
        kind=kind,
        fpr=None if fpr is None else rate(fpr),
        types=tuple(sorted(set(types or ()))),
        audience=tuple(sorted(set(audience or ()))),
        days=days,
        renew=new_epoch,
    )
    with Node(open_home(home)) as node, counting("tags computed", as_json) as progress:
        built = node.publish(edition, progress=progress)
    seconds = perf_counter() - start
    result = _published(built.published) | {
        "new_epoch": built.renewed,
        "new_tags": built.new,
        "delta_bytes": built.delta,
        "seconds": round(seconds, 4),
    }
    emit(as_json, result, lambda: _show_built(built, seconds))


@filter_app.command("list")
def list_(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Show the filter that we publish, and those of others that we have taken home."""
    opened = open_home(home)
    ours = Publications(opened).current()
    in_force = ours is not None and ours.publication.covers(utc_now())
    fetched, taken = Fetched(opened), dict[str, dict[str, Any]]()
    for peer in fetched.peers():
        if (publication := fetched.publication(peer)) is not None:
            taken[peer] = described(publication) | {"in_force": publication.covers(utc_now())}
    published = None if ours is None else _published(ours) | {"in_force": in_force}

    def show() -> None:
        if ours is None:
            say("we publish no filter; to do so: cosight filter build")
        else:
            _show_published(ours)
        for peer, of in taken.items():
            over = "" if of["in_force"] else ", over"
            say((peer, "bold"), f": {of['kind']}, {of['items']:,} items, until {of['expires'][:16]}{over}")

    emit(as_json, {"published": published, "fetched": taken}, show)


def described(publication: Publication) -> dict[str, Any]:
    """What the public JSON says of a filter, whoever made it."""
    return {
        "epoch": publication.epoch_name,
        "version": publication.number,
        "kind": str(publication.kind),
        "fpr": publication.fpr,
        "items": publication.items,
        "types": [str(t) for t in publication.types],
        "bytes": publication.size,
        "sha256": publication.digest.hex(),
        "made": publication.made_at.isoformat(),
        "expires": publication.expires_at.isoformat(),
    }


def _published(published: Published) -> dict[str, Any]:
    return (
        described(published.publication) | published.offer.as_json() | {"audience": list(published.audience)}
    )


def _show_built(built: Built, seconds: float) -> None:
    _show_published(built.published)
    delta = f", {size(built.delta)} for those who have the one before" if built.delta else ""
    say((f"{seconds:.2f} s, {built.new:,} tags computed{delta}", "dim"), on=stderr)


def _show_published(published: Published) -> None:
    p = published.publication
    shown = table("", "", "")
    shown.add_row("filter", f"{p.kind}, {size(p.size)}, {p.number} of epoch {p.epoch_name}")
    shown.add_row("false positives", f"2^{math.log2(p.fpr):.1f}")
    shown.add_row("holds", ", ".join(f"{n:,} {t}" for t, n in published.offer.entered.items()))
    shown.add_row("looks like", f"{p.items:,} items")
    for rule, count in published.offer.held_back.items():
        shown.add_row("held back", f"{count:,} by {rule}")
    shown.add_row("who may ask", ", ".join(published.audience))
    shown.add_row("until", f"{p.expires_at:%Y-%m-%d %H:%M} UTC")
    stderr.print(shown)
