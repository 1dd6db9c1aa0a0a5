"""The agreement: one encoding, one hash, every field in it; and the size classes that are declared."""

from dataclasses import fields, replace
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import labels
from crypto.psi import Output
from exchange.agreement import SMALLEST_CLASS, Agreement, Rung, Stage, padme, sign, size_class, verify
from exchange.errors import PeerMisbehaved
from exchange.indicators import IndicatorType

AGREEMENT = Agreement(
    alliance="threats.example",
    roster_epoch=3,
    roster_hash=b"r" * 32,
    initiator="acme",
    responder="umbra",
    receiver="acme",
    output=Output.RECEIVER,
    rung=Rung.OVERLAP,
    protocol="voprf",
    profile="cti-c14n/1",
    types=(IndicatorType.DOMAIN, IndicatorType.IPV4),
    initiator_padded=1024,
    responder_padded=2048,
    initiator_nonce=b"i" * 32,
    responder_nonce=b"s" * 32,
    stat_sec=40,
    purpose="shared incident response",
    initiator_policy=b"p" * 32,
    responder_policy=b"q" * 32,
    deadline_s=600,
    initiator_software="cosight 0.1.0",
    responder_software="cosight 0.1.0",
)
OTHER: dict[str, Any] = {
    "alliance": "other.example",
    "roster_epoch": 4,
    "roster_hash": b"x" * 32,
    "initiator": "globex",
    "responder": "globex",
    "receiver": "umbra",
    "output": Output.BOTH,
    "rung": Rung.SIZE,
    "protocol": "vole",
    "stage": Stage.ONLINE,
    "correlation": b"d" * 32,
    "below": b"d" * 32,
    "initiator_revision": 1,
    "responder_revision": 1,
    "initiator_set": b"x" * 32,
    "base": b"c" * 32,
    "initiator_new": 32,
    "responder_new": 64,
    "over": "sightings",
    "label_bytes": 1024,
    "bands": (0, 1, 10),
    "epsilon_milli": 500,
    "responder_set": b"x" * 32,
    "profile": "cti-c14n/2",
    "types": (IndicatorType.DOMAIN,),
    "initiator_padded": 1025,
    "responder_padded": 1024,
    "initiator_nonce": b"x" * 32,
    "responder_nonce": b"x" * 32,
    "stat_sec": 41,
    "purpose": "",
    "initiator_policy": b"x" * 32,
    "responder_policy": b"x" * 32,
    "deadline_s": 601,
    "max_frame_bytes": 1 << 20,
    "initiator_software": "cosight 0.1.1",
    "responder_software": "cosight 0.1.1",
}
WITH: dict[str, dict[str, Any]] = {
    "initiator_new": {"base": b"c" * 32},
    "responder_new": {"base": b"c" * 32},
    "over": {"rung": Rung.SUM},
    "initiator": {"receiver": "globex"},
    "stage": {"correlation": b"c" * 32},
    "correlation": {"stage": Stage.ONLINE},
}
"""What has to change too, so that it remains an agreement."""
WRONG: dict[str, list[Any]] = {
    "version": [2, True],
    "alliance": ["", b"threats.example"],
    "roster_epoch": [0, 1.0],
    "roster_hash": [b"r" * 31, "r" * 32],
    "initiator": ["Acme", "umbra"],
    "responder": ["", "acme"],
    "receiver": ["globex"],
    "output": ["receiver"],
    "rung": ["overlap"],
    "protocol": ["../voprf"],
    "stage": ["whole", Stage.ONLINE, Stage.AHEAD],
    "correlation": [b"c" * 32, "", bytearray()],
    "below": [b"c" * 31, "", None],
    "base": [b"c" * 33, "", None],
    "initiator_new": [1, -1, None],
    "responder_new": [1, True],
    "over": ["sightings", "names", None],
    "label_bytes": [-1, 65_537, 1.0],
    "bands": [(1,), (0, 0), (0, 3, 2), [0], (0, 1.0), ("0",), tuple(range(33))],
    "epsilon_milli": [-1, 16_001, None],
    "initiator_revision": [-1, True, 2**31 + 1],
    "responder_revision": [None],
    "initiator_set": [b"c" * 33],
    "responder_set": ["c" * 32],
    "profile": ["cti-c14n"],
    "types": [
        (), ("ipv4",), [IndicatorType.IPV4],
        (IndicatorType.IPV4, IndicatorType.DOMAIN), (IndicatorType.IPV4, IndicatorType.IPV4),
    ],
    "initiator_padded": [0, True],
    "responder_padded": [2**32 + 1],
    "initiator_nonce": [b""],
    "responder_nonce": [bytearray(32)],
    "stat_sec": [39, 129],
    "purpose": ["x" * 201, "two\nlines"],
    "initiator_policy": [b""],
    "responder_policy": [None],
    "deadline_s": [0],
    "max_frame_bytes": [-1],
    "initiator_software": ["\x00"],
    "responder_software": [None],
}  # fmt: skip


