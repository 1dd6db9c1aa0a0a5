"""``cosight bench``: every kind measures something true, writes it down, and refuses what it cannot do."""

import errno
import json
import os
import sys

import pytest

from exchange.bench import secagg
from exchange.cli.bench import sizes_of
from tests.cli.command import cosight
from tests.cli.test_contract import holds

SMALL = {
    "psi": ("--n", "100", "--protocol", "voprf,cardinality"),
    "secagg": ("--n", "1000", "--members", "4", "--lost", "1"),
    "discover": ("--n", "200", "--members", "4", "--threshold", "2", "--churn", "0.1"),
    "filter": ("--n", "1000"),
    "import": ("--n", "100"),
    "ledger": ("--n", "100"),
}


@pytest.mark.parametrize("kind", SMALL)
def test_every_kind(tmp_path, kind):
    out = tmp_path / "runs.json"
    done = cosight("bench", kind, *SMALL[kind], "--repeat", "2", "--seed", "3", "--out", out, "--json")
    result = holds("bench", done, optional={"members", "lost", "threshold"})
    assert result == json.loads(out.read_text())
    assert (result["kind"], result["seed"], result["format"]) == (kind, 3, 1)
    assert {"cpu", "cores", "python", "rustc", "commit", "load_1min"} <= set(result["machine"])
    subjects = {run["subject"] for run in result["runs"]}
    assert [(run["subject"], run["repeat"]) for run in result["runs"]] == [
        (subject, number)
        for number in range(3)
        for subject in dict.fromkeys(run["subject"] for run in result["runs"])
    ]
    assert not any("gap" in run for run in result["runs"])
    assert {row["subject"] for row in result["summary"]} == subjects
    for row in result["summary"]:
        assert 0 < row["seconds"]["min"] <= row["seconds"]["median"] <= row["seconds"]["max"]
        assert row["runs"] == 2


def test_what_a_person_sees():
    done = cosight("bench", "secagg", "--n", "100,1000", "--members", "3", "--repeat", "1")
    assert done.code == 0
    assert "masking, 3 members" in done.out
    assert "masking, 3 members, last run, member, seconds: begin" in done.out
    assert "1,000" in done.out


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("1000", [1000]),
        ("2^10,2^12", [1024, 4096]),
        ("2^10..2^13", [1024, 2048, 4096, 8192]),
        ("10^5", [100_000]),
        ("7,2^3..2^3", [7, 8]),
    ],
)
def test_sizes(text, sizes):
    assert sizes_of(text) == sizes


@pytest.mark.parametrize(
    "arguments",
    [
        ("psi", "--n", "many"),
        ("psi", "--n", "0"),
        ("psi", "--n", "2^99"),
        ("psi", "--n", "2^9..2^4"),
        ("psi", "--protocol", "rot13"),
        ("psi", "--link", "pigeon"),
        ("secagg", "--members", "4", "--lost", "2"),
        ("discover", "--members", "3", "--threshold", "4"),
        ("ledger", "--repeat", "0"),
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments):
    done = cosight("bench", *arguments, "--json")
    assert done.code == 2
    assert json.loads(done.out)["error"]["code"] == "usage"


def test_an_output_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path):
    done = cosight("bench", "ledger", "--n", "10", "--out", tmp_path / "no" / "file.json", "--json")
    assert (done.code, json.loads(done.out)["error"]["code"]) == (1, "config")


def test_a_link_that_cannot_be_made_is_predicted_and_marked(monkeypatch):
    refusing = (sys.executable, "-c", 'print(\'{"refused": "no tun here"}\')')
    monkeypatch.setattr("exchange.bench.hosts.SHAPER", refusing)
    words = ("bench", "psi", "--n", "1000", "--protocol", "vole,cardinality", "--link", "wan")
    done = cosight(*words, "--json")
    assert done.code == 0
    for row in done.json["summary"]:
        assert "no tun here" in row["gap"]
        assert "seconds" not in row
        assert row["predicted"]["seconds"] > 0.2  # five round trips
        assert min(row["predicted"]["bytes"].values()) > 0
    shown = cosight(*words)
    assert "predicted" in shown.out
    assert "no tun here" in shown.out
    other = cosight("bench", "psi", "--n", "100", "--link", "loopback", "--repeat", "1", "--json")
    assert not any("gap" in row for row in other.json["summary"])


def test_a_disk_that_fills_up_takes_no_size_that_was_written_before(tmp_path, monkeypatch):
    out = tmp_path / "runs.json"
    synced = os.fsync

    def full(descriptor):
        if out.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(descriptor)

    monkeypatch.setattr("exchange.config.os.fsync", full)
    done = cosight(
        "bench", "secagg", "--n", "10,20,30", "--members", "3", "--repeat", "1", "--out", out, "--json"
    )
    assert (done.code, done.error["code"]) == (1, "config")
    assert "No space left" in done.error["message"]
    assert {run["n"] for run in json.loads(out.read_text())["runs"]} == {10}
    assert json.loads(out.read_text())["summary"][0]["runs"] == 1
    assert list(tmp_path.iterdir()) == [out], "nothing half written stays"


def test_what_was_measured_of_a_size_that_was_broken_off_is_written_down(tmp_path, monkeypatch):
    out, measured = tmp_path / "runs.json", []
    once = secagg.run

    def broken_off(*arguments):
        if measured:
            raise KeyboardInterrupt
        measured.append(once(*arguments))
        return measured[0]

    monkeypatch.setattr("exchange.bench.secagg.run", broken_off)
    assert cosight("bench", "secagg", "--n", "10", "--members", "3", "--out", out).code
    assert [run["repeat"] for run in json.loads(out.read_text())["runs"]] == [0]
