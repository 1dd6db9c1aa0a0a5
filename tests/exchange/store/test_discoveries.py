"""What discoveries leave on the disk: counted once, whole or not at all, gone when its time is over."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from exchange.config import Home
from exchange.discovery.world import Brought, Deposit, Kept, Planned, Signed, Stage, State
from exchange.errors import ConfigError, StoreError
from exchange.store.discovery.helper import HelperBooks
from exchange.store.discovery.member import Asked
from exchange.store.discovery.stages import Stages
from exchange.store.discovery.tables import open_tables
from tests.exchange.disclosure.desks import KEYS, NOON
from tests.exchange.discovery.test_words import KEYED

EPOCH = KEYED.epoch
CONTEXT = KEYED.context


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.init(tmp_path / "home", "alice", keys=KEYS["alice"].to_pem())


@pytest.fixture
def books(home: Home) -> HelperBooks:
    return HelperBooks(home, open_tables(home))


@pytest.fixture
def stages(home: Home) -> Stages:
    return Stages(home, open_tables(home))


def again(books: HelperBooks) -> HelperBooks:
    """As after a restart."""
    return HelperBooks(books.home, open_tables(books.home))


def erased(books, before):
    done = []
    books.erase(before, done.append)
    return done


def declared(books, size):
    """Bob declares a size; the largest, and how often it was said that it is larger."""
    larger = []
    return books.declare(EPOCH, "bob", size, lambda: larger.append(size)), len(larger)


def test_what_is_declared_is_said_before_it_is_noted(books):
    def failing():
        raise StoreError("no space")

    with pytest.raises(StoreError):
        books.declare(EPOCH, "bob", 100, failing)
    assert declared(again(books), 100) == (100, 1)
    assert declared(books, 100) == (100, 0)
    assert declared(books, 90) == (100, 0)
    assert declared(again(books), 120) == (120, 1)
    assert again(books).declare(EPOCH, "carol", 32, lambda: None) == 32


def test_a_secret_stays_until_its_epoch_ends_and_is_then_gone(books):
    seed = books.seed(EPOCH)
    assert again(books).seed(EPOCH) == seed != books.seed(EPOCH + 1)
    path = books.home.key_file("").parent / f"discovery-{EPOCH}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    declared(books, 64)
    books.issue(EPOCH, CONTEXT, "bob", b"d" * 32)
    assert erased(books, EPOCH + 1) == [EPOCH]
    assert not path.exists()
    assert books.used(EPOCH) == {}
    assert erased(books, EPOCH + 1) == []


def test_a_damaged_secret_is_not_used(books):
    books.seed(EPOCH)
    path = books.home.key_file("").parent / f"discovery-{EPOCH}.key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="damaged"):
        books.seed(EPOCH)


def test_questions_are_counted_once_and_never_over_the_quota(books):
    declared(books, 100)
    assert books.charge(EPOCH, "bob", b"one", 70, 132)
    assert again(books).charge(EPOCH, "bob", b"one", 70, 132), "the same again, after a restart"
    assert books.used(EPOCH) == {"bob": 70}
    assert not books.charge(EPOCH, "bob", b"two", 63, 132)
    assert books.charge(EPOCH, "bob", b"three", 62, 132)
    assert books.used(EPOCH) == {"bob": 132}


def test_two_calls_at_once_do_not_get_more(books):
    declared(books, 100)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: again(books).charge(EPOCH, "bob", b"%d" % n, 30, 110), range(8)))
    assert sum(got) == 3
    assert books.used(EPOCH) == {"bob": 90}


def test_one_token_each_and_one_batch_for_each_token(books):
    assert books.issue(EPOCH, CONTEXT, "bob", b"d")
    assert again(books).issue(EPOCH, CONTEXT, "bob", b"d")
    assert not books.issue(EPOCH, CONTEXT, "bob", b"e")
    assert books.issue(EPOCH, CONTEXT, "carol", b"e")
    assert books.issue(EPOCH, b"other" * 8, "bob", b"e")
    assert books.spend(EPOCH, CONTEXT, b"t", b"batch")
    assert again(books).spend(EPOCH, CONTEXT, b"t", b"batch"), "a counter that asks again after a crash"
    assert not books.spend(EPOCH, CONTEXT, b"t", b"another")


def spooled(stages: Stages, data: bytes) -> tuple[Deposit, Path]:
    path = stages.room(CONTEXT) / f".{os.urandom(4).hex()}"
    path.write_bytes(data)
    digest = sha256(data).digest()
    deposit = Deposit(
        round=KEYED, stage=Stage.BATCHES, digest=digest, size=len(data), signature=b"s" * 64, root=b"r" * 32
    )
    return deposit, path


def test_one_batch_each(stages):
    first, path = spooled(stages, b"first")
    assert stages.put(first, "bob", path)
    assert not path.exists()
    assert stages.batch(CONTEXT, Stage.BATCHES, first.digest).read_bytes() == b"first"
    assert stages.put(*_on(stages, b"first", "bob")), "the same again is fine"
    assert not stages.put(*_on(stages, b"second", "bob"))
    assert stages.put(*_on(stages, b"second", "carol"))
    assert stages.deposits(CONTEXT, Stage.BATCHES) == {
        "bob": first.digest, "carol": sha256(b"second").digest()
    }  # fmt: skip
    assert stages.deposits(CONTEXT, Stage.WORDS) == {}
    brought = stages.brought_by(CONTEXT, Stage.BATCHES)["bob"]
    assert brought == Brought(digest=first.digest, root=b"r" * 32, signature=b"s" * 64)


def _on(stages: Stages, data: bytes, who: str) -> tuple[Deposit, str, Path]:
    deposit, path = spooled(stages, data)
    return deposit, who, path


def test_what_no_stage_needs_is_tidied_up(stages):
    """Killed while bytes came, or before the batches of what had ended were deleted."""
    lost, half = stages.room(b"l" * 32), stages.room(CONTEXT) / ".half"
    for left in (half, lost / ".half", lost / "words.outcome"):
        left.write_bytes(b"left")
    first, path = spooled(stages, b"first")
    stages.put(first, "bob", path)
    kept = Kept(round=KEYED, stage=Stage.BATCHES, began=NOON, closes=NOON)
    stages.keep(kept)
    outcome, batch = (
        stages.room(CONTEXT) / "batches.outcome",
        stages.batch(CONTEXT, Stage.BATCHES, first.digest),
    )
    outcome.write_bytes(b"outcome")
    own = stages.home.path / "discoveries" / "own" / (b"o" * 32).hex()
    own.mkdir(parents=True)
    (taking_part := stages.home.path / "discoveries" / "taking-part").mkdir()
    now = datetime.now(UTC)
    stages.tidy(now - timedelta(hours=1))
    assert (half.exists(), len(list(lost.iterdir()))) == (True, 2), "it may be under way"
    stages.tidy(now + timedelta(hours=1))
    assert (half.exists(), lost.exists(), batch.exists(), outcome.exists()) == (False, False, True, True)
    stages.keep(replace(kept, state=State.BROKEN))
    stages.tidy(now + timedelta(hours=1))
    assert (batch.exists(), outcome.exists()) == (False, True)
    assert own.exists(), "a member's own is not the relay's to tidy up"
    assert taking_part.exists()


def test_how_far_a_stage_is_outlasts_a_restart(stages):
    assert stages.kept(CONTEXT, Stage.BATCHES) is None
    kept = Kept(round=KEYED, stage=Stage.BATCHES, began=NOON, closes=NOON)
    stages.keep(kept)
    closed = replace(kept, state=State.CLOSED, listed=(b"a" * 32, b"b" * 32), list_signature=b"s" * 64)
    stages.keep(closed)
    restarted = Stages(stages.home, open_tables(stages.home))
    assert restarted.kept(CONTEXT, Stage.BATCHES) == closed
    assert restarted.unfinished() == [closed]
    done = replace(
        closed, state=State.DONE, culprits=(("bob", "bad-share"),), signature=b"c" * 64, proofs=(b"p",)
    )
    stages.put_outcome(done, b"outcome")
    assert restarted.kept(CONTEXT, Stage.BATCHES) == done
    assert restarted.unfinished() == []
    assert restarted.outcome(CONTEXT, Stage.BATCHES) == b"outcome"


def test_batches_go_once_they_have_served(stages):
    deposit, path = spooled(stages, b"batch")
    stages.put(deposit, "bob", path)
    kept = Kept(
        round=KEYED, stage=Stage.BATCHES, began=NOON, closes=NOON, state=State.DONE, listed=(deposit.digest,)
    )
    stages.put_outcome(kept, b"outcome")
    assert {p.name for p in stages.room(CONTEXT).iterdir()} == {"batches.outcome"}
    stages.expire(NOON)
    assert stages.room(CONTEXT).exists()
    stages.expire(NOON + timedelta(seconds=1))
    assert stages.kept(CONTEXT, Stage.BATCHES) is None
    assert not (stages.home.path / "discoveries" / CONTEXT.hex()).exists()


def test_one_session_of_a_plan_stands_until_its_time_is_over(stages):
    assert stages.planned(KEYED.plan) is None
    one = Planned(context=CONTEXT, keys=(Signed(b"one", b"s" * 64), Signed(b"other", b"t" * 64)))
    stages.plan(KEYED.plan, one, NOON)
    again = Stages(stages.home, open_tables(stages.home))
    assert again.planned(KEYED.plan) == one
    other = replace(one, context=b"o" * 32, proof=b"proof")
    stages.plan(KEYED.plan, other, NOON)
    assert again.planned(KEYED.plan) == other
    stages.expire(NOON)
    assert again.planned(KEYED.plan) == other
    stages.expire(NOON + timedelta(seconds=1))
    assert again.planned(KEYED.plan) is None


def test_a_stage_that_came_to_nothing_begins_anew(stages):
    deposit, path = spooled(stages, b"batch")
    stages.keep(Kept(round=KEYED, stage=Stage.BATCHES, began=NOON, closes=NOON))
    stages.put(deposit, "bob", path)
    stages.empty(CONTEXT, Stage.BATCHES)
    assert stages.kept(CONTEXT, Stage.BATCHES) is None
    assert stages.deposits(CONTEXT, Stage.BATCHES) == {}
    assert list(stages.room(CONTEXT).iterdir()) == []
    with pytest.raises(StoreError, match="outcome"):
        stages.outcome(CONTEXT, Stage.BATCHES)


def test_what_was_asked_is_sealed_and_goes_with_its_epoch(home):
    asked, keys = Asked(home), [b"k" * 32, b"l" * 32]
    known = np.arange(192, dtype=np.uint8).reshape(2, 96)
    assert len(asked.known(EPOCH, keys)) == 0
    asked.keep(EPOCH, keys, known)
    assert np.array_equal(Asked(home).known(EPOCH, keys), known)
    assert len(asked.known(EPOCH, keys[::-1])) == 0
    (file,) = (home.path / "discoveries" / "asked").iterdir()
    assert known[0].tobytes() not in file.read_bytes()
    file.write_bytes(file.read_bytes()[:-1])
    assert len(asked.known(EPOCH, keys)) == 0, "what is damaged is asked again"
    asked.keep(EPOCH + 1, keys, known)
    assert [f.name.split(".")[0] for f in file.parent.iterdir()] == [str(EPOCH + 1)]


def test_what_was_asked_goes_with_its_epoch_though_nothing_is_asked_again(home):
    asked, keys = Asked(home), [b"k" * 32]
    asked.expire(EPOCH)
    asked.keep(EPOCH, keys, np.zeros((1, 96), np.uint8))
    asked.expire(EPOCH)
    assert len(asked.known(EPOCH, keys)) == 1
    asked.expire(EPOCH + 1)
    assert list((home.path / "discoveries" / "asked").iterdir()) == []


def test_our_batch_is_kept_as_it_was(home):
    asked = Asked(home)
    assert asked.batch(CONTEXT, "batches") is None
    asked.keep_batch(CONTEXT, "batches", b"sealed")
    asked.keep_batch(CONTEXT, "token", b"token")
    assert (Asked(home).batch(CONTEXT, "batches"), asked.batch(CONTEXT, "token")) == (b"sealed", b"token")
    assert asked.batch(b"o" * 32, "batches") is None
