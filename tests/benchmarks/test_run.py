"""``make bench``: what it runs is there, and what fails is said while the rest goes on."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import run


@pytest.mark.parametrize("full", [False, True])
def test_all_is_run_though_something_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], full: bool
):
    commands: list[list[str]] = []

    def note(command: list[str], **_how: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, int("discover" in command))

    monkeypatch.setattr(run.subprocess, "run", note)
    monkeypatch.setattr(run.shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["run", "--out", str(tmp_path), *(["--full"] if full else [])])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "gap  instructions: there is no valgrind here\ngap  discover: failed, see above\n" in told
    assert all(find_spec(command[2]) for command in commands)
    written = {Path(command[-1]).name for command in commands[:-1] if command[-2] == "--out"}
    assert {"secagg.json", "discover.json", "filter.json", "import.json", "ledger.json"} <= written
    assert commands[0][2:5] == ["benchmarks.compare", "--out", str(tmp_path / "compare.json")]
    assert ("--full" in commands[0]) == full
    assert commands[-1][2] == "benchmarks.pictures"
