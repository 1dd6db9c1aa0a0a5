"""What a link is to the model."""

from math import inf

import pytest

from exchange.bench.links import LOOPBACK, NAMED, link_of
from exchange.bench.predicting import line_of


def test_a_link_is_its_round_trip_and_its_rate():
    assert (line_of(NAMED["wan"]).round_trip_s, line_of(NAMED["wan"]).bytes_per_s) == (0.04, 25e6)
    assert line_of(NAMED[LOOPBACK]).bytes_per_s == inf


def test_losses_bound_what_one_connection_carries():
    lossy, clean = line_of(link_of("50mbit,150ms,0.5%")), line_of(link_of("50mbit,150ms"))
    assert clean.bytes_per_s == 50e6 / 8
    assert lossy.bytes_per_s == pytest.approx(1.22 * 1448 / (0.15 * 0.005**0.5))
    assert line_of(link_of("100kbit,1ms,0.1%")).bytes_per_s == 100e3 / 8
