"""Curve25519 in Python integers, after RFC 7748, section 5, and RFC 9380, section 6.7.1. Slow and obvious."""

from blake3 import blake3

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
A = 486662
Z = 2
SMALL_ORDER = [
    0,
    1,
    P - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]
"""Every coordinate of a point whose order divides 8, of the curve or its twist."""


def decode(row: bytes) -> int:
    """Section 5: the top bit is not looked at, and a number past p is taken modulo p."""
    return int.from_bytes(row, "little") % 2**255 % P


def encode(u: int) -> bytes:
    return (u % P).to_bytes(32, "little")


def clamped(scalar: bytes) -> int:
    return int.from_bytes(scalar, "little") % 2**254 // 8 * 8 + 2**254


def ladder(k: int, u: int) -> int:
    """The coordinate of ``k`` times a point; 0 for infinity."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in f"{k:b}":
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + (A - 2) // 4 * e) % P
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
    return x2 * pow(z2, -1, P) % P if z2 else 0


def x25519(scalar: bytes, row: bytes) -> bytes:
    return encode(ladder(clamped(scalar), decode(row)))


def equation(u: int) -> int:
    return (u**3 + A * u**2 + u) % P


def is_square(value: int) -> bool:
    return pow(value, (P - 1) // 2, P) in {0, 1}


def elligator2(element: int) -> int:
    """``x1`` where it is the coordinate of a point, else ``x2``."""
    x1 = -A * pow(1 + Z * element**2, -1, P) % P
    return x1 if is_square(equation(x1)) else (-x1 - A) % P


def encode_to_curve(key: bytes, item: bytes) -> bytes:
    return encode(elligator2(int.from_bytes(blake3(item, key=key).digest(64), "little") % P))


def valid(row: bytes) -> bool:
    u = int.from_bytes(row, "little")
    return 0 < u < P and is_square(equation(u))
