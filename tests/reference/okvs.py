"""The store in plain Python: hashing, dense elimination, decoding; the queue behind its chance of failure."""

import random
from dataclasses import dataclass
from math import exp, log

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BAND = 128
MORE = (146, 149, 153, 156, 160, 164, 167, 171, 175, 178, 182, 186, 189, 193, 197, 200, 204)


def aes(key: int, block: int) -> int:
    cipher = Cipher(algorithms.AES(key.to_bytes(16, "little")), modes.ECB()).encryptor()
    return int.from_bytes(cipher.update(block.to_bytes(16, "little")), "little")


def mmo(key: int, block: int) -> int:
    return aes(key, block) ^ block


@dataclass
class Layout:
    bucket: int
    buckets: int

    @property
    def starts(self) -> int:
        return self.bucket * self.buckets

    @property
    def slots(self) -> int:
        return self.starts + BAND - 1

    @property
    def middle(self) -> range:
        """The slots between the halves."""
        low = self.bucket * (self.buckets // 2)
        return range(low, low + BAND - 1)


def layout(n: int) -> Layout:
    step = max(0, (max(n, 1) - 1).bit_length() - 10)
    starts = max(1, n - (-n * MORE[step] // 1000))
    bucket = 512
    while bucket < 2**15 and (starts - 1) >> 13 >= bucket:
        bucket *= 2
    return Layout(bucket, -(-starts // bucket))


@dataclass
class Key:
    digest: int
    start: int
    mask: int
    value: int


def hash_item(item: bytes, salt: int, shape: Layout) -> Key:
    a, b = (int.from_bytes(item[at : at + 16], "little") for at in (0, 16))
    digest = mmo(salt, mmo(salt, a) ^ b)
    return Key(
        digest,
        (digest % 2**64) * shape.starts >> 64,
        mmo(aes(salt, 1), digest) | 1,
        mmo(aes(salt, 2), digest),
    )


def encode(keys: list[Key], values: list[int], seed: int, shape: Layout) -> list[int] | None:
    """Gauss and Jordan; pivots are looked for from both ends to the middle. ``None`` without full rank."""
    middle = shape.middle
    columns = [*range(middle.start), *range(shape.slots - 1, middle.stop - 1, -1), *middle]
    rows = [(key.mask << key.start, value) for key, value in zip(keys, values, strict=True)]
    pivots: list[int] = []
    for column in columns:
        found = next((at for at in range(len(pivots), len(rows)) if rows[at][0] >> column & 1), None)
        if found is None:
            continue
        here = len(pivots)
        rows[here], rows[found] = rows[found], rows[here]
        mask, value = rows[here]
        for at, (other, its) in enumerate(rows):
            if at != here and other >> column & 1:
                rows[at] = (other ^ mask, its ^ value)
        pivots.append(column)
    if len(pivots) < len(rows):
        return None
    free = [aes(seed, slot) for slot in range(shape.slots)]
    table = list(free)
    for pivot, (mask, value) in zip(pivots, rows, strict=True):
        table[pivot] = value ^ decode_mask(free, mask ^ 1 << pivot)
    return table


def decode_mask(table: list[int], mask: int) -> int:
    total = 0
    for slot, value in enumerate(table):
        if mask >> slot & 1:
            total ^= value
    return total


def decode(table: list[int], key: Key) -> int:
    return decode_mask(table[key.start :][:BAND], key.mask)


def solvable(rng: random.Random, n: int, starts: int, band: int) -> bool:
    """Whether a random system of ``n`` bands has full rank."""
    pivots: dict[int, int] = {}
    for start in sorted(rng.randrange(starts) for _ in range(n)):
        row = (rng.getrandbits(band) | 1) << start
        while row:
            low = (row & -row).bit_length() - 1
            if low not in pivots:
                pivots[low] = row
                break
            row ^= pivots[low]
        if not row:
            return False
    return True


def conjugate(rate: float) -> float:
    """The other rate with the same ``r * exp(-r)``."""
    low, high = 1.0, 50.0
    for _ in range(100):
        mid = (low + high) / 2
        low, high = (mid, high) if log(mid) - mid > log(rate) - rate else (low, mid)
    return low


def busy_period(rng: random.Random, band: int, rate: float, tilted: float) -> float:
    """One sample, under the tilted rate, of the chance that a busy period has a failure (docs/okvs.md)."""
    occupied, ratio, survives, fails = [False] * band, 1.0, 1.0, 0.0
    while True:
        arrivals = poisson(rng, tilted)
        ratio *= (rate / tilted) ** arrivals * exp(tilted - rate)
        for _ in range(arrivals):
            free = [slot for slot in range(1, band) if not occupied[slot]] if occupied[0] else [0]
            chance = 2.0 ** -len(free) if occupied[0] else 0.0
            fails += ratio * survives * chance
            survives *= 1 - chance
            if not free:
                return fails
            occupied[pick(rng, free)] = True
        occupied = [*occupied[1:], False]
        if not any(occupied):
            return fails


def pick(rng: random.Random, free: list[int]) -> int:
    """The slot of the first random bit that is one, given that there is one."""
    if free == [0]:
        return 0
    while True:
        for slot in free:
            if rng.getrandbits(1):
                return slot


def poisson(rng: random.Random, rate: float) -> int:
    limit, product, count = exp(-rate), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
