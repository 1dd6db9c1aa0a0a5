"""``filter``: a set as a filter, for members that ask about a few values, and for other tools."""

import typer

from exchange.cli import SHARE, app

filter_app = typer.Typer(help="A set as a filter: published to members, or as a file.", no_args_is_help=True)
app.add_typer(filter_app, name="filter", rich_help_panel=SHARE)
