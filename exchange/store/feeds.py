"""Feeds: what each gives, what a new delivery changes, and what is left when one is forgotten."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
    union,
    update,
)

from exchange.store.schema import (
    context,
    delivery,
    feed,
    indicator,
    leaving,
    listed,
    observation,
    source,
)

KEPT = timedelta(days=1)
"""How long an indicator that no feed gives any more can still be named, for a match that began before."""


@dataclass(frozen=True, slots=True)
class FeedInfo:
    """One feed, and how many indicators it gives.

    Attributes:
        source: who.
        feed: which of its streams; ``""`` for the only one.
        own: our own sightings, and not copied from anybody.
        last_imported: when it last came.
        count: how many indicators it gives now.
    """

    source: str
    feed: str
    own: bool
    last_imported: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went with a feed.

    Attributes:
        given: indicators that it gave.
        erased: those of them that no other feed gives; their rows are gone.
    """

    given: int
    erased: int


@dataclass(slots=True)
class Delta:
    """What a delivery changed.

    Attributes:
        added: indicators that the feed did not give before.
        removed: those that it no longer gives.
        unchanged: those that it gave again, whatever it says of them now.
        new: those that no feed gave before, by type.
    """

    added: int
    removed: int
    unchanged: int
    new: Counter[str]


def begin(
    connection: Connection, *, source_name: str, feed_name: str, own: bool, now: int
) -> tuple[int, int]:
    """Name a source, a feed and a delivery. Returns the numbers of the last two."""
    source_id = connection.scalar(select(source.c.id).where(source.c.name == source_name))
    if source_id is None:
        source_id = _add(connection, source, name=source_name)
    of = and_(feed.c.source_id == source_id, feed.c.name == feed_name)
    feed_id = connection.scalar(select(feed.c.id).where(of))
    if feed_id is None:
        feed_id = _add(connection, feed, source_id=source_id, name=feed_name, own=own)
    else:
        connection.execute(update(feed).where(of).values(own=own))
    return feed_id, _add(connection, delivery, feed_id=feed_id, at=now)


def _add(connection: Connection, table: Table, **row: object) -> int:
    """Insert a row. Returns its number."""
    return int(connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one())


def settle(
    connection: Connection, *, feed_id: int, number: int, last_before: int, new: Counter[str], now: int
) -> Delta:
    """Let what is in ``leaving`` leave a feed, and count what its delivery changed.

    Args:
        connection: in the transaction of the import.
        feed_id: the feed.
        number: the delivery.
        last_before: the highest number that an indicator had before this import.
        new: how many rows of indicators this import made, by type.
        now: what to note.
    """
    of_feed = observation.c.feed_id == feed_id
    before = observation.c.first_delivery < number
    delta = Delta(0, 0, 0, Counter(new))
    go = and_(of_feed, observation.c.indicator_id.in_(select(leaving.c.indicator_id)))
    delta.removed = _count(connection, go, before)
    connection.execute(delete(observation).where(go))
    delta.added = _count(connection, of_feed, observation.c.first_delivery == number)
    delta.unchanged = _count(connection, of_feed, observation.c.last_delivery == number, before)
    _withdraw(connection, delta, last_before=last_before, now=now)
    _revive(connection, delta)
    _forget_sayings(connection, feed_id, number)
    leaving.drop(connection)
    delta.new = +delta.new
    return delta


def _count(connection: Connection, *where: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(observation).where(*where)) or 0


def _by_type(connection: Connection, which: ColumnElement[bool]) -> dict[str, int]:
    query = select(indicator.c.type, func.count()).where(which).group_by(indicator.c.type)
    return dict(connection.execute(query).all())


_observed = exists().where(observation.c.indicator_id == indicator.c.id)


def _withdraw(connection: Connection, delta: Delta, *, last_before: int, now: int) -> None:
    """Withdraw what left its last feed; what came and went within this import was never here."""
    orphaned = and_(indicator.c.id.in_(select(leaving.c.indicator_id)), ~_observed)
    unseen = and_(orphaned, indicator.c.id > last_before)
    delta.new.subtract(_by_type(connection, unseen))
    connection.execute(delete(indicator).where(unseen))
    connection.execute(update(indicator).where(orphaned).values(withdrawn=now))


