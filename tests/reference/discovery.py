"""ATR/1 in Python integers: what counts as a voice, and shares over the field of 2^127 - 1."""

from collections.abc import Iterable, Mapping, Sequence

from blake3 import blake3

P = 2**127 - 1


def coefficients(key: bytes, secret: int, threshold: int) -> list[int]:
    """Of the secret's polynomial, from the constant one on."""
    stream = blake3(secret.to_bytes(16, "little"), key=key).digest(length=16 * (threshold - 1))
    words = [int.from_bytes(stream[at : at + 16], "little") for at in range(0, len(stream), 16)]
    return [secret, *(word % 2**127 % P for word in words)]


def share(key: bytes, secret: int, point: int, threshold: int) -> int:
    return sum(a * pow(point, i, P) for i, a in enumerate(coefficients(key, secret, threshold))) % P


def at_zero(shares: Iterable[tuple[int, int]]) -> int:
    """Lagrange's interpolation of pairs of point and share, at zero."""
    pairs, total = list(shares), 0
    for x, y in pairs:
        term = y
        for other, _ in pairs:
            if other != x:
                term = term * other * pow(other - x, -1, P) % P
        total += term
    return total % P


def counts(members: Sequence[Mapping[bytes, bytes | None]], threshold: int) -> dict[bytes, int]:
    """How many voices each item has, of those with enough.

    Each member's mapping says of an item from which report it was copied; none where it saw the item itself.
    """
    voices: dict[bytes, set[object]] = {}
    for number, items in enumerate(members):
        for item, origin in items.items():
            voices.setdefault(item, set()).add(number if origin is None else origin)
    return {item: len(found) for item, found in voices.items() if len(found) >= threshold}
