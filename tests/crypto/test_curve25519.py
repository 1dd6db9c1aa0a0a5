"""The Diffie-Hellman engine against the RFCs, plain Python and OpenSSL."""

import copy
import json
import pickle

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import curve25519
from crypto.errors import DecodeError, ParameterError
from tests.reference import curve25519 as oracle
from tests.reference.arrays import VECTORS, packed, unpacked

RFC = json.loads((VECTORS / "curve25519.json").read_text())
EDGES = [
    value.to_bytes(32, "little")
    for value in [*range(4), *(oracle.P + n for n in range(-3, 19)), 2**255 - 1, 2**255, 2**256 - 1]
]
row32 = st.one_of(st.binary(min_size=32, max_size=32), st.sampled_from(EDGES))
scalars = st.one_of(st.binary(min_size=32, max_size=32), st.sampled_from([bytes(32), b"\xff" * 32]))


def scalar(draw: bytes) -> curve25519.Scalar:
    return curve25519.generate_scalar(rng=lambda n: draw)


def numbers(*values: int):
    return packed([value.to_bytes(64, "little") for value in values], 64)


@pytest.mark.parametrize("vector", RFC["x25519"])
def test_rfc_7748(vector) -> None:
    point = packed([bytes.fromhex(vector["u"])])
    product = curve25519.multiply(point, scalar(bytes.fromhex(vector["scalar"])))
    assert product.tobytes().hex() == vector["product"]


def test_rfc_7748_a_thousand_times() -> None:
    k = u = (9).to_bytes(32, "little")
    for iteration in range(1, 1001):
        k, u = curve25519.multiply(packed([u]), scalar(k)).tobytes(), k
        assert RFC["iterated"].get(str(iteration), k.hex()) == k.hex()


@pytest.mark.parametrize("vector", RFC["elligator2"])
def test_rfc_9380(vector) -> None:
    element, point, cleared = (int(vector[name], 16) for name in ("element", "point", "cleared"))
    assert curve25519.map_to_curve(numbers(element)).tobytes() == oracle.encode(point)
    assert oracle.elligator2(element) == point
    assert oracle.ladder(8, point) == cleared


@settings(deadline=None, max_examples=60)
@given(scalars, st.lists(row32, max_size=20))
def test_products_are_those_of_the_oracle(draw: bytes, points: list[bytes]) -> None:
    expected = [oracle.x25519(draw, point) for point in points]
    if bytes(32) in expected:
        with pytest.raises(DecodeError, match=f"row {expected.index(bytes(32))} is a point of small order"):
            curve25519.multiply(packed(points, 32), scalar(draw))
    else:
        assert unpacked(curve25519.multiply(packed(points, 32), scalar(draw))) == expected


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_products_are_those_of_openssl(ours: bytes, theirs: bytes) -> None:
    public = X25519PrivateKey.from_private_bytes(theirs).public_key().public_bytes_raw()
    shared = X25519PrivateKey.from_private_bytes(ours).exchange(X25519PublicKey.from_public_bytes(public))
    assert curve25519.multiply(packed([public]), scalar(ours)).tobytes() == shared


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.integers(0, 2**512 - 1), st.integers(0, 40), st.integers(-40, 40)), max_size=20))
def test_the_map_is_that_of_the_oracle(values: list[int]) -> None:
    values = [value % 2**512 if value >= 0 else oracle.P + value for value in values]
    expected = [oracle.encode(oracle.elligator2(value % oracle.P)) for value in values]
    assert unpacked(curve25519.map_to_curve(numbers(*values))) == expected


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 80), st.data())
def test_items_are_hashed_as_the_oracle_does(key: bytes, width: int, data: st.DataObject) -> None:
    table = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=12))
    points = curve25519.encode(key, packed(table, width))
    assert unpacked(points) == [oracle.encode_to_curve(key, row) for row in table]
    curve25519.validate(points)


@settings(deadline=None, max_examples=150)
@given(row32)
def test_validation_agrees_with_the_oracle(point: bytes) -> None:
    if oracle.valid(point):
        curve25519.validate(packed([point]))
    else:
        with pytest.raises(DecodeError, match="row 0 "):
            curve25519.validate(packed([point]))


