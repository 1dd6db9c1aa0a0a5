"""The pictures of ``docs/benchmarks.md``, from the committed measurements.

python -m benchmarks.pictures
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from benchmarks.ours import CLASSES, security_class
from benchmarks.results import PICTURES, RESULTS, label, links_of, load

mpl.rcParams |= {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "cosight",
    "svg.fonttype": "none",
}
_MATCHES = {
    "cosight vole": "#0b6e4f",
    "cosight voprf": "#3bb273",
    "cosight voprf-epoch": "#a3d65c",
    "plain hashes": "#9e9e9e",
    "openmined raw": "#7b2cbf",
    "openmined gcs": "#9d4edd",
    "openmined bloom_filter": "#c77dff",
    "spu ecdh": "#c9184a",
    "spu kkrt": "#ff758f",
    "spu rr22": "#800f2f",
}
"""Whoever tells which items are shared: ours and the others."""
_REST = {
    "cosight vole-context": "#0b6e4f",
    "cosight voprf-context": "#3bb273",
    "cosight context-asked": "#a3d65c",
    "cosight cardinality": "#1d3557",
    "cosight cardinality-banded": "#457b9d",
    "cosight cardinality-noisy": "#74a9cf",
    "cosight sum": "#e07a1f",
    "cosight estimate": "#b08900",
}
"""Ours that tell more, or less."""
_COLOURS = _MATCHES | _REST
_PHASES = {
    "offline": "#495057",
    "encode": "#0b6e4f",
    "transfer": "#74a9cf",
    "decode": "#f4a261",
    "session": "#dee2e6",
}


def _style(subject: str) -> dict[str, Any]:
    ours = subject.startswith("cosight")
    shape = (
        {"linestyle": "-", "marker": "o", "linewidth": 1.8} if ours else {"linestyle": "--", "marker": "s"}
    )
    return {"color": _COLOURS[subject], "markersize": 4, **shape}


def _against_n(
    rows: Sequence[Mapping[str, Any]], subjects: Iterable[str], link: str, axes: Axes, value: str
) -> None:
    """One line a subject: ``value`` of the summary against the number of items."""
    for subject in subjects:
        mine = (row for row in rows if (row["subject"], row["link"]) == (subject, link) and "gap" not in row)
        points = sorted((row["n"], y) for row in mine if (y := _value(row, value)))
        if points:
            axes.plot(*zip(*points, strict=True), label=label(subject), **_style(subject))
    axes.set(yscale="log", title=link)
    axes.set_xscale("log", base=2)


def _value(row: Mapping[str, Any], value: str) -> float:
    if value == "seconds":
        return float(row["seconds"]["median"])
    if value == "bytes":
        return float(sum(row["bytes"].values()))
    if value == "us_item":
        return float(1e6 * row["seconds"]["median"] / row["n"])
    return float(sum(row["bytes"].values()) / row["n"])


def _panels(rows: Sequence[Mapping[str, Any]], value: str, what: str) -> Figure:
    """A column a link; above, whoever finds the shared items, beneath, the rest of ours."""
    links, measured = links_of(rows), {row["subject"] for row in rows}
    groups = [group for group in (_MATCHES, _REST) if measured & group.keys()]
    figure = Figure(figsize=(3.6 * len(links) + 2, 3.4 * len(groups)), layout="constrained")
    for part, group in zip(figure.subfigures(len(groups), 1, squeeze=False)[:, 0], groups, strict=True):
        axes = part.subplots(1, len(links), sharex=True, sharey=True, squeeze=False)[0]
        for link, one in zip(links, axes, strict=True):
            _against_n(rows, group, link, one, value)
            one.set_xlabel("items of either side")
        axes[0].set_ylabel(what)
        _legend(part, axes)
    return figure


def _legend(figure: FigureBase, axes: Iterable[Axes]) -> None:
    """Each subject once, whichever panel it is in, right of the panels."""
    known = {
        name: handle for one in axes for handle, name in zip(*one.get_legend_handles_labels(), strict=True)
    }
    figure.legend(known.values(), known.keys(), loc="outside right center")


def phases(document: Mapping[str, Any]) -> Figure:
    """Where the receiver's time goes, as stacked bars, at the largest size that all of ours were run with."""
    runs = [run for run in document["runs"] if run.get("phases") and "gap" not in run]
    links = links_of(runs)
    n = min(max(run["n"] for run in runs if run["subject"] == s) for s in {run["subject"] for run in runs})
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for run in sorted(runs, key=lambda run: -run["seconds"]["total"]):
        if run["n"] == n:
            best[run["link"], run["subject"]] = run
    shown = {link: [s for s in _COLOURS if (link, s) in best] for link in links}
    figure = Figure(figsize=(2 + 0.42 * sum(map(len, shown.values())), 3.4), layout="constrained")
    axes = figure.subplots(
        1, len(links), squeeze=False, width_ratios=[max(2, len(mine)) for mine in shown.values()]
    )[0]
    for (link, mine), one in zip(shown.items(), axes, strict=True):
        for place, subject in enumerate(mine):
            run = best[link, subject]
            spent = dict(run["phases"]["receiver"])
            spent["session"] = max(0.0, run["seconds"]["total"] - sum(spent.values()))
            below = 0.0
            for phase, colour in _PHASES.items():
                one.bar(place, spent[phase], bottom=below, color=colour, label=None if place else phase)
                below += spent[phase]
        one.set_xticks(range(len(mine)), [label(s) for s in mine], rotation=40, ha="right")
        one.set_title(f"{link}, {n:,} items")
        one.grid(visible=False, axis="x")
    axes[0].set_ylabel("seconds")
    _legend(figure, axes)
    return figure


