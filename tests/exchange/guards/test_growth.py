"""How fast a committed set grows."""

from math import inf

import pytest

from exchange.guards import growth_per_day


def test_growth_is_by_day_and_not_compounded() -> None:
    assert growth_per_day((100, 1000), (101, 1500)) == 0.5
    assert growth_per_day((100, 1000), (110, 2000)) == pytest.approx(0.1)
    assert growth_per_day((100, 1000), (100 + 365, 1000)) == 0


def test_what_shrinks_does_not_grow() -> None:
    assert growth_per_day((100, 1000), (102, 500)) == -0.25
    assert growth_per_day((100, 1000), (100, 500)) == -0.5
    assert growth_per_day((100, 1000), (99, 1000)) == 0
    assert growth_per_day((100, 0), (101, 0)) == 0


def test_what_grew_within_a_day_counts_as_grown_in_one() -> None:
    assert growth_per_day((100, 1000), (100, 1500)) == 0.5
    assert growth_per_day((100, 1000), (99, 5000)) == 4
    assert growth_per_day((100, 0), (101, 1)) == inf
