"""No caller holds so many calls that none are left for others."""

from contextlib import ExitStack

import pytest

from exchange.errors import SessionRefused
from exchange.rpc.server import MAX_CALLS, MAX_CALLS_EACH, MAX_STRANGERS, MAX_STRANGERS_EACH, Seats


def busy(seats, caller):
    with pytest.raises(SessionRefused) as caught, seats.taken_by(caller):
        pytest.fail("there was a seat")
    assert caught.value.code == "busy"


def test_each_caller_has_its_own():
    seats = Seats(each=2, total=100)
    with seats.taken_by("globex"), seats.taken_by("globex"):
        busy(seats, "globex")
        with seats.taken_by("initech"):
            pass
    with seats.taken_by("globex"), seats.taken_by("globex"):
        busy(seats, "globex")


def test_all_together_have_so_many():
    seats = Seats(each=2, total=3)
    with ExitStack() as held:
        for caller in ("globex", "globex", "initech"):
            held.enter_context(seats.taken_by(caller))
        busy(seats, "initech")
    with seats.taken_by("initech"):
        pass


def test_a_seat_is_free_again_after_a_failure():
    seats = Seats(each=1, total=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="own"), seats.taken_by("globex"):
            raise ValueError("its own")
    with seats.taken_by("globex"):
        pass


def test_the_limits_leave_room_for_others():
    assert MAX_CALLS_EACH * 4 <= MAX_CALLS
    assert MAX_STRANGERS_EACH < MAX_CALLS_EACH
    assert MAX_STRANGERS * 2 <= MAX_CALLS
