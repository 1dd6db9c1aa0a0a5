"""Homes for commands to run in, and a terminal of 80 columns."""

from pathlib import Path

import pytest

from exchange.cli import output
from exchange.config import Home
from tests.cli.command import cosight
from tests.e2e.nodes import import_values, members


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No home but the ones of the test, its folder as the working directory, 80 columns."""
    monkeypatch.setattr(output.stdout, "width", 80)
    monkeypatch.setattr(output.stderr, "width", 80)
    monkeypatch.setenv("COSIGHT_HOME", str(tmp_path / "no-home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lone(tmp_path: Path) -> Path:
    """A node that is in no alliance."""
    home = tmp_path / "lone"
    assert cosight("init", "--member", "lone", home=home).code == 0
    return home


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Home, ...]:
    """alice and bob of one alliance, whose policies allow everything. alice holds two indicators."""
    homes = members(tmp_path, "alice", "bob")
    import_values(homes[0], ["8.8.8.3", "bad.example.com"])
    return homes