def _revive(connection: Connection, delta: Delta) -> None:
    """Count as new what had been withdrawn and is given again."""
    back = and_(indicator.c.withdrawn.is_not(None), _observed)
    delta.new.update(_by_type(connection, back))
    connection.execute(update(indicator).where(back).values(withdrawn=None))


def _forget_sayings(connection: Connection, feed_id: int, number: int) -> None:
    """Delete what a feed said and no longer says, and the deliveries that nothing is left of."""
    of_feed = observation.c.feed_id == feed_id
    said = select(observation.c.context_id).where(of_feed, observation.c.context_id.is_not(None))
    connection.execute(delete(context).where(context.c.feed_id == feed_id, context.c.id.not_in(said)))
    used = union(
        select(observation.c.first_delivery).where(of_feed),
        select(observation.c.last_delivery).where(of_feed),
    )
    over = and_(delivery.c.feed_id == feed_id, delivery.c.id != number, delivery.c.id.not_in(used))
    connection.execute(delete(delivery).where(over))


def cursor(connection: Connection, source_name: str, feed_name: str) -> str | None:
    """Where the next delivery of a feed goes on."""
    query = select(feed.c.cursor).join(source).where(source.c.name == source_name, feed.c.name == feed_name)
    return connection.scalar(query)


def set_cursor(connection: Connection, feed_id: int, text: str | None) -> None:
    """Note where the next delivery of a feed goes on."""
    connection.execute(update(feed).where(feed.c.id == feed_id).values(cursor=text))


def listing(connection: Connection) -> list[FeedInfo]:
    """Every feed, by source and name."""
    given = select(observation.c.feed_id, func.count().label("n")).group_by(observation.c.feed_id).subquery()
    last = (
        select(delivery.c.feed_id, func.max(delivery.c.at).label("at"))
        .group_by(delivery.c.feed_id)
        .subquery()
    )
    query = (
        select(source.c.name, feed.c.name, feed.c.own, last.c.at, func.coalesce(given.c.n, 0))
        .select_from(feed.join(source).join(last).outerjoin(given, given.c.feed_id == feed.c.id))
        .order_by(source.c.name, feed.c.name)
    )
    return [
        FeedInfo(whose, name, own, datetime.fromtimestamp(at, UTC), n)
        for whose, name, own, at, n in connection.execute(query)
    ]


def forget(connection: Connection, *, source_name: str, feed_name: str | None) -> Forgotten | None:
    """Erase all that a feed gave, or every feed of a source; ``None`` if there is none such."""
    execute = connection.execute
    which = select(feed.c.id).join(source).where(source.c.name == source_name)
    if feed_name is not None:
        which = which.where(feed.c.name == feed_name)
    feeds = list(connection.scalars(which))
    if not feeds:
        return None
    leaving.create(connection, checkfirst=False)
    of_feeds = observation.c.feed_id.in_(feeds)
    execute(
        insert(leaving).from_select(
            ["indicator_id"], select(observation.c.indicator_id).where(of_feeds).distinct()
        )
    )
    execute(delete(observation).where(of_feeds))
    given = connection.scalar(select(func.count()).select_from(leaving)) or 0
    orphaned = and_(indicator.c.id.in_(select(leaving.c.indicator_id)), ~_observed)
    execute(delete(listed).where(listed.c.indicator_id.in_(select(indicator.c.id).where(orphaned))))
    erased = execute(delete(indicator).where(orphaned)).rowcount
    leaving.drop(connection)
    for table in (context, delivery):
        execute(delete(table).where(table.c.feed_id.in_(feeds)))
    execute(delete(feed).where(feed.c.id.in_(feeds)))
    execute(delete(source).where(source.c.id.not_in(select(feed.c.source_id))))
    return Forgotten(given, erased)


def purge(connection: Connection, *, now: int) -> None:
    """Delete what was withdrawn long ago."""
    long_ago = indicator.c.withdrawn < now - int(KEPT.total_seconds())
    connection.execute(
        delete(listed).where(listed.c.indicator_id.in_(select(indicator.c.id).where(long_ago)))
    )
    connection.execute(delete(indicator).where(long_ago))
