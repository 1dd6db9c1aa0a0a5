"""Keys in files, signatures under labels, and the points that bind nobody."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from exchange.errors import ConfigError
from exchange.identity import keys
from exchange.identity.keys import NodeKeys

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P


def test_keys_survive_their_files():
    ours = NodeKeys.generate()
    again = NodeKeys.from_pem(ours.to_pem())
    assert again.to_pem() == ours.to_pem()
    assert len({*ours.to_pem().values()}) == 3


@pytest.mark.parametrize("name", ["identity", "log", "ca"])
def test_a_damaged_or_wrong_key_is_named_and_not_quoted(name):
    pem = NodeKeys.generate().to_pem()
    wrong = keys.to_pem(rsa.generate_private_key(65537, 2048))
    for bad in (b"", pem[name][:-40], pem["identity" if name == "ca" else "ca"], wrong):
        with pytest.raises(ConfigError, match=f"the {name} key is") as caught:
            NodeKeys.from_pem({**pem, name: bad})
        assert "BEGIN" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_ca_key_is_on_the_curve_that_tls_speaks():
    with pytest.raises(ConfigError, match="wrong kind"):
        keys.load_ca_key("root", keys.to_pem(ec.generate_private_key(ec.SECP384R1())))


def test_a_signature_says_what_it_signs():
    ours = NodeKeys.generate()
    public = keys.public_bytes(ours.identity)
    signature = keys.sign(ours.identity, "one label", b"body")
    assert keys.verify(public, "one label", b"body", signature)
    assert not keys.verify(public, "another label", b"body", signature)
    assert not keys.verify(public, "one label", b"bodY", signature)
    assert not keys.verify(public, "one", b" label\0body", signature)
    assert not keys.verify(keys.public_bytes(ours.log), "one label", b"body", signature)
    assert not keys.verify(b"short", "one label", b"body", signature)
    assert not keys.verify(public, "one label", b"body", signature[:-1])


def times(n, point):
    """Scalar multiple on edwards25519, the plain way (RFC 8032 section 5.1.4)."""

    def add(p, q):
        (x1, y1), (x2, y2) = p, q
        t = D * x1 * x2 * y1 * y2
        x = (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P)
        return x % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P

    result = (0, 1)
    for _ in range(n):
        result = add(result, point)
    return result


def x_of(y):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    return x


def test_the_weak_points_are_all_points_of_small_order():
    """Eight points, five values of y: each refused, whatever its sign."""
    found = set()
    for y in keys._SMALL_ORDER_Y:
        for x in {x_of(y), -x_of(y) % P}:
            assert times(8, (x, y)) == (0, 1)
            found.add((x, y))
        for sign in (0, 1 << 255):
            assert not keys.is_strong((y | sign).to_bytes(32, "little"))
    assert len(found) == 8


def test_only_one_encoding_of_a_key_is_strong():
    assert keys.is_strong(keys.public_bytes(NodeKeys.generate().identity))
    for y in (P, P + 1, P + 3, 2**255 - 1):
        assert not keys.is_strong(y.to_bytes(32, "little"))
    assert not keys.is_strong(b"\5" * 31)


def test_a_fingerprint_can_be_read_out():
    assert keys.fingerprint(b"") == "e3b0 c442 98fc 1c14 9afb f4c8 996f b924"
