"""Files of aggregations, at the coordinator and at a member: whole, once, sealed, gone in time."""

import os
import stat
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from exchange.aggregation.tally import Tally
from exchange.config import Home, Settings
from exchange.counting.world import Closing, Counted, Ending
from exchange.errors import ConfigError, InputError, StoreError
from exchange.store.aggregations import KEPT, Aggregations, Folder
from exchange.store.contributions import SECRETS, Contributions
from exchange.store.journal import Journal

CONTEXT = bytes(range(32))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TALLY = Tally(CONTEXT, (0, 1, 2), bytes(32), {0: bytes(64)})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "keys").mkdir()
    return Home(tmp_path, Settings("alice"))


@pytest.fixture
def folder(home: Home) -> Folder:
    store = Aggregations(home)
    store.convene(CONTEXT, b"opening", b"signature", b"dictionary", now=NOW)
    found = store.find(CONTEXT)
    assert found is not None
    return found


def private(path: Path) -> bool:
    return all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in [path, *path.rglob("*")])


def test_it_is_there_whole_or_not_at_all(home: Home, folder: Folder) -> None:
    store = Aggregations(home)
    assert (folder.opening, folder.signature, folder.dictionary().read()) == (
        b"opening", b"signature", b"dictionary",
    )  # fmt: skip
    with pytest.raises(ConfigError):
        store.convene(CONTEXT, b"another", b"", b"", now=NOW)

    def fail() -> None:
        raise StoreError("the ledger is full")

    with pytest.raises(StoreError):
        store.convene(bytes(32), b"opening", b"", b"", now=NOW, before=fail)
    assert store.contexts() == [CONTEXT]
    assert folder.opening == b"opening"
    assert private(home.path / "aggregations")


