"""Noise that the contributors of a sum make together, so that nobody ever holds the exact number.

Each contributor adds ``A - B`` to each word of its vector before it is masked. Both are drawn from the
negative binomial law ``NB(1/h, p)``, ``P(k) = Gamma(k + 1/h) / (k! Gamma(1/h)) * (1 - p)^(1/h) * p^k``, with
``p = exp(-epsilon / cap)``. Over ``h`` contributors the shapes add up to 1: the sum of their noise is exactly
discrete Laplace, ``P(z) = (1 - p) / (1 + p) * p^|z|``. One contributor changes a word by ``cap`` at most:
the sum of that word is ``epsilon``-differentially private for what any one contributor puts into it.

``h`` is how many contributors are sure to be honest and not the onlooker: see ``honest``. What the others
add on top is independent of it and takes no privacy away. **What is not promised**: a malicious contributor
may leave its noise out or add any number; whoever holds the noise of others can take that off; where fewer
than ``h`` honest contributors are left, the loss is larger than ``epsilon`` (by how much is said in
``docs/privacy-of-aggregates.md``). One contributor's vector as a whole, of d words that are not 0, loses up
to ``d * epsilon``.

The law is inverted: a table holds ``floor(2^128 * P(X <= k))``, computed with whole numbers of 256 bits, and
128 random bits are looked up in it. Each entry is off by less than ``2^-128``, so a draw is within
``(furthest + 1) * 2^-128`` of the law, in statistical distance; ``Noise.delta`` says what that comes to,
below ``2^-64``. Time and the cache depend on what is drawn, on the contributor's own machine.

Source: Harrison, Manurangsi, "Infinitely Divisible Noise for Differential Privacy: Nearly Optimal Error in
the High epsilon Regime", FORC 2025, section 3 (the generalized discrete Laplace mechanism: sums of these
shares, of h or of another number); Goryczka, Xiong, "A Comprehensive Comparison of Multiparty Secure
Additions with Differential Privacy", TDSC 2017 (geometric noise from Polya variables); Ghosh, Roughgarden,
Sundararajan, "Universally Utility-Maximizing Privacy Mechanisms", STOC 2009 (the geometric mechanism).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from secrets import token_bytes
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from crypto.dp import MILLI
from crypto.errors import ParameterError
from crypto.group import Rng

MOST_EPSILON_MILLI = 16_000
"""More is no privacy worth the name, and the delta of the tables is stated up to here."""

MOST_SCALE = 10_000
"""The most that ``cap / epsilon`` may be: of a larger cap, count in a larger unit. Bounds the table."""

MOST_CONTRIBUTORS = 255
"""More positions there are not; so 32 bits hold every noisy sum."""

WIDTHS = (8, 16, 32)
"""Of words, in bits."""

_Drawn: TypeAlias = NDArray[np.int64]
_Table: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.uint64]]

_DRAWN_BITS = 128
_FRACTION_BITS = 256
_DIGITS = 120
"""Decimal digits for the two numbers that a table begins with: 398 bits, 30 of them lost if p is near 1."""

_WRAPS = 2.0**-64
"""The chance that noise needs more room than is reserved for it."""

_CHUNK = 1 << 17
"""Words for which randomness is held at once."""


def honest(contributors: int, colluding: int) -> int:
    """Return ``h``: how many of the contributors nobody else knows the noise of, at least.

    The onlooker counts among those that collude. It knows its own noise, so one contributor is never counted,
    even where nobody colludes.

    Args:
        contributors: the fewest whose sum is opened.
        colluding: the most of them that may lie or tell their noise to one another.

    Raises:
        ParameterError: none is left.
    """
    left = contributors - max(colluding, 1)
    if colluding < 0 or left < 1:
        raise ParameterError("no contributor is left whose noise nobody else knows")
    return left


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What each contributor adds, and what all of it comes to.

    Attributes:
        epsilon_milli: privacy loss of one word by one contributor, in thousandths.
        cap: the most that one contributor puts into a word.
        honest: ``h``, of ``honest()``.

    Raises:
        ParameterError: a number is not positive, the loss is above ``MOST_EPSILON_MILLI``, or
            ``cap / epsilon`` above ``MOST_SCALE``.
    """

    epsilon_milli: int
    cap: int
    honest: int
    _table: _Table = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.epsilon_milli <= MOST_EPSILON_MILLI:
            raise ParameterError(f"the privacy loss of a sum is from 1 to {MOST_EPSILON_MILLI} thousandths")
        _check_contributors(self.honest)
        if self.cap < 1:
            raise ParameterError("noise is for a cap above 0")
        if self.cap * MILLI > MOST_SCALE * self.epsilon_milli:
            raise ParameterError(f"a cap above {MOST_SCALE} times the privacy loss: count in a larger unit")
        object.__setattr__(self, "_table", _split(_thresholds(self.epsilon_milli, self.cap, self.honest)))

    @property
    def furthest(self) -> int:
        """No draw of one contributor is further from 0 than this."""
        return len(self._table[0])

    @property
    def delta(self) -> float:
        """Upper bound of delta, for one word: what the tables are off from the law. Below 2^-64.

        Of the ``h`` honest contributors each draws twice; the statistical distances add up to ``tau``, and
        ``delta <= (1 + exp(epsilon)) * tau``.
        """
        distance = 2 * self.honest * (self.furthest + 1) * 2.0**-_DRAWN_BITS
        return (1 + math.exp(self.epsilon_milli / MILLI)) * distance

    def deviation(self, contributors: int) -> float:
        """Return the standard deviation of the noise on one word.

        Args:
            contributors: how many added noise; ``h`` of them give that of discrete Laplace.
        """
        _check_contributors(contributors)
        p = math.exp(-self._rate)
        return math.sqrt(2 * contributors / self.honest * p) / -math.expm1(-self._rate)

    def reserve(self, contributors: int) -> int:
        """Return the room that all noise on one word needs in the ring, to either side.

        Noise goes beyond with a chance below 2^-64, and the word is then wrong. That is all: what is private
        stays so, since a sum modulo 2^w tells no more than the sum.

        Args:
            contributors: how many may add noise at most.
        """
        _check_contributors(contributors)
        return self._upper(contributors, _WRAPS / 2) - 1

    def width(self, contributors: int) -> int:
        """Return the narrowest word, in bits, that holds the noisy sum with its sign.

        Args:
            contributors: how many may contribute at most.
        """
        most = contributors * self.cap + self.reserve(contributors)
        return next(width for width in WIDTHS if most < 1 << (width - 1))

    def draw(self, size: int, *, rng: Rng = token_bytes) -> _Drawn:
        """Draw what one contributor adds to its vector.

        Args:
            size: d, words.
            rng: randomness: 16 bytes a word, and 8 more for each draw that those do not decide (one in 2^44,
                or fewer). The same bytes give the same noise.

        Returns:
            ``(d,)``: from ``-furthest`` to ``furthest``; ``astype`` of a word's dtype gives it modulo 2^w.

        Raises:
            ParameterError: the size is negative.
        """
        if size < 0:
            raise ParameterError("a vector has no negative size")
        out = np.empty(size, np.int64)
        for start in range(0, size, _CHUNK):
            part = out[start : start + _CHUNK]
            np.subtract(self._binomials(len(part), rng), self._binomials(len(part), rng), out=part)
        return out

    def margin(self, contributors: int, delta: float) -> int:
        """Return how much noise there is at least with no more than a small chance, on the upper side.

        Args:
            contributors: how many added noise; what those beyond ``h`` add is counted.
            delta: that chance, from 2^-64 to below 1.

        Returns:
            The smallest ``m`` with ``P(noise >= m) <= delta``, found with floats (to 1e-9 of the chance), and
            no less than ``cap * ln(1 / delta) / epsilon``.

        Raises:
            ParameterError: a number is outside its range.
        """
        _check_contributors(contributors)
        if not _WRAPS <= delta < 1:
            raise ParameterError("a chance is from 2^-64 to below 1")
        return max(math.ceil(-math.log(delta) / self._rate), self._upper(contributors, delta))

    @property
    def _rate(self) -> float:
        return self.epsilon_milli / (MILLI * self.cap)

    def _upper(self, contributors: int, chance: float) -> int:
        """The smallest ``m`` with ``P(noise >= m) <= chance``, for a chance from 2^-65 to 1."""
        chances = _law(contributors / self.honest, self._rate)
        beyond = np.append(np.cumsum(chances[::-1])[::-1], 0.0)
        low, high = 0, len(chances)
        while low < high:
            m = (low + high) // 2
            # A - B >= m: for each b, A is at least m + b.
            found = float(np.dot(chances[: len(chances) - m], beyond[m:-1]))
            low, high = (low, m) if found <= chance else (m + 1, high)
        return low

    def _binomials(self, size: int, rng: Rng) -> _Drawn:
        """``NB(1/h, p)``, ``(size,)``: how many entries of the table a uniform number of 128 bits reaches.

        Its upper half decides, unless that equals the upper half of an entry; only then is the lower drawn.
        """
        high, low = self._table
        upper = np.frombuffer(rng(8 * size), "<u8")
        drawn = np.searchsorted(high, upper, side="left")
        for at in np.flatnonzero(high[np.minimum(drawn, len(high) - 1)] == upper):
            lower = np.frombuffer(rng(8), "<u8")[0]
            equal = slice(drawn[at], np.searchsorted(high, upper[at], side="right"))
            drawn[at] += np.searchsorted(low[equal], lower, side="right")
        return drawn


