"""What is said of the items that enter a set, by the feeds that let them enter."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, select

from exchange.indicators.context import Context
from exchange.store.sayings import merged
from exchange.store.schema import context, indicator, observation
from exchange.store.travel import Bars

NOTHING = Context()


@dataclass(frozen=True, slots=True)
class Said:
    """Contexts by the identifiers of indicators; most indicators share theirs with many others.

    Attributes:
        ids: ``(n,)`` int64, ascending.
        numbers: ``(n,)`` int64, where in ``contexts`` the context of each stands.
        contexts: each of them once.
    """

    ids: NDArray[np.int64] = field(repr=False)
    numbers: NDArray[np.int64] = field(repr=False)
    contexts: list[Context] = field(repr=False)

    def of(self, ids: NDArray[np.int64]) -> list[Context]:
        """What is said of these, in their order; nothing of those that are not here."""
        if not len(self.ids):
            return [NOTHING] * len(ids)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        known = self.ids[places] == ids
        numbers = self.numbers[places]
        return [self.contexts[n] if k else NOTHING for n, k in zip(numbers, known, strict=True)]


def said(connection: Connection, bars: Bars, chosen: ColumnElement[bool]) -> Said:
    """Collect what the feeds say that let an item enter; what a feed says that keeps it back stays here.

    Args:
        connection: to the store.
        bars: what keeps observations back.
        chosen: which indicators, of those that enter.
    """
    entering = select(indicator.c.id).where(chosen, bars.travels()).correlate(None)
    query = (
        select(observation.c.indicator_id, observation.c.context_id)
        .join(indicator, indicator.c.id == observation.c.indicator_id)
        .where(observation.c.indicator_id.in_(entering), bars.lets(), observation.c.context_id.is_not(None))
        .order_by(observation.c.indicator_id)
    )
    places: dict[tuple[int, ...], int] = {}
    ids, numbers = [], []
    for number, rows in groupby(connection.execute(query), key=itemgetter(0)):
        together = tuple(sorted({row[1] for row in rows}))
        ids.append(number)
        numbers.append(places.setdefault(together, len(places)))
    documents = dict(_documents(connection, {one for together in places for one in together}))
    contexts = [reduce(merged, (documents[one] for one in together)) for together in places]
    return Said(np.array(ids, np.int64), np.array(numbers, np.int64), contexts)


def _documents(connection: Connection, wanted: set[int]) -> Iterable[tuple[int, Context]]:
    query = select(context.c.id, context.c.document)
    for number, document in connection.execute(query):
        if number in wanted:
            yield number, Context.from_json(json.loads(document))
