"""An alliance counts together: real processes, real files, one coordinator."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange.config import Home
from tests.e2e.nodes import COSIGHT, Served, cosight, entries, import_values, members, serve

NAMES = ("alice", "bob", "carol", "dave", "erin")
HOLDS = {
    "alice": range(30),
    "bob": range(10, 40),
    "carol": range(20, 50),
    "dave": range(25, 60),
    "erin": range(28, 33),
}


def address(n: int) -> str:
    return f"8.8.{n // 256}.{n % 256}"


@pytest.fixture
def homes(tmp_path: Path) -> dict[str, Home]:
    """Five members, each with its own sightings."""
    found = dict(zip(NAMES, members(tmp_path, *NAMES), strict=True))
    for name, home in found.items():
        import_values(home, [address(n) for n in HOLDS[name]], own=True)
    return found


def opened(home: Home, *options: str, deadline: int = 30, days: int = 1) -> str:
    """Open a count of a hundred addresses; gives its name."""
    dictionary = home.path / "dictionary.txt"
    dictionary.write_text("".join(f"{address(n)}\n" for n in range(100)))
    today = datetime.now(UTC).date()
    window = f"{today - timedelta(days)}..{today}"
    told = cosight(
        home, "aggregate", "open", "--dictionary", str(dictionary), "--window", window,
        "--purpose", "demonstration", "--reporters", "2", "--deadline", str(deadline), *options,
    )  # fmt: skip
    return str(told["session"])


class Joining:
    """``cosight aggregate join`` of one member, beside the test."""

    def __init__(
        self, home: Home, coordinator: str, where: str, *options: str, command: str = "join"
    ) -> None:
        named = [coordinator] if command == "join" else []
        self.home = home
        self.process = subprocess.Popen(
            [*COSIGHT, "aggregate", command, *named, *options, "--address", where, "--home", str(home.path), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ends(self, code: int = 0) -> dict[str, Any]:
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == code, f"{self.home.member}: {self.process.returncode}\n{out}\n{err}"
        found: dict[str, Any] = json.loads(out)
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def joining(homes: dict[str, Home], node: Served, *names: str) -> Iterator[dict[str, Joining]]:
    """These members take part; whoever still runs at the end is killed."""
    begun = {name: Joining(homes[name], "alice", node.address) for name in names}
    try:
        yield begun
    finally:
        for one in begun.values():
            if one.process.poll() is None:
                one.kill()


def expected(*names: str, least: int = 2) -> dict[str, int]:
    counts = Counter(address(n) for name in names for n in HOLDS[name])
    return {value: count for value, count in counts.items() if count >= least}


def numbers(told: dict[str, Any]) -> dict[str, int]:
    return {item["value"]: item["number"] for item in told["result"]["items"]}


def story(home: Home, session: str) -> list[str]:
    return [str(e.kind) for e in entries(home) if e.session == session]


def test_everybody_learns_the_exact_sum(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"])
    with serve(homes["alice"]) as node, joining(homes, node, *NAMES) as begun:
        for one in begun.values():
            told = one.ends()
            assert (told["session"], told["survivors"]) == (session, list(NAMES))
            assert numbers(told) == expected(*NAMES)
    assert numbers(cosight(homes["bob"], "aggregate", "result", session[:12])) == expected(*NAMES)
    for name in NAMES[1:]:
        assert story(homes[name], session) == ["joined", "masked", "shared", "counted"]
        assert cosight(homes[name], "ledger", "verify")["ok"]
    assert Counter(story(homes["alice"], session)) == Counter(
        ["convened", "joined", "masked", "shared", "counted", "counted"]
    )
