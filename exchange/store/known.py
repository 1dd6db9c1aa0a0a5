"""What our feeds say of the entries of a dictionary that is counted over."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.vector import Seen
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.context import Context
from exchange.policy.admission import ADMISSION_RULES
from exchange.store.held import digests_of
from exchange.store.schema import context, delivery, feed, indicator, observation, source
from exchange.store.travel import ENTERS, Bars

_NOTHING = Context()
_PER_QUERY = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """What may enter of what we hold of a dictionary, and how much may not.

    Attributes:
        seen: for positions of the dictionary, ascending, what each feed says that lets the entry enter.
        withheld: by rule of ``ADMISSION_RULES``, then by type, how many entries that we hold are held back.
    """

    seen: list[tuple[int, list[Seen]]] = field(repr=False)
    withheld: dict[str, dict[IndicatorType, int]]


def known(connection: Connection, bars: Bars, dictionary: Dictionary) -> Known:
    """Look the entries of a dictionary up."""
    first, last = delivery.alias("first"), delivery.alias("last")
    query = (
        select(indicator.c.digest, source.c.name, feed.c.own, observation.c.context_id, first.c.at, last.c.at)
        .select_from(
            indicator.join(observation, observation.c.indicator_id == indicator.c.id)
            .join(feed, feed.c.id == observation.c.feed_id)
            .join(source)
            .join(first, first.c.id == observation.c.first_delivery)
            .join(last, last.c.id == observation.c.last_delivery)
        )
        .where(bars.lets())
        .order_by(indicator.c.id, feed.c.id)
    )
    contexts = Contexts(connection)
    seen: list[tuple[int, list[Seen]]] = []
    withheld: dict[str, dict[IndicatorType, int]] = {}
    for start, entries in _pieces(dictionary):
        digests = digests_of(entries)
        places = {digest: start + place for place, digest in enumerate(digests)}
        these = indicator.c.digest.in_(digests)
        entering = select(indicator.c.id).where(these, bars.travels()).correlate(None)
        of_these = query.where(observation.c.indicator_id.in_(entering))
        found: dict[int, list[Seen]] = {}
        for digest, name, own, number, came, again in connection.execute(of_these):
            said = _seen(contexts.of(number), name, own=own, imported=(came, again))
            found.setdefault(places[digest], []).append(said)
        seen += sorted(found.items())
        _count(connection, bars, these, withheld)
    return Known(seen, withheld)


def _pieces(dictionary: Dictionary) -> Iterator[tuple[int, list[Indicator]]]:
    entries, start = iter(dictionary), 0
    while piece := list(islice(entries, _PER_QUERY)):
        yield start, piece
        start += len(piece)


def _count(
    connection: Connection,
    bars: Bars,
    these: ColumnElement[bool],
    withheld: dict[str, dict[IndicatorType, int]],
) -> None:
    verdict = bars.verdict().label("verdict")
    held = select(indicator.c.type, verdict).where(these, indicator.c.withdrawn.is_(None)).subquery()
    keys = (held.c.verdict, held.c.type)
    for rule, kind, n in connection.execute(
        select(*keys, func.count()).where(held.c.verdict != ENTERS).group_by(*keys).order_by(*keys)
    ):
        of_rule = withheld.setdefault(ADMISSION_RULES[rule], {})
        of_rule[IndicatorType(kind)] = of_rule.get(IndicatorType(kind), 0) + n


class Contexts:
    """Contexts by their numbers; many indicators share one, so each is read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, Context] = {}

    def of(self, number: int | None) -> Context:
        """The one of this number."""
        if number is None:
            return _NOTHING
        if number not in self._known:
            query = select(context.c.document).where(context.c.id == number)
            self._known[number] = Context.from_json(json.loads(self._connection.scalar(query) or "{}"))
        return self._known[number]


def _seen(said: Context, name: str, *, own: bool, imported: Sequence[Any]) -> Seen:
    """When it was seen, or where that is not stated when it was imported."""
    came, again = (datetime.fromtimestamp(moment, UTC) for moment in imported)
    last = said.last_seen or said.first_seen or again
    first = said.first_seen or said.last_seen or came
    return Seen(
        own=own,
        origin=said.producer or name,
        sightings=said.sightings,
        confidence=said.confidence,
        first=first,
        last=last,
    )
