"""How long a peer needs to ask about everything there is, under the quotas of its terms."""

import math
from dataclasses import dataclass

from exchange.agreement import Rung
from exchange.policy.history import askable
from exchange.policy.request import NOISY, OVERFIT
from exchange.policy.terms import Terms

IPV4 = 1 << 32
SLASH_16 = 1 << 16
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a peer may ask that walks through a space of values, each of them once.

    Attributes:
        sessions_per_day: sessions in 24 hours.
        per_session: values declared in one.
        per_day: values declared in 24 hours, at most.
        per_year: values declared in 365 days, at most.
        asked: values that a cheating peer asks with a hundred that it declares.
    """

    sessions_per_day: int
    per_session: int
    per_day: int
    per_year: int
    asked: int

    def days(self, values: int) -> int | None:
        """Return how many days it takes at least, the last one begun; None where it never ends.

        The peer spends what it has as early as it can: its year's values day by day, then it waits.
        """
        declared = math.ceil(values * 100 / self.asked)
        if not self.per_day or not self.per_year:
            return None
        years, rest = divmod(declared - 1, self.per_year)
        return years * YEAR_DAYS + rest // self.per_day + 1


def sweep(terms: Terms) -> Sweep | None:
    """Return what a peer may ask; None where it learns nothing about single items of ours."""
    above_size = terms.reveal is not None and terms.reveal is not Rung.SIZE
    if not (above_size and terms.directions and terms.protocols and "peer" in terms.learns):
        return None
    most = _most(terms)
    per_day = _least(terms.sessions_per_day * most, terms.values_per_day)
    per_year = _least(per_day * YEAR_DAYS, terms.values_per_year)
    ratios = [OVERFIT[p] for p in terms.protocols if p in OVERFIT]
    asked = max((more * 100 // than for more, than in ratios), default=100)
    return Sweep(terms.sessions_per_day, most, _least(per_day, terms.values_per_year), per_year, asked)


def _most(terms: Terms) -> int:
    """The most values that the peer asks in one session, with the protocol that lets it ask the most."""
    declared = 0 if terms.peer_size is None else terms.peer_size.most
    if not declared:
        return 0
    noise = 0 if terms.noise is None or NOISY not in terms.protocols else terms.noise.milli
    sketch = askable(Rung.ESTIMATE, declared, 0) if "estimate" in terms.protocols else 0
    return max(sketch, askable(Rung.CARDINALITY, declared, noise))


def _least(n: int, limit: int | None) -> int:
    return n if limit is None else min(n, limit)
