"""``filter``: a set as a filter, for members that ask about a few values, and for other tools."""

from collections.abc import Iterable, Iterator

import typer

from exchange.cli import SHARE, app
from exchange.indicators.readers.source import STANDARD_INPUT, Source

SHOWN = 20
"""Values found that are printed for people; ``--json`` has all."""

filter_app = typer.Typer(help="A set as a filter: published to members, or as a file.", no_args_is_help=True)
app.add_typer(filter_app, name="filter", rich_help_panel=SHARE)


def given(values: Iterable[str]) -> Iterator[str]:
    """The values of the command line, and for ``-`` the lines of standard input that are not empty."""
    for value in values:
        if value == "-":
            with Source.open(STANDARD_INPUT) as source:
                yield from (line for text in source.lines() if (line := text.strip()))
        else:
            yield value
