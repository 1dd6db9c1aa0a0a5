"""Shared secrets: published vectors, plain Python as oracle, and that too few shares say nothing.

No other library is asked: ``pycryptodomex`` shares over GF(2^128), which cannot be compared, and SLIP-39's
own package hides the sharing in sentences. The vectors of SLIP-39 are over the same field, though; what is in
their sentences was taken out once with that package, and the digest in them shows that a secret is right.
"""

import hmac
from collections import Counter
from itertools import combinations, permutations, product
from secrets import token_bytes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import _native
from crypto.errors import ParameterError
from crypto.rows import Rows
from crypto.secagg import shamir
from tests.reference import secagg as oracle

SECRET = bytes(range(100, 132))
SECRETS = st.binary(min_size=32, max_size=32)
PLACES = st.lists(st.integers(1, 255), min_size=2, max_size=12, unique=True).map(bytes)

SLIP_39 = {
    "2 of 3": {
        2: "81e5473f4b7f66094f888d2f98fe0ded6a692dc72c65dc498d6e28bee6ebdfcc",
        1: "19e366e9b2e34851e52132c31c2b2c957321bf5ce6c9c1410ea1ddf5fef92c27",
    },
    "3 of 5": {
        0: "82a363ed145a49a4e37311253c105846c0afb13b74e5ddda9cc25d7aae49bc89",
        1: "d127f1f9bc12e3856fb3983104783b71480d249d80101568def4a41100177dfb",
        4: "4bde8a604105f3a6c32f2f547131aafea756725a28e80a14d59d8f05c4adcca5",
    },
}
"""Of github.com/trezor/python-shamir-mnemonic, vectors.json: "humidity disease", "wildlife deal ceramic"."""


def rows(*shares: bytes) -> Rows:
    return np.frombuffer(b"".join(shares), np.uint8).reshape(-1, 32)


@pytest.mark.parametrize("shares", SLIP_39.values(), ids=SLIP_39.keys())
def test_shares_of_slip_39(shares: dict[int, str]) -> None:
    """The secret stands at 255 there, and at 254 a random R behind HMAC-SHA-256(R, secret), 4 bytes of it.

    Adding ``x`` to each place takes the value at ``x`` to 0.
    """
    table = rows(*map(bytes.fromhex, shares.values()))
    secret, digest = (shamir.reconstruct(bytes(x ^ at for x in shares), table) for at in (255, 254))
    assert digest[:4] == hmac.digest(digest[4:], secret, "sha256")[:4]


def test_products_of_fips_197() -> None:
    """4.2: the oracle's field is that of AES."""
    assert [oracle.multiply(0x57, b) for b in (0x83, 0x13, 0x02)] == [0xC1, 0xFE, 0xAE]


@settings(max_examples=40, deadline=None)
@given(secret=SECRETS, xs=PLACES, data=st.data())
def test_any_threshold_of_shares_give_the_secret(secret: bytes, xs: bytes, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(2, len(xs)))
    shares = shamir.split(secret, threshold, xs)
    count = data.draw(st.integers(threshold, len(xs)))
    chosen = data.draw(st.permutations(range(len(xs))))[:count]
    some = bytes(xs[at] for at in chosen)
    assert shamir.reconstruct(some, shares[chosen]) == secret


@settings(max_examples=25, deadline=None)
@given(secret=SECRETS, xs=PLACES, data=st.data())
def test_shares_and_sums_of_any_number_are_the_oracle_s(
    secret: bytes, xs: bytes, data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(2, min(len(xs), 5)))
    size = 32 * (threshold - 1)
    draw = data.draw(st.binary(min_size=size, max_size=size))
    shares = shamir.split(secret, threshold, xs, rng=lambda n: draw[:n])
    expected = oracle.split(secret, threshold, xs, draw)
    assert [row.tobytes() for row in shares] == expected
    count = data.draw(
        st.integers(2, min(len(xs), 5))
    )  # too few give another value, which is defined all the same
    assert shamir.reconstruct(xs[:count], shares[:count]) == oracle.reconstruct(xs[:count], expected[:count])


def test_every_threshold_of_shares_of_a_hundred_members() -> None:
    xs = bytes(range(1, 101))
    shares = shamir.split(SECRET, 67, xs)
    for start in range(34):
        assert shamir.reconstruct(xs[start : start + 67], shares[start : start + 67]) == SECRET
    assert shamir.reconstruct(xs[:66], shares[:66]) != SECRET


