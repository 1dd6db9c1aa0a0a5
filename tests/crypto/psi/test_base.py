"""What every protocol builds on: parameters, padding, tags."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import labels
from crypto.errors import ParameterError
from crypto.psi import Params
from crypto.psi.base import pad, tags
from tests.crypto.psi.parties import CONTEXT, deterministic_rng, items


@given(st.integers(1, 1 << 32), st.integers(1, 1 << 32), st.integers(40, 128))
def test_tags_are_long_enough_and_no_longer(n_r, n_s, stat_sec) -> None:
    bits = 8 * Params(n_r=n_r, n_s=n_s, context=CONTEXT, stat_sec=stat_sec).tag_bytes
    exact = stat_sec + math.log2(n_r * n_s)
    assert exact <= bits + 1e-6
    assert bits < exact + 8 + 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_r": 0},
        {"n_s": 0},
        {"n_r": (1 << 32) + 1},
        {"context": b"short"},
        {"stat_sec": 39},
        {"stat_sec": 129},
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ParameterError):
        Params(**{"n_r": 1, "n_s": 1, "context": CONTEXT, **wrong})


def test_padding_keeps_items_in_front_and_fills_with_fresh_rows() -> None:
    padded = pad(items(5, 6, 5, 7), 8, rng=deterministic_rng(b"x"))
    assert padded.rows.shape == (8, 32)
    assert padded.origin.tolist() == [0, 1, 3]
    assert len({r.tobytes() for r in padded.rows}) == 8
    assert padded.rows[:3].tobytes() == items(5, 6, 7).tobytes()


def test_a_filling_row_that_matches_is_no_item() -> None:
    padded = pad(items(5, 6), 4, rng=deterministic_rng(b"x"))
    assert padded.matches(np.array([3, 1, 2], np.int64)).indices.tolist() == [1]


def test_padding_to_less_than_the_set_is_our_mistake() -> None:
    with pytest.raises(ParameterError):
        pad(items(1, 2, 3), 2, rng=deterministic_rng(b"x"))


def test_tags_depend_on_label_and_context_and_nothing_else() -> None:
    outputs = items(1, 2)
    one = tags(outputs, label=labels.TAG, context=CONTEXT, width=9)
    assert one.shape == (2, 9)
    assert one.flags.c_contiguous
    assert np.array_equal(one, tags(outputs, label=labels.TAG, context=CONTEXT, width=16)[:, :9])
    assert not np.array_equal(one, tags(outputs, label=labels.MATCH_PROOF, context=CONTEXT, width=9))
    assert not np.array_equal(one, tags(outputs, label=labels.TAG, context=bytes(32), width=9))
