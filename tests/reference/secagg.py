"""What secure aggregation computes, by definition: the oracle of ``crypto.secagg``."""

from collections.abc import Sequence
from itertools import product

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from crypto import labels
from tests.reference.hashing import derive_key, keyed

POLYNOMIAL = 0x11B
CHUNK_BYTES = 65_536


def stream(seed: bytes, start: int, length: int) -> bytes:
    """Bytes of a generator, a block at a time: the number of a block, big-endian, encrypted."""
    first, last = start // 16, -(-(start + length) // 16)
    encryptor = Cipher(AES256(seed), ECB()).encryptor()
    blocks = b"".join(encryptor.update(index.to_bytes(16, "big")) for index in range(first, last))
    return blocks[start - 16 * first :][:length]


def mask(seed: bytes, start: int, count: int, width: int) -> list[int]:
    """Words of a generator."""
    size = width // 8
    data = stream(seed, start * size, count * size)
    return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]


def add_masks(
    vector: Sequence[int], seeds: Sequence[bytes], signs: Sequence[int], width: int, offset: int = 0
) -> list[int]:
    sums = list(vector)
    for seed, sign in zip(seeds, signs, strict=True):
        words = mask(seed, offset, len(sums), width)
        sums = [(x + sign * word) % (1 << width) for x, word in zip(sums, words, strict=True)]
    return sums


def digests(data: bytes) -> list[bytes]:
    key = derive_key(labels.RING_CHUNK)
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    return [keyed(key, index.to_bytes(8, "little") + chunk) for index, chunk in enumerate(chunks)]


def multiply(a: int, b: int) -> int:
    """In GF(2^8): multiply the polynomials, then divide."""
    result = 0
    for i, j in product(range(8), range(8)):
        result ^= (a >> i & 1) * (b >> j & 1) << i + j
    for degree in range(14, 7, -1):
        result ^= (result >> degree & 1) * POLYNOMIAL << degree - 8
    return result


def inverse(a: int) -> int:
    return next(b for b in range(256) if multiply(a, b) == 1)


def value(coefficients: Sequence[int], x: int) -> int:
    """Of a polynomial, the lowest coefficient first."""
    result, power = 0, 1
    for coefficient in coefficients:
        result ^= multiply(coefficient, power)
        power = multiply(power, x)
    return result


def split(secret: bytes, threshold: int, xs: bytes, draw: bytes) -> list[bytes]:
    """The draw holds the coefficients, those of the highest degree first."""
    rows = [draw[at : at + 32] for at in range(0, 32 * (threshold - 1), 32)]
    polynomials = list(zip(secret, *reversed(rows), strict=True))
    return [bytes(value(polynomial, x) for polynomial in polynomials) for x in xs]


def solve(xs: bytes, ys: bytes) -> list[int]:
    """The polynomial through some points, by elimination: another way than Lagrange's."""
    n = len(xs)
    matrix = []
    for x, y in zip(xs, ys, strict=True):
        powers = [1]
        for _ in range(n - 1):
            powers.append(multiply(powers[-1], x))
        matrix.append([*powers, y])
    for column in range(n):
        pivot = next(row for row in range(column, n) if matrix[row][column])
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        scale = inverse(matrix[column][column])
        matrix[column] = [multiply(scale, entry) for entry in matrix[column]]
        for row in set(range(n)) - {column}:
            factor = matrix[row][column]
            pairs = zip(matrix[row], matrix[column], strict=True)
            matrix[row] = [entry ^ multiply(factor, above) for entry, above in pairs]
    return [row[n] for row in matrix]


def reconstruct(xs: bytes, shares: Sequence[bytes]) -> bytes:
    return bytes(solve(xs, bytes(column))[0] for column in zip(*shares, strict=True))
