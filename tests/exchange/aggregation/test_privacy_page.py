"""The numbers in the page on the privacy of aggregates are those of the code."""

import re
from fractions import Fraction

import pytest

from crypto.secagg.noise import Noise, honest
from exchange.aggregation.budget import Budget, least
from tests.architecture.tree import ROOT
from tests.reference.noise import loss

PAGE = (ROOT / "docs/privacy-of-aggregates.md").read_text()
EPSILONS = (500, 1000, 2000, 4000)
REPORTERS = 3


def table(head: str) -> list[list[str]]:
    """The rows of the table whose first line begins so."""
    lines = PAGE.split(f"\n| {head}")[1].split("\n\n")[0].splitlines()[2:]
    assert len(lines) > 3
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def counted_on(n: int) -> int:
    return honest(2 * n // 3 + 1, (n - 1) // 3)


@pytest.mark.parametrize("row", table("members | h |"), ids=lambda row: row[0])
def test_the_deviations(row) -> None:
    n, h, *deviations = row
    assert counted_on(int(n)) == int(h)
    for epsilon_milli, said in zip(EPSILONS, deviations, strict=True):
        noise = Noise(epsilon_milli=epsilon_milli, cap=1, honest=int(h))
        assert f"{noise.deviation(int(n)):.2f}" == said


@pytest.mark.parametrize("row", table("members | bar"), ids=lambda row: row[0])
def test_the_bars(row) -> None:
    n, *bars = map(int, row)
    for epsilon_milli, said in zip(EPSILONS, bars, strict=True):
        assert least(REPORTERS, Noise(epsilon_milli=epsilon_milli, cap=1, honest=counted_on(n)), n) == said


@pytest.mark.parametrize("row", table("left of h"), ids=lambda row: row[0])
def test_what_is_lost_with_fewer_honest_members(row) -> None:
    """From the laws themselves, as the largest ratio of the chances of two neighbours."""
    left, *losses = row
    for epsilon_milli, said in zip(EPSILONS, losses, strict=True):
        assert f"{loss(Fraction(left), epsilon_milli / 1000):.3f}" == said


def test_the_budget() -> None:
    budget = Budget()
    said = [int(epsilon) for epsilon in re.findall(r"^\| .* \| epsilon (\d+) \|$", PAGE, re.MULTILINE)]
    assert said == [budget.release_milli / 1000, budget.month_milli / 1000, budget.year_milli / 1000]


def test_more_noise_than_is_counted_on_loses_less() -> None:
    assert loss(Fraction(2), 1.0) < loss(Fraction(1), 1.0) < loss(Fraction(9, 10), 1.0)
