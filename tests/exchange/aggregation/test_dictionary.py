"""A dictionary has one encoding, and one root that everybody computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.aggregation.dictionary import Dictionary, repeated
from exchange.errors import InputError, PeerMisbehaved
from exchange.indicators import Indicator, IndicatorType
from tests.exchange.aggregation.openings import OPENING, dictionary, opening

IPV4, DOMAIN = IndicatorType.IPV4, IndicatorType.DOMAIN
ENTRIES = [Indicator(IPV4, "8.8.8.8"), Indicator(DOMAIN, "bad.com"), Indicator(IPV4, "8.8.4.4")]


def test_its_bytes_are_sorted_distinct_lines() -> None:
    found = Dictionary.of([*ENTRIES, ENTRIES[0]])
    assert found.encoded == b"domain\x1fbad.com\nipv4\x1f8.8.4.4\nipv4\x1f8.8.8.8\n"
    assert [*found] == [ENTRIES[1], ENTRIES[2], ENTRIES[0]]
    assert found.by_type == {DOMAIN: 1, IPV4: 2}
    assert len(found) == 3
    assert Dictionary.decode(found.encoded).root == found.root == Dictionary.of(reversed(ENTRIES)).root


def test_a_part_of_it_is_one_too() -> None:
    found = Dictionary.of(ENTRIES)
    part = found.subset(np.array([0, 2]))
    assert [*part] == [found[0], found[2]]
    assert part.root == Dictionary.of([*part]).root != found.root
    with pytest.raises(InputError, match="no entry is left"):
        found.subset(np.array([], np.int64))
    with pytest.raises(InputError):
        Dictionary.of([])


def test_what_was_counted_before_is_found_whatever_else_is_in_the_dictionary() -> None:
    """Differencing by a dictionary with one entry more, which has another root."""
    whole = dictionary(20)
    more = Dictionary.of([*whole, ENTRIES[1]])
    assert more.root != whole.root
    assert repeated(more, [whole]) == 20
    assert repeated(whole, [more.subset(np.arange(3)), more.subset(np.arange(2, 5))]) == 5 - (
        more[0] not in whole
    )
    assert repeated(whole, []) == repeated(whole, [Dictionary.of(ENTRIES[1:2])]) == 0
    assert repeated(whole, [Dictionary.of(ENTRIES[1:2]), None]) == 20, "it may have held them all"


def test_every_entry_counts_in_the_root() -> None:
    """An altered dictionary, and one that only a single member is given, is the dictionary of another run."""
    whole = dictionary(20)
    roots = {whole.root, *(whole.subset(np.delete(np.arange(20), i)).root for i in range(20))}
    assert len(roots) == 21
    usual = opening(dictionary=whole.root, entries=20, types=(DOMAIN, IPV4))
    whole.check(usual)
    for other in (whole.subset(np.arange(19)), Dictionary.of(ENTRIES)):
        with pytest.raises(PeerMisbehaved, match="not the one of the opening"):
            other.check(usual)
    with pytest.raises(PeerMisbehaved):
        whole.check(OPENING)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\n",
        b"ipv4\x1f8.8.8.8",
        b"ipv4\x1f8.8.8.8\nipv4\x1f8.8.4.4\n",
        b"ipv4\x1f8.8.8.8\nipv4\x1f8.8.8.8\n",
        b"ipv4\x1f8.8.8.8\n\n",
        b"ipv4\x1f08.8.8.8\n",
        b"ipv4\x1f10.0.0.1\n",
        b"ipv9\x1f8.8.8.8\n",
        b"ipv4 8.8.8.8\n",
        b"domain\x1fBAD.com\n",
        b"domain\x1f8.8.8.8\n",
        b"ipv6\x1f::ffff:8.8.8.8\n",
        b"domain\x1f\xff.com\n",
        b"domain\x1fbad.com\x1f\n",
        b"domain\x1fbad.com\r\n",
    ],
)
def test_other_encodings_are_refused(encoded: bytes) -> None:
    with pytest.raises(PeerMisbehaved):
        Dictionary.decode(encoded)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_give_the_one_error(body: bytes) -> None:
    try:
        found = Dictionary.decode(body)
    except PeerMisbehaved:
        return
    assert found.encoded == body
