"""Links by name and as they are written, and what a link does with a packet."""

import random
import struct

import pytest

from exchange.bench.links import LOOPBACK, NAMED, link_of
from exchange.bench.shaper import Way, on_the_line
from exchange.errors import InputError


def test_links_by_name_are_those_that_the_field_measures_with():
    assert {name: (link.bits_per_s, link.round_trip_s, link.loss) for name, link in NAMED.items()} == {
        "loopback": (None, 0.0, 0.0),
        "lan": (10e9, 0.0002, 0.0),
        "lan-1g": (1e9, 0.001, 0.0),
        "wan": (200e6, 0.04, 0.0),
        "wan-slow": (100e6, 0.08, 0.0),
        "mobile": (50e6, 0.15, 0.005),
    }
    assert NAMED["mobile"].words == "50 Mbit/s, 150 ms round trip, 0.5 % lost"
    assert NAMED["lan"].words == "10 Gbit/s, 0.2 ms round trip"
    assert "fast" in NAMED[LOOPBACK].words


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("200mbit,40ms", (200e6, 0.04, 0.0)),
        ("1.5Gbit,0.5ms,0%", (1.5e9, 0.0005, 0.0)),
        ("512kbit,600ms,2.5%", (512e3, 0.6, 0.025)),
    ],
)
def test_a_link_as_it_is_written(text, is_):
    link = link_of(text)
    assert (link.bits_per_s, link.round_trip_s, link.loss) == pytest.approx(is_)
    assert link.name == text


@pytest.mark.parametrize(
    "text",
    ["", "lan ", "200mbit", "200mbit,40", "-1mbit,40ms", "1kbit,1ms", "1mbit,20000ms", "1mbit,1ms,50%"],
)
def test_what_is_no_link(text):
    with pytest.raises(InputError) as refused:
        link_of(text)
    assert refused.value.hint


def packet(size: int, *, segment: int = 0, heads: int = 40) -> bytes:
    return struct.pack("<BBHHHH", 0, 1 if segment else 0, heads, segment, 0, 0) + bytes(size)


def test_a_segment_takes_what_its_packets_take():
    assert on_the_line(packet(1500)) == 1500
    assert on_the_line(packet(40 + 3 * 1460, segment=1460)) == 3 * 1500
    assert on_the_line(packet(40 + 2 * 1460 + 1, segment=1460)) == 2 * 1500 + 41


def arrivals(way: Way) -> list[float]:
    return [due for due, _ in way._due]


def test_packets_wait_their_turn_and_then_the_delay():
    way = Way(bits_per_s=8e6, delay_s=0.02, loss=0, chance=random.Random(1))
    for now in (100.0, 100.0, 100.5):
        way.take(packet(1000), now)
    assert arrivals(way) == pytest.approx([100.021, 100.022, 100.521])


def test_what_would_wait_too_long_is_dropped():
    way = Way(bits_per_s=8e6, delay_s=0.001, loss=0, chance=random.Random(1))
    for _ in range(100):
        way.take(packet(1000), 5.0)
    assert 50 <= len(arrivals(way)) <= 52
    way.take(packet(1000), 6.0)
    assert arrivals(way)[-1] == pytest.approx(6.002)


def test_losses_come_of_the_seed():
    def kept(seed: int) -> int:
        way = Way(bits_per_s=1e12, delay_s=0, loss=0.1, chance=random.Random(seed))
        for number in range(10_000):
            way.take(packet(100), float(number))
        return len(arrivals(way))

    assert kept(1) == kept(1)
    assert 8_800 < kept(1) < 9_200  # twelve standard deviations
