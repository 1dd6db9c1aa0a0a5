"""What is said of an indicator, and by whom."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from crypto.hashing import item_rows
from exchange.indicators import Indicator, IndicatorType, Tlp
from exchange.indicators.context import Context
from exchange.store.schema import context, delivery, feed, indicator, observation, source

_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Held:
    """What one feed says of an indicator.

    Attributes:
        source: who.
        feed: which of its streams; ``""`` for the only one.
        own: our own sighting, and not copied from anybody.
        tlp: the marking that binds us: never more open than what is stated.
        context: what is said, as it was stated; empty if nothing is.
        first_imported: when the feed first gave it.
        last_imported: when it gave it last.
    """

    source: str
    feed: str
    own: bool
    tlp: Tlp
    context: Context = field(repr=False)
    first_imported: datetime
    last_imported: datetime


def held(connection: Connection, indicators: Sequence[Indicator]) -> list[list[Held]]:
    """What each feed says of each of these, by source and feed."""
    first, last = delivery.alias("first"), delivery.alias("last")
    query = (
        select(
            indicator.c.digest, source.c.name, feed.c.name, feed.c.own, observation.c.tlp,
            context.c.document, first.c.at, last.c.at,
        )
        .select_from(
            indicator.join(observation, observation.c.indicator_id == indicator.c.id)
            .join(feed, feed.c.id == observation.c.feed_id)
            .join(source)
            .join(first, first.c.id == observation.c.first_delivery)
            .join(last, last.c.id == observation.c.last_delivery)
            .outerjoin(context, context.c.id == observation.c.context_id)
        )
        .order_by(source.c.name, feed.c.name)
    )  # fmt: skip
    markings = list(Tlp)
    digests = digests_of(indicators)
    found: dict[bytes, list[Held]] = {digest: [] for digest in digests}
    wanted = list(found)
    for start in range(0, len(wanted), _PER_QUERY):
        chunk = query.where(indicator.c.digest.in_(wanted[start : start + _PER_QUERY]))
        for digest, whose, name, own, tlp, document, came, again in connection.execute(chunk):
            said = Context.from_json(json.loads(document)) if document else Context()
            times = (datetime.fromtimestamp(came, UTC), datetime.fromtimestamp(again, UTC))
            found[digest].append(Held(whose, name, own, markings[tlp], said, *times))
    return [list(found[digest]) for digest in digests]


def digests_of(indicators: Sequence[Indicator]) -> list[bytes]:
    """The item row of each, by which the store knows it."""
    digests = [b""] * len(indicators)
    by_type: dict[IndicatorType, list[int]] = {}
    for position, one in enumerate(indicators):
        by_type.setdefault(one.type, []).append(position)
    for kind, positions in by_type.items():
        for position, row in zip(
            positions, item_rows(kind, [indicators[p].value for p in positions]), strict=True
        ):
            digests[position] = row.tobytes()
    return digests
