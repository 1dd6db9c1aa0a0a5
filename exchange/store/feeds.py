"""Feeds: what each gives, what a new delivery changes, and what is left when one is forgotten."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    case,
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
    revoked,
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
    connection: Connection,
    *,
    feed_id: int,
    number: int,
    last_before: int,
    keep: bool,
    now: int,
) -> Delta:
    """Let go what a feed no longer gives and what was withdrawn, and count what its delivery changed.

    Args:
        connection: in the transaction of the import.
        feed_id: the feed.
        number: the delivery.
        last_before: the highest number that an indicator had before this import.
        keep: only what was withdrawn goes, and not what was not given again.
        now: what to note.
    """
    census = _census(connection, feed_id, number)
    removed = 0
    if (census.stale and not keep) or connection.scalar(select(exists(revoked))):
        removed = _let_go(connection, feed_id, number, keep=keep)
        _withdraw(connection, last_before=last_before, now=now)
        census = _census(connection, feed_id, number)
    new = Counter(_by_type(connection, indicator.c.id > last_before))
    new.update(_revive(connection))
    _forget_sayings(connection, feed_id, number)
    return Delta(census.added, removed, census.unchanged, new)


@dataclass(frozen=True, slots=True)
class _Census:
    """How many observations of a feed are new, were given again, and were not given again."""

    added: int
    unchanged: int
    stale: int


def _census(connection: Connection, feed_id: int, number: int) -> _Census:
    added = observation.c.first_delivery == number
    again = and_(observation.c.last_delivery == number, ~added)
    counted = [func.sum(case((which, 1), else_=0)) for which in (added, again)]
    query = select(*counted, func.count()).where(observation.c.feed_id == feed_id)
    added_count, again_count, total = (n or 0 for n in connection.execute(query).one())
    return _Census(added_count, again_count, total - added_count - again_count)


def _let_go(connection: Connection, feed_id: int, number: int, *, keep: bool) -> int:
    """Move what leaves the feed into ``leaving``. Returns how much of it was there before this import."""
    of_feed, which = observation.c.feed_id == feed_id, observation.c.indicator_id
    withdrawn = revoked.join(indicator, revoked.c.digest == indicator.c.digest)
    gone = [select(which).select_from(withdrawn.join(observation, and_(of_feed, which == indicator.c.id)))]
    if not keep:
        gone.append(select(which).where(of_feed, observation.c.last_delivery < number))
    connection.execute(insert(leaving).from_select(["indicator_id"], union(*gone)))
    go = and_(of_feed, which.in_(select(leaving.c.indicator_id)))
    before = select(func.count()).select_from(observation).where(go, observation.c.first_delivery < number)
    removed = connection.scalar(before) or 0
    connection.execute(delete(observation).where(go))
    return removed


def _by_type(connection: Connection, which: ColumnElement[bool]) -> dict[str, int]:
    query = select(indicator.c.type, func.count()).where(which).group_by(indicator.c.type)
    return dict(connection.execute(query).all())


_observed = exists().where(observation.c.indicator_id == indicator.c.id)


def _withdraw(connection: Connection, *, last_before: int, now: int) -> None:
    """Withdraw what left its last feed. What came and went within this import is deleted."""
    orphaned = and_(indicator.c.id.in_(select(leaving.c.indicator_id)), ~_observed)
    connection.execute(delete(indicator).where(orphaned, indicator.c.id > last_before))
    connection.execute(update(indicator).where(orphaned).values(withdrawn=now))


def _revive(connection: Connection) -> dict[str, int]:
    """Bring back what had been withdrawn and is given again. Returns how many, by type."""
    back = and_(indicator.c.withdrawn.is_not(None), _observed)
    by_type = _by_type(connection, back)
    connection.execute(update(indicator).where(back).values(withdrawn=None))
    return by_type


def _forget_sayings(connection: Connection, feed_id: int, number: int) -> None:
    """Delete what a feed said and no longer says, and the deliveries that nothing is left of."""
    of_feed = observation.c.feed_id == feed_id
    said = select(observation.c.context_id).where(of_feed, observation.c.context_id.is_not(None))
    connection.execute(delete(context).where(context.c.feed_id == feed_id, context.c.id.not_in(said)))
    if connection.scalar(select(func.min(delivery.c.id)).where(delivery.c.feed_id == feed_id)) == number:
        return
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