def _check_contributors(contributors: int) -> None:
    if not 1 <= contributors <= MOST_CONTRIBUTORS:
        raise ParameterError(f"noise is of 1 to {MOST_CONTRIBUTORS} contributors")


def _thresholds(epsilon_milli: int, cap: int, honest: int) -> Iterator[int]:
    """``floor(2^128 * P(X <= k))`` for ``X`` of ``NB(1/h, p)``, k = 0, 1, ...: those below ``2^128 - 1``.

    With 256 bits behind the point a step of ``P(k + 1) = P(k) * p * (k + 1/h) / (k + 1)`` adds less than two
    units of error, and takes some of the old error away, as what it multiplies by is below 1. So all of up to
    2^20 entries are within 2^42 units, 2^-214.
    """
    with localcontext(prec=_DIGITS):
        p = (-Decimal(epsilon_milli) / (MILLI * cap)).exp()
        chance = int(((1 - p).ln() / honest).exp() * 2**_FRACTION_BITS)
        factor = int(p * 2**_FRACTION_BITS)
    shift = _FRACTION_BITS - _DRAWN_BITS
    below, k = chance, 0
    while (threshold := below >> shift) < (1 << _DRAWN_BITS) - 1:
        yield threshold
        chance = chance * factor * (k * honest + 1) // ((k + 1) * honest) >> _FRACTION_BITS
        below, k = below + chance, k + 1


def _split(thresholds: Iterator[int]) -> _Table:
    """Numbers of 128 bits as their upper and their lower halves."""
    both = b"".join(threshold.to_bytes(16, "little") for threshold in thresholds)
    halves = np.frombuffer(both, "<u8").reshape(-1, 2)
    return np.ascontiguousarray(halves[:, 1], np.uint64), np.ascontiguousarray(halves[:, 0], np.uint64)


def _law(shape: float, rate: float) -> NDArray[np.float64]:
    """``P(X = k)`` for ``X`` of ``NB(shape, exp(-rate))``, up to where 1e-30 is left, with floats."""
    k = np.arange(math.ceil((2 * shape + 80) / rate) + 1, dtype=np.float64)
    first = shape * math.log(-math.expm1(-rate))
    steps = np.log((k[:-1] + shape) / (k[:-1] + 1)) - rate
    return np.exp(first + np.concatenate([[0.0], np.cumsum(steps)]))
