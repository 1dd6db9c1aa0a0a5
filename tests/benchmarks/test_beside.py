"""Packages beside ours, in turn: ratios within a group, and a package that is not there is named."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import beside, filters_beside, masking, results
from benchmarks.beside import Group
from exchange.bench.record import Gap, Run


def took(seconds: float) -> Run:
    return Run(seconds={"total": seconds}, cpu_s={"process": seconds}, peak_mib={"process": 9.0})


SYSTEMS = {
    "cosight": {"packages": ["cosight"], "settings": "all cores", "security": "keyed"},
    "other": {"packages": ["other==1"], "security": "NONE"},
    "gone": {"packages": ["gone==1"], "security": "NONE", "missing": "no wheel"},
}


def test_ratios_are_within_a_group_and_what_is_missing_is_named(tmp_path: Path):
    args = beside.parser("", "4,8").parse_args(["--repeat", "1", "--out", str(tmp_path / "filter.json")])

    def groups(n: int) -> list[Group]:
        return [
            Group({"cosight, whole": lambda: took(50), "cosight, half": lambda: took(25)}, alone=True),
            Group({"cosight, build": lambda: took(n), "other, build": lambda: took(3 * n)}),
            Group({"cosight, ask": lambda: took(1), "other, ask": lambda: Gap("no more memory")}),
        ]

    beside.measure("filter", args, groups, SYSTEMS)
    found = json.loads((tmp_path / "filter.json").read_text())
    assert [run["subject"] for run in found["runs"] if run["n"] == 8][4:8] == [
        "cosight, build",
        "other, build",
    ] * 2
    ratios = {
        (row["subject"], row["n"]): row["ratio"]["median"] for row in found["summary"] if "ratio" in row
    }
    assert ratios == {("other, build", 4): 3, ("other, build", 8): 3}
    made = results.blocks(tmp_path)["filter"]
    assert "| other, build | 2^3 | 24 | 24 to 24 | 9 | 3x | 24 |" in made
    assert "| other, ask | 2^3 | gap | no more memory |" in made
    assert "| other | other==1 | - | NONE |" in made
    assert "| gone | gone==1 | - | **not measured**: no wheel |" in made
    assert "largest" not in made


def test_masks_of_ours_and_a_package_that_cannot_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(masking, "installed", lambda *_: "No matching distribution")
    out = tmp_path / "secagg.json"
    words = "--n 500 --members 4 --lost 1 --repeat 1 --out"
    monkeypatch.setattr(sys, "argv", ["masking", *words.split(), str(out)])
    masking.main()
    found = json.loads(out.read_text())
    assert found["subjects"]["flwr"]["missing"] == "No matching distribution"
    assert not [run for run in found["runs"] if "gap" in run]
    portable = [row for row in found["summary"] if row["subject"].endswith("any machine")]
    assert [row["subject"] for row in portable if "ratio" in row] == [
        "cosight, a member's 4 masks, any machine", "cosight, the coordinator's 6 masks, any machine",
    ]  # fmt: skip


def test_filters_take_turns_with_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "filter.json"
    monkeypatch.setattr(sys, "argv", ["filters", "--n", "3000", "--repeat", "1", "--out", str(out)])
    filters_beside.main()
    found = json.loads(out.read_text())
    assert not [run for run in found["runs"] if "gap" in run]
    beside = {row["subject"].partition(", ")[0] for row in found["summary"] if "ratio" in row}
    assert beside == {"rbloom", "bloom-filter2", "cosight"}  # ours: files in the form of others
    bloom = next(run for run in found["runs"] if run["subject"].startswith("rbloom, build, 2^-20"))
    assert bloom["bytes"]["filter"] == pytest.approx(3000 * 28.85 / 8, rel=0.01)
    assert bloom["items"] == 3000


def test_a_filter_that_forgets_is_a_gap():
    def ask(made, asked):
        return [number in made for number in asked]

    subject = filters_beside.Subject(
        "rbloom", 0.1, 2, inside=[1, 2], outside=[3], build=list, ask=ask, bits=lambda _: 8.0
    )
    assert filters_beside._ask(subject, list, member=True) == Gap("wrong: an item was forgotten")
