"""Oblivious transfer in plain Python, one transfer and one bit at a time: the oracle of ``crypto.ot``.

Of ML-KEM it holds what a base transfer adds to it: masking of public keys. Keys and ciphertexts themselves
come from the ``cryptography`` package.
"""

from blake3 import blake3

from crypto import labels
from tests.reference.hashing import derive_key
from tests.reference.ristretto import GENERATOR, Point, decode, one_way_map

Q = 3329
COUNT = 128


def coefficients(data: bytes) -> list[int]:
    """``ByteDecode_12``."""
    number = int.from_bytes(data, "little")
    return [number >> 12 * at & 0xFFF for at in range(len(data) * 8 // 12)]


def encode(vector: list[int]) -> bytes:
    """``ByteEncode_12``."""
    number = sum(coefficient << 12 * at for at, coefficient in enumerate(vector))
    return number.to_bytes(len(vector) * 12 // 8, "little")


class Base:
    """The functions of one session of base transfers."""

    def __init__(self, context: bytes) -> None:
        self.context = context
        self.key = derive_key(labels.OT_BASE, context)

    def toggle(self, transfer: int, value: int, string: bytes, masked: bytes) -> bytes:
        mask = blake3(bytes([1, transfer, value]) + masked, key=self.key).digest(length=48)
        return bytes(a ^ b for a, b in zip(string, mask, strict=True))

    def to_group(self, transfer: int, value: int, string: bytes) -> tuple[Point, list[int]]:
        stream = blake3(bytes([2, transfer, value]) + string, key=self.key).digest(length=64 + 1824)
        draws = [draw for draw in coefficients(stream[64:]) if draw < Q]
        return one_way_map(stream[:64]), draws[:768]

    def evaluate(self, transfer: int, value: int, function: bytes) -> tuple[Point, bytes]:
        """The public keys that a function has at a value."""
        string, masked = function[:48], function[48:]
        point, vector = self.to_group(transfer, value, self.toggle(transfer, value, string, masked))
        t = [(a - b) % Q for a, b in zip(coefficients(masked[64:]), vector, strict=True)]
        negative = Point(-point.x, point.y)
        return decode(masked[:32]) + negative, encode(t) + masked[32:64]

    def key_of(
        self, transfer: int, value: int, agreed: Point, shared: bytes, transcript: tuple[bytes, ...]
    ) -> bytes:
        key = derive_key(labels.OT_BASE, self.context, *transcript)
        return blake3(bytes([3, transfer, value]) + agreed.encode() + shared, key=key).digest()[:16]


def public(scalar: int) -> Point:
    return scalar * GENERATOR


def multiply(a: int, b: int) -> int:
    """Product in GF(2^128)."""
    product = 0
    for bit in reversed(range(COUNT)):
        product = product << 1 ^ (0x87 | 1 << COUNT if product >> COUNT - 1 & 1 else 0)
        product ^= a if b >> bit & 1 else 0
    return product
