"""Slow and obvious: the laws of shared noise in closed form, what they lose, and the law of chi-squared."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import exp, fsum

import numpy as np


def negative_binomial(epsilon_milli: int, cap: int, honest: int, most: int) -> list[Decimal]:
    """``P(X = k)`` of ``NB(1/h, exp(-epsilon / cap))`` for k from 0 to ``most``: its formula as it stands."""
    p = (-Decimal(epsilon_milli) / (1000 * cap)).exp()
    shape = 1 / Decimal(honest)
    out, rising = [], Decimal(1)
    for k in range(most + 1):
        out.append(rising * (1 - p) ** shape * p**k)
        rising *= (k + shape) / (k + 1)
    return out


def discrete_laplace(epsilon_milli: int, cap: int, z: int) -> Decimal:
    """``P(Z = z)``."""
    p = (-Decimal(epsilon_milli) / (1000 * cap)).exp()
    return (1 - p) / (1 + p) * p ** abs(z)


def masses(thresholds: Iterable[int], bits: int) -> list[Fraction]:
    """The law that a table of cumulative chances has: the last outcome gets what is left."""
    steps = [0, *thresholds, 1 << bits]
    return [Fraction(b - a, 1 << bits) for a, b in pairwise(steps)]


def sums(law: list[Fraction], times: int) -> dict[int, Fraction]:
    """The law of ``A - B``, each the sum of so many independent draws of a law on 0, 1, 2, ..."""
    denominator = max(chance.denominator for chance in law)
    whole = np.array([int(chance * denominator) for chance in law], object)
    total = np.array([1], object)
    for _ in range(times):
        total = np.convolve(total, whole)
    differences = np.convolve(total, total[::-1])
    scale = denominator ** (2 * times)
    return {z: Fraction(int(c), scale) for z, c in enumerate(differences, start=1 - len(total))}


def loss(shape: Fraction, epsilon: float, cap: int = 1, most: int = 2000) -> float:
    """The least epsilon that ``A - B`` of ``NB(shape, exp(-epsilon / cap))`` gives for a change by ``cap``.

    The largest log-ratio of two chances that lie ``cap`` apart, over all of the bulk and the tail that floats
    resolve.
    """
    p = exp(-epsilon / cap)
    law = [(1 - p) ** float(shape)]
    for k in range(most):
        law.append(law[-1] * p * (k + float(shape)) / (k + 1))
    chances = np.array(law)
    tail = min(most // 2, int(60 * cap / epsilon))
    differences = np.array([fsum(chances[z:] * chances[: len(chances) - z]) for z in range(tail + cap)])
    return float(np.max(np.abs(np.log(differences[:-cap] / differences[cap:]))))


def chi_squared_beyond(statistic: float, degrees: int) -> float:
    """The chance that chi-squared with an even number of degrees of freedom is larger: its closed form."""
    assert degrees % 2 == 0
    half, term, total = statistic / 2, 1.0, 0.0
    for i in range(degrees // 2):
        total += term
        term *= half / (i + 1)
    return exp(-half) * total


def binned(samples: Iterable[int], edge: int) -> Counter[int]:
    """How many samples are each number from ``-edge`` to ``edge``; what lies beyond counts as the edge."""
    return Counter(max(-edge, min(edge, int(z))) for z in samples)
