"""The block-accumulate code in plain Python, one step after the other, and its arithmetic bit by bit."""

from collections.abc import Callable
from itertools import accumulate
from operator import xor

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

LABEL = "cosight 2026 block accumulate code v1"
BUCKET = 1 << 13
BLOCK = 32


def encrypt(key: int, block: int) -> int:
    cipher = Cipher(algorithms.AES(key.to_bytes(16, "little")), modes.ECB())
    return int.from_bytes(cipher.encryptor().update(block.to_bytes(16, "little")), "little")


def stream(key: int, first: int, n: int, bits: int) -> list[int]:
    """The first ``n`` numbers of so many bits in the encryptions of ``first``, ``first + 1``, ..."""
    blocks = range(first, first + -(-n * bits // 128))
    counters = b"".join((block % 2**128).to_bytes(16, "little") for block in blocks)
    cipher = Cipher(algorithms.AES(key.to_bytes(16, "little")), modes.ECB())
    data, width = cipher.encryptor().update(counters), bits // 8
    return [int.from_bytes(data[width * at : width * (at + 1)], "little") for at in range(n)]


def derive(label: str, *parts: bytes) -> bytes:
    material = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return blake3(material, derive_key_context=label).digest()


def number(data: bytes) -> int:
    return int.from_bytes(data[:16], "little")


def multiply(a: int, b: int) -> int:
    """In GF(2^128), by the school method."""
    product = 0
    for bit in range(128):
        product ^= a << bit if b >> bit & 1 else 0
    for bit in reversed(range(128, 255)):
        product ^= ((1 << 128 | 0x87) << bit - 128) if product >> bit & 1 else 0
    return product


def key(m: int, part: bytes) -> int:
    return number(derive(LABEL, m.to_bytes(8, "little"), part))


def shuffle(key: int, values: list[int]) -> list[int]:
    """Rao and Sandelius: buckets by a random digit, and in each the shuffle of Fisher and Yates."""
    bits = min(16, (max(1, -(-len(values) // BUCKET)) - 1).bit_length())
    buckets: list[list[int]] = [[] for _ in range(1 << bits)]
    for value, digit in zip(values, stream(key, 0, len(values), 16), strict=True):
        buckets[digit >> 16 - bits].append(value)
    for index, bucket in enumerate(buckets):
        words = stream(key, (1 << 64) + (index << 32), len(bucket), 32)
        for word, left in zip(words, range(len(bucket), 1, -1), strict=False):
            other = word * left >> 32
            bucket[other], bucket[left - 1] = bucket[left - 1], bucket[other]
    return [value for bucket in buckets for value in bucket]


def compress(values: list[int], multiply: Callable[[int, int], int] = multiply) -> list[int]:
    """The code; with another ``multiply``, that of the test of why there is one."""
    m = len(values) // 2
    values = shuffle(key(m, b"first"), list(accumulate(values, xor)))
    multipliers = stream(key(m, b"multipliers"), 0, len(values), 64)
    values = [multiply(value, by) for value, by in zip(values, multipliers, strict=True)]
    values = shuffle(key(m, b"other"), list(accumulate(values, xor)))
    first, second = values[:m], values[m:]
    for start in range(0, m, BLOCK):
        rows = stream(key(m, b"diagonal"), start // 4, BLOCK, 32)
        for at, row in zip(range(start, min(start + BLOCK, m)), rows, strict=False):
            for column, value in enumerate(second[start : start + BLOCK]):
                first[at] ^= value if row >> column & 1 else 0
    return first
