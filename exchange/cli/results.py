"""What a session gave, as JSON and for people."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from exchange.agreement import Rung
from exchange.cli import export
from exchange.cli.home import check_writable
from exchange.cli.output import say
from exchange.config import Home, write_atomic
from exchange.disclosure import Found
from exchange.export import MatchResult, format_of, render
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.context import Context

SHOWN = 5
"""Matches of a type that are printed for people."""


def as_found(found: Found, matches: Sequence[Indicator] | None, over: str = "") -> dict[str, Any]:
    """The part ``result`` of the public JSON of a match: what the rung tells.

    Args:
        found: what the run told.
        matches: the indicators behind its identifiers, where it tells which.
        over: where a sum was asked for, what was added up.
    """
    items: list[dict[str, Any]] | None = None
    if matches is not None:
        items = [{"type": str(m.type), "value": m.value} for m in matches]
    if items is not None and found.contexts is not None:
        for item, context in zip(items, found.contexts, strict=True):
            item["context"] = None if context is None else context.to_json()
    told: dict[str, Any] = {"count": found.count, "items": items}
    if found.total is not None:
        told["total"] = {"over": over, "sum": found.total}
    if found.band is not None:
        told["band"] = {"low": found.band.low, "high": found.band.high}
    if found.noisy is not None:
        told["noisy"] = {"count": found.noisy.count, "epsilon": found.noisy.epsilon}
    if (estimate := found.estimate) is not None:
        told["estimate"] = {
            "shared": _bounds(estimate.shared),
            "jaccard": _bounds(estimate.jaccard),
            "containment": {"ours": _bounds(estimate.of_ours), "peers": _bounds(estimate.of_peers)},
            "confidence": estimate.confidence,
            "slots": {"equal": estimate.equal, "of": estimate.slots},
        }
    return told


def _bounds(values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("low", "estimate", "high"), values, strict=True))


def in_words(found: Found, over: str = "") -> tuple[str, str] | None:
    """What a rung that does not tell which tells: in short, and what to think of it; None for the sizes."""
    words: tuple[str, str] | None = None
    if found.total is not None:
        words = f"{found.count:,} shared, with {found.total:,} {over} in all", "not told which"
    elif found.band is not None:
        high = found.band.high
        upper = " or more" if high is None else "" if high == found.band.low else f" to {high:,}"
        words = f"{found.band.low:,}{upper} shared", "no more is told than this band"
    elif found.noisy is not None:
        words = (
            f"about {max(found.noisy.count, 0):,} shared",
            f"with noise of epsilon {found.noisy.epsilon:g}",
        )
    elif (estimate := found.estimate) is not None:
        low, middle, high = estimate.shared
        sure = f"{estimate.confidence:.0%} sure: {low:,} to {high:,}"
        part = f"{estimate.of_ours[1]:.1%} of ours, {estimate.of_peers[1]:.1%} of theirs"
        words = f"about {middle:,} shared", f"{sure}; {part}, Jaccard {estimate.jaccard[1]:.2%}"
    elif found.count is not None:
        words = f"{found.count:,} shared", "not told which"
    return words


def show_matches(
    types: Iterable[IndicatorType], matches: Sequence[Indicator], contexts: Sequence[Context | None] | None
) -> None:
    """The first few matches of each type, one a line so that they can be copied; what is said of it below."""
    said = [None] * len(matches) if contexts is None else contexts
    for kind in types:
        rows = [(m.value, context) for m, context in zip(matches, said, strict=True) if m.type == kind]
        for i, (value, context) in enumerate(rows[:SHOWN]):
            say((f"  {len(rows):>7,} {kind:<7}" if i == 0 else " " * 17, "dim"), "  ", value)
            if context is not None:
                say((" " * 21 + summary(context), "dim"))
        if len(rows) > SHOWN:
            say((" " * 19 + f"and {len(rows) - SHOWN:,} more: --out FILE writes all", "dim"))


def writer(
    home: Home, out: Path, rung: Rung, as_json: bool
) -> Callable[[MatchResult, Mapping[str, Any]], None]:
    """What writes a result into a file, in the form that the file's name asks for.

    What may be wrong with the file or with our keys is found here: afterwards the session is spent.

    Raises:
        ConfigError: the file cannot be written, or the key of our identifiers cannot be used.
    """
    check_writable(out)
    form = format_of(out.name)
    if form is None:
        return lambda result, told: write_atomic(
            out, _as_file(result, told if out.suffix == ".json" else None)
        )
    if rung.level < Rung.OVERLAP.level:
        raise typer.BadParameter(f"a match of {rung} has no items to write as {form}", param_hint="--out")
    ids = export.identifiers(home)

    def write(result: MatchResult, _told: Mapping[str, Any]) -> None:
        selected = export.selection(home, result)
        write_atomic(out, render(form, selected, ids))
        if not as_json:
            export.show_selected(selected)

    return write


def _as_file(result: MatchResult, told: Mapping[str, Any] | None) -> bytes:
    if told is not None:
        return json.dumps(told, ensure_ascii=False).encode() + b"\n"
    lines = "".join(f"{m.type}\t{m.value}\n" for m in result.items)
    return f"type\tvalue\n{lines}".encode()


def summary(context: Context) -> str:
    """What a context says, in one line."""
    told = context.to_json()
    return "; ".join(f"{name} {_plain(value)}" for name, value in told.items() if name != "comment")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).removesuffix("T00:00:00+00:00")
