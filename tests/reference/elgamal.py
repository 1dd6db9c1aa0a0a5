"""Exponential ElGamal on ristretto255 in plain Python: the oracle of ``crypto.elgamal``. Slow, obvious."""

from tests.reference.ristretto import GENERATOR, IDENTITY, ORDER, Point, decode

Ciphertext = tuple[Point, Point]


def public_key(key: int) -> Point:
    return key * GENERATOR


def encrypt(public: Point, value: int, t: int) -> Ciphertext:
    return t * GENERATOR, t * public + value * GENERATOR


def add(left: Ciphertext, right: Ciphertext) -> Ciphertext:
    return left[0] + right[0], left[1] + right[1]


def scale(ciphertext: Ciphertext, weight: int) -> Ciphertext:
    return weight * ciphertext[0], weight * ciphertext[1]


def blinded_sum(public: Point, chosen: list[Ciphertext], r: int, t: int) -> Ciphertext:
    total = IDENTITY, IDENTITY
    for ciphertext in chosen:
        total = add(total, ciphertext)
    return add(total, encrypt(public, r, t))


def decrypt(key: int, ciphertext: Ciphertext) -> Point:
    return ciphertext[1] + (ORDER - key) * ciphertext[0]


def unblind(element: Point, r: int, limit: int) -> int | None:
    """One number after the other."""
    wanted, multiple = element + (ORDER - r) * GENERATOR, IDENTITY
    for total in range(limit + 1):
        if multiple == wanted:
            return total
        multiple += GENERATOR
    return None


def to_bytes(ciphertext: Ciphertext) -> bytes:
    return b"".join(half.encode() for half in ciphertext)


def from_bytes(data: bytes) -> Ciphertext:
    return decode(data[:32]), decode(data[32:])
