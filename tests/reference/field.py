"""GF(2^128) on Python numbers, bit by bit: the oracle of ``crypto/native/src/field.rs``."""

from collections.abc import Iterable

MODULUS = 1 << 128 | 0x87
"""x^128 + x^7 + x^2 + x + 1; bit i is the coefficient of x^i."""


def multiply(a: int, b: int) -> int:
    product = 0
    for bit in range(b.bit_length()):
        if b >> bit & 1:
            product ^= a << bit
    for bit in reversed(range(128, product.bit_length())):
        if product >> bit & 1:
            product ^= MODULUS << bit - 128
    return product


def inner(xs: Iterable[int], ys: Iterable[int]) -> int:
    total = 0
    for x, y in zip(xs, ys, strict=True):
        total ^= multiply(x, y)
    return total


def powers(x: int, count: int) -> list[int]:
    out = [1]
    while len(out) < count:
        out.append(multiply(out[-1], x))
    return out[:count]


def inverse(x: int) -> int:
    """x^(2^128 - 2)."""
    out = 1
    for _ in range(127):
        x = multiply(x, x)
        out = multiply(out, x)
    return out
