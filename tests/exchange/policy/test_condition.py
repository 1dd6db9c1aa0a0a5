"""Conditions are read strictly and say what they do not know."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.policy import Condition, Rung
from tests.exchange.policy.cases import past

RUN = past(rung=Rung.CARDINALITY, matched=20, total=90, peer_padded=1024)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("cardinality >= 20", True),
        ("cardinality > 20", False),
        ("cardinality<=20", True),
        ("cardinality < 20", False),
        ("  cardinality == 20 ", True),
        ("cardinality == 21", False),
        ("sum >= 90", True),
        ("sum < 90", False),
        ("size == 1024", True),
        ("size > 1024", False),
        ("estimate >= 1", None),
    ],
)
def test_a_number_of_a_session_is_compared(text: str, holds: bool | None) -> None:
    assert Condition.parse(text).holds(RUN) is holds


def test_what_is_not_known_is_neither_true_nor_false() -> None:
    nothing = replace(RUN, matched=None, total=None, peer_padded=None)
    for word in ("size", "estimate", "cardinality", "sum"):
        assert Condition(word, ">=", 0).holds(nothing) is None
    estimate = replace(RUN, rung=Rung.ESTIMATE)
    assert Condition("cardinality", ">=", 0).holds(estimate) is None, "an estimate is no count"
    assert Condition("estimate", ">=", 20).holds(estimate) is True
    assert Condition("cardinality", ">=", 20).holds(replace(RUN, rung=Rung.OVERLAP)) is True


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "cardinality", ">= 20", "cardinality >= ", "cardinality => 20", "cardinality = 20",
        "cardinality != 20", "cardinality >= -1", "cardinality >= 1.5", "cardinality >= 1e3",
        "cardinality >= 1_000", "cardinality >= 0x10", "cardinality >= twenty", "Cardinality >= 20",
        "count >= 20", "cardinality >= 20 and size > 1", "cardinality >= 20; size > 1",
        "cardinality\n>= 20", "cardinality >= 20\n", "cardinality\t>= 20", "cardinality  >=  20",
        "cardinality >= ٢٠", "cardinality ≥ 20", "__import__('os') >= 20", "size >= 20\x00",
        f"size >= {1 << 53}", "size >= " + "9" * 5000, "(size) >= 1", "size >> 1", "size >== 1",
    ],
)  # fmt: skip
def test_nothing_else_is_a_condition(text: str) -> None:
    with pytest.raises(ValueError, match="such as: cardinality >= 20"):
        Condition.parse(text)


@given(
    st.sampled_from(["size", "estimate", "cardinality", "sum"]),
    st.sampled_from([">=", "<=", "==", ">", "<"]),
    st.integers(0, (1 << 53) - 1),
    st.sampled_from(["", " "]),
)
def test_its_text_is_read_back(word: str, comparison: str, number: int, space: str) -> None:
    condition = Condition.parse(f"{word}{space}{comparison}{space}{number}")
    assert condition == Condition(word, comparison, number)
    assert Condition.parse(str(condition)) == condition


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        condition = Condition.parse(text)
    except ValueError:
        return
    assert Condition.parse(str(condition)) == condition
