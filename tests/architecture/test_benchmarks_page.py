"""The page on benchmarks holds what the committed measurements give; peers say what they are."""

import json

import pytest

from benchmarks.document import PAGES, filled
from benchmarks.peers import NOT_HERE, PEERS
from benchmarks.results import RESULTS, against, behind, blocks


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_number_on_a_page_is_of_a_committed_measurement(path):
    page = path.read_text()
    assert "<!-- made: " in page
    assert filled(page, blocks(RESULTS)) == page, "run: python -m benchmarks.document"


def test_a_page_is_filled_where_it_says_so_and_nowhere_else():
    page = "a\n<!-- made: links -->\n{}\n<!-- end -->\nb 7\n<!-- made: bytes -->\n{}\n<!-- end -->\n"
    assert filled(page.format("x", "y"), {"links": "new"}) == page.format("new", "Not measured yet.")


def test_peers_state_their_security_and_their_packages():
    for name, peer in PEERS.items():
        assert peer.security.startswith(("NONE", "semi-honest", "malicious")), name
        assert all("==" in package for package in peer.packages), name
    assert not NOT_HERE.keys() & {name.split()[0] for name in PEERS}


RUN = {
    "subject": "x",
    "n": 8,
    "link": "wan",
    "repeat": 1,
    "line": {"a": 3, "b": 4},
    "seconds": {"total": 2.0, "hash": 0.25},
    "phases": {},
    "bytes": {},
    "cpu_s": {"process": 1.0},
    "peak_mib": {"process": 9.0},
}
MACHINE = dict.fromkeys(("cpu", "cores", "backend", "load_1min", "python", "numpy", "rustc"), "x") | {
    "commit": "c"
}


def row(subject: str, **told):
    return {"subject": subject, "n": 8, "link": "wan", "runs": 2, "cold": False} | told


def took(median: float):
    return {"seconds": {"median": median, "min": 0.4, "max": 0.6}, "peak_mib": {"a": 7.0}}


@pytest.fixture
def folder(tmp_path):
    link = {"name": "wan", "measured": {"round_trip_s": 0.0405, "bits_per_s": 1.6e8}}
    document = {
        "machine": MACHINE,
        "started": "2026-11-28T10:00:00+00:00",
        "links": [link],
        "runs": [RUN],
        "summary": [
            row("cosight vole", bytes={"a": 80, "b": 16}, **took(0.5)),
            row("slow", runs=1, cold=True, bytes={"a": 8}, ratio={"median": 246.8}, **took(123.4)),
            row("broken", runs=0, gap="it ended in the middle"),
            row("near", bytes={}, **took(0.1)) | {"link": "lan"},
        ],
        "subjects": {
            "cosight vole": {"packages": ["cosight"], "security": "malicious"},
            "gone": {"missing": "no wheel"},
            "huge": {"packages": ["huge==1"], "settings": "small", "security": "NONE", "most": 4},
        },
    }
    (tmp_path / "compare.json").write_text(json.dumps(document))
    return tmp_path


def test_where_others_are_faster_is_said(folder):
    told = json.loads((folder / "compare.json").read_text())
    assert behind(told) == "Nowhere among what was measured."
    told["subjects"]["quick"] = {"security": "semi-honest"}
    told["subjects"]["bare"] = {"security": "NONE: it shows all"}
    told["summary"] += [row("quick", **took(0.4)), row("bare", **took(0.01))]
    assert behind(told) == "- wan, 2^3: quick took 80% of the time of cosight vole"


def test_what_is_empty_says_why(folder):
    told = json.loads((folder / "compare.json").read_text())
    told["subjects"]["cosight vole"]["most"] = 16
    told["summary"] += [row("slow", bytes={"a": 8}, **took(1.0)) | {"n": 16}]
    said = against(told, "wan")
    assert "Could be run, and was not at this size over this link: cosight vole 2^4." in said
    assert "Empty: not run, since it is above the largest size" in said  # the one that broke states no size


def test_tables_say_ratios_cold_runs_and_gaps(folder):
    made = blocks(folder)
    assert made["links"].endswith("| wan | 200 Mbit/s, 40 ms round trip | 40.50 ms | 160 Mbit/s |")
    assert "| cosight vole | 0.5 |" in made["compare"]
    assert "| slow | 123¹ (247x) |" in made["compare"]
    assert (
        "| broken | gap |\n\n- broken, 2^3: it ended in the middle\n- Not run over this link: near."
        in made["compare"]
    )
    assert "| cosight vole | 12 |" in made["bytes"]
    assert made["hash"].endswith("| read and hashed once | 2^3 |\n|---|---|\n| seconds | 0.25 |")
    assert "| gone | - | - | - | **not measured**: no wheel |" in made["subjects"]
    assert "| huge | huge==1 | small | 2^2 | **not measured**: every size was above" in made["subjects"]
    assert made["machine"].endswith("commit c; 2026-11-28")
    assert "secagg" not in made
