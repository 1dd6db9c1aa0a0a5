"""The model of what a session takes is what the committed measurements give; a fit finds what there is."""

from dataclasses import asdict, replace

import pytest

from benchmarks.model import fit, fitted, points
from benchmarks.results import RESULTS, load, model
from crypto.psi import DISCOVERED
from exchange.planning import FITTED, Computing, Line, Model, predict, setting

TRUE = Model(session_s=0.03, computing=0.8, byte_s=3e-9, round_trips=6.5, ramp=0.4)
COMPUTING = {"vole": Computing(0.02, 3e-7, 2e-7), "voprf": Computing(0.001, 4e-5, 2e-5)}
LINKS = {"lan": (0.0003, 5e9), "wan": (0.04, 2e8), "mobile": (0.15, 5e7)}


def compared(true: Model, *, noise: float = 0.0):
    """Sessions that take exactly what a model says, or every other so much more."""
    rows = []
    for name, computing in COMPUTING.items():
        for link, (trip_s, bits) in LINKS.items():
            for bits_n in (10, 14, 17, 20):
                protocol, n = DISCOVERED[name], 1 << bits_n
                line = Line(trip_s, bits / 8)
                cost = predict(protocol, computing, line, setting(protocol, n, n), true)
                took = cost.seconds * (1 + noise * (len(rows) % 2))
                rows.append({"subject": f"cosight {name}", "n": n, "link": link, "seconds": {"median": took}})
    rows += [
        {"subject": "cosight vole", "n": 8, "link": "lan", "gap": "killed"},
        {"subject": "plain hashes", "n": 8, "link": "lan", "seconds": {"median": 1.0}},
    ]
    return {
        "links": [
            {"name": name, "measured": {"round_trip_s": trip_s, "bits_per_s": bits}}
            for name, (trip_s, bits) in LINKS.items()
        ],
        "computing": {name: asdict(of) for name, of in COMPUTING.items()},
        "summary": rows,
    }


def test_a_fit_finds_the_constants_that_there_are():
    found = fit(list(points(compared(TRUE))))
    assert asdict(found) == pytest.approx(asdict(TRUE), rel=0.01)


def test_no_constant_is_below_zero():
    free = replace(TRUE, round_trips=0.0, session_s=0.0)
    found = fit(list(points(compared(free, noise=0.3))))
    assert min(asdict(found).values()) >= 0


def test_errors_are_those_of_what_was_measured():
    made = fitted(compared(TRUE, noise=0.5))
    assert made["error"]["points"] == 24
    assert 0 < made["error"]["median"] <= made["error"]["worst"] < 0.5
    assert set(made["links"]) == set(LINKS)
    assert all(of["unseen"]["points"] == 8 for of in made["links"].values())
    for point in made["points"]:
        assert abs(point["predicted_s"] / point["seconds"] - 1) <= made["error"]["worst"] + 1e-3


def test_a_choice_that_is_wrong_is_counted_with_what_it_costs():
    right = compared(TRUE)
    assert fitted(right)["choice"]["wrong"] == 0
    for row in right["summary"]:
        if (row["subject"], row["n"], row["link"]) == ("cosight vole", 1 << 20, "lan"):
            row["seconds"] = {"median": 1000.0}  # of what else was measured nobody would have thought so
    choice = fitted(right)["choice"]
    assert (choice["choices"], choice["wrong"]) == (12, 1)
    assert choice["worst"] > 1


def test_the_table_tells_every_link():
    told = model(fitted(compared(TRUE, noise=0.1)))
    assert all(f"| {name} |" in told for name in (*LINKS, *COMPUTING, "all"))


def test_the_program_has_the_constants_of_the_committed_measurements():
    committed = load(RESULTS, "model")
    if committed is None:
        pytest.skip("nothing is committed yet")
    assert asdict(FITTED) == committed["constants"], (
        "run: python -m benchmarks.model, and copy its first line"
    )
    measured = load(RESULTS, "compare")
    assert measured is not None
    assert fitted(measured) == committed
