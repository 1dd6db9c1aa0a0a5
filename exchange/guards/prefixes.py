"""IPv4 addresses as numbers, and how they lie in prefixes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

BITS = 32
SIXTEENS = 221 * 256
"""How many /16 there are to spread over: those below 224.0.0.0, but 0.0.0.0/8, 10.0.0.0/8 and 127.0.0.0/8."""

_PLACES = np.array([1 << 24, 1 << 16, 1 << 8, 1], np.int64)


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The prefixes of one length in which there are addresses.

    Attributes:
        of: ``(n,)``, which of them each address is in.
        counts: ``(k,)``, how many addresses each has.
    """

    of: NDArray[np.int64]
    counts: NDArray[np.int64]


def numbers(values: Sequence[str]) -> Numbers:
    """Canonical addresses as numbers, ascending and distinct."""
    octets = np.fromstring(" ".join(values).replace(".", " "), np.int64, sep=" ").reshape(-1, 4)
    return np.unique(octets @ _PLACES)


def prefixes(addresses: Numbers, length: int) -> Prefixes:
    """The prefixes of a length; the addresses ascend, so that those of a prefix stand together."""
    begins = np.diff(addresses >> (BITS - length), prepend=-1) != 0
    ends = np.append(np.flatnonzero(begins), len(addresses))
    return Prefixes(np.cumsum(begins) - 1, np.diff(ends))


def spread(addresses: Numbers, outer: int, inner: int) -> NDArray[np.int64]:
    """In how many longer prefixes the addresses of each shorter one lie; the addresses ascend."""
    begins = np.diff(addresses >> (BITS - inner), prepend=-1) != 0
    return prefixes(addresses[begins], outer).counts
