"""Sets that were made by counting, as a member would who wants to learn what another one holds."""

from itertools import islice, product
from random import Random
from string import ascii_lowercase

import numpy as np

from exchange.guards.prefixes import Numbers

FIRST, LAST = 1 << 24, 224 << 24
DAILY = 1 << 16


def dotted(numbers: Numbers) -> list[str]:
    """Numbers as addresses."""
    octets = [numbers >> shift & 255 for shift in (24, 16, 8, 0)]
    return [".".join(map(str, one)) for one in zip(*(o.tolist() for o in octets), strict=True)]


def sweep_of_16(prefix: int = (93 << 8) + 184) -> list[str]:
    """Every address of one /16."""
    return dotted((prefix << 16) + np.arange(1 << 16))


def part_of_16(n: int, seed: int, prefix: int = (93 << 8) + 184) -> list[str]:
    """Some addresses of one /16, here and there."""
    chosen = np.random.default_rng(seed).choice(1 << 16, n, replace=False)
    return dotted((prefix << 16) + np.sort(chosen))


def days_of_8(day: int, *, way: str, octet: int = 93) -> list[str]:
    """One daily set of a sweep of a /8: a /16 a day, every 256th address, or a random part."""
    ways = {
        "in-order": day * DAILY + np.arange(DAILY),
        "strided": day + 256 * np.arange(DAILY),
        "random": np.random.default_rng(7).permutation(1 << 24)[day * DAILY : (day + 1) * DAILY],
    }
    return dotted((octet << 24) + ways[way])


def uniform(n: int, seed: int = 1) -> list[str]:
    """Random addresses."""
    return dotted(np.unique(np.random.default_rng(seed).integers(FIRST, LAST, n)))


def strided(step: int) -> list[str]:
    """Every so-manieth address."""
    return dotted(np.arange(FIRST, LAST, step))


def letters(n: int, length: int = 4) -> list[str]:
    """aaaa.com, aaab.com, aaac.com, ..."""
    return ["".join(word) + ".com" for word in islice(product(ascii_lowercase, repeat=length), n)]


def random_letters(n: int, length: int) -> list[str]:
    """Short random names."""
    random = Random(3)
    return sorted({"".join(random.choices(ascii_lowercase, k=length)) + ".com" for _ in range(n)})


def numbered(n: int, pattern: str) -> list[str]:
    """A pattern with every number in its place."""
    return [pattern.format(i) for i in range(n)]


def dictionary(n: int, between: str = "-") -> list[str]:
    """All pairs of words of a list."""
    random = Random(5)
    words = ["".join(random.choices(ascii_lowercase, k=random.randint(3, 8))) for _ in range(n)]
    return sorted({f"{a}{between}{b}.com" for a in words for b in words})
