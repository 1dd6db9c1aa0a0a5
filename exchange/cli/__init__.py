"""The command ``cosight``: one file a group of commands, no logic of its own."""

import logging
import sys
from typing import Annotated

import typer

from exchange.cli import output
from exchange.errors import CosightError
from exchange.version import SOFTWARE

app = typer.Typer(
    name="cosight",
    help="Learn only the threats you have both seen.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"{SOFTWARE}\n")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what the node does to standard error.")
    ] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted."""
    from exchange.cli import (  # noqa: F401, PLC0415  each module adds its commands to the app
        demo,
        indicators,
        ledger,
        match,
        membership,
        psi,
    )

    try:
        app()
    except CosightError as error:
        output.fail(error, "--json" in sys.argv)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
