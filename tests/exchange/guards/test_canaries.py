"""Canaries: canonical, one's own for every peer, and in nobody's feed."""

from itertools import combinations

import numpy as np
import pytest

from crypto.errors import ParameterError
from crypto.hashing import item_rows
from exchange.guards import canaries, rows
from exchange.indicators import Indicator, IndicatorType, canonicalise, recognise

T = IndicatorType
KEY = bytes(range(32))
PINNED = [
    "214.254.127.163",
    "fbggqqgjnaxqowfxfdkfofhe.net",
    "7b5feb767b260566a8a99c47ef7c66d99679e1fe4e2c5c735513479149934daa",
]
NONE_OF = {T.ASN, T.BTC, T.CVE, T.MAC}


def of(kind: IndicatorType, n: int = 50, peer: str = "umbra", key: bytes = KEY) -> list[Indicator]:
    return canaries(key, peer, [kind], n)


@pytest.mark.parametrize("kind", sorted(set(T) - NONE_OF))
def test_they_are_canonical_and_distinct(kind: IndicatorType) -> None:
    made = of(kind, 200)
    assert len(set(made)) == 200
    assert [canonicalise(kind, one.value) for one in made] == made


@pytest.mark.parametrize("kind", [T.IPV4, T.IPV6, T.CIDR, T.DOMAIN, T.URL, T.EMAIL, T.MD5, T.SHA1, T.SHA256])
def test_nobody_takes_them_for_another_type(kind: IndicatorType) -> None:
    made = of(kind)
    assert [recognise(one.value) for one in made] == made


def test_some_types_can_have_none() -> None:
    assert [of(kind) for kind in sorted(NONE_OF)] == [[]] * 4
    assert {one.type for one in canaries(KEY, "umbra", list(T), 100)} == set(T) - NONE_OF
    assert canaries(KEY, "umbra", [], 8) == canaries(KEY, "umbra", list(T), 0) == []


def test_they_are_always_the_same() -> None:
    """Pinned: what was planted last year must be recognised next year."""
    made = canaries(KEY, "umbra", {T.SHA256, T.DOMAIN, T.IPV4}, 7)
    assert made == canaries(KEY, "umbra", [T.IPV4, T.DOMAIN, T.SHA256, T.BTC], 7)
    assert [one.type for one in made] == [T.IPV4, T.DOMAIN, T.SHA256] * 2 + [T.IPV4]
    assert [one.value for one in made[:3]] == PINNED
    assert [one for one in made if one.type is T.DOMAIN] == of(T.DOMAIN, 2)


def test_every_peer_key_and_epoch_has_others() -> None:
    variants = [
        canaries(key, peer, list(T), 300, epoch=epoch)
        for key in (KEY, bytes(32))
        for peer in ("umbra", "globex", "umbra2")
        for epoch in (0, 1, 12)
    ]
    wide = [{one for one in made if one.type is not T.IPV4} for made in variants]
    assert all(not a & b for a, b in combinations(wide, 2))
    assert all(len(set(a) & set(b)) <= 1 for a, b in combinations(variants, 2))


def test_values_say_nothing_of_the_key_but_that_they_are_of_a_kind() -> None:
    octets = np.array([list(map(int, one.value.split("."))) for one in of(T.IPV4, 4000)])
    assert {(a, b >> 6) for a, b in octets[:, :2]} == {(7, 3), (55, 3), (214, 3), (215, 1)}
    low = octets[:, 2:].reshape(-1)
    assert abs(low.mean() - 127.5) < 5 * 73.9 / np.sqrt(len(low))
    letters = "".join(one.value.split(".")[0] for one in of(T.DOMAIN, 500))
    counts = np.array([letters.count(c) for c in map(chr, range(97, 123))])
    assert ((counts - 500 * 24 / 26) ** 2 / (500 * 24 / 26)).sum() < 60, (
        "chi-square with 25 degrees: p < 1e-4"
    )


def test_their_rows_are_item_rows() -> None:
    made = canaries(KEY, "umbra", [T.IPV4, T.DOMAIN], 8)
    assert rows(made).shape == (8, 32)
    assert rows(made)[1].tobytes() == item_rows("domain", [made[1].value]).tobytes()
    assert rows([]).shape == (0, 32)
    assert rows([]).dtype == rows(made).dtype == np.uint8


def test_the_key_is_a_key() -> None:
    with pytest.raises(ParameterError):
        canaries(b"short", "umbra", [T.IPV4], 8)