def plane(document: Mapping[str, Any], link: str) -> Figure:
    """What security costs: seconds against the adversary, the area of a point its bytes an item.

    At the size at which most were run, the largest of them.
    """
    rows = [row for row in document["summary"] if row["link"] == link and "gap" not in row]
    sizes = [row["n"] for row in rows]
    n = max(sizes, key=lambda size: (sizes.count(size), size))
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    axes = figure.subplots()
    seen: dict[int, int] = {}
    for row in sorted(rows, key=lambda row: float(row["seconds"]["median"])):
        if row["n"] != n:
            continue
        height = CLASSES.index(security_class(document["subjects"][row["subject"]]["security"]))
        offset = (seen.get(height, 0) % 8 - 3.5) * 0.11
        seen[height] = seen.get(height, 0) + 1
        seconds, per_item = row["seconds"]["median"], _value(row, "bytes_item")
        axes.scatter(
            seconds,
            height + offset,
            s=20 + per_item / 2,
            color=_COLOURS[row["subject"]],
            alpha=0.8,
            linewidths=0,
        )
        axes.annotate(
            label(row["subject"]),
            (seconds, height + offset),
            xytext=(6, -3),
            textcoords="offset points",
            fontsize=7,
        )
    axes.set(xscale="log", xlabel=f"seconds, {n:,} items, {link}", ylim=(-0.6, 2.6))
    axes.set_yticks(range(len(CLASSES)), ["no security", *CLASSES[1:]])
    return figure


def pictures(folder: Path) -> Iterator[tuple[str, Figure]]:
    """Each picture of the measurements in a folder, with its name."""
    document = load(folder, "compare")
    if document is None:
        sys.exit(f"there is no compare.json in {folder}")
    rows = document["summary"]
    yield "time", _panels(rows, "seconds", "seconds of a session")
    yield "bytes", _panels(rows, "bytes", "bytes, both ways")
    yield "item", _panels(rows, "us_item", "microseconds an item")
    yield "phases", phases(document)
    yield "plane", plane(document, links_of(rows)[0])


def main() -> None:
    """Write each as SVG and PNG."""
    folder, out = (*map(Path, sys.argv[1:]), *(RESULTS, PICTURES)[len(sys.argv) - 1 :])
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures(folder):
        for kind in ("svg", "png"):
            figure.savefig(
                out / f"{name}.{kind}",
                dpi=110,
                metadata={"Date": None} if kind == "svg" else {"Software": None},
            )


if __name__ == "__main__":
    main()
