"""``docs/profile.md`` says what the profile does: every type, every reason, and examples that are true."""

import re

import pytest

from exchange.indicators import PROFILE, REASONS, Indicator, IndicatorType
from exchange.indicators.digests import LENGTHS
from tests.architecture.tree import ROOT
from tests.exchange.indicators.golden import outcome
from tests.exchange.indicators.test_canonical import OF_READERS

PAGE = (ROOT / "docs/profile.md").read_text()
TYPES = PAGE.split("\n## The types\n")[1].split("\n## ")[0]
REFUSALS = PAGE.split("\n## Refusals\n")[1]
ROWS = re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \| (.+?) \| (.+?) \| (.*?) \|", TYPES, re.MULTILINE)
EXAMPLES = [
    (kind, written, canonical)
    for kind, goes_in, comes_out, _, _ in ROWS
    for written, canonical in zip(
        re.findall("`([^`]+)`", goes_in), 3 * re.findall("`([^`]+)`", comes_out), strict=False
    )
    if "..." not in written
]


def test_every_type_has_its_row() -> None:
    assert f"`{PROFILE}`" in PAGE.splitlines()[0]
    assert sorted(kind for kind, *_ in ROWS) == sorted(IndicatorType)


def test_lengths_are_right() -> None:
    stated = {kind: goes_in for kind, goes_in, *_ in ROWS if kind in LENGTHS}
    assert {kind: tuple(map(int, re.findall(r"\d+", text))) for kind, text in stated.items()} == LENGTHS


@pytest.mark.parametrize(("kind", "written", "canonical"), EXAMPLES)
def test_examples_are_true(kind: str, written: str, canonical: str) -> None:
    assert outcome(kind, written) == Indicator(IndicatorType(kind), canonical)


def test_what_is_told_is_told() -> None:
    for kind, written, _ in EXAMPLES:
        told = next(row[3] for row in ROWS if row[0] == kind)
        found = outcome("any", written)
        if told == "yes":
            assert isinstance(found, Indicator)
            assert found.type == kind
        elif told == "no":
            assert not isinstance(found, Indicator) or found.type != kind


def test_every_reason_has_its_row() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", REFUSALS, re.MULTILINE)) == set(REASONS) - OF_READERS
