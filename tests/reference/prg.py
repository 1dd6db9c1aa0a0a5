"""Modes of AES by the ``cryptography`` package, a block at a time: the oracle of the kernel's ``prg.rs``."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB

PI = 3141592653589793238462643383279502884197169399375105820974944592307816406286208998
"""pi times 10^81."""
FIXED_KEY = (PI << 128) // 10**81 % 2**128
"""The first 128 bits of the fraction of pi: a key that nobody chose."""


def encrypt(key: int, block: int) -> int:
    # A single block: the mode that is right for nothing else.
    encryptor = Cipher(AES128(key.to_bytes(16, "little")), ECB()).encryptor()
    return int.from_bytes(encryptor.update(block.to_bytes(16, "little")), "little")


def ctr(key: int, first: int, count: int) -> list[int]:
    return [encrypt(key, (first + index) % 2**128) for index in range(count)]


def cr(key: int, blocks: Sequence[int]) -> list[int]:
    return [encrypt(key, x) ^ x for x in blocks]


def tccr(tweak: int, blocks: Sequence[int]) -> list[int]:
    inner = [encrypt(FIXED_KEY, x) for x in blocks]
    return [encrypt(FIXED_KEY, x ^ (tweak + i) % 2**128) ^ x for i, x in enumerate(inner)]