@pytest.mark.parametrize("u", oracle.SMALL_ORDER)
@pytest.mark.parametrize("position", [0, 255, 256, 299])
def test_points_of_small_order_are_the_peers_fault(u: int, position: int) -> None:
    assert oracle.ladder(8, u) == 0
    points = curve25519.map_to_curve(numbers(*range(1, 301))).copy()
    points[position] = np.frombuffer(oracle.encode(u), np.uint8)
    with pytest.raises(DecodeError, match=f"row {position} "):
        curve25519.multiply(points, curve25519.generate_scalar())


def test_no_output_is_on_the_twist_and_half_of_bare_hashes_are() -> None:
    """What SHA-256 taken for a coordinate gives away, and ``encode`` does not: a bit that products keep."""
    n = 400
    table = packed([n.to_bytes(4, "big") for n in range(n)])
    points = curve25519.encode(bytes(32), table)
    masked = curve25519.multiply(points, curve25519.generate_scalar())
    assert all(oracle.valid(row) for row in [*unpacked(points), *unpacked(masked)])
    bare = np.random.default_rng(1).integers(0, 256, (n, 32), np.uint8)
    on = [oracle.is_square(oracle.equation(oracle.decode(row))) for row in unpacked(bare)]
    kept = unpacked(curve25519.multiply(bare, curve25519.generate_scalar()))
    assert [oracle.is_square(oracle.equation(oracle.decode(row))) for row in kept] == on
    assert n // 4 < sum(on) < 3 * n // 4


@settings(deadline=None, max_examples=30)
@given(scalars, scalars)
def test_masks_commute_and_come_off(one: bytes, other: bytes) -> None:
    a, b = scalar(one), scalar(other)
    points = curve25519.encode(bytes(32), np.arange(20, dtype=np.uint8).reshape(10, 2))
    both = curve25519.multiply(curve25519.multiply(points, a), b)
    assert np.array_equal(both, curve25519.multiply(curve25519.multiply(points, b), a))
    assert np.array_equal(curve25519.multiply(both, curve25519.inverse(a)), curve25519.multiply(points, b))


def test_products_of_points_that_differ_by_a_small_one_are_equal() -> None:
    """So equal rows show only after a multiplication: who counts rows has to look there."""
    point = curve25519.encode(bytes(32), np.zeros((1, 1), np.uint8))
    u = oracle.decode(point.tobytes())
    shifted = packed([oracle.encode(pow(u, -1, oracle.P))])  # plus (0, 0), the point of order two
    assert not np.array_equal(point, shifted)
    curve25519.validate(shifted)
    secret = curve25519.generate_scalar()
    assert np.array_equal(curve25519.multiply(point, secret), curve25519.multiply(shifted, secret))


def test_scalars_are_fresh_and_opaque() -> None:
    points = curve25519.encode(bytes(32), np.zeros((1, 1), np.uint8))
    secrets = [curve25519.generate_scalar() for _ in range(4)]
    assert len({curve25519.multiply(points, secret).tobytes() for secret in secrets}) == 4
    assert repr(secrets[0]) == "<Curve25519Scalar>"
    for attempt in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            attempt(secrets[0])


def test_nothing_of_nothing() -> None:
    none = np.empty((0, 32), np.uint8)
    curve25519.validate(none)
    assert curve25519.multiply(none, curve25519.generate_scalar()).shape == (0, 32)
    assert curve25519.encode(bytes(32), np.empty((0, 5), np.uint8)).shape == (0, 32)
    assert curve25519.map_to_curve(np.empty((0, 64), np.uint8)).shape == (0, 32)


def test_what_is_out_of_range_is_our_mistake() -> None:
    rows = np.zeros((1, 31), np.uint8)
    for call in (
        lambda: curve25519.multiply(rows, curve25519.generate_scalar()),
        lambda: curve25519.validate(rows),
        lambda: curve25519.map_to_curve(rows),
        lambda: curve25519.encode(bytes(31), rows),
        lambda: scalar(bytes(31)),
    ):
        with pytest.raises(ParameterError):
            call()
