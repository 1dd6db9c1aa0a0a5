"""The comparison: all our protocols are in it, and what it writes gives tables and pictures."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import compare, ours, pictures, results
from benchmarks.peers import PEERS
from crypto.psi import DISCOVERED


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(compare, "PEERS", {"plain hashes": PEERS["plain hashes"]})
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    compare.main()


def test_each_of_ours_has_a_largest_size_an_adversary_and_a_colour():
    for name in DISCOVERED:
        told = ours.facts(name)
        assert told["most"] >= 1 << 20
        assert ours.security_class(told["security"]) in ours.CLASSES
    assert ours.security_class(ours.facts("vole-context")["security"]) == "malicious"
    assert pictures._COLOURS.keys() == {f"cosight {name}" for name in DISCOVERED} | PEERS.keys()
    with pytest.raises(ValueError, match="perhaps"):
        ours.security_class("perhaps")


def test_both_forms_run_all_of_ours():
    assert set(compare.protocols(compare.FULL["ours"])) == DISCOVERED.keys()
    assert set(compare.protocols(compare.QUICK["also"])) == DISCOVERED.keys()


def test_a_small_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ours, "most", lambda name: 64 if name == "sum" else 1 << 20)
    out = tmp_path / "compare.json"
    run(monkeypatch, "--ours", "vole", "--also", "sum,estimate", "--sizes", "64,128", "--links", "loopback",
        "loopback", "--repeat", "1", "--out", str(out))  # fmt: skip
    found = json.loads(out.read_text())
    assert {"links", "subjects", "runs", "summary"} <= found.keys()
    assert {"n", "link", "subject", "repeat", "seconds", "phases", "bytes"} <= found["runs"][0].keys()
    assert not [run for run in found["runs"] if "gap" in run]
    told = [(run["subject"], run["n"]) for run in found["runs"] if run["repeat"] == 1]
    first = ["cosight estimate", "cosight sum", "cosight vole", "plain hashes"]
    assert told[:7] == [(s, 64) for s in first] + [(s, 128) for s in first if s != "cosight sum"]
    assert [subject for subject, _ in told[7:]] == ["cosight vole", "plain hashes"] * 2
    assert found["subjects"]["cosight voprf"]["missing"] == "not asked for"
    made = results.blocks(tmp_path)
    assert "Empty: not run, since it is above" in made["compare"]
    assert "| cosight voprf | cosight | - | 2^20 | **not measured**: not asked for |" in made["subjects"]
    drawn = dict(pictures.pictures(tmp_path))
    assert drawn.keys() == results.SHOWN.keys()
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.svg")
        assert f"](benchmarks/{name}.svg)" in made["pictures"]


def test_a_protocol_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--ours", "vole,rot13")
    assert "there is no protocol 'rot13'" in capsys.readouterr().err


def test_a_run_goes_on_with_what_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "compare.json"
    words = ("--ours", "vole", "--links", "loopback", "--repeat", "1", "--out", str(out))
    run(monkeypatch, *words, "--sizes", "64")
    before = json.loads(out.read_text())
    run(monkeypatch, *words, "--sizes", "64,128", "--go-on")
    after = json.loads(out.read_text())
    assert after["runs"][: len(before["runs"])] == before["runs"]
    assert {run["n"] for run in after["runs"][len(before["runs"]) :]} == {128}
    assert {row["n"] for row in after["summary"]} == {64, 128}
    before["machine"]["commit"] = "another"
    out.write_text(json.dumps(before))
    with pytest.raises(SystemExit, match="another version"):
        run(monkeypatch, *words, "--sizes", "128", "--go-on")