def test_a_message_is_kept_once(folder: Folder) -> None:
    rows = np.arange(600, dtype=np.uint8).reshape(200, 3)
    spool = folder.spool()
    spool.allocate((200, 3))[:] = rows
    assert spool.seal(3, 7, "Masked", b"head", b"d" * 32)
    said = folder.said(3, 7)
    assert said is not None
    assert (said.name, said.body, said.digest, bytes(said.rows())) == (
        "Masked", b"head", b"d" * 32, rows.tobytes(),
    )  # fmt: skip
    again = folder.spool()
    assert not again.seal(3, 7, "Masked", b"other", b"e" * 32)
    assert folder.said(3, 7) == said
    assert folder.said(3, 8) is None
    assert private(folder.path)
    lost = folder.spool()
    lost.allocate((10, 10))
    folder.tidy()
    assert sorted(p.name for p in folder.path.iterdir()) == [
        "3-007", "dictionary", "made", "opening", "signature",
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_message_that_was_cut_is_found_out(folder: Folder, cut: int) -> None:
    spool = folder.spool()
    spool.seal(1, 0, "Join", b"head", b"d" * 32)
    path = folder.path / "1-000"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(StoreError):
        folder.said(1, 0)


def test_how_steps_and_runs_end_is_settled_once(folder: Folder) -> None:
    first, second = Closing(1, (0, 2), NOW), Closing(1, (0, 1), NOW)
    assert (folder.close(first), folder.close(second)) == (True, False)
    assert folder.closed(1) == first
    assert folder.closed(2) is None
    assert folder.ended() is None
    assert folder.end(Ending("bad-share", (2,), NOW))
    assert not folder.end(Ending("", (), NOW))
    assert folder.ended() == Ending("bad-share", (2,), NOW)


def test_what_ended_long_ago_goes(home: Home, folder: Folder) -> None:
    store = Aggregations(home)
    assert store.expire(NOW + 10 * KEPT) == [], "it has not ended"
    folder.end(Ending("", (), NOW))
    assert store.expire(NOW + KEPT - timedelta(seconds=1)) == []
    assert store.expire(NOW + KEPT) == [CONTEXT]
    assert (store.find(CONTEXT), store.contexts()) == (None, [])


def test_secrets_are_sealed_and_go(home: Home) -> None:
    kept = Contributions(home).begin(CONTEXT, b"opening", b"signature", b"dictionary")
    seed = kept.seed()
    kept.put_vector(b"our words")
    assert kept.seed() == seed
    assert (kept.vector(), kept.ended) == (b"our words", None)
    written = b"".join(p.read_bytes() for p in kept.path.iterdir())
    assert seed not in written
    assert b"our words" not in written
    assert seed.hex() not in repr(kept) + str(kept.key)
    assert private(home.path / "contributions")
    (kept.path / "seed").write_bytes((kept.path / "vector").read_bytes())
    with pytest.raises(StoreError):
        kept.seed()
    kept.end("bad-share", ["carol"])
    assert [name for name in SECRETS if (kept.path / name).exists()] == []
    assert kept.ended == ("bad-share", ("carol",))
    kept.put_vector(b"as if we had been killed before they went")
    Contributions(home).tidy()
    assert kept.vector() is None


def test_what_is_left_of_a_secret_that_was_being_written_goes_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Contributions(home).begin(CONTEXT, b"opening", b"signature", b"dictionary")
    with monkeypatch.context() as patch:  # killed before it has its name, and before the name is taken away
        patch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        for write in (kept.seed, partial(kept.put_vector, b"our words")):
            with pytest.raises(KeyboardInterrupt):
                write()
    assert len(left(kept.path)) == 2
    kept.end("too-few", ())
    assert left(kept.path) == []


def left(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.name.startswith("."))


def test_an_attempt_that_was_given_up_ends_and_its_secrets_go(home: Home) -> None:
    store = Contributions(home)
    given_up, going = (store.begin(c, b"opening", b"signature", b"") for c in (CONTEXT, b"\x01" * 32))
    for kept in (given_up, going):
        kept.seed()
        kept.put_vector(b"our words")
    journal = Journal.open(store.journal_file)
    journal.speak(going.context, 1, bytes(32), abandons=[given_up.context])
    journal.close()
    store.tidy()
    assert given_up.ended == ("abandoned", ())
    assert given_up.vector() is None
    assert not given_up.has_secrets()
    assert (going.ended, going.vector()) == (None, b"our words")


def test_a_result_comes_back_as_it_was(home: Home) -> None:
    kept = Contributions(home).begin(CONTEXT, b"opening", b"signature", b"dictionary")
    assert kept.counted() is None
    vector = np.array([3, -1, 0], "<i2")
    kept.finish(Counted(vector, TALLY, np.array([True, False, True])))
    found = kept.counted()
    assert found is not None
    assert (found.vector == vector).all()
    assert (found.tally, found.ours.tolist()) == (TALLY, [True, False, True])
    assert np.array([True, False, True]).tobytes() not in b"".join(
        p.read_bytes() for p in kept.path.iterdir()
    )
    sealed = (kept.path / "ours").read_bytes()
    (kept.path / "ours").unlink()
    with pytest.raises(StoreError):
        kept.counted()
    (kept.path / "ours").write_bytes(sealed)
    assert kept.counted() is not None
    (kept.path / "result").write_bytes(b"damaged")
    with pytest.raises(StoreError):
        kept.counted()


def test_one_process_at_a_time_takes_part(home: Home) -> None:
    kept = Contributions(home).begin(CONTEXT, b"opening", b"signature", b"dictionary")
    with kept.alone(), pytest.raises(ConfigError) as refused, kept.alone():
        pass
    assert refused.value.code == "aggregation-busy"
    with kept.alone():
        pass


def test_they_are_found_by_the_beginning_of_their_name(home: Home) -> None:
    kept = Contributions(home)
    kept.begin(CONTEXT, b"opening", b"", b"")
    kept.begin(b"\x00" + bytes(31), b"opening", b"", b"")
    assert kept.find(CONTEXT.hex()[:6]).context == CONTEXT
    (home.path / "contributions" / "lost+found").mkdir()
    (home.path / "contributions" / "lost+found" / "opening").write_bytes(b"of no run")
    assert len(kept.all()) == 2
    for beginning in ("00", "ff"):
        with pytest.raises(InputError):
            kept.find(beginning)
