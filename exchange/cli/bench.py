"""``bench``: what sessions, runs and files cost here, and over links of any kind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from crypto.psi import DISCOVERED
from exchange.bench import discovering, filters, importing, ledgers, secagg
from exchange.bench.hosts import Place, place
from exchange.bench.links import LOOPBACK, NAMED, Link, link_of
from exchange.bench.predicting import predictions
from exchange.bench.psi import sessions
from exchange.bench.record import Once
from exchange.bench.runner import document, in_turn, keep, place_facts
from exchange.cli import TRY, app
from exchange.cli.home import check_writable
from exchange.cli.output import JsonOption, emit, say, stdout, steps, table
from exchange.errors import ConfigError, InputError

bench_app = typer.Typer(
    no_args_is_help=True, help="Measure what things cost on this machine, and over links."
)
app.add_typer(bench_app, name="bench", rich_help_panel=TRY)

Sizes = Annotated[
    str, typer.Option("--n", metavar="N[,N...]", help="1000, 2^14, or 2^10..2^20 for every power.")
]
Repeat = Annotated[int, typer.Option(min=1, max=1000, help="Rounds, after one to warm up.")]
Seed = Annotated[int, typer.Option(min=0, help="Of items and of what a link loses; keys never come of it.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write every run here, as JSON.")]
Members = Annotated[int, typer.Option(min=3, max=100, help="Of the alliance.")]
Subjects = Callable[[Place, int], AbstractContextManager[Mapping[str, Once]]]
"""What is measured at a place with so many items."""
Predicted = Callable[[Link, int, str], Iterator[dict[str, Any]]]
"""What is written down in place of runs over a link that cannot be made, and why it cannot."""


@bench_app.command()
def psi(
    n: Sizes = "2^10,2^14",
    protocol: Annotated[
        str, typer.Option(metavar="P[,P...]", help="Some of: " + ", ".join(DISCOVERED) + ".")
    ] = "voprf,vole",
    link: Annotated[
        list[str] | None,
        typer.Option(
            help=f"May be repeated: {', '.join(NAMED)}, or RATE,ROUND-TRIP[,LOSS] such as 200mbit,40ms,0.5%."
            f" Default: {LOOPBACK}.",
        ),
    ] = None,
    repeat: Repeat = 3,
    seed: Seed = 1,
    out: Out = None,
    as_json: JsonOption = False,
) -> None:
    """Sessions of two nodes with random items, half of them in common: time by phase, bytes, memory."""
    names = protocol.split(",")
    if unknown := [name for name in names if name not in DISCOVERED]:
        raise typer.BadParameter(f"there is no protocol {unknown[0]!r}", param_hint="--protocol")
    try:
        links = [link_of(text) for text in link or [LOOPBACK]]
    except InputError as e:
        raise typer.BadParameter(f"{e}; {e.hint}", param_hint="--link") from e

    @contextmanager
    def subjects(at: Place, count: int) -> Iterator[Mapping[str, Once]]:
        with sessions(at, count, seed) as nodes:
            yield {name: partial(nodes.run, name) for name in names}

    predicted = partial(predictions, names)
    _measure("psi", subjects, n, repeat, seed, out, as_json, links=links, predicted=predicted)


@bench_app.command("secagg")
def secagg_(
    n: Sizes = "10^5",
    members: Members = 10,
    lost: Annotated[int, typer.Option(min=0, help="Members that fall silent before their vectors come.")] = 0,
    repeat: Repeat = 3,
    seed: Seed = 1,
    out: Out = None,
    as_json: JsonOption = False,
) -> None:
    """A whole aggregation in one process: what a member and the coordinator compute and send. N: words."""
    if lost > (members - 1) // 3:
        raise typer.BadParameter(f"with {members} members at most {(members - 1) // 3}", param_hint="--lost")

    def subjects(_at: Place, count: int) -> AbstractContextManager[Mapping[str, Once]]:
        return nullcontext({f"masking, {members} members": partial(secagg.run, members, count, lost, seed)})

    _measure("secagg", subjects, n, repeat, seed, out, as_json, members=members, lost=lost)


@bench_app.command("discover")
def discover_(
    n: Sizes = "10^4",
    members: Members = 10,
    threshold: Annotated[int, typer.Option(min=2, help="Holders of what is released.")] = 3,
    churn: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the items that is new each day.")
    ] = 0.02,
    repeat: Repeat = 3,
    seed: Seed = 1,
    out: Out = None,
    as_json: JsonOption = False,
) -> None:
    """Whole discoveries in one process: the first day, later days, and the strict mode."""
    if threshold > members:
        raise typer.BadParameter("not more than members", param_hint="--threshold")

    def subjects(_at: Place, count: int) -> AbstractContextManager[Mapping[str, Once]]:
        known = discovering.Alliance.of(members, count, threshold, seed)
        known.day()

        def first() -> Any:
            return discovering.Alliance.of(members, count, threshold, seed).day()

        def later() -> Any:
            known.churn(churn)
            return known.day()

        strict = partial(discovering.strict_session, members, count, threshold, seed)
        return nullcontext({"first day": first, f"later day, {churn:.0%} new": later, "strict": strict})

    _measure("discover", subjects, n, repeat, seed, out, as_json, members=members, threshold=threshold)


@bench_app.command("filter")
def filter_(
    n: Sizes = "2^16", repeat: Repeat = 3, seed: Seed = 1, out: Out = None, as_json: JsonOption = False
) -> None:
    """Keyed filters: building, asking, encoding, of every kind."""
    _measure(
        "filter", lambda _at, count: nullcontext(filters.subjects(count, seed)), n, repeat, seed, out, as_json
    )


@bench_app.command("import")
def import_(
    n: Sizes = "10000", repeat: Repeat = 3, seed: Seed = 1, out: Out = None, as_json: JsonOption = False
) -> None:
    """Lines of a file into a store, by kind of value, and items out of it."""
    _measure("import", lambda _at, count: importing.subjects(count, seed), n, repeat, seed, out, as_json)


@bench_app.command("ledger")
def ledger_(
    n: Sizes = "10000", repeat: Repeat = 3, seed: Seed = 1, out: Out = None, as_json: JsonOption = False
) -> None:
    """A ledger of N entries: durable appends, and verifying it."""
    _measure("ledger", lambda _at, count: ledgers.subjects(count, seed), n, repeat, seed, out, as_json)


def _measure(
    kind: str, subjects: Subjects, n: str, repeat: int, seed: int, out: Path | None, as_json: bool,
    links: Sequence[Link] = (NAMED[LOOPBACK],), predicted: Predicted | None = None, **facts: Any,
) -> None:  # fmt: skip
    """All sizes over all links, in turn; what was measured is written down after each, whatever ends it."""
    sizes = sizes_of(n)
    if out is not None:
        check_writable(out)
    result = document(kind, seed, links=[], **facts)
    with steps(len(links) * len(sizes), as_json) as begin:
        for link in links:
            for count in sizes:
                begin(f"{count:,} over {link.name}")
                try:
                    _cell(result, subjects, link, count, repeat, predicted)
                finally:
                    if result["runs"]:
                        keep(result, result["runs"][0]["subject"], out)
    emit(as_json, result, lambda: _show(result))


def _cell(
    result: dict[str, Any], subjects: Subjects, link: Link, n: int, repeat: int, predicted: Predicted | None
) -> None:
    """One size over one link: run, or predicted where that link cannot be made."""
    where = {"n": n, "link": link.name}
    try:
        with place(link, seed=result["seed"]) as at:
            if all(known["name"] != link.name for known in result["links"]):
                result["links"].append(place_facts(at))
            with subjects(at, n) as found:
                for run in in_turn(found, repeat, at):
                    result["runs"].append(where | run)
    except ConfigError as e:
        if e.code != "no-link" or predicted is None:
            raise
        result["runs"] += [where | run for run in predicted(link, n, str(e))]


def sizes_of(text: str) -> list[int]:
    """Sizes as they are written: numbers, powers, and ranges of powers of two.

    Raises:
        typer.BadParameter: they are not.
    """
    sizes: list[int] = []
    for part in text.split(","):
        first, dots, last = part.partition("..")
        low, high = _size(first), _size(last or first)
        sizes += [1 << bits for bits in range(low.bit_length() - 1, high.bit_length())] if dots else [low]
    if not sizes or not all(1 <= count <= 1 << 26 for count in sizes):
        raise typer.BadParameter("from 1 to 2^26", param_hint="--n")
    return sizes


def _size(text: str) -> int:
    base, hat, power = text.partition("^")
    try:
        return int(base) ** min(int(power), 64) if hat else int(base)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no size: write 1000 or 2^14", param_hint="--n") from None


def _show(result: dict[str, Any]) -> None:
    """The summary for people."""
    facts = result["machine"]
    say(
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load_1min']}; {result['software']}",
        style="dim",
    )
    for link in result["links"]:
        if "measured" in link:
            took, carried = 1e3 * link["measured"]["round_trip_s"], link["measured"]["bits_per_s"] / 1e6
            say(f"{link['name']}: {took:.2f} ms round trip, {carried:,.0f} Mbit/s measured", style="dim")
    rows = table("", "", "n", "seconds", "spread", "us/item", "bytes/n", "peak MiB", "x",
                 numbers=("n", "seconds", "spread", "us/item", "bytes/n", "peak MiB", "x"))  # fmt: skip
    shown, reasons = "", set[str]()
    for row in result["summary"]:
        if row["link"] not in {shown, LOOPBACK}:
            shown = row["link"]
            rows.add_row((shown), style="bold")
        if "predicted" in row:
            seconds, sent = row["predicted"]["seconds"], sum(row["predicted"]["bytes"].values())
            rows.add_row(
                row["subject"], f"{row['n']:,}", f"{seconds:.4g}", "predicted", "", f"{sent / row['n']:,.1f}"
            )
            reasons.add(row["gap"])
            continue
        if "gap" in row:
            rows.add_row(row["subject"], f"{row['n']:,}", "gap", row["gap"])
            continue
        seconds, n, sent = row["seconds"], row["n"], sum(row["bytes"].values())
        ratio = row.get("ratio") if result["kind"] == "psi" else None
        rows.add_row(
            row["subject"],
            f"{n:,}",
            f"{seconds['median']:.4g}",
            f"{seconds['min']:.3g}..{seconds['max']:.3g}",
            f"{1e6 * seconds['median'] / row['items']:.3g}",
            f"{sent / n:,.1f}" if sent else "",
            f"{max(row['peak_mib'].values()):,.0f}",
            f"{ratio['median']:.2f}" if ratio else "",
        )
    stdout.print(rows)
    for reason in sorted(reasons):
        say(reason, style="dim")
    last = next((run for run in reversed(result["runs"]) if run.get("phases")), None)
    if last is not None:
        for party, spent in last["phases"].items():
            told = "  ".join(f"{phase} {seconds:.3f}" for phase, seconds in spent.items())
            say(f"{last['subject']}, last run, {party}, seconds: {told}", style="dim")