def test_both_sides_compute_the_same() -> None:
    raw = cbor2.loads(AGREEMENT.encoded)
    assert AGREEMENT.encoded == cbor2.dumps(raw, canonical=True)
    assert raw["types"] == ["domain", "ipv4"]
    assert AGREEMENT.hash == sha256(labels.AGREEMENT.encode() + b"\x00" + AGREEMENT.encoded).digest()
    assert Agreement.from_bytes(AGREEMENT.encoded) == AGREEMENT
    assert AGREEMENT.session == (b"i" * 32).hex()
    assert (AGREEMENT.padded_of("acme"), AGREEMENT.padded_of("umbra")) == (1024, 2048)
    with pytest.raises(KeyError):
        AGREEMENT.padded_of("globex")


def test_every_field_is_in_the_hash() -> None:
    assert OTHER.keys() == {f.name for f in fields(Agreement)} - {"version"}
    others = []
    for name, value in OTHER.items():
        change = {name: value} | WITH.get(name, {})
        others.append(replace(AGREEMENT, **change))
    assert len({AGREEMENT.hash, *(other.hash for other in others)}) == len(OTHER) + 1
    for other in others:
        assert Agreement.from_bytes(other.encoded) == other


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_wrong_values_are_refused(name: str, value: object) -> None:
    assert WRONG.keys() == {f.name for f in fields(Agreement)}
    with pytest.raises(PeerMisbehaved):
        replace(AGREEMENT, **{name: value})


TEXTS = {"purpose", "alliance", "responder", "protocol", "initiator_software", "responder_software"}


@pytest.mark.parametrize("name", [f.name for f in fields(Agreement)])
def test_wrong_values_in_bytes_are_refused(name: str) -> None:
    raw = cbor2.loads(AGREEMENT.encoded)
    nothing = 1 if name == "bands" else []  # an exact count has no bands
    for value in (None, nothing, {}, "\n" if name in TEXTS else "x", -1, b"x", 1.5):
        with pytest.raises(PeerMisbehaved):
            Agreement.from_bytes(cbor2.dumps(raw | {name: value}, canonical=True))


def test_other_encodings_are_refused() -> None:
    raw = cbor2.loads(AGREEMENT.encoded)
    less = {name: value for name, value in raw.items() if name != "purpose"}
    others = [
        cbor2.dumps(dict(reversed(raw.items()))),
        cbor2.dumps(less, canonical=True),
        cbor2.dumps(raw | {"extra": 1}, canonical=True),
        cbor2.dumps(raw | {"types": ["ipv4", "domain"]}, canonical=True),
        cbor2.dumps([raw], canonical=True),
        AGREEMENT.encoded + b"\x00",
        AGREEMENT.encoded[:-1],
        b"",
        b"\xbf" + AGREEMENT.encoded[2:] + b"\xff",
        b"\x81" * 20_000,
    ]
    for other in others:
        with pytest.raises(PeerMisbehaved):
            Agreement.from_bytes(other)


@given(st.integers(0, len(AGREEMENT.encoded) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_a_changed_byte_is_refused_or_another_agreement(place: int, flip: int) -> None:
    changed = bytearray(AGREEMENT.encoded)
    changed[place] ^= flip
    try:
        other = Agreement.from_bytes(bytes(changed))
    except PeerMisbehaved:
        return
    assert other.encoded == bytes(changed)
    assert other.hash != AGREEMENT.hash


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(encoded: bytes) -> None:
    with pytest.raises(PeerMisbehaved):
        Agreement.from_bytes(encoded)


def test_signatures() -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    signature = sign(AGREEMENT, key)
    assert verify(AGREEMENT, signature, public)
    assert not verify(replace(AGREEMENT, deadline_s=601), signature, public)
    assert not verify(AGREEMENT, signature, other.public_key().public_bytes_raw())
    assert not verify(AGREEMENT, signature[:-1], public)
    assert not verify(AGREEMENT, signature, b"short")
    assert not verify(AGREEMENT, key.sign(AGREEMENT.hash), public), "a bare hash is no agreement"


def test_the_ladder_has_an_order() -> None:
    names = ["size", "estimate", "cardinality", "sum", "overlap", "context"]
    assert sorted(Rung, key=lambda rung: rung.level) == names


class TestPadme:
    def test_published_values(self) -> None:
        assert [padme(n) for n in (0, 1, 2, 3, 8, 9, 10, 100, 1000)] == [0, 1, 2, 3, 8, 10, 10, 104, 1024]

    def test_small_sets_look_alike(self) -> None:
        assert {size_class(n) for n in range(SMALLEST_CLASS + 1)} == {SMALLEST_CLASS}
        assert padme(SMALLEST_CLASS) == SMALLEST_CLASS
        assert [size_class(n) for n in (100, 1000)] == [padme(100), padme(1000)]

    def test_overhead_and_order_exhaustively(self) -> None:
        classes = [padme(n) for n in range(1 << 17)]
        assert classes == sorted(classes)
        assert all(n <= c <= n * 1.12 for n, c in enumerate(classes))

    @given(st.integers(1, 1 << 40))
    def test_overhead_idempotence_and_classes(self, n: int) -> None:
        c = padme(n)
        assert n <= c <= n * 1.12
        assert padme(c) == c
        assert padme(n + 1) >= c
        exponent = n.bit_length() - 1
        assert (c >> max(exponent - exponent.bit_length(), 0)).bit_length() <= exponent.bit_length() + 2
