"""The pictures of ``docs/benchmarks.md``, from the committed measurements.

python -m benchmarks.pictures
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
_COLOURS = {
    "cosight vole": "#0b6e4f",
    "cosight voprf": "#08a045",
    "cosight cardinality": "#6bbf59",
    "cosight estimate": "#b5d99c",
    "plain hashes": "#9e9e9e",
    "openmined raw": "#7b2cbf",
    "openmined gcs": "#9d4edd",
    "openmined bloom_filter": "#c77dff",
    "spu ecdh": "#c9184a",
    "spu kkrt": "#ff758f",
    "spu rr22": "#800f2f",
}
_PHASES = {
    "offline": "#495057",
    "encode": "#0b6e4f",
    "transfer": "#74a9cf",
    "decode": "#f4a261",
    "session": "#dee2e6",
}
_CLASSES = ("none", "semi-honest", "malicious")


def _style(subject: str) -> dict[str, Any]:
    ours = subject.startswith("cosight")
    shape = (
        {"linestyle": "-", "marker": "o", "linewidth": 1.8} if ours else {"linestyle": "--", "marker": "s"}
    )
    return {"color": _COLOURS.get(subject, "#333333"), "markersize": 4, **shape}


def _against_n(rows: Sequence[Mapping[str, Any]], link: str, axes: Axes, value: str) -> None:
    """One line a subject: ``value`` of the summary against the number of items."""
    for subject in _COLOURS:
        mine = (row for row in rows if (row["subject"], row["link"]) == (subject, link) and "gap" not in row)
        points = sorted((row["n"], y) for row in mine if (y := _value(row, value)))
        if points:
            axes.plot(*zip(*points, strict=True), label=label(subject), **_style(subject))
    axes.set(xscale="log", yscale="log", xlabel="items of either side", title=link)
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
    links = links_of(rows)
    figure = Figure(figsize=(3.6 * len(links) + 1.2, 3.6), layout="constrained")
    axes = figure.subplots(1, len(links), sharey=True, squeeze=False)[0]
    for link, one in zip(links, axes, strict=True):
        _against_n(rows, link, one, value)
    axes[0].set_ylabel(what)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center")
    return figure


def phases(document: Mapping[str, Any]) -> Figure:
    """Where the receiver's time goes, as stacked bars, at the largest size that all of ours were run with."""
    runs = [run for run in document["runs"] if run.get("phases") and "gap" not in run]
    links = links_of(runs)
    subjects = [s for s in _COLOURS if any(run["subject"] == s for run in runs)]
    n = min(max(run["n"] for run in runs if run["subject"] == s) for s in subjects)
    figure = Figure(figsize=(3.2 * len(links) + 1.2, 3.2), layout="constrained")
    axes = figure.subplots(1, len(links), squeeze=False)[0]
    for link, one in zip(links, axes, strict=True):
        for place, subject in enumerate(subjects):
            mine = [run for run in runs if (run["subject"], run["link"], run["n"]) == (subject, link, n)]
            run = min(mine, key=lambda run: run["seconds"]["total"])
            spent = dict(run["phases"]["receiver"])
            spent["session"] = max(0.0, run["seconds"]["total"] - sum(spent.values()))
            below = 0.0
            for phase, colour in _PHASES.items():
                one.bar(place, spent[phase], bottom=below, color=colour, label=phase if not place else None)
                below += spent[phase]
        one.set_xticks(range(len(subjects)), [label(s) for s in subjects], rotation=30, ha="right")
        one.set_title(f"{link}, {n:,} items")
        one.grid(visible=False, axis="x")
    axes[0].set_ylabel("seconds")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center")
    return figure


def plane(document: Mapping[str, Any], link: str) -> Figure:
    """What security costs: seconds against the adversary, the area of a point its bytes an item."""
    sizes = sorted({row["n"] for row in document["summary"]})
    n = max(
        s
        for s in sizes
        if sum(row["n"] == s and "gap" not in row for row in document["summary"]) >= len(sizes)
    )
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    seen: dict[int, int] = {}
    for row in sorted(document["summary"], key=lambda row: row.get("seconds", {}).get("median", 0)):
        if row["n"] != n or row["link"] != link or "gap" in row:
            continue
        height = _CLASSES.index(security_class(document["subjects"][row["subject"]]["security"]))
        offset = (seen.get(height, 0) % 4 - 1.5) * 0.16
        seen[height] = seen.get(height, 0) + 1
        seconds, per_item = row["seconds"]["median"], _value(row, "bytes_item")
        axes.scatter(seconds, height + offset, s=20 + per_item, color=_COLOURS.get(row["subject"], "#333333"))
        axes.annotate(
            label(row["subject"]),
            (seconds, height + offset),
            xytext=(6, -3),
            textcoords="offset points",
            fontsize=7,
        )
    axes.set(xscale="log", xlabel=f"seconds, {n:,} items, {link}", ylim=(-0.6, 2.6))
    axes.set_yticks(range(len(_CLASSES)), ["no security", *_CLASSES[1:]])
    return figure


def security_class(words: str) -> str:
    """Which adversary: the first word of what a subject says."""
    return next((name for name in _CLASSES if words.lower().startswith(name)), "semi-honest")


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
