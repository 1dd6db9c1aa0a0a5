"""The command ``cosight``: one file a group of commands, no logic of its own."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer
from typer.models import CommandInfo

from crypto.errors import CryptoError
from exchange.cli import output
from exchange.errors import CosightError
from exchange.version import SOFTWARE

app = typer.Typer(
    name="cosight",
    help="Learn only the threats you have both seen.",
    epilog="Exit status: 0 done; 1 failed or refused; 2 wrong usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
TRY, SET_UP, SHARE, ACCOUNT = "See it work", "Set up", "Share", "Account for it"
"""Panels of ``cosight --help``."""
MODULES = {
    "demo": "demo",
    "psi": "psi",
    "bench": "bench",
    "canon": "canon",
    "init": "membership",
    "import": "import_",
    "indicators": "indicators",
    "lookup": "lookup",
    "feeds": "indicators",
    "forget": "indicators",
    "serve": "match",
    "warm": "match",
    "match": "match",
    "discover": "discover",
    "results": "kept",
    "export": "export",
    "filter": "filter",
    "aggregate": "aggregate",
    "alliance": "membership",
    "light": "light",
    "policy": "policy",
    "ledger": "ledger",
    "verify": "verify",
    "report": "report",
    "warninglists": "warninglists",
}
"""Where each command is, in the order in which they are first needed."""
ALSO = {
    "alliance": ("administration",),
    "filter": ("filter_published", "filter_query", "filter_files"),
    "policy": ("decisions", "simulate"),
}


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Exit status: 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted.

    Args:
        arguments: what follows ``cosight``; the process's own if left out.
    """
    given = spelled_out(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    _stop_alike()
    try:
        status = complete(given)(given, prog_name="cosight", standalone_mode=not as_json)
    except CosightError as error:
        output.fail(error, as_json)
        sys.exit(1)
    except CryptoError as error:
        output.fail(CosightError(str(error)), as_json)
        sys.exit(1)
    except typer.TyperException as error:  # wrong usage; without --json it was printed for people
        output.fail(CosightError(error.format_message(), code="usage", hint="see: cosight --help"), as_json)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


def _stop_alike() -> None:
    """Have what a service manager or a lost terminal sends end a session as an interrupt does: on record."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a script's shell starts what it puts in the background; the others would be ignored with it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """The arguments, with the value of ``match --both`` where it was left out: typer has no such options."""
    given = list(arguments)
    if next((word for word in given if not word.startswith("-")), "") != "match":
        return given
    for i in reversed(range(len(given))):
        if given[i] == "--both" and given[i + 1 : i + 2] not in (["proof"], ["strict"]):
            given.insert(i + 1, "proof")
    return given


def complete(given: Sequence[str] = ()) -> typer.Typer:
    """The application: with the command that is given, or with all of them where there is none.

    What one command needs is loaded in a quarter of a second or in a whole one, and most need little.
    """
    # gRPC's own log would write beside our errors, and with --json nobody expects it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    command = next((word for word in given if not word.startswith("-")), "")
    for name in [command] if command in MODULES else MODULES:
        for module in (MODULES[name], *ALSO.get(name, ())):
            import_module(f"exchange.cli.{module}")  # each adds its commands to the app
    order = list(MODULES)
    app.registered_commands.sort(key=lambda command: order.index(command.name or _named(command)))
    return app


def _named(command: CommandInfo) -> str:
    assert command.callback is not None
    return command.callback.__name__
