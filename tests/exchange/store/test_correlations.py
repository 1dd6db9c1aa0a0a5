"""Correlations at rest: sealed, named, and taken once whatever happens."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from exchange.config import Home
from exchange.errors import ConfigError, StoreError
from exchange.store.correlations import Correlations, Ready
from tests.e2e.nodes import members

ROWS = np.arange(320, dtype=np.uint8).reshape(20, 16)
READY = Ready("receiver", "bob", 20, "ab" * 32)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return members(tmp_path, "alice", "bob")[0]


@pytest.fixture
def stash(home: Home) -> Correlations:
    return Correlations(home)


def file_of(home: Home) -> Path:
    (file,) = (home.path / "correlations").iterdir()
    return file


def test_what_is_put_is_taken_once(home, stash):
    assert stash.ready("receiver", "bob") == []
    stash.put(*READY, ROWS)
    assert stash.ready("receiver", "bob") == [READY]
    assert stash.ready("sender", "bob") == stash.ready("receiver", "carol") == []
    assert np.array_equal(Correlations(home).take(READY), ROWS)
    assert stash.take(READY) is None
    assert stash.ready("receiver", "bob") == []
    assert list((home.path / "correlations").iterdir()) == []


def test_the_smallest_comes_first(stash):
    for elements in (1000, 20, 300):
        stash.put("sender", "bob", elements, f"{elements:064x}", ROWS)
    assert [r.elements for r in stash.ready("sender", "bob")] == [20, 300, 1000]


def test_all_but_the_newest_go(home, stash):
    for number in range(6):
        stash.prune("sender", "bob", 6)
        stash.put("sender", "bob", 1000 - number, f"{number:064x}", ROWS)
        stash.put("receiver", "bob", 20, f"{number:064x}", ROWS)
        made = home.path / "correlations" / f"sender.bob.{1000 - number}.{number:064x}"
        os.utime(made, (number, number))  # clocks of files are coarse
    stash.prune("sender", "bob", 4)
    assert [r.session for r in stash.ready("sender", "bob")] == [f"{n:064x}" for n in (5, 4, 3, 2)]
    stash.prune("sender", "bob", 4)
    assert [len(stash.ready(role, "bob")) for role in ("sender", "receiver")] == [4, 6]


def test_nothing_of_it_is_readable(home, stash):
    stash.put(*READY, ROWS)
    file = file_of(home)
    assert ROWS[:1].tobytes() not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert (home.path / "keys" / "correlations.key").stat().st_mode & 0o077 == 0


def test_two_at_once(home, stash):
    for round_ in range(20):
        ready = READY._replace(session=f"{round_:064x}")
        stash.put(*ready, ROWS)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _, which=ready: Correlations(home).take(which), range(4)))
        assert sum(rows is not None for rows in found) == 1


@pytest.mark.parametrize("damage", [b"", b"x" * 11, b"x" * 12, b"x" * 400])
def test_a_damaged_one_is_burnt(home, stash, damage):
    stash.put(*READY, ROWS)
    file_of(home).write_bytes(damage)
    with pytest.raises(StoreError, match="damaged"):
        stash.take(READY)
    assert stash.take(READY) is None


def test_a_name_cannot_be_changed(home, stash):
    stash.put(*READY, ROWS)
    other = READY._replace(peer="carol")
    file_of(home).rename(home.path / "correlations" / other.name)
    with pytest.raises(StoreError):
        stash.take(other)


def test_files_of_others_are_let_be(home, stash):
    stash.put(*READY, ROWS)
    for name in ("README", ".receiver.bob.20.x", f"receiver.bob.20.{'AB' * 32}"):
        (home.path / "correlations" / name).write_bytes(b"")
    assert stash.ready("receiver", "bob") == [READY]


@pytest.mark.parametrize("content", [b"", b"zz", b"ab" * 31])
def test_a_damaged_key_is_said(home, stash, content):
    key = home.path / "keys" / "correlations.key"
    key.write_bytes(content)
    key.chmod(0o600)
    with pytest.raises(ConfigError, match=r"correlations\.key is damaged"):
        stash.put(*READY, ROWS)
