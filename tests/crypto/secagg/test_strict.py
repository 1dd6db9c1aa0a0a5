"""ATR/1s: the same results as ATR/1 and a plain oracle, and every liar is stopped."""

import secrets
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import ParameterError, VerificationError
from crypto.rows import Rows
from crypto.secagg import strict
from crypto.secagg.batches import BadBatch
from crypto.secagg.strict import Outcome, Strict, TooCostly
from crypto.secagg.threshold import FILLER, PRIME, Tables
from tests.crypto.secagg.discoverers import Alliance, Items, item, own
from tests.reference import discovery as oracle
from tests.reference.arrays import packed, unpacked


class StrictAlliance(Alliance):
    """The same alliance, in a strict session."""

    def __init__(self, members: int, least: int, items: int = 12, **more: object) -> None:
        super().__init__(members, least, **more)
        self.strict = Strict(setup=self.setup, items=items)

    def tables(self, items: Sequence[bytes], token: bytes) -> tuple[Rows, Tables]:
        outputs = self.outputs(items)
        return outputs, strict.write(outputs, token, self.strict)

    def hand_in(self, token: bytes, tables: Tables) -> bytes:
        return strict.seal(token, tables, self.counter.public_key().public_bytes_raw(), self.strict)

    def open(self, sealed: Sequence[bytes]) -> list[strict.Handed]:
        return self.confirmed([strict.open_tables(one, self.counter, self.strict) for one in sealed])


class Run:
    """Everybody honest."""

    def __init__(self, members: Sequence[Items], least: int, items: int = 12) -> None:
        self.alliance = StrictAlliance(len(members), least, items)
        self.members = [list(items) for items in members]
        self.tokens = [self.alliance.token() for _ in members]
        self.made = [
            self.alliance.tables(items, token) for items, token in zip(self.members, self.tokens, strict=True)
        ]
        self.sealed = [
            self.alliance.hand_in(token, tables)
            for token, (_, tables) in zip(self.tokens, self.made, strict=True)
        ]
        self.handed = self.alliance.open(self.sealed)
        self.outcome = strict.count(self.handed, self.alliance.strict)

    def recognised(self, member: int, outcome: Outcome | None = None) -> dict[bytes, int]:
        outcome = outcome or self.outcome
        strict.check_outcome(outcome, self.alliance.strict)
        outputs, tables = self.made[member]
        mine, voices = strict.recognise(outputs, tables, outcome, self.alliance.strict)
        return {
            self.members[member][at]: many for at, many in zip(mine.tolist(), voices.tolist(), strict=True)
        }


@st.composite
def alliances(draw: st.DrawFn) -> tuple[int, list[Items]]:
    n = draw(st.integers(2, 7))
    members = st.sets(st.integers(0, 20), max_size=12).map(lambda numbers: own(*sorted(numbers)))
    return draw(st.integers(2, min(n, 4))), draw(st.lists(members, min_size=n, max_size=n))


@settings(deadline=None, max_examples=20)
@given(alliances())
def test_it_is_exact(drawn: tuple[int, list[Items]]) -> None:
    least, members = drawn
    run, expected = Run(members, least), oracle.counts(members, least)
    for number, items in enumerate(members):
        assert run.recognised(number) == {k: v for k, v in expected.items() if k in items}
    assert len({len(one) for one in run.sealed}) == 1
    assert len(run.sealed[0]) == run.alliance.strict.sealed_bytes


@pytest.mark.parametrize("least", [3, 4])
def test_it_says_what_the_other_mode_says(least: int) -> None:
    """Sets of two hundred from a pool of four hundred, of six members."""
    drawn = np.random.default_rng(7)
    members = [own(*drawn.choice(400, 200, replace=False).tolist()) for _ in range(6)]
    run, other = Run(members, least, 200), Alliance(6, least)
    outcome = other.count([other.batch(items) for items in members])
    for number, items in enumerate(members):
        found = run.recognised(number)
        assert found == other.recognised(items, outcome)
        assert found


def test_below_the_threshold_nothing_shows() -> None:
    """Two of three: the counter finds nothing, and cells of a common item are no more alike than others."""
    run = Run([own(1, 2), own(1, 3), own(4)], 3)
    assert len(run.outcome.released) == 0
    first, second = (one.cells for one in run.handed[:2])
    assert not np.any(first == second)
    assert len(np.unique(np.concatenate([one.cells for one in run.handed]))) == 3 * run.alliance.strict.cells


def test_with_fewer_batches_than_the_threshold_nothing_is_released() -> None:
    run = Run([own(1), own(1), own(1)], 3)
    outcome = strict.count(run.handed[:2], run.alliance.strict)
    assert run.recognised(0, outcome) == {}
    assert len(outcome.points) == 2
    assert strict.count([], run.alliance.strict).points == ()


# Attacks


def test_attack_lying_counter_invents_a_result() -> None:
    """It knows all cells, and where a member has an item; it cannot make up another holder's hash."""
    run = Run([own(1), own(2), own(3)], 2)
    slots = run.made[0][1].slots
    places = np.flatnonzero(slots != FILLER)
    made_up = np.frombuffer(secrets.token_bytes(16 * len(places)), np.uint8).reshape(-1, 16)
    rows_ = np.concatenate([places.astype(">u8").view(np.uint8).reshape(-1, 8), made_up], axis=1)
    assert run.recognised(0, replace(run.outcome, released=rows_)) == {}
    for other in (1, 2):  # nor can it pass on those of members that have something else there
        cells = run.handed[other].cells[places]
        point = np.full(len(places), strict.point_of(run.tokens[other]), np.uint64)
        true = strict._checks(places, point, cells, run.alliance.strict)
        assert run.recognised(0, replace(run.outcome, released=true)) == {}


