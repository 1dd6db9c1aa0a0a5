"""What commands print: one JSON object or a table on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

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

from exchange.errors import CosightError

stdout = Console()
stderr = Console(stderr=True)

JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; all else on standard error.")
]
HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="COSIGHT_HOME", help="The node's home.", show_default="~/.cosight"),
]
DEFAULT_HOME = Path("~/.cosight")


def emit(as_json: bool, result: Mapping[str, Any], show: Callable[[], None]) -> None:
    """Print a result: the mapping as JSON, or whatever ``show`` prints for people."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        show()


def fail(error: CosightError, as_json: bool) -> None:
    """Print an error: what happened, and what to do."""
    if as_json:
        body = {"code": error.code, "message": str(error), "hint": error.hint}
        sys.stdout.write(json.dumps({"error": body}, ensure_ascii=False) + "\n")
        return
    stderr.print(f"[bold red]error[/] [dim]({error.code})[/]", end=" ")
    stderr.print(str(error), markup=False, highlight=False)
    if error.hint:
        stderr.print("[bold]hint[/]", end="  ")
        stderr.print(error.hint, markup=False, highlight=False)


def table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table in the house's style; the columns in ``numbers`` are aligned right."""
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


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
def waiting(what: str, as_json: bool) -> Iterator[None]:
    """A spinner with a clock on stderr while something takes its time."""
    if as_json or not stderr.is_terminal:
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        progress.add_task(what, total=None)
        yield


@contextmanager
def steps(total: int, as_json: bool) -> Iterator[Callable[[str], None]]:
    """A bar over a known number of steps; call the yielded function as each begins, with what it is."""
    if as_json or not stderr.is_terminal:
        yield lambda what: stderr.print(f"[dim]{what}[/]", highlight=False)
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

        def begin(what: str) -> None:
            nonlocal done
            done += 1
            progress.update(task, completed=done, description=what)

        yield begin


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"
