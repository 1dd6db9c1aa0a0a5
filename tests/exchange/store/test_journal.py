"""What was said in aggregations: once for each place, whoever asks, and for good."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exchange.errors import CosightError
from exchange.store.journal import SHARES, Journal

A, B, C = (bytes([n]) * 32 for n in range(3))
ONE, OTHER = b"1" * 32, b"2" * 32


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "contributions.db")


def test_the_same_may_be_said_again_and_nothing_else(journal: Journal, tmp_path: Path) -> None:
    assert journal.speak(A, 1, ONE)
    assert not journal.speak(A, 1, ONE)
    again = Journal.open(tmp_path / "contributions.db")
    for one in (journal, again):
        with pytest.raises(CosightError) as refused:
            one.speak(A, 1, OTHER)
        assert refused.value.code == "spoken-otherwise"
    assert journal.speak(A, 2, OTHER)
    assert journal.speak(B, 1, OTHER)
    assert again.spoken(A) == {1: ONE, 2: OTHER}


def test_of_many_at_once_one_says_it(journal: Journal) -> None:
    def say(n: int) -> str:
        try:
            return "new" if journal.speak(A, 1, bytes([n]) * 32) else "again"
        except CosightError as e:
            return e.code

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(say, range(16)))
    assert sorted(told) == ["new"] + ["spoken-otherwise"] * 15


def test_what_was_given_up_is_silent_for_good(journal: Journal) -> None:
    journal.speak(A, 1, ONE)
    journal.speak(C, 1, ONE, abandons=[A, B])
    journal.speak(C, 1, ONE, abandons=[A, B])
    assert [journal.is_abandoned(context) for context in (A, B, C)] == [True, True, False]
    for context in (A, B):
        with pytest.raises(CosightError) as refused:
            journal.speak(context, 2, ONE)
        assert refused.value.code == "attempt-abandoned"


def test_what_may_be_open_is_not_given_up(journal: Journal) -> None:
    journal.speak(A, SHARES, ONE)
    with pytest.raises(CosightError) as refused:
        journal.speak(C, 1, ONE, abandons=[A, B])
    assert refused.value.code == "attempt-opened"
    assert journal.spoken(C) == {}
    assert not journal.is_abandoned(B), "all or nothing"
