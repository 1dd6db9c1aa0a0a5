"""The model of ``exchange.planning``, fitted to measured sessions: ``python -m benchmarks.model [FOLDER]``.

Reads ``compare.json`` of a folder, by default the committed one, and writes ``model.json`` beside it: the
constants, and how far off they are. The fit is least squares of the relative error over the medians of all
sizes, links and protocols of ours, with no constant below zero. Its error is told twice: for what it was
fitted to, and for each link by the constants of a fit that has not seen that link. What the protocols compute
was measured in the same run of ``benchmarks.compare``. ``FITTED`` in ``exchange/planning/model.py`` holds the
constants of the committed file; a test compares.
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, links_of, load
from crypto.psi import DISCOVERED, Brings
from exchange.bench.links import LOOPBACK
from exchange.planning import Computing, Line, Model, setting, terms_of
from exchange.planning.model import Terms

OURS = "cosight "
LOOPBACK_S = 1e-4
"""Round trip of a short message on loopback, about."""
CHOICE = ("vole", "voprf")
"""Between which the product chooses by what the model says."""
_LEFT_OUT = {Brings.CONTEXTS, Brings.STATE}
"""Sessions that bring contexts, whose size each member says for itself, or the state of a session before."""


@dataclass(frozen=True, slots=True)
class Point:
    """One cell of the table: the median of its runs."""

    protocol: str
    n: int
    link: str
    seconds: float
    terms: Terms

    def off(self, model: Model) -> float:
        """The relative error of a prediction."""
        return model.seconds(self.terms) / self.seconds - 1


def points(compared: Mapping[str, Any]) -> Iterator[Point]:
    """What was measured of ours, with what the model makes of it."""
    lines = {link["name"]: line_of(link) for link in compared["links"]}
    computing = {name: Computing(**of) for name, of in compared["computing"].items()}
    for row in compared["summary"]:
        name = row["subject"].removeprefix(OURS)
        if row["subject"].startswith(OURS) and "gap" not in row:
            protocol = DISCOVERED[name]
            if protocol.brings in _LEFT_OUT:
                continue
            params = setting(protocol, row["n"], row["n"])
            terms = terms_of(protocol, computing[name], lines[row["link"]], params)
            yield Point(name, row["n"], row["link"], row["seconds"]["median"], terms)


def line_of(link: Mapping[str, Any]) -> Line:
    """A link as it was measured before the sessions."""
    if link["name"] == LOOPBACK:
        return Line(LOOPBACK_S, inf)
    return Line(link["measured"]["round_trip_s"], link["measured"]["bits_per_s"] / 8)


def fit(found: Sequence[Point]) -> Model:
    """The constants with the least squares of the relative error, none below zero.

    With five constants the best of all choices of those that are zero is found by trying each.
    """
    scale = np.array([point.seconds for point in found])
    factors = np.array([point.terms.factors for point in found]) / scale[:, None]
    wanted = 1 - np.array([point.terms.given_s for point in found]) / scale
    best, least = np.zeros(factors.shape[1]), inf
    for used in product((False, True), repeat=factors.shape[1]):
        constants = np.zeros(factors.shape[1])
        if any(used):
            constants[list(used)] = np.linalg.lstsq(factors[:, list(used)], wanted, rcond=None)[0]
        error = float(np.square(factors @ constants - wanted).sum())
        if error < least and constants.min() >= 0:
            best, least = constants, error
    return Model(*(float(f"{constant:.3g}") for constant in best))


def errors(found: Sequence[Point], model: Model) -> dict[str, float]:
    """Median and largest size of the relative error."""
    sizes = [abs(point.off(model)) for point in found]
    return {"median": round(statistics.median(sizes), 4), "worst": round(max(sizes), 4), "points": len(sizes)}


def regret(found: Sequence[Point], model: Model) -> dict[str, float]:
    """How often the faster of two protocols is not the one that is predicted to be, and what that costs."""
    cells: dict[tuple[int, str], list[Point]] = {}
    for point in found:
        if point.protocol in CHOICE:
            cells.setdefault((point.n, point.link), []).append(point)
    pairs = [pair for pair in cells.values() if len(pair) == len(CHOICE)]
    lost = [
        min(pair, key=lambda p: model.seconds(p.terms)).seconds / min(p.seconds for p in pair) - 1
        for pair in pairs
    ]
    return {
        "choices": len(lost), "wrong": sum(map(bool, lost)), "worst": round(max(lost, default=0.0), 4)
    }  # fmt: skip


def fitted(compared: Mapping[str, Any]) -> dict[str, Any]:
    """The constants and their errors, as they are written down."""
    found = list(points(compared))
    model = fit(found)
    names = links_of(compared["summary"])
    others = {name: [point for point in found if point.link != name] for name in names}
    return {
        "constants": asdict(model),
        "error": errors(found, model),
        "choice": regret(found, model),
        "links": {
            name: {
                "fitted": errors(mine, model),
                "unseen": errors(mine, fit(others[name])) if others[name] else None,
            }
            for name in names
            if (mine := [point for point in found if point.link == name])
        },
        "protocols": {
            name: errors([point for point in found if point.protocol == name], model)
            for name in dict.fromkeys(point.protocol for point in found)
        },
        "points": [
            {"protocol": p.protocol, "n": p.n, "link": p.link, "seconds": p.seconds,
             "predicted_s": round(model.seconds(p.terms), 5)}
            for p in found
        ],
    }  # fmt: skip


def main() -> None:
    """Fit, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=RESULTS)
    folder = parser.parse_args().folder
    compared = load(folder, "compare")
    if compared is None:
        parser.error(f"there is no compare.json in {folder}")
    made = fitted(compared)
    (folder / "model.json").write_text(json.dumps(made, indent=1) + "\n")
    print(", ".join(f"{field.name}={made['constants'][field.name]!r}" for field in fields(Model)))
    for name, of in {"all": {"fitted": made["error"]}, **made["links"]}.items():
        unseen = f", unseen {of['unseen']['median']:.0%}" if of.get("unseen") else ""
        print(f"{name:12} off by {of['fitted']['median']:.0%}, at most {of['fitted']['worst']:.0%}{unseen}")
    for name, of in made["protocols"].items():
        print(f"{name:20} off by {of['median']:.0%}, at most {of['worst']:.0%}")
    print(f"the faster of {' and '.join(CHOICE)}: {made['choice']}")


if __name__ == "__main__":
    main()