def test_attack_lying_counter_with_less_than_enough_holders() -> None:
    """Of an item that two of three hold it releases what it has; they see that two are too few."""
    run = Run([own(1), own(1), own(2)], 3)
    parts = []
    for number in (0, 1):
        places = np.flatnonzero(run.made[number][1].slots != FILLER)
        point = np.full(len(places), strict.point_of(run.tokens[number]), np.uint64)
        parts.append(strict._checks(places, point, run.handed[number].cells[places], run.alliance.strict))
    order = packed(sorted(set(unpacked(np.concatenate(parts)))), 24)
    assert run.recognised(0, replace(run.outcome, released=order)) == {}


def test_attack_lying_counter_is_found_by_a_recount() -> None:
    run = Run([own(1, 2), own(1, 2), own(2)], 2)
    digest = strict.count(list(reversed(run.handed)), run.alliance.strict).digest(run.alliance.strict)
    assert run.outcome.digest(run.alliance.strict) == digest
    suppressed = replace(run.outcome, released=run.outcome.released[1:].copy())
    overheard = strict.count(run.handed[1:], run.alliance.strict)
    for lie in (suppressed, overheard, replace(run.outcome, points=run.outcome.points[1:])):
        assert lie.digest(run.alliance.strict) != digest


def test_attack_lying_counter_names_points_or_places_that_cannot_be() -> None:
    run = Run([own(1), own(1), own(2)], 2)
    points, released = run.outcome.points, run.outcome.released
    far = released[-1:].copy()
    far[0, 0] = 255
    outside = released[-1:].copy()
    outside[0, :8] = np.frombuffer(run.alliance.strict.cells.to_bytes(8, "big"), np.uint8)
    lies = [{"points": lie} for lie in (points[::-1], (*points, PRIME), (0, *points), points[:1] * 2)]
    lies += [{"points": tuple(range(1, 5))}, {"released": np.repeat(released[:1], 2, axis=0)}]
    lies += [{"released": np.concatenate([released, row])} for row in (far, outside)]
    for lie in lies:
        with pytest.raises(VerificationError):
            run.recognised(0, replace(run.outcome, **lie))


def test_attack_sybil_batch_with_a_token_used_twice() -> None:
    alliance = StrictAlliance(4, 3)
    token = alliance.token()
    _, tables = alliance.tables([item(1)], token)
    twice = [alliance.hand_in(token, tables) for _ in range(2)]
    assert len(alliance.open(twice)) == 1
    opened = [strict.open_tables(one, alliance.counter, alliance.strict) for one in twice]
    with pytest.raises(ParameterError, match="one batch"):
        strict.count(opened, alliance.strict)


def test_attack_replay_of_a_batch_in_another_session() -> None:
    before = StrictAlliance(3, 2)
    token = before.token()
    sealed = before.hand_in(token, before.tables([item(1)], token)[1])
    for other in (
        StrictAlliance(3, 2, seeds=before.seeds, counter=before.counter),
        StrictAlliance(3, 2),
    ):
        with pytest.raises(BadBatch) as bad:
            other.open([sealed])
        assert bad.value.code == "bad-seal"


def test_attack_batch_that_is_none() -> None:
    alliance = StrictAlliance(3, 2)
    token = alliance.token()
    tables = alliance.tables([item(1)], token)[1]
    cells = tables.cells.copy()
    cells[5] = PRIME
    with pytest.raises(BadBatch) as bad:
        alliance.open([alliance.hand_in(token, tables._replace(cells=cells))])
    assert bad.value.code == "bad-record"
    short = alliance.hand_in(token, tables._replace(cells=cells[1:]))
    for wrong in (short, b""):
        with pytest.raises(BadBatch) as bad:
            alliance.open([wrong])
        assert bad.value.code == "bad-shape"
    with pytest.raises(BadBatch):  # a batch of the other mode is none of this one
        alliance.open([alliance.batch(own(1))])


def test_attack_a_run_that_never_ends_is_refused_before_it_begins() -> None:
    setup = Alliance(30, 6).setup
    large = Strict(setup=setup, items=10**6)
    assert strict.predict(large) > 10_000
    with pytest.raises(TooCostly, match=r"about \d+ s, and 60 s are allowed") as costly:
        strict.check_cost(large, 60, cores=2)
    assert costly.value.seconds == strict.predict(large) / 2
    small = Strict(setup=Alliance(10, 3).setup, items=10**5)
    assert strict.check_cost(small, 60) == strict.predict(small) < 10


# What does not fit


@pytest.mark.parametrize("items", [0, 1 << 24])
def test_sizes_that_cannot_be_are_refused(items: int) -> None:
    with pytest.raises(ParameterError):
        Strict(setup=Alliance(3, 2).setup, items=items)


def test_sessions_larger_than_the_kernel_takes_are_refused() -> None:
    for wrong in ({"members": 129}, {"members": 100, "threshold": 65}):
        setup = replace(Alliance(3, 2).setup, **wrong)
        with pytest.raises(ParameterError):
            Strict(setup=setup, items=5)


def test_more_items_than_agreed_are_refused() -> None:
    alliance = StrictAlliance(3, 2, items=2)
    with pytest.raises(ParameterError, match="at most 2"):
        alliance.tables([item(1), item(2), item(3)], alliance.token())


def test_nothing_secret_is_printed() -> None:
    run = Run([own(1), own(1)], 2)
    assert "cells" not in repr(run.handed[0])
    assert "token" not in repr(run.handed[0])
