"""What is particular to ``cardinality-banded``: a band and no number, as far as that goes."""

import dataclasses

import pytest

from crypto import session, shuffled
from crypto.errors import ParameterError, PeerFault
from crypto.psi import Band, cardinality, cardinality_banded
from crypto.psi.base import pad
from crypto.psi.cardinality_banded import band_of
from tests.crypto.psi.parties import deterministic_rng, items, params

BANDS = (0, 1, 3, 10)


def run(common: int, bands: tuple[int, ...] = BANDS) -> Band:
    p = dataclasses.replace(params(20, 30), bands=bands)
    ours, theirs = items(*range(15)), items(*range(15 - common, 28))
    return session.run(cardinality_banded.receiver(ours, p), cardinality_banded.sender(theirs, p))[0]


@pytest.mark.parametrize(
    ("common", "band"),
    [
        (0, Band(0, 0)), (1, Band(1, 2)), (2, Band(1, 2)), (3, Band(3, 9)),
        (9, Band(3, 9)), (10, Band(10, None)), (15, Band(10, None)),
    ],
)  # fmt: skip
def test_the_band_is_the_one_that_the_number_lies_in(common, band) -> None:
    assert run(common) == band


def test_one_band_says_nothing() -> None:
    assert run(0, (0,)) == run(7, (0,)) == Band(0, None)


@pytest.mark.parametrize("count", range(12))
def test_bands_leave_no_gap(count) -> None:
    bands = {band_of(n, BANDS) for n in range(12)}
    assert [b for b in bands if b.low <= count <= (b.high if b.high is not None else count)] == [
        band_of(count, BANDS)
    ]


def test_without_bands_nothing_is_sent() -> None:
    none = dataclasses.replace(params(4, 4), bands=())
    for role in (cardinality_banded.receiver, cardinality_banded.sender):
        with pytest.raises(ParameterError, match="no bands"):
            next(role(items(1), none))


def test_a_receiver_that_departs_has_the_number() -> None:
    """Said on the page: nothing but its software keeps it from the number."""
    p = params(8, 8)
    own = pad(items(1, 2, 3, 4), 8, rng=deterministic_rng(b"r")).rows
    number, _ = session.run(
        shuffled.receiver(own, cardinality_banded._exchange(p)), cardinality_banded.sender(items(3, 4, 5), p)
    )
    assert number == 2


@pytest.mark.parametrize("swapped", [False, True])
def test_it_is_not_a_run_of_cardinality(swapped) -> None:
    """The same messages under other labels: parties that do not mean the same protocol count nothing."""
    p = params(4, 4)
    one, other = (cardinality, cardinality_banded) if swapped else (cardinality_banded, cardinality)
    try:
        found, _ = session.run(one.receiver(items(1, 2, 3), p), other.sender(items(1, 2, 3), p))
    except PeerFault:
        return
    assert getattr(found, "count", 0) == getattr(found, "low", 0) == 0
