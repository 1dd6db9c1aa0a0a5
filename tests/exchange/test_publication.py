"""The signed description of a filter: one encoding, every field checked."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import PeerMisbehaved
from exchange.indicators import IndicatorType
from exchange.publication import Kind, Publication, sign, verify

MADE = Publication(
    alliance="tests.example.com", member="acme", epoch=bytes(16), number=3,
    types=(IndicatorType.DOMAIN, IndicatorType.IPV4), profile="cti-c14n/1", kind=Kind.GOLOMB, fpr=2.0**-30,
    items=1024, public_key=bytes(32), digest=bytes(32), size=5000, made=1_800_000_000, expires=1_800_600_000,
)  # fmt: skip
WRONG = {
    "alliance": ["", "a\nb", 1], "member": ["ACME", b"acme"], "epoch": [b"", bytes(15), "00" * 8],
    "number": [0, -1, True, 2**32, 1.0], "types": [(), MADE.types[::-1], MADE.types[:1] * 2],
    "profile": [""], "fpr": [0.0, 0.6, -1.0, float("nan"), 1], "items": [0, 1023, 2**32],
    "public_key": [bytes(31)], "digest": [bytes(33)], "size": [0, 4097 + 16 * 1024],
    "made": [0, 1_800_600_000],
    "expires": [1_800_000_000, 1_900_000_000],
}  # fmt: skip


def test_it_survives_its_encoding():
    assert Publication.from_bytes(MADE.encoded) == MADE
    assert len(MADE.encoded) < 512


@pytest.mark.parametrize(("name", "value"), [(name, v) for name, values in WRONG.items() for v in values])
def test_a_wrong_field_is_refused(name, value):
    with pytest.raises(PeerMisbehaved) as caught:
        replace(MADE, **{name: value})
    assert caught.value.code == "bad-publication"


def test_every_field_but_the_kind_has_wrong_values():
    assert {f.name for f in fields(Publication)} == {*WRONG, "kind"}


@pytest.mark.parametrize("name", [f.name for f in fields(Publication)])
def test_a_field_that_is_missing_or_new_is_refused(name):
    raw = cbor2.loads(MADE.encoded)
    for changed in ({k: v for k, v in raw.items() if k != name}, raw | {name + "x": 1}):
        with pytest.raises(PeerMisbehaved):
            Publication.from_bytes(cbor2.dumps(changed, canonical=True))


def test_other_bytes_are_refused():
    encoded = MADE.encoded
    others = [
        b"",
        b"\xff",
        encoded + b"\0",
        encoded[:-1],
        cbor2.dumps(cbor2.loads(encoded) | {"kind": "raw"}),
    ]
    others += [bytes(5000), cbor2.dumps([1]), cbor2.dumps(dict(reversed(cbor2.loads(encoded).items())))]
    for data in others:
        with pytest.raises(PeerMisbehaved):
            Publication.from_bytes(data)


def test_a_signature_is_of_one_description_and_one_key():
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    signature = sign(MADE, key)
    assert verify(MADE, signature, public)
    assert not verify(replace(MADE, number=4), signature, public)
    assert not verify(MADE, sign(MADE, other), public)
    assert not verify(MADE, b"", public)
    assert not verify(MADE, signature, b"")


def test_it_is_in_force_until_its_epoch_ends():
    made, end = datetime.fromtimestamp(MADE.made, UTC), datetime.fromtimestamp(MADE.expires, UTC)
    assert MADE.covers(made)
    assert MADE.covers(made - timedelta(minutes=4))
    assert not MADE.covers(made - timedelta(minutes=6))
    assert not MADE.covers(end)
