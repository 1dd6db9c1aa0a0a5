"""``canon``: what the canonical profile makes of a value, and why."""

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from exchange.cli import TRY, app
from exchange.cli.output import JsonOption, emit, say
from exchange.errors import InputError
from exchange.indicators import PROFILE, REASONS, IndicatorType
from exchange.indicators.explain import Explanation, explain

STANDARD_INPUT = "-"


@app.command(rich_help_panel=TRY)
def canon(
    values: Annotated[
        list[str], typer.Argument(help="Values, defanged or not; - for standard input, one a line.")
    ],
    type_: Annotated[
        IndicatorType | None,
        typer.Option("--type", metavar="TYPE", help="Their type; found out if left out."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain step by step what a value becomes before it is compared, or why it is refused."""
    told = [(value, explain(value, type_)) for value in _given(values)]
    result = {"profile": PROFILE, "values": [_json(value, e) for value, e in told]}
    emit(as_json, result, lambda: _show(told))
    if any(e.result is None for _, e in told):
        raise typer.Exit(1)


def _given(values: Iterable[str]) -> Iterator[str]:
    """The values, and for ``-`` the lines of standard input that are not empty."""
    for value in values:
        if value != STANDARD_INPUT:
            yield value
            continue
        for number, line in enumerate(sys.stdin.buffer, start=1):
            try:
                text = line.decode().rstrip("\r\n")
            except UnicodeDecodeError:
                raise InputError(f"line {number} of standard input is not UTF-8 text") from None
            if text.strip():
                yield text


def _json(value: str, told: Explanation) -> dict[str, Any]:
    result, refused = None, None
    if told.result is not None:
        result = {"type": told.result.type, "value": told.result.value}
    else:
        why = REASONS[told.reason]
        refused = {"reason": told.reason, "rule": told.refused_by, "why": why, "advice": told.advice}
    return {
        "value": _writable(value),
        "result": result,
        "steps": [
            {
                "rule": step.rule,
                "before": _writable(step.before),
                "after": _writable(step.after),
                "why": step.why,
                "lossy": step.lossy,
            }
            for step in told.steps
        ],
        "lossy": told.lossy,
        "refused": refused,
    }


def _writable(text: str) -> str:
    """Half a surrogate pair cannot be written; everything else can."""
    return text.encode(errors="backslashreplace").decode()


def _visible(text: str) -> str:
    """A text whose invisible characters are seen, and cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _show(told: list[tuple[str, Explanation]]) -> None:
    for value, explanation in told:
        say((_visible(value), "bold"))
        for step in explanation.steps:
            say(
                (f"  {step.rule:<13}", "cyan"), (step.why, "dim"), ("  lossy" if step.lossy else "", "yellow")
            )
            if step.after != step.before:
                say(" " * 15, _visible(step.after))
        if explanation.result is not None:
            kind, canonical = explanation.result.type, explanation.result.value
            say(("  = ", "green"), (f"{kind} ", "green"), (_visible(canonical), "bold"))
        else:
            say(("  refused ", "red"), f"({explanation.reason}) ", REASONS[explanation.reason])
            say(("  hint    ", "bold"), explanation.advice)
