"""States at rest: sealed, named, the newest kept, and what is damaged never read."""

import os
from pathlib import Path

import pytest

from exchange.config import Home
from exchange.errors import ConfigError, StoreError
from exchange.store.epochs import Epochs, Kept
from tests.e2e.nodes import members

STATE = bytes(range(256)) * 40
BEGAN = 1_800_000_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return members(tmp_path, "alice", "bob")[0]


@pytest.fixture
def epochs(home: Home) -> Epochs:
    return Epochs(home)


def session(n: int) -> str:
    return f"{n:064x}"


def put(epochs: Epochs, n: int, role: str = "sender", peer: str = "bob") -> None:
    """Keep one that is ``n`` seconds younger than the clock's beginning: clocks of files are coarse."""
    epochs.put(role, peer, BEGAN, session(n), STATE)
    os.utime(epochs._folder / Kept(role, peer, BEGAN, session(n)).name, (n, n))


def test_what_is_put_is_there_until_newer_ones_are(epochs):
    assert epochs.kept("sender", "bob") == []
    for n in (1, 2):
        put(epochs, n)
    put(epochs, 3, "receiver")
    put(epochs, 1, peer="carol")
    assert [k.session for k in epochs.kept("sender", "bob")] == [session(2), session(1)]
    assert epochs.get(Kept("sender", "bob", BEGAN, session(1))) == STATE
    put(epochs, 3)
    assert [k.session for k in epochs.kept("sender", "bob")] == [session(3), session(2)]
    assert epochs.get(Kept("sender", "bob", BEGAN, session(1))) is None
    assert len(epochs.kept("sender", "carol")) == 1


def test_the_receiver_keeps_the_newest_alone(epochs):
    for n in (1, 2, 3):
        put(epochs, n, "receiver")
    assert [k.session for k in epochs.kept("receiver", "bob")] == [session(3)]


def test_nothing_of_it_is_readable(home, epochs):
    put(epochs, 1)
    (file,) = (home.path / "epochs").iterdir()
    assert STATE[:16] not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert (home.path / "keys" / "epochs.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:5], lambda b: b[:-1], lambda b: b[:40] + b"\0" + b[41:], lambda b: b""]
)
def test_what_is_damaged_is_deleted_and_said(home, epochs, spoil):
    put(epochs, 1)
    (file,) = (home.path / "epochs").iterdir()
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(StoreError, match="damaged"):
        epochs.get(Kept("sender", "bob", BEGAN, session(1)))
    assert epochs.kept("sender", "bob") == []


def test_the_state_of_one_peer_is_not_that_of_another(home, epochs):
    put(epochs, 1)
    (file,) = (home.path / "epochs").iterdir()
    file.rename(file.with_name(f"sender.carol.{BEGAN}.{session(1)}"))
    with pytest.raises(StoreError, match="damaged"):
        epochs.get(Kept("sender", "carol", BEGAN, session(1)))


def test_what_was_left_half_written_goes_in_time(home, epochs):
    put(epochs, 1)
    old, new = (home.path / "epochs" / f".sender.bob.{BEGAN}.{session(n)}.abc" for n in (1, 2))
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (1, 1))
    put(epochs, 2)
    assert not old.exists()
    assert new.exists()


def test_what_is_of_an_older_epoch_goes_however_late_it_was_written(home, epochs):
    for n, began in ((1, BEGAN - 1), (2, BEGAN)):
        epochs.put("sender", "bob", began, session(n), STATE)
        epochs.answer(Kept("sender", "bob", began, session(n)))
    for name in ("of another version", f"answers.{session(3)}", ".half"):
        (home.path / "epochs" / name).write_bytes(b"")
    for name in ("of another version", ".half"):
        os.utime(home.path / "epochs" / name, (1, 1))
    epochs.expire(BEGAN)
    left = {file.name for file in (home.path / "epochs").iterdir()}
    assert left == {f"sender.bob.{BEGAN}.{session(2)}", f"answers.{session(2)}"}


def test_a_damaged_key_is_said(home, epochs):
    put(epochs, 1)
    (home.path / "keys" / "epochs.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="damaged") as caught:
        epochs.get(Kept("sender", "bob", BEGAN, session(1)))
    assert "epochs/" in caught.value.hint, "a copy of the key may be as old as what must not come back"
