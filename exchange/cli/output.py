"""What commands print: one JSON object or a table on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from exchange.errors import CosightError

UNFOLDED = 1 << 20
"""Columns of a pipe or a file: whatever reads it looks for whole values."""


def console(**how: Any) -> Console:
    """A console in the house's style, that folds tables only where there is a screen, or columns are stated.

    Neither markup nor emoji: what is printed holds URLs with brackets and IPv6 addresses such as
    ``2001:ab:b::1``.
    """
    made = Console(markup=False, emoji=False, highlight=False, **how)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = UNFOLDED
    return made


stdout = console()
stderr = console(stderr=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, errors included.")]
HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="COSIGHT_HOME", help="Folder of the node.", show_default="~/.cosight"),
]
DEFAULT_HOME = Path("~/.cosight")


Piece = str | tuple[str, str]
"""Text, or text with its style."""


def say(*pieces: Piece, style: str = "", on: Console = stdout) -> None:
    """Print one line that is never cut: fingerprints, paths and commands stay whole when they are copied."""
    on.print(Text.assemble(*pieces, style=style), soft_wrap=True)


def emit(as_json: bool, result: Mapping[str, Any], show: Callable[[], None]) -> None:
    """Print a result: the mapping as JSON, or whatever ``show`` prints for people."""
    if as_json:
        print_json(result)
    else:
        show()


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, at once: whoever started ``serve`` waits for it."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def fail(error: CosightError, as_json: bool) -> None:
    """Print an error: what happened, and what to do."""
    if as_json:
        print_json({"error": error_json(error)})
        return
    say(("error", "bold red"), (f" ({error.code}) ", "dim"), str(error), on=stderr)
    if error.hint:
        say(("hint", "bold"), "  ", error.hint, on=stderr)


def error_json(error: CosightError) -> dict[str, str]:
    """The public JSON of an error."""
    return {"code": error.code, "message": str(error), "hint": error.hint}


def table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table in the house's style; the columns in ``numbers`` are aligned right."""
    made = Table(
        title=title or None, title_justify="left", title_style="bold", header_style="dim", box=None,
        pad_edge=False,
    )  # fmt: skip
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


class Begin(Protocol):
    """Says that a step begins, or ``more`` of the one that goes on."""

    def __call__(self, what: str, *, more: bool = False) -> None:
        """Say it."""


@contextmanager
def counting(what: str, as_json: bool) -> Iterator[Callable[[int], None]]:
    """A counter on stderr for work whose end is not known; call what it yields with the count so far."""
    if as_json or not stderr.is_terminal:
        yield lambda _count: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.update(task, completed=count)


@contextmanager
def waiting(what: str, as_json: bool) -> Iterator[Callable[[str], None]]:
    """A spinner with a clock on stderr; call what it yields with what is being done."""
    if as_json or not stderr.is_terminal:
        yield lambda _what: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda now: progress.update(task, description=now)


@contextmanager
def telling(what: str) -> Iterator[Callable[[str], None]]:
    """What is being done, on stderr, also where nobody looks on: then each step, and each change, is a line.

    What follows a colon only counts on: it is no change.
    """
    if stderr.is_terminal:
        with waiting(what, as_json=False) as progress:
            yield progress
        return
    last = ""

    def told(now: str) -> None:
        nonlocal last
        step = now.partition(": ")[0]
        if step != last:
            last = step
            say((step, "dim"), on=stderr)

    yield told


@contextmanager
def steps(total: int, as_json: bool, *, bar: bool = True) -> Iterator[Begin]:
    """A bar over a known number of steps; call the yielded function as each begins, with what it is.

    What is ``more`` of the same step moves no bar. Without the bar, where several go on at once, each is a
    line.
    """
    if as_json or not bar or not stderr.is_terminal:
        yield lambda what, *, more=False: None if as_json else say((what, "dim"), on=stderr)  # noqa: ARG005
        return
    columns = (
        SpinnerColumn(),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task("", total=total)
        done = -1

        def begin(what: str, *, more: bool = False) -> None:
            nonlocal done
            done += not more
            progress.update(task, completed=done, description=what)

        yield begin


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"