def test_one_share_of_two_is_equally_likely_whatever_the_secret() -> None:
    """Over all coefficients a share takes each value once, whatever the secret and the place."""
    coefficients = np.arange(256, dtype=np.uint8)
    for secret, x in product((0, 1, 0x80, 0xFF), (1, 2, 77, 255)):
        seen: Counter[int] = Counter()
        for block in coefficients.reshape(8, 32):
            share = shamir.split(
                bytes([secret]) * 32, 2, bytes([x, x ^ 255 or 3]), rng=lambda _, b=block: b.tobytes()
            )
            seen.update(share[0].tolist())
        assert seen == Counter(range(256))


def test_two_shares_of_three_are_equally_likely_whatever_the_secret() -> None:
    """The same of pairs: over all pairs of coefficients, each pair of values comes once."""
    xs = bytes([1, 2, 3])
    for secret in (0, 0xA5):
        seen: set[tuple[int, int]] = set()
        for high in range(256):
            for low in np.arange(256, dtype=np.uint8).reshape(8, 32):
                draw = bytes([high]) * 32 + low.tobytes()
                shares = shamir.split(bytes([secret]) * 32, 3, xs, rng=lambda _, d=draw: d)
                seen.update(zip(shares[0].tolist(), shares[2].tolist(), strict=True))
        assert len(seen) == 256**2


def test_the_default_randomness_is_fresh() -> None:
    seen = {shamir.split(SECRET, 2, b"\1\2").tobytes() for _ in range(50)}
    assert len(seen) == 50
    assert shamir.split(SECRET, 2, b"\1\2", rng=lambda n: token_bytes(n)).shape == (2, 32)  # noqa: PLW0108


def test_a_secret_is_read_where_it_is_and_comes_back_to_be_wiped() -> None:
    secret = bytearray(SECRET)
    shares = shamir.split(memoryview(secret), 2, b"\1\2")
    secret.clear()  # nothing holds its memory
    back = shamir.reconstruct(b"\1\2", shares)
    assert isinstance(back, bytearray)
    assert back == SECRET


def test_the_order_of_shares_does_not_matter() -> None:
    shares = shamir.split(SECRET, 3, b"\7\1\xff")
    for order in permutations(range(3)):
        xs = bytes(b"\7\1\xff"[at] for at in order)
        assert shamir.reconstruct(xs, shares[list(order)]) == SECRET


def test_a_wrong_share_is_seen_in_the_secret_alone() -> None:
    shares = shamir.split(SECRET, 3, bytes(range(1, 6)))
    shares[1, 7] ^= 1
    for chosen in combinations(range(5), 3):
        xs = bytes(at + 1 for at in chosen)
        assert (shamir.reconstruct(xs, shares[list(chosen)]) == SECRET) is (1 not in chosen)


@pytest.mark.parametrize(
    ("threshold", "xs"),
    [
        (0, b"\1\2\3"),
        (1, b"\1\2\3"),
        (-1, b"\1\2\3"),
        (4, b"\1\2\3"),
        (2, b"\1\1\2"),
        (2, b"\0\1\2"),
        (2, b""),
        (2, b"\1"),
    ],
)
def test_what_shares_nothing_is_refused(threshold: int, xs: bytes) -> None:
    with pytest.raises(ParameterError):
        shamir.split(SECRET, threshold, xs)


def test_secrets_and_randomness_have_their_lengths() -> None:
    for length in (0, 31, 33):
        with pytest.raises(ParameterError):
            shamir.split(bytes(length), 2, b"\1\2")
    for length in (0, 31, 33, 64):
        with pytest.raises(ParameterError):
            shamir.split(SECRET, 2, b"\1\2", rng=lambda _, n=length: bytes(n))


@pytest.mark.parametrize("xs", [b"\1\1", b"\0\1", b"\1\2\3", b"\1", b""])
def test_places_that_are_none_or_twice_or_too_few_are_refused(xs: bytes) -> None:
    shares = shamir.split(SECRET, 2, b"\1\2")
    with pytest.raises(ParameterError):
        shamir.reconstruct(xs, shares)
    if len(xs) < 2:
        with pytest.raises(ParameterError):
            shamir.reconstruct(xs, shares[: len(xs)])


def test_the_module_itself_refuses_what_python_should_have() -> None:
    row = rows(SECRET)
    for call in (
        lambda: _native.shamir_split(rows(SECRET, SECRET), 2, b"\1\2", None),
        lambda: _native.shamir_split(row, 1, b"\1\2", None),
        lambda: _native.shamir_split(row, 2, b"\1\2", bytes(31)),
        lambda: _native.shamir_reconstruct(b"\1\2", row),
        lambda: _native.shamir_reconstruct(b"\1", row),
    ):
        with pytest.raises(ParameterError):
            call()
