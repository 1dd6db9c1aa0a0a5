"""A decision of our policy, and what every rule says, as JSON and for people."""

from typing import Annotated, Any

import typer

from exchange.cli.output import emit, say, stdout, table
from exchange.policy.rules import ITEMS, OBJECTS, PASSES, PENDING, UNSTATED, Explained

ExplainOption = Annotated[
    bool,
    typer.Option("--explain", help="Say what each rule of our policy says of it, and do nothing."),
]
_STYLES = {PASSES: "green", OBJECTS: "red", PENDING: "yellow", UNSTATED: "dim", ITEMS: "dim"}


def as_explained(found: Explained) -> dict[str, Any]:
    """The public JSON of an explanation."""
    decision = found.decision
    return {
        "allowed": decision.allowed,
        "rule": decision.rule,
        "explanation": decision.explanation,
        "rules": [
            {"id": v.rule, "about": v.about, "verdict": v.verdict, "reason": v.reason, "remedy": v.remedy}
            for v in found.verdicts
        ],
    }


def emit_explained(as_json: bool, found: Explained, *, brief: bool = False) -> None:
    """Print an explanation; what is refused ends the command with 1.

    Raises:
        typer.Exit: it is refused.
    """

    def show() -> None:
        say(found.decision.explanation)
        if brief:
            return
        shown = table("", "", "rule", "says", "about, or why")
        for v in found.verdicts:
            mark = "->" if v.rule == found.decision.rule and v.verdict == OBJECTS else ""
            shown.add_row(mark, v.rule, v.verdict, v.reason or v.about, style=_STYLES[v.verdict])
        say("")
        stdout.print(shown)

    emit(as_json, as_explained(found), show)
    if not found.decision.allowed:
        raise typer.Exit(1)
