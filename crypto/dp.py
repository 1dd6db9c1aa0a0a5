"""Noise for one count under differential privacy: how it is drawn, where it is cut, what runs spend together.

A count changes by 1 at most when one item of either party comes, goes, or becomes another: its sensitivity
is 1. Noise has the discrete Laplace distribution, ``P(z) ~ exp(-epsilon * |z|)``, cut to ``bound(epsilon)``:
what lies beyond becomes the bound. Inside, neighbours differ by ``exp(epsilon)`` at most; what they differ by
beyond that at both ends is delta, at most ``exp(-epsilon * bound)``, below 2^-40 (tests add it up). For ``k``
items that come or go together epsilon is ``k`` times as large, and delta ``k * exp((k - 1) * epsilon)`` times
at most.

The sampler computes with whole numbers alone, so nothing of a float's last bits is in the noise. Its running
time depends on what it draws, by some microseconds: far below how much the time of a run varies.

Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020, algorithms
1 and 2; Dwork, Roth, "The Algorithmic Foundations of Differential Privacy", 2014, theorem 3.16.
"""

from collections.abc import Iterable
from secrets import token_bytes
from typing import NamedTuple

from crypto.errors import ParameterError
from crypto.group import Rng

MILLI = 1000
_FORTY_BITS_MILLI = 27_726
"""``40 * ln(2)``, rounded up, in thousandths."""


class Loss(NamedTuple):
    """What the outputs of some runs may tell, taken together.

    Attributes:
        epsilon: of all.
        delta: of all.
    """

    epsilon: float
    delta: float


def bound(epsilon_milli: int) -> int:
    """No noise is further from 0. The chance that any would be is below 2^-39.

    Args:
        epsilon_milli: privacy loss of one count, in thousandths.

    Raises:
        ParameterError: it is not positive.
    """
    if epsilon_milli < 1:
        raise ParameterError("noise is for a privacy loss above 0")
    return -(-_FORTY_BITS_MILLI // epsilon_milli)


def noise(epsilon_milli: int, *, rng: Rng = token_bytes) -> int:
    """Noise for one count.

    Args:
        epsilon_milli: privacy loss that it allows, in thousandths.
        rng: randomness.

    Returns:
        A number from ``-bound(epsilon_milli)`` to ``bound(epsilon_milli)``.

    Raises:
        ParameterError: the loss is not positive.
    """
    furthest = bound(epsilon_milli)
    return max(-furthest, min(furthest, laplace(MILLI, epsilon_milli, rng=rng)))


def laplace(scale: int, divisor: int, *, rng: Rng = token_bytes) -> int:
    """A sample of the discrete Laplace distribution: ``P(z) ~ exp(-|z| * divisor / scale)``.

    Args:
        scale: its scale is this number,
        divisor: divided by this one; both are positive.
        rng: randomness.
    """
    while True:
        part = _below(scale, rng)
        if not _exp_minus(part, scale, rng):
            continue
        whole = 0
        while _exp_minus(1, 1, rng):
            whole += 1
        size = (part + scale * whole) // divisor
        negative = _below(2, rng)
        if size or not negative:  # or 0 would come twice as often
            return -size if negative else size


def spent(epsilons_milli: Iterable[int]) -> Loss:
    """What several counts allow together, whatever they were of: losses add up.

    Args:
        epsilons_milli: the privacy loss of each, in thousandths.
    """
    each = list(epsilons_milli)
    return Loss(sum(each) / MILLI, len(each) * 2.0**-40)


def _exp_minus(numerator: int, denominator: int, rng: Rng) -> bool:
    """True with probability ``exp(-numerator / denominator)``, for a fraction from 0 to 1."""
    k = 1
    while _below(denominator * k, rng) < numerator:
        k += 1
    return k % 2 == 1


def _below(limit: int, rng: Rng) -> int:
    """A uniform number below a limit: of as many bits, again until it is."""
    bits = (limit - 1).bit_length()
    while True:
        drawn = int.from_bytes(rng(-(-bits // 8)), "little") & ((1 << bits) - 1)
        if drawn < limit:
            return drawn
